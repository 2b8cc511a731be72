//! What has been published and how much of it is acknowledged: plain bookkeeping.
//!
//! It counts by *lane*: what one journal incarnation has in one partition. Sequences rise over
//! the whole journal, so one number, [`Window::acknowledged`], says from where to publish
//! again; it never passes a record that was published and not acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Records published and not yet acknowledged, at most.
const WINDOW: u64 = 100_000;
/// The shortest between going back and going back because something is missing: what was
/// published before is still on its way then, and is refused once more.
const REWIND_EVERY: Duration = Duration::from_secs(10);

/// What one incarnation of a journal has in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) partition: u16,
    pub(super) incarnation: u128,
}

/// Records of a lane that wait to be acknowledged.
#[derive(Debug)]
struct Waiting {
    /// Up to here nothing waits.
    vouched: u64,
    /// The last one published.
    last: u64,
}

/// The bookkeeping.
#[derive(Debug)]
pub(super) struct Window {
    /// Everything up to here is acknowledged.
    acknowledged: u64,
    /// The last sequence published.
    published: u64,
    waiting: BTreeMap<Lane, Waiting>,
    /// What `policyd` said it has.
    reached: BTreeMap<Lane, u64>,
    /// What the next record of a lane names as the one before it.
    previous: BTreeMap<Lane, u64>,
    /// Lanes with something missing: what `policyd` has of them.
    missing: BTreeMap<Lane, u64>,
    /// When it last went back.
    rewound: Option<Instant>,
}

impl Window {
    /// Nothing is published behind `acknowledged`.
    pub(super) fn new(acknowledged: u64, reached: BTreeMap<Lane, u64>) -> Self {
        Self {
            acknowledged,
            published: acknowledged,
            waiting: BTreeMap::new(),
            previous: reached.clone(),
            reached,
            missing: BTreeMap::new(),
            rewound: None,
        }
    }

    /// Everything up to here is acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// What `policyd` said it has of each lane.
    pub(super) fn reached(&self) -> &BTreeMap<Lane, u64> {
        &self.reached
    }

    /// Forgets lanes that are no longer kept.
    pub(super) fn forget(&mut self, is_kept: impl Fn(u128) -> bool) {
        self.reached.retain(|lane, _| is_kept(lane.incarnation));
        self.previous.retain(|lane, _| is_kept(lane.incarnation));
    }

    /// Whether more may be published.
    pub(super) fn has_room(&self) -> bool {
        self.published.saturating_sub(self.acknowledged) < WINDOW
    }

    /// Lanes with something missing that was not sent again yet.
    pub(super) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// A record goes out; returns what it names as the one before it.
    pub(super) fn publish(&mut self, lane: Lane, sequence: u64) -> u64 {
        let before = sequence.saturating_sub(1);
        self.waiting.entry(lane).or_insert(Waiting { vouched: before, last: 0 }).last = sequence;
        self.published = self.published.max(sequence);
        self.previous.insert(lane, sequence).unwrap_or(0)
    }

    /// `policyd` has a lane up to here.
    pub(super) fn acked(&mut self, lane: Lane, sequence: u64) {
        let reached = self.reached.entry(lane).or_default();
        *reached = sequence.max(*reached);
        // An answer from before what was missing was sent again says no more than it did then.
        if self.missing.get(&lane).is_some_and(|has| *has < sequence) {
            self.missing.remove(&lane);
        }
        if let Some(waiting) = self.waiting.get_mut(&lane) {
            waiting.vouched = sequence.max(waiting.vouched);
            if waiting.last <= sequence {
                self.waiting.remove(&lane);
            }
        }
        // A partition keeps the order. Once something of a later incarnation is acknowledged,
        // an earlier one that still waits lost its end, and nothing will come behind it to show.
        for (other, waiting) in &self.waiting {
            let overtaken = other.partition == lane.partition
                && other.incarnation != lane.incarnation
                && waiting.last < sequence;
            if overtaken {
                self.missing.entry(*other).or_insert(waiting.vouched);
            }
        }
        let lowest = self.waiting.values().map(|waiting| waiting.vouched).min();
        self.acknowledged = self.acknowledged.max(lowest.unwrap_or(self.published));
    }

    /// `policyd` has a lane up to here, and something behind that is missing. From now on the
    /// place to publish from lies before it, whatever was acknowledged once: a database may
    /// have been restored.
    pub(super) fn asked(&mut self, lane: Lane, has: u64) {
        self.missing.insert(lane, has);
        self.reached.insert(lane, has);
        self.waiting
            .entry(lane)
            .or_insert(Waiting { vouched: has, last: has.saturating_add(1) })
            .vouched = has;
        self.acknowledged = self.acknowledged.min(has);
    }

    /// Whether it is time to go back for what is missing.
    pub(super) fn is_rewind_due(&self, now: Instant) -> bool {
        let rested = self.rewound.is_none_or(|at| now.duration_since(at) >= REWIND_EVERY);
        !self.missing.is_empty() && rested
    }

