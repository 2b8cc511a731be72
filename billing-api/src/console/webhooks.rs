//! Webhooks: which events they hear, their secrets, a test with its answer, the latest
//! deliveries.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{Ts, WebhookId};
use serde_json::{Value as Json, json};

use super::failure::Failure;
use super::guard::{Fields, Post, Signed};
use super::once::{self, Once};
use super::page::{self, Notice, Place, Viewer};
use super::records::Address;
use super::words::{self, Key, Words, readable};
use super::{deliveries, tokens, viewer};
use crate::domain::access::Rights;
use crate::domain::{Fault, Office};
use crate::entity::registry::by_name;
use crate::entity::{Entity, read};
use crate::hook::endpoint::{self, ENTITY, Revealed, Tested};
use crate::hook::{catalogue, filter, log};

/// Deliveries on the page of a webhook.
const LATEST: i64 = 10;

/// How long the old secret may sign too: hours, and how that is called.
const GRACES: [(i64, Key); 4] = [
    (0, words::GRACE_NONE),
    (1, words::GRACE_HOUR),
    (24, words::GRACE_DAY),
    (168, words::GRACE_WEEK),
];
/// What is usual.
const GRACE: i64 = 24;

/// Since when failed deliveries are sent again: seconds back, and how that is called.
const SINCES: [(i64, Key); 4] = [
    (3600, words::SINCE_HOUR),
    (24 * 3600, words::SINCE_DAY),
    (7 * 24 * 3600, words::SINCE_WEEK),
    (30 * 24 * 3600, words::SINCE_MONTH),
];

/// The programs a webhook may lead to: the word, its name, what to do there.
const STARTS: [(&str, Key, Key); 4] = [
    ("custom", words::HOOK_START_CUSTOM, words::HOOK_START_CUSTOM_TEXT),
    ("n8n", words::HOOK_START_N8N, words::HOOK_START_N8N_TEXT),
    ("zapier", words::HOOK_START_ZAPIER, words::HOOK_START_ZAPIER_TEXT),
    ("make", words::HOOK_START_MAKE, words::HOOK_START_MAKE_TEXT),
];

/// What the rules give a webhook where nobody says otherwise.
pub(super) const USUAL: &[(&str, &str)] = &[
    ("enabled", "true"),
    ("template", "custom"),
    ("method", "POST"),
    ("auth", "none"),
    ("attempts_max", "10"),
    ("backoff", "standard"),
];

/// What stands above the form of a webhook: what is at the other end, and what to do there.
pub(super) fn lead(
    words: &Words,
    _: &Rights,
    texts: &BTreeMap<String, String>,
    edits: bool,
) -> Markup {
    let chosen = texts.get("template").map_or("", String::as_str);
    let start = STARTS.iter().find(|(word, ..)| *word == chosen);
    html! {
        @if !edits {
            p.starts {
                (words.say(words::HOOK_STARTS)) " "
                @for (word, name, _) in STARTS {
                    a.button.quiet aria-current=[(word == chosen).then_some("true")]
                        href=(Address::of("/webhooks/new").with("template", word)) {
                        (words.say(name))
                    }
                }
            }
        }
        @if let Some((.., text)) = start { p.hint { (words.say(*text)) } }
    }
}

/// What a record of an event is called: `customer` is "Customer".
fn subject(words: &Words, name: &str) -> String {
    by_name(name).map_or_else(|| readable(name), |entity| words.entity(entity))
}

