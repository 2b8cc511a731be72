//! Letters that wait, and those that were sent.
//!
//! The queue is rows. An organisation has [`WAITING_MAX`] letters waiting at most; one more is
//! left out with a line in the log, and what it would have told about happens all the same. The
//! text is sealed while it waits, because it may hold a link that opens an account, and is
//! forgotten once the letter has been sent.

use model::{OrganisationId, Ts};
use serde_json::Value as Json;
use store::{Row, args};
use tracing::warn;
use uuid::Uuid;

use crate::domain::{Event, Fault, Unit};
use crate::entity::{Action, Entity, Field, Flags, Kind, Step, Verbs, read, write};

/// Letters of an organisation that wait, at most.
pub(crate) const WAITING_MAX: i64 = 10_000;
/// Attempts at most: about two days.
pub(crate) const ATTEMPTS_MAX: i64 = 12;

store::statements! {
    /// A letter begins to wait.
    pub(crate) INSERT = "INSERT INTO mail
        (id, organisation_id, kind, recipient, subject, content, export_id, state, attempts,
         next_at, created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', 0, $8, $8, $9, $8, $9)";
    /// How many letters of an organisation wait, as far as the limit.
    pub(crate) COUNT_WAITING = "SELECT COUNT(*) AS count FROM (SELECT 1 FROM mail
        WHERE organisation_id = $1 AND state = 'waiting' LIMIT $2) AS waiting";
    /// When each organisation has a letter that is due.
    pub(crate) DUE = "SELECT organisation_id, MIN(next_at) AS due FROM mail
        WHERE state = 'waiting' GROUP BY organisation_id";
    /// How many letters of an organisation were sent since an instant, and when the first was.
    pub(crate) SENT_SINCE = "SELECT COUNT(*) AS count, MIN(settled_at) AS first FROM mail
        WHERE organisation_id = $1 AND state = 'sent' AND settled_at > $2";
    /// Takes letters that are due, by making them due again later.
    pub(crate) CLAIM = {
        sqlite: "UPDATE mail SET next_at = $3 WHERE id IN
            (SELECT id FROM mail
             WHERE organisation_id = $1 AND state = 'waiting' AND next_at <= $2
             ORDER BY next_at, id LIMIT $4) RETURNING *",
        postgres: "UPDATE mail SET next_at = $3 WHERE id = ANY(ARRAY
            (SELECT id FROM mail
             WHERE organisation_id = $1 AND state = 'waiting' AND next_at <= $2
             ORDER BY next_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)) RETURNING *",
    };
    /// Writes how an attempt ended, if the letter is still the one that was taken.
    pub(crate) SETTLE = "UPDATE mail
        SET state = $3, attempts = attempts + 1, next_at = $4, code = $5, error = $6, answer = $7,
            server = $8, settled_at = $9, content = CASE WHEN $3 = 'sent' THEN NULL ELSE content END,
            version = version + 1, updated_at = $10
        WHERE id = $1 AND state = 'waiting' AND next_at = $2";
    /// Sends a letter again that failed.
    pub(crate) RETRY = "UPDATE mail
        SET state = 'waiting', attempts = 0, next_at = $3, settled_at = NULL,
            version = version + 1, updated_at = $3, updated_by = $4
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND state = 'failed' AND content IS NOT NULL";
    /// Forgets letters that ended, the oldest first.
    pub(crate) PURGE = "DELETE FROM mail WHERE id IN
        (SELECT id FROM mail WHERE created_at < $1 AND state <> 'waiting'
         ORDER BY created_at LIMIT $2)";
}

/// A letter, without its text.
pub(crate) const MAIL: Entity = Entity {
    name: "mail",
    path: "mail",
    table: "mail",
    prefix: "mai",
    permission: "mail",
    verbs: Verbs::READ,
    title: "subject",
    actions: &[Action {
        name: "retry",
        permission: "mail.edit",
        applies: |letter| letter["state"] == "failed",
        run: |unit, id, expected, _| retry(unit, id, expected),
        ..Action::PLAIN
    }],
    fields: &[
        Field::new("subject", Kind::Text(200), Flags::LISTED),
        Field::new("recipient", Kind::Email, SHOWN.and(Flags::PERSONAL)),
        Field::new("kind", Kind::Choice(super::letters::KINDS), SHOWN),
        Field::new("state", Kind::Choice(&["waiting", "sent", "failed"]), SHOWN),
        Field::new("attempts", Kind::Integer(0, i64::MAX), Flags::LISTED),
        Field::new("next_at", Kind::Time, Flags::NONE),
        Field::new("code", Kind::Integer(0, 999), Flags::NONE),
        Field::new("error", Kind::LongText(2000), Flags::LISTED),
        Field::new("answer", Kind::LongText(2000), Flags::NONE),
        Field::new("server", Kind::Text(300), Flags::NONE),
        Field::new("settled_at", Kind::Time, Flags::NONE),
    ],
    ..Entity::PLAIN
};

