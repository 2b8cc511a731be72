//! The message catalogue: every sentence a subscriber, a customer or the office reads.
//!
//! Texts live in `locales/LANGUAGE.ftl` (Project Fluent syntax). A missing text falls back to
//! English; a text missing there too is shown as its key, and a test keeps that from happening.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

pub use fluent_bundle::FluentValue;

/// The shipped languages, the fallback first.
const SOURCES: [(&str, &str); 1] = [("en", include_str!("../locales/en.ftl"))];

struct Language {
    tag: &'static str,
    bundle: FluentBundle<FluentResource>,
}

fn languages() -> &'static [Language] {
    static LANGUAGES: OnceLock<Vec<Language>> = OnceLock::new();
    LANGUAGES.get_or_init(|| SOURCES.iter().map(|(tag, source)| load(tag, source)).collect())
}

fn load(tag: &'static str, source: &str) -> Language {
    // A shipped text that does not parse is our bug; the test below finds it before anyone.
    let resource =
        FluentResource::try_new(source.to_owned()).unwrap_or_else(|(partial, _)| partial);
    let id: LanguageIdentifier = tag.parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![id]);
    // Isolation marks are for mixed scripts in one line; they would end up in RADIUS replies.
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(resource);
    Language { tag, bundle }
}

/// The text of `key` in the reader's `locale` (a BCP 47 tag; its language decides).
pub fn text(locale: &str, key: &str, args: &[(&'static str, FluentValue<'static>)]) -> String {
    let language = locale.split(['-', '_']).next().unwrap_or("en");
    let own = languages().iter().find(|l| l.tag == language);
    let mut arguments = FluentArgs::new();
    for (name, value) in args {
        arguments.set(*name, value.clone());
    }
    own.and_then(|l| format(l, key, &arguments))
        .or_else(|| format(&languages()[0], key, &arguments))
        .unwrap_or_else(|| key.to_owned())
}

fn format(language: &Language, key: &str, args: &FluentArgs<'_>) -> Option<String> {
    let pattern = language.bundle.get_message(key)?.value()?;
    let mut errors = Vec::new();
    Some(language.bundle.format_pattern(pattern, Some(args), &mut errors).into_owned())
}

/// Whether the English catalogue has this key; for tests that walk the keys in use.
pub fn has(key: &str) -> bool {
    languages()[0].bundle.get_message(key).is_some_and(|m| m.value().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reject::RejectReason;

    #[test]
    fn every_shipped_text_parses() {
        for (tag, source) in SOURCES {
            assert!(FluentResource::try_new(source.to_owned()).is_ok(), "{tag}.ftl");
        }
    }

    #[test]
    fn every_reject_reason_has_a_text() {
        for reason in RejectReason::ALL {
            assert!(has(reason.text_key()), "{reason}");
        }
        assert_eq!(text("en-GB", "reject-paused", &[]), "Your service is paused.");
        assert_eq!(text("xx", "reject-paused", &[]), "Your service is paused.");
    }
}
