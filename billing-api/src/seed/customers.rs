//! Customers by the million, to measure the office with: a provider with partners of every
//! size, one of them with branches, names in several scripts, custom fields, words to be found
//! by.
//!
//! What a customer looks like follows from its number alone, so that two seeds of one size are
//! the same, identifiers and tokens apart. A set is one transaction and has one audit entry.

use model::{OrganisationId, Secret, TokenId, Ts};
use serde_json::{Value, json};
use store::args;
use uuid::Uuid;

use crate::domain::{Actor, Event, Fault, Office, Unit};
use crate::entity::custom::CUSTOM_FIELD;
use crate::entity::{search, write};
use crate::store::{access, organisation};

/// What seeded rows say of their origin.
const SOURCE: &str = "seed";
/// Customers written in one transaction.
const SET: u64 = 5_000;
/// Seven digits name no more.
const COUNT_MAX: u64 = 10_000_000;
/// Customers' numbers begin behind this one.
const NUMBER_BASE: u64 = 1_000_000;
/// The partners; the last one is tiny.
const PARTNERS: u64 = 24;
/// Branches of the first partner.
const BRANCHES: u64 = 4;
/// One customer in so many is the tiny partner's.
const TINY: u64 = 20_000;
/// The first customer came at the start of 2020, the others every two minutes.
const FIRST_US: i64 = 1_577_836_800_000_000;
const APART_US: i64 = 120_000_000;

store::statements! {
    /// The last seeded customer: the ids given to seeded ones sort as their numbers do.
    FIND_LAST_CUSTOMER = "SELECT MAX(external_id) AS last FROM customer
        WHERE external_source = 'seed' AND external_id LIKE 'n%'";
    /// An organisation by its name below another.
    FIND_NAMED = "SELECT id, path FROM organisation WHERE parent_id = $1 AND name = $2";
    /// A custom field.
    FIND_FIELD = "SELECT id FROM custom_field
        WHERE organisation_id = $1 AND entity = 'customer' AND key = $2 AND deleted_at IS NULL";
    /// Customers from the columns of a set.
    INSERT_CUSTOMERS = {
        sqlite: "INSERT INTO customer
            (id, organisation_id, number, name, email, phone, status, locale, custom,
             external_source, external_id, created_at, created_by, updated_at, updated_by,
             deleted_at, deleted_by)
            SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4,
                value ->> 5, value ->> 6, 'en', value ->> 7, 'seed', value ->> 8,
                value ->> 9, $2, value ->> 10, $2,
                value ->> 11, CASE WHEN value ->> 11 IS NOT NULL THEN $2 END
            FROM json_each($1)",
        postgres: "INSERT INTO customer
            (id, organisation_id, number, name, email, phone, status, locale, custom,
             external_source, external_id, created_at, created_by, updated_at, updated_by,
             deleted_at, deleted_by)
            SELECT (value ->> 0)::uuid, (value ->> 1)::uuid, (value ->> 2)::bigint, value ->> 3,
                value ->> 4, value ->> 5, value ->> 6, 'en', (value ->> 7)::jsonb, 'seed',
                value ->> 8,
                'epoch'::timestamptz + (value ->> 9)::bigint * interval '1 microsecond', $2::text,
                'epoch'::timestamptz + (value ->> 10)::bigint * interval '1 microsecond', $2,
                'epoch'::timestamptz + (value ->> 11)::bigint * interval '1 microsecond',
                CASE WHEN value ->> 11 IS NOT NULL THEN $2 END
            FROM jsonb_array_elements($1::jsonb) AS t (value)",
    };
    /// Their words; deleted records have none.
    INSERT_WORDS = {
        sqlite: "INSERT INTO search_entry (record_id, entity, organisation_id, title, words)
            SELECT unhex(value ->> 0), 'customer', unhex(value ->> 1), value ->> 3, value ->> 12
            FROM json_each($1) WHERE value ->> 11 IS NULL",
        postgres: "INSERT INTO search_entry (record_id, entity, organisation_id, title, words)
            SELECT (value ->> 0)::uuid, 'customer', (value ->> 1)::uuid, value ->> 3, value ->> 12
            FROM jsonb_array_elements($1::jsonb) AS t (value) WHERE value ->> 11 IS NULL",
    };
    /// Numbers given out up to here.
    RAISE_NUMBER = "INSERT INTO number_series (organisation_id, kind, last)
        VALUES ($1, 'customer', $2)
        ON CONFLICT (organisation_id, kind) DO UPDATE SET last = excluded.last
        WHERE number_series.last < excluded.last";
}

