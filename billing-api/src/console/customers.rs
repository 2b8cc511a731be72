//! Customers, each with services and sessions.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{CustomerId, Ts};

use super::failure::{Failure, spare};
use super::form::{Body, Filled, Input};
use super::guard::{Fields, Post, Signed};
use super::page::{self, Column, Notice, Place, Viewer};
use super::plans::Plans;
use super::words::{self, Words};
use super::{services, sessions, show as shown};
use crate::domain::session::Filter;
use crate::domain::{Fault, Office, PAGE_DEFAULT, PAGE_MAX, Page, customer, service, session};
use crate::http::Problem;

const NAME: Input = Input::new("name", words::CUSTOMER_NAME);
const EMAIL: Input = Input::new("email", words::CUSTOMER_EMAIL).kind("email").optional();
const PHONE: Input = Input::new("phone", words::CUSTOMER_PHONE).kind("tel").optional();
const INPUTS: [Input; 3] = [NAME, EMAIL, PHONE];

const PLAN: Input = Input::new("plan_id", words::SERVICE_PLAN);
const LOGIN: Input = Input::new("login", words::SERVICE_LOGIN).hint(words::SERVICE_LOGIN_HINT);
const PASSWORD: Input = Input::new("password", words::SERVICE_PASSWORD)
    .kind("password")
    .hint(words::SERVICE_PASSWORD_HINT)
    .autocomplete("new-password");
const SERVICE_INPUTS: [Input; 3] = [PLAN, LOGIN, PASSWORD];

/// Sessions on the page of a customer.
const SESSIONS: usize = 10;
/// Services whose sessions are looked up; beyond that each service has its own list.
const SERVICES_WITH_SESSIONS: usize = 10;

/// What the list shows.
struct List<'a> {
    now: Ts,
    query: &'a str,
    later: bool,
    page: Page<customer::View>,
}

/// What the page of a customer shows.
struct View {
    now: Ts,
    customer: customer::View,
    services: Vec<service::View>,
    plans: Plans,
    /// Nothing where the network's database is away.
    sessions: Option<Vec<session::View>>,
    /// The form for another service.
    add: Filled,
}

/// `GET /customers`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let fields = Fields::of_query(&request);
    let query = fields.get("q");
    let after = Some(fields.get("cursor")).filter(|cursor| !cursor.is_empty());
    let wanted = (!query.is_empty()).then_some(query);
    let listed = customer::list(&office, &signed.actor, after, wanted, PAGE_DEFAULT).await;
    let page = listed.map_err(|fault| Failure::new(&request, fault))?;
    let list = List { now: office.now(), query, later: after.is_some(), page };
    Ok(page::send(StatusCode::OK, render_list(&signed.viewer, &list)))
}

/// `GET /customers/new`
pub(super) async fn form(signed: Signed) -> HttpResponse {
    page::send(StatusCode::OK, render_form(&signed.viewer, &Filled::default()))
}

/// `POST /customers`
pub(super) async fn create(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let created = async {
        let body = Body::default().text(&fields, "name").text(&fields, "email");
        let new = customer::New::parse(&body.text(&fields, "phone").octets())?;
        customer::create(&office, &signed.actor, new).await
    };
    let fault = match created.await {
        Ok(view) => {
            let address = format!("/customers/{}", view.id);
            return Ok(page::go(&Notice::CustomerCreated.after(&address)));
        }
        Err(fault) => fault,
    };
    let status = Problem::status(&fault).0;
    let filled = Filled::sent(&INPUTS, &fields).refused(&signed.viewer.words, &INPUTS, fault);
    let filled = filled.map_err(|fault: Fault| Failure::new(&request, fault))?;
    Ok(page::send(status, render_form(&signed.viewer, &filled)))
}

