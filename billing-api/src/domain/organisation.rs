//! Organisations: the tree of the provider, its partners and their branches.
//!
//! The shape of the tree is changed by one at a time (`lock_tree`). An organisation's path is
//! the ids from the root to it, so that a subtree is a prefix; moving one rewrites the paths of
//! all below it in one statement. A request that began before and carries an old path finds
//! nothing under it: paths are never given twice, because ids are not.

use model::{Currency, OrganisationId, StaffId, Ts};
use serde::Serialize;
use serde_json::Value;
use store::{StoreError, args, changed_one};

use super::setting::{self, Change, registry};
use super::{Actor, Event, Fault, Input, Office, Page, Unit};
use crate::store::organisation as sql;
use crate::store::organisation::Kept;

/// Longest name, characters.
const NAME_CHARACTERS_MAX: usize = 100;
/// Organisations from the root to the lowest.
const DEPTH_MAX: usize = 16;

/// What an organisation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The provider: the root, and the only one.
    Isp,
    /// Sells on its own, and may have partners of its own.
    Partner,
    /// A place of an organisation; nothing is below it.
    Branch,
}

impl Kind {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "isp" => Some(Self::Isp),
            "partner" => Some(Self::Partner),
            "branch" => Some(Self::Branch),
            _ => None,
        }
    }

    /// Its name in the API and the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Isp => "isp",
            Self::Partner => "partner",
            Self::Branch => "branch",
        }
    }

    /// Whether one of this kind can be right below one of that kind.
    pub(crate) fn fits_below(self, parent: Self) -> bool {
        match self {
            Self::Isp => false,
            Self::Partner | Self::Branch => parent != Self::Branch,
        }
    }
}

/// An organisation as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct View {
    pub(crate) id: OrganisationId,
    /// Absent for the caller's own: what is above is not theirs to see.
    pub(crate) parent_id: Option<OrganisationId>,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) legal_entity: bool,
    pub(crate) currency: Currency,
    pub(crate) zone: String,
    pub(crate) locale: String,
    pub(crate) address: Option<String>,
    pub(crate) manager_id: Option<StaffId>,
    pub(crate) external_source: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) children: i64,
    pub(crate) version: i64,
    pub(crate) created_at: Ts,
    pub(crate) updated_at: Ts,
}

impl View {
    fn of(kept: Kept, actor: &Actor) -> Result<Self, Fault> {
        let kind = Kind::from_word(&kept.kind);
        let kind = kind.ok_or_else(|| {
            Fault::Internal(format!("organisation {}: kind {}", kept.id, kept.kind).into())
        })?;
        Ok(Self {
            parent_id: kept.parent.filter(|_| kept.id != actor.organisation),
            id: kept.id,
            kind,
            name: kept.name,
            legal_entity: kept.legal_entity,
            currency: kept.currency,
            zone: kept.zone,
            locale: kept.locale,
            address: kept.address,
            manager_id: kept.manager,
            external_source: kept.external_source,
            external_id: kept.external_id,
            children: kept.children,
            version: kept.version,
            created_at: kept.created_at,
            updated_at: kept.updated_at,
        })
    }
}

/// What a new organisation needs.
#[derive(Debug)]
pub(crate) struct New {
    parent: Option<OrganisationId>,
    kind: Kind,
    name: String,
    legal_entity: bool,
    currency: Option<Currency>,
    zone: Option<String>,
    locale: Option<String>,
    address: Option<String>,
    manager: Option<StaffId>,
    external: (Option<String>, Option<String>),
}

