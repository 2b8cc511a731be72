//! How long an address may be: longer than any of ours, and far from what a request's head may
//! take as a whole.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use super::Problem;
use crate::domain::Fault;

/// Longest path with its query, octets. RFC 9110 §4.1 asks for 8000 at least.
pub(crate) const TARGET_OCTETS_MAX: usize = 16 * 1024;

/// Refuses what is longer (RFC 9110 §15.5.15), as a problem or as a page.
pub(crate) async fn target(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let octets = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if octets <= TARGET_OCTETS_MAX {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let fault = Fault::AddressTooLong(TARGET_OCTETS_MAX);
    Ok(if request.path().starts_with("/api/") {
        let problem = Problem::new(request.request(), fault);
        request.error_response(problem)
    } else {
        let failure = crate::console::failure(request.request(), fault);
        request.error_response(failure)
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::test::{self, TestRequest};
    use actix_web::{App, HttpResponse, middleware, web};

    use super::*;

    #[actix_web::test]
    async fn an_address_beyond_the_limit_is_refused_as_a_problem_or_a_page() {
        let app = App::new()
            .wrap(middleware::from_fn(target))
            .default_service(web::to(|| async { HttpResponse::Ok().finish() }));
        let app = test::init_service(app).await;
        for (path, kind) in
            [("/api/v1/labels", "application/problem+json"), ("/labels", "text/html")]
        {
            let of = |octets: usize| format!("{path}?q={}", "a".repeat(octets - path.len() - 3));
            let good = TestRequest::get().uri(&of(TARGET_OCTETS_MAX)).to_request();
            assert_eq!(test::call_service(&app, good).await.status(), StatusCode::OK);
            let long = TestRequest::get().uri(&of(TARGET_OCTETS_MAX + 1)).to_request();
            let answer = test::call_service(&app, long).await;
            assert_eq!(answer.status(), StatusCode::URI_TOO_LONG);
            let given = answer.headers().get("content-type").unwrap().to_str().unwrap();
            assert!(given.starts_with(kind), "{given}");
        }
    }
}
