//! Webhooks as staff make and change them.
//!
//! The record itself is described ([`WEBHOOK`]); here are the rules the description names, and
//! what else can be done with a webhook.
//!
//! A webhook's secret is shown when it is made over the API and when somebody asks for it, which
//! the audit log keeps. It signs every message; while it is being replaced, the one before
//! signs too.

use bytes::Bytes;
use daemon::exit::chain;
use daemon::secrets::SecretError;
use model::{EventId, OrganisationId, Sealed, Secret, Ts, WebhookId};
use outcall::signing::{self, SigningSecret};
use outcall::{Answer, CallError, Request};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::{Row, args};
use tokio::time::Instant;

use super::schedule::{self, Backoff};
use super::{catalogue, filter, payload};
use crate::domain::{Actor, Event, Fault, Input, Office, Unit};
use crate::entity::{
    Action, Draft, Entity, Field, Flags, Hooks, Kind, Step, Unique, Verb, Written, read, write,
};
use crate::store::hook as sql;
use crate::store::hook::WebhookRow;

/// What may be at the other end: a label, that chooses the hints people see.
const TEMPLATES: &[&str] = &["custom", "n8n", "zapier", "make"];
/// How a message proves where it comes from, beside its signature.
const AUTHS: &[&str] = &["none", "bearer", "basic"];
/// The methods a message may be sent with.
const METHODS: &[&str] = &["POST", "PUT"];

/// Longest name, characters.
const NAME_MAX: usize = 100;
/// Longest user name, characters.
const USER_MAX: usize = 100;
/// Longest token or password, octets.
const AUTH_OCTETS_MAX: usize = 1000;
/// Longest text of a signing secret, octets.
const SECRET_TEXT_MAX: usize = 200;
/// Longest pattern, characters.
const PATTERN_MAX: usize = 100;
/// How long the secret before signs too, hours, unless the caller says otherwise.
const OVERLAP_H: i64 = 24;
/// How long at most: a week.
const OVERLAP_H_MAX: i64 = 168;

/// Given by the caller or filled here.
const FILLED: Flags = Flags::WRITABLE.and(Flags::FILLED);

/// A webhook.
pub(crate) const WEBHOOK: Entity = Entity {
    name: "webhook",
    path: "webhooks",
    table: "webhook",
    prefix: "whk",
    permission: "hooks",
    unique: &[Unique::within(&["name"])],
    actions: &[
        Action {
            name: "enable",
            permission: "hooks.edit",
            applies: |webhook| webhook["enabled"] == false,
            run: |unit, id, expected, _| Box::pin(switch(unit, id, expected, true)),
            ..Action::PLAIN
        },
        Action {
            name: "disable",
            permission: "hooks.edit",
            harms: true,
            applies: |webhook| webhook["enabled"] == true,
            run: |unit, id, expected, _| Box::pin(switch(unit, id, expected, false)),
            ..Action::PLAIN
        },
    ],
    fields: &[
        Field::new(
            "name",
            Kind::Text(NAME_MAX),
            Flags::REQUIRED
                .and(Flags::WRITABLE)
                .and(Flags::SORTABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::SEARCHED)
                .and(Flags::LISTED),
        ),
        Field::new(
            "url",
            Kind::Text(outcall::guard::URL_OCTETS_MAX),
            Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::LISTED),
        ),
        Field::new(
            "events",
            Kind::Words(filter::PATTERNS_MAX, PATTERN_MAX),
            Flags::REQUIRED.and(Flags::WRITABLE).and(Flags::LISTED),
        ),
        Field::new("enabled", Kind::Flag, FILLED.and(Flags::FILTERABLE).and(Flags::LISTED)),
        Field::new("template", Kind::Choice(TEMPLATES), FILLED),
        Field::new("method", Kind::Choice(METHODS), FILLED),
        Field::new("auth", Kind::Choice(AUTHS), FILLED),
        Field::new("auth_user", Kind::Text(USER_MAX), Flags::WRITABLE),
        Field::new("auth_secret", Kind::Secret(AUTH_OCTETS_MAX), Flags::WRITABLE),
        // One the other side has already; else it is made up.
        Field::new("secret", Kind::Secret(SECRET_TEXT_MAX), Flags::WRITABLE.and(Flags::ONCE)),
        Field::new("attempts_max", Kind::Integer(1, schedule::ATTEMPTS_MAX), FILLED),
        Field::new("backoff", Kind::Choice(Backoff::WORDS), FILLED),
        Field::new("triggered_at", Kind::Time, Flags::LISTED),
        Field::new("success_percent", Kind::Integer(0, 100), Flags::LISTED),
        Field::new("disabled_reason", Kind::Choice(&["gone", "failing"]), Flags::NONE),
        Field::new("failing_since", Kind::Time, Flags::NONE),
        Field::new("throttled_until", Kind::Time, Flags::NONE),
        Field::new("previous_until", Kind::Time, Flags::NONE),
    ],
    hooks: Hooks { check, before, after, ..Hooks::NONE },
    ..Entity::PLAIN
};

