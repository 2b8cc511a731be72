//! Who calls: a bearer token (RFC 6750) that may call this route.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use super::limit::is_exempt;
use super::{Problem, Web, id_of};
use crate::domain::access::token;
use crate::domain::actor::Who;
use crate::domain::{Actor, Fault, Office, module};

/// The caller, proven, with what the route needs.
pub(super) struct Caller(pub(super) Actor);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let result = prove(&request).await;
            result.map(Self).map_err(|fault| Problem::new(&request, fault))
        })
    }
}

async fn prove(request: &HttpRequest) -> Result<Actor, Fault> {
    let need = super::NEEDS.find(request)?;
    let office = request.app_data::<Data<Office>>().ok_or(Fault::Unauthenticated)?;
    let header = request.headers().get(AUTHORIZATION).ok_or(Fault::Unauthenticated)?;
    let text = header.to_str().map_err(|_| Fault::Unauthenticated)?;
    let (scheme, token) = text.split_once(' ').ok_or(Fault::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Fault::Unauthenticated);
    }
    let web = request.app_data::<Data<Web>>().ok_or(Fault::Unauthenticated)?;
    let address = super::address(request, web);
    let (mut actor, own) = token::prove(office, token.trim(), address).await?;
    if let Who::Token(id) = actor.who
        && !is_exempt(request, web)
    {
        let taken = web.limits.take_token(id, own, office.now());
        let refused = taken.as_ref().err().map(|refused| (refused.left, refused.retry_s));
        let left = taken.ok().flatten().or(refused.map(|(left, _)| left));
        if let Some(left) = left {
            left.note(request);
        }
        if let Some((_, retry_s)) = refused {
            return Err(Fault::TooMany(retry_s));
        }
    }
    need.check(&actor)?;
    actor.request_id = id_of(request);
    let address = request.match_pattern().unwrap_or_default();
    module::guard(office, actor.organisation, &address).await?;
    Ok(actor)
}
