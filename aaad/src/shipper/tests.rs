use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use bus::Position;
use bytes::Bytes;
use journal::{Journal, Options};
use model::accounting::{Record, Shipped};
use model::{ClientId, CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts};
use uuid::Uuid;

use super::*;

/// A data directory that goes away with the test.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("lastmile-shipper-{}", Uuid::now_v7()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn journal(&self, name: &str) -> Journal {
        let options = Options {
            segment_octets: 1 << 20,
            octets_max: 16 << 20,
            reserve_octets: 0,
            keep_s: 3600,
        };
        Journal::open(&self.0.join(name), options).unwrap().0
    }

    fn cursor(&self) -> PathBuf {
        self.0.join("shipper.cursor")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A record of the session `id`; 7 is Accounting-On, 1 a Start.
fn record(status: u8, id: &str) -> Vec<u8> {
    let mut attributes = vec![40, 6, 0, 0, 0, status, 44, 2 + id.len() as u8];
    attributes.extend_from_slice(id.as_bytes());
    let record = Record {
        received: Ts(1_772_357_400_000_000),
        client: ClientId(Uuid::from_u128(1)),
        nas: NasId(Uuid::from_u128(2)),
        organisation: OrganisationId::NONE,
        customer: CustomerId::NONE,
        service: ServiceId::NONE,
        plan_version: PlanVersionId::NONE,
        policy_hash: 0,
        ipv6_counters: model::nas::Ipv6Counters::Included,
        source: IpAddr::from([192, 0, 2, 1]),
        attributes: &attributes,
    };
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

/// A session id of partition 0.
fn id() -> String {
    let nas = NasId(Uuid::from_u128(2));
    let mut ids = (0..).map(|n: u32| format!("s{n}"));
    ids.find(|id| accounting::partition(nas, id.as_bytes()) == 0).unwrap()
}

fn append(journal: &mut Journal, records: u64) {
    for _ in 0..records {
        journal.append(&record(1, &id())).unwrap();
    }
    journal.commit().unwrap();
}

/// A shipper that runs until this is stopped.
struct Running {
    bus: Bus,
    positions: Arc<Positions>,
    trigger: daemon::lifecycle::Trigger,
    task: tokio::task::JoinHandle<Result<(), Infallible>>,
    /// What was seen of each partition.
    seen: BTreeMap<u16, Position>,
}

impl Running {
    fn start(bus: &Bus, journal: &Journal, cursor: &Path) -> Self {
        let (trigger, stop) = Shutdown::new();
        let positions = Arc::new(Positions::default());
        let shipper = Shipper {
            bus: bus.clone(),
            journal: journal.handle(),
            incarnation: journal.incarnation(),
            positions: positions.clone(),
            cursor: cursor.to_owned(),
            stop,
        };
        let task = tokio::spawn(shipper.run());
        Self { bus: bus.clone(), positions, trigger, task, seen: BTreeMap::new() }
    }

    /// The next records of a partition: sequence and the one before it.
    async fn next(&mut self, partition: u16, count: usize) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        let stream = accounting::stream(partition);
        let after = self.seen.entry(partition).or_insert(Position::START);
        while all.len() < count {
            let wait = Duration::from_secs(20);
            let entries = self.bus.read(&stream, *after, count - all.len(), wait).await.unwrap();
            assert!(!entries.is_empty(), "partition {partition}: only {all:?} of {count}");
            for entry in entries {
                let shipped = Shipped::decode(&entry.body).unwrap();
                all.push((shipped.sequence, shipped.previous));
                *after = entry.position;
            }
        }
        all
    }

    async fn say(&self, journal: &Journal, partition: u16, sequence: u64, missing: bool) {
        let incarnation = format!("{:032x}", journal.incarnation());
        let ack = Ack { format: accounting::FORMAT, incarnation, partition, sequence, missing };
        let body = Bytes::from(serde_json::to_vec(&ack).unwrap());
        self.bus.append(ACKS, &[body]).await.unwrap();
    }

    async fn until_acknowledged(&self, sequence: u64) {
        let wait = async {
            while self.positions.acknowledged.load(Ordering::Relaxed) != sequence {
                // The position is a number in memory that tells nobody when it moves.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("an acknowledgement");
    }

    async fn stop(self) {
        self.trigger.soft();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn records_go_out_in_order_and_each_names_the_one_before_it_in_its_partition() {
    let (place, bus) = (Place::new(), Bus::local());
    let mut journal = place.journal("journal");
    append(&mut journal, 2);
    journal.append(&record(7, "")).unwrap();
    append(&mut journal, 1);
    let mut running = Running::start(&bus, &journal, &place.cursor());
    assert_eq!(running.next(0, 4).await, [(1, 0), (2, 1), (3, 2), (4, 3)]);
    for partition in 1..PARTITIONS {
        assert_eq!(running.next(partition, 1).await, [(3, 0)], "Accounting-On goes to all");
        running.say(&journal, partition, 3, false).await;
    }
    append(&mut journal, 1);
    assert_eq!(running.next(0, 1).await, [(5, 4)]);
    running.say(&journal, 0, 5, false).await;
    running.until_acknowledged(5).await;
    running.stop().await;
}

#[tokio::test]
async fn what_is_missing_is_sent_again_from_where_policyd_says() {
    let (place, bus) = (Place::new(), Bus::local());
    let mut journal = place.journal("journal");
    append(&mut journal, 6);
    let mut running = Running::start(&bus, &journal, &place.cursor());
    running.next(0, 6).await;
    running.say(&journal, 0, 6, false).await;
    running.until_acknowledged(6).await;
    // Its database was restored: it had more once.
    running.say(&journal, 0, 2, true).await;
    assert_eq!(running.next(0, 4).await, [(3, 2), (4, 3), (5, 4), (6, 5)]);
    running.until_acknowledged(2).await;
    running.say(&journal, 0, 6, false).await;
    running.until_acknowledged(6).await;
    running.stop().await;
}

#[tokio::test]
async fn after_a_restart_the_first_record_claims_what_was_acknowledged() {
    let (place, bus) = (Place::new(), Bus::local());
    let mut journal = place.journal("journal");
    append(&mut journal, 3);
    let mut running = Running::start(&bus, &journal, &place.cursor());
    running.next(0, 3).await;
    running.say(&journal, 0, 2, false).await;
    running.until_acknowledged(2).await;
    let seen = running.seen.clone();
    running.stop().await;
    let mut running = Running::start(&bus, &journal, &place.cursor());
    running.seen = seen;
    assert_eq!(running.next(0, 1).await, [(3, 2)]);
    running.stop().await;
}

#[tokio::test]
async fn a_cursor_of_another_journal_hides_nothing() {
    let (place, bus) = (Place::new(), Bus::local());
    let mut journal = place.journal("journal");
    append(&mut journal, 9);
    let mut running = Running::start(&bus, &journal, &place.cursor());
    running.next(0, 9).await;
    running.say(&journal, 0, 9, false).await;
    running.until_acknowledged(9).await;
    running.stop().await;

    let mut other = place.journal("other");
    append(&mut other, 2);
    let bus = Bus::local();
    let mut running = Running::start(&bus, &other, &place.cursor());
    assert_eq!(running.next(0, 2).await, [(1, 0), (2, 1)]);
    running.stop().await;
}

#[tokio::test]
async fn a_retry_repeats_no_partition_that_is_through() {
    let (place, bus) = (Place::new(), Bus::local());
    let mut journal = place.journal("journal");
    append(&mut journal, 1);
    journal.append(&record(7, "")).unwrap();
    journal.commit().unwrap();
    // Partition 3 has room for nothing more.
    let small = bus.clone().with_stream_entries_max(2);
    let full = accounting::stream(3);
    bus.append(&full, &[Bytes::from_static(b"x"), Bytes::from_static(b"x")]).await.unwrap();
    let mut running = Running::start(&small, &journal, &place.cursor());
    running.next(0, 2).await;
    running.next(2, 1).await;
    // Room again: the rest goes out, at the next try.
    let end = bus.end(&full).await.unwrap();
    running.seen.insert(3, end);
    bus.trim(&full, end).await.unwrap();
    running.next(7, 1).await;
    for (partition, records) in [(0, 2), (2, 1), (3, 1), (7, 1)] {
        let len = bus.len(&accounting::stream(partition)).await.unwrap();
        assert_eq!(len, records, "partition {partition}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_for_a_while_ends_nothing() {
    let (place, bus) = (Place::new(), Bus::local());
    let mut journal = place.journal("journal");
    append(&mut journal, 1);
    let segment = std::fs::read_dir(place.0.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "seg"))
        .unwrap();
    // A directory can be opened and not read.
    let aside = segment.with_extension("aside");
    std::fs::rename(&segment, &aside).unwrap();
    std::fs::create_dir(&segment).unwrap();
    let mut running = Running::start(&bus, &journal, &place.cursor());
    // Long enough for the first reads to have failed: that nothing ends has no event. On a slow
    // machine the reads fail later, and the test still passes.
    tokio::time::sleep(RETRY / 2).await;
    assert!(!running.task.is_finished());
    std::fs::remove_dir(&segment).unwrap();
    std::fs::rename(&aside, &segment).unwrap();
    assert_eq!(running.next(0, 1).await, [(1, 0)]);
    running.stop().await;
}
