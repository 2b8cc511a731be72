//! What plans and services ask of a login besides its password, and what they add to its reply:
//! check and reply attributes, groups, where and when a login is allowed, and the MAC addresses a
//! service is bound to.
//!
//! Attributes are written as in FreeRADIUS's `users` files and compiled here as `aaad` compiles
//! them, so that a mistake is told to whoever makes it and never to a subscriber.

use std::collections::HashMap;

use dialect::attributes::{Check, LINE_CHARACTERS_MAX, LINES_MAX, Reply};
use model::identity::MacAddress;
use model::policy::{Hours, Key, MAC_LIMIT_MAX, MacMode, is_pattern};
use model::{NasId, OrganisationId, ServiceId};
use serde_json::{Value, json};
use store::{Row, args};
use uuid::Uuid;

use super::{Actor, Event, Fault, FieldFault, Input, Office, Unit};
use crate::entity::{Action, Draft, Entity, Field, Flags, Kind, write};
use crate::store::rules as sql;
use crate::store::service as service_sql;

/// Groups of one plan or service.
const GROUPS_MAX: usize = 12;
/// NAS, ports or stations of one list.
const PLACES_MAX: usize = 64;
/// Octets that the reply attributes of one list may take: a packet has 4096, and the dialect's own
/// stand in it too.
const REPLY_OCTETS_MAX: usize = 2048;

/// Expressions of one list: what each costs, every login waits for.
const EXPRESSIONS_MAX: usize = 8;

/// Lines of check attributes.
pub(crate) const CHECK: Field =
    Field::new("check_attributes", Kind::Words(LINES_MAX, LINE_CHARACTERS_MAX), Flags::WRITABLE);
/// Lines of reply attributes.
pub(crate) const REPLY: Field = Field { name: "reply_attributes", ..CHECK };
/// Names of groups.
pub(crate) const GROUPS: Field =
    Field::new("groups", Kind::Words(GROUPS_MAX, 100), Flags::WRITABLE);
/// Names of NAS.
pub(crate) const NAS: Field =
    Field::new("allowed_nas", Kind::Words(PLACES_MAX, 100), Flags::WRITABLE);
/// Patterns of ports.
pub(crate) const PORTS: Field =
    Field::new("allowed_ports", Kind::Words(PLACES_MAX, 253), Flags::WRITABLE);
/// Patterns of called stations.
pub(crate) const CALLED_STATIONS: Field = Field { name: "allowed_called_stations", ..PORTS };
/// When a login is allowed.
pub(crate) const LOGIN_TIME: Field = Field::new("login_time", Kind::Text(200), Flags::WRITABLE);
/// Where the MAC addresses of a service come from.
pub(crate) const MAC_BINDING: Field =
    Field::new("mac_binding", Kind::Choice(&["fixed", "learn"]), Flags::WRITABLE);
/// How many are learned.
pub(crate) const MAC_LIMIT: Field =
    Field::new("mac_limit", Kind::Integer(1, MAC_LIMIT_MAX as i64), Flags::WRITABLE);
/// The addresses, given or learned.
pub(crate) const MACS: Field = Field::new("macs", Kind::Words(32, 40), Flags::WRITABLE);

/// The columns that plans and services share, and a version of a plan keeps.
pub(crate) const COLUMNS: &[&str] = &[
    "check_attributes",
    "reply_attributes",
    "group_ids",
    "allowed_nas_ids",
    "allowed_ports",
    "allowed_called_stations",
    "login_time",
];

/// Checks what each field says by itself.
pub(crate) fn check(draft: &Draft, input: &mut Input) {
    let mut expressions = 0;
    for (n, line) in lines(draft, "check_attributes") {
        match Check::compile(&line) {
            Ok(check) => expressions += usize::from(check.is_expression()),
            Err(problem) => input.fault("check_attributes", format!("line {n}: {problem}")),
        }
    }
    if expressions > EXPRESSIONS_MAX {
        let detail = format!("has {expressions} expressions, more than {EXPRESSIONS_MAX}");
        input.fault("check_attributes", detail);
    }
    let mut octets = 0;
    for (n, line) in lines(draft, "reply_attributes") {
        match Reply::compile(&line) {
            Ok(reply) => octets += reply.octets().len(),
            Err(problem) => input.fault("reply_attributes", format!("line {n}: {problem}")),
        }
    }
    if octets > REPLY_OCTETS_MAX {
        let detail = format!("take {octets} octets together, more than {REPLY_OCTETS_MAX}");
        input.fault("reply_attributes", detail);
    }
    for field in ["allowed_ports", "allowed_called_stations"] {
        if let Some((_, bad)) = lines(draft, field).find(|(_, text)| !is_pattern(text)) {
            let detail = format!("\"{bad}\" is neither a name nor the beginning of one and *");
            input.fault(field, detail);
        }
    }
    if let Some(Err(problem)) = draft.text("login_time").map(Hours::parse) {
        input.fault("login_time", problem.to_string());
    }
    if let Some((_, bad)) = lines(draft, "macs").find(|(_, t)| t.parse::<MacAddress>().is_err()) {
        input.fault("macs", format!("\"{bad}\" is not a MAC address such as 02:00:00:00:00:07"));
    }
}

