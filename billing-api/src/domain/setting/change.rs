//! Showing settings and changing them.

use model::OrganisationId;
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::args;

use super::layers::is_looser;
use super::{Bound, From, Kind, Layers, Setting, registry};
use crate::domain::access::rules;
use crate::domain::{Actor, Event, Fault, FieldFault, Office, Unit, organisation};
use crate::store::organisation as tree;
use crate::store::setting as sql;

/// The settings of an organisation as the API shows them.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) organisation_id: OrganisationId,
    pub(crate) version: i64,
    pub(crate) data: Vec<Item>,
}

/// One setting.
#[derive(Debug, Serialize)]
pub(crate) struct Item {
    pub(crate) key: &'static str,
    pub(crate) group: &'static str,
    pub(crate) kind: &'static str,
    /// What applies.
    pub(crate) value: Value,
    pub(crate) default: Value,
    /// Whether the organisation has set it itself.
    pub(crate) own: bool,
    /// The ancestor whose value applies.
    pub(crate) inherited_from: Option<OrganisationId>,
    /// What would apply without one's own value.
    pub(crate) inherited_value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<i64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) choices: &'static [&'static str],
    /// What the caller must be allowed to change it.
    pub(crate) permission: &'static str,
    /// Whether this organisation may set it at all.
    pub(crate) settable: bool,
    #[serde(skip)]
    pub(crate) setting: &'static Setting,
    /// The name of the ancestor.
    #[serde(skip)]
    pub(crate) from_name: Option<String>,
}

/// What one change does to what an organisation has set itself.
pub(crate) struct Change {
    pub(crate) key: String,
    pub(crate) before: Option<Value>,
    /// Absent: inherit again.
    pub(crate) after: Option<Value>,
}

/// The settings of an organisation: the actor's own, or one below it.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    organisation: Option<OrganisationId>,
) -> Result<View, Fault> {
    let organisation = organisation::readable(office, actor, organisation).await?;
    let layers = super::of(office, organisation).await?;
    Ok(show(organisation, &layers))
}

/// Shows what applies.
pub(crate) fn show(organisation: OrganisationId, layers: &Layers) -> View {
    let legal_entity = layers.this().is_some_and(|layer| layer.legal_entity);
    let item = |setting: &&'static Setting| {
        let (value, from) = layers.find(setting);
        let ancestor = match from {
            From::Ancestor(layer) => Some(layer),
            From::Own | From::Default => None,
        };
        let (min, max, choices): (_, _, &'static [&'static str]) = match setting.kind {
            Kind::Integer { min, max } => (Some(min), Some(max), &[]),
            Kind::Choice(words) => (None, None, words),
            _ => (None, None, &[]),
        };
        Item {
            key: setting.key,
            group: setting.group(),
            kind: setting.kind.name(),
            value,
            default: layers.fallback(setting),
            own: matches!(from, From::Own),
            inherited_from: ancestor.map(|layer| layer.id),
            inherited_value: layers.inherited(setting).0,
            min,
            max,
            choices,
            permission: setting.permission,
            settable: (legal_entity || !setting.by_entity)
                && (layers.at_root() || !setting.at_root),
            setting,
            from_name: ancestor.map(|layer| layer.name.clone()),
        }
    };
    View {
        organisation_id: organisation,
        version: layers.version,
        data: registry::ALL.iter().map(item).collect(),
    }
}

/// Reads a body that is a JSON object.
pub(crate) fn read_object(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Fault::field("", "the body must be a JSON object")),
        Err(error) => Err(Fault::field("", format!("the body is not JSON: {error}"))),
    }
}

/// Changes settings, all or none: a value sets, null inherits again.
pub(crate) async fn patch(
    office: &Office,
    actor: &Actor,
    organisation: Option<OrganisationId>,
    fields: &Map<String, Value>,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    if fields.keys().any(|key| is_column(key)) {
        organisation::lock_tree(&mut unit).await?;
    }
    let (organisation, path) = organisation::target(&mut unit, organisation).await?;
    let mut layers = open(&mut unit, organisation, expected).await?;
    let changes = judge(&mut layers, fields)?;
    if changes.is_empty() {
        // Dropped: nothing is written, the version stays.
        drop(unit);
        return list(office, actor, Some(organisation)).await;
    }
    for change in &changes {
        let setting = registry::find(&change.key);
        setting.map_or(Ok(()), |setting| actor.may(setting.permission))?;
    }
    rules::keep_a_way_in(&mut unit, organisation, &layers, &changes).await?;
    apply(&mut unit, organisation, &path, &changes).await?;
    record(&mut unit, organisation, "settings.changed", layers.version, &changes).await?;
    let view = show(organisation, &layers);
    unit.answers(200, serde_json::to_value(&view).map_err(|e| Fault::Internal(Box::new(e)))?);
    unit.commit().await?;
    Ok(view)
}

/// Locks an organisation's settings for this unit, raises their version, and reads them.
pub(crate) async fn open(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
    expected: Option<i64>,
) -> Result<Layers, Fault> {
    let version = unit.touch_configuration(organisation).await?;
    if expected.is_some_and(|expected| expected.checked_add(1) != Some(version)) {
        return Err(Fault::Stale);
    }
    let rows = unit.fetch_all(&sql::LAYERS, args![organisation]).await?;
    let defaults = unit.office().settings.defaults();
    Layers::read(&rows, defaults)?.ok_or(Fault::NotFound("organisation"))
}

