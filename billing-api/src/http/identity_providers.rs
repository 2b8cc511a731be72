//! What is done with identity providers, besides what their description gives.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::caller::Caller;
use super::{Problem, shown};
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
        let view = provider::test(&office, &caller.0, id).await?;
        Ok(shown(view["version"].as_i64().unwrap_or_default(), &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
