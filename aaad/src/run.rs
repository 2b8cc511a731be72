//! Putting the parts together, starting and stopping them in order.
//!
//! Start: everything that can fail is opened first (data directory, key file, journal, ports),
//! so that nothing is half-started; then the local snapshot and the sessions are restored; only
//! then is the first packet read. Stop: stop listening, drain what was read, write the
//! checkpoint, end the tasks.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, RedisOptions};
use clap::Parser;
use daemon::cli::{Advice, DaemonArgs, Settings};
use daemon::exit::chain;
use daemon::health::Health;
use daemon::lifecycle::{Shutdown, TaskError, Tasks};
use daemon::secrets::{KeyFileError, Keyring};
use journal::{Journal, JournalError};
use model::accounting::Record;
use model::{Clock, SystemClock};
use radius_wire::Attributes;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::auth_log::{self, Collector, REFUSALS, Tail};
use crate::blocks::{self, Blocks, Teller};
use crate::cache::Cache;
use crate::class::ClassKey;
use crate::coa::{BlastRadius, Coa, NUDGES};
use crate::config::Config;
use crate::control::Control;
use crate::counters::Counters;
use crate::delay::{Delayed, WAITING_MAX};
use crate::duplicate::Duplicates;
use crate::engine::Engine;
use crate::events::{self, Reporter};
use crate::follower::{self, Follower, FollowerState};
use crate::guard::{FAILURES_MAX, Guard, Limits};
use crate::listener::{
    AcctLoop, AuthShard, Door, Positions, SEEN_QUEUE, Shared, StatusBudget, facts_of,
};
use crate::pools::{self, Keeper as PoolKeeper};
use crate::sessions::{self, Sessions, follow, introduce};
use crate::shipper::Shipper;
use crate::signing::{self, Keeper, NOTICES, Sources};
use crate::socket::{self, Batch, SOCKETS_MAX};

