//! What travels between the programs: named streams, snapshot tables and leases, in the order
//! data meets the modules.
//!
//! - [`Bus`]: the handle every program holds; one set of calls, two homes for the data.
//! - [`Position`] and [`Entry`]: what a stream is made of.
//! - [`Follower`]: reads one stream for ever and notices when the bus lost its contents.
//! - [`BusError`]: what may go wrong, the same in both homes.
//! - `local`: the home inside one process, for `netctl up` and for tests.
//! - `remote`: the home in Redis 7. No other crate knows that Redis exists.
//!
//! # What callers rely on
//!
//! **Streams** keep the order of one writer. An append that failed may have been written in
//! part, so writers repeat it and readers are at ease with repeats. A stream holds at most
//! [`STREAM_ENTRIES_MAX`] entries; beyond that [`Bus::append`] says [`BusError::Full`] until
//! somebody trims. Nothing is ever dropped to make room.
//!
//! **Tables** hold the current state, one row per key, with a mark that says how far the state
//! reaches (usually a stream position). A program starts from a table and catches up from a
//! stream.
//!
//! **Leases** choose one owner. The fencing token goes along with the owner's writes, so that
//! an owner who slept past the end of its lease can be refused where it writes.
//!
//! **The epoch** names one life of the contents. It changes exactly when they were lost: Redis
//! was flushed, or restarted without its data; a local bus has the life of its process. Saved
//! positions mean nothing in another epoch: positions may start lower again, and a plain
//! [`Bus::read`] behind an old position could then wait for ever. Callers compare
//! [`Bus::epoch`] and start again from [`Position::START`]; [`Follower`] does it for them.
//!
//! # What Redis has to be told
//!
//! `maxmemory-policy noeviction`: any other policy may drop single keys, which is loss without
//! a change of epoch. `appendonly yes`: a server that restarts from an older RDB file comes
//! back with an older state and the same epoch.

mod error;
mod position;

mod local;
mod remote;

mod follower;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use error::{BusError, Reason};
pub use follower::{Batch, Follower};
pub use position::{Entry, Position, PositionError};
pub use remote::RedisOptions;

use local::Local;
use remote::Remote;

/// How many entries a stream holds before appends are refused, unless
/// [`Bus::with_stream_entries_max`] says otherwise.
pub const STREAM_ENTRIES_MAX: usize = 200_000;

/// The most entries one read returns, whatever the caller asks for.
pub const READ_ENTRIES_MAX: usize = 10_000;

/// The longest a read waits and a lease lasts, whatever the caller asks for.
pub const WAIT_MAX: Duration = Duration::from_secs(3600);

/// A handle on the bus: cheap to clone, safe to share, and never a reason not to start.
///
/// Every call comes back within its timeout. Against Redis, a call connects if need be and
/// repeats itself, with pauses that grow, until its time is over; a Redis that comes back is
/// found by the next call on the same handle. A call that timed out may still take effect.
#[derive(Clone)]
pub struct Bus {
    home: Home,
    stream_entries_max: usize,
}

/// Where the data lives. Each call of [`Bus`] matches on it once.
#[derive(Clone)]
enum Home {
    Local(Arc<Local>),
    Redis(Arc<Remote>),
}

impl Bus {
    /// A bus inside this process, empty.
    pub fn local() -> Bus {
        Bus::at(Home::Local(Arc::new(Local::new())))
    }

    /// A bus in Redis. Only the URL is checked: the first call connects.
    pub fn redis(options: RedisOptions) -> Result<Bus, BusError> {
        Ok(Bus::at(Home::Redis(Arc::new(Remote::new(options)?))))
    }

    fn at(home: Home) -> Bus {
        Bus { home, stream_entries_max: STREAM_ENTRIES_MAX }
    }

    /// The same bus with another bound on the streams this handle appends to.
    pub fn with_stream_entries_max(mut self, entries_max: usize) -> Bus {
        self.stream_entries_max = entries_max;
        self
    }

    /// Where the bus is, without secrets: `in process` or `redis HOST:PORT`.
    pub fn describe(&self) -> String {
        match &self.home {
            Home::Local(_) => "in process".to_owned(),
            Home::Redis(remote) => remote.describe(),
        }
    }

    /// Whether the bus answers.
    pub async fn ping(&self) -> Result<(), BusError> {
        match &self.home {
            Home::Local(_) => Ok(()),
            Home::Redis(remote) => remote.ping().await,
        }
    }

    /// The name of this life of the contents; see the crate's introduction.
    pub async fn epoch(&self) -> Result<u64, BusError> {
        match &self.home {
            Home::Local(local) => Ok(local.epoch()),
            Home::Redis(remote) => remote.epoch().await,
        }
    }

    /// Adds entries to the end of a stream, in this order.
    ///
    /// On an error some may have been written; callers repeat the whole call. `Full` says that
    /// the stream has no room for all of them.
    pub async fn append(&self, stream: &str, entries: &[Bytes]) -> Result<(), BusError> {
        if entries.is_empty() {
            return Ok(());
        }
        match &self.home {
            Home::Local(local) => local.append(stream, entries, self.stream_entries_max),
            Home::Redis(remote) => remote.append(stream, entries, self.stream_entries_max).await,
        }
    }

