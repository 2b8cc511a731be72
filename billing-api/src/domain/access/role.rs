//! Roles: permissions by name, which staff have. Nobody gives more than they have.

use model::{OrganisationId, RoleId, Ts};
use serde_json::{Value, json};
use store::{Row, Tx, args};

use super::description::ROLE;
use super::permission::is_pattern;
use super::template::{ADMIN, TEMPLATES};
use super::{Rights, role_rights, texts};
use crate::domain::{Actor, Fault, Input, Unit};
use crate::entity::{Entity, search, write};
use crate::store::access as sql;

static ROLES: &Entity = &ROLE;

/// Patterns of a role at most.
pub(crate) const PATTERNS_MAX: usize = 200;

/// Creates a role of every template in an organisation; returns the administrator's.
pub(crate) async fn create_templates(
    tx: &mut Tx,
    now: Ts,
    organisation: OrganisationId,
) -> Result<RoleId, Fault> {
    let mut admin = RoleId::generate();
    for template in TEMPLATES {
        let id = RoleId::generate();
        if template.word == ADMIN.word {
            admin = id;
        }
        let (permissions, by) = (json!(template.permissions), "system:first_start");
        let args = args![
            id,
            organisation,
            template.name,
            template.description,
            permissions,
            template.word,
            false,
            now,
            by
        ];
        tx.execute(&sql::INSERT_ROLE, args).await?;
    }
    Ok(admin)
}

/// A role somebody can see.
pub(crate) struct Role {
    pub(crate) id: RoleId,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) permissions: Value,
    pub(crate) template: Option<String>,
    pub(crate) second_factor: bool,
}

impl Role {
    fn of(row: &Row) -> Result<Self, store::StoreError> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            description: row.get("description")?,
            permissions: row.get("permissions")?,
            template: row.get("template")?,
            second_factor: row.get("second_factor")?,
        })
    }

    /// What it grants today.
    pub(crate) fn rights(&self) -> Rights {
        Rights::of(&texts(&self.permissions))
    }

    fn view(&self, organisation: OrganisationId, version: i64, at: Ts) -> Value {
        json!({
            "id": self.id,
            "organisation_id": organisation,
            "name": self.name,
            "description": self.description,
            "permissions": self.permissions,
            "template": self.template,
            "second_factor": self.second_factor,
            "version": version,
            "created_at": at,
            "updated_at": at,
        })
    }
}

/// Reads a role: one's own, those below, and those of the organisations above.
pub(crate) async fn load(unit: &mut Unit<'_>, id: RoleId) -> Result<Role, Fault> {
    let args = args![unit.actor.path.as_str(), id];
    let row = unit.fetch_optional(&sql::LOAD_ROLE, args).await?;
    Ok(Role::of(&row.ok_or(Fault::NotFound("role"))?)?)
}

/// That the actor has all of what is given or taken away; else a fault that names what lacks.
pub(crate) fn within(actor: &Actor, rights: &Rights) -> Result<(), Fault> {
    match actor.rights.missing(rights) {
        None => Ok(()),
        Some(permission) => Err(Fault::Forbidden(permission)),
    }
}

/// What is wrong with a list of permissions.
pub(crate) fn check_patterns(permissions: &[&str], field: &str, input: &mut Input) {
    if permissions.len() > PATTERNS_MAX {
        input.fault(field, format!("has more than {PATTERNS_MAX} entries"));
    }
    for pattern in permissions.iter().take(PATTERNS_MAX) {
        if !is_pattern(pattern) {
            // Shown back to whoever sent it; what it holds was checked to be short text.
            input.fault(field, format!("there is no permission {pattern:?}"));
        }
    }
}

/// One change of who may do what at a time. Call it before reading what the change depends on.
pub(crate) async fn lock(unit: &mut Unit<'_>) -> Result<(), Fault> {
    unit.fetch_all(&sql::LOCK_ACCESS, args![]).await?;
    Ok(())
}

/// That somebody of the root organisation can still do everything. Call it last, after
/// [`lock`] and the change.
pub(crate) async fn keep_an_administrator(unit: &mut Unit<'_>) -> Result<(), Fault> {
    for row in unit.fetch_all(&sql::ROOT_STAFF, args![]).await? {
        if role_rights(row.get("permissions")?) == Rights::all() {
            return Ok(());
        }
    }
    let detail = "nobody would be left who can do everything; give another the role first";
    Err(Fault::Conflict { pointer: "", detail: detail.to_owned() })
}

/// That nobody has a role that is about to be deleted.
pub(crate) async fn refuse_in_use(unit: &mut Unit<'_>, id: RoleId) -> Result<(), Fault> {
    let row = unit.fetch_one(&sql::ROLE_IN_USE, args![id]).await?;
    let (staff, providers): (i64, i64) = (row.get("staff")?, row.get("providers")?);
    let detail = match (staff, providers) {
        (0, 0) => return Ok(()),
        (0, _) => "an identity provider gives this role to new staff".to_owned(),
        _ => format!("{staff} of the staff have this role; give them another first"),
    };
    Err(Fault::Conflict { pointer: "", detail })
}

/// Copies a role into the actor's organisation under another name.
pub(crate) async fn clone(
    unit: &mut Unit<'_>,
    id: RoleId,
    name: &str,
) -> Result<(Value, i64), Fault> {
    let original = load(unit, id).await?;
    within(unit.actor, &original.rights())?;
    let organisation = unit.actor.organisation;
    let copy = Role { id: RoleId::generate(), name: name.to_owned(), ..original };
    let args = args![
        copy.id,
        organisation,
        name,
        copy.description.clone(),
        copy.permissions.clone(),
        copy.template.clone(),
        copy.second_factor,
        unit.now,
        unit.actor.label()
    ];
    match unit.execute(&sql::INSERT_ROLE, args).await {
        Err(store::StoreError::Unique { .. }) => {
            let detail = format!("there is a role named {name:?}");
            return Err(Fault::Conflict { pointer: "/name", detail });
        }
        result => result?,
    };
    let row = write::load(unit, ROLES, copy.id.0, false).await?;
    search::note(unit, ROLES, copy.id.0, &row, false).await?;
    let view = copy.view(organisation, 1, unit.now);
    let event = crate::domain::Event {
        kind: "role.created",
        entity_id: copy.id.to_string(),
        payload: view.clone(),
        policy: &[],
    };
    unit.record(organisation, event, None).await?;
    Ok((view, 1))
}
