//! Answers that change seldom: with an entity tag, so that nobody fetches them twice.

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use daemon::secrets::sha256;
use serde_json::Value as Json;

/// A body of JSON and its entity tag.
pub(super) struct Tagged {
    body: String,
    etag: String,
}

impl Tagged {
    /// The tag is the beginning of the body's SHA-256; weak, because compression on the way
    /// changes the octets and not the meaning (RFC 9110 §8.8.1).
    pub(super) fn of(document: &Json) -> Self {
        let body = document.to_string();
        let hash = sha256(body.as_bytes());
        let digits: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { body, etag: format!("W/\"{digits}\"") }
    }
}

/// The answer: the body, or that it is what the caller has.
pub(super) fn tagged(request: &HttpRequest, tagged: &Tagged) -> HttpResponse {
    let known = request.headers().get_all(IF_NONE_MATCH).any(|value| {
        let tags = value.to_str().unwrap_or("");
        tags.split(',').map(str::trim).any(|tag| tag == tagged.etag || tag == "*")
    });
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, tagged.etag.as_str()));
    // It depends on who asks, and is asked for again each time.
    response.insert_header((CACHE_CONTROL, "private, no-cache"));
    if known {
        return response.finish();
    }
    response.content_type("application/json").body(tagged.body.clone())
}
