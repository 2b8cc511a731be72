//! Records as a file.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::Problem;
use super::body::Body;
use super::caller::Caller;
use crate::domain::{Actor, Fault, Input, Office};
use crate::entity::Entity;
use crate::entity::export::{EXPORT, Export, ExportError, Pieces, background, parameters, start};
use crate::entity::registry::by_name;

/// Every record that a list with these parameters has.
pub(super) async fn export(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let file = file_of(entity, request.query_string(), office, caller.0).await;
    file.map_err(|fault| Problem::new(&request, fault))
}

/// The file of an export, for whoever may have it: the API's callers and the console's.
pub(crate) async fn file_of(
    entity: &'static Entity,
    query: &str,
    office: Data<Office>,
    actor: Actor,
) -> Result<HttpResponse, Fault> {
    let given = parameters(query).map_err(|detail| Fault::field("", detail))?;
    let export = Export::parse(&office, &actor, entity, given).await?;
    let disposition = format!("attachment; filename=\"{}\"", export.file_name(&office));
    let media_type = export.format().media_type();
    let pieces = start(office.into_inner(), actor, export).await?;
    Ok(HttpResponse::Ok()
        .insert_header(("Content-Type", media_type))
        .insert_header(("Content-Disposition", disposition))
        .insert_header(("Cache-Control", "no-store"))
        .body(Streamed(pieces)))
}

/// `POST /exports/order`: a file is made in the background.
pub(super) async fn order(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut input = Input::parse(&body.0)?;
        let name = input.optional_text("entity", 60);
        let query = input.optional_text("query", 4000).unwrap_or_default();
        if name.is_none() {
            input.missing("entity");
        }
        input.finish()?;
        let entity = by_name(&name.unwrap_or_default());
        let entity = entity.ok_or_else(|| Fault::field("/entity", "is no kind of record here"))?;
        let id = background::order(&office, &caller.0, entity, &query).await?;
        let kept = background::find(&office, &caller.0, &id_of(id)).await?;
        Ok(HttpResponse::Accepted().json(kept.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

fn id_of(id: uuid::Uuid) -> String {
    model::id::show(EXPORT.prefix, id)
}

/// `GET /exports/{id}/file`: a file that was made in the background.
pub(super) async fn kept(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let file = file_kept(office, &caller.0, &id).await;
    file.map_err(|fault| Problem::new(&request, fault))
}

/// The file of an export that is kept, for whoever may have it.
pub(crate) async fn file_kept(
    office: Data<Office>,
    actor: &Actor,
    id: &str,
) -> Result<HttpResponse, Fault> {
    let kept = background::find(&office, actor, id).await?;
    if kept.state != "finished" {
        let detail = format!("it is {}; there is no file to fetch", kept.state);
        return Err(Fault::Conflict { pointer: "/state", detail });
    }
    let pieces = background::pieces(office.into_inner(), actor, &kept).await?;
    let disposition = format!("attachment; filename=\"{}\"", kept.file_name);
    Ok(HttpResponse::Ok()
        .insert_header(("Content-Type", kept.format.media_type()))
        .insert_header(("Content-Disposition", disposition))
        .insert_header(("Cache-Control", "no-store"))
        .body(Streamed(pieces)))
}

/// A body that comes in pieces; one that breaks off ends the connection.
struct Streamed(Pieces);

impl MessageBody for Streamed {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = self.0.poll_recv(context);
        next.map(|piece| piece.map(|piece| piece.map_err(|error: ExportError| error.into())))
    }
}
