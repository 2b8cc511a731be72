//! What the tests share: records as a NAS would cause them, and a bench to apply them on.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Entry, Follower, Position};
use bytes::Bytes;
use daemon::health::Health;
use daemon::lifecycle::{Shutdown, Trigger};
use jiff::tz::TimeZone;
use model::accounting::{self, ACKS, Ack, Record, Shipped};
use model::nas::Ipv6Counters;
use model::{
    ClientId, Clock, CustomerId, ManualClock, NasId, OrganisationId, PlanVersionId, ServiceId, Ts,
};
use radius_wire::attr;
use radius_wire::write::push;
use store::testing::TestDb;
use store::{Args, Db};
use uuid::Uuid;

use crate::batch::{self, Outcome, Scope};
use crate::state::State;
use crate::store::MIGRATIONS;
use crate::sweep::Sweeper;
use crate::usage::keep::Kept;
use crate::worker::Worker;

/// Where the tests' seconds count from.
const EPOCH_S: i64 = 1_772_323_200;

/// A NAS by its number.
pub(crate) fn nas(number: u128) -> NasId {
    NasId(Uuid::from_u128(number))
}

/// An organisation by its number; 0 is none.
pub(crate) fn organisation(number: u128) -> OrganisationId {
    OrganisationId(Uuid::from_u128(number))
}

/// One accounting request as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) received_s: i64,
    pub(crate) nas: u128,
    organisation: u128,
    policy_hash: u64,
    attributes: Vec<u8>,
}

impl Said {
    /// The instant so many seconds into the test.
    pub(crate) fn time(second: i64) -> Ts {
        Ts::from_seconds(EPOCH_S + second)
    }

    fn new(status: u32, received_s: i64) -> Self {
        let said = Self {
            received_s,
            nas: 1,
            organisation: 1,
            policy_hash: 0xfeed_0000_0000_0001,
            attributes: Vec::new(),
        };
        said.put(attr::ACCT_STATUS_TYPE, &status.to_be_bytes())
    }

    fn of(status: u32, id: &str, received_s: i64) -> Self {
        let said = Self::new(status, received_s);
        if id.is_empty() { said } else { said.put(attr::ACCT_SESSION_ID, id.as_bytes()) }
    }

    pub(crate) fn start(id: &str, received_s: i64) -> Self {
        Self::of(1, id, received_s)
    }

    pub(crate) fn interim(id: &str, received_s: i64, time_s: u32) -> Self {
        Self::of(3, id, received_s).put(attr::ACCT_SESSION_TIME, &time_s.to_be_bytes())
    }

    pub(crate) fn stop(id: &str, received_s: i64, time_s: u32) -> Self {
        Self::of(2, id, received_s).put(attr::ACCT_SESSION_TIME, &time_s.to_be_bytes())
    }

    /// Accounting-On.
    pub(crate) fn on(received_s: i64) -> Self {
        Self::new(7, received_s)
    }

    pub(crate) fn status(status: u32, received_s: i64) -> Self {
        Self::new(status, received_s)
    }

    pub(crate) fn put(mut self, kind: u8, value: &[u8]) -> Self {
        push(&mut self.attributes, kind, value).unwrap();
        self
    }

    pub(crate) fn login(self, login: &str) -> Self {
        self.put(attr::USER_NAME, login.as_bytes())
    }

    /// Download and upload.
    pub(crate) fn octets(self, download: u64, upload: u64) -> Self {
        let [low, high] =
            [|n: u64| (n as u32).to_be_bytes(), |n: u64| ((n >> 32) as u32).to_be_bytes()];
        self.put(attr::ACCT_OUTPUT_OCTETS, &low(download))
            .put(attr::ACCT_OUTPUT_GIGAWORDS, &high(download))
            .put(attr::ACCT_INPUT_OCTETS, &low(upload))
            .put(attr::ACCT_INPUT_GIGAWORDS, &high(upload))
    }

    pub(crate) fn ip(self, ip: [u8; 4]) -> Self {
        self.put(attr::FRAMED_IP_ADDRESS, &Ipv4Addr::from(ip).octets())
    }

    pub(crate) fn delay(self, seconds: u32) -> Self {
        self.put(attr::ACCT_DELAY_TIME, &seconds.to_be_bytes())
    }

    pub(crate) fn cause(self, cause: u32) -> Self {
        self.put(attr::ACCT_TERMINATE_CAUSE, &cause.to_be_bytes())
    }

    pub(crate) fn nas(self, nas: u128) -> Self {
        Self { nas, ..self }
    }

