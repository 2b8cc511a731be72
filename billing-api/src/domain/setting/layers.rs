//! What an organisation and its ancestors have set, and what of it applies.

use std::collections::HashMap;
use std::sync::Arc;

use model::OrganisationId;
use serde_json::Value;
use store::{Row, StoreError};

use super::{Bound, Inherits, Setting};

/// What one organisation has set.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) id: OrganisationId,
    pub(crate) name: String,
    pub(crate) legal_entity: bool,
    values: HashMap<String, Value>,
}

impl Layer {
    /// What it has set under a key.
    pub(crate) fn own(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }
}

/// What applies where nobody set anything, and the installation's configuration says otherwise
/// than the program.
pub(crate) type Defaults = Arc<HashMap<&'static str, Value>>;

/// An organisation and its ancestors, the root first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    /// How often the organisation's settings were changed.
    pub(crate) version: i64,
    layers: Vec<Layer>,
    defaults: Defaults,
}

/// Whose value applies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From<'a> {
    /// The organisation's own.
    Own,
    /// An ancestor's.
    Ancestor(&'a Layer),
    /// Nobody set it.
    Default,
}

impl Layers {
    /// Reads the rows of `LAYERS`. No row: there is no such organisation.
    pub(super) fn read(rows: &[Row], defaults: &Defaults) -> Result<Option<Self>, StoreError> {
        let mut layers: Vec<Layer> = Vec::new();
        let mut version = 0;
        for row in rows {
            version = row.get::<Option<i64>>("version")?.unwrap_or(0);
            let id: OrganisationId = row.get("id")?;
            if layers.last().is_none_or(|layer| layer.id != id) {
                layers.push(Layer {
                    id,
                    name: row.get("name")?,
                    legal_entity: row.get("legal_entity")?,
                    values: HashMap::new(),
                });
            }
            let key: Option<String> = row.get("key")?;
            if let (Some(key), Some(layer)) = (key, layers.last_mut()) {
                layer.values.insert(key, row.get("value")?);
            }
        }
        let defaults = defaults.clone();
        Ok((!layers.is_empty()).then_some(Self { version, layers, defaults }))
    }

    /// One organisation that has set nothing, for tests.
    #[cfg(test)]
    pub(crate) fn of_one() -> Self {
        let layer = Layer {
            id: OrganisationId::generate(),
            name: "Own".to_owned(),
            legal_entity: true,
            values: HashMap::new(),
        };
        Self { layers: vec![layer], ..Self::default() }
    }

    /// The organisation itself; absent only where nothing was read.
    pub(crate) fn this(&self) -> Option<&Layer> {
        self.layers.last()
    }

    /// The root first, the organisation last.
    pub(crate) fn all(&self) -> &[Layer] {
        &self.layers
    }

    /// What the organisation has set itself.
    pub(crate) fn own(&self, key: &str) -> Option<&Value> {
        self.this().and_then(|layer| layer.own(key))
    }

    /// Replaces what the organisation has set itself; for judging a change before it is made.
    pub(crate) fn put(&mut self, key: &str, value: Option<Value>) {
        let Some(layer) = self.layers.last_mut() else { return };
        match value {
            Some(value) => layer.values.insert(key.to_owned(), value),
            None => layer.values.remove(key),
        };
    }

    /// The value that applies, and whose it is. A value that another version of the program
    /// left, and this one cannot use, counts as not set.
    pub(crate) fn find(&self, setting: &Setting) -> (Value, From<'_>) {
        self.resolve(setting, true)
    }

    /// What would apply if the organisation had set nothing.
    pub(crate) fn inherited(&self, setting: &Setting) -> (Value, From<'_>) {
        self.resolve(setting, false)
    }

    /// What applies where nobody set it.
    pub(crate) fn fallback(&self, setting: &Setting) -> Value {
        self.defaults.get(setting.key).cloned().unwrap_or_else(|| setting.default_value())
    }

    /// Whether the organisation is the root of the tree.
    pub(crate) fn at_root(&self) -> bool {
        self.layers.len() == 1
    }

    fn resolve(&self, setting: &Setting, with_own: bool) -> (Value, From<'_>) {
        let mut found = (self.fallback(setting), From::Default);
        let last = self.layers.len().saturating_sub(1);
        for (n, layer) in self.layers.iter().enumerate() {
            let cut = match setting.inherits {
                Inherits::Always => false,
                Inherits::WithinEntity => layer.legal_entity,
                Inherits::Never => true,
            };
            if cut {
                found = (self.fallback(setting), From::Default);
            }
            let own = n == last;
            let value = layer.own(setting.key).filter(|value| setting.kind.holds(value));
            let Some(value) = value.filter(|_| with_own || !own) else { continue };
            // What nobody set is no bound for the root, and one for all below it.
            if n == 0 || !is_looser(setting.bound, value, &found.0) {
                let from = if own { From::Own } else { From::Ancestor(layer) };
                found = (value.clone(), from);
            }
        }
        found
    }

    /// A text; empty where there is none.
    pub(crate) fn text(&self, setting: &Setting) -> String {
        match self.find(setting).0 {
            Value::String(text) => text,
            _ => String::new(),
        }
    }

    /// A number.
    pub(crate) fn integer(&self, setting: &Setting) -> i64 {
        self.find(setting).0.as_i64().unwrap_or_default()
    }

    /// Yes or no.
    pub(crate) fn flag(&self, setting: &Setting) -> bool {
        self.find(setting).0.as_bool().unwrap_or_default()
    }
}

/// Whether a value allows what another forbids.
pub(super) fn is_looser(bound: Bound, value: &Value, than: &Value) -> bool {
    let pair = || Some((value.as_i64()?, than.as_i64()?));
    match bound {
        Bound::Free => false,
        Bound::AtLeast => pair().is_some_and(|(value, than)| value < than),
        Bound::AtMost => pair().is_some_and(|(value, than)| value > than),
        Bound::StaysOn => *value == Value::Bool(false) && *than == Value::Bool(true),
    }
}
