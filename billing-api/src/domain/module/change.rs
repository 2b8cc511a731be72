//! Showing modules and switching them.

use model::OrganisationId;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{ALL, PREFIX, find, is_on_in, off_at};
use crate::domain::setting::{self, Change, Layers};
use crate::domain::{Actor, Fault, FieldFault, Office, Unit, organisation};

/// The modules of an organisation as the API shows them.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) organisation_id: OrganisationId,
    /// That of the organisation's settings.
    pub(crate) version: i64,
    pub(crate) data: Vec<State>,
}

/// A module or a part of one.
#[derive(Debug, Serialize)]
pub(crate) struct State {
    /// `module` or `module.part`.
    pub(crate) name: String,
    pub(crate) on: bool,
    /// What the organisation has set itself.
    pub(crate) own: Option<bool>,
    /// The ancestor that has it off: it cannot be switched on here.
    pub(crate) off_at: Option<OrganisationId>,
    /// It cannot be switched off as a whole.
    pub(crate) fixed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<State>,
    /// The name of that ancestor.
    #[serde(skip)]
    pub(crate) off_name: Option<String>,
}

/// The modules of an organisation: the actor's own, or one below it.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    organisation: Option<OrganisationId>,
) -> Result<View, Fault> {
    let organisation = organisation::readable(office, actor, organisation).await?;
    let layers = setting::of(office, organisation).await?;
    Ok(show(organisation, &layers))
}

fn show(organisation: OrganisationId, layers: &Layers) -> View {
    let state = |name: String, fixed, parts| {
        let above = off_at(layers, &name).filter(|layer| layer.id != organisation);
        State {
            on: is_on_in(layers, &name),
            own: layers.own(&format!("{PREFIX}{name}")).and_then(Value::as_bool),
            off_at: above.map(|layer| layer.id),
            fixed,
            parts,
            off_name: above.map(|layer| layer.name.clone()),
            name,
        }
    };
    let data = ALL.iter().map(|module| {
        let part = |part: &&str| state(format!("{}.{part}", module.name), false, Vec::new());
        state(module.name.to_owned(), module.fixed, module.parts.iter().map(part).collect())
    });
    View { organisation_id: organisation, version: layers.version, data: data.collect() }
}

/// Switches modules, all or none: true, false, or null for what the ancestors have.
pub(crate) async fn patch(
    office: &Office,
    actor: &Actor,
    organisation: Option<OrganisationId>,
    fields: &Map<String, Value>,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let (organisation, path) = organisation::target(&mut unit, organisation).await?;
    let mut layers = setting::open(&mut unit, organisation, expected).await?;
    let changes = judge(&mut layers, organisation, fields)?;
    if changes.is_empty() {
        drop(unit);
        return list(office, actor, Some(organisation)).await;
    }
    setting::apply(&mut unit, organisation, &path, &changes).await?;
    setting::record(&mut unit, organisation, "modules.changed", layers.version, &changes).await?;
    let view = show(organisation, &layers);
    unit.answers(200, serde_json::to_value(&view).map_err(|e| Fault::Internal(Box::new(e)))?);
    unit.commit().await?;
    Ok(view)
}

fn judge(
    layers: &mut Layers,
    organisation: OrganisationId,
    fields: &Map<String, Value>,
) -> Result<Vec<Change>, Fault> {
    let mut faults = Vec::new();
    let mut fault = |name: &str, detail: String| {
        let name = name.replace('~', "~0").replace('/', "~1");
        faults.push(FieldFault { pointer: format!("/{name}"), detail });
    };
    let mut changes = Vec::new();
    for (name, value) in fields {
        let Some((module, part)) = find(name) else {
            fault(name, "is not a module; GET shows those there are".to_owned());
            continue;
        };
        let after = match value {
            Value::Null => None,
            Value::Bool(on) => Some(*on),
            _ => {
                fault(name, "must be true, false or null".to_owned());
                continue;
            }
        };
        if after == Some(false) && module.fixed && part.is_none() {
            fault(name, "is always on; its parts can be switched off".to_owned());
            continue;
        }
        let above = off_at(layers, name).filter(|layer| layer.id != organisation);
        if let (Some(true), Some(layer)) = (after, above) {
            fault(name, format!("is off for all below {}", layer.name));
            continue;
        }
        let key = format!("{PREFIX}{name}");
        let before = layers.own(&key).cloned();
        let after = after.map(Value::Bool);
        if before != after {
            layers.put(&key, after.clone());
            changes.push(Change { key, before, after });
        }
    }
    if faults.is_empty() { Ok(changes) } else { Err(Fault::Invalid(faults)) }
}
