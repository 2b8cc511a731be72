//! The console: the pages staff see, rendered here from the same rules as the API.
//!
//! In the order a request meets the modules: `guard` says who may look and who may send a
//! form; `records` has the pages of everything that is described, a page's own module those of
//! the rest; each reads, calls the domain and presents; `menu` and `viewer` say where one may go
//! and how one likes it; `page`, `form`, `chart` and
//! `show` are what pages are made of; `words` is every text; `failure` is what is shown where
//! something was not done. A page renders from plain views, so that it is tested without a
//! database, and works without a script; `assets/console.js` only adds comfort.

mod cookies;
mod guard;

mod account;
mod audit;
mod auth_log;
mod branding;
mod deliveries;
mod exports;
mod find;
mod fit;
mod identities;
mod imports;
mod jobs;
mod login;
mod modules;
mod nas;
mod network;
mod organisations;
mod overview;
mod plans;
mod pools;
mod prefer;
mod providers;
mod records;
mod roles;
mod schedule;
mod services;
mod sessions;
mod settings;
mod setup;
mod staff;
mod tokens;
mod webhooks;

mod chart;
mod facet;
// For pages whose forms no description makes.
#[allow(dead_code)]
mod form;
mod menu;
mod once;
mod page;
mod place;
mod qr;
mod rights;
mod setting_form;
mod show;
mod upload;
mod viewer;
mod words;

mod assets;
mod brand;
mod failure;

use std::sync::LazyLock;

use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse};

use maud::{Markup, html};

use crate::domain::{Actor, Fault, Office};
use crate::entity::Entity;
use crate::http::access::{self, Need, Needs, Route, get, may, post};
use failure::Failure;
use guard::{Seen, Signed};

