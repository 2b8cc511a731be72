//! When the other side wants to be asked again (RFC 9110 §10.2.3).

use model::Ts;

/// Longest wait taken at its word, seconds: a day.
pub const WAIT_S_MAX: i64 = 24 * 3600;

/// The seconds to wait: the value is a number of seconds or a date. Nothing where it is
/// neither; a date gone by is no wait.
pub fn seconds(value: &str, now: Ts) -> Option<i64> {
    let value = value.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // A number too long to read is longer than any wait.
        value.parse().unwrap_or(WAIT_S_MAX)
    } else {
        let at = jiff::fmt::rfc2822::parse(value).ok()?;
        at.timestamp().as_second() - now.seconds()
    };
    Some(seconds.clamp(0, WAIT_S_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_the_rest_is_not() {
        let now = "2026-03-01T09:30:00Z".parse().unwrap();
        for (value, wanted) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 5 ", Some(5)),
            ("99999999", Some(WAIT_S_MAX)),
            ("99999999999999999999999", Some(WAIT_S_MAX)),
            ("Sun, 01 Mar 2026 09:31:00 GMT", Some(60)),
            ("Sun, 01 Mar 2026 09:00:00 GMT", Some(0)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 99 Mar 2026 09:31:00 GMT", None),
        ] {
            assert_eq!(seconds(value, now), wanted, "{value}");
        }
    }
}
