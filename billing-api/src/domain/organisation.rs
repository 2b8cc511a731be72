//! Organisations: the tree of the provider, its partners and their branches.
//!
//! The shape of the tree is changed by one at a time (`lock_tree`). An organisation's path is
//! the ids from the root to it, so that a subtree is a prefix; moving one rewrites the paths of
//! all below it in one statement. A request that began before and carries an old path finds
//! nothing under it: paths are never given twice, because ids are not.

use std::collections::HashMap;

use model::{Currency, OrganisationId, StaffId, Ts};
use serde::Serialize;
use serde_json::Value;
use store::{Row, StoreError, args, changed_one};

use super::setting::{self, Change, registry};
use super::{Actor, Fault, Input, Office, Page, Unit, radius_group};
use crate::entity::Kind::{Choice, Flag, Integer, LongText, Reference, Text, Zone};
use crate::entity::{
    Draft, Entity, Field, Flags, Hooks, Source, Unique, Verb, Verbs, Written, write,
};
use crate::store::organisation as sql;
use crate::store::organisation::Kept;

/// Longest name, characters.
const NAME_CHARACTERS_MAX: usize = 100;
/// Longest host name (RFC 1035 §2.3.4, without the root's dot).
const HOST_CHARACTERS_MAX: usize = 253;
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

/// Who somebody is for: the provider, a partner, a branch. The tree's rules are its hooks; what
/// papers and customers see of it (legal name, tax id, contacts) are settings, which those below
/// inherit.
pub(crate) const ORGANISATION: Entity = Entity {
    name: "organisation",
    path: "organisations",
    table: "organisation",
    prefix: OrganisationId::PREFIX,
    permission: "partners",
    verbs: Verbs::CREATE.and(Verbs::UPDATE).and(Verbs::DELETE),
    tenant: true,
    home: Some("parent_id"),
    unique: &[Unique::everywhere(&["host_name"])],
    fields: &[
        Field::new(
            "name",
            Text(NAME_CHARACTERS_MAX),
            Flags::REQUIRED
                .and(Flags::WRITABLE)
                .and(Flags::SORTABLE)
                .and(Flags::FILTERABLE)
                .and(Flags::SEARCHED)
                .and(Flags::LISTED),
        ),
        Field::new(
            "kind",
            Choice(&["isp", "partner", "branch"]),
            Flags::REQUIRED.and(AT_FIRST).and(Flags::FILTERABLE).and(Flags::LISTED),
        ),
        // Absent for the reader's own: what is above is not theirs to see.
        Field::new(
            "parent_id",
            Reference(OrganisationId::PREFIX, "organisation"),
            AT_FIRST.and(Flags::LISTED),
        ),
        Field::new(
            "legal_entity",
            Flag,
            Flags::WRITABLE.and(Flags::FILLED).and(Flags::FILTERABLE).and(Flags::LISTED),
        ),
        Field::new("currency", Text(3), AT_FIRST.and(Flags::FILLED).and(Flags::LISTED)),
        Field::new("zone", Zone, AT_FIRST.and(Flags::FILLED).and(Flags::LISTED)),
        Field::new("locale", Text(35), AT_FIRST.and(Flags::FILLED)),
        // Set by those above alone: whoever has a name can show a sign-in page under it.
        Field::new("host_name", Text(HOST_CHARACTERS_MAX), Flags::WRITABLE),
        Field::new("address", LongText(500), Flags::WRITABLE),
        Field::new("manager_id", Reference(StaffId::PREFIX, "staff"), Flags::WRITABLE),
        Field::new("children", Integer(0, i64::MAX), Flags::COMPUTED),
    ],
    hooks: Hooks {
        check,
        before: |unit, verb, draft, row| Box::pin(before(unit, verb, draft, row)),
        after: |unit, written| Box::pin(after(unit, written)),
        extend: |source, rows| Box::pin(extend(source, rows)),
        hold: |unit| Box::pin(lock_tree(unit)),
        ..Hooks::NONE
    },
    ..Entity::PLAIN
};

static DESCRIPTION: &Entity = &ORGANISATION;

/// Given at creation; later it is a setting, or a move.
const AT_FIRST: Flags = Flags::WRITABLE.and(Flags::ONCE);

