//! The unit of work: rows, audit entry and domain event, committed together or not at all.

use std::collections::{HashMap, VecDeque};

use model::policy::Key;
use model::{AuditId, EventId, OrganisationId, StaffId, Ts};
use serde_json::{Value, json};
use store::{Args, Engine, Row, Statement, StoreError, Tx, args};

use uuid::Uuid;

use super::audit::{category, is_critical};
use super::idempotency::KEPT_S;
use super::number::{Number, Series};
use super::{Actor, Fault, Office};
use crate::entity::search;
use crate::store::{audit, idempotency as kept, organisation, setting};

/// The format of event payloads; readers refuse newer ones.
pub(crate) const EVENT_FORMAT: i64 = 1;

/// A domain event: what happened to which record, and which policy it may have changed.
pub(crate) struct Event<'a> {
    /// `resource.verb_past`.
    pub(crate) kind: &'a str,
    /// The record's id.
    pub(crate) entity_id: String,
    /// The record afterwards, without secrets.
    pub(crate) payload: Value,
    /// Policy records to look at again.
    pub(crate) policy: &'a [Key],
}

/// A transaction with an author.
pub(crate) struct Unit<'a> {
    office: &'a Office,
    pub(crate) actor: &'a Actor,
    pub(crate) now: Ts,
    tx: Tx,
    policy_changed: bool,
    configuration_changed: bool,
    /// Policy records named since the last event.
    keys: Vec<Key>,
    runs_queued: bool,
    letters_queued: bool,
    /// Whether there is an event that webhooks may hear.
    happened: bool,
    /// Words of a record that was written; they go with its audit entry.
    words: Option<Words>,
    /// The record as it is afterwards: the answer to the request.
    answer: Option<(i64, Value)>,
    /// Changes whose audit entries and events are still to be written.
    noted: Vec<Noted>,
    numbers: Ahead,
    /// The id that the next event has, where it is not a new one.
    event_id: Option<EventId>,
    /// Whose failures to sign in are forgotten once this is committed.
    forgiven: Vec<(StaffId, String)>,
}

/// Numbers that records of this unit will have: in hand, or known to be wanted.
#[derive(Default)]
struct Ahead {
    in_hand: HashMap<(OrganisationId, &'static str), VecDeque<Number>>,
    wanted: HashMap<OrganisationId, i64>,
}

/// A change that was made, with the policy records it named.
struct Noted {
    organisation: OrganisationId,
    kind: String,
    entity_id: String,
    before: Option<Value>,
    after: Value,
    keys: Option<String>,
}

/// Rows of so many columns that one statement writes. Postgres takes 65 535 arguments; SQLite
/// looks each `$n` up in the list of those before it, so there many are dearer than few.
pub(crate) fn rows_at_once(engine: store::Engine, columns: usize) -> usize {
    let arguments = match engine {
        store::Engine::Sqlite => 500,
        store::Engine::Postgres => 30_000,
    };
    (arguments / columns.max(1)).max(1)
}

/// What a record is found by.
pub(crate) struct Words {
    pub(crate) record: Uuid,
    pub(crate) entity: &'static str,
    pub(crate) organisation: OrganisationId,
    pub(crate) title: String,
    pub(crate) words: String,
}

impl<'a> Unit<'a> {
    /// Begins.
    pub(crate) async fn begin(office: &'a Office, actor: &'a Actor) -> Result<Self, Fault> {
        let tx = office.db.begin().await?;
        Ok(Self {
            office,
            actor,
            now: office.now(),
            tx,
            policy_changed: false,
            configuration_changed: false,
            keys: Vec::new(),
            words: None,
            runs_queued: false,
            letters_queued: false,
            happened: false,
            answer: None,
            noted: Vec::new(),
            numbers: Ahead::default(),
            event_id: None,
            forgiven: Vec::new(),
        })
    }

    /// The office it works in.
    pub(crate) fn office(&self) -> &'a Office {
        self.office
    }

