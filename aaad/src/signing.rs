//! Which NAS sign their Access-Requests, and what becomes of those that are not signed.
//!
//! An Access-Request without Message-Authenticator proves nothing, and the answer to it can be
//! turned round by whoever stands between (BlastRADIUS, CVE-2024-3596). Old NAS send such, so
//! they cannot simply be dropped. Each NAS has a mode ([`Signing`]): `warn` lets them pass and
//! says so, `require` drops them, and `learn`, the default, lets them pass until the NAS has
//! shown that it signs: 100 signed requests in a row. What carries EAP or asks for our status is
//! always signed, so it shows nothing and does not count.
//!
//! What was learnt belongs to a source address, not to a name: NAS-Identifier can be changed on
//! the way. So behind a prefix the name in an unsigned request cannot choose a milder mode than
//! the NAS has that last signed from there. What was learnt is kept in a file, and reported to `billing-api`, which makes it the NAS's mode;
//! once billing says another mode than `learn`, that holds and what was learnt is forgotten.
//!
//! Readers load a pointer; the map behind it changes when an address is heard of for the first
//! time. Addresses inside a prefix get in by signing, which strangers cannot, and are bounded.

use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use daemon::exit::chain;
use daemon::lifecycle::Shutdown;
use metrics::counter;
use model::auth_log::{FORMAT, NetworkEvent};
use model::nas::{SIGNED_IN_A_ROW, Signing};
use model::{ClientId, NasId, Ts};
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::cache::{Cache, ClientEntry};

/// Addresses that are remembered, at most.
const SOURCES_MAX: usize = 10_000;
/// Notices that wait; beyond that the next packet tells again.
pub(crate) const NOTICES: usize = 256;
/// Time between two warnings about one NAS, seconds.
const WARN_EVERY_S: i64 = 3600;
/// How often it is looked whether billing has decided.
const COMPARE_EVERY: Duration = Duration::from_secs(60);

type Key = (ClientId, IpAddr);

/// What is known of one source address.
#[derive(Debug, Default)]
pub(crate) struct Source {
    signed: AtomicU32,
    learnt: AtomicBool,
    /// It has signed what need not be signed.
    signs: AtomicBool,
    last: LastSigned,
    unsigned: AtomicU64,
    refused: AtomicU64,
    warned_s: AtomicI64,
}

impl Source {
    /// Signed requests in a row.
    pub(crate) fn signed(&self) -> u32 {
        self.signed.load(Ordering::Relaxed)
    }

    /// Whether it was learnt that it signs.
    pub(crate) fn learnt(&self) -> bool {
        self.learnt.load(Ordering::Relaxed)
    }

    /// Unsigned requests that passed.
    pub(crate) fn unsigned(&self) -> u64 {
        self.unsigned.load(Ordering::Relaxed)
    }

    /// Unsigned requests that were dropped.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// The NAS of the last signed request, in two words. Where two NAS of one address write at the
/// same time, the halves may be of both, which names no NAS, until the next one.
#[derive(Debug, Default)]
struct LastSigned([AtomicU64; 2]);

impl LastSigned {
    fn set(&self, nas: NasId) {
        let (high, low) = nas.0.as_u64_pair();
        for (half, new) in self.0.iter().zip([high, low]) {
            // Read first: a word that is only read is shared by all threads without a cost.
            if half.load(Ordering::Relaxed) != new {
                half.store(new, Ordering::Relaxed);
            }
        }
    }

    fn get(&self) -> Option<NasId> {
        let [high, low] = self.0.each_ref().map(|half| half.load(Ordering::Relaxed));
        let nas = NasId(uuid::Uuid::from_u64_pair(high, low));
        (nas != NasId::NONE).then_some(nas)
    }
}

/// A request, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) source: IpAddr,
    pub(crate) nas: NasId,
    pub(crate) signed: bool,
    /// It had to be signed, so that it shows nothing about the others.
    pub(crate) must: bool,
    pub(crate) at: Ts,
}

/// What a packet thread tells the keeper.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Notice {
    /// An address was heard of for the first time.
    New(Key),
    /// A NAS has signed often enough.
    Learnt { key: Key, nas: NasId, at: Ts },
    /// An unsigned request passed.
    Unsigned { key: Key, nas: NasId },
}

/// What is known of all source addresses.
#[derive(Default)]
pub(crate) struct Sources(ArcSwap<FxHashMap<Key, Arc<Source>>>);

