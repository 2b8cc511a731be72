//! What the page of a service has besides its fields: its holds, and what staff do about them.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::policy::{HoldNetwork, HoldReason};
use model::{ServiceId, Ts};

use super::failure::Failure;
use super::failure::spare;
use super::guard::{Post, Signed};
use super::identities;
use super::page::{self, Notice, Viewer};
use super::plans::{self, Plans};
use super::sessions;
use super::show;
use super::words::{self, Words};
use crate::domain::session::Filter;
use crate::domain::{Actor, Fault, Office, PAGE_MAX, service, session};

/// Sessions on the page of a customer or a service.
const SESSIONS: usize = 10;
/// Services whose sessions are looked up; beyond that each service has its own page.
const SERVICES_WITH_SESSIONS: usize = 10;

/// What the viewer may see and do about services; the rest is not offered.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    view: bool,
    create: bool,
    edit: bool,
    suspend: bool,
    sessions: bool,
}

impl Allowed {
    fn of(actor: &Actor) -> Self {
        let has = |permission| actor.rights.has(permission);
        Self {
            view: has("services.view"),
            create: has("services.create"),
            edit: has("services.edit") && has("plans.view"),
            suspend: has("services.suspend"),
            sessions: has("network.sessions"),
        }
    }
}

/// What belongs on the page of a service.
pub(super) async fn of_service(
    request: &HttpRequest,
    office: &Office,
    signed: &Signed,
    id: &str,
) -> Result<Markup, Fault> {
    let service = service::find(office, &signed.actor, service_id(id)?).await?;
    let heading = signed.viewer.words.say(words::CUSTOMER_SERVICES);
    // Its own page has the buttons at its top.
    let allowed = Allowed { suspend: false, ..Allowed::of(&signed.actor) };
    let parts = parts(request, office, signed, allowed, vec![service.clone()]).await?;
    let ways = identities::section(office, signed, &service).await?;
    // The card's own heading stands below one, as it does on the page of a customer.
    Ok(html! { h2.unseen { (heading) } (parts) (ways) })
}

/// What belongs on the page of a customer: the services, and their sessions.
pub(super) async fn of_customer(
    request: &HttpRequest,
    office: &Office,
    signed: &Signed,
    id: &str,
) -> Result<Markup, Fault> {
    let allowed = Allowed::of(&signed.actor);
    if !allowed.view {
        return Ok(html! {});
    }
    let id = id.parse().map_err(|_| Fault::NotFound("customer"))?;
    let services = service::list(office, &signed.actor, None, Some(id), PAGE_MAX).await?.rows;
    let words = &signed.viewer.words;
    let parts = parts(request, office, signed, allowed, services).await?;
    Ok(html! {
        section {
            div.head {
                h2 { (words.say(words::CUSTOMER_SERVICES)) }
                @if allowed.create {
                    a.button.quiet href=(format!("/services/new?customer_id={id}")) {
                        (words.say(words::SERVICE_ADD))
                    }
                }
            }
        }
        (parts)
    })
}

async fn parts(
    request: &HttpRequest,
    office: &Office,
    signed: &Signed,
    allowed: Allowed,
    services: Vec<service::View>,
) -> Result<Markup, Fault> {
    let viewer = &signed.viewer;
    let used = services.iter().map(|service| service.plan_id);
    let plans = Plans::load(office, &signed.actor, used).await?;
    let latest = match allowed.sessions {
        true => spare(request, sessions_of(office, &signed.actor, &services).await),
        false => None,
    };
    Ok(render(viewer, allowed, office.now(), &services, &plans, latest.as_deref()))
}

/// The latest sessions of some services.
async fn sessions_of(
    office: &Office,
    actor: &Actor,
    services: &[service::View],
) -> Result<Vec<session::View>, Fault> {
    let mut sessions = Vec::new();
    for service in services.iter().take(SERVICES_WITH_SESSIONS) {
        let filter = Filter { service: Some(service.id), ..Filter::default() };
        let page = session::list(office, actor, &filter, None, SESSIONS as i64).await?;
        sessions.extend(page.rows);
    }
    sessions.sort_by_key(|session| std::cmp::Reverse((session.started_at, session.id)));
    sessions.truncate(SESSIONS);
    Ok(sessions)
}

/// The services as cards, and the sessions: nothing where the network's database is away.
fn render(
    viewer: &Viewer,
    allowed: Allowed,
    now: Ts,
    services: &[service::View],
    plans: &Plans,
    latest: Option<&[session::View]>,
) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::CUSTOMER_SESSIONS);
    html! {
        @if services.is_empty() {
            (page::empty(&words.say(words::CUSTOMER_NO_SERVICES), None))
        }
        div.cards {
            @for service in services { (card(viewer, allowed, now, service, plans)) }
        }
        @if allowed.sessions {
            section {
                h2 { (title) }
                div id="sessions" data-refresh {
                    @match latest {
                        None => (page::empty(&words.say(words::AWAY), None)),
                        Some([]) => (page::empty(&words.say(words::CUSTOMER_NO_SESSIONS), None)),
                        Some(latest) => (sessions::table(words, now, &title, latest)),
                    }
                }
            }
        }
    }
}

