//! Overlays: what `policyd` lays over a subscriber for a time.

use serde::{Deserialize, Serialize};

use crate::{ServiceId, Ts};

/// How a boost changes the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boost {
    /// The rates are added.
    Add,
    /// The rates take the place of what was there.
    Replace,
}

/// The kinds of overlay, in the order they are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlayKind {
    /// A time-of-day speed takes the place of the rate.
    Window,
    /// A bought boost adds to or replaces the rate.
    Boost(Boost),
    /// Fair use: the rate is at most this.
    FairUse,
}

impl OverlayKind {
    /// A kind may stand once per subscriber; the newest revision of a kind wins.
    pub const fn slot(self) -> u8 {
        match self {
            Self::Window => 0,
            Self::Boost(_) => 1,
            Self::FairUse => 2,
        }
    }
}

/// One overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The service it lies on.
    pub service: ServiceId,
    /// What it does.
    pub kind: OverlayKind,
    /// Download rate, bit/s; absent: left alone.
    pub download_bps: Option<u64>,
    /// Upload rate, bit/s; absent: left alone.
    pub upload_bps: Option<u64>,
    /// Why, for `explain`.
    pub reason: String,
    /// When it ends by itself; absent: when it is taken away.
    pub until: Option<Ts>,
    /// The revision on policyd's line.
    pub revision: u64,
}
