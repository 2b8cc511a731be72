//! The ways into a service besides its own login.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::{IdentityId, ServiceId};

use super::body::Body;
use super::caller::Caller;
use super::{Problem, if_match, replay, shown};
use crate::domain::{Fault, Office, identity};

fn service_id(id: &str) -> Result<ServiceId, Fault> {
    id.parse().map_err(|_| Fault::NotFound("service"))
}

/// `POST /services/{id}/identities`
pub(super) async fn add(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let (id, expected) = (service_id(&id)?, if_match(&request)?);
        let new = identity::New::parse(&body.0)?;
        let made = identity::add(&office, &caller.0, id, new, expected).await?;
        Ok(shown(made.version, &made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// `DELETE /services/{id}/identities/{identity}`
pub(super) async fn remove(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let (id, own) = path.into_inner();
        let (id, expected) = (service_id(&id)?, if_match(&request)?);
        let own: IdentityId = own.parse().map_err(|_| Fault::NotFound("identity"))?;
        let made = identity::remove(&office, &caller.0, id, own, expected).await?;
        Ok(shown(made.version, &made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
