//! RADIUS clients and NAS as the daemon sees them.
//!
//! A *client* is where packets come from: an address or prefix with its secrets. A *NAS* is
//! the device that asks. Where a client is one address registered with a NAS, its packets are
//! that NAS's; inside a prefix or behind a proxy the NAS is told apart by NAS-Identifier, else
//! NAS-IP-Address, else the source address, and is created on first sight with an id derived
//! from both, so that every node arrives at the same one.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

use crate::{ClientId, NasGroupId, NasId, OrganisationId, Sealed};

/// Whose attributes a NAS understands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// RouterOS.
    Mikrotik,
    /// IOS, IOS-XE and IOS-XR.
    Cisco,
    /// The broadband gateways (NE, ME60, NetEngine) and AR routers, not the switches.
    Huawei,
    /// Junos subscriber management and JUNOSe ERX.
    Juniper,
    /// SR OS.
    Nokia,
    /// accel-ppp.
    AccelPpp,
    /// ChilliSpot and CoovaChilli.
    Chillispot,
    /// Comware.
    H3c,
    /// ZXR10 broadband gateways.
    Zte,
    /// UniFi, UISP, airOS.
    Ubiquiti,
    /// SmartEdge, later Ericsson.
    Redback,
    /// RFC attributes and WISPr rates only.
    #[default]
    Generic,
}

impl Vendor {
    /// Every vendor, in the order of the variants, for lists and tables.
    pub const ALL: [Vendor; 12] = [
        Vendor::Mikrotik,
        Vendor::Cisco,
        Vendor::Huawei,
        Vendor::Juniper,
        Vendor::Nokia,
        Vendor::AccelPpp,
        Vendor::Chillispot,
        Vendor::H3c,
        Vendor::Zte,
        Vendor::Ubiquiti,
        Vendor::Redback,
        Vendor::Generic,
    ];

    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mikrotik => "mikrotik",
            Self::Cisco => "cisco",
            Self::Huawei => "huawei",
            Self::Juniper => "juniper",
            Self::Nokia => "nokia",
            Self::AccelPpp => "accel_ppp",
            Self::Chillispot => "chillispot",
            Self::H3c => "h3c",
            Self::Zte => "zte",
            Self::Ubiquiti => "ubiquiti",
            Self::Redback => "redback",
            Self::Generic => "generic",
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Mikrotik => "MikroTik",
            Self::Cisco => "Cisco",
            Self::Huawei => "Huawei",
            Self::Juniper => "Juniper",
            Self::Nokia => "Nokia",
            Self::AccelPpp => "accel-ppp",
            Self::Chillispot => "ChilliSpot",
            Self::H3c => "H3C",
            Self::Zte => "ZTE",
            Self::Ubiquiti => "Ubiquiti",
            Self::Redback => "Redback",
            Self::Generic => "generic",
        }
    }

    /// The vendor of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vendor| vendor.as_str() == word)
    }
}

const _: () = {
    // Tables are indexed by the variants' order.
    let mut n = 0;
    while n < Vendor::ALL.len() {
        assert!(Vendor::ALL[n] as usize == n);
        n += 1;
    }
};

/// How a NAS counts a dual-stack session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ipv6Counters {
    /// Acct-Input-Octets and Acct-Output-Octets count IPv6 too.
    #[default]
    Included,
    /// IPv6 is counted in attributes of the vendor's own, and not in the standard ones.
    Separate,
}

impl Ipv6Counters {
    /// Both.
    pub const ALL: [Ipv6Counters; 2] = [Self::Included, Self::Separate];

    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Included => "included",
            Self::Separate => "separate",
        }
    }

    /// The one of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counters| counters.as_str() == word)
    }

    fn is_included(&self) -> bool {
        *self == Self::Included
    }
}

/// What becomes of Access-Requests without Message-Authenticator. Whoever stands between the NAS
/// and us can turn the answer to such a request round (BlastRADIUS, CVE-2024-3596). The later in
/// this list, the stricter.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// They pass and are warned of, for good: for a NAS that signs only now and then.
    Warn,
    /// They pass until [`SIGNED_IN_A_ROW`] requests in a row were signed; from then on they are
    /// dropped.
    #[default]
    Learn,
    /// They are dropped.
    Require,
}

