//! What a kind's function is given.
//!
//! What it says (progress, log lines) is kept in memory and written by the runner beside it,
//! about once a second: a function may say so while it holds a transaction, and a slow database
//! does not slow it down.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{RunId, StaffId, TokenId, Ts};
use serde_json::Value;
use tokio::sync::Notify;

use super::JobError;
use crate::domain::access::{self, Rights};
use crate::domain::{Actor, Fault, Office, Who};

/// Lines a run's log holds; what is said beyond is counted and left out.
pub(crate) const LINES_MAX: i64 = 1000;
/// Characters of one line.
const LINE_CHARACTERS_MAX: usize = 500;

/// A run, as the function that does its work sees it.
pub(crate) struct Context {
    /// The office.
    pub(crate) office: Arc<Office>,
    /// The program itself, acting in the run's organisation.
    pub(crate) actor: Actor,
    /// The run.
    pub(crate) run: RunId,
    /// What it was queued with.
    pub(crate) arguments: Value,
    /// Whoever queued it: `usr_…`, `tok_…` or `system:…`.
    pub(crate) created_by: String,
    /// Whoever really sat there, where that one was acted as.
    pub(crate) impersonator: Option<String>,
    /// Which attempt this is, from 1.
    #[allow(dead_code, reason = "for kinds that must know")]
    pub(crate) attempt: i64,
    /// Whether an attempt of another process may have done a part of it.
    #[allow(dead_code, reason = "for kinds that must know")]
    pub(crate) taken_over: bool,
    pub(super) said: Arc<Said>,
}

impl Context {
    /// A run whose function is called by a test.
    #[cfg(test)]
    pub(crate) fn of(
        office: Arc<Office>,
        actor: Actor,
        run: RunId,
        arguments: Value,
        created_by: String,
        impersonator: Option<String>,
    ) -> Self {
        let said = Arc::new(Said::default());
        let (attempt, taken_over) = (1, false);
        Self { office, actor, run, arguments, created_by, impersonator, attempt, taken_over, said }
    }

    /// How far it is: so many of so many.
    pub(crate) fn progress(&self, done: u64, total: Option<u64>) {
        let mut state = self.said.lock();
        state.done = i64::try_from(done).unwrap_or(i64::MAX);
        state.total = total.map(|total| i64::try_from(total).unwrap_or(i64::MAX));
        state.changed = true;
    }

    /// What it is at, in a few words.
    pub(crate) fn note(&self, note: impl Into<String>) {
        let mut state = self.said.lock();
        state.note = Some(cut(note.into()));
        state.changed = true;
    }

    /// Adds a line to its log.
    pub(crate) fn log(&self, line: impl Into<String>) {
        let now = self.office.now();
        self.said.line(now, line.into());
    }

    /// A whole number of the arguments.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.arguments.get(name).and_then(Value::as_i64)
    }

    /// Whoever queued it, in the reach of the run's organisation and with the rights they have
    /// now: for work whose changes are theirs. Where somebody acted as them, both are named, and
    /// neither adds a right to the other's.
    pub(crate) async fn on_behalf(&self) -> Result<Actor, Fault> {
        let by = self.created_by.as_str();
        let staff = |text: &str| text.parse::<StaffId>().map(Who::Staff);
        let who =
            staff(by).or_else(|_| by.parse::<TokenId>().map(Who::Token)).unwrap_or(self.actor.who);
        let mut rights = access::rights_now(&self.office, who).await?;
        let seat = self.impersonator.as_deref().map(str::parse::<StaffId>).transpose();
        // What we wrote ourselves reads; where it does not, nobody is there to act.
        let impersonator = seat.map_err(|_| Fault::Unauthenticated)?;
        if let Some(id) = impersonator {
            let own = access::rights_now(&self.office, Who::Staff(id)).await?;
            rights = match own.has("staff.impersonate") {
                true => rights.within(&own),
                false => Rights::NONE,
            };
        }
        Ok(Actor { who, rights, impersonator, ..self.actor.clone() })
    }

    /// Whether somebody wants it to end.
    pub(crate) fn cancelled(&self) -> bool {
        self.said.cancel.load(Ordering::Relaxed)
    }

    /// Whether the program stops: what can be finished within seconds may be.
    pub(crate) fn stopping(&self) -> bool {
        self.said.stop.load(Ordering::Relaxed)
    }

    /// Waits until it should end, for whatever reason.
    #[allow(dead_code, reason = "for kinds that wait")]
    pub(crate) async fn ended(&self) -> JobError {
        loop {
            let told = self.said.told.notified();
            tokio::pin!(told);
            // Registered before the look, so that nothing is missed in between.
            told.as_mut().enable();
            if let Err(error) = self.check() {
                return error;
            }
            told.await;
        }
    }

    /// An error where it should end; asked between the steps of the work.
    pub(crate) fn check(&self) -> Result<(), JobError> {
        if self.cancelled() {
            Err(JobError::Cancelled)
        } else if self.stopping() {
            Err(JobError::Stopped)
        } else {
            Ok(())
        }
    }
}

