//! The log of deliveries: what was sent to webhooks and programs, what came back, and sending
//! it again.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{DeliveryId, Ts};

use super::failure::Failure;
use super::guard::{Fields, Post, Signed};
use super::page::{self, Column, Notice, Place, Viewer};
use super::records::{Address, tone};
use super::words::{self, Key, Words};
use super::{show, viewer};
use crate::domain::{Fault, Office};
use crate::entity::registry;
use crate::hook::log::{self, Detail, ProgramView, View};

/// Deliveries of a page.
const PAGE: i64 = 50;
/// The word of this place.
const PLACE: &str = "webhook-deliveries";

/// How deliveries stand, by the words of the log.
const STATES: [(&str, Key); 4] = [
    ("waiting", words::DELIVERY_WAITING),
    ("delivered", words::DELIVERY_DELIVERED),
    ("failed", words::DELIVERY_FAILED),
    ("dropped", words::DELIVERY_DROPPED),
];
/// Who hears of events.
const KINDS: [(&str, Key); 2] = [("web", words::DELIVERY_WEB), ("cli", words::DELIVERY_CLI)];

fn named(words: &Words, known: &[(&str, Key)], word: &str) -> String {
    let found = known.iter().find(|(own, _)| *own == word);
    found.map_or_else(|| word.to_owned(), |(_, key)| words.say(*key))
}

/// What the form narrows the log to; what does not read narrows nothing.
fn filter(words: &Words, fields: &Fields) -> log::Filter {
    let word = |name: &str, known: &[(&'static str, Key)]| {
        known.iter().map(|(own, _)| *own).find(|own| *own == fields.get(name))
    };
    let text = |name: &str| Some(fields.get(name).to_owned()).filter(|text| !text.is_empty());
    let day = |name: &str| show::instant(words, fields.get(name));
    log::Filter {
        webhook: fields.get("webhook").parse().ok(),
        kind: word("kind", &KINDS),
        state: word("state", &STATES),
        event_type: text("event_type"),
        entity_id: text("record"),
        from: day("from"),
        // "To the 3rd" means to its end.
        until: day("to").map(|at| at.plus_seconds(86_400)),
    }
}

/// A program with what came of its last run.
struct Program {
    view: ProgramView,
    last: Option<View>,
}

/// `GET /webhook-deliveries`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        let fields = Fields::of_query(&request);
        let filter = filter(&viewer.words, &fields);
        let after = fields.get("cursor").parse().ok();
        let found = log::list(&office, actor, &filter, after, PAGE).await?;
        let mut programs = Vec::new();
        if after.is_none() {
            let cli = log::Filter { kind: Some("cli"), ..log::Filter::default() };
            let known = log::programs(&office, actor);
            let ran = match known.is_empty() {
                true => Vec::new(),
                false => log::list(&office, actor, &cli, None, PAGE).await?.rows,
            };
            for view in known {
                let last = ran.iter().find(|ran| ran.hook == view.name).cloned();
                programs.push(Program { view, last });
            }
        }
        let next = found.next.as_deref();
        let page = render_list(viewer, office.now(), &fields, &found.rows, next, &programs);
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render_list(
    viewer: &Viewer,
    now: Ts,
    fields: &Fields,
    rows: &[View],
    next: Option<&str>,
    programs: &[Program],
) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::NAV_DELIVERIES);
    let mut address = Address::of(format!("/{PLACE}"));
    for (name, value) in fields
        .0
        .iter()
        .filter(|(name, value)| !["cursor", "done"].contains(&name.as_str()) && !value.is_empty())
    {
        address = address.with(name, value);
    }
    let later = !fields.get("cursor").is_empty();
    let body = html! {
        h1 { (title) }
        (form(words, fields, rows))
        @if rows.is_empty() {
            (page::empty(
                &words.say(words::DELIVERIES_NONE),
                Some((&format!("/{PLACE}"), &words.say(words::LIST_CLEAR))),
            ))
        } @else {
            (table(words, now, &title, rows, true))
            (page::pager(words, &address.to_string(), later, next))
        }
        @if !programs.is_empty() { (programs_of(words, now, programs)) }
    };
    page::page(viewer, Some(Place::At(PLACE)), &title, None, &body)
}

