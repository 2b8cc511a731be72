//! Which events a webhook or program hears: a list of patterns.
//!
//! `*` is every event, `customer.*` is all of one kind of record, `customer.created` is one.
//! There is no other use of the asterisk.

/// Patterns in one list at most.
pub(crate) const PATTERNS_MAX: usize = 100;

/// What is wrong with a pattern, for the person who typed it. `known` are the kinds there are.
pub(crate) fn check(pattern: &str, known: &[String]) -> Result<(), String> {
    if pattern == "*" || known.iter().any(|kind| kind == pattern) {
        return Ok(());
    }
    match pattern.strip_suffix(".*") {
        Some(entity)
            if known.iter().any(|kind| kind.split_once('.').is_some_and(|(e, _)| e == entity)) =>
        {
            Ok(())
        }
        Some(entity) => {
            Err(format!("there are no events of \"{entity}\" (GET /api/v1/event-types)"))
        }
        None => Err(format!("there is no event \"{pattern}\" (GET /api/v1/event-types)")),
    }
}

/// Whether one of the patterns fits the kind of an event.
pub(crate) fn hears(patterns: &[String], kind: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some("") => true,
        // What is left ends in a full stop, so that `plan.*` does not hear `plan_version.created`.
        Some(prefix) => prefix.ends_with('.') && kind.starts_with(prefix),
        None => pattern == kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_everything_one_record_or_one_event() {
        let hears = |pattern: &str, kind: &str| hears(&[pattern.to_owned()], kind);
        assert!(hears("*", "customer.created"));
        assert!(hears("customer.*", "customer.created"));
        assert!(hears("customer.created", "customer.created"));
        assert!(!hears("customer.*", "customer_label.created"));
        assert!(!hears("customer*", "customer.created"));
        assert!(!hears("customer.created", "customer.updated"));
        assert!(!super::hears(&[], "customer.created"));
    }

    #[test]
    fn a_pattern_nothing_fits_is_refused_by_name() {
        let known = vec!["customer.created".to_owned(), "plan.updated".to_owned()];
        for good in ["*", "customer.*", "customer.created", "plan.*"] {
            assert_eq!(check(good, &known), Ok(()), "{good}");
        }
        for bad in ["", "**", "customer", "cust*", "*.created", "custom.*", "customer.gone"] {
            assert!(check(bad, &known).is_err(), "{bad}");
        }
    }
}