impl Sources {
    /// Whether a proven request may pass. `mode_of` is the mode of a NAS behind this client.
    pub(crate) fn passes(
        &self,
        client: &ClientEntry,
        mode_of: impl Fn(NasId) -> Signing,
        asked: &Asked,
        notices: &mpsc::Sender<Notice>,
    ) -> bool {
        let key = (client.id, asked.source);
        let mode = mode_of(asked.nas);
        let sources = self.0.load();
        let Some(source) = sources.get(&key) else {
            // Anybody can forge an unsigned request from any address of a prefix.
            if asked.signed || client.is_host() {
                let _ = notices.try_send(Notice::New(key));
            }
            if !asked.signed {
                counter_of(mode == Signing::Require).increment(1);
            }
            return asked.signed || mode != Signing::Require;
        };
        if asked.signed {
            source.last.set(asked.nas);
            if !asked.must && !source.signs.load(Ordering::Relaxed) {
                source.signs.store(true, Ordering::Relaxed);
            }
            if mode == Signing::Learn && !asked.must && !source.learnt() {
                let signed = source.signed.fetch_add(1, Ordering::Relaxed) + 1;
                if signed >= SIGNED_IN_A_ROW && !source.learnt.swap(true, Ordering::Relaxed) {
                    let nas = asked.nas;
                    let _ = notices.try_send(Notice::Learnt { key, nas, at: asked.at });
                }
            }
            return true;
        }
        // Whose request this is, it only says itself.
        let last = match client.nas {
            Some(_) => Some(mode),
            None => source.last.get().map(mode_of),
        };
        let required = mode == Signing::Require
            || last == Some(Signing::Require)
            || source.learnt() && last != Some(Signing::Warn);
        counter_of(required).increment(1);
        if required {
            source.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        source.signed.store(0, Ordering::Relaxed);
        source.unsigned.fetch_add(1, Ordering::Relaxed);
        let warned = source.warned_s.load(Ordering::Relaxed);
        let now = asked.at.seconds();
        if now - warned >= WARN_EVERY_S
            && source
                .warned_s
                .compare_exchange(warned, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            let _ = notices.try_send(Notice::Unsigned { key, nas: asked.nas });
        }
        true
    }

    /// Whether an address has signed a request that need not be: then an unsigned one may be
    /// anybody's.
    pub(crate) fn signs(&self, client: ClientId, source: IpAddr) -> bool {
        let sources = self.0.load();
        let source = sources.get(&(client, source));
        source.is_some_and(|source| source.learnt() || source.signs.load(Ordering::Relaxed))
    }

    /// All addresses of a client.
    pub(crate) fn of(&self, client: ClientId) -> Vec<(IpAddr, Arc<Source>)> {
        let sources = self.0.load();
        let own = sources.iter().filter(|((id, _), _)| *id == client);
        own.map(|((_, address), source)| (*address, source.clone())).collect()
    }

    fn edit(&self, edit: impl FnOnce(&mut FxHashMap<Key, Arc<Source>>)) {
        let mut sources = FxHashMap::clone(&self.0.load());
        edit(&mut sources);
        self.0.store(Arc::new(sources));
    }

    fn learnt(&self) -> Vec<Key> {
        let sources = self.0.load();
        let mut learnt: Vec<Key> =
            sources.iter().filter(|(_, source)| source.learnt()).map(|(key, _)| *key).collect();
        learnt.sort_unstable();
        learnt
    }
}

fn counter_of(dropped: bool) -> metrics::Counter {
    counter!("aaad_unsigned_total", "outcome" => if dropped { "dropped" } else { "passed" })
}

/// Keeps what was learnt, and reports it.
pub(crate) struct Keeper {
    pub(crate) cache: Arc<Cache>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) notices: mpsc::Receiver<Notice>,
    pub(crate) events: mpsc::Sender<NetworkEvent>,
    pub(crate) file: PathBuf,
    pub(crate) stop: Shutdown,
}

impl Keeper {
    /// Keeps until stopped.
    pub(crate) async fn run(mut self) -> Result<(), std::convert::Infallible> {
        let mut compare = tokio::time::interval(COMPARE_EVERY);
        let mut kept = self.sources.learnt();
        loop {
            tokio::select! {
                notice = self.notices.recv() => match notice {
                    Some(notice) => self.take(notice),
                    None => {
                        self.stop.soft().await;
                        return Ok(());
                    }
                },
                _ = compare.tick() => self.compare(),
                () = self.stop.soft() => return Ok(()),
            }
            let learnt = self.sources.learnt();
            if learnt != kept {
                match write(&self.file, &learnt) {
                    Ok(()) => kept = learnt,
                    Err(error) => {
                        warn!(error = %chain(&error), "what was learnt of NAS that sign their requests is not kept")
                    }
                }
            }
        }
    }

    fn take(&self, notice: Notice) {
        match notice {
            Notice::New(key) => {
                let full = self.sources.0.load().len() >= SOURCES_MAX;
                if full {
                    counter!("aaad_signing_sources_refused_total").increment(1);
                } else {
                    self.sources.edit(|sources| {
                        sources.entry(key).or_default();
                    });
                }
            }
            Notice::Learnt { key: (client, source), nas, at } => {
                info!(%nas, %source, "a NAS signs its requests: unsigned ones are dropped from now on");
                let event =
                    NetworkEvent::SigningRequired { format: FORMAT, at, client, nas, source };
                if self.events.try_send(event).is_err() {
                    counter!("aaad_events_lost_total").increment(1);
                }
            }
            Notice::Unsigned { key: (_, source), nas } => {
                let clients = self.cache.clients();
                let name = clients.nas(nas).map_or("?", |nas| nas.name.as_str());
                warn!(nas = name, %source, "Access-Requests come without Message-Authenticator (CVE-2024-3596): update the NAS, or turn signing on there");
            }
        }
    }