/// `POST /services/{id}/plan`
pub(super) async fn change_plan(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let id = service_id(&id)?;
        let missing = |_| Fault::field("/plan_id", "there is no such plan");
        let plan = post.fields.get("plan_id").parse().map_err(missing)?;
        // The version on the page: a change made meanwhile is not overwritten unseen.
        let version = post.fields.get("version").parse().map_err(|_| Fault::Stale)?;
        match service::change_plan(&office, &post.signed.actor, id, plan, Some(version)).await {
            Ok(view) => Ok(page::go(&place(&view, Notice::PlanChanged))),
            Err(Fault::Stale) => {
                let view = service::find(&office, &post.signed.actor, id).await?;
                Ok(page::go(&place(&view, Notice::Stale)))
            }
            Err(fault) => Err(fault),
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

pub(super) fn service_id(text: &str) -> Result<ServiceId, Fault> {
    text.parse().map_err(|_| Fault::NotFound("service"))
}

fn place(service: &service::View, notice: Notice) -> String {
    notice.after(&format!("/services/{}", service.id))
}

/// What a service is called: its login.
pub(super) fn login(words: &Words, service: &service::View) -> String {
    service.login.clone().unwrap_or_else(|| words.say(words::SERVICE_NO_LOGIN))
}

/// How a service is: active, or what holds it.
pub(super) fn status(words: &Words, now: Ts, service: &service::View) -> Markup {
    let expired = service.expires_at.is_some_and(|at| at <= now);
    html! {
        @if service.status == "active" && !expired {
            span.badge.good { (words.say(words::SERVICE_ACTIVE)) } " "
        }
        @if expired { span.badge.bad { (words.hold(HoldReason::Expired)) } " " }
        @for hold in service.holds.iter().filter(|h| !(expired && h.reason == HoldReason::Expired)) {
            span.badge .bad[hold.network == HoldNetwork::Reject]
                .warn[hold.network == HoldNetwork::Garden] { (words.hold(hold.reason)) } " "
        }
    }
}

/// The holds of a service, with what they do and since when.
fn holds(words: &Words, service: &service::View) -> Markup {
    html! {
        @for hold in &service.holds {
            p.hold {
                (words.hold(hold.reason)) ", "
                (words.say(match hold.network {
                    HoldNetwork::Reject => words::HOLD_REJECT,
                    HoldNetwork::Garden => words::HOLD_GARDEN,
                    HoldNetwork::None => words::HOLD_BILLING,
                }))
                ", "
                (words.say_with(words::HOLD_SINCE, &[("time", show::minute(words, hold.placed_at).into())]))
                @if let Some(note) = &hold.note { ": " (note) }
            }
        }
    }
}

/// A service as a card, with what can be done about it.
fn card(
    viewer: &Viewer,
    allowed: Allowed,
    now: Ts,
    service: &service::View,
    plans: &Plans,
) -> Markup {
    let words = &viewer.words;
    let login = login(words, service);
    let about = || [("login", login.clone().into())];
    let at = format!("/services/{}", service.id);
    let suspended = service.holds.iter().any(|hold| hold.reason == HoldReason::Admin);
    let choice_id = format!("plan-{}", service.id);
    html! {
        article.card.service id=(service.id) {
            div.head {
                h3 { a href=(at) { (login) } }
                div { (status(words, now, service)) }
            }
            (holds(words, service))
            dl {
                div { dt { (words.say(words::SERVICE_PLAN)) } dd { (plans.name(service.plan_id)) } }
                @if let Some(plan) = plans.find(service.plan_id) {
                    div { dt { (words.say(words::SERVICE_SPEED)) } dd { (plans::speed(words, plan)) } }
                }
                @if let Some(ip) = service.ipv4 {
                    div { dt { (words.say(words::SERVICE_ADDRESS)) } dd { code { (ip) } } }
                }
                @if let Some(at) = service.expires_at {
                    div { dt { (words.say(words::SERVICE_EXPIRES)) } dd { (show::time(words, at)) } }
                }
                div { dt { (words.say(words::SERVICE_SINCE)) } dd { (show::time(words, service.created_at)) } }
            }
            @if allowed.edit || allowed.suspend {
                div.actions {
                    @if allowed.edit {
                        form.inline method="post" action=(format!("{at}/plan")) {
                            (page::csrf(viewer))
                            input type="hidden" name="version" value=(service.version);
                            label.unseen for=(choice_id) {
                                (words.say_with(words::SERVICE_NEW_PLAN, &about()))
                            }
                            select id=(choice_id) name="plan_id" {
                                @let own = service.plan_id.to_string();
                                @for (id, name) in plans.choices(words) {
                                    option value=(id) selected[id == own] { (name) }
                                }
                            }
                            button.quiet type="submit" { (words.say(words::SERVICE_CHANGE_PLAN)) }
                        }
                    }
                    @if allowed.suspend { (hold(viewer, &at, &login, suspended)) }
                }
            }
            @if let Some(login) = service.login.as_ref().filter(|_| allowed.sessions) {
                p.more {
                    a href=(format!("/sessions?state=all&login={}", show::encode(login))) {
                        (words.say_with(words::SERVICE_ALL_SESSIONS, &about()))
                    }
                }
            }
        }
    }
}

/// The button that suspends a service, or lifts that.
fn hold(viewer: &Viewer, at: &str, login: &str, suspended: bool) -> Markup {
    let words = &viewer.words;
    let confirm =
        words.say_with(words::SERVICE_SUSPEND_CONFIRM, &[("login", login.to_owned().into())]);
    html! {
        @if suspended {
            form.inline method="post" action=(format!("{at}/activate")) {
                (page::csrf(viewer))
                button type="submit" { (words.say(words::SERVICE_ACTIVATE)) }
            }
        } @else {
            form.inline method="post" action=(format!("{at}/suspend")) {
                (page::csrf(viewer))
                button.danger type="submit" data-confirm=(confirm) {
                    (words.say(words::SERVICE_SUSPEND))
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use model::{CustomerId, OrganisationId, PlanId};

    use super::*;
    use crate::console::page::tests::viewer;
    use crate::console::plans::tests::{plan, plans};

    pub(in crate::console) fn service(
        login: &str,
        customer: CustomerId,
        plan: PlanId,
    ) -> service::View {
        let at = now();
        service::View {
            id: ServiceId::generate(),
            organisation_id: OrganisationId::generate(),
            customer_id: customer,
            plan_id: plan,
            pinned_version_id: None,
            login: Some(login.to_owned()),
            identities: Vec::new(),
            status: "active",
            holds: Vec::new(),
            ipv4: None,
            zone: "UTC".to_owned(),
            address: None,
            expires_at: None,
            version: 7,
            created_at: at,
            updated_at: at,
        }
    }

    pub(in crate::console) fn now() -> Ts {
        "2026-03-01T09:30:00Z".parse().unwrap()
    }

    fn all() -> Allowed {
        Allowed { view: true, create: true, edit: true, suspend: true, sessions: true }
    }

    fn held(reason: HoldReason) -> service::HoldView {
        service::HoldView {
            reason,
            network: HoldNetwork::Reject,
            billing: "on".to_owned(),
            owner: "staff".to_owned(),
            note: Some("call <first>".to_owned()),
            placed_at: now(),
        }
    }

    #[test]
    fn services_are_shown_without_the_networks_database() {
        let plan = plan("Home 50");
        let service = service("asha", CustomerId::generate(), plan.id);
        let plans = plans(vec![plan]);
        let text = render(&viewer(), all(), now(), &[service], &plans, None).into_string();
        assert!(text.contains("asha") && text.contains("does not answer"), "{text}");
        let none = render(&viewer(), all(), now(), &[], &plans, Some(&[])).into_string();
        assert!(!none.contains("article"), "{none}");
    }

    #[test]
    fn an_active_service_can_be_suspended_after_a_question() {
        let (customer, plan) = (CustomerId::generate(), plan("Home 50"));
        let service = service("asha", customer, plan.id);
        let text = card(&viewer(), all(), now(), &service, &plans(vec![plan])).into_string();
        assert!(text.contains("/suspend\"") && text.contains("data-confirm=\"Suspend asha?"));
        assert!(!text.contains("/activate\""));
        assert!(text.contains(r#"name="version" value="7""#));
        assert!(text.contains("50 / 20 Mbit/s") && text.contains("selected"));
    }

    #[test]
    fn a_held_service_says_by_what_and_only_staffs_hold_can_be_lifted() {
        let (customer, plan) = (CustomerId::generate(), plan("Home 50"));
        let mut held_service = service("asha", customer, plan.id);
        held_service.status = "held";
        held_service.holds = vec![held(HoldReason::Nonpayment)];
        let plans = plans(vec![plan]);
        let text = card(&viewer(), all(), now(), &held_service, &plans).into_string();
        assert!(
            text.contains(
                "Bills not paid, login refused, since 2026-03-01 09:30: call &lt;first&gt;"
            )
        );
        assert!(!text.contains(">Active<") && !text.contains("/activate\""));
        held_service.holds.push(held(HoldReason::Admin));
        let text = card(&viewer(), all(), now(), &held_service, &plans).into_string();
        assert!(text.contains("/activate\"") && !text.contains("/suspend\""));
    }

    #[test]
    fn what_one_may_not_do_about_a_service_is_not_offered() {
        let plan = plan("Home 50");
        let service = service("asha", CustomerId::generate(), plan.id);
        let plans = plans(vec![plan]);
        let nothing =
            Allowed { view: true, create: false, edit: false, suspend: false, sessions: false };
        let text = render(&viewer(), nothing, now(), &[service], &plans, None).into_string();
        assert!(text.contains("asha"), "{text}");
        for part in ["<form", "/suspend", "/sessions", "Sessions"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_service_past_its_time_is_not_called_active() {
        let mut expired = service("asha", CustomerId::generate(), plan("x").id);
        expired.expires_at = Some(now());
        let text = status(&Words::english(), now(), &expired).into_string();
        assert!(text.contains("Expired") && !text.contains("Active"), "{text}");
    }
}
