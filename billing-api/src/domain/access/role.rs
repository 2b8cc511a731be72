//! Roles: permissions by name, which staff have.

use model::{OrganisationId, RoleId, Ts};
use serde_json::json;
use store::{Tx, args};

use super::template::{ADMIN, TEMPLATES};
use crate::domain::Fault;
use crate::store::access as sql;

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
