//! What is asked. Every request has other parameters, drawn from what the tenant really has:
//! the words of its customers' names, their numbers, telephones, dates.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::BenchError;
use super::client::Client;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Case {
    /// A page of customers with filters and a sort, and pages far behind the first
    List,
    /// The same, filtered by fields that the organisation added
    Custom,
    /// The first page of a list with its total
    Total,
    /// A page of customers whose name has a text in it
    Contains,
    /// Customers by words: common, rare, begun, several, none
    Search,
    /// A new customer, with its audit entry, its event and its words
    Create,
}

/// Customers a tenant has, to draw from.
#[derive(Clone)]
pub(super) struct Samples(Vec<Value>);

impl Samples {
    /// Some of the newest, some of the oldest, some by name.
    pub(super) async fn take(client: &mut Client) -> Result<Self, BenchError> {
        let mut all = Vec::new();
        for sort in ["-created_at", "created_at", "name", "-name"] {
            let path = format!("/api/v1/customers?sort={sort}&limit=200");
            let answer = client.ask("GET", &path, "").await?;
            let mut page: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            match page["data"].take() {
                Value::Array(rows) if answer.status == 200 => all.extend(rows),
                _ => return Err(BenchError::NoCustomers { path, status: answer.status }),
            }
        }
        match all.is_empty() {
            true => Err(BenchError::NoCustomers { path: "/api/v1/customers".into(), status: 200 }),
            false => Ok(Self(all)),
        }
    }
}

/// A request, and the status it should be answered with.
pub(super) struct Question {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: String,
    pub(super) expected: u16,
}

impl Question {
    fn get(path: String) -> Self {
        Self { method: "GET", path, body: String::new(), expected: 200 }
    }
}

/// Pages one list is read on for, at most.
const PAGES_MAX: u32 = 40;

/// One connection's requests, one after another.
pub(super) struct Questions {
    case: Case,
    samples: Samples,
    chance: u64,
    /// The list being read page by page, with the pages left, and the cursor of the next.
    reading: Option<(String, u32)>,
    cursor: Option<String>,
    made: u64,
}

impl Questions {
    /// From a number on which all chance depends.
    pub(super) fn new(case: Case, samples: Samples, seed: u64) -> Self {
        let chance = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { case, samples, chance, reading: None, cursor: None, made: 0 }
    }

