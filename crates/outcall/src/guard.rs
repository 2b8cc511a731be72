//! Which URLs and addresses may be called.
//!
//! A URL is checked when it is entered, as far as its text goes, and again at each call. Names
//! are resolved at the call, every address they have is checked, and the connection goes to one
//! of the addresses that were checked: a name that answers differently the second time gains
//! nothing.
//!
//! Addresses are refused by the IANA special-purpose registries (RFC 6890), by what clouds put
//! their metadata on, and, in IPv6, by default: only 2000::/3 is given out. Where an address
//! carries an IPv4 address (RFC 4291 §2.5.5.2, RFC 6052 §2.1) the one inside counts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use reqwest::Url;

use crate::Config;

/// Longest URL, octets.
pub const URL_OCTETS_MAX: usize = 2000;

/// Why a URL or an address is not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The text is no URL.
    #[error("is not a URL: {0}")]
    Unreadable(String),
    /// The text is longer than any URL of use.
    #[error("has more than {URL_OCTETS_MAX} characters")]
    TooLong,
    /// Another scheme than http or https.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// Plain http, where the configuration wants TLS.
    #[error("must begin with https://")]
    Plain,
    /// A user name or password in the URL: it would end in logs.
    #[error("must not hold a user name or password")]
    Credentials,
    /// A port that is not in the list.
    #[error("port {0} may not be called (calls.ports in the configuration)")]
    Port(u16),
    /// The name has no address.
    #[error("{0} has no address")]
    NoAddress(String),
    /// An address that is not public and not allowed.
    #[error("{address} is {kind} and may not be called (calls.allow in the configuration)")]
    Address {
        /// The address.
        address: IpAddr,
        /// What kind of address it is, with its article.
        kind: &'static str,
    },
}

/// The rules.
#[derive(Debug, Clone)]
pub struct Guard {
    allow: Vec<IpNetwork>,
    ports: Vec<u16>,
    https_only: bool,
}