/// The description, where one is wanted that stays.
pub(crate) static ENTITY: &Entity = &WEBHOOK;

/// Switches a webhook on or off, where it is not already.
async fn switch(
    unit: &mut Unit<'_>,
    id: uuid::Uuid,
    expected: Option<i64>,
    on: bool,
) -> Result<(), Fault> {
    let row = write::load(unit, ENTITY, id, false).await?;
    if expected.is_some_and(|expected| row.get::<i64>("version").ok() != Some(expected)) {
        return Err(Fault::Stale);
    }
    if row.get::<bool>("enabled")? != on {
        let mut draft = Draft::about(id);
        draft.set("enabled", on);
        write::update_in(unit, ENTITY, id, draft, expected).await?;
    }
    Ok(())
}

fn check(draft: &Draft, input: &mut Input) {
    if let Some(events) = draft.json("events").and_then(Value::as_array) {
        if events.is_empty() {
            input.fault("events", "is empty: name one, or \"*\"");
        }
        let kinds = catalogue::kinds();
        for (at, pattern) in events.iter().filter_map(Value::as_str).enumerate() {
            if let Err(detail) = filter::check(pattern, &kinds) {
                input.fault(&format!("events/{at}"), detail);
            }
        }
    }
    // RFC 7617 §2.
    if draft.text("auth_user").is_some_and(|user| user.contains(':')) {
        input.fault("auth_user", "must not hold a colon");
    }
    let control = |secret: &Secret<String>| secret.expose().bytes().any(|b| b.is_ascii_control());
    if draft.secret("auth_secret").is_some_and(control) {
        input.fault("auth_secret", "has control characters");
    }
    if let Some(secret) = draft.secret("secret")
        && let Err(error) = SigningSecret::parse(secret.expose())
    {
        input.fault("secret", error.to_string());
    }
}

fn before<'a>(
    unit: &'a mut Unit<'_>,
    verb: Verb,
    draft: &'a mut Draft,
    row: Option<&'a Row>,
) -> Step<'a> {
    Box::pin(async move {
        if !matches!(verb, Verb::Created | Verb::Updated) {
            return Ok(());
        }
        if let Some(url) = draft.text("url") {
            let checked = unit.office().hooks.caller.guard().url(url);
            checked.map_err(|refused| Fault::field("/url", refused.to_string()))?;
        }
        fill(draft, verb);
        let known = row.map(sql::webhook).transpose()?;
        let auth = draft.text("auth").or(known.as_ref().map(|known| known.auth.as_str()));
        let user = match draft.value("auth_user") {
            Some(_) => draft.has("auth_user"),
            None => known.as_ref().is_some_and(|known| known.auth_user.is_some()),
        };
        let given = draft.secret("auth_secret").is_some();
        let kept = !given && known.as_ref().is_some_and(|known| known.auth_secret.is_some());
        let auth = auth.unwrap_or("none");
        if auth != "none" && !given && !kept {
            return Err(Fault::field("/auth_secret", format!("is required for {auth}")));
        }
        if auth == "basic" && !user {
            return Err(Fault::field("/auth_user", "is required for basic"));
        }
        let Some(known) = &known else { return Ok(()) };
        // Who may change an address must not have a password sent there that they may not see.
        let moved = draft.text("url").is_some_and(|url| origin(url) != origin(&known.url));
        if moved && kept && auth != "none" {
            let detail = "must be given again when the webhook moves to another server";
            return Err(Fault::field("/auth_secret", detail));
        }
        if draft.flag("enabled") == Some(true) && !known.enabled {
            // Switched on again, it starts without a past.
            draft.set("disabled_reason", None::<String>);
            draft.set("failing_since", None::<Ts>);
            draft.set("throttled_until", None::<Ts>);
        }
        Ok(())
    })
}

