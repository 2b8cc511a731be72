//! What would be made here of what FreeRADIUS knew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::tz::TimeZone;
use model::Secret;
use model::identity::normalise_login;
use serde_json::{Map, Value, json};

use super::given::{Given, given};
use super::homes::{self, Check, METHODS};
use super::pairs::{Item, Place};
use super::source::{Client, Person, Source};
use super::walk::{self, Walk};

/// A NAS to make.
#[derive(Debug)]
pub(super) struct Nas {
    pub(super) name: String,
    pub(super) address: IpAddr,
    pub(super) secret: Secret<String>,
    pub(super) vendor: &'static str,
    pub(super) requires_signature: bool,
    pub(super) place: Place,
}

/// A plan to make.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    /// What it is recognised by when the import runs again.
    pub(super) external_id: String,
    /// Its fields, price and name apart.
    pub(super) fields: Map<String, Value>,
    /// Services on it.
    pub(super) services: usize,
    pub(super) place: Place,
}

/// A service to make.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) login: String,
    pub(super) password: Secret<String>,
    /// Where in the plans.
    pub(super) plan: usize,
    /// Its own fields.
    pub(super) fields: Map<String, Value>,
    /// The one NAS it may come through.
    pub(super) nas: Option<IpAddr>,
    /// FreeRADIUS refused it.
    pub(super) refused: bool,
    pub(super) person: Person,
    pub(super) place: Place,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It is not made.
    LeftOut,
    /// It is made, and gets in where FreeRADIUS would have refused.
    Freer,
    /// It is made without something.
    Less,
    /// Something that was read means nothing here.
    Note,
}

impl Weight {
    /// The word for it in JSON and in the file of errors.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::LeftOut => "left_out",
            Self::Freer => "freer",
            Self::Less => "less",
            Self::Note => "note",
        }
    }
}

/// Something that does not come over as it was.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) weight: Weight,
    /// `nas`, `plan`, `service` or `file`.
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) text: String,
}

/// An attribute without a home.
#[derive(Debug)]
pub(super) struct Homeless {
    /// Logins, or entries of DEFAULT and groups, that had it.
    pub(super) uses: usize,
    pub(super) why: &'static str,
    pub(super) first: Place,
}

/// All that would be made, and all that would not.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) nas: Vec<Nas>,
    pub(super) plans: Vec<Plan>,
    pub(super) services: Vec<Service>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) homeless: BTreeMap<String, Homeless>,
    /// Rows of accounting, and those without an end.
    pub(super) history: (u64, u64),
    /// Logins that were read.
    pub(super) logins: usize,
}

/// What the caller decides.
#[derive(Debug)]
pub(super) struct Choices {
    /// The vendor of NAS that FreeRADIUS says nothing about.
    pub(super) vendor: Option<&'static str>,
    /// The zone Expiration is in.
    pub(super) zone: TimeZone,
}

/// Works it out.
pub(super) fn draft(source: &Source, choices: &Choices) -> Draft {
    let mut drafting = Drafting {
        draft: Draft { history: source.history, logins: source.logins.len(), ..Draft::default() },
        plan_of: HashMap::new(),
        names: BTreeSet::new(),
        counted: BTreeSet::new(),
    };
    for (place, text) in &source.notes {
        drafting.trouble(Weight::Note, "file", "", place, text.clone());
    }
    drafting.nas(source, choices);
    for (_, entry) in &source.defaults {
        for item in walk::open(source, &entry.check) {
            drafting.homeless(item, "a condition on the request: the entry is passed over");
            drafting.freer(&entry.check, item);
        }
    }
    for group in source.groups.values() {
        for item in walk::open(source, &group.check) {
            drafting.homeless(item, "a condition on the request: the group is passed over");
            drafting.freer(&group.check, item);
        }
    }
    let mut taken: HashMap<String, &str> = HashMap::new();
    for login in &source.logins {
        let walk = walk::walk(source, login);
        let normal = normalise_login(login);
        let place = place_of(source, login);
        if let Some(other) = taken.get(&normal) {
            let text = format!("as a login it is the same as {other:?}");
            drafting.trouble(Weight::LeftOut, "service", login, &place, text);
            continue;
        }
        taken.insert(normal, login);
        drafting.service(source, login, &walk, &place, choices);
    }
    drafting.memberships(source, &taken);
    drafting.draft.troubles.sort_by_key(|trouble| trouble.weight);
    drafting.draft
}

