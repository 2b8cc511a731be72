//! Why a login was refused.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::policy::HoldReason;

/// The reason of an Access-Reject; the word goes into logs, counters and the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// No identity has this name.
    UnknownLogin,
    /// The password or response does not match.
    WrongPassword,
    /// The request carries no password attribute we know.
    NoCredentials,
    /// The stored credential cannot answer this method: an NT hash cannot do CHAP.
    MethodNotPossible,
    /// The identity belongs to a service whose profile is not known here.
    NoProfile,
    /// The service's time is over.
    Expired,
    /// Held for non-payment.
    HeldNonpayment,
    /// Held by staff: suspended.
    HeldAdmin,
    /// Held for abuse.
    HeldAbuse,
    /// Paused at the customer's wish.
    HeldPause,
    /// The quota is used up.
    HeldQuota,
    /// The service may come through another NAS only.
    NasNotAllowed,
    /// The service may come through another port only.
    PortNotAllowed,
    /// The service may call another station only.
    CalledStationNotAllowed,
    /// The request is not what the check attributes of the service or its plan ask for.
    CheckFailed,
    /// The service is bound to another MAC address.
    MacMismatch,
    /// The service may log in at other hours only.
    OutsideHours,
    /// The name has a realm that is not known, and such names are refused.
    UnknownRealm,
    /// The policy cannot be told to this NAS: its vendor has no attribute for a part of it, or
    /// the reply would be too long.
    PolicyUnfit,
    /// It failed too often from this station, and is not looked at for a while.
    Blocked,
    /// As many sessions as it may have are online.
    TooManySessions,
    /// Addresses are leased to it, and there is no pool that this NAS may use.
    NoPool,
    /// No pool that this NAS may use has an address left.
    PoolExhausted,
}

impl RejectReason {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownLogin => "unknown_login",
            Self::WrongPassword => "wrong_password",
            Self::NoCredentials => "no_credentials",
            Self::MethodNotPossible => "method_not_possible",
            Self::NoProfile => "no_profile",
            Self::Expired => "expired",
            Self::HeldNonpayment => "held_nonpayment",
            Self::HeldAdmin => "held_admin",
            Self::HeldAbuse => "held_abuse",
            Self::HeldPause => "held_pause",
            Self::HeldQuota => "held_quota",
            Self::NasNotAllowed => "nas_not_allowed",
            Self::PortNotAllowed => "port_not_allowed",
            Self::CalledStationNotAllowed => "called_station_not_allowed",
            Self::CheckFailed => "check_failed",
            Self::MacMismatch => "mac_mismatch",
            Self::OutsideHours => "outside_hours",
            Self::UnknownRealm => "unknown_realm",
            Self::PolicyUnfit => "policy_unfit",
            Self::Blocked => "blocked",
            Self::TooManySessions => "too_many_sessions",
            Self::NoPool => "no_pool",
            Self::PoolExhausted => "pool_exhausted",
        }
    }

    /// The reason of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// The Reply-Message the subscriber's device may show: the catalogue's text, in English,
    /// since a packet names no language. It never tells an unknown name from a wrong password.
    pub const fn text_key(self) -> &'static str {
        match self {
            Self::UnknownLogin | Self::UnknownRealm | Self::WrongPassword | Self::Blocked => {
                "reject-credentials"
            }
            Self::NoCredentials
            | Self::MethodNotPossible
            | Self::NoProfile
            | Self::NasNotAllowed
            | Self::PortNotAllowed
            | Self::CalledStationNotAllowed
            | Self::CheckFailed
            | Self::PolicyUnfit
            | Self::NoPool => "reject-setup",
            Self::TooManySessions => "reject-too-many-sessions",
            Self::PoolExhausted => "reject-pool-exhausted",
            Self::MacMismatch => "reject-device",
            Self::OutsideHours => "reject-hours",
            Self::Expired => "reject-expired",
            Self::HeldNonpayment => "reject-nonpayment",
            Self::HeldAdmin | Self::HeldAbuse => "reject-suspended",
            Self::HeldPause => "reject-paused",
            Self::HeldQuota => "reject-quota",
        }
    }

    /// Every reason, for counters.
    pub const ALL: [RejectReason; 23] = [
        Self::UnknownLogin,
        Self::WrongPassword,
        Self::NoCredentials,
        Self::MethodNotPossible,
        Self::NoProfile,
        Self::Expired,
        Self::HeldNonpayment,
        Self::HeldAdmin,
        Self::HeldAbuse,
        Self::HeldPause,
        Self::HeldQuota,
        Self::NasNotAllowed,
        Self::PortNotAllowed,
        Self::CalledStationNotAllowed,
        Self::CheckFailed,
        Self::MacMismatch,
        Self::OutsideHours,
        Self::UnknownRealm,
        Self::PolicyUnfit,
        Self::Blocked,
        Self::TooManySessions,
        Self::NoPool,
        Self::PoolExhausted,
    ];
}

impl From<HoldReason> for RejectReason {
    fn from(reason: HoldReason) -> Self {
        match reason {
            HoldReason::Nonpayment => Self::HeldNonpayment,
            HoldReason::Expired => Self::Expired,
            HoldReason::Admin => Self::HeldAdmin,
            HoldReason::Abuse => Self::HeldAbuse,
            HoldReason::Pause => Self::HeldPause,
            HoldReason::Quota => Self::HeldQuota,
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
