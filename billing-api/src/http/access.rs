//! What it takes to call a route.
//!
//! A route is registered from a [`Route`], which says what it needs; there is no other way in,
//! and the extractors that hand out an actor look the need up by the pattern that matched. So
//! a handler is reached with its permission proven, or not at all: a route without a need does
//! not exist for callers.

use std::collections::HashMap;

use actix_web::http::Method;
use actix_web::{HttpRequest, Resource, web};
use tracing::error;

use crate::domain::{Actor, Fault};

/// What it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: anybody may.
    Public,
    /// A proven caller, whatever they may do.
    SignedIn,
    /// A caller with this permission.
    Permission(&'static str),
}

impl Need {
    /// Whether this actor has what it takes.
    pub(crate) fn check(self, actor: &Actor) -> Result<(), Fault> {
        match self {
            Self::Public | Self::SignedIn => Ok(()),
            Self::Permission(permission) => actor.may(permission),
        }
    }
}

/// A route: which requests, what they need, who answers.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) pattern: &'static str,
    pub(crate) need: Need,
    to: fn() -> actix_web::Route,
}

/// Needs a permission.
pub(crate) const fn may(permission: &'static str) -> Need {
    Need::Permission(permission)
}

/// Answers GET.
pub(crate) const fn get(pattern: &'static str, need: Need, to: fn() -> actix_web::Route) -> Route {
    Route { method: Method::GET, pattern, need, to }
}

/// Answers POST.
pub(crate) const fn post(pattern: &'static str, need: Need, to: fn() -> actix_web::Route) -> Route {
    Route { method: Method::POST, pattern, need, to }
}

/// Answers PUT.
pub(crate) const fn put(pattern: &'static str, need: Need, to: fn() -> actix_web::Route) -> Route {
    Route { method: Method::PUT, pattern, need, to }
}

/// Answers DELETE.
pub(crate) const fn delete(
    pattern: &'static str,
    need: Need,
    to: fn() -> actix_web::Route,
) -> Route {
    Route { method: Method::DELETE, pattern, need, to }
}

/// Answers PATCH.
pub(crate) const fn patch(
    pattern: &'static str,
    need: Need,
    to: fn() -> actix_web::Route,
) -> Route {
    Route { method: Method::PATCH, pattern, need, to }
}

/// A route as actix takes it: its pattern, and who answers which method there.
pub(crate) type Registered = (String, actix_web::Route);

impl Route {
    /// As actix takes it; `within` is cut off the pattern, for a scope of that name.
    pub(crate) fn registered(&self, within: &str) -> Registered {
        let pattern = self.pattern.strip_prefix(within).unwrap_or(self.pattern);
        (pattern.to_owned(), (self.to)().method(self.method.clone()))
    }
}

/// The resources of some routes, in their order; routes of one pattern are one resource, and
/// the first for a method answers it.
pub(crate) fn resources(routes: impl Iterator<Item = Registered>) -> Vec<Resource> {
    let mut grouped: Vec<(String, Vec<actix_web::Route>)> = Vec::new();
    for (pattern, route) in routes {
        match grouped.iter_mut().find(|(own, _)| *own == pattern) {
            Some((_, group)) => group.push(route),
            None => grouped.push((pattern, vec![route])),
        }
    }
    let resource = |(pattern, routes): (String, Vec<actix_web::Route>)| {
        routes.into_iter().fold(web::resource(pattern), Resource::route)
    };
    grouped.into_iter().map(resource).collect()
}

/// Needs by pattern and method.
pub(crate) struct Needs(HashMap<String, Vec<(Method, Need)>>);

impl Needs {
    /// Collects them.
    pub(crate) fn of(needs: impl IntoIterator<Item = (Method, String, Need)>) -> Self {
        let mut all: HashMap<String, Vec<(Method, Need)>> = HashMap::new();
        for (method, pattern, need) in needs {
            all.entry(pattern).or_default().push((method, need));
        }
        Self(all)
    }

    /// What this request needs; one of a route that is not listed is refused as if the route
    /// did not exist.
    pub(crate) fn find(&self, request: &HttpRequest) -> Result<Need, Fault> {
        let pattern = request.match_pattern().unwrap_or_default();
        let listed = self.0.get(&pattern).and_then(|needs| {
            needs.iter().find(|(method, _)| method == request.method()).map(|(_, need)| *need)
        });
        listed.ok_or_else(|| {
            error!(%pattern, method = %request.method(), "a route without a need was refused");
            Fault::NotFound("resource")
        })
    }

    /// Whether there is such a route: what is not served is not offered.
    pub(crate) fn has(&self, pattern: &str) -> bool {
        self.0.contains_key(pattern)
    }

    /// Every route: for the description of the API, and the tests that walk them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Method, Need)> {
        self.0.iter().flat_map(|(pattern, needs)| {
            needs.iter().map(move |(method, need)| (pattern.as_str(), method, *need))
        })
    }
}
