//! The rates a server gives, read back from the vendors' notations.

use radius_wire::{Attributes, attr, value, vendor};

/// The rates of a session as the subscriber sees them; absent: not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// To the subscriber, bit/s.
    pub download_bps: Option<u64>,
    /// From the subscriber, bit/s.
    pub upload_bps: Option<u64>,
}

impl Rates {
    /// What the attributes say, in RouterOS's order of precedence; nothing where they are silent
    /// or do not read.
    pub fn of(attributes: Attributes<'_>) -> Option<Self> {
        let mikrotik = attributes.vendor(vendor::MIKROTIK, attr::mikrotik::RATE_LIMIT);
        if let Some(value) = mikrotik {
            return std::str::from_utf8(value).ok().and_then(mikrotik_rates);
        }
        let wispr = |kind| attributes.vendor(vendor::WISPR, kind).and_then(value::integer);
        let download = wispr(attr::wispr::BANDWIDTH_MAX_DOWN);
        let upload = wispr(attr::wispr::BANDWIDTH_MAX_UP);
        (download.is_some() || upload.is_some()).then(|| Self {
            download_bps: download.map(u64::from),
            upload_bps: upload.map(u64::from),
        })
    }
}

/// Reads the first field of a Mikrotik-Rate-Limit, `rx[/tx]` from the router's side: `rx` is
/// the subscriber's upload, and a missing `tx` is the same. Bursts and priorities come after it
/// and do not matter here.
pub fn mikrotik_rates(text: &str) -> Option<Rates> {
    let field = text.split_whitespace().next()?;
    let (upload, download) = match field.split_once('/') {
        Some((rx, tx)) => (bps(rx)?, bps(tx)?),
        None => (bps(field)?, bps(field)?),
    };
    let limit = |bps: u64| (bps > 0).then_some(bps);
    Some(Rates { download_bps: limit(download), upload_bps: limit(upload) })
}

/// `20M`, `512k`, `1G` or plain bit/s; the suffixes are decimal.
fn bps(text: &str) -> Option<u64> {
    let (digits, scale) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (&text[..at], 1_000),
        (at, 'M') => (&text[..at], 1_000_000),
        (at, 'G') => (&text[..at], 1_000_000_000),
        _ => (text, 1),
    };
    // `parse` would take a sign.
    let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use radius_wire::rate::{RateText, mikrotik_rate_limit};
    use radius_wire::write::push_vendor;

    use super::*;

    fn rates(download: u64, upload: u64) -> Option<Rates> {
        let limit = |bps| (bps > 0).then_some(bps);
        Some(Rates { download_bps: limit(download), upload_bps: limit(upload) })
    }

    #[test]
    fn the_subscribers_upload_comes_first() {
        assert_eq!(mikrotik_rates("20M/50M"), rates(50_000_000, 20_000_000));
        assert_eq!(mikrotik_rates("128k"), rates(128_000, 128_000));
        assert_eq!(mikrotik_rates("64k/64k 256k/256k 128k/128k 10/10"), rates(64_000, 64_000));
        assert_eq!(mikrotik_rates("0/1G"), rates(1_000_000_000, 0));
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", " ", "x", "M", "/", "1M/", "-1", "+5M", "1.5M", "99999999999999999999G"] {
            assert_eq!(mikrotik_rates(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_the_server_writes_reads_back() {
        for (download, upload) in [(10_000_000, 5_000_000), (1_000_000_000, 1), (999, 0)] {
            let limit = |bps| (bps > 0).then_some(bps);
            let mut text = RateText::new();
            mikrotik_rate_limit(limit(download), limit(upload), &mut text).unwrap();
            assert_eq!(mikrotik_rates(text.as_str()), rates(download, upload));
        }
    }

    #[test]
    fn mikrotik_goes_before_wispr() {
        let mut bytes = Vec::new();
        push_vendor(&mut bytes, vendor::WISPR, 8, &2_000_000u32.to_be_bytes()).unwrap();
        let wispr = Rates::of(Attributes::parse(&bytes).unwrap());
        assert_eq!(wispr, rates(2_000_000, 0));
        push_vendor(&mut bytes, vendor::MIKROTIK, 8, b"1M/3M").unwrap();
        let both = Rates::of(Attributes::parse(&bytes).unwrap());
        assert_eq!(both, rates(3_000_000, 1_000_000));
        assert_eq!(Rates::of(Attributes::default()), None);
    }
}
