//! Services: one plan for one customer. Each is shown on the page of its customer.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::policy::{HoldNetwork, HoldReason};
use model::{CustomerId, ServiceId, Ts};

use super::failure::Failure;
use super::guard::{Fields, Post, Signed};
use super::page::{self, Column, Notice, Place, Viewer};
use super::plans::{self, Plans};
use super::show;
use super::words::{self, Words};
use crate::domain::{Fault, Office, PAGE_DEFAULT, customer, service};

/// What the list shows.
struct View {
    now: Ts,
    services: Vec<service::View>,
    customers: Vec<customer::View>,
    plans: Plans,
    later: bool,
    next: Option<String>,
}

/// `GET /services`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let after: Option<ServiceId> = Fields::of_query(&request).get("cursor").parse().ok();
        let page = service::list(&office, &signed.actor, after, None, PAGE_DEFAULT).await?;
        let used = page.rows.iter().map(|service| service.plan_id);
        let plans = Plans::load(&office, &signed.actor, used).await?;
        let mut customers: Vec<customer::View> = Vec::new();
        for service in &page.rows {
            if !customers.iter().any(|customer| customer.id == service.customer_id) {
                customers.push(customer::find(&office, &signed.actor, service.customer_id).await?);
            }
        }
        let (now, later) = (office.now(), after.is_some());
        let view = View { now, services: page.rows, customers, plans, later, next: page.next };
        Ok(page::send(StatusCode::OK, render(&signed.viewer, &view)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `GET /services/{id}`: to its place on the page of its customer.
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let view = service::find(&office, &signed.actor, service_id(&id)?).await?;
        Ok(page::go(&place(&view, None)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /services/{id}/suspend`
pub(super) async fn suspend(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let view =
            service::act(&office, &post.signed.actor, service_id(&id)?, &service::SUSPEND).await?;
        Ok(page::go(&place(&view, Some(Notice::Suspended))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /services/{id}/activate`
pub(super) async fn activate(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let view =
            service::act(&office, &post.signed.actor, service_id(&id)?, &service::ACTIVATE).await?;
        Ok(page::go(&place(&view, Some(Notice::Activated))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
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
            Ok(view) => Ok(page::go(&place(&view, Some(Notice::PlanChanged)))),
            Err(Fault::Stale) => {
                let view = service::find(&office, &post.signed.actor, id).await?;
                Ok(page::go(&place(&view, Some(Notice::Stale))))
            }
            Err(fault) => Err(fault),
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn service_id(text: &str) -> Result<ServiceId, Fault> {
    text.parse().map_err(|_| Fault::NotFound("service"))
}

fn place(service: &service::View, notice: Option<Notice>) -> String {
    let customer = format!("/customers/{}", service.customer_id);
    match notice {
        // The notice stands on top, so the page is not scrolled down to the service.
        Some(notice) => notice.after(&customer),
        None => format!("{customer}#{}", service.id),
    }
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
                (words.say_with(words::HOLD_SINCE, &[("time", show::minute(hold.placed_at).into())]))
                @if let Some(note) = &hold.note { ": " (note) }
            }
        }
    }
}

/// A service as a card, with what can be done about it.
pub(super) fn card(viewer: &Viewer, now: Ts, service: &service::View, plans: &Plans) -> Markup {
    let words = &viewer.words;
    let login = login(words, service);
    let about = || [("login", login.clone().into())];
    let at = format!("/services/{}", service.id);
    let suspended = service.holds.iter().any(|hold| hold.reason == HoldReason::Admin);
    let choice_id = format!("plan-{}", service.id);
    html! {
        article.card.service id=(service.id) {
            div.head {
                h3 { (login) }
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
                    div { dt { (words.say(words::SERVICE_EXPIRES)) } dd { (show::time(at)) } }
                }
                div { dt { (words.say(words::SERVICE_SINCE)) } dd { (show::time(service.created_at)) } }
            }
            div.actions {
                form.inline method="post" action=(format!("{at}/plan")) {
                    (page::csrf(viewer))
                    input type="hidden" name="version" value=(service.version);
                    label.unseen for=(choice_id) { (words.say_with(words::SERVICE_NEW_PLAN, &about())) }
                    select id=(choice_id) name="plan_id" {
                        @let own = service.plan_id.to_string();
                        @for (id, name) in plans.choices(words) {
                            option value=(id) selected[id == own] { (name) }
                        }
                    }
                    button.quiet type="submit" { (words.say(words::SERVICE_CHANGE_PLAN)) }
                }
                @if suspended {
                    form.inline method="post" action=(format!("{at}/activate")) {
                        (page::csrf(viewer))
                        button type="submit" { (words.say(words::SERVICE_ACTIVATE)) }
                    }
                } @else {
                    form.inline method="post" action=(format!("{at}/suspend")) {
                        (page::csrf(viewer))
                        button.danger type="submit"
                            data-confirm=(words.say_with(words::SERVICE_SUSPEND_CONFIRM, &about())) {
                            (words.say(words::SERVICE_SUSPEND))
                        }
                    }
                }
            }
            @if let Some(login) = &service.login {
                p.more {
                    a href=(format!("/sessions?state=all&login={}", show::encode(login))) {
                        (words.say_with(words::SERVICE_ALL_SESSIONS, &about()))
                    }
                }
            }
        }
    }
}

fn customer_name(view: &View, id: CustomerId) -> String {
    let found = view.customers.iter().find(|customer| customer.id == id);
    found.map_or_else(|| id.to_string(), |customer| customer.name.clone())
}

fn render(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::SERVICES_TITLE);
    let columns = [
        Column::text(words, words::SERVICE_LOGIN),
        Column::text(words, words::SERVICE_STATUS),
        Column::text(words, words::SERVICE_CUSTOMER),
        Column::text(words, words::SERVICE_PLAN),
        Column::text(words, words::SERVICE_SINCE),
    ];
    let row = |service: &service::View| {
        let customer = customer_name(view, service.customer_id);
        vec![
            html! { a href=(place(service, None)) { (login(words, service)) } },
            status(words, view.now, service),
            html! { a href=(format!("/customers/{}", service.customer_id)) { (customer) } },
            html! { (view.plans.name(service.plan_id)) },
            show::ago(words, view.now, service.created_at),
        ]
    };
    let rows: Vec<Vec<Markup>> = view.services.iter().map(row).collect();
    let go = words.say(words::SERVICES_GO);
    let body = html! {
        div.head { h1 { (title) } }
        @if rows.is_empty() {
            (page::empty(&words.say(words::SERVICES_EMPTY), Some(("/customers", &go))))
        } @else {
            (page::table(&title, &columns, &rows))
            (page::pager(words, "/services", view.later, view.next.as_deref()))
        }
    };
    page::page(viewer, Some(Place::Services), &title, None, &body)
}

#[cfg(test)]
pub(super) mod tests {
    use model::{OrganisationId, PlanId};

    use super::*;
    use crate::console::customers::tests::customer;
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
    fn the_list_links_to_the_customer_and_names_the_plan() {
        let (customer, plan) = (customer("Asha & Sons"), plan("Home 50"));
        let service = service("asha", customer.id, plan.id);
        let view = View {
            now: now(),
            services: vec![service],
            customers: vec![customer],
            plans: plans(vec![plan]),
            later: false,
            next: None,
        };
        let text = render(&viewer(), &view).into_string();
        for part in ["Asha &amp; Sons", "Home 50", "asha", "Active", "#svc_"] {
            assert!(text.contains(part), "{part}");
        }
        let none = View { services: vec![], customers: vec![], plans: Plans::default(), ..view };
        assert!(render(&viewer(), &none).into_string().contains("There are no services yet."));
    }

    #[test]
    fn an_active_service_can_be_suspended_after_a_question() {
        let (customer, plan) = (customer("Asha"), plan("Home 50"));
        let service = service("asha", customer.id, plan.id);
        let text = card(&viewer(), now(), &service, &plans(vec![plan])).into_string();
        assert!(text.contains("/suspend\"") && text.contains("data-confirm=\"Suspend asha?"));
        assert!(!text.contains("/activate\""));
        assert!(text.contains(r#"name="version" value="7""#));
        assert!(text.contains("50 / 20 Mbit/s") && text.contains("selected"));
    }

    #[test]
    fn a_held_service_says_by_what_and_only_staffs_hold_can_be_lifted() {
        let (customer, plan) = (customer("Asha"), plan("Home 50"));
        let mut held_service = service("asha", customer.id, plan.id);
        held_service.status = "held";
        held_service.holds = vec![held(HoldReason::Nonpayment)];
        let plans = plans(vec![plan]);
        let text = card(&viewer(), now(), &held_service, &plans).into_string();
        assert!(
            text.contains(
                "Bills not paid, login refused, since 2026-03-01 09:30: call &lt;first&gt;"
            )
        );
        assert!(!text.contains(">Active<") && !text.contains("/activate\""));
        held_service.holds.push(held(HoldReason::Admin));
        let text = card(&viewer(), now(), &held_service, &plans).into_string();
        assert!(text.contains("/activate\"") && !text.contains("/suspend\""));
    }

    #[test]
    fn a_service_past_its_time_is_not_called_active() {
        let mut expired = service("asha", customer("Asha").id, plan("x").id);
        expired.expires_at = Some(now());
        let text = status(&Words::english(), now(), &expired).into_string();
        assert!(text.contains("Expired") && !text.contains("Active"), "{text}");
    }
}
