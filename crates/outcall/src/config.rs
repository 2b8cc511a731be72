//! What the installation allows, with defaults beside the fields.

use ipnetwork::IpNetwork;
use serde::{Deserialize, Serialize};

/// The section about calls to the outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses that may be called although they are not public: an automation server next
    /// door, say. Whoever may enter a URL reaches everything in these networks.
    pub allow: Vec<IpNetwork>,
    /// Ports that may be called; an empty list is every port.
    pub ports: Vec<u16>,
    /// Whether plain http is refused.
    pub https_only: bool,
    /// How long finding and reaching the other side may take, seconds.
    pub connect_timeout_s: u32,
    /// How long a call may take in all, seconds.
    pub timeout_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            ports: vec![80, 443, 5678, 8080, 8443],
            https_only: false,
            connect_timeout_s: 5,
            timeout_s: 20,
        }
    }
}

/// Seconds a call may take at most, whatever the configuration says.
const TIMEOUT_S_MAX: u32 = 120;

impl Config {
    /// What is wrong with the values, naming the key.
    pub fn check(&self) -> Result<(), String> {
        for (key, seconds) in
            [("connect_timeout_s", self.connect_timeout_s), ("timeout_s", self.timeout_s)]
        {
            if !(1..=TIMEOUT_S_MAX).contains(&seconds) {
                return Err(format!("{key} is from 1 to {TIMEOUT_S_MAX}, not {seconds}"));
            }
        }
        Ok(())
    }
}
