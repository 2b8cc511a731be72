//! Numbers that look random, for traffic that looks alive: SplitMix64. Nothing here is secret.

use std::time::Duration;

/// A source of such numbers.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// One whose numbers nobody has seen.
    pub(crate) fn new() -> Self {
        Self(u64::from_le_bytes(daemon::secrets::random()))
    }

    /// One that repeats itself.
    #[cfg(test)]
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 up to, not including, 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From `low` up to `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.fraction() * (high - low)
    }

    /// A time between the two, in seconds.
    pub(crate) fn seconds(&mut self, low: f64, high: f64) -> Duration {
        Duration::from_secs_f64(self.between(low, high).max(0.0))
    }

    /// True this often: 0.25 is one time in four.
    pub(crate) fn one_in(&mut self, share: f64) -> bool {
        self.fraction() < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range_and_use_all_of_it() {
        let mut chance = Chance::seeded(7);
        let drawn: Vec<f64> = (0..1000).map(|_| chance.between(2.0, 4.0)).collect();
        assert!(drawn.iter().all(|number| (2.0..4.0).contains(number)));
        assert!(drawn.iter().any(|n| *n < 2.1) && drawn.iter().any(|n| *n > 3.9));
        let hits = (0..1000).filter(|_| chance.one_in(0.25)).count();
        assert!((180..320).contains(&hits), "{hits}");
    }
}