/// A seeded provider: what came into being, and tokens of three tenants to ask as.
#[derive(Debug)]
pub struct Tenants {
    /// Customers made now.
    pub created: u64,
    /// Reads and writes as the root organisation.
    pub root: Secret<String>,
    /// As a partner with branches, one customer in twenty.
    pub partner: Secret<String>,
    /// As a partner with a handful of customers.
    pub tiny: Secret<String>,
}

/// Creates what is missing up to `count` customers, and three tokens; nothing where there is
/// no root organisation yet.
pub(crate) async fn grow(office: &Office, count: u64) -> Result<Option<Tenants>, Fault> {
    let count = count.min(COUNT_MAX);
    let root = office.db.fetch_optional(&organisation::FIND_ROOT, args![]).await?;
    let Some(root) = root else { return Ok(None) };
    let root = organisation::organisation(&root)?;
    let last = office.db.fetch_one(&FIND_LAST_CUSTOMER, args![]).await?;
    let last: Option<String> = last.get("last")?;
    let first = last.as_deref().and_then(|text| text.strip_prefix('n'));
    let first = first.and_then(|digits| digits.parse::<u64>().ok()).map_or(0, |last| last + 1);

    let actor = Actor::system(SOURCE, root.id, root.path.clone());
    let mut partners = Vec::new();
    for n in 1..=PARTNERS {
        let name = format!("Seed partner {n:02}");
        partners.push(below(office, &root, (root.id, &root.path), "partner", &name).await?);
    }
    let (first_partner, tiny) = (&partners[0], &partners[PARTNERS as usize - 1]);
    let mut branches = Vec::new();
    for n in 1..=BRANCHES {
        let name = format!("Seed branch {n:02}");
        let parent = (first_partner.0, first_partner.1.as_str());
        branches.push(below(office, &root, parent, "branch", &name).await?.0);
    }
    for field in [
        json!({"entity": "customer", "key": "segment", "label": "Segment", "kind": "choice",
               "choices": ["home", "business", "wholesale"]}),
        json!({"entity": "customer", "key": "area", "label": "Area", "kind": "text"}),
        json!({"entity": "customer", "key": "months", "label": "Months", "kind": "integer"}),
    ] {
        let key = field["key"].as_str().unwrap_or_default();
        if office.db.fetch_optional(&FIND_FIELD, args![root.id, key]).await?.is_none() {
            let draft = write::parse(&CUSTOM_FIELD, &[], field.to_string().as_bytes(), true)?;
            write::create(office, &actor, &CUSTOM_FIELD, draft).await?;
        }
    }

    let seed = Seed {
        root: root.id,
        partners: partners.iter().map(|(id, _)| *id).collect(),
        branches,
        by: actor.label(),
    };
    let mut at = first;
    while at < count {
        let end = (at + SET).min(count);
        seed.write(office, &actor, at, end).await?;
        at = end;
    }
    Ok(Some(Tenants {
        created: count.saturating_sub(first),
        root: token_of(office, root.id).await?,
        partner: token_of(office, first_partner.0).await?,
        tiny: token_of(office, tiny.0).await?,
    }))
}

