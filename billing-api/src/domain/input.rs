//! Raw JSON becomes domain values at the door.
//!
//! Every problem of a document is collected before any is reported, each with a JSON pointer;
//! a field nobody asked for is a problem too, so that a misspelt name is never ignored.

use std::collections::HashSet;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::{Fault, FieldFault};

/// Largest amount that can be given, minor units.
pub(crate) const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// A document being read.
pub(crate) struct Input {
    fields: Map<String, Value>,
    prefix: String,
    known: HashSet<&'static str>,
    faults: Vec<FieldFault>,
}

impl Input {
    /// Takes a request body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Fault::field("", format!("the body is not JSON: {error}")))?;
        match value {
            Value::Object(fields) => Ok(Self::of(fields, String::new())),
            _ => Err(Fault::field("", "the body must be a JSON object")),
        }
    }

    /// Takes an object that was read already.
    pub(crate) fn of_fields(fields: Map<String, Value>) -> Self {
        Self::of(fields, String::new())
    }

    fn of(fields: Map<String, Value>, prefix: String) -> Self {
        Self { fields, prefix, known: HashSet::new(), faults: Vec::new() }
    }

    /// Notes a problem with a field.
    pub(crate) fn fault(&mut self, field: &str, detail: impl Into<String>) {
        let pointer = format!("{}/{field}", self.prefix);
        self.faults.push(FieldFault { pointer, detail: detail.into() });
    }

    fn take(&mut self, field: &'static str) -> Option<Value> {
        self.known.insert(field);
        self.fields.remove(field).filter(|value| !value.is_null())
    }

    /// Whether a field is there and has a value.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| !value.is_null())
    }

    /// Whether a field is named at all, with a value or with null.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Whether something was said of a field.
    pub(crate) fn complained(&self, field: &str) -> bool {
        let pointer = format!("{}/{field}", self.prefix);
        self.faults.iter().any(|fault| fault.pointer == pointer)
    }

    /// A field that must be there is not, unless something worse was said of it.
    pub(crate) fn missing(&mut self, field: &str) {
        if !self.complained(field) {
            self.fault(field, "is required");
        }
    }

    /// A field that is known, and not taken now.
    pub(crate) fn discard(&mut self, field: &'static str) {
        self.take(field);
    }

    /// A text that may be there; an empty one counts as absent.
    pub(crate) fn optional_text(&mut self, field: &'static str, max: usize) -> Option<String> {
        let text = match self.take(field)? {
            Value::String(text) => text,
            _ => {
                self.fault(field, "must be a text");
                return None;
            }
        };
        let text = text.trim();
        if text.chars().count() > max {
            self.fault(field, format!("has more than {max} characters"));
            return None;
        }
        if text.chars().any(|c| c.is_control()) {
            self.fault(field, "has control characters");
            return None;
        }
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A text of several lines, of at most `max` characters; an empty one counts as absent.
    pub(crate) fn long_text(&mut self, field: &'static str, max: usize) -> Option<String> {
        let text = match self.take(field)? {
            Value::String(text) => text.replace("\r\n", "\n"),
            _ => {
                self.fault(field, "must be a text");
                return None;
            }
        };
        let text = text.trim();
        if text.chars().count() > max {
            self.fault(field, format!("has more than {max} characters"));
            return None;
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            self.fault(field, "has control characters");
            return None;
        }
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A list of at most `items` different words of at most `characters` each; JSON again.
    pub(crate) fn words(
        &mut self,
        field: &'static str,
        items: usize,
        characters: usize,
    ) -> Option<Value> {
        let Value::Array(given) = self.take(field)? else {
            self.fault(field, "must be a list of texts");
            return None;
        };
        if given.len() > items {
            self.fault(field, format!("has more than {items} entries"));
            return None;
        }
        let mut words: Vec<String> = Vec::with_capacity(given.len());
        for (n, word) in given.into_iter().enumerate() {
            let Value::String(word) = word else {
                self.fault(&format!("{field}/{n}"), "must be a text");
                continue;
            };
            let word = word.trim();
            if word.is_empty() || word.chars().count() > characters {
                self.fault(&format!("{field}/{n}"), format!("has 1 to {characters} characters"));
            } else if word.chars().any(char::is_control) {
                self.fault(&format!("{field}/{n}"), "has control characters");
            } else if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        Some(words.into())
    }

    /// An amount of money: `{amount, currency}`, in minor units, not negative.
    pub(crate) fn money(&mut self, field: &'static str) -> Option<model::Money> {
        self.object(field, |money| {
            let has_amount = money.has("amount");
            let amount = money.number("amount", 0, AMOUNT_MAX);
            if !has_amount {
                money.fault("amount", "is required, in minor units");
            }
            let currency = money.required("currency");
            Some(model::Money { amount: amount?, currency: currency? })
        })
    }

    /// Everything that was not taken yet, for whoever checks it elsewhere.
    pub(crate) fn rest(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.fields)
    }

    /// An object with keys of its own.
    pub(crate) fn map(&mut self, field: &'static str) -> Option<Map<String, Value>> {
        match self.take(field)? {
            Value::Object(map) => Some(map),
            _ => {
                self.fault(field, "must be an object");
                None
            }
        }
    }

    /// A text taken as it is, spaces included; for passwords.
    pub(crate) fn optional_raw_text(&mut self, field: &'static str, max: usize) -> Option<String> {
        match self.take(field)? {
            Value::String(text) if text.len() <= max && !text.is_empty() => Some(text),
            Value::String(_) => {
                self.fault(field, format!("must have 1 to {max} octets"));
                None
            }
            _ => {
                self.fault(field, "must be a text");
                None
            }
        }
    }

    /// A text read by its type.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, field: &'static str) -> Option<T> {
        let text = self.optional_text(field, 200)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(field, format!("{error}"));
                None
            }
        }
    }

    /// As [`Input::parsed`], but it must be there.
    pub(crate) fn required<T: FromStr<Err: Display>>(&mut self, field: &'static str) -> Option<T> {
        if !self.has(field) {
            self.take(field);
            self.fault(field, "is required");
            return None;
        }
        let faults = self.faults.len();
        let value = self.parsed(field);
        if value.is_none() && self.faults.len() == faults {
            self.fault(field, "is required");
        }
        value
    }

    /// A whole number within bounds.
    pub(crate) fn number(&mut self, field: &'static str, min: i64, max: i64) -> Option<i64> {
        let value = self.take(field)?;
        match value.as_i64() {
            Some(number) if (min..=max).contains(&number) => Some(number),
            _ => {
                self.fault(field, format!("must be a whole number from {min} to {max}"));
                None
            }
        }
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, field: &'static str) -> Option<bool> {
        match self.take(field)? {
            Value::Bool(flag) => Some(flag),
            _ => {
                self.fault(field, "must be true or false");
                None
            }
        }
    }

    /// An object with fields of its own.
    pub(crate) fn object<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Input) -> Option<T>,
    ) -> Option<T> {
        let fields = match self.take(field)? {
            Value::Object(fields) => fields,
            _ => {
                self.fault(field, "must be an object");
                return None;
            }
        };
        let mut inner = Input::of(fields, format!("{}/{field}", self.prefix));
        let value = read(&mut inner);
        self.faults.append(&mut inner.into_faults());
        value
    }

    fn into_faults(mut self) -> Vec<FieldFault> {
        let unknown: Vec<String> = self.fields.keys().cloned().collect();
        for field in unknown {
            let mut known: Vec<&str> = self.known.iter().copied().collect();
            known.sort_unstable();
            self.fault(&field, format!("is not a field here; there are: {}", known.join(", ")));
        }
        self.faults
    }

    /// Ends the reading: all problems at once, or none.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        let faults = self.into_faults();
        if faults.is_empty() { Ok(()) } else { Err(Fault::Invalid(faults)) }
    }
}

