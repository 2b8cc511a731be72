//! Every type of event there is, with an example of what is sent.
//!
//! Events of described entities follow from their descriptions; those of typed code are listed
//! here. A test compares the list with what the sources name, and in every other test an event
//! that is not listed is a failure.

use std::sync::OnceLock;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::entity::registry::ENTITIES;
use crate::entity::{Entity, Kind};

/// One type of event, as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EventType {
    /// `record.verb`, the verb in the past.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// When it happens.
    pub(crate) description: String,
    /// What `data` may look like.
    pub(crate) example: Value,
}

/// An event of typed code.
struct Typed {
    kind: &'static str,
    description: &'static str,
    /// The example, as JSON.
    example: &'static str,
}

const SERVICE: &str = r#"{"id":"svc_06a8k2v7c4tq9d3m5n1p8r2s6w","customer_id":"cus_06a8k2v7c4tq9d3m5n1p8r2s6w","plan_id":"pln_06a8k2v7c4tq9d3m5n1p8r2s6w","login":"asha","status":"active","holds":[],"version":2}"#;
const CLIENT: &str = r#"{"id":"rcl_06a8k2v7c4tq9d3m5n1p8r2s6w","source":"192.0.2.0/24"}"#;
const IDENTITY: &str = r#"{"id":"svc_06a8k2v7c4tq9d3m5n1p8r2s6w","customer_id":"cus_06a8k2v7c4tq9d3m5n1p8r2s6w","login":"asha","identity":{"id":"idn_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"mac","value":"020000000007","has_credential":false}}"#;
const WEBHOOK: &str = r#"{"id":"whk_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"CRM","url":"https://crm.example/hook","events":["customer.*"],"enabled":true,"version":1}"#;

const STAFF: &str =
    r#"{"id":"usr_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"Asha Rai","email":"asha@isp.example"}"#;
const EMPLOYED: &str = r#"{"id":"usr_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"Asha Rai","email":"asha@isp.example","status":"active","role_id":"rol_06a8k2v7c4tq9d3m5n1p8r2s6w"}"#;
const TOKEN: &str = r#"{"id":"tok_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"CRM","scopes":["read"]}"#;

const LETTER: &str = r#"{"id":"mai_06a8k2v7c4tq9d3m5n1p8r2s6w","subject":"Your file is ready","recipient":"asha@isp.example","kind":"export_ready","state":"failed","code":550,"error":"the mail server says 550: no such user"}"#;
const EXPORTED: &str = r#"{"id":"exp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","format":"csv","row_count":25000,"file_name":"customers-2026-03-01.csv"}"#;

const PAID: &str = r#"{"id":"pay_06a8k2v7c4tq9d3m5n1p8r2s6w","number":1001,"customer_id":"cus_06a8k2v7c4tq9d3m5n1p8r2s6w","amount":{"amount":2999,"currency":"USD"},"method":"cash","received_on":"2026-03-01","status":"posted","refunded":{"amount":0,"currency":"USD"}}"#;