/// Gives the columns that need a value their usual one: at creation, and where a caller emptied
/// them.
fn fill(draft: &mut Draft, verb: Verb) {
    let mut usual = |column: &'static str, value: store::Value| {
        if verb == Verb::Created || draft.value(column).is_some() {
            draft.fill(column, value);
        }
    };
    usual("enabled", store::Value::Bool(Some(true)));
    usual("attempts_max", store::Value::Int(Some(schedule::ATTEMPTS_MAX)));
    for (column, words) in
        [("template", TEMPLATES), ("method", METHODS), ("auth", AUTHS), ("backoff", Backoff::WORDS)]
    {
        usual(column, store::Value::Text(words.first().map(|word| (*word).to_owned())));
    }
}

fn after<'a>(unit: &'a mut Unit<'_>, written: Written<'a>) -> Step<'a> {
    Box::pin(async move {
        let id = WebhookId(written.id);
        let office = unit.office();
        match written.verb {
            Verb::Created => {
                let given = written.draft.secret("secret");
                let secret = match given.map(|secret| SigningSecret::parse(secret.expose())) {
                    Some(Ok(secret)) => secret,
                    // What was given was checked before.
                    Some(Err(_)) | None => SigningSecret::generate(),
                };
                let text = secret.text();
                let sealed = office.keyring.seal(&id.to_string(), text.expose().as_bytes())?;
                unit.execute(&sql::SET_SECRET, args![id, sealed]).await?;
            }
            Verb::Updated if !written.after.get::<bool>("enabled")? => {
                drop_waiting(unit, id, "the webhook was switched off").await?;
            }
            Verb::Deleted => {
                drop_waiting(unit, id, "the webhook was deleted").await?;
            }
            Verb::Updated | Verb::Restored => {}
        }
        if let Some(secret) = written.draft.secret("auth_secret") {
            let sealed = office.keyring.seal(&auth_seal(id), secret.expose().as_bytes())?;
            unit.execute(&sql::SET_AUTH_SECRET, args![id, Some(sealed)]).await?;
        }
        if written.after.get::<String>("auth")? == "none" {
            // What is needed no more is not kept.
            unit.execute(&sql::SET_AUTH_SECRET, args![id, None::<Sealed>]).await?;
        }
        Ok(())
    })
}

/// What waits for a webhook that hears nothing any more is dropped; it can be sent again.
pub(super) async fn drop_waiting(
    unit: &mut Unit<'_>,
    id: WebhookId,
    why: &str,
) -> Result<u64, Fault> {
    let now = unit.now;
    Ok(unit.execute(&sql::DROP_WAITING, args![id, why, now]).await?)
}

/// What the token or password of a webhook is sealed to.
fn auth_seal(id: WebhookId) -> String {
    format!("{id}/auth")
}

/// The scheme, host and port of a URL.
pub(super) fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#', '\\']).map_or(url.len(), |at| host + at);
    &url[..end]
}

/// A webhook as the API shows it, without its secrets.
pub(super) fn view(row: &Row) -> Result<Value, Fault> {
    Ok(read::shown(ENTITY, row, &[])?)
}

/// A webhook with its secret: when it was made, and when somebody asked.
#[derive(Debug)]
pub(crate) struct Revealed {
    pub(crate) id: WebhookId,
    pub(crate) version: i64,
    /// As the API shows it, `secret` included.
    pub(crate) view: Value,
}

impl Revealed {
    fn of(office: &Office, row: &Row) -> Result<Self, Fault> {
        let webhook = sql::webhook(row)?;
        let secret = open(office, &webhook.id.to_string(), &webhook.secret)?;
        let mut view = view(row)?;
        view["secret"] = json!(secret.expose());
        Ok(Self { id: webhook.id, version: webhook.version, view })
    }
}

async fn load(unit: &mut Unit<'_>, id: WebhookId) -> Result<Row, Fault> {
    write::load(unit, ENTITY, id.0, false).await
}

