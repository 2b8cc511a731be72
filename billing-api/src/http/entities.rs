//! The resources that come from a description: list, detail, create, update, delete, restore.

use std::collections::BTreeMap;

use actix_web::http::Method;
use actix_web::web::{self, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::access::{Need, Registered};
use super::body::Body;
use super::caller::Caller;
use super::{Problem, created, etag, export, if_match, imports, replay, shown};
use crate::domain::access::permission;
use crate::domain::{Fault, Input, Office, Unit};
use crate::entity::query::ListQuery;
use crate::entity::registry::ENTITIES;
use crate::entity::{Action, Draft, Entity, Verbs, bulk, custom, read, write};

/// What the routes of every description need.
pub(super) fn needs(within: &'static str) -> impl Iterator<Item = (Method, String, Need)> {
    ENTITIES.iter().flat_map(move |entity| {
        // A group without the permission has no such route; a test finds it.
        let all = [
            (Method::GET, "/export", "export", Verbs::READ),
            (Method::POST, "/import", "import", Verbs::IMPORT),
            (Method::GET, "/import-template", "import", Verbs::IMPORT),
            (Method::GET, "", "view", Verbs::READ),
            (Method::POST, "", "create", Verbs::CREATE),
            (Method::GET, "/{id}", "view", Verbs::READ),
            (Method::PATCH, "/{id}", "edit", Verbs::UPDATE),
            (Method::DELETE, "/{id}", "delete", Verbs::DELETE),
            (Method::POST, "/{id}/restore", "delete", Verbs::DELETE),
            // What the order says may take more than this.
            (Method::POST, "/bulk", "edit", Verbs::UPDATE),
        ];
        let offered = all.into_iter().filter(|(.., verb)| entity.verbs.has(*verb));
        let verbs = offered.filter_map(move |(method, rest, verb, _)| {
            let need = Need::Permission(permission::named(entity.permission, verb)?);
            Some((method, format!("{within}/{}{rest}", entity.path), need))
        });
        let actions = entity.actions.iter().map(move |action| {
            let pattern = format!("{within}/{}/{{id}}/{}", entity.path, action.name);
            (Method::POST, pattern, Need::Permission(action.permission))
        });
        verbs.chain(actions)
    })
}

/// The routes of every description.
pub(super) fn routes() -> impl Iterator<Item = Registered> {
    ENTITIES.iter().copied().flat_map(|entity| {
        let (all, one) = (format!("/{}", entity.path), format!("/{}/{{id}}", entity.path));
        let mut routes = vec![(all.clone(), web::get().to(move |r, o, c| list(entity, r, o, c)))];
        // Words that stand where an id would come before its pattern, which takes any word.
        let route = web::get().to(move |r, o, c| export::export(entity, r, o, c));
        routes.push((format!("{all}/export"), route));
        if entity.verbs.has(Verbs::IMPORT) {
            let route = web::post().to(move |r, o, c, b| imports::upload(entity, r, o, c, b));
            routes.push((format!("{all}/import"), route));
            let route = web::get().to(move |r, o, c| imports::template(entity, r, o, c));
            routes.push((format!("{all}/import-template"), route));
        }
        if entity.verbs.has(Verbs::UPDATE) {
            let route = web::post().to(move |r, o, c, b| bulk(entity, r, o, c, b));
            routes.push((format!("{all}/bulk"), route));
            let route = web::patch().to(move |r, o, c, i, b| update(entity, r, o, c, i, b));
            routes.push((one.clone(), route));
        }
        routes.push((one.clone(), web::get().to(move |r, o, c, i| find(entity, r, o, c, i))));
        if entity.verbs.has(Verbs::CREATE) {
            routes.push((all, web::post().to(move |r, o, c, b| create(entity, r, o, c, b))));
        }
        for action in entity.actions {
            let route = web::post().to(move |r, o, c, i, b| act(entity, action, r, o, c, i, b));
            routes.push((format!("{one}/{}", action.name), route));
        }
        if entity.verbs.has(Verbs::DELETE) {
            let route = web::delete().to(move |r, o, c, i| delete(entity, r, o, c, i));
            routes.push((one.clone(), route));
            let route = web::post().to(move |r, o, c, i| restore(entity, r, o, c, i));
            routes.push((format!("{one}/restore"), route));
        }
        routes
    })
}

pub(super) async fn list(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let parameters = web::Query::<BTreeMap<String, String>>::from_query(request.query_string())
            .map_err(|error| {
                Fault::field("", format!("the query string does not read: {error}"))
            })?;
        let customs = custom::of(&office, &caller.0.path, entity).await?;
        let query = ListQuery::parse(entity, &customs, parameters.into_inner())?;
        let mut listed = read::list(&office, &caller.0, entity, &query).await?;
        if entity.extends(&query.fields) {
            read::extend(&office, &caller.0, entity, &mut listed.rows).await?;
            listed.keep(&query.fields);
        }
        let mut body = json!({"data": listed.rows, "next_cursor": listed.next});
        if let Some((total, exact)) = listed.total {
            body["total"] = json!(total);
            body["total_exact"] = json!(exact);
        }
        Ok(HttpResponse::Ok().json(body))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

async fn create(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let customs = custom::of(&office, &caller.0.path, entity).await?;
        let draft = write::parse(entity, &customs, &body.0, true)?;
        let made = write::create(&office, &caller.0, entity, draft).await?;
        let id = model::id::show(entity.prefix, made.id);
        Ok(created(format!("/api/v1/{}/{id}", entity.path), made.version, &made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

async fn find(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let (mut view, version) = read::find(&office, &caller.0, entity, entity.id(&id)?).await?;
        let rows = std::slice::from_mut(&mut view);
        read::extend(&office, &caller.0, entity, rows).await?;
        Ok(shown(version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

async fn update(
    entity: &'static Entity,
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
        let id = entity.id(&id)?;
        let customs = custom::of(&office, &caller.0.path, entity).await?;
        let draft = write::parse(entity, &customs, &body.0, false)?;
        let expected = if_match(&request)?;
        let made = write::update(&office, &caller.0, entity, id, draft, expected).await?;
        Ok(shown(made.version, &made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

async fn delete(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        let expected = if_match(&request)?;
        write::delete(&office, &caller.0, entity, entity.id(&id)?, expected).await?;
        Ok(HttpResponse::NoContent().finish())
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

async fn restore(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &[]).await? {
            return Ok(answer);
        }
        let made = write::restore(&office, &caller.0, entity, entity.id(&id)?).await?;
        Ok(shown(made.version, &made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// Does what is no change of fields.
async fn act(
    entity: &'static Entity,
    action: &'static Action,
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
        let (id, expected) = (entity.id(&id)?, if_match(&request)?);
        // Most take nothing, and say so by no body at all.
        let input = Input::parse(if body.0.is_empty() { b"{}" } else { &body.0 })?;
        let arguments = Draft::arguments(action.arguments, input)?;
        let mut unit = Unit::begin(&office, &caller.0).await?;
        (action.run)(&mut unit, id, expected, &arguments).await?;
        let made = write::answer(&mut unit, entity, id, 200).await?;
        unit.commit().await?;
        Ok(shown(made.version, &made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}

/// Orders one change to many records: 202, and the run that does it.
async fn bulk(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    mut caller: Caller,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let result = async {
        if let Some(answer) = replay(&office, &mut caller.0, &request, &body.0).await? {
            return Ok(answer);
        }
        let made = bulk::order(&office, &caller.0, entity, &body.0).await?;
        let id = model::id::show(model::RunId::PREFIX, made.id);
        Ok(HttpResponse::Accepted()
            .insert_header(("Location", format!("/api/v1/job-runs/{id}")))
            .insert_header(("ETag", etag(made.version)))
            .json(made.view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
