//! Sends what waits.
//!
//! A letter that is due is taken by making it due again later: a process that dies with it
//! leaves it to whoever looks then. Several processes do this side by side. Letters under way at
//! once are bounded in all and for one organisation, so that no slow server holds up another's;
//! and an organisation sends so many an hour (`mail.hourly_max`). Beyond that, rows wait.

use std::sync::Arc;
use std::time::Duration;

use ::mail::{Attachment, Failure, Letter};
use daemon::exit::chain;
use daemon::lifecycle::Shutdown;
use metrics::counter;
use model::{OrganisationId, Ts};
use store::args;
use tracing::{info, warn};

use super::queue::{self as sql, ATTEMPTS_MAX, Taken};
use super::server::{self, Applies};
use crate::domain::setting::registry as settings;
use crate::domain::{Actor, Event, Fault, Office, Unit, setting};
use crate::entity::export::background;
use crate::flights::Flights;
use crate::store::job::PATH_OF;

/// How long to wait at most: a commit elsewhere does not wake this process.
const POLL: Duration = Duration::from_secs(2);
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(2);
/// Letters of one organisation under way at once.
const EACH: usize = 2;
/// How long the rate of an organisation is counted, seconds.
const RATE_S: i64 = 3600;
/// Seconds between two rounds of forgetting old letters.
const PURGE_EVERY_S: i64 = 3600;
/// Letters forgotten in one statement.
const PURGED: i64 = 1_000;
const DAY_S: i64 = 86_400;

/// The sender task.
pub(crate) struct Sender {
    office: Arc<Office>,
    stop: Shutdown,
    flights: Flights<OrganisationId>,
    purge_at: Ts,
}

impl Sender {
    /// A sender with nothing under way.
    pub(crate) fn new(office: Arc<Office>, stop: Shutdown) -> Self {
        let purge_at = office.now();
        Self { office, stop, flights: Flights::new("a letter"), purge_at }
    }

    /// Sends until stopped; what is under way then is finished.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        let mut failing = false;
        while !self.stop.is_soft() {
            let wait = match self.turn().await {
                Ok(next) => {
                    if std::mem::take(&mut failing) {
                        info!("mail is sent again");
                    }
                    next.map_or(POLL, |at| self.until(at).min(POLL))
                }
                Err(fault) => {
                    if !std::mem::replace(&mut failing, true) {
                        warn!(error = %chain(&fault), "mail waits");
                    }
                    RETRY
                }
            };
            let office = self.office.clone();
            tokio::select! {
                () = office.mail.woken.notified() => {}
                () = self.flights.landed() => {}
                // Until the next letter is due; what another process wrote is found by looking.
                () = tokio::time::sleep(wait) => {}
                () = self.stop.soft() => {}
            }
            self.flights.sweep();
        }
        self.flights.settled().await;
        Ok(())
    }

    /// Waits until nothing is under way.
    #[cfg(test)]
    pub(crate) async fn settled(&mut self) {
        self.flights.settled().await;
    }

    fn until(&self, at: Ts) -> Duration {
        Duration::from_micros(u64::try_from(at.0 - self.office.now().0).unwrap_or(0))
    }

    /// One turn: takes what is due and starts to send it. When something is due next, where
    /// that is known.
    pub(crate) async fn turn(&mut self) -> Result<Option<Ts>, Fault> {
        let now = self.office.now();
        let mut next = None;
        let mut due = Vec::new();
        for row in self.office.db.fetch_all(&sql::DUE, args![]).await? {
            let (organisation, at): (OrganisationId, Ts) =
                (row.get("organisation_id")?, row.get("due")?);
            due.push((at, organisation));
        }
        due.sort();
        for (at, organisation) in due {
            let busy = self.flights.to(organisation);
            let all = self.office.mail.settings.senders as usize;
            let room = all.saturating_sub(self.flights.len()).min(EACH.saturating_sub(busy));
            let later = match at > now {
                true => Some(at),
                false if room > 0 => self.take(organisation, room, now).await?,
                false => None,
            };
            next = next.into_iter().chain(later).min();
        }
        if now >= self.purge_at {
            self.purge(now).await?;
            self.purge_at = now.plus_seconds(PURGE_EVERY_S);
        }
        Ok(next)
    }

    /// Takes some letters of an organisation; when it may send again, where it has sent all it
    /// may.
    async fn take(
        &mut self,
        organisation: OrganisationId,
        room: usize,
        now: Ts,
    ) -> Result<Option<Ts>, Fault> {
        let office = &self.office;
        let most = setting::of(office, organisation).await?.integer(&settings::MAIL_HOURLY_MAX);
        let since = now.plus_seconds(-RATE_S);
        let row = office.db.fetch_one(&sql::SENT_SINCE, args![organisation, since]).await?;
        let busy = self.flights.to(organisation) as i64;
        let left = most - row.get::<i64>("count")? - busy;
        if left <= 0 {
            let first: Option<Ts> = row.get("first")?;
            return Ok(first.map(|first| first.plus_seconds(RATE_S)));
        }
        // Long enough for a slow server and for writing down what it said.
        let limit = i64::try_from(office.mail.client.limit().as_secs()).unwrap_or(3600);
        let lease = now.plus_seconds(limit + 60);
        let count = left.min(room as i64);
        let mut tx = office.db.begin().await?;
        let rows = tx.fetch_all(&sql::CLAIM, args![organisation, now, lease, count]).await?;
        tx.commit().await?;
        for row in rows {
            let taken = Taken::of(&row)?;
            self.flights.start(organisation, send(self.office.clone(), taken));
        }
        Ok(None)
    }

    async fn purge(&self, now: Ts) -> Result<(), Fault> {
        let keep = i64::from(self.office.mail.settings.keep_days);
        let old = now.plus_seconds(-keep * DAY_S);
        while self.office.db.execute(&sql::PURGE, args![old, PURGED]).await? == PURGED as u64 {
            if self.stop.is_soft() {
                break;
            }
        }
        Ok(())
    }
}

