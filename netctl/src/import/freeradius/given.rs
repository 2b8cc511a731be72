//! What a login is given, as fields of plans and services.

use serde_json::{Map, Value, json};

use super::homes::{self, Reply};
use super::pairs::Item;
use super::rates;

/// The NAS chooses the address (RFC 2865 §5.8).
const NAS_CHOOSES: &str = "255.255.255.254";

/// Fields, and what became none.
#[derive(Default)]
pub(super) struct Given<'i> {
    /// Fields of plans.
    pub(super) plan: Map<String, Value>,
    /// Fields that only a service has.
    pub(super) service: Map<String, Value>,
    /// Attributes without a home, and why.
    pub(super) homeless: Vec<(&'i Item, &'static str)>,
    /// Values that do not come over as they were.
    pub(super) troubles: Vec<(&'i Item, String)>,
}

/// Reads what is given, already merged.
pub(super) fn given<'i>(items: &[&'i Item]) -> Given<'i> {
    let mut given = Given::default();
    for item in items {
        if item.expanded && homes::reply(&item.attribute) != Reply::Steers {
            given.homeless.push((item, "FreeRADIUS works it out for each request"));
            continue;
        }
        given.item(item, homes::reply(&item.attribute), &item.value);
    }
    if let Some(length) = given.service.remove(NETMASK)
        && given.service.contains_key("ipv4")
    {
        given.service.insert(NETMASK.to_owned(), length);
    }
    given
}

const NETMASK: &str = "ipv4_prefix_length";

impl<'i> Given<'i> {
    fn item(&mut self, item: &'i Item, reply: Reply, value: &str) {
        match reply {
            Reply::MikrotikRate => self.mikrotik(item, value),
            Reply::Upload(unit) => self.rate(item, "upload_bps", value, unit),
            Reply::Download(unit) => self.rate(item, "download_bps", value, unit),
            Reply::Seconds(field) => match value.parse::<u64>() {
                // The API takes a minute to a year, and says so itself where it is less.
                Ok(0) => {}
                Ok(seconds) => self.plan(item, field, json!(seconds)),
                Err(_) => self.wrong(item, "is not a number of seconds"),
            },
            Reply::Name(field) => self.plan(item, field, json!(value)),
            Reply::Dns => {
                for address in value.split_whitespace() {
                    self.list(true, "dns", address);
                }
            }
            Reply::Filter => self.list(true, "filters", value),
            Reply::Routes(field) => self.list(false, field, value),
            Reply::Profile(profile) => {
                let profiles = self.plan.entry("vendor_profiles").or_insert_with(|| json!({}));
                profiles[profile.as_str()] = json!(value);
            }
            Reply::Pair => match homes::pair(value) {
                (Reply::Dns, list) => {
                    for address in list.split([' ', ',']).filter(|text| !text.is_empty()) {
                        self.list(true, "dns", address);
                    }
                }
                (reply, value) => self.item(item, reply, value),
            },
            Reply::AccountInfo => match value.strip_prefix('A') {
                Some(name) => {
                    let service = model::policy::VendorProfile::CiscoService;
                    self.item(item, Reply::Profile(service), name);
                }
                None => self.homeless.push((item, "only services that are on have a home")),
            },
            Reply::ServiceType => {
                let word = match value.to_ascii_lowercase().as_str() {
                    "login-user" | "login" | "1" => "login",
                    "framed-user" | "framed" | "2" => "framed",
                    "outbound-user" | "outbound" | "5" => "outbound",
                    _ => return self.homeless.push((item, "plans know login, framed, outbound")),
                };
                self.plan(item, "service_type", json!(word));
            }
            Reply::FramedProtocol => {
                let word = match value.to_ascii_lowercase().as_str() {
                    "ppp" | "1" => "ppp",
                    "slip" | "2" => "slip",
                    _ => return self.homeless.push((item, "plans know PPP and SLIP")),
                };
                self.plan(item, "framed_protocol", json!(word));
            }
            Reply::Tunnel(word) => {
                let number = if word == "VLAN" { "13" } else { "6" };
                if !value.eq_ignore_ascii_case(word) && value != number {
                    self.homeless.push((item, "of tunnels only VLANs have a home"));
                }
            }
            Reply::Vlan => match value.parse::<u64>() {
                Ok(vlan) => self.plan(item, "vlan", json!(vlan)),
                Err(_) => self.homeless.push((item, "of tunnels only VLANs have a home")),
            },
            Reply::Address if value == NAS_CHOOSES => {
                self.plan(item, "ipv4_method", json!("nas"));
            }
            Reply::Address => match value.parse::<std::net::Ipv4Addr>() {
                Ok(address) => self.own(item, "ipv4", json!(address)),
                Err(_) => self.wrong(item, "is not an IPv4 address"),
            },
            Reply::Netmask => {
                let mask: Result<std::net::Ipv4Addr, _> = value.parse();
                match mask.map(u32::from) {
                    Ok(mask) if mask.leading_ones() + mask.trailing_zeros() == 32 => {
                        self.own(item, NETMASK, json!(mask.leading_ones()));
                    }
                    _ => self.wrong(item, "is not a mask"),
                }
            }
            Reply::Own(field) => self.own(item, field, json!(value)),
            Reply::Steers | Reply::Needless(_) => {}
            Reply::Homeless(why) => self.homeless.push((item, why)),
        }
    }