/// The filters.
fn form(words: &Words, fields: &Fields, rows: &[View]) -> Markup {
    let select = |name: &str, label: Key, known: &[(&str, Key)]| {
        html! {
            div.field {
                label for=(format!("f-{name}")) { (words.say(label)) }
                select id=(format!("f-{name}")) name=(name) {
                    option value="" { (words.say(words::LIST_ANY)) }
                    @for (word, text) in known {
                        option value=(word) selected[fields.get(name) == *word] { (words.say(*text)) }
                    }
                }
            }
        }
    };
    let input = |name: &str, label: Key, kind: &str| {
        html! {
            div.field {
                label for=(format!("f-{name}")) { (words.say(label)) }
                input id=(format!("f-{name}")) name=(name) type=(kind) value=(fields.get(name))
                    autocomplete="off";
            }
        }
    };
    let webhook = fields.get("webhook");
    let hook = rows.iter().find(|row| row.webhook_id.is_some_and(|id| id.to_string() == webhook));
    html! {
        @if !webhook.is_empty() {
            p { span.badge {
                (hook.map_or(webhook, |row| row.hook.as_str())) " "
                a href=(format!("/{PLACE}")) aria-label=(words.say(words::LIST_CLEAR)) { "×" }
            } }
        }
        form.filter.audit method="get" action=(format!("/{PLACE}")) {
            @if !webhook.is_empty() { input type="hidden" name="webhook" value=(webhook); }
            (select("state", words::DELIVERY_STATE, &STATES))
            (select("kind", words::DELIVERY_KIND, &KINDS))
            (input("event_type", words::HOOK_EVENT, "text"))
            (input("from", words::AUDIT_FROM, "date"))
            (input("to", words::AUDIT_TO, "date"))
            button.quiet type="submit" { (words.say(words::LIST_FILTER_APPLY)) }
        }
    }
}

/// How a delivery stands, and what its last attempt said.
fn state(words: &Words, view: &View) -> Markup {
    html! {
        span class=(tone(match view.state.as_str() {
            "waiting" => "pending",
            "dropped" => "cancelled",
            state => state,
        })) { (named(words, &STATES, &view.state)) }
    }
}

/// Deliveries as a table. `hooks`: with a column of who heard.
pub(super) fn table(words: &Words, now: Ts, caption: &str, rows: &[View], hooks: bool) -> Markup {
    let mut columns = vec![Column::text(words, words::HOOK_EVENT)];
    if hooks {
        columns.push(Column::text(words, words::DELIVERY_HOOK));
    }
    columns.extend([
        Column::text(words, words::DELIVERY_AT),
        Column::text(words, words::DELIVERY_STATE),
        Column::number(words, words::DELIVERY_STATUS),
        Column::number(words, words::DELIVERY_LATENCY),
        Column::number(words, words::DELIVERY_ATTEMPTS),
    ]);
    let dim = || html! { span.dim { (words.say(words::NONE)) } };
    let number = |value: Option<i64>, unit: &str| match value {
        Some(value) => html! { (value) (unit) },
        None => dim(),
    };
    let row = |view: &View| {
        let mut cells = vec![html! {
            a href=(format!("/{PLACE}/{}", view.id)) { (view.event_type) }
        }];
        if hooks {
            cells.push(match view.webhook_id {
                Some(id) => html! { a href=(format!("/webhooks/{id}")) { (view.hook) } },
                None => html! { (view.hook) " " span.badge { (words.say(words::DELIVERY_CLI)) } },
            });
        }
        cells.extend([
            show::ago(words, now, view.created_at),
            state(words, view),
            number(view.status, ""),
            number(view.latency_ms, " ms"),
            html! { (view.attempts) },
        ]);
        cells
    };
    let rows: Vec<Vec<Markup>> = rows.iter().map(row).collect();
    page::table(caption, &columns, &rows)
}

