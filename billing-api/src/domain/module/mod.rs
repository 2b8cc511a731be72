//! Modules: parts of the office an organisation can do without.
//!
//! What is off is not in the navigation, and its addresses answer as if they did not exist. An
//! ancestor's "off" stands above a descendant's "on": a partner never has more than the
//! provider. The states are kept among the settings (`module.NAME`) and cached with them.
//!
//! - this file: the list, and what applies.
//! - [`routes`]: which address belongs to which module.
//! - [`change`]: showing and changing.

mod change;
pub(crate) mod routes;

#[cfg(test)]
mod tests;

pub(crate) use change::{State, View, list, patch};

use model::OrganisationId;

use super::setting::{self, Layers};
use super::{Fault, Office};

/// A module with its parts. Its label in the catalogue is `module-NAME`, a part's is
/// `module-NAME-PART`; underscores become hyphens.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: &'static str,
    /// It cannot be switched off as a whole.
    pub(crate) fixed: bool,
    pub(crate) parts: &'static [&'static str],
}

const fn module(name: &'static str, parts: &'static [&'static str]) -> Module {
    Module { name, fixed: false, parts }
}

/// Every module, in the order people see them. All are on until somebody switches them off.
pub(crate) const ALL: &[Module] = &[
    Module {
        name: "customers",
        fixed: true,
        parts: &["services", "labels", "discounts", "vouchers"],
    },
    module("catalog", &["plans", "fair_use", "bundles", "one_time_charges", "recurring_charges"]),
    module(
        "billing",
        &[
            "dashboard",
            "invoices",
            "payments",
            "credit_notes",
            "proforma",
            "payment_history",
            "statements",
            "vouchers",
        ],
    ),
    module(
        "network",
        &["sessions", "routers", "sites", "cpe", "tr069", "ipv4_pools", "ipv6_pools", "hardware"],
    ),
    module("provisioning", &[]),
    module("vpn", &[]),
    module("gis", &[]),
    module("inventory", &[]),
    module("helpdesk", &[]),
    module("scheduling", &[]),
    module("voice", &[]),
    module("leads", &[]),
    module("notifications", &["email", "sms", "messengers"]),
    module("reports", &[]),
];

/// What the keys of the states begin with.
const PREFIX: &str = "module.";

/// A module, and the part of it a name means, if it means one.
pub(crate) fn find(name: &str) -> Option<(&'static Module, Option<&'static str>)> {
    let (head, tail) = match name.split_once('.') {
        Some((head, tail)) => (head, Some(tail)),
        None => (name, None),
    };
    let module = ALL.iter().find(|module| module.name == head)?;
    match tail {
        None => Some((module, None)),
        Some(tail) => {
            let part = module.parts.iter().find(|part| **part == tail)?;
            Some((module, Some(part)))
        }
    }
}

/// The organisation that has a module or part off for itself and those below it: the highest.
fn off_at<'a>(layers: &'a Layers, name: &str) -> Option<&'a setting::Layer> {
    let key = format!("{PREFIX}{name}");
    let off = serde_json::Value::Bool(false);
    layers.all().iter().find(|layer| layer.own(&key) == Some(&off))
}

/// Whether a module, or a part `module.part`, is on where these settings apply. What is not in
/// the list is off.
pub(crate) fn is_on_in(layers: &Layers, name: &str) -> bool {
    let Some((module, part)) = find(name) else { return false };
    (module.fixed || off_at(layers, module.name).is_none())
        && (part.is_none() || off_at(layers, name).is_none())
}

/// Whether a module, or a part `module.part`, is on for an organisation.
#[cfg_attr(not(test), expect(dead_code, reason = "the portal and the jobs will ask"))]
pub(crate) async fn is_on(
    office: &Office,
    organisation: OrganisationId,
    name: &str,
) -> Result<bool, Fault> {
    Ok(is_on_in(&*setting::of(office, organisation).await?, name))
}

/// As [`guard`], with the settings at hand.
pub(crate) fn guard_in(layers: &Layers, address: &str) -> Result<(), Fault> {
    match routes::module_of(address) {
        Some(name) if !is_on_in(layers, name) => Err(Fault::NotFound("resource")),
        _ => Ok(()),
    }
}

/// Refuses an address of the API or the console (`/api/v1/plans/{id}`) whose module is off.
pub(crate) async fn guard(
    office: &Office,
    organisation: OrganisationId,
    address: &str,
) -> Result<(), Fault> {
    guard_in(&*setting::of(office, organisation).await?, address)
}