/// The organisation of this name below another, made if need be; its id and path.
async fn below(
    office: &Office,
    root: &organisation::Organisation,
    (parent, path): (OrganisationId, &str),
    kind: &str,
    name: &str,
) -> Result<(OrganisationId, String), Fault> {
    if let Some(row) = office.db.fetch_optional(&FIND_NAMED, args![parent, name]).await? {
        return Ok((row.get("id")?, row.get("path")?));
    }
    let id = OrganisationId::generate();
    let path = format!("{path}{}/", id.0.simple());
    let args = args![
        id,
        Some(parent),
        path.as_str(),
        kind,
        name,
        false,
        root.currency,
        root.zone.as_str(),
        root.locale.as_str(),
        office.now(),
        SOURCE
    ];
    office.db.execute(&organisation::INSERT, args).await?;
    Ok((id, path))
}

/// A new token of an organisation, with all rights there.
async fn token_of(office: &Office, organisation: OrganisationId) -> Result<Secret<String>, Fault> {
    let secret = daemon::secrets::random_token("lmt_");
    let hash = daemon::secrets::sha256(secret.expose().as_bytes()).to_vec();
    let args = args![
        TokenId::generate(),
        organisation,
        "seed",
        hash,
        json!(["full"]),
        json!([]),
        None::<model::StaffId>,
        None::<model::Ts>,
        office.now(),
        SOURCE,
        None::<i64>
    ];
    office.db.execute(&access::INSERT_TOKEN, args).await?;
    Ok(secret)
}

/// What all seeded customers share.
struct Seed {
    root: OrganisationId,
    partners: Vec<OrganisationId>,
    branches: Vec<OrganisationId>,
    by: String,
}

impl Seed {
    /// Writes the customers with these numbers, all or none.
    async fn write(
        &self,
        office: &Office,
        actor: &Actor,
        first: u64,
        end: u64,
    ) -> Result<(), Fault> {
        let rows = Value::Array((first..end).map(|number| self.row(number)).collect());
        let mut unit = Unit::begin(office, actor).await?;
        unit.execute(&INSERT_CUSTOMERS, args![rows.clone(), self.by.as_str()]).await?;
        unit.execute(&INSERT_WORDS, args![rows]).await?;
        let all = [self.root].into_iter().chain(self.partners.iter().copied());
        for organisation in all.chain(self.branches.iter().copied()) {
            unit.execute(&RAISE_NUMBER, args![organisation, NUMBER_BASE + end]).await?;
        }
        let event = Event {
            kind: "organisation.seeded",
            entity_id: self.root.to_string(),
            payload: json!({"first": external_id(first), "last": external_id(end - 1)}),
            policy: &[],
        };
        unit.record(self.root, event, None).await?;
        unit.commit().await
    }

    /// Half the customers are the root's; the partners' shares fall with their number.
    fn organisation(&self, number: u64) -> OrganisationId {
        let chance = mixed(number, 1);
        let partners = &self.partners;
        if number % TINY == 7 {
            return partners[partners.len() - 1];
        }
        match chance % 100 {
            0..50 => self.root,
            50..55 => match (chance / 100) % (BRANCHES + 1) {
                0 => partners[0],
                n => self.branches[n as usize - 1],
            },
            _ => {
                // The smaller of two throws: the first partners have the most.
                let others = PARTNERS - 2;
                let throws = (chance / 100 % others, chance / 100_000 % others);
                partners[1 + throws.0.min(throws.1) as usize]
            }
        }
    }

    /// Id, organisation, number, name, e-mail address, phone, status, custom fields, external
    /// id, created, updated, deleted, words.
    fn row(&self, number: u64) -> Value {
        let created = FIRST_US + APART_US * number as i64;
        let at = Ts(created);
        let updated = created + (mixed(number, 2) % 50_000_000) as i64 * 1_000_000;
        let deleted = mixed(number, 3).is_multiple_of(50).then_some(updated);
        let customer = Customer::of(number);
        let words: Vec<String> = [
            (NUMBER_BASE + number).to_string(),
            customer.name.clone(),
            customer.email.clone().unwrap_or_default(),
            customer.phone.clone(),
        ]
        .iter()
        .flat_map(|text| search::words(text))
        .collect();
        json!([
            id_at(at, number).simple().to_string(),
            self.organisation(number).0.simple().to_string(),
            NUMBER_BASE + number,
            customer.name,
            customer.email,
            customer.phone,
            if mixed(number, 4).is_multiple_of(17) { "inactive" } else { "active" },
            customer.custom.to_string(),
            external_id(number),
            created,
            updated,
            deleted,
            words.join(" "),
        ])
    }
}