fn place_of(source: &Source, login: &str) -> Place {
    let file = source.users.get(login).and_then(|own| own.first()).map(|(_, entry)| &entry.place);
    let row = source.rows.get(login).map(|entry| &entry.place);
    // A login is known because one of the two named it.
    file.or(row).cloned().unwrap_or(Place { file: "".into(), line: 0 })
}

struct Drafting {
    draft: Draft,
    plan_of: HashMap<String, usize>,
    names: BTreeSet<String>,
    /// Attribute and login, so that a login counts once for each attribute.
    counted: BTreeSet<(String, String)>,
}

impl Drafting {
    fn trouble(
        &mut self,
        weight: Weight,
        kind: &'static str,
        name: &str,
        place: &Place,
        text: String,
    ) {
        let (name, place) = (name.to_owned(), place.clone());
        self.draft.troubles.push(Trouble { weight, kind, name, place, text });
    }

    /// Says of an entry that is passed over for an item that it would have refused.
    fn freer(&mut self, check: &[Item], item: &Item) {
        if check.iter().any(walk::refuses) {
            let text = format!("refuses by {}, which is not asked for here", item.attribute);
            self.trouble(Weight::Freer, "file", "", &item.place, text);
        }
    }

    fn homeless(&mut self, item: &Item, why: &'static str) {
        let new = || Homeless { uses: 0, why, first: item.place.clone() };
        self.draft.homeless.entry(item.attribute.clone()).or_insert_with(new).uses += 1;
    }

    fn homeless_of(&mut self, login: &str, item: &Item, why: &'static str) {
        if self.counted.insert((item.attribute.to_ascii_lowercase(), login.to_owned())) {
            self.homeless(item, why);
        }
    }

    /// MySQL compares without regard to case, this import does not: what a group would have given
    /// is missing then, its speed among it.
    fn memberships(&mut self, source: &Source, taken: &HashMap<String, &str>) {
        let mut memberships: Vec<_> = source.memberships.iter().collect();
        memberships.sort();
        for (login, groups) in memberships {
            let Some(&known) = taken.get(&normalise_login(login)) else { continue };
            let place = place_of(source, known);
            if known != login {
                let text = format!("its groups are left out: they are those of {login:?}");
                self.trouble(Weight::Less, "service", known, &place, text);
            }
            for (_, group) in groups {
                let other = || source.groups.keys().find(|own| own.eq_ignore_ascii_case(group));
                if !source.groups.contains_key(group)
                    && let Some(other) = other()
                {
                    let text = format!("its group {group:?} is left out: it is not {other:?}");
                    self.trouble(Weight::Less, "service", known, &place, text);
                }
            }
        }
    }

    fn nas(&mut self, source: &Source, choices: &Choices) {
        let guessed = choices.vendor.unwrap_or_else(|| vendor_of_replies(source));
        let mut names = BTreeSet::new();
        for client in &source.clients {
            let address = match address(&client.address) {
                Ok(address) => address,
                Err(text) => {
                    self.trouble(Weight::LeftOut, "nas", &client.name, &client.place, text);
                    continue;
                }
            };
            let Some(secret) = client.secret.clone() else {
                let text = "it has no secret".to_owned();
                self.trouble(Weight::LeftOut, "nas", &client.name, &client.place, text);
                continue;
            };
            if let Some(other) = self.draft.nas.iter().find(|nas| nas.address == address) {
                let same = if other.secret.same_as(secret.expose().as_bytes()) {
                    "the same"
                } else {
                    "another"
                };
                let text = format!(
                    "{address} is at {} already, with {same} secret: that one counts",
                    other.place
                );
                self.trouble(Weight::LeftOut, "nas", &client.name, &client.place, text);
                continue;
            }
            let mut name = client.name.clone();
            let mut number = 2;
            while !names.insert(name.to_lowercase()) {
                name = format!("{} ({number})", client.name);
                number += 1;
            }
            self.draft.nas.push(Nas {
                name,
                address,
                secret,
                vendor: vendor_of(client).unwrap_or(guessed),
                requires_signature: client.requires_signature,
                place: client.place.clone(),
            });
        }
    }