impl Signing {
    /// Every mode.
    pub const ALL: [Signing; 3] = [Self::Learn, Self::Warn, Self::Require];

    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Learn => "learn",
            Self::Require => "require",
        }
    }

    /// The mode of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// So many signed requests in a row show that a NAS signs all of them.
pub const SIGNED_IN_A_ROW: u32 = 100;

/// The UDP port CoA and Disconnect go to unless a NAS says otherwise (RFC 5176 §2.1).
pub const COA_PORT: u16 = 3799;

/// A RADIUS client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id; the secrets are sealed to it.
    pub id: ClientId,
    /// The organisation that owns it.
    pub organisation: OrganisationId,
    /// Where its packets come from.
    pub source: IpNetwork,
    /// The shared secret.
    pub secret: Sealed,
    /// The secret before the last change, still accepted during a rotation.
    pub previous_secret: Option<Sealed>,
    /// The one NAS of this client; absent where the client is a prefix or a proxy.
    pub nas: Option<NasId>,
    /// What NAS created on first sight are taken for.
    pub vendor: Vendor,
    /// What becomes of its unsigned Access-Requests.
    #[serde(default)]
    pub signing: Signing,
}

/// A NAS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nas {
    /// Its id; `coa_secret` is sealed to it.
    pub id: NasId,
    /// The organisation that owns it.
    pub organisation: OrganisationId,
    /// What staff call it.
    pub name: String,
    /// Whose attributes it understands.
    pub vendor: Vendor,
    /// Where CoA goes; absent: the address its packets come from.
    pub coa_address: Option<IpAddr>,
    /// The UDP port CoA goes to.
    pub coa_port: u16,
    /// The secret for CoA; absent: the client's.
    pub coa_secret: Option<Sealed>,
    /// Whether it takes CoA and Disconnect at all.
    pub accepts_coa: bool,
    /// How it counts a dual-stack session.
    #[serde(default, skip_serializing_if = "Ipv6Counters::is_included")]
    pub ipv6_counters: Ipv6Counters,
    /// What becomes of its unsigned Access-Requests.
    #[serde(default)]
    pub signing: Signing,
    /// The group that says which address pools it may use besides those of every NAS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<NasGroupId>,
}

/// A NAS that sent its first packet from inside a client's prefix; `aaad` reports it, and
/// `billing-api` keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NasSeen {
    /// The format of this message; readers refuse newer ones.
    pub format: u8,
    /// The derived id.
    pub nas: NasId,
    /// The client whose secret it knew.
    pub client: ClientId,
    /// NAS-Identifier, else NAS-IP-Address, else the source address.
    pub name: String,
    /// Where its packet came from.
    pub source: IpAddr,
}

/// The id of a NAS seen behind a client: the same on every node and after every restart.
pub fn derived_nas_id(client: ClientId, name: &[u8]) -> NasId {
    // 122 bits of two FNV-1a runs, marked as a custom id (RFC 9562 §5.8): it names, it does
    // not protect.
    let mut low = Fnv::default();
    low.write(client.0.as_bytes());
    low.write(name);
    let mut high = low;
    high.write(b"nas");
    let bits = (u128::from(high.0) << 64) | u128::from(low.0);
    NasId(uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid())
}

/// FNV-1a, 64 bit: small, stable across versions and machines, not for hostile input.
#[derive(Debug, Clone, Copy)]
pub struct Fnv(pub u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds bytes to the hash.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The hash in 32 bits. FNV's low bits alone are weak, so the halves are folded.
    pub fn fold(self) -> u32 {
        (self.0 >> 32 ^ self.0) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_derived_nas_is_the_same_everywhere_and_differs_by_name_and_client() {
        let client = ClientId(Uuid::from_u128(7));
        let a = derived_nas_id(client, b"bng1");
        assert_eq!(a, derived_nas_id(client, b"bng1"));
        assert_ne!(a, derived_nas_id(client, b"bng2"));
        assert_ne!(a, derived_nas_id(ClientId(Uuid::from_u128(8)), b"bng1"));
    }
}