/// The events of a webhook, to choose: all, all of one kind of record, or single ones.
pub(super) fn events(words: &Words, _: &Rights, field: &str, text: &str) -> Markup {
    let chosen: Vec<&str> = text.lines().collect();
    let mut groups: BTreeMap<String, (String, Vec<catalogue::EventType>)> = BTreeMap::new();
    for listed in catalogue::all() {
        let name = listed.kind.split('.').next().unwrap_or_default().to_owned();
        let title = subject(words, &name);
        groups.entry(title).or_insert_with(|| (name, Vec::new())).1.push(listed);
    }
    let known: Vec<String> = catalogue::kinds();
    let odd: Vec<&&str> =
        chosen.iter().filter(|line| filter::check(line, &known).is_err()).collect();
    let every = |pattern: &str, label: &str| {
        html! {
            label.check {
                input type="checkbox" name=(format!("{field}:{pattern}")) data-right=(pattern)
                    checked[chosen.contains(&pattern) || chosen.contains(&"*")];
                span { (label) }
            }
        }
    };
    let search = words.say(words::HOOK_EVENTS_SEARCH);
    html! {
        input.only-script.narrow type="search" data-narrow="events" placeholder=(search)
            aria-label=(search) autocomplete="off";
        div.events id="events" data-rights {
            (every("*", &words.say(words::HOOK_EVENTS_ALL)))
            @for (title, (name, listed)) in &groups {
                @let whole = format!("{name}.*");
                @let heard = |kind: &str| filter::hears(
                    &chosen.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(), kind
                );
                @let count = listed.iter().filter(|one| heard(&one.kind)).count();
                details open[count > 0 && !chosen.contains(&"*")]
                    data-words=(format!("{name} {title} {}", listed.iter().map(|one| format!(
                        "{} {}", one.kind, one.description)).collect::<Vec<_>>().join(" ")
                    ).to_lowercase()) {
                    summary {
                        (title) " "
                        @if count > 0 { span.badge { (count) "/" (listed.len()) } }
                    }
                    (every(&whole, &words.say(words::HOOK_EVENTS_WHOLE)))
                    @for one in listed {
                        label.check {
                            input type="checkbox" name=(format!("{field}:{}", one.kind))
                                data-right=(one.kind) checked[heard(&one.kind)];
                            span { code { (one.kind) } " " span.dim { (one.description) } }
                        }
                    }
                }
            }
            @for line in odd {
                label.check {
                    input type="checkbox" name=(format!("{field}:{line}")) checked;
                    code { (line) }
                }
            }
        }
    }
}

/// Events in one order, those left out that others include.
pub(super) fn plain(text: &str) -> String {
    let mut given: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    given.sort_unstable();
    given.dedup();
    if given.contains(&"*") {
        return "*".to_owned();
    }
    let whole = |line: &str| {
        let group = line.split('.').next().unwrap_or_default();
        !line.ends_with(".*") && given.contains(&format!("{group}.*").as_str())
    };
    given.iter().copied().filter(|line| !whole(line)).collect::<Vec<_>>().join("\n")
}

/// Makes a webhook, and shows its secret.
pub(super) async fn create(
    office: &Office,
    signed: &Signed,
    body: Vec<u8>,
) -> Result<HttpResponse, Fault> {
    let made = endpoint::create(office, &signed.actor, endpoint::parse(&body)?).await?;
    Ok(revealed(&signed.viewer, StatusCode::CREATED, &made, words::HOOK_MADE))
}

/// The page with a webhook's secret.
fn revealed(viewer: &Viewer, status: StatusCode, made: &Revealed, title: Key) -> HttpResponse {
    let words = &viewer.words;
    let name = made.view["name"].as_str().unwrap_or_default().to_owned();
    let once = Once {
        place: "webhooks",
        title: words.say_with(title, &[("name", name.into())]),
        text: words.say(words::HOOK_SECRET_TEXT),
        label: words.say(words::HOOK_SECRET),
        secret: made.view["secret"].as_str().unwrap_or_default(),
        back: format!("/webhooks/{}", made.id),
        onwards: words.say(words::HOOK_ONWARDS),
    };
    page::send(status, once::render(viewer, &once))
}

/// What the viewer may do here.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    create: bool,
    edit: bool,
    reveal: bool,
    test: bool,
    replay: bool,
}

impl Allowed {
    fn of(signed: &Signed) -> Self {
        let has = |permission| viewer::holds(&signed.actor, permission);
        Self {
            create: has("hooks.create"),
            edit: has("hooks.edit"),
            reveal: has("hooks.reveal"),
            test: has("hooks.test"),
            replay: has("hooks.replay"),
        }
    }
}