fn external_id(number: u64) -> String {
    format!("n{number:07}")
}

/// An id as one made at that instant looks (RFC 9562 §5.7), always the same for a number.
fn id_at(at: Ts, number: u64) -> Uuid {
    let random = (u128::from(mixed(number, 5)) << 64 | u128::from(mixed(number, 6))).to_be_bytes();
    let mut tail = [0; 10];
    tail.copy_from_slice(&random[..10]);
    uuid::Builder::from_unix_timestamp_millis(at.0 as u64 / 1000, &tail).into_uuid()
}

/// A number that looks like chance and is not: the finaliser of SplitMix64.
fn mixed(number: u64, salt: u64) -> u64 {
    let mut x = number.wrapping_mul(8).wrapping_add(salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What a customer is like.
struct Customer {
    name: String,
    email: Option<String>,
    phone: String,
    custom: Value,
}

impl Customer {
    fn of(number: u64) -> Self {
        // Few names are common and most are not: the smaller of two throws.
        let pick = |salt: u64, all: &'static [&'static str]| {
            let (a, b) = (mixed(number, salt), mixed(number, salt + 100));
            let count = all.len() as u64;
            all[(a % count).min(b % count) as usize]
        };
        let script = match mixed(number, 10) % 10 {
            0..6 => &LATIN,
            6 => &DEVANAGARI,
            7 => &ARABIC,
            8 => &CYRILLIC,
            _ => &HAN,
        };
        let (given, family) = (pick(11, script.given), pick(12, script.family));
        let name = format!("{given}{}{family}", script.between);
        let handle = match script.between {
            " " if given.is_ascii() => format!("{}.{}", given, family).to_lowercase(),
            _ => "mail".to_owned(),
        };
        let domain = ["example.com", "example.net", "example.org"][mixed(number, 13) as usize % 3];
        let segment =
            ["home", "home", "home", "business", "wholesale"][mixed(number, 17) as usize % 5];
        Self {
            name,
            email: (!mixed(number, 14).is_multiple_of(5))
                .then(|| format!("{handle}.{number}@{domain}")),
            phone: format!(
                "+{}{:09}",
                20 + mixed(number, 15) % 70,
                mixed(number, 16) % 999_999_999
            ),
            custom: json!({
                "segment": segment,
                "area": format!("area {:02}", mixed(number, 18) % 60),
                "months": 1 + mixed(number, 19) % 36,
            }),
        }
    }
}

/// Names of one script.
struct Script {
    given: &'static [&'static str],
    between: &'static str,
    family: &'static [&'static str],
}

