//! Query strings: a parameter nobody asked for is an error that names it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::web::Query as ActixQuery;

use crate::domain::{Fault, FieldFault, PAGE_DEFAULT, PAGE_MAX};

/// The parameters of a request, being read.
pub(super) struct Query {
    values: BTreeMap<String, String>,
    faults: Vec<FieldFault>,
}

impl Query {
    /// Takes the query string.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Fault> {
        let values = ActixQuery::<BTreeMap<String, String>>::from_query(request.query_string())
            .map_err(|error| {
                Fault::field("", format!("the query string does not read: {error}"))
            })?;
        Ok(Self { values: values.into_inner(), faults: Vec::new() })
    }

    fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.push(FieldFault { pointer: format!("?{name}"), detail: detail.into() });
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let text = self.values.remove(name).filter(|text| !text.is_empty())?;
        if text.chars().any(char::is_control) {
            self.fault(name, "has control characters");
            return None;
        }
        Some(text)
    }

    /// A value read by its type.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, error.to_string());
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fault(name, format!("is one of {}", known.join(", ")));
        }
        found
    }

    /// `limit`: rows on the page.
    pub(super) fn limit(&mut self) -> i64 {
        match self.parsed::<i64>("limit") {
            None => PAGE_DEFAULT,
            Some(limit) if (1..=PAGE_MAX).contains(&limit) => limit,
            Some(_) => {
                self.fault("limit", format!("is a number from 1 to {PAGE_MAX}"));
                PAGE_DEFAULT
            }
        }
    }

    /// Ends the reading.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        let unknown: Vec<String> = self.values.keys().cloned().collect();
        for name in unknown {
            self.fault(&name, "is not a parameter here");
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Fault::Invalid(self.faults)) }
    }
}
