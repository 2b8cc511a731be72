//! The ways into a service besides its own login: further logins, MAC addresses, lines and
//! ports. What a packet may be recognised by is `aaad`'s to say (see its `engine::identify`);
//! here the values are made what it looks for.

use model::identity::{CIRCUIT_OCTETS_MAX, LOGIN_OCTETS_MAX, port_key};
use model::identity::{IdentityKind, MacAddress, normalise_login, parse_circuit};
use model::policy::Key;
use model::{EventId, IdentityId, NasId, OrganisationId, Secret, ServiceId};
use serde_json::{Value, json};
use store::{Row, StoreError, args};

use super::service::{self, PASSWORD_OCTETS_MAX};
use super::{Actor, Event, Fault, Input, Office, Unit};
use crate::entity::write::{self, Made};
use crate::store::service::{self as sql, Identity};
use crate::store::{nas, organisation};

/// Ways into one service, at most.
const EACH_MAX: usize = 50;

/// A way in that is to be added.
pub(crate) struct New {
    kind: IdentityKind,
    value: String,
    nas: Option<NasId>,
    password: Option<Secret<String>>,
}

impl New {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = Input::parse(body)?;
        let kind = input.required::<Word>("kind").map(|Word(kind)| kind);
        let text = input.optional_text("value", 2 + 2 * CIRCUIT_OCTETS_MAX);
        if text.is_none() && !input.complained("value") {
            input.missing("value");
        }
        let nas = input.parsed("nas_id");
        let password = input.optional_raw_text("password", PASSWORD_OCTETS_MAX).map(Secret::new);
        let value = match (kind, text) {
            (Some(kind), Some(text)) => match value_of(kind, &text) {
                Ok(value) => Some(value),
                Err(detail) => {
                    input.fault("value", detail);
                    None
                }
            },
            _ => None,
        };
        match kind {
            Some(IdentityKind::Login) if password.is_none() && !input.complained("password") => {
                input.fault("password", "is required: a login always has one");
            }
            Some(IdentityKind::Port) if nas.is_none() && !input.complained("nas_id") => {
                input.fault("nas_id", "is required: a port is one of a NAS");
            }
            Some(kind) if kind != IdentityKind::Port && nas.is_some() => {
                input.fault("nas_id", "goes with a port and nothing else");
            }
            _ => {}
        }
        input.finish()?;
        // What is missing has been said above.
        let (Some(kind), Some(value)) = (kind, value) else {
            return Err(Fault::field("/kind", "is required"));
        };
        Ok(Self { kind, value, nas, password })
    }
}

/// A kind by its word.
struct Word(IdentityKind);

impl std::str::FromStr for Word {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        IdentityKind::from_word(word).map(Self).ok_or("is one of login, circuit, mac, port")
    }
}

/// The lookup key of a value, or the port itself where the NAS is still to come before it.
fn value_of(kind: IdentityKind, text: &str) -> Result<String, String> {
    match kind {
        IdentityKind::Login => {
            let login = normalise_login(text);
            let fits = !login.is_empty() && login.len() <= LOGIN_OCTETS_MAX;
            fits.then_some(login).ok_or(format!("has 1 to {LOGIN_OCTETS_MAX} octets"))
        }
        IdentityKind::Mac => {
            let mac = text.parse::<MacAddress>().map_err(|error| error.to_string())?;
            Ok(mac.key())
        }
        IdentityKind::Circuit | IdentityKind::Port => {
            parse_circuit(text).map_err(|error| error.to_string())
        }
    }
}

