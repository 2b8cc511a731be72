//! Named tasks that are tracked and awaited: none dies unseen.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinError, JoinSet};

use super::Shutdown;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The tasks a program consists of. Dropping it aborts them.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<Result<(), BoxError>>,
    names: HashMap<Id, String>,
}

/// How a task went wrong.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// It ended although nobody stopped the program.
    #[error("task {name} ended early")]
    Ended {
        /// The task.
        name: String,
    },
    /// It returned an error.
    #[error("task {name} failed")]
    Failed {
        /// The task.
        name: String,
        /// Its error.
        source: BoxError,
    },
    /// It panicked.
    #[error("task {name} panicked: {message}")]
    Panicked {
        /// The task.
        name: String,
        /// What the panic said.
        message: String,
    },
    /// These had not finished at the hard stop.
    #[error("aborted before the end: {}", names.join(", "))]
    Aborted {
        /// The tasks.
        names: Vec<String>,
    },
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. It is to run until the soft stop.
    pub fn spawn<F, E>(&mut self, name: impl Into<String>, task: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let handle = self.set.spawn(async move { task.await.map_err(Into::into) });
        self.names.insert(handle.id(), name.into());
    }

    /// Waits until all tasks have ended after the soft stop.
    ///
    /// A task that ends earlier, fails or panics stops the program softly, so that the others
    /// finish; the first such error is returned. At the hard stop what is left is aborted.
    pub async fn supervise(mut self, shutdown: &Shutdown) -> Result<(), TaskError> {
        let mut first = None;
        loop {
            let joined = tokio::select! {
                joined = self.set.join_next_with_id() => joined,
                () = shutdown.hard() => {
                    // One that has ended by itself by now is not counted among the aborted.
                    while let Some(joined) = self.set.try_join_next_with_id() {
                        let error = self.judge(joined, shutdown);
                        first = first.or(error);
                    }
                    let aborted = self.abort().await;
                    return first.or(aborted).map_or(Ok(()), Err);
                }
            };
            let Some(joined) = joined else { break };
            if let Some(error) = self.judge(joined, shutdown) {
                match &first {
                    None => first = Some(error),
                    Some(_) => {
                        let error = crate::exit::chain(&error);
                        tracing::warn!(error, "another task failed while stopping");
                    }
                }
                shutdown.stop_softly();
            }
        }
        if first.is_none() {
            // A program without tasks still runs until it is stopped.
            shutdown.soft().await;
        }
        first.map_or(Ok(()), Err)
    }

    fn judge(
        &mut self,
        joined: Result<(Id, Result<(), BoxError>), JoinError>,
        shutdown: &Shutdown,
    ) -> Option<TaskError> {
        let id = joined.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let name = self.names.remove(&id).unwrap_or_default();
        match joined {
            Ok((_, Ok(()))) if shutdown.is_soft() => None,
            Ok((_, Ok(()))) => Some(TaskError::Ended { name }),
            Ok((_, Err(source))) => Some(TaskError::Failed { name, source }),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Some(TaskError::Panicked { name, message: message_of(&*panic) }),
                Err(_cancelled) => Some(TaskError::Aborted { names: vec![name] }),
            },
        }
    }

    async fn abort(&mut self) -> Option<TaskError> {
        self.set.shutdown().await;
        let mut names: Vec<String> = self.names.drain().map(|(_, name)| name).collect();
        names.sort();
        if names.is_empty() { None } else { Some(TaskError::Aborted { names }) }
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A task that works until the soft stop and then notes that it finished.
    fn worker(tasks: &mut Tasks, shutdown: &Shutdown) -> Arc<AtomicBool> {
        let finished = Arc::new(AtomicBool::new(false));
        let (shutdown, note) = (shutdown.clone(), finished.clone());
        tasks.spawn("worker", async move {
            shutdown.soft().await;
            note.store(true, Ordering::SeqCst);
            Ok::<_, Infallible>(())
        });
        finished
    }

    #[tokio::test]
    async fn a_soft_stop_lets_every_task_finish() {
        let (trigger, shutdown) = Shutdown::new();
        let mut tasks = Tasks::new();
        let finished = worker(&mut tasks, &shutdown);
        trigger.soft();
        tasks.supervise(&shutdown).await.unwrap();
        assert!(finished.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn without_tasks_the_program_runs_until_it_is_stopped() {
        let (trigger, shutdown) = Shutdown::new();
        let running = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { Tasks::new().supervise(&shutdown).await }
        });
        tokio::task::yield_now().await;
        assert!(!running.is_finished());
        trigger.soft();
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_task_that_ends_early_ends_the_program_with_its_name() {
        let (_trigger, shutdown) = Shutdown::new();
        let mut tasks = Tasks::new();
        let finished = worker(&mut tasks, &shutdown);
        tasks.spawn("shipper", async { Ok::<_, Infallible>(()) });
        let error = tasks.supervise(&shutdown).await.unwrap_err();
        assert_eq!(error.to_string(), "task shipper ended early");
        // The others were asked to finish, and did.
        assert!(shutdown.is_soft() && finished.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_failing_task_is_named_with_its_cause() {
        let (_trigger, shutdown) = Shutdown::new();
        let mut tasks = Tasks::new();
        tasks.spawn("shipper", async { Err(io::Error::other("bus is gone")) });
        let error = tasks.supervise(&shutdown).await.unwrap_err();
        assert_eq!(crate::exit::chain(&error), "task shipper failed: bus is gone");
    }

    #[tokio::test]
    async fn a_failure_while_stopping_is_reported_too() {
        let (trigger, shutdown) = Shutdown::new();
        let mut tasks = Tasks::new();
        let stop = shutdown.clone();
        tasks.spawn("journal", async move {
            stop.soft().await;
            Err(io::Error::other("disk is full"))
        });
        trigger.soft();
        let error = tasks.supervise(&shutdown).await.unwrap_err();
        assert_eq!(crate::exit::chain(&error), "task journal failed: disk is full");
    }

    #[tokio::test]
    async fn a_panic_ends_the_program_with_its_name_and_words() {
        async fn bug(n: u32) -> Result<(), Infallible> {
            assert!(n == 0, "sequence went back by {n}");
            Ok(())
        }
        let (_trigger, shutdown) = Shutdown::new();
        let mut tasks = Tasks::new();
        tasks.spawn("journal", bug(3));
        let error = tasks.supervise(&shutdown).await.unwrap_err();
        assert_eq!(error.to_string(), "task journal panicked: sequence went back by 3");
    }

    #[tokio::test]
    async fn a_hard_stop_aborts_what_remains_and_says_which() {
        let (trigger, shutdown) = Shutdown::new();
        let mut tasks = Tasks::new();
        let finished = worker(&mut tasks, &shutdown);
        for name in ["relay", "poller"] {
            tasks.spawn(name, std::future::pending::<Result<(), Infallible>>());
        }
        trigger.soft();
        let supervised = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { tasks.supervise(&shutdown).await }
        });
        while !finished.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        trigger.hard();
        let error = supervised.await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "aborted before the end: poller, relay");
    }
}