/// Events of typed code.
const TYPED: &[Typed] = &[
    Typed {
        kind: "staff.signed_in",
        description: "Somebody signed in to the console.",
        example: r#"{"id":"usr_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"Asha Rai","email":"asha@isp.example","address":"192.0.2.10","second_factor":true}"#,
    },
    Typed {
        kind: "staff.sign_in_failed",
        description: "Attempts to sign in as somebody failed.",
        example: r#"{"id":"usr_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"Asha Rai","email":"asha@isp.example","failures":3,"address":"198.51.100.66"}"#,
    },
    Typed {
        kind: "staff.password_changed",
        description: "Somebody has a new password.",
        example: STAFF,
    },
    Typed {
        kind: "staff.link_issued",
        description: "A link to set a password with was made for somebody.",
        example: EMPLOYED,
    },
    Typed {
        kind: "staff.second_factor_enabled",
        description: "Somebody turned their second factor on.",
        example: STAFF,
    },
    Typed {
        kind: "staff.second_factor_disabled",
        description: "Somebody's second factor was turned off.",
        example: STAFF,
    },
    Typed {
        kind: "staff.recovery_codes_renewed",
        description: "Somebody made new recovery codes.",
        example: STAFF,
    },
    Typed {
        kind: "staff.sessions_ended",
        description: "Somebody's sessions were ended.",
        example: STAFF,
    },
    Typed { kind: "staff.enabled", description: "Somebody may sign in again.", example: EMPLOYED },
    Typed {
        kind: "staff.disabled",
        description: "Somebody may sign in no more.",
        example: EMPLOYED,
    },
    Typed {
        kind: "staff.unlocked",
        description: "What was failed at in somebody's name was forgotten.",
        example: EMPLOYED,
    },
    Typed {
        kind: "staff.linked",
        description: "Somebody came in through an identity provider for the first time.",
        example: EMPLOYED,
    },
    Typed {
        kind: "staff.unlinked",
        description: "No identity provider knows somebody any more.",
        example: EMPLOYED,
    },
    Typed {
        kind: "identity_provider.checked",
        description: "An identity provider was asked what it offers.",
        example: r#"{"id":"idp_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"Google","issuer":"https://accounts.google.com","check_problem":null}"#,
    },
    Typed {
        kind: "identity_provider.released",
        description: "Passwords are taken again beside the identity providers of the root.",
        example: r#"{"id":"org_06a8k2v7c4tq9d3m5n1p8r2s6w","released":1}"#,
    },
    Typed {
        kind: "identity_provider.refused",
        description: "Somebody who came through an identity provider was not let in.",
        example: r#"{"id":"idp_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"Google","reason":"email_unverified","email":"asha@isp.example","address":"192.0.2.7"}"#,
    },
    Typed {
        kind: "staff.role_changed",
        description: "Somebody was given another role.",
        example: EMPLOYED,
    },
    Typed {
        kind: "staff.impersonation_started",
        description: "Somebody began to act as another.",
        example: EMPLOYED,
    },
    Typed {
        kind: "staff.impersonation_ended",
        description: "Somebody stopped acting as another.",
        example: r#"{"id":"usr_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"Asha Rai"}"#,
    },
    Typed { kind: "token.created", description: "An API token was made.", example: TOKEN },
    Typed {
        kind: "token.rotated",
        description: "An API token was given a new secret.",
        example: TOKEN,
    },
    Typed {
        kind: "plan.followed",
        description: "Services followed their plan to a new version, many at once.",
        example: r#"{"id":"pln_06a8k2v7c4tq9d3m5n1p8r2s6w","services":500}"#,
    },
    Typed {
        kind: "plan.seeded",
        description: "Services to measure with were created, many at once.",
        example: r#"{"first":"u0000000","last":"u0000999"}"#,
    },
    Typed {
        kind: "organisation.seeded",
        description: "Customers to measure with were created, many at once.",
        example: r#"{"first":"n0000000","last":"n0004999"}"#,
    },
    Typed {
        kind: "service.suspended",
        description: "A hold was placed on a service.",
        example: r#"{"id":"svc_06a8k2v7c4tq9d3m5n1p8r2s6w","customer_id":"cus_06a8k2v7c4tq9d3m5n1p8r2s6w","login":"asha","status":"held","holds":[{"reason":"nonpayment","network":"garden","billing":"off","owner":"billing"}],"version":3}"#,
    },
    Typed {
        kind: "service.activated",
        description: "A hold on a service was lifted.",
        example: SERVICE,
    },
    Typed {
        kind: "service.identity_added",
        description: "A service was given another way in.",
        example: IDENTITY,
    },
    Typed {
        kind: "service.identity_removed",
        description: "A way into a service was taken away.",
        example: IDENTITY,
    },
    Typed {
        kind: "service.mac_learned",
        description: "A service that is bound to the first MAC addresses logged in from a new one.",
        example: r#"{"id":"svc_06a8k2v7c4tq9d3m5n1p8r2s6w","customer_id":"cus_06a8k2v7c4tq9d3m5n1p8r2s6w","login":"asha","mac":"02:00:00:00:00:07","nas_id":"nas_06a8k2v7c4tq9d3m5n1p8r2s6w","macs":["02:00:00:00:00:07"]}"#,
    },
    Typed {
        kind: "service.macs_cleared",
        description: "A service forgot the MAC addresses it was bound to; the next ones are kept.",
        example: SERVICE,
    },
    Typed {
        kind: "login.blocked",
        description: "A login failed so often from one station that it is refused from there for a while.",
        example: r#"{"login":"asha","station":"02:00:00:00:00:07","nas_id":"nas_06a8k2v7c4tq9d3m5n1p8r2s6w","service_id":"svc_06a8k2v7c4tq9d3m5n1p8r2s6w","failures":20,"at":"2026-03-01T09:30:00Z","until":"2026-03-01T09:35:00Z"}"#,
    },
    Typed {
        kind: "nas.signing_required",
        description: "A NAS has shown that it signs its requests; unsigned ones are refused from now on.",
        example: r#"{"id":"nas_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"tower-7","message_authenticator":"require","version":2}"#,
    },
    Typed {
        kind: "pool.exhausted",
        description: "An address pool had nothing left, and logins were refused; told every ten minutes at most.",
        example: r#"{"id":"pol_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"home","logins":12,"at":"2026-03-01T09:30:00Z"}"#,
    },
    Typed {
        kind: "nas.seen",
        description: "A NAS nobody registered was heard of.",
        example: r#"{"id":"nas_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"tower-7","source":"192.0.2.7","client_id":"rcl_06a8k2v7c4tq9d3m5n1p8r2s6w"}"#,
    },
    Typed {
        kind: "radius_client.created",
        description: "A RADIUS client was created.",
        example: CLIENT,
    },
    Typed {
        kind: "radius_client.secret_changed",
        description: "A RADIUS client was given a new secret.",
        example: CLIENT,
    },
    Typed {
        kind: "backup.finished",
        description: "A backup was made, and restored to prove it where that is asked for.",
        example: r#"{"id":"run_06a8k2v7c4tq9d3m5n1p8r2s6w","file":"/srv/backups/lastmile-20260301T023000Z.backup","octets":1048576,"rows":250000,"removed":1,"verified":true}"#,
    },
    Typed {
        kind: "backup.failed",
        description: "A backup was not made, or does not restore to what was backed up.",
        example: r#"{"id":"run_06a8k2v7c4tq9d3m5n1p8r2s6w","step":"verify","error":"the backup restores to something else: billing: customer: 3 rows, backed up were 4 rows","file":"/srv/backups/lastmile-20260301T023000Z.backup"}"#,
    },
    Typed {
        kind: "organisation.moved",
        description: "An organisation was put below another.",
        example: r#"{"id":"org_06a8k2v7c4tq9d3m5n1p8r2s6w","parent_id":"org_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"partner","name":"North","version":1}"#,
    },
    Typed {
        kind: "settings.changed",
        description: "Settings of an organisation were changed.",
        example: r#"{"id":"org_06a8k2v7c4tq9d3m5n1p8r2s6w","operation.zone":"Asia/Kolkata"}"#,
    },
    Typed {
        kind: "modules.changed",
        description: "Modules of an organisation were switched.",
        example: r#"{"id":"org_06a8k2v7c4tq9d3m5n1p8r2s6w","billing.invoices":false}"#,
    },
    Typed {
        kind: "export.started",
        description: "Records began to leave as a file.",
        example: r#"{"id":"exp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","format":"csv","rows":1200}"#,
    },
    Typed {
        kind: "export.finished",
        description: "Records left as a file.",
        example: r#"{"id":"exp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","format":"csv","rows":1200}"#,
    },
    Typed {
        kind: "export.fetched",
        description: "Somebody fetched the file of an export that was made in the background.",
        example: EXPORTED,
    },
    Typed {
        kind: "payment.refunded",
        description: "Some of a payment, or all of it, was given back.",
        example: PAID,
    },
    Typed {
        kind: "payment.reversed",
        description: "A payment that was entered by mistake was taken back.",
        example: PAID,
    },
    Typed {
        kind: "adjustment.reversed",
        description: "A charge or credit by hand was taken back.",
        example: r#"{"id":"adj_06a8k2v7c4tq9d3m5n1p8r2s6w","customer_id":"cus_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"credit","amount":{"amount":500,"currency":"USD"},"booked_on":"2026-03-01","reason":"two days without service","status":"reversed"}"#,
    },
    Typed {
        kind: "mail.failed",
        description: "A letter was given up: the server refused it, or did not answer for days.",
        example: LETTER,
    },
    Typed {
        kind: "mail.retried",
        description: "A letter that had failed is sent again.",
        example: LETTER,
    },
    Typed {
        kind: "mail_server.tested",
        description: "A test letter was sent by a mail server.",
        example: r#"{"id":"mas_06a8k2v7c4tq9d3m5n1p8r2s6w","host":"mail.isp.example","port":587,"tls":"starttls"}"#,
    },
    Typed {
        kind: "export.broken",
        description: "A file was not taken to its end.",
        example: r#"{"id":"exp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","format":"csv","rows":1200}"#,
    },
    Typed {
        kind: "import.uploaded",
        description: "A file with records came.",
        example: r#"{"id":"imp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","file_name":"customers.csv","state":"uploaded"}"#,
    },
    Typed {
        kind: "import.mapped",
        description: "The columns of a file were given fields.",
        example: r#"{"id":"imp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","file_name":"customers.csv","state":"uploaded"}"#,
    },
    Typed {
        kind: "import.checking",
        description: "A file began to be tried.",
        example: r#"{"id":"imp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","file_name":"customers.csv","state":"uploaded"}"#,
    },
    Typed {
        kind: "import.started",
        description: "A file's records began to be taken in.",
        example: r#"{"id":"imp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","file_name":"customers.csv","state":"uploaded"}"#,
    },
    Typed {
        kind: "import.fetched",
        description: "Somebody fetched the rows of a file that failed.",
        example: r#"{"id":"imp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","file_name":"customers.csv","state":"finished"}"#,
    },
    Typed {
        kind: "import.undone",
        description: "What a file had brought was taken back.",
        example: r#"{"id":"imp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","file_name":"customers.csv","state":"uploaded"}"#,
    },
    Typed {
        kind: "import.checked",
        description: "A file was tried.",
        example: r#"{"id":"imp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","file_name":"customers.csv","state":"finished"}"#,
    },
    Typed {
        kind: "import.finished",
        description: "A file's records were taken in.",
        example: r#"{"id":"imp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","file_name":"customers.csv","state":"finished"}"#,
    },
    Typed {
        kind: "import.broken",
        description: "A file could not be taken in to its end.",
        example: r#"{"id":"imp_06a8k2v7c4tq9d3m5n1p8r2s6w","entity":"customer","file_name":"customers.csv","state":"finished"}"#,
    },
    Typed {
        kind: "job.created",
        description: "A job came with a new version of the program.",
        example: r#"{"id":"job_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"outbox.purge","enabled":true,"version":1}"#,
    },
    Typed {
        kind: "job_run.queued",
        description: "A run of a job was queued.",
        example: r#"{"id":"run_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"purge","state":"queued","version":2}"#,
    },
    Typed {
        kind: "job_run.cancel_requested",
        description: "Somebody asked a run to end.",
        example: r#"{"id":"run_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"purge","state":"running","version":2}"#,
    },
    Typed {
        kind: "job_run.cancelled",
        description: "A run was cancelled.",
        example: r#"{"id":"run_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"purge","state":"cancelled","version":2}"#,
    },
    Typed {
        kind: "job_run.succeeded",
        description: "A run succeeded.",
        example: r#"{"id":"run_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"purge","state":"succeeded","version":2}"#,
    },
    Typed {
        kind: "job_run.partial",
        description: "A run did a part of its work.",
        example: r#"{"id":"run_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"purge","state":"partial","version":2}"#,
    },
    Typed {
        kind: "job_run.failed",
        description: "A run failed.",
        example: r#"{"id":"run_06a8k2v7c4tq9d3m5n1p8r2s6w","kind":"purge","state":"failed","version":2}"#,
    },
    Typed {
        kind: "webhook.disabled",
        description: "A webhook was switched off because nobody listens there any more (410), \
                      or because it failed for days.",
        example: r#"{"id":"whk_06a8k2v7c4tq9d3m5n1p8r2s6w","name":"CRM","url":"https://crm.example/hook","events":["customer.*"],"enabled":false,"disabled_reason":"gone","version":4}"#,
    },
    Typed {
        kind: "webhook.secret_rotated",
        description: "A webhook was given a new secret.",
        example: WEBHOOK,
    },
    Typed {
        kind: "webhook.secret_revealed",
        description: "Somebody looked at a webhook's secret.",
        example: WEBHOOK,
    },
    Typed {
        kind: "webhook.tested",
        description: "Somebody sent a test to a webhook.",
        example: r#"{"id":"whk_06a8k2v7c4tq9d3m5n1p8r2s6w","event_type":"customer.created","status":200,"error":null}"#,
    },
    Typed {
        kind: "webhook.replayed",
        description: "Somebody had deliveries sent again.",
        example: r#"{"id":"whk_06a8k2v7c4tq9d3m5n1p8r2s6w","delivery_id":null,"since":"2026-03-01T09:30:00.000000Z","deliveries":17}"#,
    },
];