impl New {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = Input::parse(body)?;
        let parent = input.parsed("parent_id");
        let word = required_text(&mut input, "kind", 20);
        let kind = match Kind::from_word(&word) {
            Some(kind @ (Kind::Partner | Kind::Branch)) => kind,
            _ => {
                if !word.is_empty() {
                    input.fault("kind", "is partner or branch");
                }
                Kind::Branch
            }
        };
        let name = required_text(&mut input, "name", NAME_CHARACTERS_MAX);
        let legal_entity = input.flag("legal_entity").unwrap_or(false);
        if legal_entity && word == "branch" {
            input.fault("legal_entity", "a branch belongs to the legal entity above it");
        }
        let currency = input.parsed("currency");
        if currency.is_some() && !legal_entity {
            input.fault("currency", "is set by the legal entity");
        }
        let mut checked = |field, kind: setting::Kind| {
            let text = input.optional_text(field, NAME_CHARACTERS_MAX)?;
            if let Err(detail) = kind.check(&Value::String(text.clone())) {
                input.fault(field, detail);
            }
            Some(text)
        };
        let zone = checked("zone", setting::Kind::Zone);
        let locale = checked("locale", setting::Kind::Locale);
        let address = input.long_text("address", 500);
        let manager = input.parsed("manager_id");
        let external = read_external(&mut input);
        input.finish()?;
        Ok(Self {
            parent,
            kind,
            name,
            legal_entity,
            currency,
            zone,
            locale,
            address,
            manager,
            external,
        })
    }
}

/// A change of what an organisation says of itself. Absent: as it was.
#[derive(Debug)]
pub(crate) struct Edit {
    name: Option<String>,
    legal_entity: Option<bool>,
    address: Option<Option<String>>,
    manager: Option<Option<StaffId>>,
    external: Option<(Option<String>, Option<String>)>,
}

impl Edit {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut input = Input::parse(body)?;
        let name =
            input.names("name").then(|| required_text(&mut input, "name", NAME_CHARACTERS_MAX));
        let legal_entity = input.flag("legal_entity");
        let address = input.names("address").then(|| input.long_text("address", 500));
        let manager = input.names("manager_id").then(|| input.parsed("manager_id"));
        let external = (input.names("external_id") || input.names("external_source"))
            .then(|| read_external(&mut input));
        input.finish()?;
        Ok(Self { name, legal_entity, address, manager, external })
    }
}

fn required_text(input: &mut Input, field: &'static str, max: usize) -> String {
    let text = input.optional_text(field, max);
    if text.is_none() {
        input.missing(field);
    }
    text.unwrap_or_default()
}

fn read_external(input: &mut Input) -> (Option<String>, Option<String>) {
    let external =
        (input.optional_text("external_source", 50), input.optional_text("external_id", 100));
    if external.0.is_some() != external.1.is_some() {
        input.fault("external_id", "goes together with external_source");
    }
    external
}

/// Where to put it, out of a request body.
pub(crate) fn parse_move(body: &[u8]) -> Result<OrganisationId, Fault> {
    let mut input = Input::parse(body)?;
    let parent = input.required("parent_id");
    input.finish()?;
    parent.ok_or_else(|| Fault::field("/parent_id", "is required"))
}

/// Holds the tree until the unit ends. Before anything else in the unit, so that nobody holds
/// what another needs while waiting for the tree.
pub(crate) async fn lock_tree(unit: &mut Unit<'_>) -> Result<(), Fault> {
    unit.fetch_one(&sql::LOCK_TREE, args![]).await?;
    Ok(())
}

/// Where a write lands: in the actor's own organisation unless it names one below. Its path
/// too, for checks in its name. It cannot be deleted before the unit ends.
pub(crate) async fn target(
    unit: &mut Unit<'_>,
    wanted: Option<OrganisationId>,
) -> Result<(OrganisationId, String), Fault> {
    let actor = unit.actor;
    let args = args![actor.path.as_str(), wanted.unwrap_or(actor.organisation)];
    let row = unit.fetch_optional(&sql::TARGET, args).await?;
    let row = row.ok_or(Fault::NotFound("organisation"))?;
    Ok((row.get("id")?, row.get("path")?))
}

/// As [`target`], for reading.
pub(crate) async fn readable(
    office: &Office,
    actor: &Actor,
    wanted: Option<OrganisationId>,
) -> Result<OrganisationId, Fault> {
    match wanted {
        Some(wanted) if wanted != actor.organisation => Ok(find(office, actor, wanted).await?.id),
        _ => Ok(actor.organisation),
    }
}