const SHOWN: Flags = Flags::LISTED.and(Flags::FILTERABLE);

/// The description, where one is wanted that stays.
pub(super) static ENTITY: &Entity = &MAIL;

/// A letter to be sent.
pub(crate) struct New<'a> {
    pub(crate) organisation: OrganisationId,
    /// One of [`super::letters::KINDS`].
    pub(crate) kind: &'static str,
    pub(crate) to: &'a ::mail::Address,
    pub(crate) subject: String,
    pub(crate) text: String,
    /// The export whose file goes with it.
    pub(crate) attach: Option<Uuid>,
}

/// Queues a letter in the transaction of what it tells about. Nothing where no mail server
/// applies, or too many letters wait.
pub(crate) async fn send(unit: &mut Unit<'_>, new: New<'_>) -> Result<Option<Uuid>, Fault> {
    if !super::server::applies(unit, new.organisation).await? {
        return Ok(None);
    }
    let args = args![new.organisation, WAITING_MAX];
    let waiting: i64 = unit.fetch_one(&COUNT_WAITING, args).await?.get("count")?;
    if waiting >= WAITING_MAX {
        warn!(organisation = %new.organisation, kind = new.kind, "too many letters wait: one is left out");
        metrics::counter!("billing_mail_dropped_total").increment(1);
        return Ok(None);
    }
    let id = Uuid::now_v7();
    let sealed = unit.office().keyring.seal(&bound_to(id), new.text.as_bytes())?;
    let subject: String = new.subject.chars().filter(|c| !c.is_control()).take(200).collect();
    let args = args![
        id,
        new.organisation,
        new.kind,
        new.to.to_string(),
        subject,
        Some(sealed),
        new.attach,
        unit.now,
        unit.actor.label()
    ];
    unit.execute(&INSERT, args).await?;
    unit.wake_sender();
    Ok(Some(id))
}

/// What the text of a letter is sealed to.
pub(super) fn bound_to(id: Uuid) -> String {
    model::id::show(MAIL.prefix, id)
}

/// A letter as the API shows it.
pub(super) fn view(row: &Row) -> Result<Json, Fault> {
    Ok(read::shown(ENTITY, row, &[])?)
}

/// Sends a letter again that failed, and whose text is still there.
fn retry<'a>(unit: &'a mut Unit<'_>, id: Uuid, expected: Option<i64>) -> Step<'a> {
    Box::pin(async move {
        let before = write::load(unit, ENTITY, id, false).await?;
        if expected.is_some_and(|expected| before.get::<i64>("version").ok() != Some(expected)) {
            return Err(Fault::Stale);
        }
        let args = args![unit.actor.path.as_str(), id, unit.now, unit.actor.label()];
        if unit.execute(&RETRY, args).await? == 0 {
            let state: String = before.get("state")?;
            let detail = format!("it is {state}; a letter that failed can be sent again");
            return Err(Fault::Conflict { pointer: "/state", detail });
        }
        unit.wake_sender();
        let after = write::load(unit, ENTITY, id, false).await?;
        let entity_id = bound_to(id);
        let event = Event { kind: "mail.retried", entity_id, payload: view(&after)?, policy: &[] };
        unit.record(after.get("organisation_id")?, event, Some(view(&before)?)).await
    })
}

/// A letter that was taken to be sent.
pub(super) struct Taken {
    pub(super) id: Uuid,
    pub(super) organisation: OrganisationId,
    pub(super) recipient: String,
    pub(super) subject: String,
    pub(super) content: Option<model::Sealed>,
    pub(super) export: Option<Uuid>,
    pub(super) attempts: i64,
    pub(super) next_at: Ts,
    pub(super) created_at: Ts,
}

impl Taken {
    pub(super) fn of(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("id")?,
            organisation: row.get("organisation_id")?,
            recipient: row.get("recipient")?,
            subject: row.get("subject")?,
            content: row.get("content")?,
            export: row.get("export_id")?,
            attempts: row.get("attempts")?,
            next_at: row.get("next_at")?,
            created_at: row.get("created_at")?,
        })
    }
}
