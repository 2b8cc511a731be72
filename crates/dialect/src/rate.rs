//! Rates, by number and by name.

use std::fmt::Write;

use model::policy::{Burst, Effective};
use radius_wire::attr;
use radius_wire::rate::mikrotik_rate_limit;

use crate::compose::{Out, Told};
use crate::item::{Item, Why};
use crate::places::{Dialect, Name, Place, Rate, Sink};
use crate::text::{self, Text};

/// Whether a rate is said to a login or to a living session, whose old limit must be
/// overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Login,
    Living,
}

/// The rate, and the names of profiles, which may stand for it.
pub(crate) fn rate<S: Sink>(
    dialect: &'static Dialect,
    policy: &Effective<'_>,
    when: When,
    out: &mut Out<'_, S>,
) -> Told {
    for (name, text) in names_told(dialect, policy) {
        out.name(name.place, text, policy)?;
    }
    if standing(dialect, policy) {
        return Ok(());
    }
    let named = || {
        let mut names = dialect.names.iter().filter(|name| stands(name));
        names.any(|name| policy.vendor_profile(name.profile).is_some())
    };
    if when == When::Living && dialect.rate != Rate::Names && named() {
        // A number beside the name that the login was told: which of them counts, nobody says.
        return Err(out.unfit(Item::Rate, Why::NotLive));
    }
    let limited = policy.download_bps.is_some() || policy.upload_bps.is_some();
    if when == When::Login && !limited {
        return Ok(());
    }
    match dialect.rate {
        Rate::Mikrotik => {
            let mut text = Text::new();
            rate_limit(policy, &mut text).map_err(|why| out.unfit(Item::Rate, why))?;
            out.octets(
                Place::Own(radius_wire::vendor::MIKROTIK, attr::mikrotik::RATE_LIMIT),
                text.octets(),
                Item::Rate,
            )?;
            Ok(())
        }
        Rate::Numbers { up, down, unit, peak } => {
            numbers(policy, (up, down, unit), when, out)?;
            match (policy.burst, peak) {
                // The peak of a burst that is over would stay in force.
                (None, Some((up, down))) if when == When::Living => {
                    numbers(policy, (up, down, unit), when, out)
                }
                (Some(burst), Some((up, down))) => {
                    for (place, bps) in [(up, burst.upload_bps), (down, burst.download_bps)] {
                        let number =
                            u32::try_from(bps).map_err(|_| out.unfit(Item::Burst, Why::TooHigh))?;
                        out.octets(place, &number.to_be_bytes(), Item::Burst)?;
                    }
                    Ok(())
                }
                _ => Ok(()),
            }
        }
        Rate::FilterId => filter_id(policy, out),
        Rate::Names if policy.garden.is_some() && when == When::Login => {
            // What confines the session is what counts in the garden.
            out.left_out(Item::Rate, Why::NoName);
            Ok(())
        }
        Rate::Names if !limited => Err(out.unfit(Item::Rate, Why::CannotLift)),
        Rate::Names => {
            let why = if named() && !policy.as_planned { Why::NameIsPlans } else { Why::NoName };
            Err(out.unfit(Item::Rate, why))
        }
    }
}

/// Both numbers of a direction each.
pub(crate) fn numbers<S: Sink>(
    policy: &Effective<'_>,
    (up, down, unit): (Place, Place, u64),
    when: When,
    out: &mut Out<'_, S>,
) -> Told {
    for (place, rate) in [(up, policy.upload_bps), (down, policy.download_bps)] {
        let Some(rate) = rate else {
            // No number says "no limit any more".
            if when == When::Living {
                return Err(out.unfit(Item::Rate, Why::CannotLift));
            }
            continue;
        };
        let why = match rate {
            0 => Err(Why::Zero),
            _ if !rate.is_multiple_of(unit) => Err(Why::NotWhole),
            rate => u32::try_from(rate / unit).map_err(|_| Why::TooHigh),
        };
        let number = why.map_err(|why| out.unfit(Item::Rate, why))?;
        out.octets(place, &number.to_be_bytes(), Item::Rate)?;
    }
    Ok(())
}

fn stands(name: &Name) -> bool {
    name.rates != (false, false)
}

/// The names that are told, and their texts. One that stands for another rate than this would
/// contradict the number, and in the garden give the plan's own speed.
pub(crate) fn names_told<'a>(
    dialect: &'static Dialect,
    policy: &Effective<'a>,
) -> impl Iterator<Item = (&'static Name, &'a str)> {
    let (policy, standing) = (*policy, standing(dialect, policy));
    dialect.names.iter().filter_map(move |name| {
        let text = policy.vendor_profile(name.profile)?;
        let leave = stands(name)
            && match policy.garden {
                Some(_) => !standing || covers(&policy, name, text) == (false, false),
                None => !standing && dialect.rate != Rate::Names,
            };
        (!leave).then_some((name, text))
    })
}

