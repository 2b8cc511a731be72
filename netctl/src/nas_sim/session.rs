//! The live sessions of a simulated NAS.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::rate::Rates;

/// A live session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Acct-Session-Id.
    pub id: String,
    /// User-Name.
    pub login: String,
    /// Calling-Station-Id.
    pub station: String,
    /// Framed-IP-Address.
    pub ip: Ipv4Addr,
    /// NAS-Port.
    pub port: u32,
    /// The Class attributes of the Access-Accept, to be returned as they are (RFC 2865 §5.25).
    pub class: Vec<Vec<u8>>,
    /// What it may use now.
    pub rates: Rates,
    /// Acct-Interim-Interval, where the server named one.
    pub interim: Option<Duration>,
    /// When it began.
    pub started: Instant,
    /// Octets to the subscriber.
    pub download_octets: u64,
    /// Octets from the subscriber.
    pub upload_octets: u64,
    /// CoA-Requests that changed it.
    pub changes: u32,
    pub(super) ended: watch::Sender<bool>,
}

/// Whoever logged in holds this end of the session.
#[derive(Debug, Clone)]
pub struct SessionHandle {
    /// Acct-Session-Id.
    pub id: String,
    ended: watch::Receiver<bool>,
}

impl SessionHandle {
    pub(super) fn of(session: &Session) -> Self {
        Self { id: session.id.clone(), ended: session.ended.subscribe() }
    }

    /// Waits until the session has ended, by whoever's hand.
    pub async fn ended(&mut self) {
        // The sender goes with the session, which is an end too.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }
}

/// What a CoA- or Disconnect-Request names a session by. All that is given must match.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    pub(super) id: Option<&'a [u8]>,
    pub(super) login: Option<&'a [u8]>,
    pub(super) station: Option<&'a [u8]>,
    pub(super) ip: Option<Ipv4Addr>,
}

impl Wanted<'_> {
    /// Whether nothing is named; that is not "all of them".
    pub(super) fn is_empty(&self) -> bool {
        self.id.is_none() && self.login.is_none() && self.station.is_none() && self.ip.is_none()
    }

    fn matches(&self, session: &Session) -> bool {
        self.id.is_none_or(|id| id == session.id.as_bytes())
            && self.login.is_none_or(|login| login == session.login.as_bytes())
            && self.station.is_none_or(|station| station == session.station.as_bytes())
            && self.ip.is_none_or(|ip| ip == session.ip)
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    sessions: HashMap<String, Session>,
    /// Ids are a chance of this start and a count, in hexadecimal as RouterOS writes them.
    start: u16,
    next: u32,
    pool: Ipv4Addr,
}

impl Table {
    pub(super) fn new(pool: Ipv4Addr) -> Self {
        let start = u16::from_le_bytes(daemon::secrets::random());
        Self { sessions: HashMap::new(), start, next: 1, pool }
    }

    /// The id of a session to come, and the port it will be on.
    pub(super) fn mint(&mut self) -> (String, u32) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        (format!("{:04x}{:06x}", self.start, number & 0xff_ffff), 15_728_640 + (number & 0xf_ffff))
    }

    /// A free address of the pool, the lowest; beyond 65536 sessions they repeat.
    pub(super) fn address(&self) -> Ipv4Addr {
        let taken: std::collections::HashSet<Ipv4Addr> =
            self.sessions.values().map(|session| session.ip).collect();
        let first = u32::from(self.pool);
        let mut candidates = (0..65_536).map(|n| Ipv4Addr::from(first.wrapping_add(n)));
        candidates.find(|address| !taken.contains(address)).unwrap_or(self.pool)
    }

    pub(super) fn insert(&mut self, session: Session) {
        self.sessions.insert(session.id.clone(), session);
    }

    pub(super) fn get(&self, id: &str) -> Option<&Session> {
        self.sessions.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Session> {
        self.sessions.get_mut(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// Takes a session out and tells its holder.
    pub(super) fn remove(&mut self, id: &str) -> Option<Session> {
        let session = self.sessions.remove(id)?;
        session.ended.send_replace(true);
        Some(session)
    }

    /// The ids of the sessions that match.
    pub(super) fn find(&self, wanted: &Wanted<'_>) -> Vec<String> {
        let found = self.iter().filter(|session| wanted.matches(session));
        found.map(|session| session.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(table: &mut Table, login: &str) -> Session {
        let (id, port) = table.mint();
        Session {
            id,
            login: login.to_owned(),
            station: "02:00:00:00:00:01".to_owned(),
            ip: table.address(),
            port,
            class: vec![],
            rates: Rates::default(),
            interim: None,
            started: Instant::now(),
            download_octets: 0,
            upload_octets: 0,
            changes: 0,
            ended: watch::Sender::new(false),
        }
    }

    #[tokio::test]
    async fn sessions_differ_in_id_and_address_and_tell_their_end() {
        let mut table = Table::new(Ipv4Addr::new(100, 64, 0, 10));
        let first = session(&mut table, "a");
        table.insert(first.clone());
        let second = session(&mut table, "b");
        assert_ne!(first.id, second.id);
        assert_eq!(second.ip, Ipv4Addr::new(100, 64, 0, 11));
        let mut handle = SessionHandle::of(&first);
        table.remove(&first.id);
        handle.ended().await;
        assert!(table.remove(&first.id).is_none());
    }

    #[test]
    fn everything_named_must_match() {
        let mut table = Table::new(Ipv4Addr::new(100, 64, 0, 10));
        for login in ["a", "a", "b"] {
            let session = session(&mut table, login);
            table.insert(session);
        }
        let found = |wanted: Wanted<'_>| table.find(&wanted).len();
        assert_eq!(found(Wanted { login: Some(b"a"), ..Wanted::default() }), 2);
        let ip = Some(Ipv4Addr::new(100, 64, 0, 12));
        assert_eq!(found(Wanted { login: Some(b"a"), ip, ..Wanted::default() }), 0);
        assert_eq!(found(Wanted { login: Some(b"b"), ip, ..Wanted::default() }), 1);
        assert!(Wanted::default().is_empty());
    }
}