    /// Forgets what billing has decided about, and clients that are gone.
    fn compare(&self) {
        let clients = self.cache.clients();
        let whole = self.cache.is_whole();
        let stays = |(client, _): &Key| match clients.client(*client) {
            Some(client) => client.signing == Signing::Learn,
            None => !whole,
        };
        if !self.sources.learnt().iter().all(stays) {
            self.sources.edit(|sources| {
                sources.retain(|key, source| !source.learnt() || stays(key));
            });
        }
    }
}

/// Reads what was learnt. A file that cannot be read costs a hundred requests a NAS.
pub(crate) fn restore(file: &std::path::Path) -> Sources {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            warn!(error = %chain(&error), "what was learnt of NAS that sign their requests cannot be read");
            String::new()
        }
    };
    let key = |line: &str| -> Option<Key> {
        let (client, source) = line.split_once(' ')?;
        Some((client.parse().ok()?, source.parse().ok()?))
    };
    let learnt = || Arc::new(Source { learnt: AtomicBool::new(true), ..Source::default() });
    let known = text.lines().filter_map(key).take(SOURCES_MAX).map(|key| (key, learnt()));
    Sources(ArcSwap::from_pointee(known.collect()))
}

fn write(file: &std::path::Path, learnt: &[Key]) -> io::Result<()> {
    let beside = file.with_extension("new");
    let mut out = fs::File::create(&beside)?;
    for (client, source) in learnt {
        writeln!(out, "{client} {source}")?;
    }
    out.sync_all()?;
    fs::rename(&beside, file)
}

#[cfg(test)]
impl Sources {
    /// Sources of which one address is known, and nothing of it.
    pub(crate) fn knowing(client: ClientId, source: IpAddr) -> Self {
        let sources = Self::default();
        sources.edit(|known| {
            known.insert((client, source), Arc::default());
        });
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::ClientTable;
    use daemon::secrets::Keyring;
    use model::OrganisationId;
    use model::nas::{Client, Vendor};
    use model::policy::{Body, Change, Key as Record};

    /// A client of many addresses.
    fn prefix() -> (Arc<ClientEntry>, ClientId) {
        let (keyring, id) = (Keyring::ephemeral(), ClientId::generate());
        let body = Body::Client(Client {
            id,
            organisation: OrganisationId::NONE,
            source: "192.0.2.0/24".parse().unwrap(),
            secret: keyring.seal(&id.to_string(), b"testing123").unwrap(),
            previous_secret: None,
            nas: None,
            vendor: Vendor::Generic,
            signing: Signing::Learn,
        });
        let (format, key) = (model::policy::FORMAT, Record::Client(id));
        let change = Change { format, epoch: 1, revision: 1, after: 0, key, body: Some(body) };
        let mut table = ClientTable::default();
        table.apply(&change, &keyring);
        (table.client(id).unwrap().clone(), id)
    }

    #[test]
    fn a_name_that_anybody_can_write_chooses_no_milder_mode() {
        let (strict, mild) = (NasId::generate(), NasId::generate());
        let (client, id) = prefix();
        let mode_of = |nas| match nas {
            nas if nas == strict => Signing::Require,
            nas if nas == mild => Signing::Warn,
            _ => Signing::Learn,
        };
        let source = IpAddr::from([192, 0, 2, 7]);
        let (notices, _kept) = mpsc::channel(16);
        let sources = Sources::knowing(id, source);
        let passes = |nas, signed| {
            let asked = Asked { source, nas, signed, must: false, at: Ts::from_seconds(1) };
            sources.passes(&client, mode_of, &asked, &notices)
        };
        let other = NasId::generate();
        assert!(passes(mild, false) && passes(other, false), "nobody has signed yet");
        assert!(!passes(strict, false));
        assert!(passes(strict, true));
        for nas in [strict, mild, other] {
            assert!(!passes(nas, false), "{nas}");
        }
        // One that is learning, and has learnt.
        for _ in 0..SIGNED_IN_A_ROW {
            assert!(passes(other, true));
        }
        assert!(!passes(other, false) && !passes(mild, false));
        // One that is to be let in unsigned, and proves that it is the one.
        assert!(passes(mild, true));
        assert!(passes(mild, false) && passes(other, false) && !passes(strict, false));
    }

    #[test]
    fn what_was_learnt_is_read_back() {
        let file = std::env::temp_dir().join(format!("signing-{}", uuid::Uuid::now_v7()));
        let known = (ClientId::generate(), IpAddr::from([192, 0, 2, 1]));
        let other = (ClientId::generate(), "2001:db8::1".parse().unwrap());
        let mut both = vec![known, other];
        both.sort_unstable();
        write(&file, &both).unwrap();
        let sources = restore(&file);
        assert_eq!(sources.learnt(), both);
        assert!(sources.of(known.0)[0].1.learnt());
        std::fs::write(&file, "nonsense\n\n").unwrap();
        assert!(restore(&file).learnt().is_empty());
        std::fs::remove_file(&file).unwrap();
        assert!(restore(&file).learnt().is_empty());
    }
}