/// Whether a name's text stands for the rate from the subscriber, and to it.
fn covers(policy: &Effective<'_>, name: &Name, text: &str) -> (bool, bool) {
    let whole = match policy.garden {
        Some(garden) => garden.vendor_profiles.get(name.profile).is_some(),
        None => policy.as_planned,
    };
    let says = text::rates_in(text);
    (name.rates.0 && (whole || says.0), name.rates.1 && (whole || says.1))
}

/// Whether names stand for every limit there is: those of the plan for the plan's own rates,
/// those of the garden for the garden's, and those with a rate in them for any such rate.
pub(crate) fn standing(dialect: &Dialect, policy: &Effective<'_>) -> bool {
    let (mut up, mut down) = (policy.upload_bps.is_none(), policy.download_bps.is_none());
    let mut any = false;
    for name in dialect.names.iter().filter(|name| stands(name)) {
        let Some(text) = policy.vendor_profile(name.profile) else { continue };
        let covers = covers(policy, name, text);
        any |= covers != (false, false);
        (up, down) = (up || covers.0, down || covers.1);
    }
    any && up && down
}

/// Whether the burst is carried: by RouterOS, by numbers for it, or by names that stand for the
/// rate.
pub(crate) fn carries_burst(dialect: &Dialect, policy: &Effective<'_>) -> bool {
    standing(dialect, policy)
        || matches!(dialect.rate, Rate::Mikrotik | Rate::Numbers { peak: Some(_), .. })
}

/// Whether the priority is carried.
pub(crate) fn carries_priority(dialect: &Dialect, policy: &Effective<'_>) -> bool {
    standing(dialect, policy) || dialect.rate == Rate::Mikrotik
}

/// Mikrotik-Rate-Limit: rates, burst rates, burst thresholds, burst times, priority, of which
/// later ones may be left out. The router's side: what it receives, the subscriber's upload,
/// comes first.
fn rate_limit(policy: &Effective<'_>, out: &mut Text) -> Result<(), Why> {
    let pair = |download, upload, out: &mut Text| {
        mikrotik_rate_limit(download, upload, out).map_err(|error| match error {
            radius_wire::rate::RateError::Zero => Why::Zero,
            radius_wire::rate::RateError::High(_) => Why::TooHigh,
            radius_wire::rate::RateError::Room(_) => Why::TooLong,
        })
    };
    let room = |_| Why::TooLong;
    pair(policy.download_bps, policy.upload_bps, out)?;
    let Some(burst) = policy.burst else {
        if let Some(priority) = policy.priority {
            write!(out, " 0/0 0/0 0/0 {priority}").map_err(room)?;
        }
        return Ok(());
    };
    let Burst { download_bps, upload_bps, threshold_download_bps, threshold_upload_bps, time_s } =
        burst;
    out.write_char(' ').map_err(room)?;
    pair(Some(download_bps), Some(upload_bps), out)?;
    let threshold = threshold_download_bps.is_some() || threshold_upload_bps.is_some();
    if !threshold && time_s.is_none() && policy.priority.is_none() {
        return Ok(());
    }
    // RouterOS takes the rates for thresholds that are missing, and a second for the time.
    out.write_char(' ').map_err(room)?;
    pair(
        threshold_download_bps.or(policy.download_bps),
        threshold_upload_bps.or(policy.upload_bps),
        out,
    )?;
    if time_s.is_some() || policy.priority.is_some() {
        let time_s = time_s.unwrap_or(1);
        write!(out, " {time_s}/{time_s}").map_err(room)?;
    }
    if let Some(priority) = policy.priority {
        write!(out, " {priority}").map_err(room)?;
    }
    Ok(())
}

/// accel-ppp's shaper: `down/up` in kbit/s. What a zero means to it is not written anywhere.
fn filter_id<S: Sink>(policy: &Effective<'_>, out: &mut Out<'_, S>) -> Told {
    let (download, upload) = match (policy.download_bps, policy.upload_bps) {
        (Some(0), _) | (_, Some(0)) => return Err(out.unfit(Item::Rate, Why::Zero)),
        (Some(download), Some(upload)) => (download, upload),
        (None, None) => return Err(out.unfit(Item::Rate, Why::CannotLift)),
        _ => return Err(out.unfit(Item::Rate, Why::OneSided)),
    };
    if !download.is_multiple_of(1000) || !upload.is_multiple_of(1000) {
        return Err(out.unfit(Item::Rate, Why::NotWhole));
    }
    let mut text = Text::new();
    write!(text, "{}/{}", download / 1000, upload / 1000)
        .map_err(|_| out.unfit(Item::Rate, Why::TooLong))?;
    out.octets(Place::Standard(attr::FILTER_ID), text.octets(), Item::Rate)?;
    Ok(())
}