/// The words of a list, counted from 1.
fn lines(draft: &Draft, field: &str) -> impl Iterator<Item = (usize, String)> + use<> {
    let words = match draft.json(field) {
        Some(Value::Array(words)) => words.clone(),
        _ => Vec::new(),
    };
    let texts = words.into_iter().filter_map(|word| word.as_str().map(str::to_owned));
    texts.enumerate().map(|(n, text)| (n + 1, text))
}

/// Finds whom names are of, for a record of this organisation, and writes MAC addresses alike.
pub(crate) async fn resolve(
    unit: &mut Unit<'_>,
    home: OrganisationId,
    draft: &mut Draft,
) -> Result<(), Fault> {
    if draft.value("macs").is_some() {
        let macs = lines(draft, "macs").filter_map(|(_, text)| text.parse::<MacAddress>().ok());
        let mut known: Vec<MacAddress> = Vec::new();
        for mac in macs {
            if !known.contains(&mac) {
                known.push(mac);
            }
        }
        draft.set("macs", json!(known));
    }
    for (field, column, statement, what) in [
        ("groups", "group_ids", &sql::GROUPS_NAMED, "group"),
        ("allowed_nas", "allowed_nas_ids", &sql::NAS_NAMED, "NAS"),
    ] {
        if draft.value(field).is_none() {
            continue;
        }
        let names: Vec<String> = lines(draft, field).map(|(_, name)| name).collect();
        let mut ids: HashMap<String, String> = HashMap::new();
        if !names.is_empty() {
            let args = args![home, json!(names), unit.actor.path.as_str()];
            for row in unit.fetch_all(statement, args).await? {
                // The nearest organisation's comes first.
                let id: Uuid = row.get("id")?;
                let prefix = if what == "NAS" { NasId::PREFIX } else { "rgr" };
                ids.entry(row.get("name")?).or_insert_with(|| model::id::show(prefix, id));
            }
        }
        let mut found: Vec<&String> = Vec::new();
        for name in &names {
            let id = ids.get(name).ok_or_else(|| {
                Fault::field(format!("/{field}"), format!("there is no {what} \"{name}\""))
            })?;
            if !found.contains(&id) {
                found.push(id);
            }
        }
        draft.set(column, json!(found));
    }
    Ok(())
}

/// Checks what the fields of a service say together.
pub(crate) fn check_binding(row: &Row, draft: &Draft) -> Result<(), Fault> {
    let mode: Option<String> = row.get("mac_binding")?;
    let macs: Option<Value> = row.get("macs")?;
    let none = macs.and_then(|macs| macs.as_array().map(Vec::is_empty)).unwrap_or(true);
    if mode.as_deref() == Some(MacMode::Fixed.as_str()) && none {
        let detail = "is required where mac_binding is fixed".to_owned();
        return Err(Fault::Invalid(vec![FieldFault::of_one(
            draft,
            &["macs", "mac_binding"],
            detail,
        )]));
    }
    Ok(())
}

/// What applying a template takes.
pub(crate) const TEMPLATE: &[Field] = &[Field::new(
    "template_id",
    Kind::Reference("atp", "attribute_template"),
    Flags::REQUIRED.and(Flags::WRITABLE),
)];