async fn record(
    unit: &mut Unit<'_>,
    kind: &str,
    row: &Row,
    before: Option<&Row>,
) -> Result<(), Fault> {
    let id: WebhookId = row.get("id")?;
    let event = Event { kind, entity_id: id.to_string(), payload: view(row)?, policy: &[] };
    let before = before.map(view).transpose()?;
    unit.record(row.get("organisation_id")?, event, before).await
}

/// Makes a webhook, and shows its secret.
pub(crate) async fn create(
    office: &Office,
    actor: &Actor,
    draft: Draft,
) -> Result<Revealed, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let made = write::create_in(&mut unit, ENTITY, draft).await?;
    let row = load(&mut unit, WebhookId(made.id)).await?;
    let revealed = Revealed::of(office, &row)?;
    unit.commit().await?;
    Ok(revealed)
}

/// Reads the body of a new webhook.
pub(crate) fn parse(body: &[u8]) -> Result<Draft, Fault> {
    write::parse(ENTITY, &[], body, true)
}

/// Makes another webhook like this one, with a secret of its own, switched off.
pub(crate) async fn duplicate(
    office: &Office,
    actor: &Actor,
    id: WebhookId,
) -> Result<Revealed, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let row = load(&mut unit, id).await?;
    let webhook = sql::webhook(&row)?;
    let taken = unit.fetch_all(&sql::NAMES, args![webhook.organisation]).await?;
    let taken: Vec<String> = taken.iter().map(|row| row.get("name")).collect::<Result<_, _>>()?;
    let short: String = webhook.name.chars().take(NAME_MAX - 10).collect();
    // One of more names than there are webhooks is free.
    let name = (2..=taken.len() + 2)
        .map(|n| format!("{short} ({n})"))
        .find(|name| !taken.contains(name))
        .unwrap_or(short);
    let mut fields = Map::new();
    let original = view(&row)?;
    for field in ["url", "method", "events", "template", "auth", "auth_user", "attempts_max"] {
        fields.insert(field.to_owned(), original[field].clone());
    }
    fields.insert("backoff".to_owned(), original["backoff"].clone());
    fields.insert("name".to_owned(), json!(name));
    fields.insert("enabled".to_owned(), json!(false));
    fields.insert("organisation_id".to_owned(), json!(webhook.organisation));
    if let Some(sealed) = &webhook.auth_secret {
        let secret = open(office, &auth_seal(id), sealed)?;
        fields.insert("auth_secret".to_owned(), json!(secret.expose()));
    }
    let draft = Draft::of(ENTITY, &[], fields, true)?;
    let made = write::create_in(&mut unit, ENTITY, draft).await?;
    let row = load(&mut unit, WebhookId(made.id)).await?;
    let revealed = Revealed::of(office, &row)?;
    unit.commit().await?;
    Ok(revealed)
}

/// A body that may be left out.
fn optional(body: &[u8]) -> Result<Input, Fault> {
    Input::parse(if body.is_empty() { b"{}" } else { body })
}

/// How a secret is to be replaced.
#[derive(Debug)]
pub(crate) struct Rotation {
    secret: Option<SigningSecret>,
    overlap_h: i64,
}

impl Rotation {
    /// Reads a request body; an empty one means a new secret and the usual overlap.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = optional(body)?;
        let overlap_h = input.number("overlap_h", 0, OVERLAP_H_MAX).unwrap_or(OVERLAP_H);
        let mut secret = None;
        let given = input.optional_raw_text("secret", SECRET_TEXT_MAX).map(Secret::new);
        if let Some(text) = given {
            match SigningSecret::parse(text.expose()) {
                Ok(given) => secret = Some(given),
                Err(error) => input.fault("secret", error.to_string()),
            }
        }
        input.finish()?;
        Ok(Self { secret, overlap_h })
    }
}