const LATIN: Script = Script {
    given: &[
        "Asha", "Ben", "Carla", "Dmitri", "Emeka", "Farah", "Goran", "Hana", "Ivan", "Jun", "Kofi",
        "Lena", "Maria", "Nadia", "Omar", "Priya", "Quinn", "Rosa", "Sven", "Tara", "Uma",
        "Viktor", "Wanjiru", "Ximena", "Yusuf", "Zoë", "Anaïs", "Björn", "Chloé", "Düzgün",
    ],
    between: " ",
    family: &[
        "Kumar",
        "Okafor",
        "Silva",
        "Novak",
        "Haddad",
        "Lindqvist",
        "Tanaka",
        "García",
        "Müller",
        "Rao",
        "Petrov",
        "Mensah",
        "Costa",
        "Ivanova",
        "Khan",
        "Schmidt",
        "Nguyen",
        "Díaz",
        "Olsen",
        "Patel",
        "Abara",
        "Bianchi",
        "Cohen",
        "Dubois",
        "Eriksen",
        "Ferrari",
        "Gomes",
        "Horvat",
        "Ito",
        "Jensen",
        "Kowalski",
        "Larsen",
        "Moreau",
        "Nagy",
        "Obi",
        "Popescu",
        "Quispe",
        "Rossi",
        "Sato",
        "Tóth",
    ],
};
const DEVANAGARI: Script = Script {
    given: &["आशा", "राम", "सीता", "मोहन", "गीता", "अर्जुन", "लक्ष्मी", "विजय"],
    between: " ",
    family: &["कुमार", "शर्मा", "वर्मा", "गुप्ता", "सिंह", "यादव", "पटेल", "जोशी"],
};
const ARABIC: Script = Script {
    given: &["محمد", "فاطمة", "أحمد", "عائشة", "علي", "زينب", "عمر", "مريم"],
    between: " ",
    family: &["حداد", "خوري", "نجار", "منصور", "سالم", "صالح", "عباس", "شريف"],
};
const CYRILLIC: Script = Script {
    given: &["Анна", "Иван", "Ольга", "Дмитрий", "Мария", "Сергей", "Елена", "Павел"],
    between: " ",
    family: &["Иваненко", "Петров", "Коваль", "Соколов", "Мельник", "Попов", "Шевчук", "Лебедев"],
};
const HAN: Script = Script {
    given: &["王", "李", "张", "刘", "陈", "杨", "赵", "黄"],
    between: "",
    family: &["伟", "芳", "秀英", "敏", "静", "丽", "强", "磊"],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use daemon::secrets::Keyring;
    use model::SystemClock;

    use super::*;
    use crate::domain::access::token;
    use crate::domain::customer::CUSTOMER;
    use crate::entity::query::ListQuery;
    use crate::entity::read;
    use crate::store::MIGRATIONS;

    #[tokio::test]
    async fn a_provider_grows_to_its_count_and_can_be_searched_by_its_tenants() {
        for test in store::testing::engines("billing").await {
            test.db.migrate(&MIGRATIONS).await.unwrap();
            let clock = Arc::new(SystemClock);
            let office = Office::new(test.db.clone(), test.db.clone(), Keyring::ephemeral(), clock);
            assert!(grow(&office, 3).await.unwrap().is_none(), "nobody lives here yet");
            let config = crate::config::FirstStart::default();
            crate::first_start::prepare(&office, &config, None).await.unwrap();
            for (asked, created) in [(300, 300), (300, 0), (400, 100)] {
                assert_eq!(grow(&office, asked).await.unwrap().unwrap().created, created);
            }
            let tenants = grow(&office, 0).await.unwrap().unwrap();
            let mut counts = Vec::new();
            for secret in [&tenants.root, &tenants.partner, &tenants.tiny] {
                let home = std::net::IpAddr::from([127, 0, 0, 1]);
                let (actor, _) = token::prove(&office, secret.expose(), home).await.unwrap();
                let count = async |name: &str, value: &str| {
                    let parameters = BTreeMap::from([(name.to_owned(), value.to_owned())]);
                    let mut query = ListQuery::parse(&CUSTOMER, &[], parameters).unwrap();
                    query.total = true;
                    read::list(&office, &actor, &CUSTOMER, &query).await.unwrap().total.unwrap().0
                };
                counts.push((count("deleted", "false").await, count("deleted", "true").await));
                if counts.len() == 1 {
                    assert!(count("q", "कुमार").await > 0);
                    // The last seeded number, then what a new customer gets.
                    assert_eq!(count("number", "1000399").await, 1);
                }
            }
            let [root, partner, tiny] = counts[..] else { panic!("three tenants") };
            assert_eq!(root.0 + root.1, 400);
            assert!(root.1 > 0 && partner.0 > 0 && partner.0 < 60, "{counts:?}");
            assert_eq!(tiny.0 + tiny.1, 1);
        }
    }
}