/// Adds a way into a service.
pub(crate) async fn add(
    office: &Office,
    actor: &Actor,
    id: ServiceId,
    new: New,
    expected: Option<i64>,
) -> Result<Made, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let before = hold(&mut unit, id, expected).await?;
    let known = identities(&mut unit, id).await?;
    if known.len() >= EACH_MAX {
        let detail = format!("the service has {EACH_MAX} ways in, and that is all it can have");
        return Err(Fault::Conflict { pointer: "", detail });
    }
    let mut value = new.value;
    if let Some(nas) = new.nas {
        let path = actor.path.as_str();
        if unit.fetch_optional(&nas::FIND, args![path, nas]).await?.is_none() {
            return Err(Fault::field("/nas_id", "there is no such NAS"));
        }
        value = of_port(nas, &value);
    }
    let identity = IdentityId::generate();
    let credential = match &new.password {
        Some(password) => {
            Some(office.keyring.seal(&identity.to_string(), password.expose().as_bytes())?)
        }
        None => None,
    };
    let organisation: OrganisationId = before.get("organisation_id")?;
    let (kind, by) = (new.kind.as_str(), actor.label());
    let args = args![
        identity,
        organisation,
        id,
        kind,
        value.as_str(),
        credential.as_ref().map(|_| "clear"),
        credential,
        unit.now,
        by
    ];
    match unit.execute(&sql::INSERT_IDENTITY, args).await {
        Err(StoreError::Unique { .. }) => {
            let detail = format!("a service has the {kind} \"{value}\" already");
            return Err(Fault::Conflict { pointer: "/value", detail });
        }
        other => other?,
    };
    let has_credential = new.password.is_some();
    let added = json!({"id": identity, "kind": kind, "value": value,
        "has_credential": has_credential});
    record(&mut unit, id, "service.identity_added", &before, None, added).await?;
    let made = write::answer(&mut unit, &service::SERVICE, id.0, 200).await?;
    unit.commit().await?;
    Ok(made)
}

/// Takes a way into a service away. Its own login stays.
pub(crate) async fn remove(
    office: &Office,
    actor: &Actor,
    id: ServiceId,
    identity: IdentityId,
    expected: Option<i64>,
) -> Result<Made, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let before = hold(&mut unit, id, expected).await?;
    let known = identities(&mut unit, id).await?;
    let own = known.iter().find(|own| own.id == identity).ok_or(Fault::NotFound("identity"))?;
    let first = known.iter().find(|own| own.kind == IdentityKind::Login).map(|own| own.id);
    if first == Some(identity) {
        let detail = "this is the service's own login; give it another instead".to_owned();
        return Err(Fault::Conflict { pointer: "", detail });
    }
    let (now, by) = (unit.now, actor.label());
    unit.execute(&sql::DELETE_IDENTITY, args![identity, id, now, by]).await?;
    let gone = json!({"id": own.id, "kind": own.kind, "value": own.value,
        "has_credential": own.credential.is_some()});
    record(&mut unit, id, "service.identity_removed", &before, Some(gone.clone()), gone).await?;
    let made = write::answer(&mut unit, &service::SERVICE, id.0, 200).await?;
    unit.commit().await?;
    Ok(made)
}

/// The service, if it is still at the version the caller saw. It is changed before anything is
/// decided: until the unit ends nobody deletes it, and nobody else adds or removes a way in.
async fn hold(unit: &mut Unit<'_>, id: ServiceId, expected: Option<i64>) -> Result<Row, Fault> {
    service::load_expected(unit, id, expected).await?;
    let args = args![unit.actor.path.as_str(), id, unit.now, unit.actor.label()];
    if unit.execute(&sql::TOUCH, args).await? != 1 {
        return Err(Fault::Stale);
    }
    // It may have changed between the two.
    service::load_expected(unit, id, expected.map(|expected| expected + 1)).await
}

async fn identities(unit: &mut Unit<'_>, id: ServiceId) -> Result<Vec<Identity>, Fault> {
    let rows = unit.fetch_all(&sql::IDENTITIES, args![vec![id]]).await?;
    Ok(rows.iter().map(sql::identity).collect::<Result<_, _>>()?)
}

/// The key of a NAS's port, from the key of the port alone.
fn of_port(nas: NasId, port: &str) -> String {
    let mut key = Vec::new();
    port_key(nas, b"", &mut key);
    format!("{}{port}", String::from_utf8_lossy(&key))
}

