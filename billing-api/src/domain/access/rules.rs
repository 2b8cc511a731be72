//! What an organisation decides about how its staff prove themselves, and for how long that
//! holds: its settings under `security`, and the configuration where nobody set one.
//!
//! Those below may be stricter and never looser. Allow-lists add up: an address has to be in
//! every list from the root down. Nobody shuts themselves out: a list that leaves out the address
//! of whoever sets it is refused, tokens are not bound by it, and `netctl access open` on the
//! machine itself takes the root's list away, and what makes an identity provider required there.

use std::net::IpAddr;

use model::{OrganisationId, Ts};
use serde_json::{Value, json};
use store::args;

use super::attempts::Lockout;
use super::{Policy, allow_list};
use crate::domain::actor::Who;
use crate::domain::setting::{self, Change, Defaults, From, Layers, Setting, registry};
use crate::domain::{Actor, Event, Fault, Office, Unit};
use crate::store::{access as sql, identity_provider, organisation};

/// The rules for the staff of one organisation.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// A session not used for this long is over, seconds.
    pub(crate) idle_s: i64,
    /// A session is over after this, used or not, seconds.
    pub(crate) lifetime_s: i64,
    /// Characters a new password has at least.
    pub(crate) password_characters_min: usize,
    /// Whether everybody needs a second factor.
    pub(crate) second_factor: bool,
    /// The lists an address has to be in, as they are kept.
    lists: Vec<String>,
}

/// The rules for the staff of an organisation.
pub(crate) async fn of(office: &Office, organisation: OrganisationId) -> Result<Rules, Fault> {
    let layers = setting::of(office, organisation).await?;
    Ok(Rules::of(&layers, &office.policy))
}

impl Rules {
    /// As the settings have it.
    fn of(layers: &Layers, policy: &Policy) -> Self {
        // What nobody set is the configuration's, to the second.
        let seconds = |setting: &Setting, unit_s: i64, default_s: i64| match layers.find(setting) {
            (value, From::Own | From::Ancestor(_)) => {
                value.as_i64().map_or(default_s, |number| number.saturating_mul(unit_s))
            }
            (_, From::Default) => default_s,
        };
        let length = layers.integer(&registry::PASSWORD_LENGTH);
        let lists = layers.all().iter().filter_map(|layer| layer.own(registry::ALLOW_LIST.key));
        Self {
            idle_s: seconds(&registry::SESSION_IDLE, 60, policy.idle_s),
            lifetime_s: seconds(&registry::SESSION_LIFETIME, 3600, policy.lifetime_s),
            password_characters_min: usize::try_from(length)
                .unwrap_or(policy.password_characters_min),
            second_factor: layers.flag(&registry::TWO_FACTOR_REQUIRED),
            lists: lists.filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }

    /// Whether staff may come from an address.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        self.lists.iter().all(|list| allow_list::admits_lines(list, address))
    }

    /// Whether a session that began and was last used then goes on.
    pub(crate) fn lives(&self, created_at: Ts, seen_at: Ts, now: Ts) -> bool {
        seen_at > now.plus_seconds(-self.idle_s) && created_at > now.plus_seconds(-self.lifetime_s)
    }
}

/// What the configuration says where nobody set anything, in the units of the settings.
pub(crate) fn defaults(policy: &Policy) -> Defaults {
    let up = |seconds: i64, unit_s: i64| Value::from(seconds.div_euclid(unit_s).max(1));
    let of = [
        (registry::PASSWORD_LENGTH.key, Value::from(policy.password_characters_min)),
        (registry::SESSION_IDLE.key, up(policy.idle_s, 60)),
        (registry::SESSION_LIFETIME.key, up(policy.lifetime_s, 3600)),
    ];
    Defaults::new(of.into())
}

/// How wrong passwords turn into waiting: one rule for the whole installation, because a rule of
/// somebody's own would tell that they exist.
pub(crate) async fn lockout(office: &Office) -> Result<Lockout, Fault> {
    let layers = setting::of_root(office).await?;
    let free = layers.integer(&registry::LOCKOUT_ATTEMPTS);
    Ok(Lockout {
        free: u32::try_from(free).unwrap_or(Lockout::DEFAULT.free),
        wait_s_max: layers.integer(&registry::LOCKOUT_MINUTES) * 60,
    })
}

/// Refuses an allow-list of one's own organisation that leaves out whoever sets it. `layers` has
/// the change already.
pub(crate) async fn keep_a_way_in(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
    layers: &Layers,
    changes: &[Change],
) -> Result<(), Fault> {
    let key = registry::ALLOW_LIST.key;
    let Actor { who: Who::Staff(id), address: Some(address), impersonator: None, .. } = unit.actor
    else {
        return Ok(());
    };
    let (id, address) = (*id, *address);
    if !changes.iter().any(|change| change.key == key) {
        return Ok(());
    }
    // Where they are at work in the console need not be where they are at home.
    let row = unit.fetch_optional(&sql::FIND_STAFF_BY_ID, args![id]).await?;
    let home: Option<OrganisationId> = row.map(|row| row.get("organisation_id")).transpose()?;
    let rules = Rules::of(layers, &unit.office().policy);
    if home != Some(organisation) || rules.admits(address) {
        return Ok(());
    }
    let address = address.to_canonical();
    let detail = format!("leaves out {address}, where you are: you would be shut out");
    Err(Fault::field(format!("/{key}"), detail))
}

/// Takes the root's allow-list away, and lets its staff sign in with passwords where an identity
/// provider was required: the way back in for whoever may use the machine itself. Whether there
/// was anything in the way.
pub(crate) async fn open(office: &Office) -> Result<bool, Fault> {
    let row = office.db.fetch_one(&organisation::FIND_ROOT, args![]).await?;
    let root = organisation::organisation(&row)?;
    let actor = Actor::system("netctl", root.id, root.path.clone());
    let mut unit = Unit::begin(office, &actor).await?;
    let layers = setting::open(&mut unit, root.id, None).await?;
    let by = actor.label();
    let released = unit.execute(&identity_provider::RELEASE, args![root.id, unit.now, by]).await?;
    if released > 0 {
        let payload = json!({"id": root.id, "released": released});
        let (kind, entity_id) = ("identity_provider.released", root.id.to_string());
        unit.record(root.id, Event { kind, entity_id, payload, policy: &[] }, None).await?;
    }
    let key = registry::ALLOW_LIST.key;
    let Some(before) = layers.own(key).cloned() else {
        unit.commit().await?;
        return Ok(released > 0);
    };
    let changes = [Change { key: key.to_owned(), before: Some(before), after: None }];
    setting::apply(&mut unit, root.id, &root.path, &changes).await?;
    setting::record(&mut unit, root.id, "settings.changed", layers.version, &changes).await?;
    unit.commit().await?;
    Ok(true)
}