/// One organisation of the actor's subtree.
pub(crate) async fn find(
    office: &Office,
    actor: &Actor,
    id: OrganisationId,
) -> Result<View, Fault> {
    let row = office.db.fetch_optional(&sql::FIND_ONE, args![actor.path.as_str(), id]).await?;
    View::of(sql::kept(&row.ok_or(Fault::NotFound("organisation"))?)?, actor)
}

/// A page of the actor's subtree.
pub(crate) async fn list(
    office: &Office,
    actor: &Actor,
    after: Option<OrganisationId>,
    limit: i64,
) -> Result<Page<View>, Fault> {
    let args = args![actor.path.as_str(), after, limit + 1];
    let rows = office.db.fetch_all(&sql::LIST, args).await?;
    let view = |row| View::of(sql::kept(row)?, actor);
    let views: Vec<View> = rows.iter().map(view).collect::<Result<_, Fault>>()?;
    Ok(Page::of(views, limit, |view| view.id.to_string()))
}

async fn load(unit: &mut Unit<'_>, id: OrganisationId) -> Result<(Kept, View), Fault> {
    let path = unit.actor.path.clone();
    let row = unit.fetch_optional(&sql::FIND_ONE, args![path, id]).await?;
    let kept = sql::kept(&row.ok_or(Fault::NotFound("organisation"))?)?;
    let view = View::of(kept.clone(), unit.actor)?;
    Ok((kept, view))
}

/// An organisation named in a body: that there is none is the field's fault.
async fn load_named(unit: &mut Unit<'_>, id: OrganisationId) -> Result<(Kept, View), Fault> {
    load(unit, id).await.map_err(|fault| match fault {
        Fault::NotFound(_) => Fault::field("/parent_id", "there is no such organisation"),
        fault => fault,
    })
}

fn refuse_below(kind: Kind, parent: &View) -> Result<(), Fault> {
    if kind.fits_below(parent.kind) {
        return Ok(());
    }
    let (kind, parent) = (kind.as_str(), parent.kind.as_str());
    Err(Fault::field("/parent_id", format!("a {kind} cannot be below a {parent}")))
}

fn refuse_depth(depth: usize) -> Result<(), Fault> {
    if depth <= DEPTH_MAX {
        return Ok(());
    }
    Err(Fault::field("/parent_id", format!("the tree has more than {DEPTH_MAX} levels")))
}

fn depth(path: &str) -> usize {
    path.matches('/').count()
}

async fn refuse_manager(unit: &mut Unit<'_>, manager: Option<StaffId>) -> Result<(), Fault> {
    let Some(manager) = manager else { return Ok(()) };
    let path = unit.actor.path.clone();
    match unit.fetch_optional(&sql::FIND_MANAGER, args![path, manager]).await? {
        Some(_) => Ok(()),
        None => Err(Fault::field("/manager_id", "there is no such member of staff")),
    }
}

/// Refuses a name that one beside it has. The unit holds the tree.
async fn refuse_sibling(
    unit: &mut Unit<'_>,
    parent: Option<OrganisationId>,
    name: &str,
    id: OrganisationId,
) -> Result<(), Fault> {
    match unit.fetch_optional(&sql::FIND_SIBLING, args![parent, name, id]).await? {
        None => Ok(()),
        Some(_) => Err(Fault::Conflict {
            pointer: "/name",
            detail: format!("there is an organisation \"{name}\" beside it already"),
        }),
    }
}

fn taken() -> Fault {
    let detail = "there is an organisation with this external id beside it already".to_owned();
    Fault::Conflict { pointer: "/external_id", detail }
}

async fn record(
    unit: &mut Unit<'_>,
    kind: &str,
    view: &View,
    before: Option<&View>,
) -> Result<(), Fault> {
    let json = |view: &View| serde_json::to_value(view).map_err(|e| Fault::Internal(Box::new(e)));
    let before = before.map(json).transpose()?;
    let event = Event { kind, entity_id: view.id.to_string(), payload: json(view)?, policy: &[] };
    unit.record(view.id, event, before).await
}

