//! Branding: an organisation's name, colours and logo on our pages.
//!
//! Name and colours are settings like any other. The logo is a file: it is sent on a way of its
//! own, judged without decoding it ([`picture`]), and named by its hash in the settings.

pub(crate) mod picture;

#[cfg(test)]
mod tests;

use daemon::secrets::sha256;
use model::OrganisationId;
use store::args;

use super::setting::{self, Change, View, registry};
use super::{Actor, Fault, Office, Unit, organisation};
use crate::store::setting as sql;

/// Largest logo, octets.
pub(crate) const LOGO_OCTETS_MAX: usize = 256 * 1024;
/// What a logo is among the files.
const LOGO_KIND: &str = "logo";

/// A file as it is served.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) content_type: String,
    pub(crate) content: Vec<u8>,
}

/// Takes an organisation's logo. `declared`: what the sender says it is.
pub(crate) async fn set_logo(
    office: &Office,
    actor: &Actor,
    organisation: Option<OrganisationId>,
    declared: Option<&str>,
    content: &[u8],
    expected: Option<i64>,
) -> Result<View, Fault> {
    if content.len() > LOGO_OCTETS_MAX {
        return Err(Fault::TooLong(LOGO_OCTETS_MAX));
    }
    let format =
        picture::check(content, declared).map_err(|detail| Fault::field("/logo", detail))?;
    let hash: String = sha256(content).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut unit = Unit::begin(office, actor).await?;
    let (organisation, path) = organisation::target(&mut unit, organisation).await?;
    let mut layers = setting::open(&mut unit, organisation, expected).await?;
    let args = args![
        organisation,
        hash.as_str(),
        LOGO_KIND,
        format.content_type(),
        content,
        unit.now,
        actor.label()
    ];
    unit.execute(&sql::INSERT_BLOB, args).await?;
    change(&mut unit, organisation, &path, &mut layers, Some(hash)).await?;
    let view = setting::show(organisation, &layers);
    unit.answers(200, serde_json::to_value(&view).map_err(|e| Fault::Internal(Box::new(e)))?);
    unit.commit().await?;
    Ok(view)
}

/// Removes an organisation's own logo; an ancestor's applies again.
pub(crate) async fn remove_logo(
    office: &Office,
    actor: &Actor,
    organisation: Option<OrganisationId>,
    expected: Option<i64>,
) -> Result<View, Fault> {
    let mut unit = Unit::begin(office, actor).await?;
    let (organisation, path) = organisation::target(&mut unit, organisation).await?;
    let mut layers = setting::open(&mut unit, organisation, expected).await?;
    change(&mut unit, organisation, &path, &mut layers, None).await?;
    let view = setting::show(organisation, &layers);
    unit.answers(200, serde_json::to_value(&view).map_err(|e| Fault::Internal(Box::new(e)))?);
    unit.commit().await?;
    Ok(view)
}

async fn change(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
    path: &str,
    layers: &mut setting::Layers,
    hash: Option<String>,
) -> Result<(), Fault> {
    let key = registry::LOGO.key;
    // The organisation's settings are locked: nobody names another file meanwhile.
    let keep = hash.as_deref().unwrap_or("");
    unit.execute(&sql::DELETE_BLOBS, args![organisation, LOGO_KIND, keep]).await?;
    let before = layers.own(key).cloned();
    let after = hash.map(serde_json::Value::from);
    layers.put(key, after.clone());
    let changes = [Change { key: key.to_owned(), before, after }];
    setting::apply(unit, organisation, path, &changes).await?;
    setting::record(unit, organisation, "settings.changed", layers.version, &changes).await
}

/// A logo by its hash. Anybody may see it: the sign-in page shows one.
pub(crate) async fn find_logo(office: &Office, hash: &str) -> Result<File, Fault> {
    let row = office.db.fetch_optional(&sql::FIND_BLOB, args![hash, LOGO_KIND]).await?;
    let row = row.ok_or(Fault::NotFound("picture"))?;
    Ok(File { content_type: row.get("content_type")?, content: row.get("content")? })
}