    /// Names a policy record that the change being made may concern; it goes with the next
    /// event.
    pub(crate) fn policy(&mut self, key: Key) {
        self.keys.push(key);
    }

    /// The next number of a series, for a new record of an organisation.
    pub(crate) async fn number(
        &mut self,
        organisation: OrganisationId,
        series: &Series,
    ) -> Result<Number, Fault> {
        let key = (organisation, series.kind);
        if let Some(number) = self.numbers.in_hand.get_mut(&key).and_then(VecDeque::pop_front) {
            return Ok(number);
        }
        let count = self.numbers.wanted.remove(&organisation).unwrap_or(1);
        let args = args![organisation, series.kind, series.first, count];
        let row = self.tx.fetch_one(&organisation::NEXT_NUMBERS, args).await?;
        let (last, locale): (i64, String) = (row.get("last")?, row.get("locale")?);
        let number = |number| Number { number, locale: locale.clone() };
        let rest = (last - count + 2..=last).map(number);
        self.numbers.in_hand.insert(key, rest.collect());
        Ok(number(last - count + 1))
    }

    /// A number that was taken before this unit began.
    pub(crate) fn hold(&mut self, organisation: OrganisationId, series: &Series, number: Number) {
        self.numbers.in_hand.entry((organisation, series.kind)).or_default().push_back(number);
    }