/// What became of an attempt.
struct Attempt {
    state: &'static str,
    code: Option<i64>,
    error: Option<String>,
    answer: Option<String>,
    server: Option<String>,
}

impl Attempt {
    fn later(error: impl Into<String>) -> Self {
        let error = Some(error.into());
        Self { state: "waiting", code: None, error, answer: None, server: None }
    }

    fn of(server: String, result: Result<String, Failure>) -> Self {
        let server = Some(server);
        match result {
            Ok(answer) => {
                Self { state: "sent", code: None, error: None, answer: Some(answer), server }
            }
            Err(failure) => Self {
                state: if failure.is_final() { "failed" } else { "waiting" },
                code: failure.code().map(i64::from),
                error: Some(failure.to_string()),
                answer: None,
                server,
            },
        }
    }
}

/// One attempt at a letter.
async fn send(office: Arc<Office>, taken: Taken) {
    let attempt = match attempt(&office, &taken).await {
        Ok(attempt) => attempt,
        Err(fault) => {
            warn!(mail = %taken.id, error = %chain(&fault), "a letter could not be put together");
            Attempt::later(fault.to_string())
        }
    };
    counter!("billing_mail_attempts_total", "state" => attempt.state).increment(1);
    if let Err(fault) = settle(&office, &taken, attempt).await {
        // It stays taken, is due again when its time is up, and may arrive a second time.
        warn!(mail = %taken.id, error = %chain(&fault), "how a letter went could not be written");
    }
}

async fn attempt(office: &Office, taken: &Taken) -> Result<Attempt, Fault> {
    let Some(Applies { server, from, from_name }) = server::of(office, taken.organisation).await?
    else {
        return Ok(Attempt::later("there is no mail server any more"));
    };
    let Some(content) = &taken.content else {
        return Ok(Attempt { state: "failed", ..Attempt::later("its text is gone") });
    };
    let opened = office.keyring.open(&sql::bound_to(taken.id), content)?;
    let layers = setting::of(office, taken.organisation).await?;
    let (reply_to, _) = layers.find(&settings::MAIL_REPLY_TO);
    let Ok(to) = taken.recipient.parse() else {
        return Ok(Attempt { state: "failed", ..Attempt::later("the address is none") });
    };
    let attachment = match taken.export {
        None => None,
        Some(id) => match background::file(office, id).await? {
            Some(file) => Some(Attachment {
                name: file.name,
                media_type: file.media_type.to_owned(),
                content: file.content,
            }),
            None => {
                return Ok(Attempt { state: "failed", ..Attempt::later("its file is gone") });
            }
        },
    };
    let letter = Letter {
        from,
        from_name,
        reply_to: reply_to.as_str().and_then(|text| text.parse().ok()),
        to,
        subject: taken.subject.clone(),
        text: String::from_utf8_lossy(opened.expose()).into_owned(),
        id: sql::bound_to(taken.id),
        written_at: taken.created_at,
        attachment,
    };
    let name = format!("{}:{}", server.host, server.port);
    Ok(Attempt::of(name, office.mail.client.send(&server, &letter).await))
}

/// Seconds until the attempt after `made` ones. RFC 5321 §4.5.4.1 asks for half an hour and
/// more, after a first short wait; what refuses strangers at first takes them minutes later.
fn wait_s(made: i64, chance: u8) -> i64 {
    let base = match made {
        ..=1 => 60,
        2 => 5 * 60,
        3 => 15 * 60,
        4 => 1800,
        5 | 6 => 3600,
        _ => 6 * 3600,
    };
    base + base * i64::from(chance) / (10 * i64::from(u8::MAX))
}

async fn settle(office: &Office, taken: &Taken, attempt: Attempt) -> Result<(), Fault> {
    let row = office.db.fetch_one(&PATH_OF, args![taken.organisation]).await?;
    let actor = Actor::system("mail", taken.organisation, row.get("path")?);
    let mut unit = Unit::begin(office, &actor).await?;
    let now = unit.now;
    let made = taken.attempts + 1;
    let state = match attempt.state {
        "waiting" if made >= ATTEMPTS_MAX => "failed",
        state => state,
    };
    let [chance] = daemon::secrets::random::<1>();
    let next = if state == "waiting" { now.plus_seconds(wait_s(made, chance)) } else { now };
    let args = args![
        taken.id,
        taken.next_at,
        state,
        next,
        attempt.code,
        attempt.error,
        attempt.answer,
        attempt.server,
        (state != "waiting").then_some(now),
        now
    ];
    if unit.execute(&sql::SETTLE, args).await? == 0 {
        // Its time was up and somebody else has it; they write down what they see.
        return Ok(());
    }
    if state == "failed" {
        let row = crate::entity::write::load(&mut unit, sql::ENTITY, taken.id, false).await?;
        let event = Event {
            kind: "mail.failed",
            entity_id: sql::bound_to(taken.id),
            payload: sql::view(&row)?,
            policy: &[],
        };
        unit.announce(taken.organisation, event).await?;
    }
    unit.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_all_attempts_take_about_two_days() {
        let waits: Vec<i64> = (1..ATTEMPTS_MAX).map(|made| wait_s(made, 0)).collect();
        assert!(waits.is_sorted());
        let hours = waits.iter().sum::<i64>() / 3600;
        assert!((24..=48).contains(&hours), "{hours}");
        assert_eq!(wait_s(1, u8::MAX), 66);
    }
}