/// Gives a webhook a new secret; the old one signs too for the overlap.
/// `expected`: the version the caller saw, where it says so.
pub(crate) async fn rotate(
    office: &Office,
    actor: &Actor,
    id: WebhookId,
    rotation: Rotation,
    expected: Option<i64>,
) -> Result<Revealed, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let before = load(&mut unit, id).await?;
    let known = sql::webhook(&before)?;
    if expected.is_some_and(|expected| expected != known.version) {
        return Err(Fault::Stale);
    }
    let secret = rotation.secret.unwrap_or_else(SigningSecret::generate).text();
    let sealed = office.keyring.seal(&id.to_string(), secret.expose().as_bytes())?;
    let (old, until) = (rotation.overlap_h > 0)
        .then(|| (known.secret.clone(), unit.now.plus_seconds(rotation.overlap_h * 3600)))
        .unzip();
    let path = actor.path.as_str();
    let args = args![path, id, known.version, old, until, sealed, unit.now, actor.label()];
    if unit.execute(&sql::ROTATE, args).await? == 0 {
        return Err(Fault::Stale);
    }
    let row = load(&mut unit, id).await?;
    record(&mut unit, "webhook.secret_rotated", &row, Some(&before)).await?;
    let revealed = Revealed::of(office, &row)?;
    unit.commit().await?;
    Ok(revealed)
}

/// Shows a webhook's secret, and writes down who looked.
pub(crate) async fn reveal(
    office: &Office,
    actor: &Actor,
    id: WebhookId,
) -> Result<Revealed, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let row = load(&mut unit, id).await?;
    let revealed = Revealed::of(office, &row)?;
    record(&mut unit, "webhook.secret_revealed", &row, None).await?;
    unit.commit().await?;
    Ok(revealed)
}

/// What came of a test, as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Tested {
    /// Whether the answer was one of success.
    pub(crate) delivered: bool,
    pub(crate) status: Option<u16>,
    /// Why it was none of success, or that there was none.
    pub(crate) error: Option<String>,
    pub(crate) latency_ms: i64,
    /// The beginning of the answer's body.
    pub(crate) answer: Option<String>,
    pub(crate) truncated: bool,
    /// What was sent, the signature and secrets apart.
    pub(crate) request: Value,
}

/// Which event to test with.
pub(crate) fn parse_test(body: &[u8]) -> Result<Option<String>, Fault> {
    let mut input = optional(body)?;
    let kind = input.optional_text("event_type", PATTERN_MAX);
    if let Some(kind) = &kind
        && !catalogue::kinds().contains(kind)
    {
        input.fault("event_type", "there is no such event (GET /api/v1/event-types)");
    }
    input.finish()?;
    Ok(kind)
}

/// Sends an example to a webhook and waits for the answer. It may be switched off.
pub(crate) async fn test(
    office: &Office,
    actor: &Actor,
    id: WebhookId,
    kind: Option<String>,
) -> Result<Tested, Fault> {
    let row = office.db.fetch_optional(&sql::FIND, args![actor.path.as_str(), id]).await?;
    let row = sql::webhook(&row.ok_or(Fault::NotFound("webhook"))?)?;
    let types = catalogue::all();
    // Without a wish, one that it hears.
    let chosen = match &kind {
        Some(kind) => types.iter().find(|listed| listed.kind == *kind),
        None => types.iter().find(|listed| filter::hears(&row.events, &listed.kind)),
    };
    let chosen = chosen.ok_or_else(|| Fault::field("/event_type", "is required"))?;
    let now = office.now();
    let organisation = row.organisation;
    let body = payload::sample(&chosen.kind, now, organisation, &chosen.example);
    let message = Message::open(office, row, now)?;
    let message_id = EventId::generate().to_string();
    let began = Instant::now();
    let result = message.send(office, &message_id, &body, now).await;
    let latency_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let request = json!({
        "method": message.row.method,
        "url": message.row.url,
        "headers": {
            "content-type": "application/json",
            signing::HEADER_ID: message_id,
            signing::HEADER_TIMESTAMP: now.seconds().to_string(),
        },
        "body": body,
    });
    let outcome = Outcome::of(&result);
    let tested = Tested {
        delivered: matches!(&result, Ok(answer) if answer.is_success()),
        status: result.as_ref().ok().map(|answer| answer.status),
        error: outcome.error,
        latency_ms,
        answer: outcome.answer,
        truncated: outcome.truncated,
        request,
    };
    tell_test(office, actor, id, organisation, &chosen.kind, &tested).await?;
    Ok(tested)
}