/// `GET /customers/{id}`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let notice = Notice::from_word(Fields::of_query(&request).get("done"));
    let result = async {
        let view = load(&request, &office, &signed, customer_id(&id)?, Filled::default()).await?;
        Ok(page::send(StatusCode::OK, render(&signed.viewer, &view, notice)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /customers/{id}/services`
pub(super) async fn add_service(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let result = async {
        let id = customer_id(&id)?;
        let created = async {
            let body = Body::default().text(&fields, "plan_id").text(&fields, "login");
            let body = body.secret(&fields, "password").octets();
            let new = service::New::parse(id, &body)?;
            service::create(&office, &signed.actor, new).await
        };
        let fault = match created.await {
            Ok(_) => {
                return Ok(page::go(&Notice::ServiceCreated.after(&format!("/customers/{id}"))));
            }
            Err(fault) => fault,
        };
        let status = Problem::status(&fault).0;
        let add = Filled::sent(&SERVICE_INPUTS, &fields);
        let add = add.refused(&signed.viewer.words, &SERVICE_INPUTS, fault)?;
        let view = load(&request, &office, &signed, id, add).await?;
        Ok(page::send(status, render(&signed.viewer, &view, None)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn customer_id(text: &str) -> Result<CustomerId, Fault> {
    text.parse().map_err(|_| Fault::NotFound("customer"))
}

async fn load(
    request: &HttpRequest,
    office: &Office,
    signed: &Signed,
    id: CustomerId,
    add: Filled,
) -> Result<View, Fault> {
    let customer = customer::find(office, &signed.actor, id).await?;
    let may = |permission| signed.actor.rights.has(permission);
    let services = match may("services.view") {
        true => service::list(office, &signed.actor, None, Some(id), PAGE_MAX).await?.rows,
        false => Vec::new(),
    };
    let used = services.iter().map(|service| service.plan_id);
    let plans = Plans::load(office, &signed.actor, used).await?;
    let sessions = match may("network.sessions") {
        true => spare(request, sessions_of(office, signed, &services).await),
        false => None,
    };
    Ok(View { now: office.now(), customer, services, plans, sessions, add })
}

/// The latest sessions of some services.
async fn sessions_of(
    office: &Office,
    signed: &Signed,
    services: &[service::View],
) -> Result<Vec<session::View>, Fault> {
    let mut sessions = Vec::new();
    for service in services.iter().take(SERVICES_WITH_SESSIONS) {
        let filter = Filter { service: Some(service.id), ..Filter::default() };
        let page = session::list(office, &signed.actor, &filter, None, SESSIONS as i64).await?;
        sessions.extend(page.rows);
    }
    sessions.sort_by_key(|session| std::cmp::Reverse((session.started_at, session.id)));
    sessions.truncate(SESSIONS);
    Ok(sessions)
}

fn or_none(words: &Words, text: Option<&str>) -> Markup {
    match text {
        Some(text) => html! { (text) },
        None => html! { span.dim { (words.say(words::NONE)) } },
    }
}

fn render_list(viewer: &Viewer, list: &List<'_>) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::CUSTOMERS_TITLE);
    let new = words.say(words::CUSTOMERS_NEW);
    let columns = [
        Column::text(words, words::CUSTOMER_NAME),
        Column::number(words, words::CUSTOMER_NUMBER),
        Column::text(words, words::CUSTOMER_EMAIL),
        Column::text(words, words::CUSTOMER_PHONE),
        Column::text(words, words::CUSTOMER_SINCE),
    ];
    let row = |customer: &customer::View| {
        vec![
            html! { a href=(format!("/customers/{}", customer.id)) { (customer.name) } },
            html! { (customer.number) },
            or_none(words, customer.email.as_deref()),
            or_none(words, customer.phone.as_deref()),
            shown::ago(words, list.now, customer.created_at),
        ]
    };
    let rows: Vec<Vec<Markup>> = list.page.rows.iter().map(row).collect();
    let address = match list.query {
        "" => "/customers".to_owned(),
        query => format!("/customers?q={}", shown::encode(query)),
    };
    let body = html! {
        div.head {
            h1 { (title) }
            a.button href="/customers/new" { (new) }
        }
        form.filter method="get" action="/customers" role="search" {
            div.field {
                label for="f-q" { (words.say(words::CUSTOMERS_SEARCH)) }
                input id="f-q" name="q" type="search" value=(list.query) data-search
                    autocomplete="off" spellcheck="false";
            }
            button type="submit" { (words.say(words::SEARCH)) }
        }
        @if !rows.is_empty() {
            (page::table(&title, &columns, &rows))
            (page::pager(words, &address, list.later, list.page.next.as_deref()))
        } @else if list.query.is_empty() {
            (page::empty(&words.say(words::CUSTOMERS_EMPTY), Some(("/customers/new", &new))))
        } @else {
            (page::empty(
                &words.say_with(words::CUSTOMERS_NOT_FOUND, &[("query", list.query.to_owned().into())]),
                Some(("/customers", &words.say(words::CUSTOMERS_SHOW_ALL))),
            ))
        }
    };
    page::page(viewer, Some(Place::Customers), &title, None, &body)
}

fn render_form(viewer: &Viewer, filled: &Filled) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::CUSTOMERS_NEW);
    let body = html! {
        h1 { (title) }
        form.card method="post" action="/customers" {
            (page::csrf(viewer))
            (filled.problems(words, &INPUTS))
            (filled.input(words, &NAME))
            (filled.input(words, &EMAIL))
            (filled.input(words, &PHONE))
            div.actions {
                button type="submit" { (words.say(words::CUSTOMER_CREATE)) }
                a.button.quiet href="/customers" { (words.say(words::FORM_CANCEL)) }
            }
        }
    };
    page::page(viewer, Some(Place::Customers), &title, None, &body)
}

fn render(viewer: &Viewer, view: &View, notice: Option<Notice>) -> Markup {
    let words = &viewer.words;
    let customer = &view.customer;
    let number = [("number", customer.number.to_string().into())];
    let sessions_title = words.say(words::CUSTOMER_SESSIONS);
    let body = html! {
        // What went wrong below is told first, at the top.
        (view.add.problems(words, &SERVICE_INPUTS))
        div.head {
            h1 { (customer.name) }
            p.dim { (words.say_with(words::CUSTOMER_NUMBERED, &number)) }
        }
        dl.facts {
            div { dt { (words.say(words::CUSTOMER_STATUS)) } dd { (status(words, customer)) } }
            div {
                dt { (words.say(words::CUSTOMER_EMAIL)) }
                dd { (or_none(words, customer.email.as_deref())) }
            }
            div {
                dt { (words.say(words::CUSTOMER_PHONE)) }
                dd { (or_none(words, customer.phone.as_deref())) }
            }
            div { dt { (words.say(words::CUSTOMER_SINCE)) } dd { (shown::time(customer.created_at)) } }
        }
        section {
            h2 { (words.say(words::CUSTOMER_SERVICES)) }
            @if view.services.is_empty() {
                (page::empty(&words.say(words::CUSTOMER_NO_SERVICES), None))
            }
            div.cards {
                @for service in &view.services {
                    (services::card(viewer, view.now, service, &view.plans))
                }
            }
        }
        section { (add_form(viewer, view)) }
        section {
            h2 { (sessions_title) }
            div id="sessions" data-refresh {
                @match &view.sessions {
                    None => (page::empty(&words.say(words::AWAY), None)),
                    Some(sessions) if sessions.is_empty() => {
                        (page::empty(&words.say(words::CUSTOMER_NO_SESSIONS), None))
                    }
                    Some(sessions) => (sessions::table(words, view.now, &sessions_title, sessions)),
                }
            }
        }
    };
    page::page(viewer, Some(Place::Customers), &customer.name, notice, &body)
}

fn status(words: &Words, customer: &customer::View) -> Markup {
    html! {
        @if customer.status == "active" {
            span.badge.good { (words.say(words::CUSTOMER_ACTIVE)) }
        } @else {
            span.badge { (customer.status) }
        }
    }
}

fn add_form(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    let choices = view.plans.choices(words);
    let title = words.say(words::SERVICE_ADD);
    html! {
        h2 id="add-service" { (title) }
        @if choices.is_empty() {
            (page::empty(
                &words.say(words::SERVICE_ADD_NO_PLANS),
                Some(("/plans/new", &words.say(words::PLANS_NEW))),
            ))
        } @else {
            form.card method="post" action=(format!("/customers/{}/services", view.customer.id)) {
                (page::csrf(viewer))
                (view.add.select(words, &PLAN, &choices, true))
                div.pair {
                    (view.add.input(words, &LOGIN))
                    (view.add.input(words, &PASSWORD))
                }
                div.actions { button type="submit" { (title) } }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use model::OrganisationId;

    use super::*;
    use crate::console::page::tests::viewer;
    use crate::console::plans::tests::{plan, plans};
    use crate::console::services::tests::{now, service};
    use crate::console::sessions::tests::session;

    pub(in crate::console) fn customer(name: &str) -> customer::View {
        customer::View {
            id: CustomerId::generate(),
            number: 1001,
            organisation_id: OrganisationId::generate(),
            name: name.to_owned(),
            email: None,
            phone: Some("+91 80 1234".to_owned()),
            status: "active".to_owned(),
            locale: "en".to_owned(),
            external_source: None,
            external_id: None,
            version: 1,
            created_at: now(),
            updated_at: now(),
        }
    }

    fn list(query: &str, rows: Vec<customer::View>, next: Option<&str>) -> String {
        let page = Page { rows, next: next.map(str::to_owned) };
        let list = List { now: now(), query, later: false, page };
        render_list(&viewer(), &list).into_string()
    }

    #[test]
    fn the_list_is_searched_and_paged() {
        let text = list("a&\"b", vec![customer("Asha <x>")], Some("cus_1"));
        assert!(text.contains("Asha &lt;x&gt;") && text.contains("1001"));
        assert!(text.contains(r#"value="a&amp;&quot;b""#));
        assert!(text.contains("/customers?q=a%26%22b&amp;cursor=cus_1"), "{text}");
        assert!(list("", vec![], None).contains("There are no customers yet."));
        let nobody = list("<zz>", vec![], None);
        assert!(nobody.contains("No customer has “&lt;zz&gt;”"), "{nobody}");
    }

    #[test]
    fn a_customer_shows_services_sessions_and_the_next_step() {
        let (customer, plan) = (customer("Asha"), plan("Home 50"));
        let service = service("asha", customer.id, plan.id);
        let view = View {
            now: now(),
            services: vec![service],
            plans: plans(vec![plan]),
            sessions: Some(vec![session("asha")]),
            add: Filled::default(),
            customer,
        };
        let text = render(&viewer(), &view, Some(Notice::ServiceCreated)).into_string();
        for part in [
            "Customer 1001",
            "+91 80 1234",
            "Home 50 · 50 / 20 Mbit/s · 29.99 USD / month",
            "bng-north",
            "Add a service",
            "Choose …",
            "The service is created.",
        ] {
            assert!(text.contains(part), "{part}");
        }
        let bare = View { services: vec![], plans: Plans::default(), sessions: None, ..view };
        let text = render(&viewer(), &bare, None).into_string();
        for part in ["has no service yet", "there is none yet", "does not answer"] {
            assert!(text.contains(part), "{part}");
        }
    }

    #[test]
    fn a_refused_service_keeps_what_was_typed_except_the_password() {
        let (customer, plan) = (customer("Asha"), plan("Home 50"));
        let typed = [
            ("plan_id", plan.id.to_string()),
            ("login", "asha".to_owned()),
            ("password", "hunter2".to_owned()),
        ];
        let fields: BTreeMap<_, _> = typed.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let fault = Fault::Conflict { pointer: "/login", detail: "the login is taken".to_owned() };
        let add = Filled::sent(&SERVICE_INPUTS, &Fields(fields));
        let add = add.refused(&Words::english(), &SERVICE_INPUTS, fault).unwrap();
        let view = View {
            now: now(),
            services: vec![],
            plans: plans(vec![plan]),
            sessions: Some(vec![]),
            add,
            customer,
        };
        let text = render(&viewer(), &view, None).into_string();
        assert!(text.contains("Login: the login is taken.") && text.contains(r#"value="asha""#));
        assert!(text.contains("selected") && !text.contains("hunter2"));
    }

    #[test]
    fn the_form_for_a_customer_shows_each_problem_at_its_field() {
        let fields = Fields(BTreeMap::from([("email".to_owned(), "asha".to_owned())]));
        let body = Body::default().text(&fields, "email").octets();
        let fault = customer::New::parse(&body).unwrap_err();
        let filled = Filled::sent(&INPUTS, &fields).refused(&Words::english(), &INPUTS, fault);
        let text = render_form(&viewer(), &filled.unwrap()).into_string();
        assert!(text.contains("Name: is required."));
        assert!(
            text.contains("E-mail: is not an e-mail address.") && text.contains(r#"value="asha""#)
        );
    }
}
