//! The texts of letters, in the language of whoever reads them.
//!
//! Every key is in [`KEYS`], which a test compares with the catalogue.

use ::mail::Address;
use jiff::tz::TimeZone;
use model::text::{FluentValue, text};
use model::{OrganisationId, Secret, StaffId, Ts};
use store::args;
use uuid::Uuid;

use super::queue::{self, New};
use crate::domain::setting::registry as settings;
use crate::domain::{Fault, Unit, setting};

/// What letters are about.
pub(crate) const KINDS: &[&str] =
    &["password_link", "import_finished", "export_ready", "export_scheduled", "job_failed", "test"];

/// Every text of a letter.
#[cfg(test)]
pub(super) const KEYS: &[&str] = &[
    "mail-password-link-subject",
    "mail-password-link-text",
    "mail-import-finished-subject",
    "mail-import-finished-text",
    "mail-export-ready-subject",
    "mail-export-ready-text",
    "mail-export-failed-subject",
    "mail-export-failed-text",
    "mail-export-attached-text",
    "mail-job-failed-subject",
    "mail-job-failed-text",
    "mail-test-subject",
    "mail-test-text",
    "mail-link-none",
];

store::statements! {
    /// Who a member of staff is to a letter.
    pub(crate) READER = "SELECT s.name, s.email, s.locale, COALESCE(s.zone, o.zone) AS zone,
            s.organisation_id
        FROM staff s JOIN organisation o ON o.id = s.organisation_id
        WHERE s.id = $1 AND s.deleted_at IS NULL";
    /// Who an organisation's own contact is.
    pub(crate) HOME = "SELECT name, locale, zone FROM organisation WHERE id = $1";
}

/// Whoever reads a letter.
pub(crate) struct Reader {
    pub(crate) to: Address,
    name: String,
    locale: String,
    zone: TimeZone,
    /// Whose mail server sends to them.
    pub(crate) organisation: OrganisationId,
}

/// A member of staff as a reader; nothing where they are gone or their address is none.
pub(crate) async fn reader(unit: &mut Unit<'_>, staff: StaffId) -> Result<Option<Reader>, Fault> {
    let Some(row) = unit.fetch_optional(&READER, args![staff]).await? else { return Ok(None) };
    let Ok(to) = row.get::<String>("email")?.parse() else { return Ok(None) };
    Ok(Some(Reader {
        to,
        name: row.get("name")?,
        locale: row.get("locale")?,
        zone: zone(&row.get::<String>("zone")?),
        organisation: row.get("organisation_id")?,
    }))
}

/// An address that belongs to nobody we know, in an organisation's language.
pub(crate) async fn stranger(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
    to: Address,
) -> Result<Reader, Fault> {
    let row = unit.fetch_one(&HOME, args![organisation]).await?;
    Ok(Reader {
        to,
        name: row.get("name")?,
        locale: row.get("locale")?,
        zone: zone(&row.get::<String>("zone")?),
        organisation,
    })
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

type Values<'a> = &'a [(&'static str, FluentValue<'static>)];

impl Reader {
    fn say(&self, key: &str, values: Values<'_>) -> String {
        let mut all = vec![("name", self.name.clone().into())];
        all.extend(values.iter().cloned());
        text(&self.locale, key, &all)
    }

    /// An instant on the reader's wall.
    fn minute(&self, at: Ts) -> String {
        let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or_default();
        let at = at.to_zoned(self.zone.clone());
        format!("{} {}", at.strftime("%Y-%m-%d %H:%M"), self.zone.iana_name().unwrap_or("UTC"))
    }

    /// A link, or how to come there without one.
    fn link(&self, unit: &Unit<'_>, path: &str) -> String {
        let link = unit.office().mail.link(path);
        link.unwrap_or_else(|| self.say("mail-link-none", &[("path", path.to_owned().into())]))
    }

    fn letter(&self, kind: &'static str, subject: &str, body: &str, values: Values<'_>) -> New<'_> {
        New {
            organisation: self.organisation,
            kind,
            to: &self.to,
            subject: self.say(subject, values),
            text: self.say(body, values),
            attach: None,
        }
    }
}

