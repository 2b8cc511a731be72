//! Money and how rates are shown.
//!
//! Rates are bit/s and volumes octets, plain `u64`s whose names end in `_bps` and `_octets`;
//! `download` and `upload` are as the subscriber sees them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 4217 currency code: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// The text is not three letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three capital letters of ISO 4217, such as USD")]
pub struct CurrencyError;

impl Currency {
    /// The three letters.
    pub fn code(&self) -> &str {
        // Only ASCII letters get in, so this cannot fail.
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Digits after the decimal point of the currency's minor unit (ISO 4217 table A.1).
    pub fn decimals(&self) -> u32 {
        match self.code() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF"
            | "UGX" | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        match text.as_bytes() {
            [a, b, c] if text.bytes().all(|x| x.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(CurrencyError),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount in the minor unit of its currency: 2999 USD is $29.99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units; negative where money is owed the other way.
    pub amount: i64,
    /// The currency, always beside the amount.
    pub currency: Currency,
}

impl fmt::Display for Money {
    /// `29.99 USD`: for logs and command lines; screens format by locale.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.currency.decimals();
        let scale = 10u64.pow(decimals);
        let sign = if self.amount < 0 { "-" } else { "" };
        let magnitude = self.amount.unsigned_abs();
        if decimals == 0 {
            write!(f, "{sign}{magnitude} {}", self.currency)
        } else {
            let (whole, part) = (magnitude / scale, magnitude % scale);
            write!(f, "{sign}{whole}.{part:0width$} {}", self.currency, width = decimals as usize)
        }
    }
}

/// Shows a rate as people write it: `50 Mbit/s`, `1.5 Gbit/s`, `512 kbit/s`.
pub struct ShowRate(pub u64);

impl fmt::Display for ShowRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0 as f64, 1000.0, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"])
    }
}

/// Shows a volume in binary multiples: `1.5 GiB`, `820 KiB`.
pub struct ShowOctets(pub u64);

impl fmt::Display for ShowOctets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scaled(f, self.0 as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    }
}

fn scaled(f: &mut fmt::Formatter<'_>, value: f64, base: f64, names: &[&str]) -> fmt::Result {
    let mut value = value;
    let mut step = 0;
    while value >= base && step + 1 < names.len() {
        value /= base;
        step += 1;
    }
    let rounded = (value * 10.0).round() / 10.0;
    let text = if rounded.fract() == 0.0 {
        format!("{rounded:.0} {}", names[step])
    } else {
        format!("{rounded:.1} {}", names[step])
    };
    f.pad(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_shows_the_decimals_of_its_currency() {
        let show =
            |amount, code: &str| Money { amount, currency: code.parse().unwrap() }.to_string();
        assert_eq!(show(2999, "USD"), "29.99 USD");
        assert_eq!(show(-5, "EUR"), "-0.05 EUR");
        assert_eq!(show(1500, "JPY"), "1500 JPY");
        assert_eq!(show(1500, "KWD"), "1.500 KWD");
        assert!("usd".parse::<Currency>().is_err());
    }

    #[test]
    fn rates_and_volumes_show_as_people_write_them() {
        assert_eq!(ShowRate(50_000_000).to_string(), "50 Mbit/s");
        assert_eq!(ShowRate(1_500_000_000).to_string(), "1.5 Gbit/s");
        assert_eq!(ShowOctets(1536).to_string(), "1.5 KiB");
        assert_eq!(ShowOctets(0).to_string(), "0 B");
    }
}