/// The programs of the configuration, and what came of them last.
fn programs_of(words: &Words, now: Ts, programs: &[Program]) -> Markup {
    let columns = [
        Column::text(words, words::PROGRAM),
        Column::text(words, words::PROGRAM_RUNS),
        Column::text(words, words::HOOK_EVENT),
        Column::text(words, words::PROGRAM_LAST),
    ];
    let row = |program: &Program| {
        vec![
            html! { (program.view.name) },
            html! { code { (program.view.program) } },
            html! { (program.view.events.join(", ")) },
            match &program.last {
                Some(last) => html! {
                    (state(words, last)) " "
                    a href=(format!("/{PLACE}/{}", last.id)) { (show::ago(words, now, last.created_at)) }
                },
                None => html! { span.dim { (words.say(words::NONE)) } },
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = programs.iter().map(row).collect();
    html! {
        section {
            h2 { (words.say(words::PROGRAMS)) }
            p.dim { (words.say(words::PROGRAMS_TEXT)) }
            (page::table(&words.say(words::PROGRAMS), &columns, &rows))
        }
    }
}

fn delivery_id(text: &str) -> Result<DeliveryId, Fault> {
    text.parse().map_err(|_| Fault::NotFound("delivery"))
}

/// `GET /webhook-deliveries/{id}`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let detail = log::find(&office, &signed.actor, delivery_id(&id)?).await?;
        let replays = viewer::holds(&signed.actor, "hooks.replay");
        let notice = Notice::from_word(Fields::of_query(&request).get("done"));
        let page = render(&signed.viewer, office.now(), &detail, replays, notice);
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render(
    viewer: &Viewer,
    now: Ts,
    detail: &Detail,
    replays: bool,
    notice: Option<Notice>,
) -> Markup {
    let words = &viewer.words;
    let view = &detail.view;
    let fact = |label: Key, value: Markup| {
        html! { div { dt { (words.say(label)) } dd { (value) } } }
    };
    let waits = view.state == "waiting";
    let body = html! {
        p.crumb { a href=(format!("/{PLACE}")) { (words.say(words::NAV_DELIVERIES)) } }
        div.head {
            h1 { (view.event_type) }
            @if replays && !waits {
                form method="post" action=(format!("/{PLACE}/{}/replay", view.id)) {
                    (page::csrf(viewer))
                    button type="submit" { (words.say(words::REPLAY)) }
                }
            }
        }
        div id="delivery" data-refresh[waits] {
            div.card {
                dl.record {
                    (fact(words::DELIVERY_STATE, state(words, view)))
                    (fact(words::DELIVERY_HOOK, match view.webhook_id {
                        Some(id) => html! { a href=(format!("/webhooks/{id}")) { (view.hook) } },
                        None => html! { (view.hook) },
                    }))
                    (fact(words::DELIVERY_RECORD, record(&view.entity_id)))
                    (fact(words::DELIVERY_AT, show::time(words, view.created_at)))
                    @if let Some(at) = view.next_at {
                        (fact(words::DELIVERY_NEXT, show::time(words, at)))
                    }
                    (fact(words::DELIVERY_ATTEMPTS, html! { (view.attempts) }))
                }
            }
            section {
                h2 { (words.say(words::DELIVERY_ATTEMPTS)) }
                @if detail.log.is_empty() {
                    (page::empty(&words.say(words::DELIVERY_NO_ATTEMPT), None))
                } @else {
                    (attempts(words, now, detail))
                }
            }
        }
        section {
            h2 { (words.say(words::DELIVERY_REQUEST)) }
            pre.log { (format!("{:#}", detail.request)) }
        }
    };
    page::page(viewer, Some(Place::At(PLACE)), &view.event_type, notice, &body)
}

/// The record an event is about, with the way to it.
fn record(id: &str) -> Markup {
    let entity = id.split_once('_').and_then(|(prefix, _)| registry::by_prefix(prefix));
    html! {
        @match entity {
            Some(entity) => a href=(format!("/{}/{id}", entity.path)) { code { (id) } },
            None => code { (id) },
        }
    }
}

fn attempts(words: &Words, now: Ts, detail: &Detail) -> Markup {
    html! {
        ol.attempts {
            @for attempt in detail.log.iter().rev() {
                li.card {
                    div.head {
                        span {
                            b { (words.say_with(
                                words::DELIVERY_ATTEMPT, &[("n", attempt.number.into())]
                            )) }
                            " " @if let Some(status) = attempt.status { span.badge { (status) } }
                            " " span.dim { (attempt.latency_ms) " ms" }
                        }
                        (show::ago(words, now, attempt.at))
                    }
                    @if let Some(error) = &attempt.error { p.hold { (error) } }
                    @if let Some(answer) = attempt.answer.as_ref().filter(|text| !text.is_empty()) {
                        pre.log { (answer) @if attempt.truncated { "…" } }
                    }
                }
            }
        }
    }
}

/// `POST /webhook-deliveries/{id}/replay`
pub(super) async fn replay(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        log::replay(&office, &post.signed.actor, delivery_id(&id)?).await?;
        Ok(page::go(&Notice::Replayed.after(&format!("/{PLACE}/{}", *id))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

#[cfg(test)]
mod tests {
    use model::{AttemptId, EventId, OrganisationId, WebhookId};
    use serde_json::json;

    use super::*;
    use crate::console::page::tests::viewer;
    use crate::hook::log::AttemptView;

    fn now() -> Ts {
        Ts::from_seconds(1_772_357_400)
    }

    fn view(state: &str, webhook: Option<WebhookId>) -> View {
        View {
            id: DeliveryId::generate(),
            organisation_id: OrganisationId::generate(),
            kind: if webhook.is_some() { "web" } else { "cli" }.to_owned(),
            webhook_id: webhook,
            hook: "CRM <b>".to_owned(),
            event_id: EventId::generate(),
            event_type: "customer.created".to_owned(),
            event_at: now(),
            entity_id: "cus_1".to_owned(),
            state: state.to_owned(),
            attempts: 2,
            next_at: None,
            status: Some(500),
            error: Some("the answer was 500".to_owned()),
            latency_ms: Some(12),
            created_at: now(),
            settled_at: None,
        }
    }

    #[test]
    fn the_log_shows_who_heard_and_programs_stand_below_it() {
        let rows = [view("failed", Some(WebhookId::generate())), view("delivered", None)];
        let program = ProgramView {
            name: "mail".to_owned(),
            events: vec!["customer.*".to_owned()],
            program: "/usr/bin/mail".to_owned(),
            timeout_s: 30,
            attempts_max: 3,
        };
        let programs = [Program { view: program, last: Some(rows[1].clone()) }];
        let fields = Fields([("state".to_owned(), "failed".to_owned())].into());
        let text = render_list(&viewer(), now(), &fields, &rows, Some("dlv_1"), &programs);
        let text = text.into_string();
        for part in
            ["CRM &lt;b&gt;", "12 ms", "/usr/bin/mail", r#"<option value="failed" selected>"#]
        {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(text.contains("state=failed&amp;cursor=dlv_1"), "{text}");
    }

    #[test]
    fn a_delivery_shows_each_attempt_and_is_sent_again_by_those_who_may() {
        let attempt = AttemptView {
            id: AttemptId::generate(),
            number: 2,
            at: now(),
            status: Some(500),
            error: Some("the answer was 500".to_owned()),
            latency_ms: 12,
            answer: Some("<i>oops".to_owned()),
            truncated: true,
        };
        let detail = Detail {
            view: view("failed", Some(WebhookId::generate())),
            request: json!({"type": "customer.created"}),
            log: vec![attempt],
        };
        let text = render(&viewer(), now(), &detail, true, None).into_string();
        for part in ["&lt;i&gt;oops…", "Attempt 2", "/replay", "customer.created"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let text = render(&viewer(), now(), &detail, false, None).into_string();
        assert!(!text.contains("/replay\""), "{text}");
    }
}
