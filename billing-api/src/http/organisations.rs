//! Organisations, besides what their description says: their place in the tree.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use model::OrganisationId;

use super::body::Body;
use super::caller::Caller;
use super::{Problem, if_match, replay, shown};
use crate::domain::Office;
use crate::domain::organisation::{self, ORGANISATION};
use crate::entity::{Entity, Source, read};

static DESCRIPTION: &Entity = &ORGANISATION;

/// `POST /organisations/{id}/move`
pub(super) async fn relocate(
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
        let id = DESCRIPTION.id(&id)?;
        let (parent, expected) = (organisation::parse_move(&body.0)?, if_match(&request)?);
        organisation::relocate(&office, &caller.0, OrganisationId(id), parent, expected).await?;
        let (mut view, version) = read::find(&office, &caller.0, DESCRIPTION, id).await?;
        let rows = std::slice::from_mut(&mut view);
        (DESCRIPTION.hooks.extend)(Source::Office(&office, &caller.0), rows).await?;
        Ok(shown(version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