/// Creates one below the actor's own, or below one of those.
pub(crate) async fn create(office: &Office, actor: &Actor, new: New) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    lock_tree(&mut unit).await?;
    let (parent, parent_view) =
        load_named(&mut unit, new.parent.unwrap_or(actor.organisation)).await?;
    refuse_below(new.kind, &parent_view)?;
    refuse_depth(depth(&parent.path) + 1)?;
    refuse_manager(&mut unit, new.manager).await?;
    let id = OrganisationId::generate();
    refuse_sibling(&mut unit, Some(parent.id), &new.name, id).await?;
    let path = format!("{}{}/", parent.path, id.0.simple());
    let inserted = unit
        .execute(
            &sql::INSERT_CHILD,
            args![
                id,
                parent.id,
                path.as_str(),
                new.kind.as_str(),
                new.name.as_str(),
                new.legal_entity,
                parent.currency,
                parent.zone,
                parent.locale,
                new.address,
                new.manager,
                new.external.0,
                new.external.1,
                unit.now,
                actor.label()
            ],
        )
        .await;
    match inserted {
        Err(StoreError::Unique { .. }) => return Err(taken()),
        result => result?,
    };
    let mut changes = Vec::new();
    if new.legal_entity {
        changes.extend(pinned(&mut unit, id, new.currency).await?);
    }
    let given = [(&registry::ZONE, new.zone), (&registry::LOCALE, new.locale)];
    for (setting, value) in given {
        if let Some(value) = value {
            changes.push(Change {
                key: setting.key.to_owned(),
                before: None,
                after: Some(value.into()),
            });
        }
    }
    setting::apply(&mut unit, id, &path, &changes).await?;
    unit.touch_configuration(id).await?;
    let (_, view) = load(&mut unit, id).await?;
    record(&mut unit, "organisation.created", &view, None).await?;
    unit.answers(201, serde_json::to_value(&view).map_err(|e| Fault::Internal(Box::new(e)))?);
    unit.commit().await?;
    Ok(view)
}

/// A legal entity keeps its books in its own right: what they depend on becomes its own, and
/// does not change with its parent's.
async fn pinned(
    unit: &mut Unit<'_>,
    id: OrganisationId,
    currency: Option<Currency>,
) -> Result<Vec<Change>, Fault> {
    let layers = setting::open(unit, id, None).await?;
    let mut changes = Vec::new();
    for setting in registry::ALL.iter().filter(|setting| setting.by_entity) {
        if layers.own(setting.key).is_some() {
            continue;
        }
        let given = currency.filter(|_| setting.key == registry::CURRENCY.key);
        let value = given.map_or_else(|| layers.find(setting).0, |c| c.to_string().into());
        changes.push(Change { key: setting.key.to_owned(), before: None, after: Some(value) });
    }
    Ok(changes)
}

/// Changes what an organisation says of itself.
pub(crate) async fn update(
    office: &Office,
    actor: &Actor,
    id: OrganisationId,
    edit: Edit,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    lock_tree(&mut unit).await?;
    let (kept, before) = load(&mut unit, id).await?;
    if expected.is_some_and(|expected| expected != kept.version) {
        return Err(Fault::Stale);
    }
    let legal_entity = match (edit.legal_entity, kept.legal_entity) {
        (Some(true), false) if before.kind == Kind::Branch => {
            let detail = "a branch belongs to the legal entity above it";
            return Err(Fault::field("/legal_entity", detail));
        }
        (Some(false), true) => {
            let detail = "a legal entity stays one: papers carry its name and numbers";
            return Err(Fault::field("/legal_entity", detail));
        }
        (wanted, is) => wanted.unwrap_or(is),
    };
    if let Some(manager) = edit.manager {
        refuse_manager(&mut unit, manager).await?;
    }
    let name = edit.name.unwrap_or(kept.name);
    refuse_sibling(&mut unit, kept.parent, &name, id).await?;
    let external = edit.external.unwrap_or((kept.external_source, kept.external_id));
    let updated = unit
        .execute(
            &sql::UPDATE,
            args![
                actor.path.as_str(),
                id,
                name.as_str(),
                legal_entity,
                edit.address.unwrap_or(kept.address),
                edit.manager.unwrap_or(kept.manager),
                external.0,
                external.1,
                unit.now,
                actor.label()
            ],
        )
        .await;
    match updated {
        Err(StoreError::Unique { .. }) => return Err(taken()),
        result => changed_one(result?)?,
    }
    if legal_entity && !kept.legal_entity {
        let changes = pinned(&mut unit, id, None).await?;
        setting::apply(&mut unit, id, &kept.path, &changes).await?;
    }
    // Its name stands beside the settings that others inherit from it.
    unit.touch_configuration(id).await?;
    let (_, view) = load(&mut unit, id).await?;
    record(&mut unit, "organisation.updated", &view, Some(&before)).await?;
    unit.commit().await?;
    Ok(view)
}

