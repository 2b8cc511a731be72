//! Files that become records.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use sheet::{Delimiter, Format, Writing};

use super::body::{Body, check_file};
use super::caller::Caller;
use super::query::Query;
use super::{Problem, if_match, replay};
use crate::domain::slots::{self, Slots};
use crate::domain::{Actor, Fault, Office};
use crate::entity::import::failed::{self, Told, Wanted};
use crate::entity::import::{
    self, FILE_OCTETS_MAX, IMPORT, Import, Said, job, readable, run as runner, undo as back,
};
use crate::entity::{Entity, custom, read};

/// Files that come at once in this process.
const RECEIVING_MAX: usize = 6;
/// Those of one organisation.
const RECEIVING_EACH: usize = 2;
/// When to come again, seconds.
const COME_AGAIN_S: u32 = 10;
/// How long a file may take to come.
const RECEIVED_WITHIN: Duration = Duration::from_secs(600);

static RECEIVING: Slots = Slots::new(RECEIVING_MAX, RECEIVING_EACH);

/// Takes a file: the body is the file itself, the query says what is known of it.
pub(super) async fn upload(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let result = async {
        check_file(&request)?;
        let mut query = Query::of(&request)?;
        let said = Said {
            name: query.text("name").unwrap_or_else(|| "file".to_owned()),
            format: query.parsed("format"),
            delimiter: query.parsed("delimiter"),
            header: query.parsed("header"),
            guard: query.parsed("guard"),
            sheet: query.text("sheet"),
        };
        query.finish()?;
        if said.name.chars().count() > 200 {
            return Err(Fault::field("?name", "has more than 200 characters"));
        }
        let file = receive(&caller.0, payload, FILE_OCTETS_MAX).await?;
        let id = import::take(&office, &caller.0, entity, said, file).await?;
        let (view, version) = read::find(&office, &caller.0, &IMPORT, id).await?;
        let location = format!("/api/v1/imports/{}", model::id::show(IMPORT.prefix, id));
        Ok(super::created(location, version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// Reads a body that may be a whole file. Each is in memory while it comes, so only some come at
/// once, of one organisation fewer, and none for ever.
pub(crate) async fn receive(
    actor: &Actor,
    payload: Payload,
    octets_max: usize,
) -> Result<Bytes, Fault> {
    let sharer = slots::sharer(&actor.path, actor.organisation);
    let _slot = RECEIVING.take(sharer).ok_or(Fault::TooMany(COME_AGAIN_S))?;
    let body = payload.to_bytes_limited(octets_max);
    match tokio::time::timeout(RECEIVED_WITHIN, body).await {
        Ok(Ok(Ok(file))) => Ok(file),
        Ok(Ok(Err(error))) => Err(Fault::field("", format!("the body cannot be read: {error}"))),
        Ok(Err(_)) => Err(Fault::TooLong(octets_max)),
        Err(_) => Err(Fault::field("", "the body did not come to its end in time")),
    }
}

/// An empty file with the columns that can be imported.
pub(super) async fn template(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let mut query = Query::of(&request)?;
        let format = query.parsed("format").unwrap_or(Format::Csv);
        let delimiter = query.parsed("delimiter").unwrap_or_default();
        query.finish()?;
        template_of(entity, &office, &caller.0, format, delimiter).await
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// The empty file, for the API's callers and the console's.
pub(crate) async fn template_of(
    entity: &'static Entity,
    office: &Office,
    actor: &Actor,
    format: Format,
    delimiter: Delimiter,
) -> Result<HttpResponse, Fault> {
    readable(format, "?format")?;
    let customs = custom::of(office, &actor.path, entity).await?;
    let sheet = entity.path.to_owned();
    let how = Writing { format, delimiter, sheet, ..Writing::default() };
    let file = import::template(actor, entity, &customs, &how)?;
    Ok(attachment(format, &format!("{}-template", entity.path)).body(file))
}

fn attachment(format: Format, name: &str) -> actix_web::HttpResponseBuilder {
    let disposition = format!("attachment; filename=\"{name}.{format}\"");
    let mut response = HttpResponse::Ok();
    response
        .insert_header(("Content-Type", format.media_type()))
        .insert_header(("Content-Disposition", disposition))
        .insert_header(("Cache-Control", "no-store"));
    response
}

/// The import, for those who may import its kind of records; for others it is not there.
pub(crate) async fn importing(office: &Office, actor: &Actor, id: &str) -> Result<Import, Fault> {
    let import = import::find(office, actor, IMPORT.id(id)?).await?;
    match read::may(actor, import.entity, "import") {
        true => Ok(import),
        false => Err(Fault::NotFound(IMPORT.name)),
    }
}

/// The import as it is now.
async fn shown(office: &Office, actor: &Actor, import: &Import) -> Result<HttpResponse, Fault> {
    let (view, version) = read::find(office, actor, &IMPORT, import.id).await?;
    Ok(super::shown(version, &view))
}

/// As [`shown`], while the work goes on.
async fn accepted(office: &Office, actor: &Actor, import: &Import) -> Result<HttpResponse, Fault> {
    let (view, _) = read::find(office, actor, &IMPORT, import.id).await?;
    Ok(HttpResponse::Accepted().json(view))
}

/// The first rows, as they are and as they would be taken.
pub(super) async fn preview(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let import = importing(&office, &caller.0, &id).await?;
        Ok(HttpResponse::Ok().json(import::preview(&office, &caller.0, &import).await?))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// What the columns mean.
pub(super) async fn map(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let import = importing(&office, &caller.0, &id).await?;
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let expected = if_match(&request)?;
        import::set_mapping(&office, &caller.0, &import, &body.0, expected).await?;
        shown(&office, &caller.0, &import).await
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// Tries the import without effect.
pub(super) async fn dry_run(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    begin(request, office, caller, id, true).await
}

/// Imports the rows, or goes on.
pub(super) async fn run(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    begin(request, office, caller, id, false).await
}

async fn begin(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
    dry: bool,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let import = importing(&office, &caller.0, &id).await?;
        if let Some(answer) = replay(&office, &mut caller.0, &request, &[]).await? {
            return Ok(answer);
        }
        let kind = if dry { &job::CHECK } else { &job::RUN };
        runner::begin(&office, &caller.0, import.id, dry, Some(kind)).await?;
        accepted(&office, &caller.0, &import).await
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// The rows that failed, and why; others with something to tell, where they are asked for.
pub(super) async fn errors(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let import = importing(&office, &caller.0, &id).await?;
        let mut query = Query::of(&request)?;
        let limit = query.limit();
        let after = query.parsed::<i64>("cursor").unwrap_or(0);
        let told = query.word("outcome", &Told::ALL).unwrap_or(Told::Failed);
        query.finish()?;
        let rows = failed::list(&office, &import, told, after, limit).await?;
        let full = rows.len() as i64 == limit;
        let next = rows.last().filter(|_| full).map(|row| row["row"].to_string());
        Ok(HttpResponse::Ok().json(json!({"data": rows, "next_cursor": next})))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// The rows that failed, as a file that can be imported again.
pub(super) async fn error_file(
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let import = importing(&office, &caller.0, &id).await?;
        let mut query = Query::of(&request)?;
        let format = query.parsed("format").unwrap_or(Format::Csv);
        let wanted = Wanted { format, delimiter: query.parsed("delimiter") };
        query.finish()?;
        failed_rows(office, &caller.0, &import, wanted).await
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// The file of the rows that failed, for the API's callers and the console's.
pub(crate) async fn failed_rows(
    office: Data<Office>,
    actor: &Actor,
    import: &Import,
    wanted: Wanted,
) -> Result<HttpResponse, Fault> {
    readable(wanted.format, "?format")?;
    let arc: Arc<Office> = office.into_inner();
    let file = failed::file(&arc, actor, import, wanted).await?;
    let whole = Whole::of(file).map_err(|error| Fault::Internal(Box::new(error)))?;
    Ok(attachment(wanted.format, "failed-rows").body(whole))
}

/// Undoes the import.
pub(super) async fn undo(
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let import = importing(&office, &caller.0, &id).await?;
        if let Some(answer) = replay(&office, &mut caller.0, &request, &[]).await? {
            return Ok(answer);
        }
        let import = back::begin(&office, &caller.0, import.id, Some(&job::UNDO)).await?;
        accepted(&office, &caller.0, &import).await
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// A file of known length, read piece by piece: it is short, or on a local disk.
struct Whole {
    file: tempfile::SpooledTempFile,
    octets: u64,
}

impl Whole {
    fn of(mut file: tempfile::SpooledTempFile) -> std::io::Result<Self> {
        let octets = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        Ok(Self { file, octets })
    }
}

impl MessageBody for Whole {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.octets)
    }

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, Self::Error>>> {
        let mut piece = vec![0; 64 * 1024];
        std::task::Poll::Ready(match self.file.read(&mut piece) {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some(Ok(Bytes::from(piece)))
            }
            Err(error) => Some(Err(error)),
        })
    }
}