/// What belongs on the page of a webhook.
pub(super) async fn of_webhook(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    let actor = &signed.actor;
    let (row, _) = read::find(office, actor, entity, entity.id(id)?).await?;
    let filter = log::Filter { webhook: id.parse().ok(), ..log::Filter::default() };
    let latest = log::list(office, actor, &filter, None, LATEST).await?;
    Ok(render(&signed.viewer, Allowed::of(signed), office.now(), id, &row, &latest.rows))
}

fn render(
    viewer: &Viewer,
    allowed: Allowed,
    now: Ts,
    id: &str,
    row: &Json,
    latest: &[log::View],
) -> Markup {
    let words = &viewer.words;
    let at = format!("/webhooks/{id}");
    let enabled = row["enabled"] == true;
    let all = Address::of("/webhook-deliveries").with("webhook", id);
    html! {
        (switched_off(viewer, allowed, &at, row))
        @if allowed.test {
            section {
                h2 { (words.say(words::HOOK_TEST)) }
                form.card method="post" action=(format!("{at}/test")) data-into="tested" {
                    (page::csrf(viewer))
                    p { (words.say(words::HOOK_TEST_TEXT)) }
                    div.field {
                        label for="f-event" { (words.say(words::HOOK_EVENT)) }
                        select id="f-event" name="event_type" {
                            @for kind in heard(row) { option value=(kind) { (kind) } }
                        }
                    }
                    button type="submit" { (words.say(words::HOOK_TEST_GO)) }
                    div id="tested" aria-live="polite" {}
                }
            }
        }
        section {
            div.head {
                h2 { (words.say(words::DELIVERIES_LATEST)) }
                @if !latest.is_empty() { a href=(all) { (words.say(words::DELIVERIES_ALL)) } }
            }
            @if latest.is_empty() {
                (page::empty(&words.say(words::DELIVERIES_NONE), None))
            } @else {
                (deliveries::table(words, now, &words.say(words::DELIVERIES_LATEST), latest, false))
            }
            @if allowed.replay && enabled && !latest.is_empty() {
                form.inline method="post" action=(format!("{at}/replay-failed")) {
                    (page::csrf(viewer))
                    label.unseen for="f-since" { (words.say(words::SINCE)) }
                    select id="f-since" name="since" {
                        @for (seconds, name) in SINCES {
                            option value=(seconds) { (words.say(name)) }
                        }
                    }
                    button.quiet type="submit" { (words.say(words::REPLAY_FAILED)) }
                }
            }
        }
        section {
            h2 { (words.say(words::HOOK_SECRET)) }
            div.card {
                p { (words.say(words::HOOK_SECRET_ABOUT)) }
                @if allowed.reveal {
                    form method="post" action=(format!("{at}/reveal")) {
                        (page::csrf(viewer))
                        button.quiet type="submit" { (words.say(words::HOOK_REVEAL)) }
                    }
                }
                @if allowed.edit {
                    form.inline method="post" action=(format!("{at}/rotate")) {
                        (page::csrf(viewer))
                        // A reload of the answer must not rotate again: the secret in use
                        // would go.
                        input type="hidden" name="version"
                            value=(row["version"].as_i64().unwrap_or_default());
                        (tokens::grace(words, &GRACES, GRACE))
                        button.quiet type="submit" { (words.say(words::HOOK_ROTATE)) }
                    }
                }
            }
        }
        @if allowed.create {
            form method="post" action=(format!("{at}/duplicate")) {
                (page::csrf(viewer))
                button.quiet type="submit" { (words.say(words::HOOK_DUPLICATE)) }
            }
        }
    }
}

