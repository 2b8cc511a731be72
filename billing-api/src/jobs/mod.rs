//! Jobs: work that runs outside of a request, by schedule or by hand.
//!
//! A [`Kind`] is what the program can do; a `job` row says when and with which arguments; a
//! `job_run` row is one execution with its retries. The run's row is the queue: whoever works
//! on it holds a lease and renews it. A lease that ended is taken over, so exactly one runner
//! works on a run, in however many processes. A run may happen again after its process was
//! gone: kinds whose work must not happen twice say so ([`Lost::Fail`]).
//!
//! In the order a run meets the modules:
//!
//! - [`schedule`]: cron in a zone: when, pure functions.
//! - [`kind`]: what a kind says of itself, and how it may end.
//! - [`registry`]: every kind and queue, and the jobs an installation begins with.
//! - [`enqueue`](mod@enqueue): a run is queued, in the transaction of what asks for it.
//! - `planner`: jobs whose time has come become runs.
//! - `runner`: runs are claimed, bounded per queue.
//! - `execution`: one run: heartbeat, progress, time limit, cancel, its end.
//! - [`context`]: what a kind's function is given.
//! - [`entities`]: jobs, runs and maintenance windows as people see and change them.
//! - [`manage`]: what people do with them: run, cancel, retry.
//! - [`backup`]: the kind that makes backups.
//! - `purge`: the kinds that clean up.

pub(crate) mod backup;
pub(crate) mod context;
pub(crate) mod enqueue;
pub(crate) mod entities;
pub(crate) mod kind;
pub(crate) mod manage;
pub(crate) mod registry;
pub(crate) mod schedule;

mod execution;
mod planner;
mod purge;
mod runner;

#[cfg(test)]
mod tests;

pub(crate) use context::Context;
pub(crate) use enqueue::{enqueue, is_open, start};
pub(crate) use kind::{JobError, Kind, Lost, Outcome};
pub(crate) use registry::ensure_jobs;
pub(crate) use runner::Runner;