/// Adds the lines of a template to a record's own, those it has already apart.
pub(crate) async fn apply_template(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    id: Uuid,
    expected: Option<i64>,
    arguments: &Draft,
) -> Result<(), Fault> {
    let missing = || Fault::field("/template_id", "there is no such template");
    let template = arguments.id("template_id").ok_or_else(missing)?;
    let args = args![unit.actor.path.as_str(), template];
    let template = unit.fetch_optional(&sql::TEMPLATE, args).await?.ok_or_else(missing)?;
    let before = write::load(unit, entity, id, false).await?;
    let mut draft = Draft::default();
    for (column, max) in [("check_attributes", LINES_MAX), ("reply_attributes", LINES_MAX)] {
        let own = words(&before, column)?;
        let mut all = own.clone();
        all.extend(words(&template, column)?.into_iter().filter(|line| !own.contains(line)));
        if all.len() > max {
            let detail = format!("there would be {} {column}, more than {max}", all.len());
            return Err(Fault::field("/template_id", detail));
        }
        if all != own {
            let replies = all.iter().filter_map(|line| Reply::compile(line).ok());
            let octets: usize = replies.map(|reply| reply.octets().len()).sum();
            if column == "reply_attributes" && octets > REPLY_OCTETS_MAX {
                let detail = format!("{column} would take {octets} octets together");
                return Err(Fault::field("/template_id", detail));
            }
            draft.set(column, json!(all));
        }
    }
    if draft.is_empty() {
        return Ok(());
    }
    write::update_in(unit, entity, id, draft, expected).await?;
    Ok(())
}

fn words(row: &Row, column: &str) -> Result<Vec<String>, Fault> {
    let words: Option<Value> = row.get(column)?;
    Ok(words.and_then(|words| serde_json::from_value(words).ok()).unwrap_or_default())
}

/// Forgets the MAC addresses a service has learned: the next ones that log in are kept.
pub(crate) async fn forget_macs(
    unit: &mut Unit<'_>,
    entity: &'static Entity,
    id: ServiceId,
    expected: Option<i64>,
) -> Result<(), Fault> {
    let before = super::service::load_expected(unit, id, expected).await?;
    let args = args![unit.actor.path.as_str(), id, unit.now, unit.actor.label()];
    if unit.execute(&sql::FORGET_MACS, args).await? == 0 {
        return Ok(());
    }
    let after = write::load(unit, entity, id.0, false).await?;
    unit.policy(Key::Subscriber(id));
    write::record(unit, entity, "macs_cleared", id.0, Some(&before), &after).await?;
    Ok(())
}

/// Whether a service as the API shows it has learned anything.
pub(crate) fn has_learned(service: &Value) -> bool {
    service["mac_binding"] == MacMode::Learn.as_str()
        && service["macs"].as_array().is_some_and(|macs| !macs.is_empty())
}

/// The action that adds the lines of a template.
pub(crate) const APPLY: Action =
    Action { name: "apply", arguments: TEMPLATE, applies: |_| true, ..Action::PLAIN };

/// Keeps a MAC address that `aaad` has learned, unless it has been made to forget it since.
/// Heard of again, it changes nothing.
pub(crate) async fn mac_learned(
    office: &Office,
    service: ServiceId,
    mac: MacAddress,
    nas: NasId,
    generation: u32,
) -> Result<(), Fault> {
    let found = office.db.fetch_optional(&sql::BOUND, args![service]).await?;
    let Some(row) = found else { return Ok(()) };
    let organisation: OrganisationId = row.get("organisation_id")?;
    let actor = Actor::system("aaad", organisation, row.get("path")?);
    let bound = service_sql::service(&row)?.overrides.rules.mac;
    let Some(mut binding) = bound.filter(|own| own.mode == MacMode::Learn) else { return Ok(()) };
    let full = binding.addresses.len() >= usize::from(binding.limit);
    if binding.generation != generation || binding.addresses.contains(&mac) || full {
        return Ok(());
    }
    binding.addresses.push(mac);
    let mut unit = Unit::begin(office, &actor).await?;
    let version: i64 = row.get("version")?;
    let macs = json!(binding.addresses);
    let args = args![service, macs.clone(), version, unit.now, actor.label()];
    if unit.execute(&sql::SET_MACS, args).await? == 0 {
        // Somebody changed it meanwhile: it is looked at again.
        return Err(Fault::Stale);
    }
    let customer: model::CustomerId = row.get("customer_id")?;
    let login: Option<String> = row.get("login")?;
    let payload = json!({"id": service, "customer_id": customer, "login": login, "mac": mac,
        "nas_id": nas, "macs": macs});
    let keys = [Key::Subscriber(service)];
    let event = Event {
        kind: "service.mac_learned",
        entity_id: service.to_string(),
        payload,
        policy: &keys,
    };
    unit.record(organisation, event, None).await?;
    unit.commit().await
}

#[cfg(test)]
mod tests;
