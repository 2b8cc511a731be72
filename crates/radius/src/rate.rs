//! Speeds in the vendors' notations. Ours are bit/s as the subscriber sees them; what a
//! notation cannot say is refused rather than bent.

use std::fmt::{self, Write};

/// Why a speed cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// RouterOS reads 0 as "not limited", and so may others: never what a limit of 0 means.
    #[error("a rate of 0 bit/s would be read as unlimited")]
    Zero,
    /// WISPr counts bit/s in 32 bits.
    #[error("{0} bit/s is above WISPr's ceiling of {max} bit/s", max = u32::MAX)]
    High(u64),
    /// The text does not fit where it is written.
    #[error("no room for the rate")]
    Room(#[from] fmt::Error),
}

/// Writes a Mikrotik-Rate-Limit: `rx/tx` from the router's side, so the subscriber's upload
/// comes first. 50 Mbit/s down and 20 up is `20M/50M`.
///
/// `k` and `M` are decimal and used where they divide exactly, else plain bit/s. A direction
/// without a limit is written as 0, RouterOS's word for not limited, since a missing `tx` would
/// mean "as `rx`". Both without limits give `0/0`, which lifts a limit in a CoA; an
/// Access-Accept can leave the attribute out.
pub fn mikrotik_rate_limit(
    download_bps: Option<u64>,
    upload_bps: Option<u64>,
    out: &mut impl Write,
) -> Result<(), RateError> {
    if download_bps == Some(0) || upload_bps == Some(0) {
        return Err(RateError::Zero);
    }
    mikrotik_rate(upload_bps.unwrap_or(0), out)?;
    out.write_char('/')?;
    mikrotik_rate(download_bps.unwrap_or(0), out)?;
    Ok(())
}

fn mikrotik_rate(bps: u64, out: &mut impl Write) -> fmt::Result {
    match bps {
        0 => out.write_char('0'),
        _ if bps.is_multiple_of(1_000_000) => write!(out, "{}M", bps / 1_000_000),
        _ if bps.is_multiple_of(1_000) => write!(out, "{}k", bps / 1_000),
        _ => write!(out, "{bps}"),
    }
}

/// The value of WISPr-Bandwidth-Max-Up or -Down, bit/s. A direction without a limit has no
/// attribute.
pub fn wispr_bandwidth(bps: u64) -> Result<u32, RateError> {
    match u32::try_from(bps) {
        Ok(0) => Err(RateError::Zero),
        Ok(bps) => Ok(bps),
        Err(_) => Err(RateError::High(bps)),
    }
}

/// A place on the stack for the text of a rate: two numbers of twenty digits and a slash.
#[derive(Clone, Copy)]
pub struct RateText {
    octets: [u8; 41],
    length: usize,
}

impl Default for RateText {
    fn default() -> Self {
        Self::new()
    }
}

impl RateText {
    /// No text.
    pub fn new() -> Self {
        Self { octets: [0; 41], length: 0 }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only whole `str`s get in, so this cannot fail.
        std::str::from_utf8(&self.octets[..self.length]).unwrap_or("")
    }
}

impl Write for RateText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.octets.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl fmt::Debug for RateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(download_bps: Option<u64>, upload_bps: Option<u64>) -> String {
        let mut out = RateText::new();
        mikrotik_rate_limit(download_bps, upload_bps, &mut out).unwrap();
        out.as_str().to_owned()
    }

    #[test]
    fn the_subscribers_upload_comes_first() {
        assert_eq!(text(Some(50_000_000), Some(20_000_000)), "20M/50M");
    }

    #[test]
    fn suffixes_are_used_only_where_they_divide() {
        assert_eq!(text(Some(1_500_000), Some(128_000)), "128k/1500k");
        assert_eq!(text(Some(1_234_567), Some(10_000_000_000)), "10000M/1234567");
    }

    #[test]
    fn a_direction_without_a_limit_is_zero_and_a_limit_of_zero_is_refused() {
        assert_eq!(text(Some(5_000_000), None), "0/5M");
        assert_eq!(text(None, Some(5_000_000)), "5M/0");
        assert_eq!(text(None, None), "0/0");
        let mut out = RateText::new();
        assert_eq!(mikrotik_rate_limit(Some(0), None, &mut out), Err(RateError::Zero));
        assert_eq!(mikrotik_rate_limit(None, Some(0), &mut out), Err(RateError::Zero));
        assert_eq!(out.as_str(), "");
    }

    #[test]
    fn the_largest_rates_fit_and_more_does_not() {
        let most = u64::MAX;
        let mut out = RateText::new();
        mikrotik_rate_limit(Some(most), Some(most), &mut out).unwrap();
        assert_eq!(out.as_str(), format!("{most}/{most}"));
        assert_eq!(
            mikrotik_rate_limit(Some(1), Some(1), &mut out),
            Err(RateError::Room(fmt::Error))
        );
    }

    #[test]
    fn wispr_has_a_ceiling() {
        assert_eq!(wispr_bandwidth(4_294_967_295), Ok(u32::MAX));
        assert_eq!(wispr_bandwidth(4_294_967_296), Err(RateError::High(4_294_967_296)));
        assert_eq!(wispr_bandwidth(0), Err(RateError::Zero));
        assert!(RateError::High(5_000_000_000).to_string().contains("4294967295"));
    }
}
