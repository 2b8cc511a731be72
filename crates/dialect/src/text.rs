//! Room for one value on the stack: the packet path allocates nothing.

use std::fmt::{self, Write};

use model::policy::Effective;
use radius_wire::write::VALUE_OCTETS_MAX;

/// A text being written; what does not fit is an error.
pub(crate) struct Text {
    octets: [u8; VALUE_OCTETS_MAX],
    length: usize,
}

impl Text {
    pub(crate) fn new() -> Self {
        Self { octets: [0; VALUE_OCTETS_MAX], length: 0 }
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.octets.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// The words that stand for rates in the name of a profile.
const RATES: [&str; 4] = ["{download_bps}", "{upload_bps}", "{download_kbps}", "{upload_kbps}"];

/// Whether a name has the upload rate in it, and the download rate.
pub(crate) fn rates_in(name: &str) -> (bool, bool) {
    let has =
        |direction: usize| RATES.iter().skip(direction).step_by(2).any(|word| name.contains(word));
    (has(1), has(0))
}

/// Why a name with rates cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameError {
    /// There is no room.
    Room,
    /// It asks for a rate, and there is no limit.
    NoLimit,
    /// It asks for kbit/s, and the rate is none.
    NotWhole,
}

impl From<fmt::Error> for NameError {
    fn from(_: fmt::Error) -> Self {
        Self::Room
    }
}

/// Writes a name with the rates in place of their words.
pub(crate) fn write_name(
    name: &str,
    policy: &Effective<'_>,
    out: &mut Text,
) -> Result<(), NameError> {
    let mut rest = name;
    while let Some(at) = rest.find('{') {
        out.write_str(&rest[..at])?;
        rest = &rest[at..];
        let Some(n) = RATES.iter().position(|word| rest.starts_with(word)) else {
            out.write_char('{')?;
            rest = &rest[1..];
            continue;
        };
        let rate = if n % 2 == 0 { policy.download_bps } else { policy.upload_bps };
        let rate = rate.ok_or(NameError::NoLimit)?;
        let unit = if n < 2 { 1 } else { 1000 };
        if !rate.is_multiple_of(unit) {
            return Err(NameError::NotWhole);
        }
        write!(out, "{}", rate / unit)?;
        rest = &rest[RATES[n].len()..];
    }
    Ok(out.write_str(rest)?)
}
