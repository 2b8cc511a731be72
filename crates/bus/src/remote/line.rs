//! Connections to Redis: opened when first needed, replaced when they break.
//!
//! One shared connection carries every short call; commands of many callers travel in it at
//! once. A blocking read would hold all of them up, so each takes a connection of its own from
//! a small stock and puts it back when its answer came. A read that is dropped drops its
//! connection too, since the server still owes it an answer.
//!
//! Only one attempt to connect is made at a time, and a failed one moves the next further
//! away: a thousand callers knock on a dead server no more often than one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::BusError;

/// The pause before the second attempt; it doubles up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Connections for blocking reads kept for the next read; more are closed after use.
const IDLE_READERS_MAX: usize = 32;

pub(crate) struct Line {
    client: Client,
    address: String,
    connect_timeout: Duration,
    call_timeout: Duration,
    shared: Mutex<Option<Shared>>,
    idle_readers: Mutex<Vec<MultiplexedConnection>>,
    door: tokio::sync::Mutex<Door>,
    /// Why the last attempt to connect failed, for those whose time ends while others try.
    trouble: Mutex<Option<RedisError>>,
}

/// The connection of the short calls, numbered so that a late complaint about an old one does
/// not close its successor.
#[derive(Clone)]
struct Shared {
    number: u64,
    connection: MultiplexedConnection,
}

/// Who holds the door may try to connect.
#[derive(Default)]
struct Door {
    opened: u64,
    failures: u32,
    next_attempt: Option<Instant>,
}

/// Something that can be sent and sent again.
pub(crate) enum Request<'a> {
    Command(&'a redis::Cmd),
    Pipeline(&'a redis::Pipeline),
    Script(&'a redis::ScriptInvocation<'a>),
}

impl<'a> From<&'a redis::Cmd> for Request<'a> {
    fn from(command: &'a redis::Cmd) -> Self {
        Request::Command(command)
    }
}

impl<'a> From<&'a redis::Pipeline> for Request<'a> {
    fn from(pipeline: &'a redis::Pipeline) -> Self {
        Request::Pipeline(pipeline)
    }
}

impl<'a> From<&'a redis::ScriptInvocation<'a>> for Request<'a> {
    fn from(script: &'a redis::ScriptInvocation<'a>) -> Self {
        Request::Script(script)
    }
}

impl Request<'_> {
    async fn send(&self, connection: &mut MultiplexedConnection) -> Result<Value, RedisError> {
        match self {
            Request::Command(command) => command.query_async(connection).await,
            Request::Pipeline(pipeline) => pipeline.query_async(connection).await,
            Request::Script(script) => script.invoke_async(connection).await,
        }
    }
}

/// What an error says about trying again.
#[derive(PartialEq, Eq, Debug)]
enum Verdict {
    /// The connection is of no use any more, or leads to a server that is not ours to write to.
    Reconnect,
    /// The server is starting or failing over.
    Wait,
    /// The same request will fail the same way.
    GiveUp,
}

fn judge(error: &RedisError) -> Verdict {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse => Verdict::Reconnect,
        // Written to a server that became a replica: the name may lead to its successor.
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Verdict::Reconnect,
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown,
        ) => Verdict::Wait,
        _ => Verdict::GiveUp,
    }
}

/// The pause after so many failures in a row.
fn pause(failures: u32) -> Duration {
    PAUSE_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(PAUSE_MAX)
}

impl Line {
    pub(crate) fn new(
        client: Client,
        address: String,
        connect_timeout: Duration,
        call_timeout: Duration,
    ) -> Line {
        Line {
            client,
            address,
            connect_timeout,
            call_timeout,
            shared: Mutex::default(),
            idle_readers: Mutex::default(),
            door: tokio::sync::Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// Sends a short request on the shared connection, again and again until it is answered or
    /// refused or the call's time is over.
    pub(crate) async fn call<'a>(
        &self,
        name: &'static str,
        request: impl Into<Request<'a>>,
    ) -> Result<Value, BusError> {
        let request = request.into();
        let deadline = Instant::now() + self.call_timeout;
        let mut failures = 0;
        loop {
            let Shared { number, mut connection } = match timeout_at(deadline, self.shared()).await
            {
                Ok(shared) => shared?,
                Err(_) => return Err(self.unreachable()),
            };
            let source = match timeout_at(deadline, request.send(&mut connection)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(source)) => source,
                Err(_) => {
                    // It may be the path that is dead rather than the server slow: a fresh
                    // connection helps in the first case and costs little in the second.
                    self.forget(number);
                    return Err(self.timed_out(self.call_timeout));
                }
            };
            match judge(&source) {
                Verdict::GiveUp => return Err(refused(name, source)),
                Verdict::Reconnect => self.forget(number),
                Verdict::Wait => {}
            }
            // The first repeat is free: most often an old connection was found broken.
            if failures > 0 && !sleep_before(deadline, pause(failures)).await {
                return Err(BusError::Unavailable { source: source.into() });
            }
            failures += 1;
        }
    }