/// A LIKE pattern for "contains", in lower case, with `!` as its escape.
pub(crate) fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// An e-mail address, as far as it can be told without sending one: something, one @, a
/// domain with a dot (RFC 5321 allows more; mail servers refuse it).
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty()
        && local.len() <= 64
        && !local.contains('@')
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
        && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_at_once_with_its_pointer() {
        let body = br#"{"nmae":"x","price":{"amount":-1,"currency":"usd"},"download_bps":"fast"}"#;
        let mut input = Input::parse(body).unwrap();
        if input.optional_text("name", 10).is_none() {
            input.missing("name");
        }
        input.number("download_bps", 1, 100);
        input.object("price", |price| {
            price.number("amount", 0, 100)?;
            price.required::<model::Currency>("currency")
        });
        let Err(Fault::Invalid(faults)) = input.finish() else { panic!("accepted") };
        let pointers: Vec<&str> = faults.iter().map(|f| f.pointer.as_str()).collect();
        assert!(pointers.contains(&"/name"), "{faults:?}");
        assert!(pointers.contains(&"/nmae"));
        assert!(pointers.contains(&"/download_bps"));
        assert!(pointers.contains(&"/price/amount"));
    }

    #[test]
    fn an_email_needs_a_domain() {
        assert!(is_email("asha@example.net"));
        for bad in ["asha", "@example.net", "asha@net", "a b@example.net", "a@b@example.net"] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
