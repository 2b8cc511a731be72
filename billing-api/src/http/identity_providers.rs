//! What is done with identity providers, besides what their description gives.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::Problem;
use super::caller::Caller;
use crate::domain::Office;
use crate::entity::Entity;
use crate::oidc::provider::{self, IDENTITY_PROVIDER};

static PROVIDERS: &Entity = &IDENTITY_PROVIDER;

/// `POST /identity-providers/{id}/check`: asks it what it offers.
pub(super) async fn check(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let id = PROVIDERS.id(&id)?;
        Ok(HttpResponse::Ok().json(provider::test(&office, &caller.0, id).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