    /// Whose it is; 0: `aaad` did not know.
    pub(crate) fn organisation(self, organisation: u128) -> Self {
        Self { organisation, ..self }
    }

    /// The encoded record.
    pub(crate) fn record(&self) -> Vec<u8> {
        let owner = |offset| match self.organisation {
            0 => Uuid::nil(),
            number => Uuid::from_u128(number + offset),
        };
        let record = Record {
            received: Self::time(self.received_s),
            client: ClientId(Uuid::from_u128(7)),
            nas: nas(self.nas),
            organisation: OrganisationId(owner(0)),
            customer: CustomerId(owner(1000)),
            service: ServiceId(owner(2000)),
            plan_version: PlanVersionId(owner(3000)),
            ipv6_counters: Ipv6Counters::Included,
            policy_hash: if self.organisation == 0 { 0 } else { self.policy_hash },
            source: IpAddr::from([192, 0, 2, 1]),
            attributes: &self.attributes,
        };
        let mut out = Vec::new();
        record.encode(&mut out);
        out
    }

    /// The record with its place in a journal, as it travels; it claims nothing.
    pub(crate) fn shipped(&self, incarnation: u128, sequence: u64) -> Bytes {
        self.shipped_after(incarnation, sequence, 0)
    }

    /// The same, and the one before it.
    pub(crate) fn shipped_after(&self, incarnation: u128, sequence: u64, previous: u64) -> Bytes {
        Shipped { incarnation, sequence, previous, record: &self.record() }.encode().into()
    }
}

/// A database, a bus and a clock.
pub(crate) struct Bench {
    pub(crate) test: TestDb,
    pub(crate) bus: Bus,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) health: Health,
    pub(crate) state: Arc<State>,
    pub(crate) trigger: Trigger,
    pub(crate) stop: Shutdown,
    /// The last sequence of journal 1 that [`Bench::apply`] gave out.
    sequence: u64,
}

impl Bench {
    /// One on each engine.
    pub(crate) async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for test in store::testing::engines("network").await {
            test.db.migrate(&MIGRATIONS).await.unwrap();
            let health = Health::new();
            let (trigger, stop) = Shutdown::new();
            all.push(Self {
                test,
                bus: Bus::local(),
                clock: Arc::new(ManualClock::at(Said::time(1_000_000))),
                state: Arc::new(State::new(&health)),
                health,
                trigger,
                stop,
                sequence: 0,
            });
        }
        all
    }

    pub(crate) fn db(&self) -> &Db {
        &self.test.db
    }

    pub(crate) fn worker(&self, owner: &str) -> Worker {
        Worker {
            partition: 0,
            owner: owner.to_owned(),
            lease_ttl: Duration::from_millis(300),
            batch_max: 7,
            fold_case: true,
            lost_after_s: 600,
            zone: TimeZone::UTC,
            bus: self.bus.clone(),
            db: self.db().clone(),
            clock: self.clock.clone(),
            state: self.state.clone(),
            stop: self.stop.clone(),
        }
    }

    pub(crate) fn sweeper(&self) -> Sweeper {
        Sweeper {
            bus: self.bus.clone(),
            db: self.db().clone(),
            clock: self.clock.clone(),
            state: self.state.clone(),
            kept: Kept { deltas: 14, hours: 90, days: 1000, sessions: 365, auth_log: 90 },
            zone: TimeZone::UTC,
            stop: self.stop.clone(),
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope { partition: 0, fold_case: true, hour_shift_s: 0, now: self.clock.now() }
    }

    /// Applies records as one batch of partition 0, under new sequences of journal 1.
    pub(crate) async fn apply(&mut self, said: &[Said]) -> Outcome {
        let mut entries = Vec::new();
        for said in said {
            self.sequence += 1;
            entries.push(entry(said.shipped(1, self.sequence)));
        }
        batch::apply(self.db(), self.scope(), &entries).await.unwrap()
    }

    /// Applies records one by one.
    pub(crate) async fn apply_each(&mut self, said: &[Said]) {
        for said in said {
            self.apply(std::slice::from_ref(said)).await;
        }
    }

    /// Puts records on the stream of partition 0, journal 1, from this sequence on; each names
    /// the one before it.
    pub(crate) async fn publish(&self, first: u64, said: &[Said]) {
        let bodies: Vec<Bytes> =
            (first..).zip(said).map(|(n, said)| said.shipped_after(1, n, n - 1)).collect();
        self.bus.append(&accounting::stream(0), &bodies).await.unwrap();
    }

    /// Waits until journal 1 is acknowledged up to here on partition 0.
    pub(crate) async fn until_acknowledged(&self, acks: &mut Follower, sequence: u64) {
        until_acknowledged(&self.bus, acks, sequence).await;
    }

    /// A reader of the acknowledgements from now on.
    pub(crate) async fn acks(&self) -> Follower {
        let end = self.bus.end(ACKS).await.unwrap();
        Follower::resume(ACKS, end, None)
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) AS n FROM {table}");
        self.db().dynamic_all(&sql, Args::new()).await.unwrap()[0].get("n").unwrap()
    }

    /// Every session but for its id, as text, in the order of keys and beginnings.
    pub(crate) async fn sessions(&self) -> Vec<Row> {
        let sql = "SELECT * FROM session ORDER BY nas_id, acct_session_id, started_at";
        let rows = self.db().dynamic_all(sql, Args::new()).await.unwrap();
        rows.iter().map(Row::of).collect()
    }

    /// Traffic by organisation: download, upload, sessions.
    pub(crate) async fn traffic(&self) -> Vec<(OrganisationId, u64, u64, u64)> {
        let sql = "SELECT organisation_id, CAST(sum(download_octets) AS BIGINT) AS download,
                CAST(sum(upload_octets) AS BIGINT) AS upload,
                CAST(sum(sessions_started) AS BIGINT) AS sessions
            FROM traffic_minute GROUP BY organisation_id ORDER BY organisation_id";
        let rows = self.db().dynamic_all(sql, Args::new()).await.unwrap();
        rows.iter()
            .map(|row| {
                let get = |name| row.get(name).unwrap();
                let organisation = row.get("organisation_id").unwrap();
                (organisation, get("download"), get("upload"), get("sessions"))
            })
            .collect()
    }
}