/// Checks a change as a whole and makes it in `layers`; what is as it was is left out.
fn judge(layers: &mut Layers, fields: &Map<String, Value>) -> Result<Vec<Change>, Fault> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, detail: String| {
        // RFC 6901 §3: these two are escaped.
        let key = key.replace('~', "~0").replace('/', "~1");
        faults.push(FieldFault { pointer: format!("/{key}"), detail });
    };
    let legal_entity = layers.this().is_some_and(|layer| layer.legal_entity);
    let mut changes = Vec::new();
    for (key, value) in fields {
        let Some(setting) = registry::find(key) else {
            fault(key, "is not a setting; GET shows those there are".to_owned());
            continue;
        };
        let after = if value.is_null() {
            None
        } else if setting.by_entity && !legal_entity {
            fault(key, "is set by the legal entity".to_owned());
            continue;
        } else if setting.at_root && !layers.at_root() {
            fault(key, "is set by the organisation at the top".to_owned());
            continue;
        } else {
            match setting.kind.check(value) {
                Ok(value) => Some(value),
                Err(detail) => {
                    fault(key, detail);
                    continue;
                }
            }
        };
        if let (Some(value), false, (above, from)) =
            (&after, layers.at_root(), layers.inherited(setting))
            && is_looser(setting.bound, value, &above)
        {
            let name = match from {
                From::Ancestor(layer) => layer.name.as_str(),
                From::Own | From::Default => "the installation",
            };
            fault(key, too_loose(setting.bound, &above, name));
            continue;
        }
        let before = layers.own(key).cloned();
        if before != after {
            layers.put(key, after.clone());
            changes.push(Change { key: key.clone(), before, after });
        }
    }
    let touched = |setting: &Setting| changes.iter().any(|change| change.key == setting.key);
    let (idle, lifetime) = (&registry::SESSION_IDLE, &registry::SESSION_LIFETIME);
    let hours = layers.integer(lifetime);
    if (touched(idle) || touched(lifetime)) && layers.integer(idle) > hours * 60 {
        let key = if touched(idle) { idle.key } else { lifetime.key };
        fault(key, format!("a session idle for longer than it may last: {hours} hours"));
    }
    if faults.is_empty() { Ok(changes) } else { Err(Fault::Invalid(faults)) }
}

fn too_loose(bound: Bound, above: &Value, name: &str) -> String {
    match bound {
        Bound::AtMost => format!("must be at most {above}, as {name} has it"),
        Bound::StaysOn => format!("must stay on, as {name} has it"),
        Bound::AtLeast | Bound::Free => format!("must be at least {above}, as {name} has it"),
    }
}

/// The settings that an organisation's columns repeat.
fn is_column(key: &str) -> bool {
    [&registry::ZONE, &registry::CURRENCY, &registry::LOCALE].iter().any(|s| s.key == key)
}

/// Writes changes that were judged. Where one of them is a column, the unit holds the tree.
pub(crate) async fn apply(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
    path: &str,
    changes: &[Change],
) -> Result<(), Fault> {
    let (now, by) = (unit.now, unit.actor.label());
    for change in changes {
        match &change.after {
            Some(value) => {
                let args =
                    args![organisation, change.key.as_str(), value.clone(), now, by.as_str()];
                unit.execute(&sql::SET, args).await?
            }
            None => unit.execute(&sql::CLEAR, args![organisation, change.key.as_str()]).await?,
        };
    }
    if changes.iter().any(|change| is_column(&change.key)) {
        copy_to_columns(unit, path).await?;
    }
    Ok(())
}

/// Brings the columns of a subtree in line with the settings. The unit holds the tree.
pub(crate) async fn copy_to_columns(unit: &mut Unit<'_>, path: &str) -> Result<(), Fault> {
    let default = |setting: &Setting| setting.default_value().as_str().unwrap_or("").to_owned();
    let (zone, currency) = (default(&registry::ZONE), default(&registry::CURRENCY));
    let args = args![path, zone, currency, default(&registry::LOCALE)];
    unit.execute(&tree::COPY_SETTINGS, args).await?;
    Ok(())
}

/// The audit entry and the event of changes.
pub(crate) async fn record(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
    kind: &str,
    version: i64,
    changes: &[Change],
) -> Result<(), Fault> {
    let values = |pick: fn(&Change) -> &Option<Value>| {
        let value = |change: &Change| pick(change).clone().unwrap_or(Value::Null);
        changes.iter().map(|c| (c.key.clone(), value(c))).collect::<Map<String, Value>>()
    };
    let id = organisation.to_string();
    let before = json!({"organisation_id": id, "values": values(|change| &change.before)});
    let after = values(|change| &change.after);
    let event = Event {
        kind,
        entity_id: id.clone(),
        payload: json!({"organisation_id": id, "version": version, "values": after}),
        policy: &[],
    };
    unit.record(organisation, event, Some(before)).await
}
