//! Errors on the wire: RFC 9457 problem details, with field pointers and the request's id.
//!
//! The status is chosen here and nowhere else. A body holds the public sentence; the private
//! cause goes to the log with the same request id, once.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::{Value, json};
use tracing::{error, warn};

use super::id_of;
use crate::domain::{Fault, FieldFault};

/// A fault on its way out.
#[derive(Debug)]
pub(crate) struct Problem {
    fault: Fault,
    request_id: Option<String>,
    instance: String,
}

impl Problem {
    /// A fault of this request.
    pub(crate) fn new(request: &HttpRequest, fault: Fault) -> Self {
        let request_id = id_of(request);
        let id = request_id.as_deref().unwrap_or("");
        match &fault {
            Fault::Internal(_) => {
                error!(request_id = id, error = %daemon::exit::chain(&fault), "request failed");
            }
            Fault::Unavailable(_) => {
                warn!(request_id = id, error = %daemon::exit::chain(&fault), "request refused");
            }
            _ => {}
        }
        Self { fault, request_id, instance: request.path().to_owned() }
    }

    /// The status and the machine-readable word.
    pub(crate) fn status(fault: &Fault) -> (StatusCode, &'static str) {
        match fault {
            Fault::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Fault::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Fault::Conflict { .. } => (StatusCode::CONFLICT, "conflict"),
            Fault::Stale => (StatusCode::PRECONDITION_FAILED, "stale"),
            Fault::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "wrong_method"),
            Fault::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_long"),
            Fault::WrongMedia(..) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_media"),
            Fault::AddressTooLong(_) => (StatusCode::URI_TOO_LONG, "address_too_long"),
            Fault::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Fault::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Fault::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
            Fault::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Fault::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

/// A fault as RFC 9457 has it.
pub(super) fn body(fault: &Fault, instance: &str, request_id: Option<&str>) -> Value {
    let (status, code) = Problem::status(fault);
    let pointers: Vec<FieldFault> = match fault {
        Fault::Invalid(fields) => fields.clone(),
        Fault::Conflict { pointer, detail } => {
            vec![FieldFault { pointer: (*pointer).to_owned(), detail: detail.clone() }]
        }
        _ => Vec::new(),
    };
    let errors: Vec<_> =
        pointers.iter().map(|f| json!({"pointer": f.pointer, "detail": f.detail})).collect();
    json!({
        "type": format!("urn:lastmile:problem:{code}"),
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": code,
        "detail": fault.to_string(),
        "instance": instance,
        "errors": errors,
        "request_id": request_id,
    })
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.fault, f)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        Self::status(&self.fault).0
    }

    fn error_response(&self) -> HttpResponse {
        let status = Self::status(&self.fault).0;
        let body = body(&self.fault, &self.instance, self.request_id.as_deref());
        let mut response = HttpResponse::build(status);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        if let Fault::TooMany(seconds) = &self.fault {
            response.insert_header(("Retry-After", seconds.to_string()));
        }
        response.content_type("application/problem+json").body(body.to_string())
    }
}