    fn service(
        &mut self,
        source: &Source,
        login: &str,
        walk: &Walk<'_>,
        place: &Place,
        choices: &Choices,
    ) {
        if !walk.own {
            let text = "what is said of it never applies".to_owned();
            return self.trouble(Weight::LeftOut, "service", login, place, text);
        }
        let mut known = Known::default();
        for item in &walk.control {
            self.control(login, item, &mut known, choices);
        }
        let password = match (known.password, known.accepted, known.hash) {
            (Some(password), ..) => password,
            (None, true, _) => {
                let text =
                    "Auth-Type := Accept: it gets in without a password, and no service does";
                return self.trouble(Weight::LeftOut, "service", login, place, text.to_owned());
            }
            (None, false, Some((attribute, why))) => {
                let text = format!("{attribute}: {why}");
                return self.trouble(Weight::LeftOut, "service", login, place, text);
            }
            (None, false, None) => {
                let text = "it has no password".to_owned();
                return self.trouble(Weight::LeftOut, "service", login, place, text);
            }
        };
        for item in &walk.asked {
            let why = homeless_check(&item.attribute);
            self.homeless_of(login, item, why);
            let text = format!("{} is not asked for here: {why}", item.attribute);
            self.trouble(Weight::Freer, "service", login, &item.place, text);
        }
        for entry in &walk.passed {
            let refuses = entry.check.iter().any(walk::refuses);
            let weight = if refuses { Weight::Freer } else { Weight::Less };
            let text = "an entry for special cases is passed over".to_owned();
            self.trouble(weight, "service", login, &entry.place, text);
        }
        let base = given(&walk.base);
        let mut whole = given(&walk.whole);
        for (item, why) in std::mem::take(&mut whole.homeless) {
            self.homeless_of(login, item, why);
        }
        for (item, text) in std::mem::take(&mut whole.troubles) {
            let text = format!("{}: {text}", item.attribute);
            self.trouble(Weight::Less, "service", login, &item.place, text);
        }
        let (plan, mut fields) = self.plan(&walk.groups, base, &whole, place);
        fields.extend(std::mem::take(&mut whole.service));
        if let Some(expires_at) = known.expires_at {
            fields.insert("expires_at".to_owned(), json!(expires_at));
        }
        let nas = walk.nas.and_then(|item| {
            let address = item.value.parse().ok();
            if !self.draft.nas.iter().any(|nas| Some(nas.address) == address) {
                let text = format!("NAS-IP-Address {} is none of the NAS", item.value);
                self.trouble(Weight::Freer, "service", login, &item.place, text);
                return None;
            }
            address
        });
        self.draft.plans[plan].services += 1;
        self.draft.services.push(Service {
            login: login.to_owned(),
            password,
            plan,
            fields,
            nas,
            refused: known.refused,
            person: source.people.get(login).cloned().unwrap_or_default(),
            place: place.clone(),
        });
    }

    fn control(&mut self, login: &str, item: &Item, known: &mut Known, choices: &Choices) {
        if item.expanded {
            return self.homeless_of(login, item, "FreeRADIUS works it out for each request");
        }
        match homes::check(&item.attribute) {
            Check::Password => known.password = Some(Secret::new(item.value.clone())),
            Check::HeadedPassword => match headed(&item.value) {
                Some(password) => known.password = Some(Secret::new(password.to_owned())),
                None => {
                    let why = homeless_check("Crypt-Password");
                    known.hash = Some((item.attribute.clone(), why));
                }
            },
            Check::Hash(why) => {
                self.homeless_of(login, item, why);
                known.hash = Some((item.attribute.clone(), why));
            }
            Check::Expiration => match expiration(&item.value, &choices.zone) {
                Some(at) => known.expires_at = Some(at),
                None => {
                    let text = "Expiration is not a date: it would never end".to_owned();
                    self.trouble(Weight::Freer, "service", login, &item.place, text);
                }
            },
            Check::AuthType => {
                let word = item.value.to_ascii_lowercase();
                match word.as_str() {
                    "reject" => known.refused = true,
                    "accept" => known.accepted = true,
                    _ if METHODS.contains(&word.as_str()) => {}
                    _ => self.homeless_of(login, item, "passwords are proven here, nowhere else"),
                }
            }
            Check::Usual(_) | Check::Needless(_) => {}
            Check::Nas | Check::Group => {
                self.homeless_of(login, item, "it is set, where it means something when asked");
            }
            Check::Homeless(why) => {
                self.homeless_of(login, item, why);
                if LIMITS.iter().any(|limit| item.is(limit)) {
                    let text = format!("{} limits nobody here: {why}", item.attribute);
                    self.trouble(Weight::Freer, "service", login, &item.place, text);
                }
            }
        }
    }

