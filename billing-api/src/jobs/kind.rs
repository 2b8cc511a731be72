//! What a kind says of itself, and how its work may end.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use model::RunId;
use serde_json::Value;

use super::Context;
use crate::domain::{Fault, Input, Office};

/// The work of a kind, under way.
pub(crate) type Work<'a> = Pin<Box<dyn Future<Output = Result<Outcome, JobError>> + Send + 'a>>;

/// What becomes of a run whose process was gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It is begun again: its work may happen twice.
    Again,
    /// It fails, and a person decides.
    Fail,
}

/// Something the program can do as a job.
///
/// ```ignore
/// pub(crate) const PURGE: Kind = Kind {
///     run: |context| Box::pin(purge(context)),
///     ..Kind::named("things.purge", "Purge things")
/// };
/// ```
pub(crate) struct Kind {
    /// `group.verb`, as rows name it.
    pub(crate) name: &'static str,
    /// The name of the job an installation begins with.
    pub(crate) title: &'static str,
    /// One of [`super::registry::QUEUES`].
    pub(crate) queue: &'static str,
    /// What one needs to run it by hand.
    pub(crate) permission: &'static str,
    /// Cron; with one, an installation begins with a job of this kind.
    pub(crate) schedule: Option<&'static str>,
    /// Whether the installation is set up for it; where it is not, it begins without that job.
    pub(crate) is_set_up: fn(&Office) -> bool,
    /// Attempts after the first that failed.
    pub(crate) retries: i64,
    /// How long one attempt may take.
    pub(crate) limit: Duration,
    pub(crate) lost: Lost,
    /// Reads its arguments and notes what is wrong with them.
    pub(crate) arguments: fn(&mut Input),
    /// Does the work.
    pub(crate) run: for<'a> fn(&'a Context) -> Work<'a>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kind({})", self.name)
    }
}

impl Kind {
    /// A kind with what most have: run by hand only, no arguments, three retries, an hour.
    pub(crate) const fn named(name: &'static str, title: &'static str) -> Self {
        Self {
            name,
            title,
            queue: "default",
            permission: "jobs.run",
            schedule: None,
            is_set_up: |_| true,
            retries: 3,
            limit: Duration::from_secs(3600),
            lost: Lost::Again,
            arguments: |_| {},
            run: |_| Box::pin(async { Ok(Outcome::done()) }),
        }
    }
}

/// How work ended that did not fail.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All of it was done.
    Succeeded(Value),
    /// Some of it was done; the result says what was not.
    Partial(Value),
}

impl Outcome {
    /// All of it was done, and there is nothing to say.
    pub(crate) fn done() -> Self {
        Self::Succeeded(Value::Null)
    }

    /// By what could not be done.
    pub(crate) fn by_failures(failures: u64, result: Value) -> Self {
        if failures == 0 { Self::Succeeded(result) } else { Self::Partial(result) }
    }
}

/// Why work ended before it was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// It failed, and may succeed if it is tried again.
    #[error("{public}")]
    Again {
        /// For people.
        public: String,
        /// For the log.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// It failed, and would again.
    #[error("{public}")]
    Failed {
        /// For people.
        public: String,
        /// For the log.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Somebody cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// The program stops: it goes back to its queue, and the attempt does not count.
    #[error("stopped")]
    Stopped,
}

impl JobError {
    /// It may succeed if it is tried again.
    #[allow(dead_code, reason = "for kinds that call others")]
    pub(crate) fn again(public: impl Into<String>) -> Self {
        Self::Again { public: public.into(), source: None }
    }

    /// It would fail again.
    pub(crate) fn failed(public: impl Into<String>) -> Self {
        Self::Failed { public: public.into(), source: None }
    }
}

impl From<Fault> for JobError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(_) | Fault::TooMany(_) | Fault::Stale => {
                Self::Again { public: fault.to_string(), source: Some(Box::new(fault)) }
            }
            Fault::Invalid(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|f| format!("{} {}", f.pointer, f.detail)).collect();
                Self::failed(fields.join("; "))
            }
            // A bug of ours, or a database that is broken: trying again does no harm.
            Fault::Internal(_) => {
                Self::Again { public: fault.to_string(), source: Some(Box::new(fault)) }
            }
            fault => Self::Failed { public: fault.to_string(), source: Some(Box::new(fault)) },
        }
    }
}

impl From<store::StoreError> for JobError {
    fn from(error: store::StoreError) -> Self {
        Fault::from(error).into()
    }
}

/// The shortest time between two attempts.
const BACKOFF_MIN: Duration = Duration::from_secs(30);
/// The longest.
const BACKOFF_MAX: Duration = Duration::from_secs(3600);

/// How long to wait after a failed attempt, the first being 1: twice as long each time, moved
/// by up to a fifth either way, so that what failed together does not come back together.
pub(crate) fn backoff(run: RunId, attempt: i64) -> Duration {
    let doublings = u32::try_from((attempt - 1).clamp(0, 20)).unwrap_or(0);
    let whole = BACKOFF_MIN.saturating_mul(1 << doublings).min(BACKOFF_MAX);
    // The tail of the id is random; another part of it for each attempt.
    let random = (run.0.as_u128() >> ((attempt.unsigned_abs() % 4) * 8)) as u8;
    whole.mul_f64(0.8 + 0.4 * f64::from(random) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_differ_between_runs() {
        let run = RunId::generate();
        for (attempt, whole) in [(1, 30.0), (2, 60.0), (3, 120.0), (9, 3600.0), (60, 3600.0)] {
            let wait = backoff(run, attempt).as_secs_f64();
            assert!((whole * 0.8..=whole * 1.2).contains(&wait), "{attempt}: {wait}");
        }
        let waits: std::collections::HashSet<_> =
            (0..20).map(|_| backoff(RunId::generate(), 1)).collect();
        assert!(waits.len() > 10);
    }
}
