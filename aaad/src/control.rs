//! What `netctl` may ask over the control socket.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daemon::control::{Answering, ControlError, Handler, parse_args};
use daemon::health::Health;
use model::control::{
    AuthLog, AuthLogEntry, AuthLogQuery, Block, BlockLift, Blocks as BlockListing, CoaReport,
    DisconnectQuery, Disconnected, ExplainQuery, Fact, LiveSession, NasListing, NasState,
    PoolHolder, PoolHolders, PoolListing, PoolState, PoolWhoQuery, Sessions as Listing,
    SessionsQuery, Status, UnknownListing,
};
use model::identity::{IdentityKind, MacAddress, login_key};
use model::nas::{SIGNED_IN_A_ROW, Signing, Vendor};
use model::pool::{Holder, Part};
use model::reject::RejectReason;
use model::{Clock, NasId, Ts};
use radius_wire::write::push;
use radius_wire::{Attributes, attr};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::auth_log::{self, Line, Tail};
use crate::blocks::Blocks;
use crate::cache::ClientEntry;
use crate::coa::{BlastRadius, Nudge};
use crate::engine::Engine;
use crate::follower::FollowerState;
use crate::listener::Positions;
use crate::sessions::{Session, Sessions};
use crate::signing::{Source, Sources};
use crate::strangers::{self, Strangers};

/// Sessions listed unless the caller asks for another number.
const LIST_DEFAULT: usize = 1000;
/// Logins listed unless the caller asks for another number.
const AUTH_LOG_DEFAULT: usize = 100;
/// How long a Disconnect by an operator is waited for.
const DISCONNECT_WAIT: Duration = Duration::from_secs(20);
/// Sessions one operator call disconnects at most.
const DISCONNECT_MAX: usize = 1000;

/// Everything the calls look at.
pub(crate) struct Control {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sessions: Arc<Mutex<Sessions>>,
    pub(crate) coa: mpsc::Sender<Nudge>,
    pub(crate) blast: Arc<Mutex<BlastRadius>>,
    pub(crate) journal: journal::Handle,
    pub(crate) positions: Arc<Positions>,
    pub(crate) follower: Arc<FollowerState>,
    pub(crate) health: Health,
    pub(crate) bus: bus::Bus,
    pub(crate) started: Ts,
    pub(crate) listening: String,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) tails: Vec<Tail>,
    pub(crate) strangers: Vec<Strangers>,
}

impl Handler for Control {
    fn call(&self, call: &str, args: Value) -> Answering<'_> {
        let call = call.to_owned();
        Box::pin(async move {
            match call.as_str() {
                "status" => answer(&self.status()),
                "sessions" => answer(&self.list(&parse_args(args)?)),
                "explain" => answer(&self.explain(&parse_args(args)?)?),
                "disconnect" => answer(&self.disconnect(parse_args(args)?).await?),
                "nas" => answer(&self.nas()),
                "nas_unknown" => {
                    answer(&UnknownListing { senders: strangers::list(&self.strangers) })
                }
                "auth_log" => answer(&self.auth_log(&parse_args(args)?)?),
                "blocks" => answer(&self.list_blocks()),
                "pools" => answer(&self.pools()),
                "pool_who" => answer(&self.pool_who(&parse_args(args)?)?),
                "block_lift" => answer(&self.lift(&parse_args(args)?)),
                "coa_release" => answer(&self.release()),
                "policy_accept" => answer(&self.follower.accept()),
                _ => Err(ControlError::UnknownCall(call)),
            }
        })
    }
}

fn answer(value: &impl serde::Serialize) -> Result<Value, ControlError> {
    serde_json::to_value(value).map_err(|error| ControlError::failed(&error))
}

