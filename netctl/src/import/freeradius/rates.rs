//! Mikrotik-Rate-Limit, read (RouterOS manual, RADIUS client):
//! `rx/tx [rx-burst/tx-burst [rx-threshold/tx-threshold [rx-time/tx-time [priority [rx-min/tx-min]]]]]`.
//! `rx` is what the router receives: the subscriber's upload. A missing `tx` is as `rx`.

/// What it says. `None` and 0 are no limit.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct MikrotikRate {
    pub(super) download_bps: Option<u64>,
    pub(super) upload_bps: Option<u64>,
    pub(super) burst_download_bps: Option<u64>,
    pub(super) burst_upload_bps: Option<u64>,
    pub(super) threshold_download_bps: Option<u64>,
    pub(super) threshold_upload_bps: Option<u64>,
    pub(super) burst_time_s: Option<u64>,
    pub(super) priority: Option<u64>,
    /// What a plan cannot say.
    pub(super) lost: Option<&'static str>,
}

/// Reads it.
pub(super) fn mikrotik(text: &str) -> Result<MikrotikRate, &'static str> {
    let mut parts = text.split_whitespace();
    let rates = two(parts.next().ok_or("it is empty")?, rate)?;
    let bursts = parts.next().map(|part| two(part, rate)).transpose()?;
    let thresholds = parts.next().map(|part| two(part, rate)).transpose()?;
    let times = parts.next().map(|part| two(part, seconds)).transpose()?;
    let priority = parts.next().map(|part| two(part, seconds)).transpose()?;
    let least = parts.next().map(|part| two(part, rate)).transpose()?;
    if parts.next().is_some() {
        return Err("it has more than six parts");
    }
    let limit = |bps: u64| (bps > 0).then_some(bps);
    let mut read = MikrotikRate {
        upload_bps: limit(rates.0),
        download_bps: limit(rates.1),
        ..MikrotikRate::default()
    };
    if let Some((upload, download)) = bursts.filter(|bursts| *bursts != (0, 0)) {
        (read.burst_upload_bps, read.burst_download_bps) = (limit(upload), limit(download));
        if let Some((upload, download)) = thresholds {
            (read.threshold_upload_bps, read.threshold_download_bps) =
                (limit(upload), limit(download));
        }
        if let Some((upload, download)) = times {
            read.burst_time_s = limit(upload);
            if upload != download {
                read.lost = Some("the burst times of the two directions differ");
            }
        }
    }
    if let Some((upload, download)) = priority {
        read.priority = limit(upload);
        if upload != download {
            read.lost = Some("the priorities of the two directions differ");
        }
    }
    if least.is_some_and(|least| least != (0, 0)) {
        read.lost = Some("plans have no least rate");
    }
    Ok(read)
}

fn two(
    part: &str,
    read: fn(&str) -> Result<u64, &'static str>,
) -> Result<(u64, u64), &'static str> {
    match part.split_once('/') {
        Some((rx, tx)) => Ok((read(rx)?, read(tx)?)),
        None => read(part).map(|both| (both, both)),
    }
}

fn rate(text: &str) -> Result<u64, &'static str> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1_000),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1_000_000),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 1_000_000_000),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| "a rate is a number, with k, M or G behind it")?;
    number.checked_mul(unit).ok_or("a rate is too high to be one")
}

fn seconds(text: &str) -> Result<u64, &'static str> {
    text.strip_suffix('s').unwrap_or(text).parse().map_err(|_| "a time or priority is no number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_the_router_reads_them() {
        let rates = |text| mikrotik(text).map(|r| (r.download_bps, r.upload_bps));
        assert_eq!(rates("20M/50M"), Ok((Some(50_000_000), Some(20_000_000))));
        assert_eq!(rates("512k"), Ok((Some(512_000), Some(512_000))), "tx is as rx");
        assert_eq!(rates("0/1G"), Ok((Some(1_000_000_000), None)));
        let whole = mikrotik("5M/20M 10M/40M 4M/16M 8/8 5").unwrap();
        assert_eq!(whole.burst_upload_bps, Some(10_000_000));
        assert_eq!(whole.threshold_download_bps, Some(16_000_000));
        assert_eq!((whole.burst_time_s, whole.priority, whole.lost), (Some(8), Some(5), None));
        assert_eq!(mikrotik("1M/1M 0/0 0/0 0/0 8").unwrap().burst_time_s, None);
    }

    #[test]
    fn what_a_plan_cannot_say_is_told_and_nonsense_refused() {
        assert!(mikrotik("1M 2M 1M 8/9").unwrap().lost.is_some());
        assert!(mikrotik("1M/1M 0/0 0/0 0/0 8 1k/1k").unwrap().lost.is_some());
        for text in ["", "fast", "1M/", "1M 2M 1M 8 5 1k 7", "99999999999G", "-1"] {
            assert!(mikrotik(text).is_err(), "{text}");
        }
    }
}