fn check(draft: &Draft, input: &mut Input) {
    let kind = draft.text("kind");
    let legal_entity = draft.flag("legal_entity").unwrap_or(false);
    if kind == Some(Kind::Isp.as_str()) {
        input.fault("kind", "is partner or branch");
    }
    if legal_entity && kind == Some(Kind::Branch.as_str()) {
        input.fault("legal_entity", "a branch belongs to the legal entity above it");
    }
    if let Some(currency) = draft.text("currency") {
        match currency.parse::<Currency>() {
            Err(error) => input.fault("currency", error.to_string()),
            Ok(_) if !legal_entity => input.fault("currency", "is set by the legal entity"),
            Ok(_) => {}
        }
    }
    if draft.text("host_name").is_some_and(|name| normal_host(name).is_none()) {
        input.fault("host_name", "is a name such as office.partner.example, without a port");
    }
    if let Some(locale) = draft.text("locale")
        && let Err(detail) = setting::Kind::Locale.check(&Value::String(locale.to_owned()))
    {
        input.fault("locale", detail);
    }
}

async fn before(
    unit: &mut Unit<'_>,
    verb: Verb,
    draft: &mut Draft,
    row: Option<&Row>,
) -> Result<(), Fault> {
    if let Some(name) = draft.text("host_name").and_then(normal_host) {
        // A page under the console's own name is the provider's.
        let own = unit.office().mail.public_url.as_deref().unwrap_or_default();
        let own = own.split_once("://").map_or("", |(_, rest)| rest);
        if own.split(['/', ':']).next().is_some_and(|own| own.eq_ignore_ascii_case(&name)) {
            return Err(Fault::field("/host_name", "is the name of the console itself"));
        }
        draft.set("host_name", name);
    }
    let Some(row) = row else { return found(unit, draft).await };
    let id: OrganisationId = row.get("id")?;
    let parent: Option<OrganisationId> = row.get("parent_id")?;
    let name: String = row.get("name")?;
    match verb {
        Verb::Created => {}
        Verb::Updated => {
            let is: bool = row.get("legal_entity")?;
            let branch = row.get::<String>("kind")? == Kind::Branch.as_str();
            let detail = match (draft.flag("legal_entity"), is) {
                (Some(true), false) if branch => "a branch belongs to the legal entity above it",
                (Some(false), true) => {
                    "a legal entity stays one: papers carry its name and numbers"
                }
                _ => "",
            };
            if !detail.is_empty() {
                return Err(Fault::field("/legal_entity", detail));
            }
            let host: Option<String> = row.get("host_name")?;
            let changed =
                draft.value("host_name").is_some() && draft.text("host_name") != host.as_deref();
            if changed && id == unit.actor.organisation {
                let detail = "is set by those above the organisation";
                return Err(Fault::field("/host_name", detail));
            }
            let name = draft.text("name").unwrap_or(&name).to_owned();
            refuse_sibling(unit, parent, &name, id).await?;
        }
        Verb::Deleted => {
            if id == unit.actor.organisation {
                let detail = "one's own organisation is deleted by those above it";
                return Err(Fault::field("", detail));
            }
            unit.fetch_one(&sql::LOCK_EMPTY, args![id]).await?;
            let row = unit.fetch_one(&sql::HOLDS, args![id]).await?;
            if let Some(holds) = row.get::<Option<String>>("holds")? {
                let detail = format!("the organisation still has {holds}");
                return Err(Fault::Conflict { pointer: "", detail });
            }
        }
        Verb::Restored => {
            if let Some(parent) = parent {
                let above = load(unit, parent).await;
                above.map_err(|fault| match fault {
                    Fault::NotFound(_) => Fault::Conflict {
                        pointer: "/parent_id",
                        detail: "what it was below is deleted; restore that first".to_owned(),
                    },
                    fault => fault,
                })?;
            }
            refuse_sibling(unit, parent, &name, id).await?;
        }
    }
    Ok(())
}

/// Completes a new one: its place in the tree, and what it takes from there.
async fn found(unit: &mut Unit<'_>, draft: &mut Draft) -> Result<(), Fault> {
    let id = OrganisationId(draft.record);
    let parent = draft.organisation.unwrap_or(unit.actor.organisation);
    let (parent, parent_view) = load_named(unit, parent).await?;
    let kind = draft.text("kind").and_then(Kind::from_word);
    refuse_below(kind.unwrap_or(Kind::Branch), &parent_view)?;
    refuse_depth(depth(&parent.path) + 1)?;
    refuse_sibling(unit, Some(parent.id), draft.text("name").unwrap_or_default(), id).await?;
    draft.set("parent_id", parent.id);
    draft.set("path", format!("{}{}/", parent.path, id.0.simple()));
    draft.fill("legal_entity", false);
    draft.fill("currency", parent.currency.to_string());
    draft.fill("zone", parent.zone);
    draft.fill("locale", parent.locale);
    Ok(())
}