/// What happens to every described entity.
const VERBS: &[&str] = &["created", "updated", "deleted", "restored", "purged"];

/// Every type, by name.
pub(crate) fn all() -> Vec<EventType> {
    let mut all: Vec<EventType> = TYPED
        .iter()
        .map(|typed| EventType {
            kind: typed.kind.to_owned(),
            description: typed.description.to_owned(),
            // A test reads each of them.
            example: serde_json::from_str(typed.example).unwrap_or_default(),
        })
        .collect();
    for entity in ENTITIES {
        for verb in VERBS {
            let kind = format!("{}.{verb}", entity.name);
            if all.iter().all(|listed| listed.kind != kind) {
                let name = entity.name.replace('_', " ");
                let description = format!("A {name} was {verb}.");
                all.push(EventType { kind, description, example: example(entity) });
            }
        }
    }
    all.sort_by(|a, b| a.kind.cmp(&b.kind));
    all
}

/// The names alone.
pub(crate) fn kinds() -> Vec<String> {
    all().into_iter().map(|listed| listed.kind).collect()
}

/// Whether a kind is listed.
pub(crate) fn knows(kind: &str) -> bool {
    static KINDS: OnceLock<Vec<String>> = OnceLock::new();
    KINDS.get_or_init(kinds).binary_search_by(|known| known.as_str().cmp(kind)).is_ok()
}