/// The kinds of events a webhook hears.
fn heard(row: &Json) -> Vec<String> {
    let patterns: Vec<String> = row["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .map(str::to_owned)
        .collect();
    catalogue::kinds().into_iter().filter(|kind| filter::hears(&patterns, kind)).collect()
}

/// Why a webhook is off, and the way to have it on again.
fn switched_off(viewer: &Viewer, allowed: Allowed, at: &str, row: &Json) -> Markup {
    let words = &viewer.words;
    if row["enabled"] == true {
        return html! {};
    }
    let why = match row["disabled_reason"].as_str() {
        Some("gone") => words::HOOK_OFF_GONE,
        Some("failing") => words::HOOK_OFF_FAILING,
        _ => words::HOOK_OFF,
    };
    html! {
        div.notice.caution.acting role="status" {
            span { (words.say(why)) " " }
            @if allowed.edit {
                form method="post" action=(format!("{at}/enable")) {
                    (page::csrf(viewer))
                    button.quiet type="submit" { (words.say(words::HOOK_ON)) }
                }
            }
        }
    }
}

fn webhook_id(text: &str) -> Result<WebhookId, Fault> {
    text.parse().map_err(|_| Fault::NotFound("webhook"))
}

/// `POST /webhooks/{id}/test`
pub(super) async fn test(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let kind = Some(post.fields.get("event_type")).filter(|kind| !kind.is_empty());
        let body = json!({ "event_type": kind }).to_string();
        let kind = endpoint::parse_test(body.as_bytes())?;
        let signed = &post.signed;
        let tested = endpoint::test(&office, &signed.actor, webhook_id(&id)?, kind).await?;
        Ok(page::send(StatusCode::OK, render_test(&signed.viewer, &id, &tested)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render_test(viewer: &Viewer, id: &str, tested: &Tested) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::HOOK_TEST);
    let body = html! {
        h1 { (title) }
        div id="tested" { (outcome(words, tested)) }
        p { a.button href=(format!("/webhooks/{id}")) { (words.say(words::HOOK_ONWARDS)) } }
    };
    page::page(viewer, Some(Place::At("webhooks")), &title, None, &body)
}

/// What came of a test.
fn outcome(words: &Words, tested: &Tested) -> Markup {
    let took = [("ms", tested.latency_ms.into())];
    html! {
        @if tested.delivered {
            p.notice.done role="status" {
                (words.say_with(words::HOOK_TEST_WELL, &[
                    ("status", tested.status.unwrap_or_default().into()),
                    ("ms", tested.latency_ms.into()),
                ]))
            }
        } @else {
            p.notice.problem role="alert" {
                (words.say_with(words::HOOK_TEST_BADLY, &took)) " "
                (tested.error.as_deref().unwrap_or_default())
            }
        }
        @if let Some(answer) = tested.answer.as_ref().filter(|answer| !answer.is_empty()) {
            h3 { (words.say(words::DELIVERY_ANSWER)) }
            pre.log { (answer) @if tested.truncated { "…" } }
        }
        h3 { (words.say(words::DELIVERY_REQUEST)) }
        pre.log { (sent(&tested.request)) }
    }
}

/// A request as it went out, its body readable.
fn sent(request: &Json) -> String {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!("{} {}", text(&request["method"]), text(&request["url"]))];
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        lines.push(format!("{name}: {}", text(value)));
    }
    let body = text(&request["body"]);
    let body = serde_json::from_str::<Json>(&body).map_or(body, |body| format!("{body:#}"));
    format!("{}\n\n{body}", lines.join("\n"))
}