/// What was said between a run's function and its runner.
#[derive(Debug, Default)]
pub(super) struct Said {
    state: Mutex<State>,
    cancel: AtomicBool,
    stop: AtomicBool,
    told: Notify,
}

#[derive(Debug, Default)]
struct State {
    done: i64,
    total: Option<i64>,
    note: Option<String>,
    changed: bool,
    lines: VecDeque<Line>,
    /// Lines said by now, those of earlier attempts included.
    count: i64,
}

/// A line that waits to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) seq: i64,
    pub(super) at: Ts,
    pub(super) text: String,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) done: i64,
    pub(super) total: Option<i64>,
    pub(super) note: Option<String>,
}

impl Said {
    /// Nothing yet; a log of so many lines is there from earlier attempts.
    pub(super) fn after(lines: i64) -> Self {
        let state = State { count: lines, ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    // A panic of the function while it held the lock spoils nothing: fields are plain.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line; the last that fits says that more are left out.
    pub(super) fn line(&self, at: Ts, text: String) {
        let mut state = self.lock();
        if state.count >= LINES_MAX {
            return;
        }
        state.count += 1;
        let text = match state.count == LINES_MAX {
            true => "more was said and is left out".to_owned(),
            false => cut(text),
        };
        let seq = state.count;
        state.lines.push_back(Line { seq, at, text });
    }

    /// Takes the lines that are to be written.
    pub(super) fn take_lines(&self) -> Vec<Line> {
        self.lock().lines.drain(..).collect()
    }

    /// Gives back lines that could not be written.
    pub(super) fn give_back(&self, lines: Vec<Line>) {
        let mut state = self.lock();
        for line in lines.into_iter().rev() {
            state.lines.push_front(line);
        }
    }

    /// How far it is, where that changed since the last time.
    pub(super) fn take_progress(&self) -> Option<Progress> {
        let mut state = self.lock();
        if !std::mem::take(&mut state.changed) {
            return None;
        }
        Some(Progress { done: state.done, total: state.total, note: state.note.clone() })
    }

    /// How far it came.
    pub(super) fn progress(&self) -> Progress {
        let state = self.lock();
        Progress { done: state.done, total: state.total, note: state.note.clone() }
    }

    /// The progress could not be written: it is still to be.
    pub(super) fn progress_unwritten(&self) {
        self.lock().changed = true;
    }

    pub(super) fn ask_cancel(&self) {
        self.cancel.store(true, Ordering::Relaxed);
        self.told.notify_waiters();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    pub(super) fn ask_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.told.notify_waiters();
    }
}

/// A text as long as is kept, on one line.
fn cut(text: String) -> String {
    let one_line = text.replace(|c: char| c.is_control(), " ");
    match one_line.char_indices().nth(LINE_CHARACTERS_MAX) {
        Some((at, _)) => format!("{}…", &one_line[..at]),
        None => one_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_bounded_and_says_so_in_its_last_line() {
        let said = Said::after(LINES_MAX - 3);
        for n in 0..10 {
            said.line(Ts(n), format!("line {n}\nof two"));
        }
        let lines = said.take_lines();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].text, "line 0 of two");
        assert_eq!(
            (lines[2].seq, lines[2].text.as_str()),
            (LINES_MAX, "more was said and is left out")
        );
        said.give_back(lines.clone());
        assert_eq!(said.take_lines(), lines);
    }
}