impl Guard {
    /// The rules of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            allow: config.allow.clone(),
            ports: config.ports.clone(),
            https_only: config.https_only,
        }
    }

    /// Checks a URL as far as its text goes; addresses in it are checked, in any notation. A
    /// fragment is cut off.
    pub fn url(&self, text: &str) -> Result<Url, Refused> {
        if text.len() > URL_OCTETS_MAX {
            return Err(Refused::TooLong);
        }
        let mut url = Url::parse(text).map_err(|error| Refused::Unreadable(error.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" if self.https_only => return Err(Refused::Plain),
            "http" => {}
            _ => return Err(Refused::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        // An http URL always has a host and a port; the parser has seen to it.
        let port = url.port_or_known_default().ok_or(Refused::Scheme)?;
        if !self.ports.is_empty() && !self.ports.contains(&port) {
            return Err(Refused::Port(port));
        }
        if let Some(address) = literal(&url) {
            self.address(address)?;
        }
        url.set_fragment(None);
        Ok(url)
    }

    /// Checks an address.
    pub fn address(&self, address: IpAddr) -> Result<(), Refused> {
        let plain = address.to_canonical();
        if self.allow.iter().any(|net| net.contains(address) || net.contains(plain)) {
            return Ok(());
        }
        match special(plain) {
            None => Ok(()),
            Some(kind) => Err(Refused::Address { address, kind }),
        }
    }

    /// Checks all addresses of a name. One that is refused refuses the name: it has no business
    /// beside public ones.
    pub fn addresses(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
        if addresses.is_empty() {
            return Err(Refused::NoAddress(host.to_owned()));
        }
        addresses.iter().try_for_each(|address| self.address(*address))
    }
}

/// The address a URL names without a resolver. The parser has already turned octal,
/// hexadecimal and shortened notations into the usual one (WHATWG URL, host parsing).
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

/// What is special about an address; nothing where it is public.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

/// IPv4 networks nobody is called in: first address, prefix length, what they are.
const SPECIAL_V4: &[([u8; 4], u32, &str)] = &[
    // Azure's platform channel: a public address that means the machine's own host.
    ([168, 63, 129, 16], 32, "a cloud's metadata address"),
    ([169, 254, 169, 254], 32, "a cloud's metadata address"),
    ([100, 100, 100, 200], 32, "a cloud's metadata address"),
    ([192, 0, 0, 192], 32, "a cloud's metadata address"),
    ([0, 0, 0, 0], 8, "an unspecified address"),
    ([10, 0, 0, 0], 8, "a private address"),
    ([100, 64, 0, 0], 10, "a carrier-grade NAT address"),
    ([127, 0, 0, 0], 8, "a loopback address"),
    ([169, 254, 0, 0], 16, "a link-local address"),
    ([172, 16, 0, 0], 12, "a private address"),
    ([192, 0, 0, 0], 24, "a protocol's own address"),
    ([192, 0, 2, 0], 24, "a documentation address"),
    ([192, 88, 99, 0], 24, "a 6to4 relay address"),
    ([192, 168, 0, 0], 16, "a private address"),
    ([198, 18, 0, 0], 15, "a benchmark address"),
    ([198, 51, 100, 0], 24, "a documentation address"),
    ([203, 0, 113, 0], 24, "a documentation address"),
    ([224, 0, 0, 0], 4, "a multicast address"),
    ([255, 255, 255, 255], 32, "the broadcast address"),
    ([240, 0, 0, 0], 4, "a reserved address"),
];

/// The same for IPv6.
const SPECIAL_V6: &[([u16; 8], u32, &str)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, "an unspecified address"),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, "a loopback address"),
    ([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128, "a cloud's metadata address"),
    ([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128, "a cloud's metadata address"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "a unique-local address"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "a link-local address"),
    ([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "a site-local address"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "a multicast address"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "a protocol's own address"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "a documentation address"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "a documentation address"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "a 6to4 address"),
];

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = address.to_bits();
    SPECIAL_V4
        .iter()
        .find(|(first, prefix, _)| {
            (bits ^ Ipv4Addr::from(*first).to_bits()).leading_zeros() >= *prefix
        })
        .map(|(_, _, kind)| *kind)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(inside) = address.to_ipv4_mapped() {
        return special_v4(inside);
    }
    // 64:ff9b::/96, the well-known prefix of NAT64: what is called is the address inside.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return special_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    let bits = address.to_bits();
    let listed = SPECIAL_V6
        .iter()
        .find(|(first, prefix, _)| {
            (bits ^ Ipv6Addr::from(*first).to_bits()).leading_zeros() >= *prefix
        })
        .map(|(_, _, kind)| *kind);
    // What IANA has not given out is nobody's.
    listed.or((bits >> 125 != 1).then_some("an address outside of what is given out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(&Config::default())
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_by_kind() {
        for (address, kind) in [
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.0.0.1", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "carrier-grade"),
            ("100.127.255.255", "carrier-grade"),
            ("169.254.0.1", "link-local"),
            ("169.254.169.254", "metadata"),
            ("168.63.129.16", "metadata"),
            ("100.100.100.200", "metadata"),
            ("192.0.0.192", "metadata"),
            ("192.0.0.8", "protocol"),
            ("192.0.2.1", "documentation"),
            ("198.51.100.7", "documentation"),
            ("203.0.113.7", "documentation"),
            ("198.18.0.1", "benchmark"),
            ("198.19.255.255", "benchmark"),
            ("192.88.99.1", "6to4"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::7f00:1", "given out"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:10.1.2.3", "private"),
            ("::ffff:169.254.169.254", "metadata"),
            ("64:ff9b::7f00:1", "loopback"),
            ("64:ff9b::a9fe:a9fe", "metadata"),
            ("64:ff9b::c0a8:101", "private"),
            ("64:ff9b:1::1", "given out"),
            ("fc00::1", "unique-local"),
            ("fdff::1", "unique-local"),
            ("fd00:ec2::254", "metadata"),
            ("fd20:ce::254", "metadata"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
            ("2001::1", "protocol"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation"),
            ("2002:7f00:1::", "6to4"),
            ("100::1", "given out"),
            ("4000::1", "given out"),
            ("5f00::1", "given out"),
        ] {
            match guard().address(address.parse().unwrap()) {
                Err(Refused::Address { kind: found, .. }) => {
                    assert!(found.contains(kind), "{address}: {found}");
                }
                other => panic!("{address}: {other:?}"),
            }
        }
    }

    #[test]
    fn public_addresses_pass_up_to_the_edge_of_a_refused_network() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "168.63.129.17",
            "2606:4700:4700::1111",
            "2001:200::1",
            "2001:db9::1",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
        ] {
            assert_eq!(guard().address(address.parse().unwrap()), Ok(()), "{address}");
        }
    }

    #[test]
    fn no_notation_hides_an_address_in_a_url() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://0177.0x0.0.1/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://0/",
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/",
            "http:\\\\127.0.0.1\\",
            "http:127.0.0.1",
        ] {
            let refused = guard().url(url);
            assert!(matches!(refused, Err(Refused::Address { .. })), "{url}: {refused:?}");
        }
    }

    #[test]
    fn urls_are_refused_for_what_they_are() {
        let refused = |url: &str| guard().url(url).unwrap_err();
        for url in ["ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "data:,x"] {
            assert_eq!(refused(url), Refused::Scheme, "{url}");
        }
        for url in ["", "/path", "a.example", "http://", "http://[fe80::1%25eth0]/", "http://a b/"]
        {
            assert!(matches!(refused(url), Refused::Unreadable(_)), "{url}: {:?}", refused(url));
        }
        assert_eq!(refused("https://u@a.example/"), Refused::Credentials);
        assert_eq!(refused("https://u:p@a.example/"), Refused::Credentials);
        assert_eq!(refused("https://:p@a.example/"), Refused::Credentials);
        assert_eq!(refused("https://a.example:22/"), Refused::Port(22));
        assert_eq!(refused(&format!("https://a.example/{}", "x".repeat(2000))), Refused::TooLong);
        let tls = Guard::new(&Config { https_only: true, ..Config::default() });
        assert_eq!(tls.url("http://a.example/").unwrap_err(), Refused::Plain);
        assert!(tls.url("https://a.example/").is_ok());
        let url = guard().url("https://n8n.example:5678/webhook/7?x=1#part").unwrap();
        assert_eq!(url.as_str(), "https://n8n.example:5678/webhook/7?x=1");
    }

    #[test]
    fn an_allowed_network_is_reached_in_every_notation_and_nothing_beside_it() {
        let config = Config { allow: vec!["10.0.0.0/24".parse().unwrap()], ..Config::default() };
        let guard = Guard::new(&config);
        assert!(guard.url("http://10.0.0.7:5678/").is_ok());
        assert!(guard.url("http://[::ffff:10.0.0.7]/").is_ok());
        assert!(guard.url("http://10.0.1.7/").is_err());
        // The gateway decides what is behind its prefix: that has to be allowed as such.
        assert!(guard.url("http://[64:ff9b::a00:7]/").is_err());
    }

    #[test]
    fn one_refused_address_refuses_the_name() {
        let of =
            |list: &[&str]| -> Vec<IpAddr> { list.iter().map(|a| a.parse().unwrap()).collect() };
        assert_eq!(guard().addresses("a.example", &of(&["1.1.1.1"])), Ok(()));
        assert!(guard().addresses("a.example", &of(&["1.1.1.1", "10.0.0.1"])).is_err());
        let none = guard().addresses("a.example", &[]);
        assert_eq!(none, Err(Refused::NoAddress("a.example".to_owned())));
    }
}
