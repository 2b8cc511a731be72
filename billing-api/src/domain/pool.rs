//! Address pools that `aaad` leases from, and the groups of NAS that may use them.
//!
//! An address is of one pool in the whole installation: there is one routing domain. What a
//! service has as its own may lie in a pool; `aaad` leases it to nobody else.

use ipnetwork::{IpNetwork, Ipv6Network};
use model::policy::Key;
use model::pool::{LEASE_S, Pool, PoolUsage, RANGES_MAX, Range, UNITS_MAX};
use model::{EventId, NasGroupId, OrganisationId, PoolId, Ts};
use serde_json::{Value as Json, json};
use store::{Row, args};

use super::organisation::lock_tree;
use super::plan::YEAR_S;
use super::{Actor, Event, Fault, FieldFault, Input, Office, Unit};
use crate::entity::{
    Draft, Entity, Field, Flags, Hooks, Kind, Scope, Source, Unique, Verb, Written,
};
use crate::store::organisation;
use crate::store::pool as sql;

/// Shortest lease: two interims of the usual length.
const LEASE_S_MIN: i64 = 600;

const NAME: Field = Field::new(
    "name",
    Kind::Text(100),
    Flags::REQUIRED
        .and(Flags::WRITABLE)
        .and(Flags::SORTABLE)
        .and(Flags::FILTERABLE)
        .and(Flags::SEARCHED)
        .and(Flags::LISTED),
);

