//! Records as a file.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::Problem;
use super::caller::Caller;
use crate::domain::{Fault, Office};
use crate::entity::Entity;
use crate::entity::export::{Export, ExportError, Pieces, parameters, start};

/// Every record that a list with these parameters has.
pub(super) async fn export(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let given =
            parameters(request.query_string()).map_err(|detail| Fault::field("", detail))?;
        let export = Export::parse(&office, &caller.0, entity, given).await?;
        let disposition = format!("attachment; filename=\"{}\"", export.file_name(&office));
        let media_type = export.format().media_type();
        let pieces = start(office.into_inner(), caller.0, export).await?;
        Ok(HttpResponse::Ok()
            .insert_header(("Content-Type", media_type))
            .insert_header(("Content-Disposition", disposition))
            .insert_header(("Cache-Control", "no-store"))
            .body(Streamed(pieces)))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
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
