//! Rules: what a login is asked besides its password, and what attributes add to its reply.
//!
//! A plan has them for all of its services, a service for itself; both are asked. Attributes are
//! kept as text, a line each as FreeRADIUS's `users` files have them
//! (`Mikrotik-Group := "gold"`); whoever applies them compiles them once.

use serde::{Deserialize, Serialize};

use crate::identity::MacAddress;
use crate::{NasId, OrganisationId, RadiusGroupId, RealmId};

/// What is asked of a login, and what is added to its reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Check attributes, a line each; a login that does not meet them is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub check: Vec<String>,
    /// Reply attributes, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reply: Vec<String>,
    /// Groups it is in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<RadiusGroupId>,
    /// NAS it may come through; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nas: Vec<NasId>,
    /// NAS-Port-Id or NAS-Port it may come through, see [`matches_pattern`]; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<String>,
    /// Called-Station-Id it may call, see [`matches_pattern`]; empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub called_stations: Vec<String>,
    /// When it may log in, see [`super::Hours`]; absent: always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_time: Option<String>,
    /// The IANA zone of `login_time`, the plan's as well; only a service has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The MAC addresses it is bound to; only a service has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacBinding>,
}

impl Rules {
    /// Nothing is asked or added.
    pub const NONE: Rules = Rules {
        check: Vec::new(),
        reply: Vec::new(),
        groups: Vec::new(),
        nas: Vec::new(),
        ports: Vec::new(),
        called_stations: Vec::new(),
        login_time: None,
        zone: None,
        mac: None,
    };

    /// Whether nothing is asked or added.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }
}

/// The MAC addresses a service is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacBinding {
    /// Where the addresses come from.
    pub mode: MacMode,
    /// How many are learned, 1 to [`MAC_LIMIT_MAX`].
    pub limit: u8,
    /// Rises each time what was learned is forgotten, so that an address learned before that
    /// does not come back.
    pub generation: u32,
    /// The addresses: given, or learned so far.
    pub addresses: Vec<MacAddress>,
}

/// Most addresses that a service learns.
pub const MAC_LIMIT_MAX: u8 = 8;

/// Where the addresses of a binding come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MacMode {
    /// Staff give them.
    Fixed,
    /// The first that log in are kept.
    Learn,
}

impl MacMode {
    /// The word used in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Learn => "learn",
        }
    }

    /// The one of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Fixed, Self::Learn].into_iter().find(|mode| mode.as_str() == word)
    }
}

/// A group: check and reply attributes that services share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: RadiusGroupId,
    /// The organisation that owns it.
    pub organisation: OrganisationId,
    /// What staff call it.
    pub name: String,
    /// The order of a service's groups: the lowest number first.
    pub priority: u32,
    /// When it applies: a login that does not meet these goes without this group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check: Vec<String>,
    /// What it adds to the reply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reply: Vec<String>,
}

/// A realm: what stands beside a login, as in `asha@partner.example`, and whose login it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realm {
    /// Its id.
    pub id: RealmId,
    /// The organisation whose logins these are.
    pub organisation: OrganisationId,
    /// The realm, in lower case.
    pub name: String,
    /// Whether the login is what is left without the realm; else it is `login@realm`.
    pub strip: bool,
    /// The organisation and all below it.
    pub organisations: Vec<OrganisationId>,
}

/// Whether a text is a pattern: a value, or the beginning of one and `*`.
pub fn is_pattern(text: &str) -> bool {
    let body = text.strip_suffix('*').unwrap_or(text);
    !text.is_empty() && !body.contains('*')
}

/// Whether a value is what a pattern says: the same but for ASCII case, or begins so where the
/// pattern ends in `*`.
pub fn matches_pattern(pattern: &str, value: &[u8]) -> bool {
    match pattern.strip_suffix('*') {
        None => value.eq_ignore_ascii_case(pattern.as_bytes()),
        Some(start) => {
            value.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start.as_bytes()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_value_or_its_beginning() {
        assert!(matches_pattern("ether1", b"Ether1"));
        assert!(!matches_pattern("ether1", b"ether10"));
        assert!(matches_pattern("olt1 *", b"olt1 eth 0/1"));
        assert!(!matches_pattern("olt1 *", b"olt1"));
        assert!(matches_pattern("*", b""));
        for (text, well) in [("a", true), ("a*", true), ("*a", false), ("a**", false), ("", false)]
        {
            assert_eq!(is_pattern(text), well, "{text}");
        }
    }
}