/// Writes the settings that come with what was given, and tells those who keep settings in
/// memory: its name and its place stand beside what others inherit from it.
async fn after(unit: &mut Unit<'_>, written: Written<'_>) -> Result<(), Fault> {
    let (id, draft) = (OrganisationId(written.id), written.draft);
    let was: bool = written.before.map_or(Ok(false), |row| row.get("legal_entity"))?;
    let mut changes = Vec::new();
    if matches!(written.verb, Verb::Created | Verb::Updated)
        && written.after.get::<bool>("legal_entity")?
        && !was
    {
        let given = draft.text("currency").filter(|_| draft.was_given("currency"));
        changes.extend(pinned(unit, id, given.and_then(|code| code.parse().ok())).await?);
    }
    for (field, setting) in [("zone", &registry::ZONE), ("locale", &registry::LOCALE)] {
        if let Some(value) = draft.text(field).filter(|_| draft.was_given(field)) {
            let after = Some(value.into());
            changes.retain(|change| change.key != setting.key);
            changes.push(Change { key: setting.key.to_owned(), before: None, after });
        }
    }
    setting::apply(unit, id, &written.after.get::<String>("path")?, &changes).await?;
    unit.touch_configuration(id).await?;
    radius_group::realms_reach_anew(unit).await
}

/// Counts what is right below, and hides what is above the reader.
async fn extend(mut source: Source<'_, '_>, rows: &mut [Value]) -> Result<(), Fault> {
    let id = |row: &Value| -> Option<OrganisationId> { row["id"].as_str()?.parse().ok() };
    let ids: Vec<OrganisationId> = rows.iter().filter_map(id).collect();
    let mut children = HashMap::new();
    for row in source.fetch_all(&sql::CHILDREN, args![ids]).await? {
        let parent: OrganisationId = row.get("parent_id")?;
        children.insert(parent, row.get::<i64>("children")?);
    }
    let own = source.reader().organisation;
    for row in rows {
        let Some(id) = id(row) else { continue };
        row["children"] = children.get(&id).copied().unwrap_or(0).into();
        if id == own {
            row["parent_id"] = Value::Null;
        }
    }
    Ok(())
}

/// A host name as it is kept and compared: in lower case, without the root's dot. Nothing where
/// it is none that a browser could ask for: an address, a single label.
fn normal_host(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_name = name.contains('.')
        && name.len() <= HOST_CHARACTERS_MAX
        && name.parse::<std::net::IpAddr>().is_err()
        && crate::mail::server::is_host(&name);
    is_name.then_some(name)
}

/// Whose name a host name is, for those who are nobody yet.
pub(crate) async fn by_host(office: &Office, host: &str) -> Result<Option<OrganisationId>, Fault> {
    let Some(name) = normal_host(host) else { return Ok(None) };
    let row = office.db.fetch_optional(&sql::BY_HOST, args![name]).await?;
    Ok(row.map(|row| row.get("id")).transpose()?)
}

/// The host name of an organisation, where it has one.
pub(crate) async fn host_of(office: &Office, id: OrganisationId) -> Result<Option<String>, Fault> {
    let row = office.db.fetch_optional(&sql::HOST, args![id]).await?;
    Ok(row.map(|row| row.get("host_name")).transpose()?.flatten())
}

/// The root of the tree.
pub(crate) async fn root(office: &Office) -> Result<OrganisationId, Fault> {
    Ok(office.db.fetch_one(&sql::FIND_ROOT, args![]).await?.get("id")?)
}

/// What a new organisation needs.
#[derive(Debug)]
pub(crate) struct New(Draft);

impl New {
    /// Reads a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        Draft::parse(DESCRIPTION, &[], body, true).map(Self)
    }
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

/// The unique key of a move that is taken.
fn taken() -> Fault {
    let detail = "there is an organisation with this external id beside it already".to_owned();
    Fault::Conflict { pointer: "/external_id", detail }
}

/// Creates one below the actor's own, or below one of those.
pub(crate) async fn create(office: &Office, actor: &Actor, new: New) -> Result<View, Fault> {
    let made = write::create(office, actor, DESCRIPTION, new.0).await?;
    find(office, actor, OrganisationId(made.id)).await
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
    let before_row = write::load(&mut unit, DESCRIPTION, id.0, false).await?;
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
    radius_group::realms_reach_anew(&mut unit).await?;
    let row = write::load(&mut unit, DESCRIPTION, id.0, false).await?;
    write::record(&mut unit, DESCRIPTION, "moved", id.0, Some(&before_row), &row).await?;
    write::answer(&mut unit, DESCRIPTION, id.0, 200).await?;
    unit.commit().await?;
    find(office, actor, id).await
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

#[cfg(test)]
mod tests;
