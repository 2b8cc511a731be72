//! Whether the NAS in use can carry what a plan gives or a service has: told to whoever makes or
//! assigns it, before anybody logs in.

use std::collections::{BTreeSet, HashMap};

use dialect::Finding;
use model::nas::Vendor;
use model::policy::{Gives, Profile};
use model::{OrganisationId, PlanId, PlanVersionId};
use serde_json::{Value as Json, json};
use store::args;

use super::Fault;
use crate::entity::Source;
use crate::store::nas as sql;

/// The vendors of the NAS that the subscribers of organisations may come through, as far as the
/// reader may know them.
pub(super) struct Vendors(HashMap<String, Vec<Vendor>>);

impl Vendors {
    /// Those of the organisations of rows on their way out.
    pub(super) async fn of(source: &mut Source<'_, '_>, rows: &[Json]) -> Result<Self, Fault> {
        let homes: BTreeSet<&str> =
            rows.iter().filter_map(|row| row["organisation_id"].as_str()).collect();
        let homes: Vec<OrganisationId> =
            homes.into_iter().filter_map(|id| id.parse().ok()).collect();
        let mut vendors: HashMap<String, Vec<Vendor>> = HashMap::new();
        if !homes.is_empty() {
            let reader = source.reader().path.clone();
            for row in source.fetch_all(&sql::VENDORS, args![homes, reader]).await? {
                let home: OrganisationId = row.get("id")?;
                vendors.entry(home.to_string()).or_default().push(sql::vendor(&row)?);
            }
        }
        Ok(Self(vendors))
    }

    /// Those of the organisation of one row.
    pub(super) fn of_row(&self, row: &Json) -> impl Iterator<Item = Vendor> {
        let home = row["organisation_id"].as_str().and_then(|id| self.0.get(id));
        home.into_iter().flatten().copied()
    }
}

/// A profile of what a plan gives, to be looked at.
pub(super) fn profile(gives: Gives) -> Profile {
    Profile {
        id: PlanVersionId::NONE,
        plan: PlanId::NONE,
        organisation: OrganisationId::NONE,
        name: String::new(),
        gives,
    }
}

/// A finding as the API shows it.
pub(super) fn shown(finding: &Finding) -> Json {
    json!({
        "field": finding.field,
        "reason": finding.unfit.why.as_str(),
        "detail": finding.unfit.to_string(),
        "refuses": finding.refuses,
    })
}
