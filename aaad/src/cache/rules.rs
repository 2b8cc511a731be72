//! Rules as a login needs them: attributes compiled to octets, hours to minutes, zones to rules of
//! the clock.

use std::fmt::Display;
use std::sync::Arc;

use dialect::attributes::{Check, Reply};
use jiff::tz::TimeZone;
use model::policy::{self, Hours, MacBinding, Realm};
use model::{NasId, OrganisationId, RadiusGroupId};
use rustc_hash::FxHashMap;
use tracing::error;

/// Rules of a profile or a subscriber.
pub(crate) struct Rules {
    pub(crate) check: Box<[Check]>,
    /// A check or the hours do not read here: nobody can say that a login meets them.
    pub(crate) unreadable: bool,
    pub(crate) reply: Box<[Reply]>,
    pub(crate) groups: Box<[RadiusGroupId]>,
    pub(crate) nas: Box<[NasId]>,
    pub(crate) ports: Box<[String]>,
    pub(crate) called_stations: Box<[String]>,
    pub(crate) hours: Option<Hours>,
    pub(crate) zone: Option<TimeZone>,
    pub(crate) mac: Option<MacBinding>,
}

impl Rules {
    /// Compiles the rules of `whose`; nothing where there are none.
    pub(crate) fn compile(rules: &policy::Rules, whose: impl Display) -> Option<Box<Self>> {
        if rules.is_empty() {
            return None;
        }
        let (check, unreadable) = checks(&rules.check, &whose);
        let hours = rules.login_time.as_deref().map(Hours::parse).transpose();
        if let Err(problem) = &hours {
            error!(of = %whose, %problem, "hours do not read: every login is refused");
        }
        let zone = rules.zone.as_deref().and_then(|name| {
            let zone = TimeZone::get(name);
            if let Err(problem) = &zone {
                error!(of = %whose, %problem, "a time zone is not known here: UTC is taken");
            }
            zone.ok()
        });
        Some(Box::new(Self {
            check,
            unreadable: unreadable || hours.is_err(),
            reply: replies(&rules.reply, &whose),
            groups: rules.groups.as_slice().into(),
            nas: rules.nas.as_slice().into(),
            ports: rules.ports.as_slice().into(),
            called_stations: rules.called_stations.as_slice().into(),
            hours: hours.unwrap_or(None),
            zone,
            mac: rules.mac.clone(),
        }))
    }
}

/// The checks that compile, and whether one does not. The office compiles them too, so that is a
/// matter of versions.
fn checks(lines: &[String], whose: &impl Display) -> (Box<[Check]>, bool) {
    let mut unreadable = false;
    let compiled = lines.iter().filter_map(|line| match Check::compile(line) {
        Ok(check) => Some(check),
        Err(problem) => {
            error!(of = %whose, %problem, "a check attribute does not read: no login meets it");
            unreadable = true;
            None
        }
    });
    (compiled.collect(), unreadable)
}

fn replies(lines: &[String], whose: &impl Display) -> Box<[Reply]> {
    let compiled = lines.iter().filter_map(|line| match Reply::compile(line) {
        Ok(reply) => Some(reply),
        Err(problem) => {
            error!(of = %whose, %problem, "a reply attribute does not read and is left out");
            None
        }
    });
    compiled.collect()
}

/// A group.
pub(crate) struct Group {
    pub(crate) id: RadiusGroupId,
    pub(crate) name: String,
    pub(crate) priority: u32,
    pub(crate) check: Box<[Check]>,
    /// A check does not read here: nobody is in the group.
    pub(crate) unreadable: bool,
    pub(crate) reply: Box<[Reply]>,
}

impl Group {
    pub(crate) fn compile(group: &policy::Group) -> Self {
        let (check, unreadable) = checks(&group.check, &group.id);
        Self {
            id: group.id,
            name: group.name.clone(),
            priority: group.priority,
            check,
            unreadable,
            reply: replies(&group.reply, &group.id),
        }
    }
}

/// Groups by id.
pub(crate) type Groups = FxHashMap<RadiusGroupId, Arc<Group>>;

/// Realms by name, in lower case. The names are ours, so strangers cannot choose what collides.
#[derive(Default)]
pub(crate) struct Realms(FxHashMap<Box<[u8]>, Realm>);

impl Realms {
    /// These.
    pub(crate) fn of(realms: impl Iterator<Item = Realm>) -> Self {
        Self(realms.map(|realm| (realm.name.as_bytes().into(), realm)).collect())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The realm of this name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&Realm> {
        // Longer than any that can be made; no room is needed for it.
        let mut lower = [0; REALM_OCTETS_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.0.get(&*lower)
    }
}

/// Octets of a realm, at most: a domain name's (RFC 1035 §2.3.4).
const REALM_OCTETS_MAX: usize = 253;

/// Whether a service of this organisation may be somebody of the realm.
pub(crate) fn is_of(realm: &Realm, organisation: OrganisationId) -> bool {
    realm.organisations.contains(&organisation)
}
