//! The resources that come from a description: list, detail, create, update, delete, restore.

use std::collections::BTreeMap;

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::body::Body;
use super::caller::Caller;
use super::{Problem, created, if_match, replay, shown, wrong_method};
use crate::domain::{Fault, Office};
use crate::entity::query::ListQuery;
use crate::entity::registry::ENTITIES;
use crate::entity::{Entity, read, write};

/// The routes of every description.
pub(super) fn routes(config: &mut ServiceConfig) {
    for entity in ENTITIES.iter().copied() {
        let all = web::resource(format!("/{}", entity.path))
            .route(web::get().to(move |r, o, c| list(entity, r, o, c)))
            .route(web::post().to(move |r, o, c, b| create(entity, r, o, c, b)))
            .default_service(web::to(wrong_method));
        let one = web::resource(format!("/{}/{{id}}", entity.path))
            .route(web::get().to(move |r, o, c, i| find(entity, r, o, c, i)))
            .route(web::patch().to(move |r, o, c, i, b| update(entity, r, o, c, i, b)))
            .route(web::delete().to(move |r, o, c, i| delete(entity, r, o, c, i)))
            .default_service(web::to(wrong_method));
        let restored = web::resource(format!("/{}/{{id}}/restore", entity.path))
            .route(web::post().to(move |r, o, c, i| restore(entity, r, o, c, i)))
            .default_service(web::to(wrong_method));
        config.service(all).service(one).service(restored);
    }
}

async fn list(
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
        let query = ListQuery::parse(entity, parameters.into_inner())?;
        let listed = read::list(&office, &caller.0, entity, &query).await?;
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
        let draft = write::parse(entity, &body.0, true)?;
        let (view, version) = write::create(&office, &caller.0, entity, draft).await?;
        let id = view["id"].as_str().unwrap_or_default();
        Ok(created(format!("/api/v1/{}/{id}", entity.path), version, &view))
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
        let (view, version) = read::find(&office, &caller.0, entity, entity.id(&id)?).await?;
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
        let draft = write::parse(entity, &body.0, false)?;
        let expected = if_match(&request)?;
        let (view, version) =
            write::update(&office, &caller.0, entity, id, draft, expected).await?;
        Ok(shown(version, &view))
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
        let (view, version) = write::restore(&office, &caller.0, entity, entity.id(&id)?).await?;
        Ok(shown(version, &view))
    };
    result.await.map_err(|fault| Problem::new(&request, fault))
}
