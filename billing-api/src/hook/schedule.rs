//! When a delivery is tried again, and what an answer means for it.
//!
//! After Standard Webhooks 1.0, "Deliverability and reliability": success is 2xx and nothing
//! else, 410 means that nobody listens any more, 429, 502 and 504 ask for less.

use model::Ts;
use outcall::{Answer, CallError, retry_after};

/// How the waits between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backoff {
    /// The schedule of Standard Webhooks: ten attempts in about 75 hours.
    Standard,
    /// For what must arrive the same day: ten attempts in about ten hours.
    Fast,
}

/// Attempts at most, of any policy.
pub(crate) const ATTEMPTS_MAX: i64 = 10;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

impl Backoff {
    /// Every policy with its word.
    pub(crate) const WORDS: &'static [&'static str] = &["standard", "fast"];

    /// The policy of a word; an unknown one waits longest.
    pub(crate) fn of(word: &str) -> Self {
        if word == "fast" { Self::Fast } else { Self::Standard }
    }

    /// Seconds to wait before each attempt; the first goes at once.
    const fn waits(self) -> &'static [i64; ATTEMPTS_MAX as usize] {
        match self {
            Self::Standard => &[
                0,
                5,
                5 * MINUTE,
                30 * MINUTE,
                2 * HOUR,
                5 * HOUR,
                10 * HOUR,
                14 * HOUR,
                20 * HOUR,
                24 * HOUR,
            ],
            Self::Fast => &[
                0,
                5,
                30,
                2 * MINUTE,
                5 * MINUTE,
                10 * MINUTE,
                30 * MINUTE,
                HOUR,
                3 * HOUR,
                5 * HOUR,
            ],
        }
    }

    /// Seconds until the attempt after `made` ones, with up to a tenth more by `chance`, so
    /// that what failed together does not come back together.
    pub(crate) fn wait_s(self, made: i64, chance: u8) -> i64 {
        let waits = self.waits();
        let at = usize::try_from(made).unwrap_or(0).min(waits.len() - 1);
        waits[at] + waits[at] * i64::from(chance) / (10 * i64::from(u8::MAX))
    }
}

/// How long an endpoint is left alone that asked for less without saying for how long, seconds.
const THROTTLE_S: i64 = 30;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It arrived.
    Delivered,
    /// Nobody listens there any more.
    Gone,
    /// It did not arrive. The other side wants to be left alone for so many seconds, or says
    /// nothing about that.
    Failed(Option<i64>),
}

/// What an answer, or that there is none, means.
pub(crate) fn judge(result: &Result<Answer, CallError>, now: Ts) -> Verdict {
    let Ok(answer) = result else { return Verdict::Failed(None) };
    if answer.is_success() {
        return Verdict::Delivered;
    }
    let asked = answer.retry_after.as_deref().and_then(|text| retry_after::seconds(text, now));
    match answer.status {
        410 => Verdict::Gone,
        429 | 502 | 504 => Verdict::Failed(Some(asked.unwrap_or(THROTTLE_S))),
        _ => Verdict::Failed(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Result<Answer, CallError> {
        Ok(Answer {
            status,
            retry_after: retry_after.map(str::to_owned),
            body: Vec::new(),
            truncated: false,
            address: None,
        })
    }

    #[test]
    fn the_standard_schedule_spans_three_days() {
        let total: i64 = (0..ATTEMPTS_MAX).map(|made| Backoff::Standard.wait_s(made, 0)).sum();
        assert_eq!(total, 75 * HOUR + 35 * MINUTE + 5);
        assert_eq!(Backoff::Standard.wait_s(0, 255), 0);
        assert_eq!(Backoff::Standard.wait_s(99, 0), 24 * HOUR);
    }

    #[test]
    fn jitter_adds_a_tenth_at_most() {
        for made in 0..ATTEMPTS_MAX {
            let (least, most) =
                (Backoff::Standard.wait_s(made, 0), Backoff::Standard.wait_s(made, 255));
            assert!(least <= most && most <= least + least / 10, "{made}: {least} to {most}");
        }
    }

    #[test]
    fn an_answer_means_what_the_standard_says() {
        let now = Ts::from_seconds(1_772_357_400);
        let of = |status, retry_after| judge(&answer(status, retry_after), now);
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(of(status, None), Verdict::Delivered, "{status}");
        }
        for status in [301, 302, 307, 308, 400, 401, 404, 500, 503] {
            assert_eq!(of(status, None), Verdict::Failed(None), "{status}");
        }
        assert_eq!(of(410, Some("5")), Verdict::Gone);
        for status in [429, 502, 504] {
            assert_eq!(of(status, None), Verdict::Failed(Some(THROTTLE_S)), "{status}");
            assert_eq!(of(status, Some("90")), Verdict::Failed(Some(90)), "{status}");
        }
        assert_eq!(of(503, Some("7")), Verdict::Failed(Some(7)));
        assert_eq!(of(503, Some("soon")), Verdict::Failed(None));
        assert_eq!(judge(&Err(CallError::TimedOut), now), Verdict::Failed(None));
    }
}