/// Every page of the console that no description makes, and which permission it takes.
pub(crate) const PAGES: &[Route] = &[
    get("/assets/{name}", Need::Public, || web::to(assets::serve)),
    get("/login", Need::Public, || web::to(login::form)),
    post("/login", Need::Public, || web::to(login::sign_in)),
    get("/login/step", Need::Public, || web::to(login::step)),
    post("/login/code", Need::Public, || web::to(login::code)),
    post("/login/enrolment", Need::Public, || web::to(login::enrolment)),
    post("/login/password", Need::Public, || web::to(login::new_password)),
    // Through an identity provider: to it, back, and in.
    get("/login/with/{id}", Need::Public, || web::to(providers::begin)),
    get("/login/callback/{id}", Need::Public, || web::to(providers::back)),
    get("/login/callback/{id}/in", Need::Public, || web::to(providers::complete)),
    get("/set-password", Need::Public, || web::to(login::link)),
    post("/set-password", Need::Public, || web::to(login::use_link)),
    post("/logout", Need::SignedIn, || web::to(login::sign_out)),
    // One's own account, and acting as another.
    get("/account", Need::SignedIn, || web::to(account::show)),
    post("/account/password", Need::SignedIn, || web::to(account::change_password)),
    post("/account/second-factor", Need::SignedIn, || web::to(account::begin_second_factor)),
    post("/account/second-factor/confirm", Need::SignedIn, || {
        web::to(account::confirm_second_factor)
    }),
    post("/account/second-factor/disable", Need::SignedIn, || {
        web::to(account::disable_second_factor)
    }),
    post("/account/recovery-codes", Need::SignedIn, || web::to(account::renew_codes)),
    post("/account/sessions/end", Need::SignedIn, || web::to(account::end_sessions)),
    post("/account/sessions/{id}/end", Need::SignedIn, || web::to(account::end_session)),
    post("/staff/{id}/impersonate", may("staff.impersonate"), || web::to(account::impersonate)),
    post("/impersonation/stop", Need::SignedIn, || web::to(account::stop_impersonating)),
    get("/", Need::SignedIn, || web::to(overview::show)),
    // What is done about services.
    post("/services/{id}/plan", may("services.edit"), || web::to(services::change_plan)),
    post("/services/{id}/identities", may("services.edit"), || web::to(identities::add)),
    post("/services/{id}/identities/{identity}/remove", may("services.edit"), || {
        web::to(identities::remove)
    }),
    get("/sessions", may("network.sessions"), || web::to(sessions::list)),
    get("/auth-log", may("network.sessions"), || web::to(auth_log::list)),
    // Organisations.
    get("/organisations", may("partners.view"), || web::to(organisations::list)),
    post("/organisations", may("partners.create"), || web::to(organisations::create)),
    get("/organisations/new", may("partners.create"), || web::to(organisations::form)),
    get("/organisations/export", may("partners.export"), || web::to(organisations::export)),
    post("/organisations/{id}/move", may("partners.edit"), || web::to(organisations::relocate)),
    // Settings; what only some may change, the rules refuse.
    get("/settings", may("settings.view"), || web::to(settings::first)),
    get("/settings/modules", may("settings.view"), || web::to(modules::show)),
    post("/settings/modules", may("settings.edit"), || web::to(modules::change)),
    get("/settings/branding", may("settings.view"), || web::to(branding::show)),
    post("/settings/branding", may("settings.edit"), || web::to(branding::change)),
    post("/settings/branding/logo", may("settings.edit"), || web::to(branding::logo)),
    get("/settings/{group}", may("settings.view"), || web::to(settings::show)),
    post("/settings/{group}", may("settings.view"), || web::to(settings::change)),
    // The first setup.
    get("/setup", may("settings.edit"), || web::to(setup::resume)),
    post("/setup", may("settings.edit"), || web::to(setup::close)),
    get("/setup/{step}", may("settings.edit"), || web::to(setup::show)),
    post("/setup/{step}", may("settings.edit"), || web::to(setup::send)),
    // Whose console it is, for those too who are not signed in.
    get("/brand/theme.css", Need::Public, || web::to(brand::theme)),
    get("/brand/logo/{hash}", Need::Public, || web::to(brand::logo)),
    // Files that came. Besides this, each asks for the import permission of the file's records.
    get("/imports/new", may("imports.view"), || web::to(imports::choose)),
    get("/imports/{id}/result", may("imports.view"), || web::to(imports::show)),
    get("/imports/{id}/mapping", may("imports.view"), || web::to(imports::columns)),
    post("/imports/{id}/mapping", may("imports.view"), || web::to(imports::change)),
    post("/imports/{id}/dry-run", may("imports.view"), || web::to(imports::dry_run)),
    post("/imports/{id}/run", may("imports.view"), || web::to(imports::run)),
    post("/imports/{id}/undo", may("imports.undo"), || web::to(imports::undo)),
    get("/imports/{id}/error-file", may("imports.view"), || web::to(imports::error_file)),
    // Jobs.
    post("/jobs/{id}/run", may("jobs.run"), || web::to(jobs::run)),
    post("/job-runs/{id}/cancel", may("jobs.run"), || web::to(jobs::cancel)),
    post("/job-runs/{id}/retry", may("jobs.run"), || web::to(jobs::retry)),
    // Files made in the background; who may have one, the rules say.
    get("/exports/{id}/ready", Need::SignedIn, || web::to(exports::ready)),
    get("/exports/{id}/file", Need::SignedIn, || web::to(exports::file)),
    // Staff.
    post("/staff/{id}/link", may("staff.edit"), || web::to(staff::link)),
    post("/staff/{id}/end-session", may("staff.edit"), || web::to(staff::end_session)),
    post("/identity-providers/{id}/check", may("staff.edit"), || web::to(providers::check)),
    // Roles and tokens.
    post("/roles/{id}/clone", may("roles.create"), || web::to(roles::clone)),
    post("/roles/{id}/assign", may("roles.edit"), || web::to(roles::assign)),
    post("/tokens/{id}/rotate", may("tokens.edit"), || web::to(tokens::rotate)),
    // Webhooks.
    post("/webhooks/{id}/test", may("hooks.test"), || web::to(webhooks::test)),
    post("/webhooks/{id}/reveal", may("hooks.reveal"), || web::to(webhooks::reveal)),
    post("/webhooks/{id}/rotate", may("hooks.edit"), || web::to(webhooks::rotate)),
    post("/webhooks/{id}/duplicate", may("hooks.create"), || web::to(webhooks::duplicate)),
    post("/webhooks/{id}/replay-failed", may("hooks.replay"), || web::to(webhooks::replay_failed)),
    get("/webhook-deliveries", may("hooks.view"), || web::to(deliveries::list)),
    get("/webhook-deliveries/{id}", may("hooks.view"), || web::to(deliveries::show)),
    post("/webhook-deliveries/{id}/replay", may("hooks.replay"), || web::to(deliveries::replay)),
    // Everything.
    get("/search", Need::SignedIn, || web::to(find::show)),
    get("/search/suggest", Need::SignedIn, || web::to(find::suggest)),
    get("/audit", may("audit.view"), || web::to(audit::list)),
    get("/audit/export", may("audit.export"), || web::to(audit::export)),
    get("/audit/{id}", may("audit.view"), || web::to(audit::show)),
    get("/activity", may("audit.view"), || web::to(audit::activity)),
    // How one likes it.
    post("/size", Need::SignedIn, || web::to(prefer::size)),
    post("/theme", Need::SignedIn, || web::to(prefer::theme)),
    post("/organisation", Need::SignedIn, || web::to(prefer::organisation)),
];