/// `POST /webhooks/{id}/reveal`: who looked is written down.
pub(super) async fn reveal(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let made = endpoint::reveal(&office, &post.signed.actor, webhook_id(&id)?).await?;
        let viewer = &post.signed.viewer;
        Ok(revealed(viewer, StatusCode::OK, &made, words::HOOK_REVEALED))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /webhooks/{id}/rotate`
pub(super) async fn rotate(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let hours = post.fields.get("grace").parse().unwrap_or(GRACE);
        let body = json!({ "overlap_h": hours }).to_string();
        let rotation = endpoint::Rotation::parse(body.as_bytes())?;
        let (actor, own) = (&post.signed.actor, webhook_id(&id)?);
        let version = post.fields.get("version").parse().map_err(|_| Fault::Stale)?;
        match endpoint::rotate(&office, actor, own, rotation, Some(version)).await {
            Ok(made) => {
                Ok(revealed(&post.signed.viewer, StatusCode::OK, &made, words::HOOK_ROTATED))
            }
            Err(Fault::Stale) => Ok(page::go(&Notice::Stale.after(&format!("/webhooks/{own}")))),
            Err(fault) => Err(fault),
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /webhooks/{id}/duplicate`: to the form of the copy, which is switched off.
pub(super) async fn duplicate(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let made = endpoint::duplicate(&office, &post.signed.actor, webhook_id(&id)?).await?;
        let address = match read::may(&post.signed.actor, ENTITY, "edit") {
            true => format!("/webhooks/{}/edit", made.id),
            false => format!("/webhooks/{}", made.id),
        };
        Ok(page::go(&address))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /webhooks/{id}/replay-failed`
pub(super) async fn replay_failed(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let since = office.now().plus_seconds(-seconds_back(&post.fields));
        let actor = &post.signed.actor;
        log::replay_failed(&office, actor, webhook_id(&id)?, since).await?;
        Ok(page::go(&Notice::Replayed.after(&format!("/webhooks/{}", *id))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// One of the spans that are offered; else the shortest.
fn seconds_back(fields: &Fields) -> i64 {
    let wanted = fields.get("since").parse().unwrap_or(0);
    SINCES.iter().map(|(seconds, _)| *seconds).find(|own| *own == wanted).unwrap_or(SINCES[0].0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::tests::viewer;

    fn all() -> Allowed {
        Allowed { create: true, edit: true, reveal: true, test: true, replay: true }
    }

    #[test]
    fn events_are_chosen_singly_by_record_or_all() {
        let words = Words::english();
        let text = events(&words, &Rights::all(), "events", "customer.*\nold.event").into_string();
        let tag = |name: &str| {
            let at = text.find(&format!(r#"name="events:{name}""#)).unwrap();
            text[at..].split('>').next().unwrap().to_owned()
        };
        assert!(
            tag("customer.*").contains("checked") && tag("customer.created").contains("checked")
        );
        assert!(!tag("plan.created").contains("checked") && !tag("*").contains("checked"));
        assert!(tag("old.event").contains("checked"), "what is no more is not lost unseen");
        assert_eq!(plain("customer.created\nplan.created\ncustomer.*"), "customer.*\nplan.created");
        assert_eq!(plain("plan.*\n*"), "*");
    }

    #[test]
    fn what_is_usual_is_among_what_the_rules_take() {
        for (name, value) in USUAL {
            let field = ENTITY.field(name).unwrap();
            let fits = match field.kind {
                crate::entity::Kind::Choice(words) => words.contains(value),
                crate::entity::Kind::Integer(min, max) => {
                    (min..=max).contains(&value.parse().unwrap())
                }
                _ => ["true", "false"].contains(value),
            };
            assert!(fits, "{name}");
        }
    }

    #[test]
    fn a_webhook_that_was_switched_off_says_why_and_can_be_switched_on() {
        let row = json!({"enabled": false, "disabled_reason": "failing", "events": ["*"]});
        let now = Ts::from_seconds(1_772_357_400);
        let text = render(&viewer(), all(), now, "whk_1", &row, &[]).into_string();
        for part in ["kept failing", "/webhooks/whk_1/enable", "/reveal", "/rotate", "/duplicate"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let none =
            Allowed { create: false, edit: false, reveal: false, test: false, replay: false };
        let text = render(&viewer(), none, now, "whk_1", &row, &[]).into_string();
        assert!(text.contains("kept failing") && !text.contains("<form"), "{text}");
    }

    #[test]
    fn a_test_shows_what_was_sent_and_what_came_back() {
        let tested = Tested {
            delivered: false,
            status: Some(500),
            error: Some("the answer was 500".to_owned()),
            latency_ms: 12,
            answer: Some("<b>no</b>".to_owned()),
            truncated: false,
            request: json!({"method": "POST", "url": "https://x.example/", "headers": {"a": "b"},
                "body": "{\"type\":\"customer.created\"}"}),
        };
        let text = render_test(&viewer(), "whk_1", &tested).into_string();
        for part in ["the answer was 500", "&lt;b&gt;no", "POST https://x.example/", "a: b"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
