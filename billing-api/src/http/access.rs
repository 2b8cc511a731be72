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

/// The resources of a list of routes, in its order; routes of one pattern are one resource.
/// `within` is cut off the patterns, for a scope of that name.
pub(crate) fn resources<'a>(
    routes: impl IntoIterator<Item = &'a Route>,
    within: &str,
) -> Vec<Resource> {
    let mut resources: Vec<(&str, Resource)> = Vec::new();
    for route in routes {
        let Some(pattern) = route.pattern.strip_prefix(within) else { continue };
        let handler = (route.to)().method(route.method.clone());
        match resources.iter().position(|(own, _)| *own == pattern) {
            Some(n) => {
                let (pattern, resource) = resources.remove(n);
                resources.insert(n, (pattern, resource.route(handler)));
            }
            None => resources.push((pattern, web::resource(pattern).route(handler))),
        }
    }
    resources.into_iter().map(|(_, resource)| resource).collect()
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

    /// Every route: for the description of the API, and the tests that walk them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Method, Need)> {
        self.0.iter().flat_map(|(pattern, needs)| {
            needs.iter().map(move |(method, need)| (pattern.as_str(), method, *need))
        })
    }
}
