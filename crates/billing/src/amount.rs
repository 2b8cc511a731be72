//! Amounts as text: decimals of a currency, to and from minor units.

use model::Currency;

use crate::exact::{Exact, Rounding};

/// The largest amount that is read, in minor units, in either direction. Below it no tax and no
/// share of a period overflows.
pub const AMOUNT_MAX: i64 = 10_000_000_000_000;

/// Reads `"15.00"` into minor units. Never rounds: more decimals than the currency has are
/// refused (`None`), as is anything that is not a plain decimal or beyond [`AMOUNT_MAX`].
pub fn parse(text: &str, currency: Currency) -> Option<i64> {
    let decimals = currency.decimals();
    let major = Exact::decimal(text, decimals as usize)?;
    let minor = major.times(Exact::whole(10i64.pow(decimals))).ok()?;
    // Whole by construction, so there is nothing to round.
    let minor = minor.round(Rounding::HalfUp).ok()?;
    (minor.abs() <= AMOUNT_MAX).then_some(minor)
}

/// Minor units as the currency writes them: `15.00`, `1500`, `1.500`.
pub fn show(minor: i64, currency: Currency) -> String {
    let decimals = currency.decimals();
    let sign = if minor < 0 { "-" } else { "" };
    let magnitude = minor.unsigned_abs();
    if decimals == 0 {
        return format!("{sign}{magnitude}");
    }
    let scale = 10u64.pow(decimals);
    let (whole, part) = (magnitude / scale, magnitude % scale);
    format!("{sign}{whole}.{part:0width$}", width = decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        let there_and_back = |text: &str, code: &str| {
            let currency = code.parse().unwrap();
            parse(text, currency).map(|minor| show(minor, currency))
        };
        assert_eq!(there_and_back("15", "USD").as_deref(), Some("15.00"));
        assert_eq!(there_and_back("-0.05", "EUR").as_deref(), Some("-0.05"));
        assert_eq!(there_and_back("1500", "JPY").as_deref(), Some("1500"));
        assert_eq!(there_and_back("1.5", "KWD").as_deref(), Some("1.500"));
        for (text, code) in [("0.005", "USD"), ("1.0", "JPY"), ("1e3", "USD"), ("", "USD")] {
            assert_eq!(there_and_back(text, code), None, "{text} {code}");
        }
        assert_eq!(there_and_back("100000000000.01", "USD"), None, "beyond the largest amount");
    }
}
