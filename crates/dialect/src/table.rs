//! What the documentation shows: each part of a policy, and the attributes each vendor has for
//! it.

use model::nas::Vendor;
use radius_wire::attr;
use radius_wire::dictionary::Dictionary;

use crate::item::Item;
use crate::places::{Dialect, Dns, Live, Place, Rate, Vlan};
use crate::vendors;

/// The table of every vendor as Markdown, with the names of a dictionary.
pub fn markdown(dictionary: &Dictionary) -> String {
    let mut text = String::new();
    for vendor in Vendor::ALL {
        let dialect = vendors::of(vendor);
        text += &format!("### {} (`{}`)\n\n", vendor.title(), vendor.as_str());
        text += "| part of the policy | attribute |\n|---|---|\n";
        for item in Item::ALL {
            let cell = cell(dialect, item, dictionary);
            let cell = if cell.is_empty() { "**not carried**".to_owned() } else { cell };
            text += &format!("| {} | {cell} |\n", item.as_str());
        }
        text += &format!("| by CoA | {} |\n\n", live(dialect, dictionary));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn cell(dialect: &Dialect, item: Item, names: &Dictionary) -> String {
    let standard = |kind| show(Place::Standard(kind), names);
    let maybe = |place: Option<Place>| place.map_or_else(String::new, |place| show(place, names));
    match item {
        Item::Rate => match dialect.rate {
            Rate::Mikrotik => "Mikrotik-Rate-Limit `up/down`".to_owned(),
            Rate::Numbers { up, down, unit, .. } => {
                let unit = if unit == 1 { "bit/s" } else { "kbit/s" };
                format!("{} up, {} down, {unit}", show(up, names), show(down, names))
            }
            Rate::FilterId => "Filter-Id `down/up`, kbit/s".to_owned(),
            Rate::Names => "by vendor profile".to_owned(),
        },
        Item::Burst => match dialect.rate {
            Rate::Mikrotik => "Mikrotik-Rate-Limit".to_owned(),
            Rate::Numbers { peak: Some((up, down)), .. } => {
                format!("{} up, {} down", show(up, names), show(down, names))
            }
            Rate::Names => "by vendor profile".to_owned(),
            _ => String::new(),
        },
        Item::Priority => match dialect.rate {
            Rate::Mikrotik => "Mikrotik-Rate-Limit".to_owned(),
            Rate::Names => "by vendor profile".to_owned(),
            _ => String::new(),
        },
        Item::VendorProfiles => {
            let name = |name: &crate::places::Name| {
                format!("`{}`: {}", name.profile.as_str(), show(name.place, names))
            };
            dialect.names.iter().map(name).collect::<Vec<_>>().join(", ")
        }
        Item::Interim => standard(attr::ACCT_INTERIM_INTERVAL),
        Item::Attributes => "as written".to_owned(),
        Item::SessionTimeout => standard(attr::SESSION_TIMEOUT),
        Item::IdleTimeout => standard(attr::IDLE_TIMEOUT),
        Item::Ipv4 => "Framed-IP-Address, Framed-IP-Netmask".to_owned(),
        Item::Pool => maybe(dialect.pool),
        Item::Ipv6Address => maybe(dialect.ipv6_address),
        Item::Ipv6Prefix => maybe(dialect.ipv6_prefix),
        Item::Ipv6Pool => maybe(dialect.ipv6_pool),
        Item::DelegatedPrefix => maybe(dialect.delegated_prefix),
        Item::DelegatedPool => maybe(dialect.delegated_pool),
        Item::Routes => maybe(dialect.routes),
        Item::Ipv6Routes => maybe(dialect.ipv6_routes),
        Item::Dns => {
            let both = [dns(dialect.dns, names), dns(dialect.ipv6_dns, names)];
            let both: Vec<String> = both.into_iter().filter(|text| !text.is_empty()).collect();
            both.join("; ")
        }
        Item::Vlan => match dialect.vlan {
            Vlan::Nothing => String::new(),
            Vlan::Tunnel => "Tunnel-Type, Tunnel-Medium-Type, Tunnel-Private-Group-Id".to_owned(),
            Vlan::Number(place) => show(place, names),
        },
        Item::ServiceType => standard(attr::SERVICE_TYPE),
        Item::FramedProtocol => standard(attr::FRAMED_PROTOCOL),
        Item::AddressList => maybe(dialect.address_list),
        Item::Filters => maybe(dialect.filters),
        Item::Garden => {
            let mut ways: Vec<String> = Vec::new();
            ways.extend(dialect.confines.map(|place| format!("list: {}", show(place, names))));
            ways.extend(dialect.pool.map(|place| format!("pool: {}", show(place, names))));
            if !dialect.names.is_empty() {
                ways.push("vendor profile".to_owned());
            }
            ways.join(", ")
        }
        Item::Redirect => maybe(dialect.redirect),
    }
}

fn dns(dns: Dns, names: &Dictionary) -> String {
    match dns {
        Dns::Nothing => String::new(),
        Dns::Two(first, second) | Dns::TwoTexts(first, second) => {
            format!("{}, {}", show(first, names), show(second, names))
        }
        Dns::Each(place) | Dns::Line(place) => show(place, names),
    }
}

fn live(dialect: &Dialect, names: &Dictionary) -> String {
    let timeouts = if dialect.live_idle { "timeouts" } else { "session timeout" };
    match dialect.live {
        Live::Nothing => "nothing: Disconnect".to_owned(),
        Live::AsAccept => format!("rates as above, {timeouts}"),
        Live::Numbers { up, down } => {
            format!("{} up, {} down, bit/s; {timeouts}", show(up, names), show(down, names))
        }
        Live::Service(profile, place) => format!(
            "{} where `{}` has rates in it, {timeouts}; else Disconnect",
            show(place, names),
            profile.as_str()
        ),
    }
}

fn show(place: Place, names: &Dictionary) -> String {
    let name = |vendor: u32, kind: u8| {
        names
            .get(vendor, &[u32::from(kind)])
            .map_or_else(|| format!("26.{vendor}.{kind}"), |known| known.name.to_string())
    };
    match place {
        Place::Standard(kind) => name(0, kind),
        Place::Own(vendor, kind) => name(vendor, kind),
        Place::Pair(text) => format!("{} `{text}…`", name(radius_wire::vendor::CISCO, 1)),
        Place::Marked(vendor, kind, "\u{1}") => format!("{}:1", name(vendor, kind)),
        Place::Marked(vendor, kind, mark) => format!("{} `{mark}…`", name(vendor, kind)),
    }
}