    /// Begins again behind what is acknowledged.
    pub(super) fn rewind(&mut self, now: Instant) {
        let reached = std::mem::take(&mut self.reached);
        *self = Self { rewound: Some(now), ..Self::new(self.acknowledged, reached) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn lane(partition: u16) -> Lane {
        Lane { partition, incarnation: 1 }
    }

    fn window(acknowledged: u64) -> Window {
        Window::new(acknowledged, BTreeMap::new())
    }

    fn publish(window: &mut Window, lane: Lane, sequences: std::ops::RangeInclusive<u64>) {
        for sequence in sequences {
            window.publish(lane, sequence);
        }
    }

    #[test]
    fn the_window_moves_only_past_what_every_lane_acknowledged() {
        let mut window = window(10);
        for (partition, sequence) in [(0, 11), (1, 12), (0, 13)] {
            window.publish(lane(partition), sequence);
        }
        window.acked(lane(1), 12);
        assert_eq!(window.acknowledged(), 10, "11 and 13 of partition 0 wait");
        window.acked(lane(0), 11);
        assert_eq!(window.acknowledged(), 11);
        window.acked(lane(0), 13);
        assert_eq!(window.acknowledged(), 13);
        window.acked(lane(0), 5);
        assert_eq!(window.acknowledged(), 13, "an old acknowledgement takes nothing back");
    }

    #[test]
    fn a_record_names_the_one_before_it_in_its_lane() {
        let mut window = window(0);
        assert_eq!(window.publish(lane(0), 1), 0, "nothing is known: no claim");
        assert_eq!(window.publish(lane(1), 2), 0);
        assert_eq!(window.publish(lane(0), 3), 1);
        let renewed = Lane { partition: 0, incarnation: 2 };
        assert_eq!(window.publish(renewed, 4), 0, "each incarnation counts for itself");
        assert_eq!(window.publish(renewed, 5), 4);
    }

    #[test]
    fn after_going_back_a_lane_names_what_was_acknowledged() {
        let mut window = window(0);
        publish(&mut window, lane(0), 1..=9);
        window.acked(lane(0), 4);
        window.rewind(Instant::now());
        assert_eq!(window.acknowledged(), 4);
        assert_eq!(window.publish(lane(0), 5), 4);
        assert_eq!(window.publish(lane(0), 6), 5);
    }

    #[test]
    fn a_request_leads_back_to_where_it_says_even_behind_what_was_acknowledged() {
        let mut window = window(0);
        publish(&mut window, lane(0), 1..=6);
        publish(&mut window, lane(1), 7..=9);
        window.acked(lane(0), 6);
        window.acked(lane(1), 9);
        assert_eq!(window.acknowledged(), 9);
        window.publish(lane(0), 10);
        window.asked(lane(0), 2);
        assert_eq!(window.acknowledged(), 2, "also before it goes back");
        assert!(window.is_rewind_due(Instant::now()));
        window.rewind(Instant::now());
        assert_eq!(window.publish(lane(0), 3), 2);
        // A lane that did not ask claims what it had: if that is gone too, it will ask.
        assert_eq!(window.publish(lane(1), 7), 9);
    }

    #[test]
    fn going_back_never_jumps_over_what_another_lane_waits_for() {
        let mut window = window(0);
        publish(&mut window, lane(1), 1..=3);
        publish(&mut window, lane(0), 4..=9);
        window.acked(lane(0), 5);
        window.asked(lane(0), 5);
        window.rewind(Instant::now());
        assert_eq!(window.acknowledged(), 0);
    }

    #[test]
    fn requests_of_what_was_published_before_do_not_lead_back_again_and_again() {
        let start = Instant::now();
        let mut window = window(0);
        publish(&mut window, lane(0), 1..=9);
        window.acked(lane(0), 4);
        window.asked(lane(0), 4);
        window.rewind(start);
        publish(&mut window, lane(0), 5..=9);
        for _ in 0..5 {
            window.asked(lane(0), 4);
        }
        assert!(!window.is_rewind_due(start + REWIND_EVERY / 2));
        // Still missing after a while: the second try was lost as well.
        assert!(window.is_rewind_due(start + REWIND_EVERY));
        // Or it has arrived, and nothing is due any more.
        window.acked(lane(0), 9);
        assert!(!window.is_rewind_due(start + REWIND_EVERY));
        assert_eq!(window.acknowledged(), 9);
    }

    #[test]
    fn a_request_from_nothing_leads_to_the_beginning_without_a_claim() {
        let known = BTreeMap::from([(lane(0), 50)]);
        let mut window = Window::new(50, known);
        assert_eq!(window.publish(lane(0), 51), 50, "the cursor's claim");
        window.asked(lane(0), 0);
        window.rewind(Instant::now());
        assert_eq!(window.acknowledged(), 0);
        assert_eq!(window.publish(lane(0), 1), 0);
    }

    #[test]
    fn an_incarnation_whose_end_was_lost_is_missed_when_a_later_one_goes_past_it() {
        let (old, new) = (lane(0), Lane { partition: 0, incarnation: 2 });
        let elsewhere = Lane { partition: 1, incarnation: 2 };
        let mut window = window(0);
        publish(&mut window, old, 1..=6);
        window.publish(elsewhere, 7);
        window.publish(new, 8);
        window.acked(old, 4);
        window.acked(elsewhere, 7);
        assert!(!window.is_rewind_due(Instant::now()), "another partition is no witness");
        window.acked(new, 8);
        assert_eq!(window.acknowledged(), 4);
        assert!(window.is_rewind_due(Instant::now()));
        window.rewind(Instant::now());
        assert_eq!(window.publish(old, 5), 4);
    }

    #[test]
    fn a_full_window_takes_no_more_until_it_moves() {
        let mut window = window(0);
        window.publish(lane(0), WINDOW);
        assert!(!window.has_room());
        window.acked(lane(0), WINDOW);
        assert!(window.has_room());
    }

    #[test]
    fn what_the_journal_no_longer_keeps_is_forgotten() {
        let mut window = window(0);
        publish(&mut window, lane(0), 1..=2);
        window.acked(lane(0), 2);
        window.forget(|incarnation| incarnation != 1);
        assert!(window.reached().is_empty());
        assert_eq!(window.publish(lane(0), 3), 0);
    }
}