    /// The plan of a login, and what its service has besides.
    fn plan(
        &mut self,
        groups: &[&str],
        base: Given<'_>,
        whole: &Given<'_>,
        place: &Place,
    ) -> (usize, Map<String, Value>) {
        let shared = base.plan;
        if shared.is_empty() {
            return (self.plan_of(groups, whole.plan.clone(), place), Map::new());
        }
        let differs = |name: &String| shared.get(name) != whole.plan.get(name);
        let names: BTreeSet<&String> = shared.keys().chain(whole.plan.keys()).collect();
        let differing: Vec<&String> = names.into_iter().filter(|name| differs(name)).collect();
        let own = |name: &&String| BOTH.contains(&name.as_str()) && whole.plan.contains_key(*name);
        // A burst belongs to its rate: with another rate it would be nonsense.
        let bursts = shared.keys().any(|name| name.starts_with("burst"));
        let rates = differing.iter().copied().any(is_rate);
        // A speed that the group does not have is no exception from it: it is a plan.
        let is_exception = !rates || shared.keys().any(is_rate);
        if differing.iter().all(own) && is_exception && !(bursts && rates) {
            let fields = differing.iter().map(|name| ((*name).clone(), whole.plan[*name].clone()));
            let fields = fields.collect();
            return (self.plan_of(groups, shared, place), fields);
        }
        (self.plan_of(groups, whole.plan.clone(), place), Map::new())
    }

    fn plan_of(&mut self, groups: &[&str], fields: Map<String, Value>, place: &Place) -> usize {
        let name = match groups {
            [] => name_of(&fields),
            groups => groups.join(" + "),
        };
        // Fields are kept in order, so that the same ones give the same text.
        let key = format!("{name}\n{}", Value::Object(fields.clone()));
        if let Some(known) = self.plan_of.get(&key) {
            return *known;
        }
        let name: String = name.chars().take(90).collect();
        let mut unique = name.clone();
        let mut number = 2;
        while !self.names.insert(unique.to_lowercase()) {
            unique = format!("{name} ({number})");
            number += 1;
        }
        // A group keeps its id when it changes; another plan is another one then.
        let external_id = match groups {
            [] => format!("plan:{:016x}", fingerprint(&key)),
            _ if number == 2 => format!("group:{name}"),
            _ => format!("group:{:016x}", fingerprint(&key)),
        };
        let at = self.draft.plans.len();
        let place = place.clone();
        self.draft.plans.push(Plan { name: unique, external_id, fields, services: 0, place });
        self.plan_of.insert(key, at);
        at
    }
}

/// Fields of plans that services have too.
const BOTH: [&str; 8] = [
    "download_bps",
    "upload_bps",
    "session_timeout_s",
    "idle_timeout_s",
    "pool",
    "address_list",
    "ipv6_pool",
    "delegated_pool",
];

fn is_rate(name: impl AsRef<str>) -> bool {
    matches!(name.as_ref(), "download_bps" | "upload_bps")
}

/// Checks that refuse somebody, so that without them more get in.
const LIMITS: [&str; 3] = ["Simultaneous-Use", "Login-Time", "Calling-Station-Id"];

/// What is known of a login besides what it is given.
#[derive(Default)]
struct Known {
    password: Option<Secret<String>>,
    /// The attribute that has it, and why that is of no use.
    hash: Option<(String, &'static str)>,
    refused: bool,
    accepted: bool,
    expires_at: Option<String>,
}

fn homeless_check(attribute: &str) -> &'static str {
    match homes::check(attribute) {
        Check::Homeless(why) | Check::Hash(why) => why,
        _ => "a condition on the request",
    }
}

/// The password behind `{clear}` or `{cleartext}`.
fn headed(value: &str) -> Option<&str> {
    let (kind, password) = value.strip_prefix('{')?.split_once('}')?;
    ["clear", "cleartext"].iter().any(|clear| kind.eq_ignore_ascii_case(clear)).then_some(password)
}