/// All addresses that nobody took before, so that a mistyped one gets a page as well.
const REST: &[Route] = &[get("/{page:.*}", Need::Public, || web::to(not_found))];

/// What each page needs.
pub(crate) static NEEDS: LazyLock<Needs> = LazyLock::new(|| {
    let own = PAGES.iter().chain(REST);
    let own = own.map(|page| (page.method.clone(), page.pattern.to_owned(), page.need));
    Needs::of(own.chain(records::needs()))
});

/// Registers every page.
pub(crate) fn routes(config: &mut ServiceConfig) {
    for resource in access::resources(PAGES.iter().map(|page| page.registered(""))) {
        config.service(resource.default_service(web::to(not_found)));
    }
    config.configure(records::routes);
    for resource in access::resources(REST.iter().map(|page| page.registered(""))) {
        config.service(resource.default_service(web::to(not_found)));
    }
}

/// What the page of one kind of record has besides its fields.
async fn extra(
    request: &HttpRequest,
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    match entity.name {
        "customer" => services::of_customer(request, office, signed, id).await,
        "service" => {
            let warnings = fit::of_service(office, signed, entity, id).await?;
            let service = services::of_service(request, office, signed, id).await?;
            Ok(html! { (warnings) (service) })
        }
        "plan" => fit::of_plan(office, signed, entity, id).await,
        "pool" => pools::of_pool(office, signed, entity, id).await,
        "organisation" => organisations::of_organisation(office, signed, id).await,
        "job" => jobs::of_job(office, signed, entity, id).await,
        "scheduled_export" => jobs::of_schedule(office, signed, entity, id).await,
        "export" => exports::of_export(office, signed, id).await,
        "staff" => staff::of_staff(office, signed, entity, id).await,
        "export_template" => records::of_template(office, signed, id).await,
        "identity_provider" => providers::of_provider(request, office, signed, id).await,
        "role" => roles::of_role(office, signed, entity, id).await,
        "token" => tokens::of_token(office, signed, id).await,
        "webhook" => webhooks::of_webhook(office, signed, entity, id).await,
        "job_run" => jobs::of_run(office, signed, entity, id).await,
        _ => Ok(html! {}),
    }
}

/// Where a record of this kind has a page of its own, in place of its fields.
fn elsewhere(entity: &Entity, id: &str) -> Option<String> {
    (entity.name == "import").then(|| format!("/imports/{id}/result"))
}

/// What the list of one kind of record offers besides new ones.
fn offer(actor: &Actor, words: &words::Words, entity: &'static Entity) -> Markup {
    let imports = entity.name == "import" && viewer::holds(actor, "imports.view");
    html! {
        @if imports { a.button data-new href="/imports/new" { (words.say(words::IMPORT_NEW)) } }
    }
}

/// A fault of this request as a page, for what stands before the pages.
pub(crate) fn failure(request: &HttpRequest, fault: Fault) -> Failure {
    Failure::new(request, fault)
}

/// No such page. The viewer is asked for only to show the way back in the usual frame.
async fn not_found(request: HttpRequest, _: Seen) -> Result<HttpResponse, Error> {
    if request.path().starts_with("/api/") {
        return Ok(crate::http::not_found(request).await?);
    }
    Err(Failure::new(&request, Fault::NotFound("page")).into())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