async fn tell_test(
    office: &Office,
    actor: &Actor,
    id: WebhookId,
    organisation: OrganisationId,
    kind: &str,
    tested: &Tested,
) -> Result<(), Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let event = Event {
        kind: "webhook.tested",
        entity_id: id.to_string(),
        payload: json!({
            "id": id,
            "event_type": kind,
            "status": tested.status,
            "error": tested.error,
        }),
        policy: &[],
    };
    unit.record(organisation, event, None).await?;
    unit.commit().await
}

fn open(office: &Office, bound_to: &str, sealed: &Sealed) -> Result<Secret<String>, Fault> {
    let octets = office.keyring.open(bound_to, sealed)?;
    // What was sealed was a text.
    String::from_utf8(octets.expose().clone())
        .map(Secret::new)
        .map_err(|_| Fault::from(SecretError::Malformed))
}

/// A webhook with its secrets open, ready to be sent to.
pub(super) struct Message {
    pub(super) row: WebhookRow,
    secrets: Vec<SigningSecret>,
    authorization: Option<Secret<String>>,
}

impl Message {
    /// Opens the secrets that are in force.
    pub(super) fn open(office: &Office, row: WebhookRow, now: Ts) -> Result<Self, Fault> {
        let id = row.id.to_string();
        let previous = row.previous.as_ref().filter(|(_, until)| *until > now);
        let sealed = std::iter::once(&row.secret).chain(previous.map(|(secret, _)| secret));
        let mut secrets = Vec::new();
        for sealed in sealed {
            let text = open(office, &id, sealed)?;
            let secret = SigningSecret::parse(text.expose());
            secrets.push(secret.map_err(|error| Fault::Internal(Box::new(error)))?);
        }
        let auth_secret = match &row.auth_secret {
            Some(sealed) => Some(open(office, &auth_seal(row.id), sealed)?),
            None => None,
        };
        let authorization = match (row.auth.as_str(), &row.auth_user, &auth_secret) {
            ("bearer", _, Some(token)) => Some(Secret::new(format!("Bearer {}", token.expose()))),
            ("basic", Some(user), Some(password)) => {
                let pair = Secret::new(format!("{user}:{}", password.expose()));
                let text = Secret::new(daemon::base64::encode(pair.expose().as_bytes()));
                Some(Secret::new(format!("Basic {}", text.expose())))
            }
            _ => None,
        };
        Ok(Self { row, secrets, authorization })
    }

    /// Signs and sends a body. The id is the same at each attempt, the time is not.
    pub(super) async fn send(
        &self,
        office: &Office,
        id: &str,
        body: &str,
        now: Ts,
    ) -> Result<Answer, CallError> {
        let signature = signing::sign(&self.secrets, id, now, body.as_bytes());
        let mut headers = vec![
            ("content-type", Secret::from("application/json")),
            (signing::HEADER_ID, Secret::from(id)),
            (signing::HEADER_TIMESTAMP, Secret::new(now.seconds().to_string())),
            (signing::HEADER_SIGNATURE, Secret::new(signature)),
        ];
        if let Some(authorization) = &self.authorization {
            headers.push(("authorization", authorization.clone()));
        }
        let method = match self.row.method.as_str() {
            "PUT" => outcall::Method::PUT,
            _ => outcall::Method::POST,
        };
        let body = Bytes::copy_from_slice(body.as_bytes());
        office.hooks.caller.call(Request { method, url: &self.row.url, headers, body }).await
    }
}

/// What the log keeps of an attempt.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) status: Option<i64>,
    pub(super) error: Option<String>,
    pub(super) answer: Option<String>,
    pub(super) truncated: bool,
}

impl Outcome {
    /// Of a call.
    pub(super) fn of(result: &Result<Answer, CallError>) -> Self {
        match result {
            Ok(answer) => Self {
                status: Some(answer.status.into()),
                error: (!answer.is_success()).then(|| format!("the answer was {}", answer.status)),
                answer: Some(printable(&answer.body)),
                truncated: answer.truncated,
            },
            Err(error) => {
                Self { status: None, error: Some(chain(error)), answer: None, truncated: false }
            }
        }
    }
}

/// Octets of a stranger as text that both databases keep: Postgres has no NUL in a text.
pub(super) fn printable(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).replace('\0', "\u{fffd}")
}