/// When Expiration is, in RFC 3339. FreeRADIUS reads it in its server's zone.
fn expiration(text: &str, zone: &TimeZone) -> Option<String> {
    const TIMES: [&str; 8] = [
        "%b %d %Y %H:%M:%S",
        "%d %b %Y %H:%M:%S",
        "%b %d %Y %H:%M",
        "%d %b %Y %H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%B %d %Y %H:%M:%S",
        "%d %B %Y %H:%M:%S",
    ];
    const DAYS: [&str; 5] = ["%b %d %Y", "%d %b %Y", "%Y-%m-%d", "%B %d %Y", "%d %B %Y"];
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.to_string());
    }
    let text = text.replace(',', " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let time = TIMES.iter().find_map(|format| jiff::civil::DateTime::strptime(format, &text).ok());
    let day = || DAYS.iter().find_map(|format| jiff::civil::Date::strptime(format, &text).ok());
    let at = time.or_else(|| day().map(|day| day.at(0, 0, 0, 0)))?;
    Some(at.to_zoned(zone.clone()).ok()?.timestamp().to_string())
}

/// The one address of a client.
fn address(text: &str) -> Result<IpAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let Some((network, length)) = text.split_once('/') else {
        return Err(format!("{text} is a host name; a NAS is known by its address"));
    };
    let network: IpAddr =
        network.parse().map_err(|_| format!("{text} is neither an address nor a network"))?;
    let whole = if network.is_ipv4() { "32" } else { "128" };
    if length == whole {
        return Ok(network);
    }
    Err(format!(
        "{text} is a network and a NAS has one address: make each NAS in it, or, \
         with `netctl up`, give the network by --nas"
    ))
}

/// The vendor FreeRADIUS names; `None` where it says `other` or nothing.
fn vendor_of(client: &Client) -> Option<&'static str> {
    let kind = client.kind.as_deref()?.trim().to_ascii_lowercase();
    Some(match kind.as_str() {
        "" | "other" => return None,
        "mikrotik" | "routeros" => "mikrotik",
        "cisco" => "cisco",
        "huawei" => "huawei",
        "juniper" | "erx" | "junos" => "juniper",
        "nokia" | "alcatel" | "timetra" => "nokia",
        "accel" | "accel-ppp" => "accel_ppp",
        "chillispot" | "coovachilli" | "coova" => "chillispot",
        "h3c" | "comware" => "h3c",
        "zte" => "zte",
        "ubiquiti" | "ubnt" => "ubiquiti",
        "redback" | "ericsson" => "redback",
        _ => "generic",
    })
}

/// The vendor whose attributes are given, if it is only one.
fn vendor_of_replies(source: &Source) -> &'static str {
    const PREFIXES: [(&str, &str); 8] = [
        ("mikrotik-", "mikrotik"),
        ("cisco-", "cisco"),
        ("huawei-", "huawei"),
        ("erx-", "juniper"),
        ("alc-", "nokia"),
        ("chillispot-", "chillispot"),
        ("h3c-", "h3c"),
        ("zte-", "zte"),
    ];
    let files = source.users.values().flatten().chain(&source.defaults).map(|(_, entry)| entry);
    let replies = files
        .chain(source.rows.values())
        .flat_map(|entry| &entry.reply)
        .chain(source.groups.values().flat_map(|group| &group.reply));
    let mut vendors = BTreeSet::new();
    for item in replies {
        let name = item.attribute.to_ascii_lowercase();
        let found = PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
        vendors.extend(found.map(|(_, vendor)| *vendor));
    }
    match vendors.into_iter().collect::<Vec<_>>()[..] {
        [vendor] => vendor,
        _ => "generic",
    }
}

/// What a plan without a group is called: its rates.
fn name_of(fields: &Map<String, Value>) -> String {
    let rate = |field: &str| fields.get(field).and_then(Value::as_u64);
    match (rate("download_bps"), rate("upload_bps")) {
        (None, None) => "Not limited".to_owned(),
        (Some(down), None) => format!("{} down", bps(down)),
        (None, Some(up)) => format!("{} up", bps(up)),
        (Some(down), Some(up)) => format!("{} down, {} up", bps(down), bps(up)),
    }
}

/// A rate as people say it.
pub(super) fn bps(bps: u64) -> String {
    for (unit, name) in [(1_000_000_000, "Gbit/s"), (1_000_000, "Mbit/s"), (1_000, "kbit/s")] {
        if bps >= unit && bps.is_multiple_of(unit / 10) {
            let (whole, tenth) = (bps / unit, bps % unit / (unit / 10));
            return match tenth {
                0 => format!("{whole} {name}"),
                _ => format!("{whole}.{tenth} {name}"),
            };
        }
    }
    format!("{bps} bit/s")
}

/// FNV-1a, 64 bits: the same in every version of this program, which a hasher of the standard
/// library does not promise.
fn fingerprint(text: &str) -> u64 {
    let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