/// The link to set a password with; only where the console's own address is known.
pub(crate) async fn password_link(
    unit: &mut Unit<'_>,
    staff: StaffId,
    token: &Secret<String>,
    until: Ts,
) -> Result<(), Fault> {
    let path = format!("/set-password?token={}", token.expose());
    let Some(link) = unit.office().mail.link(&path) else { return Ok(()) };
    let Some(reader) = reader(unit, staff).await? else { return Ok(()) };
    let values = [("link", link.into()), ("until", reader.minute(until).into())];
    let subject = "mail-password-link-subject";
    let new = reader.letter("password_link", subject, "mail-password-link-text", &values);
    queue::send(unit, new).await.map(drop)
}

/// An import came to its end.
pub(crate) async fn import_finished(
    unit: &mut Unit<'_>,
    staff: StaffId,
    id: &str,
    file: &str,
    counts: [i64; 4],
) -> Result<(), Fault> {
    let Some(reader) = reader(unit, staff).await? else { return Ok(()) };
    let [created, updated, skipped, failed] = counts;
    let link = reader.link(unit, &format!("/imports/{id}"));
    let values = [
        ("file", file.to_owned().into()),
        ("created", created.into()),
        ("updated", updated.into()),
        ("skipped", skipped.into()),
        ("failed", failed.into()),
        ("link", link.into()),
    ];
    let subject = "mail-import-finished-subject";
    let new = reader.letter("import_finished", subject, "mail-import-finished-text", &values);
    queue::send(unit, new).await.map(drop)
}

/// The file of an export can be fetched; the letter, where one could be queued.
pub(crate) async fn export_ready(
    unit: &mut Unit<'_>,
    reader: &Reader,
    kind: &'static str,
    id: &str,
    file: &str,
    rows: u64,
    until: Ts,
) -> Result<Option<Uuid>, Fault> {
    let link = reader.link(unit, &format!("/exports/{id}/ready"));
    let values = [
        ("file", file.to_owned().into()),
        ("rows", i64::try_from(rows).unwrap_or(i64::MAX).into()),
        ("until", reader.minute(until).into()),
        ("link", link.into()),
    ];
    let new = reader.letter(kind, "mail-export-ready-subject", "mail-export-ready-text", &values);
    queue::send(unit, new).await
}

/// The file of a scheduled export, in the letter itself; which it is, where one could be queued.
pub(crate) async fn export_attached(
    unit: &mut Unit<'_>,
    reader: &Reader,
    id: Uuid,
    file: &str,
    rows: u64,
) -> Result<Option<Uuid>, Fault> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let values = [("file", file.to_owned().into()), ("rows", rows.into())];
    let subject = "mail-export-ready-subject";
    let mut new = reader.letter("export_scheduled", subject, "mail-export-attached-text", &values);
    new.attach = Some(id);
    queue::send(unit, new).await
}

/// An export that was asked for will not come.
pub(crate) async fn export_failed(
    unit: &mut Unit<'_>,
    reader: &Reader,
    file: &str,
    why: &str,
) -> Result<(), Fault> {
    let values = [("file", file.to_owned().into()), ("why", why.to_owned().into())];
    let subject = "mail-export-failed-subject";
    let new = reader.letter("export_ready", subject, "mail-export-failed-text", &values);
    queue::send(unit, new).await.map(drop)
}

/// A job failed; to whom the organisation named for that, where it did.
pub(crate) async fn job_failed(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
    run: &str,
    kind: &str,
    error: &str,
) -> Result<(), Fault> {
    let layers = setting::of(unit.office(), organisation).await?;
    if !layers.flag(&settings::MAIL_JOB_FAILED) {
        return Ok(());
    }
    let (contact, _) = layers.find(&settings::MAIL_CONTACT);
    let Some(Ok(to)) = contact.as_str().map(str::parse::<Address>) else { return Ok(()) };
    let reader = stranger(unit, organisation, to).await?;
    let link = reader.link(unit, &format!("/job-runs/{run}"));
    let values = [
        ("job", kind.to_owned().into()),
        ("error", error.to_owned().into()),
        ("link", link.into()),
    ];
    let subject = "mail-job-failed-subject";
    let new = reader.letter("job_failed", subject, "mail-job-failed-text", &values);
    queue::send(unit, new).await.map(drop)
}

/// A letter that says that letters arrive.
pub(super) async fn test(
    unit: &mut Unit<'_>,
    organisation: OrganisationId,
    reader: &Reader,
    host: &str,
) -> Result<Option<Uuid>, Fault> {
    let values = [("host", host.to_owned().into())];
    let new = reader.letter("test", "mail-test-subject", "mail-test-text", &values);
    // By the server that is being tried, wherever the reader is at home.
    queue::send(unit, New { organisation, ..new }).await
}