/// Waits until journal 1 is acknowledged up to here on partition 0.
pub(crate) async fn until_acknowledged(bus: &Bus, acks: &mut Follower, sequence: u64) {
    let wait = async {
        loop {
            let batch = acks.next(bus, 1, Duration::from_secs(10)).await.unwrap();
            for entry in batch.entries {
                let ack: Ack = serde_json::from_slice(&entry.body).unwrap();
                assert_eq!((ack.format, ack.partition), (accounting::FORMAT, 0));
                assert_eq!(u128::from_str_radix(&ack.incarnation, 16), Ok(1));
                if !ack.missing && ack.sequence >= sequence {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("an acknowledgement");
}

/// A session's row, but for its id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) key: (NasId, String),
    pub(crate) owner: [Option<Uuid>; 4],
    pub(crate) login: (String, String),
    pub(crate) line: (Option<String>, Option<String>),
    pub(crate) ip: Option<IpAddr>,
    pub(crate) policy_hash: u64,
    /// Seconds into the test.
    pub(crate) started_s: i64,
    pub(crate) start: (bool, Ts),
    pub(crate) updated_s: i64,
    pub(crate) session_time_s: u32,
    pub(crate) ended_s: Option<i64>,
    pub(crate) cause: Option<String>,
    pub(crate) octets: (u64, u64),
    pub(crate) flagged: bool,
}

impl Row {
    fn of(row: &store::Row) -> Self {
        let seconds = |ts: Ts| ts.seconds() - EPOCH_S;
        let owner = ["organisation_id", "customer_id", "service_id", "plan_version_id"];
        Self {
            key: (row.get("nas_id").unwrap(), row.get("acct_session_id").unwrap()),
            owner: owner.map(|column| row.get(column).unwrap()),
            login: (row.get("login").unwrap(), row.get("login_key").unwrap()),
            line: (row.get("calling_station").unwrap(), row.get("nas_port_id").unwrap()),
            ip: row.get("ip").unwrap(),
            policy_hash: row.get::<i64>("policy_hash").unwrap().cast_unsigned(),
            started_s: seconds(row.get("started_at").unwrap()),
            start: (row.get("start_reported").unwrap(), row.get("start_from").unwrap()),
            updated_s: seconds(row.get("updated_at").unwrap()),
            session_time_s: row.get("session_time_s").unwrap(),
            ended_s: row.get::<Option<Ts>>("ended_at").unwrap().map(seconds),
            cause: row.get("end_cause").unwrap(),
            octets: (row.get("download_octets").unwrap(), row.get("upload_octets").unwrap()),
            flagged: row.get("counters_flagged").unwrap(),
        }
    }

    /// When it ended and why.
    pub(crate) fn end(&self) -> Option<(i64, &str)> {
        self.ended_s.zip(self.cause.as_deref())
    }
}

/// A body as an entry, for what is applied without a bus.
pub(crate) fn entry(body: Bytes) -> Entry {
    Entry { position: Position::START, body }
}

/// Random numbers that are the same every time (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
