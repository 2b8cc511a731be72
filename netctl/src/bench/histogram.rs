//! Latencies: counts in buckets whose width grows with the value, so that every value is kept
//! to within 1.6 % in a few kilobytes.

/// Bits of a value that are kept: 64 buckets for every power of two.
const BITS: u32 = 6;
const PER_POWER: usize = 1 << BITS;
const BUCKETS: usize = (64 - BITS as usize) * PER_POWER + PER_POWER;

/// How many values fell where.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max: 0 }
    }
}

/// Values below 64 have a bucket each; above, the power of two and the six bits below its
/// highest one choose it.
fn bucket(value: u64) -> usize {
    if value < PER_POWER as u64 {
        return value as usize;
    }
    let shift = value.ilog2() - BITS;
    (shift as usize + 1) * PER_POWER + ((value >> shift) as usize - PER_POWER)
}

/// The largest value of a bucket.
fn highest(bucket: usize) -> u64 {
    if bucket < PER_POWER {
        return bucket as u64;
    }
    let shift = (bucket / PER_POWER - 1) as u32;
    let lowest = ((bucket % PER_POWER + PER_POWER) as u64) << shift;
    lowest + ((1 << shift) - 1)
}

impl Histogram {
    /// Counts a value.
    pub(super) fn record(&mut self, value: u64) {
        self.buckets[bucket(value)] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// Counts what another one counted.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += other;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// The value that this share of all values does not exceed; 0 where there are none.
    pub(super) fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (n, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return highest(n).min(self.max);
            }
        }
        self.max
    }

    /// The largest value.
    pub(super) fn max(&self) -> u64 {
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_the_bucket_that_holds_it() {
        let values = (0..100_000).chain((0..64).map(|n| 1 << n)).chain([u64::MAX]);
        for value in values {
            let n = bucket(value);
            assert!(value <= highest(n), "{value}");
            assert!(n == 0 || value > highest(n - 1), "{value}");
            assert!((highest(n) - value) as f64 <= value as f64 / 64.0, "{value}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.max()), (0, 0));
        let mut other = Histogram::default();
        for n in 1..=10_000u64 {
            if n % 2 == 0 { &mut histogram } else { &mut other }.record(n * 1000);
        }
        histogram.add(&other);
        for (share, expected) in [(0.5, 5_000_000.0), (0.99, 9_900_000.0), (0.999, 9_990_000.0)] {
            let found = histogram.quantile(share) as f64;
            assert!((expected..expected * 1.016).contains(&found), "{share}: {found}");
        }
        assert_eq!(histogram.quantile(1.0), 10_000_000);
        assert_eq!(histogram.max(), 10_000_000);
    }
}