    /// So many records of an organisation will want a number: they are taken together.
    pub(crate) fn will_number(&mut self, organisation: OrganisationId, count: i64) {
        self.numbers.wanted.insert(organisation, count);
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn execute(&mut self, st: &Statement, args: Args) -> Result<u64, StoreError> {
        self.tx.execute(st, args).await
    }

    /// Reads a row.
    pub(crate) async fn fetch_optional(
        &mut self,
        st: &Statement,
        args: Args,
    ) -> Result<Option<Row>, StoreError> {
        self.tx.fetch_optional(st, args).await
    }

    /// Reads a row that must be there.
    pub(crate) async fn fetch_one(
        &mut self,
        st: &Statement,
        args: Args,
    ) -> Result<Row, StoreError> {
        self.tx.fetch_one(st, args).await
    }

    /// Reads rows.
    pub(crate) async fn fetch_all(
        &mut self,
        st: &Statement,
        args: Args,
    ) -> Result<Vec<Row>, StoreError> {
        self.tx.fetch_all(st, args).await
    }

    /// Runs a statement that the entity interpreter put together.
    pub(crate) async fn dynamic_all(
        &mut self,
        sql: &str,
        args: Args,
    ) -> Result<Vec<Row>, StoreError> {
        self.tx.dynamic_all(sql, args).await
    }

    /// Writes the audit entry and the event of one change. `before` and `after` are the
    /// record's public form, which holds no secret.
    pub(crate) async fn record(
        &mut self,
        organisation: OrganisationId,
        event: Event<'_>,
        before: Option<Value>,
    ) -> Result<(), Fault> {
        let (entity, action) = event.kind.split_once('.').unwrap_or((event.kind, "changed"));
        let status = if action == "created" { 201 } else { 200 };
        self.answer = Some((status, event.payload.clone()));
        let mut args = args![
            AuditId::generate(),
            organisation,
            self.now,
            self.actor.label(),
            action,
            entity,
            event.entity_id.as_str(),
            before,
            Some(event.payload.clone()),
            self.actor.request_id.clone(),
            self.actor.impersonator.map(|id| id.to_string())
        ];
        let (category, critical) = (category(entity), is_critical(entity, action));
        if self.tx.engine() == Engine::Sqlite {
            args.push(category);
            args.push(critical);
            self.tx.execute(&audit::INSERT_AUDIT, args).await?;
            return self.announce(organisation, event).await;
        }
        // The words of another record than this one's go by themselves.
        let own = |words: &Words| words.organisation == organisation && words.entity == entity;
        if !self.words.as_ref().is_some_and(own) {
            self.write_words().await?;
        }
        args.push(self.event_id.take().unwrap_or_else(EventId::generate));
        args.push(event.kind);
        args.push(EVENT_FORMAT);
        let keys = self.keys_of(&event);
        args.push(json!({"type": event.kind, "data": event.payload}));
        args.push(keys);
        let words = self.words.take();
        args.push(words.as_ref().map(|words| words.record));
        args.push(words.as_ref().map(|words| words.title.as_str()));
        args.push(words.as_ref().map(|words| words.words.as_str()));
        args.push(category);
        args.push(critical);
        self.tx.execute(&audit::RECORD, args).await?;
        Ok(())
    }

    /// Keeps the words of a record that was just written; they are written with its audit
    /// entry, or with the commit.
    pub(crate) async fn found_by(&mut self, words: Words) -> Result<(), Fault> {
        self.write_words().await?;
        self.words = Some(words);
        match self.tx.engine() {
            Engine::Sqlite => self.write_words().await,
            Engine::Postgres => Ok(()),
        }
    }

    async fn write_words(&mut self) -> Result<(), Fault> {
        if let Some(Words { record, entity, organisation, title, words }) = self.words.take() {
            let args = args![record, entity, organisation, title, words];
            self.tx.execute(&search::KEEP, args).await?;
        }
        Ok(())
    }

    /// The policy that an event may have changed, and what was named since the last one.
    fn keys_of(&mut self, event: &Event<'_>) -> Option<String> {
        debug_assert!(
            crate::hook::catalogue::knows(event.kind),
            "{} is missing in hook/catalogue.rs",
            event.kind
        );
        self.happened = true;
        let named = std::mem::take(&mut self.keys);
        let keys: Vec<String> = event.policy.iter().chain(&named).map(Key::to_string).collect();
        self.policy_changed |= !keys.is_empty();
        (!keys.is_empty()).then(|| keys.join(" "))
    }

    /// Writes an event that is no change of its own: nobody asks who did it.
    pub(crate) async fn announce(
        &mut self,
        organisation: OrganisationId,
        event: Event<'_>,
    ) -> Result<(), Fault> {
        let keys = self.keys_of(&event);
        let payload = json!({"type": event.kind, "data": event.payload});
        let id = self.event_id.take().unwrap_or_else(EventId::generate);
        self.tx
            .execute(
                &audit::INSERT_EVENT,
                args![
                    id,
                    organisation,
                    self.now,
                    event.kind,
                    event.entity_id,
                    EVENT_FORMAT,
                    payload,
                    keys
                ],
            )
            .await?;
        Ok(())
    }

    /// Gives the next event this id. Where there is one with it already, recording fails with
    /// [`StoreError::Unique`].
    pub(crate) fn identify(&mut self, id: EventId) {
        self.event_id = Some(id);
    }

    /// With the commit, what was failed at in somebody's name is forgotten in memory too.
    pub(crate) fn forgive(&mut self, staff: StaffId, email: &str) {
        self.forgiven.push((staff, email.to_owned()));
    }

    /// The commit wakes the job runner.
    pub(crate) fn wake_runner(&mut self) {
        self.runs_queued = true;
    }

    /// The commit wakes the sender of mail.
    pub(crate) fn wake_sender(&mut self) {
        self.letters_queued = true;
    }

    /// Raises the version of an organisation's settings, and returns it: what is in memory of
    /// any organisation is read again after the commit. Others who change the same
    /// organisation's settings wait.
    pub(crate) async fn touch_configuration(
        &mut self,
        organisation: OrganisationId,
    ) -> Result<i64, Fault> {
        let row = self.tx.fetch_one(&setting::TOUCH, args![organisation]).await?;
        self.configuration_changed = true;
        Ok(row.get("version")?)
    }

    /// The answer to the request, where it is not the record of the last event.
    pub(crate) fn answers(&mut self, status: i64, body: Value) {
        self.answer = Some((status, body));
    }

    /// As [`Unit::record`], for one of many changes: what is noted is written together by
    /// [`Unit::write_noted`], or with the commit.
    pub(crate) fn note(&mut self, organisation: OrganisationId, event: Event<'_>) {
        let keys = self.keys_of(&event);
        self.noted.push(Noted {
            organisation,
            kind: event.kind.to_owned(),
            entity_id: event.entity_id,
            before: None,
            after: event.payload,
            keys,
        });
    }

    /// Writes the audit entries and events that were noted, many with one statement.
    pub(crate) async fn write_noted(&mut self) -> Result<(), Fault> {
        let noted = std::mem::take(&mut self.noted);
        for some in noted.chunks(rows_at_once(self.tx.engine(), 13)) {
            let (mut entries, mut events) = (Rows::new(), Rows::new());
            for one in some {
                let (entity, action) =
                    one.kind.split_once('.').unwrap_or((one.kind.as_str(), "changed"));
                entries.push(args![
                    AuditId::generate(),
                    one.organisation,
                    self.now,
                    self.actor.label(),
                    action,
                    entity,
                    one.entity_id.as_str(),
                    one.before.clone(),
                    Some(one.after.clone()),
                    self.actor.request_id.clone(),
                    self.actor.impersonator.map(|id| id.to_string()),
                    category(entity),
                    is_critical(entity, action)
                ]);
                events.push(args![
                    EventId::generate(),
                    one.organisation,
                    self.now,
                    one.kind.as_str(),
                    one.entity_id.as_str(),
                    EVENT_FORMAT,
                    json!({"type": one.kind, "data": one.after}),
                    one.keys.clone()
                ]);
            }
            let (sql, args) = entries.into_sql(audit::AUDIT_COLUMNS);
            self.tx.dynamic_all(&sql, args).await?;
            let (sql, args) = events.into_sql(audit::EVENT_COLUMNS);
            self.tx.dynamic_all(&sql, args).await?;
        }
        Ok(())
    }

    /// Commits, and wakes those who go on with it: the relay where the network is concerned, the
    /// job runner, the webhooks.
    pub(crate) async fn commit(mut self) -> Result<(), Fault> {
        self.write_noted().await?;
        self.write_words().await?;
        if let (Some(idempotency), Some((status, body))) =
            (&self.actor.idempotency, self.answer.take())
        {
            let old = self.now.plus_seconds(-KEPT_S);
            self.tx.execute(&kept::FORGET, args![old]).await?;
            let (key, fingerprint) = (idempotency.key.as_str(), idempotency.fingerprint.clone());
            let args = args![self.actor.label(), key, fingerprint, status, body, self.now];
            match self.tx.execute(&kept::INSERT, args).await {
                // The same request is being answered at this moment.
                Err(StoreError::Unique { .. }) => {
                    let detail = "a request with this key is under way".to_owned();
                    return Err(Fault::Conflict { pointer: "Idempotency-Key", detail });
                }
                result => result?,
            };
        }
        let committed = self.tx.commit().await;
        if self.configuration_changed {
            // Also where the commit was not confirmed: it may have happened.
            self.office.settings.committed();
        }
        committed?;
        for (staff, email) in &self.forgiven {
            self.office.attempts.forgive(*staff, email);
        }
        if self.policy_changed {
            self.office.committed.notify_one();
        }
        if self.runs_queued {
            self.office.queued.notify_one();
        }
        if self.letters_queued {
            self.office.mail.woken.notify_one();
        }
        if self.happened {
            self.office.hooks.woken.notify_one();
        }
        Ok(())
    }
}

/// Rows for one INSERT.
pub(crate) struct Rows {
    args: Args,
    rows: Vec<String>,
}

impl Rows {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { args: Args::new(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Args) {
        let numbers: Vec<String> =
            row.into_values().map(|value| format!("${}", self.args.push(value))).collect();
        self.rows.push(format!("({})", numbers.join(", ")));
    }

    /// The statement; `into` is the table and its columns, words of our own.
    pub(crate) fn into_sql(self, into: &str) -> (String, Args) {
        (format!("INSERT INTO {into} VALUES {}", self.rows.join(", ")), self.args)
    }
}