    /// Sends a request that the server may hold for `wait`, on a connection of its own. It is
    /// built anew for each attempt from what is left of the wait.
    pub(crate) async fn call_blocking(
        &self,
        name: &'static str,
        wait: Duration,
        build: impl Fn(Duration) -> redis::Cmd,
    ) -> Result<Value, BusError> {
        let wake = Instant::now() + wait;
        let deadline = wake + self.call_timeout;
        let mut failures = 0;
        loop {
            let connect_by = deadline.min(Instant::now() + self.call_timeout);
            let idle = lock(&self.idle_readers).pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => match timeout_at(connect_by, self.reader()).await {
                    Ok(connection) => connection?,
                    Err(_) => return Err(self.unreachable()),
                },
            };
            let command = build(wake.saturating_duration_since(Instant::now()));
            let request = Request::Command(&command);
            let source = match timeout_at(deadline, request.send(&mut connection)).await {
                Ok(Ok(answer)) => {
                    let mut idle = lock(&self.idle_readers);
                    if idle.len() < IDLE_READERS_MAX {
                        idle.push(connection);
                    }
                    return Ok(answer);
                }
                Ok(Err(source)) => source,
                Err(_) => return Err(self.timed_out(wait + self.call_timeout)),
            };
            match judge(&source) {
                Verdict::GiveUp => return Err(refused(name, source)),
                // What broke one connection most likely broke the idle ones as well.
                Verdict::Reconnect => lock(&self.idle_readers).clear(),
                Verdict::Wait => {}
            }
            if failures > 0 && !sleep_before(connect_by, pause(failures)).await {
                return Err(BusError::Unavailable { source: source.into() });
            }
            failures += 1;
        }
    }

    async fn shared(&self) -> Result<Shared, BusError> {
        if let Some(shared) = self.shared_now() {
            return Ok(shared);
        }
        let mut door = self.door.lock().await;
        if let Some(shared) = self.shared_now() {
            return Ok(shared);
        }
        let connection = self.connect(&mut door).await?;
        let shared = Shared { number: door.opened, connection };
        *lock(&self.shared) = Some(shared.clone());
        Ok(shared)
    }

    fn shared_now(&self) -> Option<Shared> {
        lock(&self.shared).clone()
    }

    fn forget(&self, number: u64) {
        let mut shared = lock(&self.shared);
        if shared.as_ref().is_some_and(|current| current.number == number) {
            *shared = None;
        }
    }

    async fn reader(&self) -> Result<MultiplexedConnection, BusError> {
        self.connect(&mut *self.door.lock().await).await
    }

    /// Tries until it is connected or refused; the callers' deadlines end it.
    async fn connect(&self, door: &mut Door) -> Result<MultiplexedConnection, BusError> {
        // Both limits are ours: this crate's own would cut blocking reads off.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(None);
        loop {
            if let Some(at) = door.next_attempt {
                sleep_until(at).await;
            }
            let attempt = self.client.get_multiplexed_async_connection_with_config(&config);
            let source = match timeout(self.connect_timeout, attempt).await {
                Ok(Ok(connection)) => {
                    if door.failures > 0 {
                        tracing::info!(redis = self.address, "Redis is reachable again");
                    }
                    *door = Door { opened: door.opened + 1, failures: 0, next_attempt: None };
                    *lock(&self.trouble) = None;
                    return Ok(connection);
                }
                Ok(Err(source)) => source,
                Err(_) => std::io::Error::from(std::io::ErrorKind::TimedOut).into(),
            };
            if door.failures == 0 {
                tracing::warn!(redis = self.address, error = %source, "Redis cannot be reached");
            }
            door.failures = door.failures.saturating_add(1);
            door.next_attempt = Some(Instant::now() + pause(door.failures));
            if judge(&source) == Verdict::GiveUp {
                return Err(refused("the connection", source));
            }
            *lock(&self.trouble) = Some(source);
        }
    }

    fn unreachable(&self) -> BusError {
        match lock(&self.trouble).clone() {
            Some(source) => BusError::Unavailable { source: source.into() },
            None => self.timed_out(self.call_timeout),
        }
    }

    fn timed_out(&self, limit: Duration) -> BusError {
        BusError::Timeout { limit_ms: limit.as_millis() as u64 }
    }
}

/// Sleeps and returns true, or returns false at once if that would pass the deadline.
async fn sleep_before(deadline: Instant, pause: Duration) -> bool {
    let fits = Instant::now() + pause < deadline;
    if fits {
        sleep(pause).await;
    }
    fits
}

fn refused(command: &'static str, source: RedisError) -> BusError {
    BusError::Refused { command, source: source.into() }
}

/// Nothing under these locks can panic halfway, so a poisoned one is as good as new.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert_eq!(pause(1), PAUSE_MIN);
        assert_eq!(pause(2), PAUSE_MIN * 2);
        assert_eq!(pause(60), PAUSE_MAX);
        assert_eq!(pause(u32::MAX), PAUSE_MAX);
    }

    #[test]
    fn only_errors_that_pass_are_tried_again() {
        let of = |kind| judge(&RedisError::from((kind, "test")));
        assert_eq!(of(ErrorKind::Io), Verdict::Reconnect);
        assert_eq!(of(ErrorKind::Server(ServerErrorKind::ReadOnly)), Verdict::Reconnect);
        assert_eq!(of(ErrorKind::Server(ServerErrorKind::BusyLoading)), Verdict::Wait);
        assert_eq!(of(ErrorKind::AuthenticationFailed), Verdict::GiveUp);
        assert_eq!(of(ErrorKind::Server(ServerErrorKind::ResponseError)), Verdict::GiveUp);
    }
}
