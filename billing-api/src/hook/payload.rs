//! What is sent of an event: `type`, `timestamp`, `data`, as Standard Webhooks recommends.

use model::{OrganisationId, Ts};
use serde_json::{Value, json};

use super::catalogue;
use crate::domain::access::Rights;
use crate::entity::read::conceal;

/// Largest body, octets. Larger records are sent as their id and where to read them.
pub(crate) const BODY_OCTETS_MAX: usize = 20_000;

/// The body for an event. `payload` is the outbox's: `{"type": …, "data": …}`. `own`: the record
/// is the organisation that listens.
pub(crate) fn body(
    kind: &str,
    at: Ts,
    organisation: OrganisationId,
    entity_id: &str,
    payload: &Value,
    own: bool,
) -> String {
    let mut data = payload["data"].clone();
    if own {
        // What is above an organisation is not its own to know.
        data.as_object_mut().map(|data| data.remove("parent_id"));
    }
    if let Some(entity) = catalogue::entity(kind) {
        // Whoever listens has no rights of their own: what takes a permission stays here.
        conceal(entity, &Rights::NONE, &mut data);
    }
    let whole = envelope(kind, at, organisation, data);
    if whole.len() <= BODY_OCTETS_MAX {
        return whole;
    }
    let href = catalogue::path(kind).map(|path| format!("/api/v1/{path}/{entity_id}"));
    let reduced = json!({"id": entity_id, "href": href, "reduced": true});
    envelope(kind, at, organisation, reduced)
}

fn envelope(kind: &str, at: Ts, organisation: OrganisationId, data: Value) -> String {
    json!({"type": kind, "timestamp": at, "organisation_id": organisation, "data": data})
        .to_string()
}

/// The body of a test: the example of a kind, marked as what it is.
pub(crate) fn sample(kind: &str, at: Ts, organisation: OrganisationId, data: &Value) -> String {
    json!({
        "type": kind,
        "timestamp": at,
        "organisation_id": organisation,
        "data": data,
        "test": true,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_parts_of_the_standard() {
        let at = Ts::from_seconds(1_772_357_400);
        let payload = json!({"type": "customer.created", "data": {"id": "cus_1", "name": "Asha"}});
        let organisation = OrganisationId::generate();
        let text = body("customer.created", at, organisation, "cus_1", &payload, false);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["type"], "customer.created");
        assert_eq!(value["timestamp"], "2026-03-01T09:30:00.000000Z");
        assert_eq!(value["organisation_id"], organisation.to_string());
        assert_eq!(value["data"]["name"], "Asha");
    }

    #[test]
    fn an_organisation_does_not_hear_what_is_above_it() {
        let (own, above) = (OrganisationId::generate(), OrganisationId::generate());
        let payload = json!({"data": {"id": own, "name": "North", "parent_id": above}});
        let parent = |is_own| {
            let id = own.to_string();
            let text = body("organisation.updated", Ts(0), own, &id, &payload, is_own);
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["data"]["name"], "North");
            value["data"]["parent_id"].clone()
        };
        assert_eq!(parent(false), above.to_string());
        assert_eq!(parent(true), Value::Null);
    }

    #[test]
    fn a_large_record_is_sent_as_its_id_and_place() {
        let at = Ts::from_seconds(0);
        let payload = json!({"data": {"id": "cus_1", "name": "x".repeat(BODY_OCTETS_MAX)}});
        let text =
            body("customer.created", at, OrganisationId::generate(), "cus_1", &payload, false);
        assert!(text.len() < 500);
        let value: Value = serde_json::from_str(&text).unwrap();
        let wanted = json!({"id": "cus_1", "href": "/api/v1/customers/cus_1", "reduced": true});
        assert_eq!(value["data"], wanted);
    }
}
