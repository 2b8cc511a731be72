//! What every rule needs at hand.

use std::sync::Arc;

use daemon::secrets::Keyring;
use model::{Clock, Ts};
use store::{Db, Row};
use tokio::sync::{Notify, Semaphore};

use super::access::token::Usage;
use super::access::{Attempts, Policy};
use super::number::Numbers;
use super::together::Together;
use crate::entity::custom::Custom;
use crate::hook::Hooks;
use crate::jobs::backup::Backups;

/// The office: databases, keys, clock. Cheap to share.
pub(crate) struct Office {
    /// The office's own database.
    pub(crate) db: Db,
    /// policyd's, to read.
    pub(crate) network: Db,
    pub(crate) keyring: Keyring,
    pub(crate) clock: Arc<dyn Clock>,
    /// Something was committed that the network should hear of.
    pub(crate) committed: Notify,
    /// Runs were queued, or one is to end: the job runner should look.
    pub(crate) queued: Notify,
    /// Webhooks and programs that hear of events.
    pub(crate) hooks: Hooks,
    /// Outgoing mail.
    pub(crate) mail: crate::mail::Mail,
    /// What exports need of this machine.
    pub(crate) exports: crate::config::Exports,
    /// Password hashes computed at once: argon2 is meant to be dear.
    pub(crate) hashing: Semaphore,
    /// What each organisation has set, and which modules it has.
    pub(crate) settings: super::setting::Cache,
    /// What the operator decided about signing in.
    pub(crate) policy: Policy,
    /// Backups that are made by themselves, where there is a folder for them.
    pub(crate) backups: Option<Backups>,
    /// What is known of identity providers.
    pub(crate) providers: crate::oidc::Providers,
    /// Failed sign-ins, counted in memory.
    pub(crate) attempts: Attempts,
    /// Requests per token, counted in memory.
    pub(crate) usage: Usage,
    /// Numbers of series, taken ahead.
    pub(crate) numbers: Numbers,
    /// Tokens being looked up, by their hashes.
    pub(crate) proving: Together<[u8; 32], Option<Row>>,
    /// Custom fields being read, by the organisation's path and the entity.
    pub(crate) describing: Together<(String, &'static str), Vec<Custom>>,
}

/// Passwords hashed at once: each takes 19 MiB and a core for a moment.
const HASHES_AT_ONCE: usize = 2;

impl Office {
    /// An office over its databases.
    pub(crate) fn with(
        db: Db,
        network: Db,
        keyring: Keyring,
        clock: Arc<dyn Clock>,
        hooks: Hooks,
        mail: crate::mail::Mail,
    ) -> Self {
        let hashing = Semaphore::new(HASHES_AT_ONCE);
        Self {
            db,
            network,
            keyring,
            clock,
            committed: Notify::new(),
            hooks,
            mail,
            exports: crate::config::Exports::default(),
            queued: Notify::new(),
            hashing,
            settings: super::setting::Cache::default(),
            policy: Policy::default(),
            backups: None,
            providers: crate::oidc::Providers::default(),
            attempts: Attempts::default(),
            usage: Usage::default(),
            numbers: Numbers::default(),
            proving: Together::default(),
            describing: Together::default(),
        }
    }

    /// One that calls nobody inside and runs no programs.
    #[cfg(test)]
    pub(crate) fn new(db: Db, network: Db, keyring: Keyring, clock: Arc<dyn Clock>) -> Self {
        let mail = crate::mail::Mail::open(&crate::config::Config::default());
        let mail = mail.expect("the defaults are good");
        Self::with(db, network, keyring, clock, Hooks::for_tests(), mail)
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Ts {
        self.clock.now()
    }
}

/// A page of a list: newest first, and the cursor of the next, if there is one.
#[derive(Debug, Clone)]
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next: Option<String>,
}

/// Rows on a page unless the caller asks for another number.
pub(crate) const PAGE_DEFAULT: i64 = 50;
/// Rows on a page at most.
pub(crate) const PAGE_MAX: i64 = 500;

impl<T> Page<T> {
    /// Cuts the one row too many that tells whether there is a next page.
    pub(crate) fn of(mut rows: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let more = rows.len() as i64 > limit;
        rows.truncate(limit as usize);
        let next = if more { rows.last().map(cursor) } else { None };
        Self { rows, next }
    }
}
