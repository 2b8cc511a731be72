//! Records as a file.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::Problem;
use super::caller::Caller;
use crate::domain::{Actor, Fault, Office};
use crate::entity::Entity;
use crate::entity::export::{Export, ExportError, Pieces, parameters, start};

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