async fn record(
    unit: &mut Unit<'_>,
    id: ServiceId,
    kind: &str,
    service: &Row,
    before: Option<Value>,
    identity: Value,
) -> Result<(), Fault> {
    let customer: model::CustomerId = service.get("customer_id")?;
    let login: String = service.get("login")?;
    let payload = json!({"id": id, "customer_id": customer, "login": login,
        "identity": identity});
    let before = before.map(|identity| json!({"identity": identity}));
    let event = Event { kind, entity_id: id.to_string(), payload, policy: &[Key::Subscriber(id)] };
    unit.record(service.get("organisation_id")?, event, before).await
}

/// A login that `aaad` blocked: an event for whoever wants to know, once for each `id`.
pub(crate) async fn login_blocked(
    office: &Office,
    id: EventId,
    organisation: OrganisationId,
    blocked: Value,
) -> Result<(), Fault> {
    let known = office.db.fetch_optional(&organisation::FIND, args![organisation]).await?;
    let home = match known {
        Some(row) => row,
        // Nobody's login on nobody's NAS is for whoever runs the network.
        None => office.db.fetch_one(&organisation::FIND_ROOT, args![]).await?,
    };
    let home = organisation::organisation(&home)?;
    let actor = Actor::system("aaad", home.id, home.path);
    let mut unit = Unit::begin(office, &actor).await?;
    let entity_id = ["service_id", "nas_id"].iter().find_map(|name| blocked[*name].as_str());
    let entity_id = entity_id.unwrap_or_default().to_owned();
    let event = Event { kind: "login.blocked", entity_id, payload: blocked, policy: &[] };
    unit.identify(id);
    record_once(unit, home.id, event).await
}

/// Records an event whose id may be known already: then it was recorded before.
pub(super) async fn record_once(
    mut unit: Unit<'_>,
    organisation: OrganisationId,
    event: Event<'_>,
) -> Result<(), Fault> {
    match unit.record(organisation, event, None).await {
        Err(Fault::Internal(source)) if is_taken(source.as_ref()) => Ok(()),
        recorded => {
            recorded?;
            unit.commit().await
        }
    }
}

/// Whether the database refused because there is such a row already.
fn is_taken(source: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(source.downcast_ref::<StoreError>(), Some(StoreError::Unique { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(body: &str) -> Vec<(String, String)> {
        match New::parse(body.as_bytes()) {
            Err(Fault::Invalid(faults)) => {
                faults.into_iter().map(|fault| (fault.pointer, fault.detail)).collect()
            }
            Err(other) => panic!("{body}: {other}"),
            Ok(_) => panic!("accepted {body}"),
        }
    }

    #[test]
    fn a_way_in_is_made_what_the_network_looks_for() {
        for (body, value) in [
            (r#"{"kind":"mac","value":"AA-BB-CC-DD-EE-FF"}"#, "aabbccddeeff"),
            (r#"{"kind":"circuit","value":"olt1 eth 0/1"}"#, "olt1 eth 0/1"),
            (r#"{"kind":"circuit","value":"0x00FF"}"#, "0x00ff"),
            (r#"{"kind":"login","value":" Asha2 ","password":"x"}"#, "asha2"),
        ] {
            assert_eq!(New::parse(body.as_bytes()).unwrap_or_else(|e| panic!("{e}")).value, value);
        }
        let nas = NasId::generate();
        assert_eq!(of_port(nas, "ether1"), format!("{nas}/ether1"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (body, pointer) in [
            ("{}", "/kind"),
            (r#"{"kind":"imei","value":"1"}"#, "/kind"),
            (r#"{"kind":"mac"}"#, "/value"),
            (r#"{"kind":"mac","value":"aa:bb"}"#, "/value"),
            (r#"{"kind":"circuit","value":"0xz"}"#, "/value"),
            (r#"{"kind":"login","value":"asha2"}"#, "/password"),
            (r#"{"kind":"port","value":"ether1"}"#, "/nas_id"),
            (r#"{"kind":"mac","value":"aabbccddeeff","x":1}"#, "/x"),
        ] {
            let faults = faults(body);
            assert!(faults.iter().any(|(own, _)| own == pointer), "{body}: {faults:?}");
        }
    }
}
