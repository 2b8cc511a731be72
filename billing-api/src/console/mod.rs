//! The console: the pages staff see, rendered here from the same rules as the API.
//!
//! In the order a request meets the modules: `guard` says who may look and who may send a
//! form; a page's own module reads, calls the domain and presents; `page`, `form`, `chart` and
//! `show` are what pages are made of; `words` is every text; `failure` is what is shown where
//! something was not done. A page renders from plain views, so that it is tested without a
//! database, and works without a script; `assets/console.js` only adds comfort.

mod guard;

mod customers;
mod login;
mod nas;
mod overview;
mod plans;
mod services;
mod sessions;

mod chart;
mod form;
mod page;
mod show;
mod words;

mod assets;
mod failure;

use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse};

use crate::domain::Fault;
use failure::Failure;
use guard::Signed;

/// Every page of the console. It takes all addresses that nobody took before it, so that a
/// mistyped one gets a page as well.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource("/assets/{name}").route(web::get().to(assets::serve)))
        .service(
            web::resource("/login")
                .route(web::get().to(login::form))
                .route(web::post().to(login::sign_in)),
        )
        .service(web::resource("/logout").route(web::post().to(login::sign_out)))
        .service(web::resource("/").route(web::get().to(overview::show)))
        .service(
            web::resource("/customers")
                .route(web::get().to(customers::list))
                .route(web::post().to(customers::create)),
        )
        .service(web::resource("/customers/new").route(web::get().to(customers::form)))
        .service(web::resource("/customers/{id}").route(web::get().to(customers::show)))
        .service(
            web::resource("/customers/{id}/services").route(web::post().to(customers::add_service)),
        )
        .service(web::resource("/services").route(web::get().to(services::list)))
        .service(web::resource("/services/{id}").route(web::get().to(services::show)))
        .service(web::resource("/services/{id}/suspend").route(web::post().to(services::suspend)))
        .service(web::resource("/services/{id}/activate").route(web::post().to(services::activate)))
        .service(web::resource("/services/{id}/plan").route(web::post().to(services::change_plan)))
        .service(
            web::resource("/plans")
                .route(web::get().to(plans::list))
                .route(web::post().to(plans::create)),
        )
        .service(web::resource("/plans/new").route(web::get().to(plans::form)))
        .service(
            web::resource("/nas")
                .route(web::get().to(nas::list))
                .route(web::post().to(nas::create)),
        )
        .service(web::resource("/nas/new").route(web::get().to(nas::form)))
        .service(web::resource("/sessions").route(web::get().to(sessions::list)))
        .service(web::resource("/{page:.*}").to(not_found));
}

/// No such page. The viewer is asked for only to show the way back in the usual frame.
async fn not_found(request: HttpRequest, _: Option<Signed>) -> Result<HttpResponse, Error> {
    if request.path().starts_with("/api/") {
        return Ok(crate::http::not_found(request).await?);
    }
    Err(Failure::new(&request, Fault::NotFound("page")).into())
}

#[cfg(test)]
mod tests;