/// The resource under which the record of an event is found: `customers` for
/// `customer.created`.
pub(crate) fn path(kind: &str) -> Option<&'static str> {
    entity(kind).map(|entity| entity.path)
}

/// The description of the record an event is about: that of customers for `customer.created`.
pub(crate) fn entity(kind: &str) -> Option<&'static Entity> {
    let name = kind.split_once('.').map_or(kind, |(name, _)| name);
    ENTITIES.iter().copied().find(|entity| entity.name == name)
}

/// An id that is nobody's.
const EXAMPLE_ID: &str = "06a8k2v7c4tq9d3m5n1p8r2s6w";
/// The instant of the examples.
const EXAMPLE_TIME: &str = "2026-03-01T09:30:00.000000Z";

fn example(entity: &Entity) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), json!(format!("{}_{EXAMPLE_ID}", entity.prefix)));
    for field in entity.fields.iter().filter(|field| field.is_column()) {
        fields.insert(field.name.to_owned(), value(field.name, field.kind));
    }
    fields.insert("version".to_owned(), json!(1));
    Value::Object(fields)
}

/// A value a field may have.
fn value(name: &str, kind: Kind) -> Value {
    match kind {
        Kind::Text(_) | Kind::LongText(_) => json!(format!("a {}", name.replace('_', " "))),
        Kind::Email => json!("asha@example.net"),
        Kind::Integer(least, _) | Kind::Rate(least, _) | Kind::Seconds(least, _) => json!(least),
        Kind::Flag => json!(true),
        Kind::Time => json!(EXAMPLE_TIME),
        Kind::Date => json!("2026-03-01"),
        Kind::Zone => json!("Asia/Kolkata"),
        Kind::Choice(words) => json!(words.first()),
        Kind::Reference(prefix, _) => json!(format!("{prefix}_{EXAMPLE_ID}")),
        Kind::Address => json!("192.0.2.1"),
        Kind::Network => json!("192.0.2.0/24"),
        Kind::Money => json!({"amount": 99900, "currency": "INR"}),
        Kind::Words(..) => json!(["a word"]),
        Kind::Map(names, _) => json!({names.first().copied().unwrap_or_default(): "a name"}),
        Kind::Document(_) => json!({}),
        // Never shown.
        Kind::Secret(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::jobs::registry as jobs;

    fn sources(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, files);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                files.push(path);
            }
        }
    }

    /// `record.verb` in lower case, the verb in the past: names of modules and permissions look
    /// the same otherwise.
    fn is_kind(text: &str) -> bool {
        let word = |w: &str| {
            w.starts_with(|c: char| c.is_ascii_lowercase())
                && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        let past = [
            "ed",
            "signed_in",
            "seen",
            "sent",
            "paid",
            "lost",
            "run",
            "partial",
            "broken",
            "undone",
            "checking",
        ];
        text.split_once('.').is_some_and(|(entity, verb)| {
            word(entity) && word(verb) && past.iter().any(|end| verb.ends_with(end))
        })
    }

    /// Texts that look like an event, in files that record events: above the tests.
    fn recorded() -> BTreeSet<String> {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
        let mut kinds = BTreeSet::new();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if !code.contains("Event {") {
                continue;
            }
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in lines {
                let quoted = line.split('"').skip(1).step_by(2);
                kinds.extend(quoted.filter(|text| is_kind(text)).map(str::to_owned));
            }
        }
        kinds
    }

    #[test]
    fn every_event_the_sources_name_is_listed() {
        let recorded = recorded();
        assert!(recorded.contains("radius_client.created"), "{recorded:?}");
        assert!(recorded.contains("webhook.disabled"), "{recorded:?}");
        // Kinds of jobs look the same.
        let job = |kind: &str| jobs::find(jobs::KINDS, kind).is_some();
        let missing = recorded.iter().filter(|kind| !knows(kind) && !job(kind));
        let missing: Vec<_> = missing.collect();
        assert!(missing.is_empty(), "add to hook/catalogue.rs: {missing:?}");
        assert!(!knows("customer.eaten") && knows("customer.created"));
    }

    #[test]
    fn every_type_is_listed_once_with_an_example_that_reads() {
        let all = all();
        for pair in all.windows(2) {
            assert!(pair[0].kind < pair[1].kind, "{} twice", pair[0].kind);
        }
        for listed in all {
            assert!(is_kind(&listed.kind), "{}", listed.kind);
            assert!(listed.description.ends_with('.'), "{}", listed.kind);
            assert!(listed.example.is_object(), "{}", listed.kind);
        }
    }

    #[test]
    fn described_entities_have_their_events_and_records_their_place() {
        let kinds = kinds();
        for verb in VERBS {
            assert!(kinds.contains(&format!("label.{verb}")), "{verb}");
        }
        assert_eq!(path("label.created"), Some("labels"));
        assert_eq!(path("customer.created"), Some("customers"));
        assert_eq!(path("nobody.created"), None);
    }
}