    fn mikrotik(&mut self, item: &'i Item, value: &str) {
        let read = match rates::mikrotik(value) {
            Ok(read) => read,
            Err(problem) => return self.wrong(item, problem),
        };
        if let Some(lost) = read.lost {
            self.troubles.push((item, lost.to_owned()));
        }
        // A plan has bursts in both directions or in none.
        let bursts = read.burst_download_bps.is_some() && read.burst_upload_bps.is_some();
        if !bursts && (read.burst_download_bps.is_some() || read.burst_upload_bps.is_some()) {
            self.troubles.push((item, "a burst in one direction alone is left out".to_owned()));
        }
        for (field, value, is_burst) in [
            ("download_bps", read.download_bps, false),
            ("upload_bps", read.upload_bps, false),
            ("burst_download_bps", read.burst_download_bps, true),
            ("burst_upload_bps", read.burst_upload_bps, true),
            ("burst_threshold_download_bps", read.threshold_download_bps, true),
            ("burst_threshold_upload_bps", read.threshold_upload_bps, true),
            ("burst_time_s", read.burst_time_s, true),
            ("priority", read.priority, false),
        ] {
            if let Some(value) = value.filter(|_| bursts || !is_burst) {
                self.plan(item, field, json!(value));
            }
        }
    }

    fn rate(&mut self, item: &'i Item, field: &str, value: &str, unit: u64) {
        match value.parse::<u64>().ok().and_then(|rate| rate.checked_mul(unit)) {
            Some(0) => {}
            Some(rate) => self.plan(item, field, json!(rate)),
            None => self.wrong(item, "is not a rate"),
        }
    }

    /// Two vendors' attributes may say the same; where they do not, the first counts.
    fn plan(&mut self, item: &'i Item, field: &str, value: Value) {
        match self.plan.get(field) {
            None => {
                self.plan.insert(field.to_owned(), value);
            }
            Some(known) if *known == value => {}
            Some(_) => self.wrong(item, "is said twice, and not the same: the first counts"),
        }
    }

    fn own(&mut self, item: &'i Item, field: &str, value: Value) {
        match self.service.get(field) {
            None => {
                self.service.insert(field.to_owned(), value);
            }
            Some(known) if *known == value => {}
            Some(_) => self.wrong(item, "is said twice, and not the same: the first counts"),
        }
    }

    fn list(&mut self, of_plan: bool, field: &str, value: &str) {
        let fields = if of_plan { &mut self.plan } else { &mut self.service };
        let list = fields.entry(field).or_insert_with(|| json!([]));
        if let Value::Array(list) = list
            && !list.iter().any(|known| known == value)
        {
            list.push(json!(value));
        }
    }

    fn wrong(&mut self, item: &'i Item, problem: &str) {
        self.troubles.push((item, problem.to_owned()));
    }
}