/// A group of NAS: those that may use the same address pools.
pub(crate) const NAS_GROUP: Entity = Entity {
    name: "nas_group",
    path: "nas-groups",
    table: "nas_group",
    prefix: NasGroupId::PREFIX,
    scope: Scope::Inherited,
    permission: "network",
    module: Some("network.routers"),
    unique: &[Unique::within(&["name"])],
    fields: &[
        NAME,
        Field::new("description", Kind::LongText(500), Flags::WRITABLE.and(Flags::LISTED)),
    ],
    hooks: Hooks {
        before: |unit, verb, _, row| Box::pin(before_group(unit, verb, row)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

/// An address pool.
pub(crate) const POOL: Entity = Entity {
    name: "pool",
    path: "pools",
    table: "pool",
    prefix: PoolId::PREFIX,
    scope: Scope::Inherited,
    permission: "network",
    module: Some("network.ipv4_pools"),
    unique: &[Unique::within(&["name"])],
    fields: &[
        NAME,
        Field::new(
            "nas_group_id",
            Kind::Reference(NasGroupId::PREFIX, "nas_group"),
            Flags::WRITABLE.and(Flags::FILTERABLE).and(Flags::LISTED),
        ),
        Field::new("ipv4", Kind::Words(RANGES_MAX, 40), Flags::WRITABLE.and(Flags::LISTED)),
        Field::new("ipv6_prefix", Kind::Network, Flags::WRITABLE.and(Flags::LISTED)).within("ipv6"),
        Field::new("ipv6_length", Kind::Integer(17, 64), Flags::WRITABLE).within("ipv6"),
        Field::new("delegated_prefix", Kind::Network, Flags::WRITABLE).within("ipv6"),
        Field::new("delegated_length", Kind::Integer(17, 64), Flags::WRITABLE).within("ipv6"),
        Field::new(
            "lease_s",
            Kind::Seconds(LEASE_S_MIN, YEAR_S),
            Flags::WRITABLE.and(Flags::FILLED),
        ),
        Field::new("used_percent", Kind::Integer(0, 100), Flags::LISTED),
        Field::new("usage", Kind::Document(None), Flags::COMPUTED),
    ],
    hooks: Hooks {
        check,
        before: |unit, verb, draft, row| Box::pin(before(unit, verb, draft, row)),
        after: |unit, written| Box::pin(after(unit, written)),
        extend: |source, rows| Box::pin(extend(source, rows)),
        // Two that are made at once must not have an address in common either.
        hold: |unit| Box::pin(lock_tree(unit)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

async fn before_group(unit: &mut Unit<'_>, verb: Verb, row: Option<&Row>) -> Result<(), Fault> {
    let (Verb::Deleted, Some(row)) = (verb, row) else { return Ok(()) };
    let used = unit.fetch_one(&sql::GROUP_IN_USE, args![row.get::<NasGroupId>("id")?]).await?;
    let (nas, pools): (i64, i64) = (used.get("nas")?, used.get("pools")?);
    if nas + pools == 0 {
        return Ok(());
    }
    let detail = format!("it still has NAS ({nas}) and pools ({pools}); change them first");
    Err(Fault::Conflict { pointer: "", detail })
}

/// Checks what one field alone says.
fn check(draft: &Draft, input: &mut Input) {
    if let Some(Json::Array(items)) = draft.json("ipv4") {
        let mut ranges: Vec<Range> = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let field = format!("ipv4/{n}");
            match item.as_str().unwrap_or_default().parse::<Range>() {
                Err(error) => input.fault(&field, error.to_string()),
                Ok(range) => {
                    if let Some(other) = ranges.iter().find(|other| other.overlaps(&range)) {
                        input.fault(&field, format!("overlaps {other}"));
                    }
                    ranges.push(range);
                }
            }
        }
        let units: u64 = ranges.iter().map(|range| u64::from(range.len())).sum();
        if units > u64::from(UNITS_MAX) {
            input.fault("ipv4", format!("has more than {UNITS_MAX} addresses"));
        }
    }
    for field in ["ipv6_prefix", "delegated_prefix"] {
        match draft.net(field) {
            Some(IpNetwork::V4(_)) => input.fault(field, "is not an IPv6 prefix"),
            Some(IpNetwork::V6(net)) if net.network() != net.ip() => {
                let net = format!("{}/{}", net.network(), net.prefix());
                input.fault(field, format!("has bits behind its length; {net} has none"));
            }
            Some(IpNetwork::V6(net)) if net.prefix() < 16 || !is_usable(&net) => {
                input.fault(field, "is not a prefix for subscribers");
            }
            _ => {}
        }
    }
}

/// Whether a prefix is of those that subscribers can have: global unicast and unique local.
fn is_usable(net: &Ipv6Network) -> bool {
    let first = net.network().segments()[0];
    (first & 0xe000) == 0x2000 || (first & 0xfe00) == 0xfc00
}

async fn before(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &mut Draft,
    row: Option<&Row>,
) -> Result<(), Fault> {
    if verb == Verb::Created {
        draft.fill("lease_s", i64::from(LEASE_S));
    }
    let (Verb::Deleted, Some(row)) = (verb, row) else { return Ok(()) };
    let used = unit.fetch_one(&sql::IN_USE, args![row.get::<PoolId>("id")?]).await?;
    let (plans, services): (i64, i64) = (used.get("plans")?, used.get("services")?);
    if plans + services == 0 {
        return Ok(());
    }
    let detail =
        format!("plans ({plans}) and services ({services}) lease from it; change them first");
    Err(Fault::Conflict { pointer: "", detail })
}

async fn after(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    unit.policy(Key::Pool(PoolId(written.id)));
    if written.verb == Verb::Deleted {
        return Ok(());
    }
    check_row(written.after, written.draft)?;
    let own = sql::pool(written.after)?;
    let mut faults = Vec::new();
    for row in unit.fetch_all(&sql::OTHERS, args![own.id]).await? {
        let other = sql::pool(&row)?;
        if let Some(field) = overlap(&own, &other) {
            // Whose it is and what it has may be nobody's business.
            let name = (other.organisation == own.organisation).then_some(other.name);
            let name = name.map_or_else(|| "another pool".to_owned(), |n| format!("pool \"{n}\""));
            faults.push(FieldFault {
                pointer: format!("/{field}"),
                detail: format!("has addresses of {name}"),
            });
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Fault::Invalid(faults)) }
}

/// Checks what fields say together. Of two that do not go together, the one that was given now
/// is blamed.
fn check_row(row: &Row, draft: &Draft) -> Result<(), Fault> {
    let (mut faults, mut missing) = (Vec::new(), Vec::new());
    let mut fault = |fields: [&str; 2], detail: String| {
        faults.push(FieldFault::of_one(draft, &fields, detail));
    };
    let mut any =
        matches!(row.get::<Option<Json>>("ipv4")?, Some(Json::Array(ranges)) if !ranges.is_empty());
    for [prefix, length] in
        [["ipv6_prefix", "ipv6_length"], ["delegated_prefix", "delegated_length"]]
    {
        let given: (Option<IpNetwork>, Option<i64>) = (row.get(prefix)?, row.get(length)?);
        any |= given.0.is_some();
        match given {
            (None, None) => {}
            // Whatever was given now, this is what lacks.
            (Some(_), None) => missing.push(FieldFault {
                pointer: format!("/{length}"),
                detail: format!("is required beside {prefix}"),
            }),
            (None, Some(_)) => {
                fault([length, prefix], format!("{length} means nothing without {prefix}"));
            }
            (Some(net), Some(bits)) => {
                let more = bits - i64::from(net.prefix());
                if more < 0 {
                    let detail = format!("{length} is shorter than {prefix} itself");
                    fault([length, prefix], detail);
                } else if more > i64::from(UNITS_MAX.ilog2()) {
                    let detail = format!("a pool has {UNITS_MAX} prefixes at most");
                    fault([prefix, length], detail);
                }
            }
        }
    }
    if !any {
        fault(["ipv4", "ipv6_prefix"], "a pool has addresses or prefixes".to_owned());
    }
    let own = |field: &str| row.get::<Option<IpNetwork>>(field);
    if let (Some(IpNetwork::V6(link)), Some(IpNetwork::V6(delegated))) =
        (own("ipv6_prefix")?, own("delegated_prefix")?)
        && nested(&link, &delegated)
    {
        let detail = "ipv6_prefix and delegated_prefix have addresses in common".to_owned();
        fault(["delegated_prefix", "ipv6_prefix"], detail);
    }
    faults.extend(missing);
    if faults.is_empty() { Ok(()) } else { Err(Fault::Invalid(faults)) }
}

fn nested(a: &Ipv6Network, b: &Ipv6Network) -> bool {
    a.contains(b.network()) || b.contains(a.network())
}

/// The field by which a pool has addresses of another.
fn overlap(own: &Pool, other: &Pool) -> Option<&'static str> {
    if own.ipv4.iter().any(|a| other.ipv4.iter().any(|b| a.overlaps(b))) {
        return Some("ipv4");
    }
    let theirs: Vec<Ipv6Network> =
        [other.ipv6, other.delegated].into_iter().flatten().map(|part| part.from).collect();
    [("ipv6_prefix", own.ipv6), ("delegated_prefix", own.delegated)].into_iter().find_map(
        |(field, part)| {
            let part = part?.from;
            theirs.iter().any(|other| nested(&part, other)).then_some(field)
        },
    )
}

/// Adds what `aaad` said last of how full pools are.
async fn extend(mut source: Source<'_, '_>, rows: &mut [Json]) -> Result<(), Fault> {
    let ids: Vec<PoolId> = rows.iter().filter_map(|row| row["id"].as_str()?.parse().ok()).collect();
    for told in source.fetch_all(&sql::USAGE, args![ids]).await? {
        let id = told.get::<PoolId>("id")?.to_string();
        let (usage, at): (Option<Json>, Option<Ts>) = (told.get("usage")?, told.get("usage_at")?);
        let Some(row) = rows.iter_mut().find(|row| row["id"] == id.as_str()) else { continue };
        row["usage"] = match usage {
            Some(mut usage) => {
                usage["at"] = json!(at);
                usage
            }
            None => Json::Null,
        };
    }
    Ok(())
}

/// Keeps what `aaad` says of how full pools are. What it says is no change of anything.
pub(crate) async fn keep_usage(office: &Office, pools: &[PoolUsage], at: Ts) -> Result<(), Fault> {
    let mut ids: Vec<PoolId> = pools.iter().map(|told| told.pool).collect();
    ids.dedup();
    for id in ids {
        let parts = || pools.iter().filter(|told| told.pool == id);
        let document: serde_json::Map<String, Json> =
            parts().map(|told| (told.part.as_str().to_owned(), json!(told.usage))).collect();
        // What is not to be had, of the fullest part.
        let percent = parts().map(|told| {
            let taken = told.usage.total.saturating_sub(told.usage.free);
            i64::from(taken) * 100 / i64::from(told.usage.total.max(1))
        });
        let percent = percent.max().unwrap_or(0);
        office.db.execute(&sql::SET_USAGE, args![id, Json::Object(document), percent, at]).await?;
    }
    Ok(())
}

/// Logins were refused because a pool has nothing left: an event, once for each `id`.
pub(crate) async fn exhausted(
    office: &Office,
    id: EventId,
    pool: PoolId,
    logins: u64,
    at: Ts,
) -> Result<(), Fault> {
    // One that was deleted since is nobody's trouble.
    let Some(row) = office.db.fetch_optional(&sql::OWNER, args![pool]).await? else {
        return Ok(());
    };
    let (organisation, name): (OrganisationId, String) =
        (row.get("organisation_id")?, row.get("name")?);
    let home = office.db.fetch_one(&organisation::FIND, args![organisation]).await?;
    let actor = Actor::system("aaad", organisation, organisation::organisation(&home)?.path);
    let mut unit = Unit::begin(office, &actor).await?;
    let payload = json!({"id": pool, "name": name, "logins": logins, "at": at});
    let event = Event { kind: "pool.exhausted", entity_id: pool.to_string(), payload, policy: &[] };
    unit.identify(id);
    super::identity::record_once(unit, organisation, event).await
}

#[cfg(test)]
mod tests {
    use model::PlanId;
    use model::pool::{Part, Usage};

    use super::*;
    use crate::domain::setting::tests::{office, pointers};
    use crate::entity::{read, write};

    static POOLS: &Entity = &POOL;

    async fn create(office: &Office, actor: &Actor, body: Json) -> Result<Json, Fault> {
        let draft = write::parse(POOLS, &[], body.to_string().as_bytes(), true)?;
        Ok(write::create(office, actor, POOLS, draft).await?.view)
    }

    #[tokio::test]
    async fn pools_that_no_login_could_use_or_that_overlap_are_refused() {
        for test in store::testing::engines("billing").await {
            let (office, isp) = office(&test).await;
            let home = json!({
                "name": "home",
                "ipv4": ["100.64.0.0/22", "100.64.9.10-100.64.9.99"],
                "ipv6_prefix": "2001:db8:1000::/40", "ipv6_length": 64,
                "delegated_prefix": "2001:db8:2000::/40", "delegated_length": 56,
            });
            let made = create(&office, &isp, home).await.unwrap();
            assert_eq!(made["lease_s"], LEASE_S);
            for (body, blamed) in [
                (json!({"name": "none"}), "/ipv4"),
                (json!({"name": "a", "ipv4": ["100.64.0.0/40"]}), "/ipv4/0"),
                (json!({"name": "a", "ipv4": ["10.0.0.0/30", "10.0.0.2"]}), "/ipv4/1"),
                (json!({"name": "a", "ipv4": ["10.0.0.0/7"]}), "/ipv4"),
                (json!({"name": "a", "ipv4": ["100.64.3.0/24"]}), "/ipv4"),
                (json!({"name": "a", "ipv6_prefix": "2001:db8::/40"}), "/ipv6_length"),
                (json!({"name": "a", "ipv4": ["10.0.0.1"], "ipv6_length": 64}), "/ipv6_length"),
                (
                    json!({"name": "a", "ipv6_prefix": "2001:db8::/48", "ipv6_length": 40}),
                    "/ipv6_length",
                ),
                (
                    json!({"name": "a", "ipv6_prefix": "2001:db8::/32", "ipv6_length": 64}),
                    "/ipv6_prefix",
                ),
                (
                    json!({"name": "a", "ipv6_prefix": "2001:db8:2000::/48", "ipv6_length": 64}),
                    "/ipv6_prefix",
                ),
                (
                    json!({"name": "a", "delegated_prefix": "fe80::/48", "delegated_length": 56}),
                    "/delegated_prefix",
                ),
            ] {
                let refused = create(&office, &isp, body.clone()).await.unwrap_err();
                assert_eq!(pointers(&refused), [blamed], "{body}");
            }
            // What a deleted pool had is free again.
            let id = POOLS.id(made["id"].as_str().unwrap()).unwrap();
            write::delete(&office, &isp, POOLS, id, None).await.unwrap();
            create(&office, &isp, json!({"name": "b", "ipv4": ["100.64.3.0/24"]})).await.unwrap();
            let back = write::restore(&office, &isp, POOLS, id).await.unwrap_err();
            assert_eq!(pointers(&back), ["/ipv4"]);
        }
    }

    #[tokio::test]
    async fn a_pool_that_is_leased_from_stays_and_shows_how_full_it_is() {
        for test in store::testing::engines("billing").await {
            let (office, isp) = office(&test).await;
            let made =
                create(&office, &isp, json!({"name": "home", "ipv4": ["10.0.0.0/24"]})).await;
            let made = made.unwrap();
            let id = POOLS.id(made["id"].as_str().unwrap()).unwrap();
            let plan = json!({
                "name": "Home", "price": {"amount": 1, "currency": "USD"},
                "ipv4_method": "leased", "lease_pool_id": made["id"], "session_limit": 1,
                "session_limit_action": "reject",
            });
            let plan = super::super::plan::New::parse(plan.to_string().as_bytes()).unwrap();
            let plan: PlanId = super::super::plan::create(&office, &isp, plan).await.unwrap().id;
            let kept = write::delete(&office, &isp, POOLS, id, None).await.unwrap_err();
            assert!(matches!(kept, Fault::Conflict { .. }), "{kept:?}");
            let rows = office.db.fetch_all(&crate::store::plan::GIVEN_BY, args![vec![plan]]).await;
            let gives = crate::store::plan::given(&rows.unwrap()[0]).unwrap();
            assert_eq!(gives.lease_pool, Some(PoolId(id)));
            assert_eq!(gives.session_limit, Some(1));

            let usage = Usage { total: 254, used: 100, free: 154, ..Usage::default() };
            let told = [PoolUsage { pool: PoolId(id), part: Part::Ipv4, usage }];
            let at = office.now();
            keep_usage(&office, &told, at).await.unwrap();
            // What was said before comes late, and is no news.
            let before = [PoolUsage { usage: Usage::default(), ..told[0] }];
            keep_usage(&office, &before, at.plus_seconds(-9)).await.unwrap();
            let (mut row, version) = read::find(&office, &isp, POOLS, id).await.unwrap();
            read::extend(&office, &isp, POOLS, std::slice::from_mut(&mut row)).await.unwrap();
            assert_eq!((&row["used_percent"], version), (&json!(39), 1));
            assert_eq!(row["usage"]["ipv4"]["used"], 100);

            let event = EventId::generate();
            exhausted(&office, event, PoolId(id), 7, at).await.unwrap();
            exhausted(&office, event, PoolId(id), 7, at).await.unwrap();
            let kinds = "SELECT kind FROM outbox WHERE kind = 'pool.exhausted'";
            assert_eq!(office.db.dynamic_all(kinds, args![]).await.unwrap().len(), 1);
        }
    }
}