    /// The entries after a position, oldest first, at most `max` of them.
    ///
    /// With none there, waits up to `wait` for the first; an empty answer means that nothing
    /// came. Where entries after the position were trimmed, reading goes on at the first kept
    /// one. May be dropped at any moment: nothing is consumed.
    ///
    /// A healthy bus answers within `wait`, an ailing Redis with an error at the latest one
    /// call timeout after it.
    pub async fn read(
        &self,
        stream: &str,
        after: Position,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        let (max, wait) = (max.clamp(1, READ_ENTRIES_MAX), wait.min(WAIT_MAX));
        match &self.home {
            Home::Local(local) => Ok(local.read(stream, after, max, wait).await),
            Home::Redis(remote) => remote.read(stream, after, max, wait).await,
        }
    }

    /// The position of the newest entry ever appended: a read behind it sees only what is new.
    pub async fn end(&self, stream: &str) -> Result<Position, BusError> {
        match &self.home {
            Home::Local(local) => Ok(local.end(stream)),
            Home::Redis(remote) => remote.end(stream).await,
        }
    }

    /// Drops the entries up to and including a position.
    pub async fn trim(&self, stream: &str, through: Position) -> Result<(), BusError> {
        match &self.home {
            Home::Local(local) => {
                local.trim(stream, through);
                Ok(())
            }
            Home::Redis(remote) => remote.trim(stream, through).await,
        }
    }

    /// How many entries a stream holds.
    pub async fn len(&self, stream: &str) -> Result<u64, BusError> {
        match &self.home {
            Home::Local(local) => Ok(local.len(stream)),
            Home::Redis(remote) => remote.len(stream).await,
        }
    }

    /// Writes rows of a table in this order; `None` deletes. On an error some may have been
    /// written; callers repeat the whole call.
    pub async fn put(&self, table: &str, rows: &[(String, Option<Bytes>)]) -> Result<(), BusError> {
        match &self.home {
            Home::Local(local) => {
                local.put(table, rows);
                Ok(())
            }
            Home::Redis(remote) => remote.put(table, rows).await,
        }
    }

    /// Hands every row of a table to `sink`, in no order, and returns how many it handed over.
    ///
    /// A row comes once or more. Rows written or deleted meanwhile may come or not, which is
    /// why a loader remembers the mark first and catches up from the stream afterwards.
    pub async fn load(
        &self,
        table: &str,
        sink: &mut (dyn FnMut(&str, &[u8]) + Send),
    ) -> Result<u64, BusError> {
        match &self.home {
            Home::Local(local) => Ok(local.load(table, sink)),
            Home::Redis(remote) => remote.load(table, sink).await,
        }
    }

    /// Drops every row of a table, and its mark.
    pub async fn clear(&self, table: &str) -> Result<(), BusError> {
        match &self.home {
            Home::Local(local) => {
                local.clear(table);
                Ok(())
            }
            Home::Redis(remote) => remote.clear(table).await,
        }
    }

    /// Writes the mark of a table: the writer's own note on how far the rows reach.
    pub async fn set_mark(&self, table: &str, mark: &[u8]) -> Result<(), BusError> {
        match &self.home {
            Home::Local(local) => {
                local.set_mark(table, mark);
                Ok(())
            }
            Home::Redis(remote) => remote.set_mark(table, mark).await,
        }
    }

    /// The mark of a table, if one was written.
    pub async fn mark(&self, table: &str) -> Result<Option<Bytes>, BusError> {
        match &self.home {
            Home::Local(local) => Ok(local.mark(table)),
            Home::Redis(remote) => remote.mark(table).await,
        }
    }

    /// Acquires a lease or renews it, and returns its fencing token; `None` means that somebody
    /// else holds it.
    ///
    /// The token stays the same while one owner renews in time and rises whenever the lease is
    /// acquired anew, across the loss of the bus's contents too. The lease runs from some
    /// moment within the call: a careful owner counts `ttl` from before it.
    pub async fn lease(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<u64>, BusError> {
        let ttl = ttl.clamp(Duration::from_millis(1), WAIT_MAX);
        match &self.home {
            Home::Local(local) => Ok(local.lease(name, owner, ttl)),
            Home::Redis(remote) => remote.lease(name, owner, ttl).await,
        }
    }

    /// Gives a lease back early. Somebody else's lease is left alone.
    pub async fn release(&self, name: &str, owner: &str) -> Result<(), BusError> {
        match &self.home {
            Home::Local(local) => {
                local.release(name, owner);
                Ok(())
            }
            Home::Redis(remote) => remote.release(name, owner).await,
        }
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bus({})", self.describe())
    }
}

/// A number nobody has drawn before: 64 bits folded from a fresh UUID.
fn random_epoch() -> u64 {
    let (high, low) = uuid::Uuid::now_v7().as_u64_pair();
    high.rotate_left(32) ^ low
}

/// The fencing token after `previous`. It follows the clock, so that tokens go on rising when
/// the previous one was lost with everything else.
fn next_token(previous: u64) -> u64 {
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64);
    now_ms.max(previous + 1)
}