    /// Below `count`; xorshift64.
    fn below(&mut self, count: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) as usize % count.max(1)
    }

    /// A field of some customer, as a parameter's value.
    fn some(&mut self, field: &str) -> String {
        let at = self.below(self.samples.0.len());
        match &self.samples.0[at][field] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The next request.
    pub(super) fn next(&mut self) -> Question {
        self.made += 1;
        match self.case {
            Case::List | Case::Custom => {
                if let (Some((list, left)), Some(cursor)) =
                    (self.reading.take(), self.cursor.take())
                    && left > 0
                {
                    let path = format!("{list}&cursor={cursor}");
                    self.reading = Some((list, left - 1));
                    return Question::get(path);
                }
                let list = self.list();
                // One list in four is read on.
                self.reading = (self.below(4) == 0).then(|| (list.clone(), PAGES_MAX));
                Question::get(list)
            }
            Case::Total => {
                let list = self.list();
                Question::get(format!("{list}&total=true"))
            }
            Case::Contains => {
                let name: Vec<char> = self.some("name").chars().skip(1).take(5).collect();
                let part = escape(&name.iter().collect::<String>());
                Question::get(format!("/api/v1/customers?name[contains]={part}&sort=name"))
            }
            Case::Search => {
                let words = self.words();
                Question::get(format!("/api/v1/customers?q={}", escape(&words)))
            }
            Case::Create => {
                let (name, made) = (self.some("name"), self.made);
                let number = self.below(1_000_000_000);
                let body = json!({
                    "name": name,
                    "email": format!("bench.{number}.{made}@example.com"),
                    "phone": format!("+49{number:09}"),
                    "custom": {"segment": "home", "area": format!("area {:02}", number % 60)},
                });
                Question {
                    method: "POST",
                    path: "/api/v1/customers".to_owned(),
                    body: body.to_string(),
                    expected: 201,
                }
            }
        }
    }

    /// A list as a console's user makes it: a filter or two, and a sort.
    fn list(&mut self) -> String {
        let (created, updated) = (self.some("created_at"), self.some("updated_at"));
        let (created, updated) = (escape(&created), escape(&updated));
        let query = match self.below(10) {
            _ if self.case == Case::Custom => match self.below(3) {
                0 => format!("custom.area=area%20{:02}&sort=-created_at", self.below(60)),
                1 => "custom.segment=business&status=inactive&sort=name".to_owned(),
                _ => format!("custom.months={}&status=active&sort=-number", self.below(40)),
            },
            0 => "status=inactive&sort=name".to_owned(),
            1 => "status=active&sort=-created_at".to_owned(),
            2 => "status[in]=active,inactive&sort=-name".to_owned(),
            3 => format!("created_at[gte]={created}&sort=name"),
            4 => format!("created_at[lt]={created}&status=inactive&sort=-created_at"),
            5 => format!("name[gte]={}&sort=name", escape(&self.some("name"))),
            6 => format!("number[lt]={}&status=active&sort=-number", self.some("number")),
            7 => format!("updated_at[gte]={updated}&sort=updated_at"),
            8 => format!("phone={}&sort=name", escape(&self.some("phone"))),
            _ => "deleted=true&sort=-updated_at".to_owned(),
        };
        format!("/api/v1/customers?{query}")
    }

    /// What somebody types into the search field.
    fn words(&mut self) -> String {
        let name = self.some("name");
        let mut words = name.split(' ').map(str::to_owned);
        let (given, family) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let begun = |word: &str, count: usize| word.chars().take(count).collect::<String>();
        match self.below(10) {
            0 => given,
            1 => family,
            2 => name,
            3 => format!("{} {}", begun(&given, 3), begun(&family, 3)),
            4 => begun(&given, 2),
            5 => self.some("phone"),
            6 => self.some("number"),
            7 => "example".to_owned(),
            8 => format!("nobody{}", self.below(1000)),
            _ => format!("{} {}", given, begun(&self.some("number"), 4)),
        }
    }

    /// Looks at an answer: a list may go on.
    pub(super) fn answered(&mut self, body: &[u8]) {
        if self.reading.is_some() {
            let page: Value = serde_json::from_slice(body).unwrap_or_default();
            self.cursor = page["next_cursor"].as_str().map(str::to_owned);
        }
    }
}

/// A value in a query string (RFC 3986 §2.1).
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Samples {
        Samples(vec![json!({
            "name": "Zoë García", "number": 1001, "phone": "+49170", "email": null,
            "created_at": "2026-03-01T09:30:00Z", "updated_at": "2026-03-01T09:30:00Z",
        })])
    }

    #[test]
    fn questions_vary_and_are_the_same_for_one_seed() {
        for case in
            [Case::List, Case::Custom, Case::Total, Case::Contains, Case::Search, Case::Create]
        {
            let all = |seed| {
                let mut questions = Questions::new(case, samples(), seed);
                (0..100).map(|_| questions.next()).map(|q| q.path + &q.body).collect::<Vec<_>>()
            };
            assert_eq!(all(1), all(1));
            for question in all(1) {
                assert!(question.starts_with("/api/v1/customers"), "{question}");
                assert!(!question.split('{').next().unwrap().contains(['"', ' ', 'ë']));
            }
            if case != Case::Contains {
                assert_ne!(all(1), all(2));
            }
        }
    }

    #[test]
    fn a_list_is_read_on_by_its_cursor_until_it_ends() {
        let mut questions = Questions::new(Case::List, samples(), 3);
        let first = (0..1000).find_map(|_| {
            let question = questions.next();
            questions.answered(b"{\"next_cursor\":\"c1\"}");
            questions.cursor.is_some().then_some(question.path)
        });
        let list = first.unwrap();
        assert_eq!(questions.next().path, format!("{list}&cursor=c1"));
        questions.answered(b"{\"next_cursor\":null}");
        assert!(!questions.next().path.contains("cursor"));
    }
}