/// Puts an organisation, with all that is below it, below another.
pub(crate) async fn relocate(
    office: &Office,
    actor: &Actor,
    id: OrganisationId,
    parent: OrganisationId,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    lock_tree(&mut unit).await?;
    let (kept, before) = load(&mut unit, id).await?;
    if expected.is_some_and(|expected| expected != kept.version) {
        return Err(Fault::Stale);
    }
    if id == actor.organisation {
        return Err(Fault::field("", "one's own organisation is moved by those above it"));
    }
    let (parent, parent_view) = load_named(&mut unit, parent).await?;
    if parent.path.starts_with(&kept.path) {
        return Err(Fault::field("/parent_id", "is the organisation itself, or below it"));
    }
    refuse_below(before.kind, &parent_view)?;
    if kept.parent == Some(parent.id) {
        return Ok(before);
    }
    refuse_depth(depth(&parent.path) + height(&mut unit, &kept).await?)?;
    refuse_sibling(&mut unit, Some(parent.id), &kept.name, id).await?;
    let moved = unit
        .execute(&sql::MOVE, args![actor.path.as_str(), id, parent.id, unit.now, actor.label()])
        .await;
    match moved {
        Err(StoreError::Unique { .. }) => return Err(taken()),
        result => changed_one(result?)?,
    }
    let path = format!("{}{}/", parent.path, id.0.simple());
    let behind = i64::try_from(kept.path.len()).unwrap_or(i64::MAX).saturating_add(1);
    unit.execute(&sql::REWRITE_PATHS, args![kept.path.as_str(), path.as_str(), behind]).await?;
    setting::copy_to_columns(&mut unit, &path).await?;
    unit.touch_configuration(id).await?;
    let (_, view) = load(&mut unit, id).await?;
    record(&mut unit, "organisation.moved", &view, Some(&before)).await?;
    unit.commit().await?;
    Ok(view)
}

/// Levels of a subtree, itself included.
async fn height(unit: &mut Unit<'_>, top: &Kept) -> Result<usize, Fault> {
    let rows = unit.fetch_all(&sql::PATHS, args![top.path.as_str()]).await?;
    let mut lowest = depth(&top.path);
    for row in &rows {
        lowest = lowest.max(depth(&row.get::<String>("path")?));
    }
    Ok(lowest - depth(&top.path) + 1)
}

/// Deletes an organisation that has nothing left.
pub(crate) async fn delete(
    office: &Office,
    actor: &Actor,
    id: OrganisationId,
    expected: Option<i64>,
) -> Result<(), Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    lock_tree(&mut unit).await?;
    let (kept, view) = load(&mut unit, id).await?;
    if expected.is_some_and(|expected| expected != kept.version) {
        return Err(Fault::Stale);
    }
    if id == actor.organisation {
        return Err(Fault::field("", "one's own organisation is deleted by those above it"));
    }
    unit.fetch_one(&sql::LOCK_EMPTY, args![id]).await?;
    let row = unit.fetch_one(&sql::HOLDS, args![id]).await?;
    if let Some(holds) = row.get::<Option<String>>("holds")? {
        return Err(Fault::Conflict {
            pointer: "",
            detail: format!("the organisation still has {holds}"),
        });
    }
    let args = args![actor.path.as_str(), id, unit.now, actor.label()];
    changed_one(unit.execute(&sql::DELETE, args).await?)?;
    unit.touch_configuration(id).await?;
    record(&mut unit, "organisation.deleted", &view, Some(&view)).await?;
    unit.commit().await
}

#[cfg(test)]
mod tests;