/// What the caller provides: the same for `aaad` itself, `netctl up` and tests.
pub struct Parts {
    /// The bus.
    pub bus: Bus,
    /// Where readiness is told.
    pub health: Health,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Why `aaad` did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {path}")]
    Data {
        /// Where it should be.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The key file cannot be used.
    #[error("cannot use the key file")]
    Key(#[from] KeyFileError),
    /// The journal cannot be opened.
    #[error("cannot open the accounting journal")]
    Journal(#[from] JournalError),
    /// A port cannot be listened on.
    #[error("cannot listen on udp {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The settings contradict each other.
    #[error("{0}")]
    Config(String),
    /// The control socket cannot be opened.
    #[error("cannot open the control socket")]
    Control(#[from] daemon::control::ControlError),
    /// The admin port cannot be listened on.
    #[error("cannot serve health and metrics")]
    Admin(#[from] daemon::admin::AdminError),
    /// The bus cannot be used.
    #[error("cannot use the bus")]
    Bus(#[from] bus::BusError),
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// A task ended while it should not.
    #[error("a part of aaad ended")]
    Task(#[from] TaskError),
}

/// Where it is kept which NAS sign their requests.
const SIGNING_FILE: &str = "signing.learnt";
/// Where the leases of the address pools are kept.
const LEASES_FILE: &str = "pools.leases";
/// How often the sessions are checkpointed.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// Replies a shard keeps for retransmissions.
const DUPLICATES_PER_SHARD: usize = 16_384;

/// Everything that could fail is open; nothing is served yet.
pub struct Opened {
    config: Config,
    parts: Parts,
    journal: Journal,
    engine: Arc<Engine>,
    snapshot_file: follower::SnapshotFile,
    sessions: Sessions,
    sources: Sources,
    auth: Vec<Vec<Batch>>,
    acct: Vec<Batch>,
    listening: String,
    control: UnixListener,
    admin: Option<TcpListener>,
}

impl Opened {
    /// Opens the key file, ports, sockets and journal, and restores policy and sessions.
    pub async fn open(config: Config, parts: Parts) -> Result<Self, RunError> {
        let keyring = Arc::new(Keyring::load(&config.key_file)?);
        let data = |source| RunError::Data { path: config.data.display().to_string(), source };
        fs::create_dir_all(&config.data).map_err(data)?;
        let control = daemon::control::bind(&config.control_path())?;
        let admin = match config.admin {
            None => None,
            Some(address) => Some(daemon::admin::bind(address).await?),
        };

        let shards = match config.auth.shards {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            shards => shards,
        };
        let (auth, auth_addresses) = listen(&config.auth.listen, shards, "auth.listen")?;
        let (acct, acct_addresses) = listen(&config.acct.listen, 1, "acct.listen")?;
        let acct = acct.into_iter().flatten().collect();

        let options = journal::Options {
            segment_octets: config.journal.segment_octets,
            octets_max: config.journal.octets_max,
            reserve_octets: config.journal.reserve_octets,
            keep_s: i64::from(config.journal.keep_h) * 3600,
        };
        let (journal, recovery) = Journal::open(&config.data.join("journal"), options)?;
        info!(?recovery, "journal open");

        let class_key = ClassKey::new(&keyring.derive("class"));
        let cache = Arc::new(Cache::new(keyring));
        let (snapshot_file, records) =
            follower::restore(&config.data.join("policy.snapshot"), &cache);
        info!(records, "local policy snapshot loaded");
        let engine = Engine::new(cache, class_key, config.auth.fold_case);
        let refuse = config.auth.unknown_realm == crate::config::UnknownRealm::Refuse;
        let engine = Arc::new(engine.refuse_unknown_realms(refuse));
        let sources = signing::restore(&config.data.join(SIGNING_FILE));
        let now = parts.clock.now();
        // Sessions come later, and say themselves what they have.
        engine.pools.configure(&engine.cache, now, &mut |_| {});
        let leases = config.data.join(LEASES_FILE);
        let stopped = pools::restore(&leases, &engine.pools).unwrap_or_else(|error| {
            warn!(error = %chain(&error), "leases not used: addresses are known from sessions alone");
            false
        });
        // Restored once more over what the file said: a service's own is its own.
        engine.pools.configure(&engine.cache, now, &mut |_| {});
        let sessions = restore_sessions(&config, &journal, &engine);
        let mut live = HashSet::new();
        sessions.for_each_tag(|service, tag| {
            live.insert((service, tag));
        });
        engine.pools.settle(stopped, |service, tag| live.contains(&(service, tag)), now);
        pools::save(&leases, &engine.pools.encode(false)).map_err(|error| RunError::Data {
            path: leases.display().to_string(),
            source: io::Error::other(error),
        })?;
        info!(sessions = sessions.len(), "live sessions restored");
        Ok(Self {
            journal,
            control,
            admin,
            engine,
            snapshot_file,
            sessions,
            sources,
            auth,
            acct,
            listening: format!("auth {}, acct {}", join(&auth_addresses), join(&acct_addresses)),
            config,
            parts,
        })
    }

    /// Serves until the soft stop, and closes in order.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), RunError> {
        let Self { config, parts, control, admin, .. } = self;
        let Parts { bus, health, clock } = parts;
        let started = clock.now();
        let packets = health.part("packets");
        let connected = health.part("bus");
        let (seen, seen_queue) = mpsc::channel(SEEN_QUEUE);
        let (nudge, nudges) = mpsc::channel(NUDGES);
        let (refusals, refused) = mpsc::channel(REFUSALS);
        let (notices, noticed) = mpsc::channel(NOTICES);
        let (begun, blocks_begun) = mpsc::channel(blocks::WAITING_MAX);
        let (events, events_queue) = mpsc::channel(events::WAITING_MAX);
        let sources = Arc::new(self.sources);
        let fold_case = config.auth.fold_case;
        let blocks = Arc::new(Blocks::new(Guard::new(limits(&config)), fold_case));
        let tails = auth_log::tails(self.auth.len());
        let mut doors = Vec::new();
        let positions = Arc::new(Positions::default());
        let sessions = Arc::new(Mutex::new(self.sessions));
        let journal = self.journal.handle();
        let state = Arc::new(FollowerState::default());
        let blast = Arc::new(Mutex::new(BlastRadius::default()));

        let mut tasks = Tasks::new();
        tasks.spawn(
            "follower",
            Follower {
                bus: bus.clone(),
                cache: self.engine.cache.clone(),
                engine: self.engine.clone(),
                clock: clock.clone(),
                sessions: sessions.clone(),
                file: self.snapshot_file,
                seen: seen_queue,
                coa: nudge.clone(),
                state: state.clone(),
                blocks: blocks.clone(),
                connected,
                stop: shutdown.clone(),
            }
            .run(),
        );
        tasks.spawn(
            "coa",
            Coa {
                engine: self.engine.clone(),
                clock: clock.clone(),
                sessions: sessions.clone(),
                nudges,
                blast: blast.clone(),
                config: config.coa.clone(),
                stop: shutdown.clone(),
            }
            .run(),
        );
        tasks.spawn(
            "shipper",
            Shipper {
                bus: bus.clone(),
                journal: journal.clone(),
                incarnation: self.journal.incarnation(),
                positions: positions.clone(),
                cursor: config.data.join("shipper.cursor"),
                stop: shutdown.clone(),
            }
            .run(),
        );
        tasks.spawn(
            "checkpoint",
            checkpoints(
                config.clone(),
                self.engine.clone(),
                sessions.clone(),
                positions.clone(),
                shutdown.clone(),
            ),
        );
        tasks.spawn(
            "pools",
            PoolKeeper {
                engine: self.engine.clone(),
                clock: clock.clone(),
                file: config.data.join(LEASES_FILE),
                events: events.clone(),
                stop: shutdown.clone(),
            }
            .run(),
        );
        let source = u64::from_be_bytes(daemon::secrets::random());
        let cache = self.engine.cache.clone();
        let stop = shutdown.clone();
        let collector =
            Collector::new(bus.clone(), cache.clone(), refused, fold_case, source, stop);
        tasks.spawn("auth log", collector.run());
        tasks.spawn(
            "signing",
            Keeper {
                cache: cache.clone(),
                sources: sources.clone(),
                notices: noticed,
                events: events.clone(),
                file: config.data.join(SIGNING_FILE),
                stop: shutdown.clone(),
            }
            .run(),
        );
        tasks.spawn(
            "blocks",
            Teller {
                blocks: blocks.clone(),
                cache,
                clock: clock.clone(),
                begun: blocks_begun,
                events: events.clone(),
                stop: shutdown.clone(),
            }
            .run(),
        );
        tasks.spawn(
            "events",
            Reporter { bus: bus.clone(), events: events_queue, stop: shutdown.clone() }.run(),
        );
        let shared = Shared {
            blocks: blocks.clone(),
            sources: sources.clone(),
            notices,
            begun,
            refusals,
            seen: seen.clone(),
            coa: nudge.clone(),
            events,
            failures: config.auth.block_failures,
        };
        let mut door = || {
            let door = Door::default();
            doors.push(door.strangers.clone());
            door
        };
        let shards: Vec<(Vec<Batch>, Tail, Door)> =
            self.auth.into_iter().zip(&tails).map(|(s, t)| (s, t.clone(), door())).collect();
        let acct_door = door();
        let handler = Arc::new(Control {
            engine: self.engine.clone(),
            clock: clock.clone(),
            sessions: sessions.clone(),
            coa: nudge,
            blast,
            journal,
            positions: positions.clone(),
            follower: state,
            health: health.clone(),
            bus,
            started,
            listening: self.listening.clone(),
            blocks,
            sources,
            tails,
            strangers: doors,
        });
        tasks.spawn("control", daemon::control::serve(control, handler, shutdown.clone()));
        if let Some(listener) = admin {
            tasks.spawn("admin", daemon::admin::serve(listener, health.clone(), shutdown.clone()));
        }

        let mut threads = Threads::default();
        for (sockets, tail, door) in shards {
            let shard = AuthShard {
                engine: self.engine.clone(),
                clock: clock.clone(),
                sockets,
                stop: threads.stop_end()?,
                door,
                duplicates: Duplicates::new(DUPLICATES_PER_SHARD, config.auth.duplicate_s),
                delayed: Delayed::new(
                    Duration::from_millis(config.auth.reject_delay_ms),
                    WAITING_MAX,
                ),
                status: StatusBudget::default(),
                tail,
                counters: Counters::of("auth"),
                shared: shared.clone(),
            };
            threads.spawn("auth", move || shard.run())?;
        }
        let engine = self.engine.clone();
        let acct = AcctLoop {
            engine: self.engine,
            clock,
            sockets: self.acct,
            stop: threads.stop_end()?,
            journal: self.journal,
            sessions: sessions.clone(),
            positions: positions.clone(),
            duplicates: Duplicates::new(DUPLICATES_PER_SHARD, config.auth.duplicate_s),
            counters: Counters::of("acct"),
            seen,
            door: acct_door,
            status: StatusBudget::default(),
        };
        threads.spawn("acct", move || acct.run())?;
        packets.ready(true);
        info!(listening = %self.listening, "aaad answers");

        tasks.spawn("packet threads", threads.watch(shutdown.clone()));
        shutdown.started();
        let result = tasks.supervise(&shutdown).await;
        packets.ready(false);
        checkpoint(&config, &engine, &sessions, &positions, true);
        info!("aaad stopped");
        Ok(result?)
    }
}

/// When a login is blocked, as configured.
fn limits(config: &Config) -> Limits {
    let auth = &config.auth;
    Limits {
        failures: auth.block_failures.min(FAILURES_MAX),
        window_s: auth.block_window_s,
        block_s: auth.block_s,
    }
}

fn join(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// One set of sockets per shard, each with one socket per address.
fn listen(
    addresses: &[SocketAddr],
    shards: usize,
    key: &str,
) -> Result<(Vec<Vec<Batch>>, Vec<SocketAddr>), RunError> {
    if addresses.is_empty() || addresses.len() > SOCKETS_MAX {
        return Err(RunError::Config(format!("{key}: give 1 to {SOCKETS_MAX} addresses")));
    }
    let mut sets: Vec<Vec<Batch>> = (0..shards.max(1)).map(|_| Vec::new()).collect();
    let mut bound = Vec::new();
    for address in addresses {
        let failed = |source| RunError::Listen { address: *address, source };
        socket::is_free(*address).map_err(failed)?;
        // Port 0 lets the kernel choose, once; the other shards must share the choice.
        let first = socket::bind(*address).map_err(failed)?;
        let chosen = first.local_addr().map_err(failed)?;
        bound.push(chosen);
        let mut first = Some(first);
        for set in &mut sets {
            let socket = match first.take() {
                Some(first) => first,
                None => socket::bind(chosen).map_err(failed)?,
            };
            set.push(Batch::new(socket));
        }
    }
    Ok((sets, bound))
}

/// The checkpoint plus the journal's tail. A checkpoint that is damaged or another journal's
/// costs time, not sessions: the journal is read from its beginning instead. A journal that
/// cannot be read costs sessions until their next report, which is better than no answers.
fn restore_sessions(config: &Config, journal: &Journal, engine: &Engine) -> Sessions {
    let handle = journal.handle();
    let mut sessions = Sessions::new(config.auth.fold_case);
    let path = config.data.join("sessions.checkpoint");
    if let Err(error) = sessions::load(&path, |one| handle.knows(one), &mut sessions) {
        warn!(error = %chain(&error), "session checkpoint not used; reading the whole journal");
        sessions = Sessions::new(config.auth.fold_case);
    }
    sessions.name_journal(journal.incarnation());
    introduce(&mut sessions, engine);
    let mut reader = handle.reader(sessions.applied());
    let mut entries = Vec::new();
    loop {
        match reader.read(1000, &mut entries) {
            Ok(0) => return sessions,
            Ok(_) => {}
            Err(error) => {
                let after = sessions.applied();
                error!(error = %chain(&error), after, "live sessions restored only in part");
                return sessions;
            }
        }
        for entry in entries.drain(..) {
            let Ok(record) = Record::decode(&entry.payload) else { continue };
            let Ok(attributes) = Attributes::parse(record.attributes) else { continue };
            let facts = facts_of(&record, attributes);
            sessions.apply(entry.sequence, &record, &facts);
            follow(&mut sessions, engine, &record, &facts);
        }
    }
}

async fn checkpoints(
    config: Config,
    engine: Arc<Engine>,
    sessions: Arc<Mutex<Sessions>>,
    positions: Arc<Positions>,
    stop: Shutdown,
) -> Result<(), std::convert::Infallible> {
    let config = Arc::new(config);
    let mut every = tokio::time::interval(CHECKPOINT_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.soft() => return Ok(()),
        }
        let (config, sessions, positions) = (config.clone(), sessions.clone(), positions.clone());
        let engine = engine.clone();
        let write = move || checkpoint(&config, &engine, &sessions, &positions, false);
        if tokio::task::spawn_blocking(write).await.is_err() {
            error!("writing the session checkpoint panicked");
        }
    }
}

/// Writes leases and sessions. `stopped`: nothing happens any more.
fn checkpoint(
    config: &Config,
    engine: &Engine,
    sessions: &Mutex<Sessions>,
    positions: &Positions,
    stopped: bool,
) {
    let (bytes, applied) = sessions.lock().unwrap_or_else(PoisonError::into_inner).encode();
    // Leases after the sessions and on disk before them: what the journal says between the two
    // is applied once more, which changes nothing.
    let leases = engine.pools.encode(stopped);
    if let Err(error) = pools::save(&config.data.join(LEASES_FILE), &leases) {
        warn!(error = %chain(&error), "leases are not on disk");
    }
    match sessions::save(&config.data.join("sessions.checkpoint"), &bytes) {
        Ok(()) => positions.checkpointed.store(applied, Ordering::Relaxed),
        Err(error) => {
            warn!(error = %chain(&error), "the journal keeps its segments until this works")
        }
    }
}

/// The packet threads: closing their stop ends is what ends them.
#[derive(Default)]
struct Threads {
    stops: Vec<UnixStream>,
    running: Vec<(&'static str, tokio::sync::oneshot::Receiver<io::Result<()>>)>,
}

/// A packet thread ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
#[error("the {0} thread ended")]
struct ThreadEnded(&'static str, #[source] Option<io::Error>);

impl Threads {
    fn stop_end(&mut self) -> Result<UnixStream, RunError> {
        let (ours, theirs) = UnixStream::pair().map_err(RunError::Thread)?;
        self.stops.push(ours);
        Ok(theirs)
    }

    fn spawn(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<(), RunError> {
        let (done, ended) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                // Nobody listens any more only after a hard stop.
                let _ = done.send(work());
            })
            .map_err(RunError::Thread)?;
        self.running.push((name, ended));
        Ok(())
    }

    /// Ends with the program: stops the threads at the soft stop, or fails with the first that
    /// ends before.
    async fn watch(mut self, stop: Shutdown) -> Result<(), ThreadEnded> {
        let mut ends = tokio::task::JoinSet::new();
        for (name, ended) in self.running.drain(..) {
            ends.spawn(async move { (name, ended.await) });
        }
        tokio::select! {
            Some(Ok((name, ended))) = ends.join_next() => {
                return Err(ThreadEnded(name, ended.ok().and_then(Result::err)));
            }
            () = stop.soft() => self.stops.clear(),
        }
        while let Some(ended) = ends.join_next().await {
            if let Ok((name, Ok(Err(source)))) = ended {
                return Err(ThreadEnded(name, Some(source)));
            }
        }
        Ok(())
    }
}

/// The RADIUS daemon: authentication, accounting, CoA.
#[derive(Debug, Parser)]
#[command(name = "aaad", version)]
struct Arguments {
    #[command(flatten)]
    daemon: DaemonArgs,
}

impl Settings for Config {
    fn log(&self) -> &daemon::telemetry::LogConfig {
        &self.log
    }
}

/// The program: reads its arguments and configuration, and serves.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    daemon::cli::main("aaad", arguments.daemon, advise, |config: Config, shutdown| async {
        let mut options = RedisOptions::new(config.bus.redis.as_str());
        options.prefix.clone_from(&config.bus.prefix);
        let parts = Parts {
            bus: Bus::redis(options)?,
            health: Health::new(),
            clock: Arc::new(SystemClock),
        };
        Opened::open(config, parts).await?.run(shutdown).await
    })
}

fn advise(config: &Config) -> Vec<Advice> {
    let mut advice = Vec::new();
    if !(5..=30).contains(&config.auth.duplicate_s) {
        advice.push(Advice::odd("auth.duplicate_s", "RFC 5080 recommends 5 to 30 seconds"));
    }
    if config.auth.reject_delay_ms > 5000 {
        advice.push(Advice::fatal("auth.reject_delay_ms", "is 5000 at most"));
    } else if config.auth.reject_delay_ms > 500 {
        advice.push(Advice::odd(
            "auth.reject_delay_ms",
            "RouterOS waits 1.1 seconds for an answer, other NAS less; keep it below half of that",
        ));
    }
    if config.auth.block_failures > FAILURES_MAX {
        advice.push(Advice::fatal("auth.block_failures", "is 4094 at most"));
    }
    if config.auth.block_failures > 0
        && (config.auth.block_window_s == 0 || config.auth.block_s == 0)
    {
        advice.push(Advice::fatal(
            "auth.block_s",
            "and auth.block_window_s are 1 at least; auth.block_failures = 0 turns blocks off",
        ));
    }
    if config.journal.octets_max < 4 * config.journal.segment_octets {
        advice.push(Advice::fatal("journal.octets_max", "must hold at least four segments"));
    }
    if config.auth.listen.iter().any(|a| config.acct.listen.contains(a)) {
        advice.push(Advice::fatal("acct.listen", "is used by auth.listen too"));
    }
    advice
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use model::{ClientId, CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts};
    use uuid::Uuid;

    use super::*;

    /// A Start of session "a".
    fn start() -> Record<'static> {
        Record {
            received: Ts(1_772_357_400_000_000),
            client: ClientId::generate(),
            nas: NasId::generate(),
            organisation: OrganisationId::NONE,
            customer: CustomerId::NONE,
            service: ServiceId::NONE,
            plan_version: PlanVersionId::NONE,
            policy_hash: 0,
            ipv6_counters: model::nas::Ipv6Counters::Included,
            source: IpAddr::from([192, 0, 2, 1]),
            attributes: &[40, 6, 0, 0, 0, 1, 44, 3, b'a'],
        }
    }

    fn engine() -> Engine {
        let cache = Arc::new(Cache::new(Arc::new(Keyring::ephemeral())));
        Engine::new(cache, ClassKey::new(&[7; 32]), true)
    }

    /// A journal in which one session has begun.
    fn journal(path: &std::path::Path) -> Journal {
        let options = journal::Options {
            segment_octets: 1 << 20,
            octets_max: 16 << 20,
            reserve_octets: 0,
            keep_s: 3600,
        };
        let (mut journal, _) = Journal::open(path, options).unwrap();
        let mut bytes = Vec::new();
        start().encode(&mut bytes);
        journal.append(&bytes).unwrap();
        journal.commit().unwrap();
        journal
    }

    #[test]
    fn every_shard_listens_on_every_address_of_both_families() {
        let addresses = ["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        let (sets, bound) = listen(&addresses, 3, "auth.listen").unwrap();
        assert!(sets.len() == 3 && sets.iter().all(|sockets| sockets.len() == 2));
        assert!(bound[0].is_ipv4() && bound[1].is_ipv6() && bound.iter().all(|a| a.port() != 0));
        drop(sets);
        let taken = std::net::UdpSocket::bind("[::1]:0").unwrap();
        let again = [taken.local_addr().unwrap()];
        assert!(matches!(listen(&again, 1, "auth.listen"), Err(RunError::Listen { .. })));
        assert!(listen(&[], 1, "auth.listen").is_err());
    }

    #[test]
    fn sessions_are_restored_from_what_can_be_read_of_this_journal() {
        let data = std::env::temp_dir().join(format!("lastmile-restore-{}", Uuid::now_v7()));
        fs::create_dir_all(&data).unwrap();
        let config = Config { data: data.clone(), ..Config::default() };
        let one = journal(&data.join("one"));
        let restored = restore_sessions(&config, &one, &engine());
        assert_eq!((restored.len(), restored.applied()), (1, 1));

        // A checkpoint far ahead, of another journal, hides nothing of this one.
        let mut ahead = Sessions::new(true);
        let record = start();
        ahead.apply(
            500,
            &record,
            &radius_wire::accounting::Facts::of(Attributes::parse(record.attributes).unwrap()),
        );
        ahead.name_journal(journal(&data.join("two")).incarnation());
        sessions::save(&data.join("sessions.checkpoint"), &ahead.encode().0).unwrap();
        let restored = restore_sessions(&config, &one, &engine());
        assert_eq!((restored.len(), restored.applied()), (1, 1));

        // A directory can be opened and not read.
        let segments = fs::read_dir(data.join("one")).unwrap().map(|entry| entry.unwrap().path());
        let mut segments = segments.filter(|path| path.extension().is_some_and(|end| end == "seg"));
        let segment = segments.next().unwrap();
        fs::remove_file(&segment).unwrap();
        fs::create_dir(&segment).unwrap();
        assert_eq!(restore_sessions(&config, &one, &engine()).len(), 0);
        fs::remove_dir_all(&data).unwrap();
    }
}