impl Control {
    fn status(&self) -> Status {
        let usage = self.journal.status();
        let acknowledged = self.positions.acknowledged.load(Ordering::Relaxed);
        let waiting = usage.last_sequence.saturating_sub(acknowledged);
        let failing = self.positions.journal_failing.load(Ordering::Relaxed);
        let extent = self.engine.cache.extent();
        let clients = self.engine.cache.clients();
        let live = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).len();
        let percent = usage.octets * 100 / usage.octets_max.max(1);
        let mut facts = vec![
            Fact::good("listening", self.listening.clone()),
            Fact::warn_unless(
                clients.client_count() > 0,
                "RADIUS clients",
                format!("{}, {} NAS", clients.client_count(), clients.nas_count()),
            ),
            Fact::warn_unless(
                extent.count > 0,
                "policy",
                format!(
                    "{} records, epoch {:x}, revision {}",
                    extent.count, extent.epoch, extent.revision
                ),
            ),
            Fact::good("live sessions", live.to_string()),
            Fact::warn_unless(
                !failing && percent < 80,
                "journal",
                format!(
                    "{} of {} ({percent} %), {waiting} records to ship{}",
                    model::units::ShowOctets(usage.octets),
                    model::units::ShowOctets(usage.octets_max),
                    if failing { ", TAKES NO RECORDS" } else { "" }
                ),
            ),
            Fact::warn_unless(self.health.not_ready().is_empty(), "bus", self.bus.describe()),
        ];
        if self.blast.lock().unwrap_or_else(PoisonError::into_inner).is_held() {
            facts.push(Fact::warn_unless(
                false,
                "disconnects held",
                "policy would take too many sessions offline: netctl coa release",
            ));
        }
        if let Some(mark) = self.follower.refused() {
            facts.push(Fact::warn_unless(
                false,
                "snapshot refused",
                format!(
                    "{} records at revision {}: netctl policy accept",
                    mark.count, mark.revision
                ),
            ));
        }
        Status {
            program: "aaad".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            ready: self.health.is_ready(),
            facts,
        }
    }

    /// Every NAS that is registered or was heard of, and how each signs.
    fn nas(&self) -> NasListing {
        let clients = self.engine.cache.clients();
        let mut listed = Vec::new();
        for client in clients.all() {
            let state = |source: String, known: Option<&Source>| {
                let nas = client.nas.and_then(|id| clients.nas(id));
                let learnt = known.is_some_and(Source::learnt);
                let mode = client.signing;
                NasState {
                    nas: client.nas,
                    name: nas.map_or_else(String::new, |nas| nas.name.clone()),
                    source,
                    vendor: nas.map_or(client.vendor, |nas| nas.vendor).as_str().to_owned(),
                    mode,
                    required: mode == Signing::Require || mode == Signing::Learn && learnt,
                    signed: known.map_or(0, |known| known.signed().min(SIGNED_IN_A_ROW)),
                    unsigned: known.map_or(0, Source::unsigned),
                    refused: known.map_or(0, Source::refused),
                }
            };
            let sources = self.sources.of(client.id);
            if client.is_host() {
                let known = sources.iter().find(|(address, _)| *address == client.source.ip());
                listed.push(state(source_of(client), known.map(|(_, known)| known.as_ref())));
            } else {
                listed.push(state(source_of(client), None));
                let inside = sources.iter();
                listed.extend(inside.map(|(ip, known)| state(ip.to_string(), Some(known))));
            }
        }
        listed.sort_by(|a, b| (&a.name, &a.source).cmp(&(&b.name, &b.source)));
        NasListing { nas: listed }
    }

    /// The last logins, let in or refused.
    fn auth_log(&self, query: &AuthLogQuery) -> Result<AuthLog, ControlError> {
        let clients = self.engine.cache.clients();
        let login = query.login.as_ref().map(|login| self.key_of(login));
        let nas: Option<NasId> = match query.nas.as_deref() {
            None => None,
            Some(text) => {
                let found = clients.find_nas(text).map(|nas| nas.id);
                let none = || ControlError::BadArgs(format!("nas: no NAS \"{text}\""));
                Some(found.ok_or_else(none)?)
            }
        };
        let reason = match query.reason.as_deref() {
            None => None,
            Some("accepted") => Some(None),
            Some(word) => {
                let none = || ControlError::BadArgs(format!("reason: there is no \"{word}\""));
                Some(Some(RejectReason::from_word(word).ok_or_else(none)?))
            }
        };
        let fold_case = self.engine.fold_case;
        let matches = |line: &Line| {
            let same_login = |key: &Vec<u8>| {
                let mut own = Vec::new();
                login_key(line.login.as_bytes(), fold_case, &mut own);
                own == *key
            };
            nas.is_none_or(|nas| nas == line.nas)
                && reason.is_none_or(|reason| reason == line.reason)
                && login.as_ref().is_none_or(same_login)
        };
        let limit = query.limit.unwrap_or(AUTH_LOG_DEFAULT);
        let after = query.after.unwrap_or(0);
        let (newest, lines) = auth_log::newest(&self.tails, after, limit, matches);
        let entries = lines.iter().map(|(number, line)| AuthLogEntry {
            number: *number,
            at: line.at,
            login: line.login.to_string(),
            station: line.station.to_string(),
            nas_name: clients.nas(line.nas).map_or_else(String::new, |nas| nas.name.clone()),
            reason: line.reason,
        });
        Ok(AuthLog { newest, entries: entries.collect() })
    }

    /// How full each part of each pool is.
    fn pools(&self) -> PoolListing {
        let mut pools = Vec::new();
        for entry in self.engine.pools.all() {
            for part in Part::ALL {
                let Some(usage) = entry.usage(part) else { continue };
                let name = entry.pool.name.clone();
                pools.push(PoolState { pool: entry.pool.id, name, part, usage });
            }
        }
        PoolListing { pools }
    }

    /// Who has an address, or what the service of a login has.
    fn pool_who(&self, query: &PoolWhoQuery) -> Result<PoolHolders, ControlError> {
        let holders = match (query.address, &query.login) {
            (Some(address), None) => self.engine.pools.who(address),
            (None, Some(login)) => {
                let key = self.key_of(login);
                let subscribers = self.engine.cache.subscribers();
                let found = subscribers.identify(IdentityKind::Login, &key);
                let none = || ControlError::BadArgs(format!("login: no login \"{login}\""));
                self.engine.pools.of_service(found.ok_or_else(none)?.service())
            }
            _ => return Err(ControlError::BadArgs("give an address or a login".to_owned())),
        };
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let login = |holder: &Holder| {
            let session = sessions.of_service(holder.service?).next()?;
            Some(String::from_utf8_lossy(&session.user_name).into_owned())
        };
        let shown = |holder: Holder| PoolHolder { login: login(&holder), holder };
        Ok(PoolHolders { holders: holders.into_iter().map(shown).collect() })
    }

    fn list_blocks(&self) -> BlockListing {
        let clients = self.engine.cache.clients();
        let blocks = self.blocks.list(self.clock.now()).into_iter().map(|block| Block {
            login: block.login.to_string(),
            station: block.station.to_string(),
            nas_name: clients.nas(block.nas).map_or_else(String::new, |nas| nas.name.clone()),
            failures: block.failures,
            since: block.since,
            until: block.until,
        });
        BlockListing { blocks: blocks.collect() }
    }

    fn lift(&self, query: &BlockLift) -> usize {
        let station = query.station.as_deref().map(str::as_bytes);
        self.blocks.lift(query.login.as_bytes(), station)
    }

    /// Lets held Disconnects go; false where none are held.
    fn release(&self) -> bool {
        let mut blast = self.blast.lock().unwrap_or_else(PoisonError::into_inner);
        let released = blast.release(std::time::Instant::now());
        if released {
            // Full: the sweep finds them within a minute.
            let _ = self.coa.try_send(Nudge::Everything);
        }
        released
    }

    fn list(&self, query: &SessionsQuery) -> Listing {
        let clients = self.engine.cache.clients();
        let login = query.login.as_ref().map(|login| self.key_of(login));
        let nas = query.nas.as_deref().map(|nas| clients.find_nas(nas).map(|nas| nas.id));
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let of_nas = |session: &&Session| nas.is_none_or(|nas| nas == Some(session.key.nas));
        let mut found: Vec<&Session> = match &login {
            Some(key) => sessions.of_login(key).filter(of_nas).collect(),
            None => sessions.iter().filter(of_nas).collect(),
        };
        found.sort_unstable_by_key(|session| std::cmp::Reverse(session.started));
        let total = found.len();
        found.truncate(query.limit.unwrap_or(LIST_DEFAULT));
        let shown = found.into_iter().map(|session| {
            let name = clients.nas(session.key.nas).map_or("", |nas| nas.name.as_str());
            show(session, name)
        });
        Listing { total, sessions: shown.collect() }
    }

    fn key_of(&self, login: &str) -> Vec<u8> {
        let mut key = Vec::new();
        login_key(login.as_bytes(), self.engine.fold_case, &mut key);
        key
    }

    fn explain(&self, query: &ExplainQuery) -> Result<model::control::Explanation, ControlError> {
        let (nas, vendor) = match &query.nas {
            None => (None, Vendor::Mikrotik),
            Some(nas) => {
                let clients = self.engine.cache.clients();
                let found = clients.find_nas(nas).map(|nas| (Some(nas.id), nas.vendor));
                found.ok_or_else(|| ControlError::BadArgs(format!("nas: no NAS \"{nas}\"")))?
            }
        };
        let key = self.key_of(&query.login);
        let live = {
            let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.of_login(&key).count()
        };
        let said = said(query)?;
        let said = Attributes::parse(&said)
            .map_err(|_| ControlError::BadArgs("with: too long for a packet".to_owned()))?;
        Ok(self.engine.explain(self.clock.now(), &query.login, (nas, vendor), said, live))
    }

    async fn disconnect(&self, query: DisconnectQuery) -> Result<Disconnected, ControlError> {
        let login = self.key_of(&query.login);
        let keys: Vec<_> = {
            let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.of_login(&login).take(DISCONNECT_MAX).map(|s| s.key.clone()).collect()
        };
        if keys.is_empty() {
            return Ok(Disconnected { sessions: Vec::new() });
        }
        let (results, mut reports) = mpsc::channel::<CoaReport>(keys.len());
        let count = keys.len();
        self.coa
            .try_send(Nudge::Disconnect(keys, results))
            .map_err(|_| ControlError::Failed("the CoA engine is busy, try again".to_owned()))?;
        let mut done = Vec::with_capacity(count);
        let deadline = tokio::time::Instant::now() + DISCONNECT_WAIT;
        // The channel closes when every result is in, or its session went meanwhile.
        while let Ok(Some(report)) = tokio::time::timeout_at(deadline, reports.recv()).await {
            done.push(report);
        }
        Ok(Disconnected { sessions: done })
    }
}

