//! Deadlines instead of sleeps.

use std::time::{Duration, Instant};

/// What the product promises for what follows a change: a login, a list, a CoA.
pub const SECOND: Duration = Duration::from_secs(1);

/// For what has no promise, such as a start on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Looks until `probe` finds something, and returns it; panics with `what` once `within` is over.
#[track_caller]
pub fn eventually<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        // Judged by when the look began: a slow look is not the program's delay.
        let looked = began.elapsed();
        if let Some(found) = probe() {
            return found;
        }
        assert!(looked < within, "not within {within:?}: {what}");
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_looked_at_until_it_holds() {
        let mut looks = 0;
        let found = eventually("the third look", SECOND, || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, 3);
    }

    #[test]
    #[should_panic(expected = "not within 30ms: never")]
    fn a_condition_that_never_holds_is_named() {
        eventually("never", Duration::from_millis(30), || None::<()>);
    }
}