/// The attributes of a request that is only thought of.
fn said(query: &ExplainQuery) -> Result<Vec<u8>, ControlError> {
    let bad = |field: &str, problem: &dyn std::fmt::Display| {
        ControlError::BadArgs(format!("{field}: {problem}"))
    };
    let names = dialect::attributes::names();
    let mut octets = Vec::new();
    push(&mut octets, attr::USER_NAME, query.login.as_bytes()).map_err(|e| bad("login", &e))?;
    if let Some(mac) = &query.mac {
        mac.parse::<MacAddress>().map_err(|problem| bad("mac", &problem))?;
        push(&mut octets, attr::CALLING_STATION_ID, mac.as_bytes()).map_err(|e| bad("mac", &e))?;
    }
    for text in &query.with {
        let parsed = names.parse(text).map_err(|problem| bad("with", &problem))?;
        octets.extend(names.encode(&parsed).map_err(|problem| bad("with", &problem))?);
    }
    Ok(octets)
}

/// Where a client's packets come from: an address, or a prefix.
fn source_of(client: &ClientEntry) -> String {
    if client.is_host() { client.source.ip().to_string() } else { client.source.to_string() }
}

fn show(session: &Session, nas_name: &str) -> LiveSession {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    LiveSession {
        login: text(&session.user_name),
        nas: session.key.nas,
        nas_name: nas_name.to_owned(),
        acct_session_id: text(&session.key.acct_session_id),
        service: session.service.known(),
        customer: session.customer.known(),
        organisation: session.organisation.known(),
        calling_station: (!session.calling_station.is_empty())
            .then(|| text(&session.calling_station)),
        ip: session.ip,
        started: session.started,
        updated: session.updated,
        download_octets: session.download_octets,
        upload_octets: session.upload_octets,
        download_bps: session.download_bps,
        upload_bps: session.upload_bps,
        coa: session.coa.text.clone(),
    }
}
