//! How often somebody may try to sign in.
//!
//! Failures are counted per source address, per account and source address, and per account.
//! Some are free, then each further attempt waits twice as long as the one before. The counts
//! live in a table of bounded size. An attempt counts as a failure before it is judged, so that
//! many at once gain nothing; being right takes it back.
//!
//! Counting per account must not shut its owner out: a browser they signed in with before
//! (proven by a cookie) and an address they came from lately are not held up by what strangers
//! fail at. A known browser has a count of its own, in the database, and is a stranger when
//! that is used up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use daemon::secrets::sha256;
use model::{StaffId, Ts};

/// Rows in memory at most, about 40 octets each.
const ROWS_MAX: usize = 100_000;
/// Accounts whose failures wait to be written, at most; further ones are only in memory.
const NOTED_MAX: usize = 10_000;

/// How a count turns into waiting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// Failures that cost nothing.
    free: u32,
    /// The longest wait, seconds.
    wait_s_max: i64,
    /// After this without an attempt all is forgotten, seconds.
    forget_s: i64,
}

/// What an installation decides about one account from one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lockout {
    /// Failures that cost nothing.
    pub(crate) free: u32,
    /// The longest wait, seconds.
    pub(crate) wait_s_max: i64,
}

impl Lockout {
    /// Unless it decides otherwise.
    pub(crate) const DEFAULT: Lockout = Lockout { free: PAIR.free, wait_s_max: PAIR.wait_s_max };

    fn rule(self) -> Rule {
        Rule { free: self.free, wait_s_max: self.wait_s_max, ..PAIR }
    }
}

/// From one address, whoever is tried.
const ADDRESS: Rule = Rule { free: 20, wait_s_max: 900, forget_s: 3600 };
/// One account from one address.
const PAIR: Rule = Rule { free: 5, wait_s_max: 900, forget_s: 3600 };
/// One account, from everywhere: a rate that a person hardly notices and a botnet does.
const ACCOUNT: Rule = Rule { free: 50, wait_s_max: 300, forget_s: 24 * 3600 };
/// Codes of the second factor: whoever gets here knows the password.
const CODE: Rule = Rule { free: 5, wait_s_max: 3600, forget_s: 24 * 3600 };

// The database forgets both alike.
const _: () = assert!(ACCOUNT.forget_s == CODE.forget_s);

impl Rule {
    /// Seconds an attempt must still wait after so many failures, the last one at `last`.
    fn wait_s(self, failures: u32, last: Ts, now: Ts) -> u32 {
        let since = now.since(last);
        if failures < self.free || since > self.forget_s as f64 {
            return 0;
        }
        let doublings = (failures - self.free).min(20);
        let wait = (1_i64 << doublings).min(self.wait_s_max) as f64;
        // A clock that was set back must not hold anybody up for longer than the rule says.
        (wait - since).clamp(0.0, wait).ceil() as u32
    }
}

/// One count: what it is of, as a hash, and the rule for it.
#[derive(Clone, Copy)]
pub(crate) struct Count([u8; 16], Rule);

fn count(kind: &str, of: &str, rule: Rule) -> Count {
    let hash = sha256(format!("{kind}:{of}").as_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    Count(key, rule)
}

/// The source an address belongs to: for IPv6 the /64, since a customer has at least that.
pub(crate) fn source(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// The count of an address.
pub(crate) fn of_address(address: IpAddr) -> Count {
    count("address", &source(address), ADDRESS)
}

/// The count of an account from an address. The account is whatever was typed: one that does
/// not exist is counted like one that does.
pub(crate) fn of_pair(email: &str, address: IpAddr, lockout: Lockout) -> Count {
    let pair = format!("{} {email}", source(address));
    let Count(mut key, rule) = count("pair", &pair, lockout.rule());
    // The first half is the account's, so that all of its pairs can be found.
    key[..8].copy_from_slice(&pairs_of(email));
    Count(key, rule)
}

/// What the keys of an account's pairs begin with.
fn pairs_of(email: &str) -> [u8; 8] {
    let Count([a, b, c, d, e, f, g, h, ..], _) = count("pairs", email, PAIR);
    [a, b, c, d, e, f, g, h]
}

/// The count of an account.
pub(crate) fn of_account(email: &str) -> Count {
    count("account", email, ACCOUNT)
}

/// Seconds to wait before another code, after wrong ones that are in the database.
pub(crate) fn code_wait_s(failures: i64, last: Option<Ts>, now: Ts) -> u32 {
    wait_s(CODE, failures, last, now)
}

/// Seconds to wait before another attempt at an account, after failures that are in the
/// database.
pub(crate) fn account_wait_s(failures: i64, last: Option<Ts>, now: Ts) -> u32 {
    wait_s(ACCOUNT, failures, last, now)
}

/// Failures in the database before this are forgotten.
pub(crate) fn forgotten(now: Ts) -> Ts {
    now.plus_seconds(-ACCOUNT.forget_s)
}

fn wait_s(rule: Rule, failures: i64, last: Option<Ts>, now: Ts) -> u32 {
    let failures = u32::try_from(failures).unwrap_or(u32::MAX);
    last.map_or(0, |last| rule.wait_s(failures, last, now))
}

/// The count of codes of the second factor.
pub(crate) fn of_codes(staff: StaffId) -> Count {
    count("code", &staff.to_string(), CODE)
}

/// The count of passwords typed by somebody who is signed in.
pub(crate) fn of_own(staff: StaffId, lockout: Lockout) -> Count {
    count("own", &staff.to_string(), lockout.rule())
}

struct Row {
    failures: u32,
    last: Ts,
    forget_s: i64,
}

/// Failures against an account that are not written yet.
pub(crate) struct Noted {
    pub(crate) staff: StaffId,
    pub(crate) failures: i64,
    pub(crate) last: Ts,
    pub(crate) address: IpAddr,
}

/// The counts.
#[derive(Default)]
pub(crate) struct Attempts {
    rows: Mutex<HashMap<[u8; 16], Row>>,
    noted: Mutex<HashMap<StaffId, Noted>>,
}

impl Attempts {
    /// Begins an attempt: seconds to wait, or nothing, and then it counts as failed for now.
    pub(crate) fn begin(&self, counts: &[Count], now: Ts) -> Result<(), u32> {
        let mut rows = lock(&self.rows);
        let wait = |Count(key, rule): &Count| {
            rows.get(key).map_or(0, |row| rule.wait_s(row.failures, row.last, now))
        };
        if let Some(wait) = counts.iter().map(wait).max().filter(|wait| *wait > 0) {
            return Err(wait);
        }
        for Count(key, rule) in counts {
            if rows.len() >= ROWS_MAX && !rows.contains_key(key) {
                make_room(&mut rows, now);
            }
            let forget_s = rule.forget_s;
            let row = rows.entry(*key).or_insert(Row { failures: 0, last: now, forget_s });
            if now.since(row.last) > row.forget_s as f64 {
                row.failures = 0;
            }
            row.failures = row.failures.saturating_add(1);
            row.last = now;
        }
        Ok(())
    }

    /// The attempt was right: it is taken back everywhere, and all of `forgiven` is forgotten.
    /// An address is never forgiven as a whole, or an attacker with an account of their own
    /// would wipe theirs at will.
    pub(crate) fn succeeded(&self, counts: &[Count], forgiven: &[Count]) {
        let mut rows = lock(&self.rows);
        for Count(key, _) in counts {
            if let Some(row) = rows.get_mut(key) {
                row.failures = row.failures.saturating_sub(1);
            }
        }
        for Count(key, _) in forgiven {
            rows.remove(key);
        }
    }

    /// Notes a failure against an account that exists, to be written later: writing now would
    /// tell by its time that the account exists.
    pub(crate) fn note(&self, staff: StaffId, address: IpAddr, now: Ts) {
        let mut noted = lock(&self.noted);
        if noted.len() >= NOTED_MAX && !noted.contains_key(&staff) {
            return;
        }
        let row = noted.entry(staff).or_insert(Noted { staff, failures: 0, last: now, address });
        row.failures += 1;
        (row.last, row.address) = (now, address);
    }

    /// Forgets what was failed at in somebody's name, wherever from; addresses keep what they
    /// failed at as a whole.
    pub(crate) fn forgive(&self, staff: StaffId, email: &str) {
        let mut rows = lock(&self.rows);
        for Count(key, _) in [of_account(email), of_codes(staff), of_own(staff, Lockout::DEFAULT)] {
            rows.remove(&key);
        }
        let pairs = pairs_of(email);
        rows.retain(|key, _| !key.starts_with(&pairs));
        lock(&self.noted).remove(&staff);
    }

    /// Takes what was noted.
    pub(crate) fn take_noted(&self) -> Vec<Noted> {
        lock(&self.noted).drain().map(|(_, noted)| noted).collect()
    }
}

/// Drops what is forgotten anyway, else the eighth that was quiet for longest.
fn make_room(rows: &mut HashMap<[u8; 16], Row>, now: Ts) {
    rows.retain(|_, row| now.since(row.last) <= row.forget_s as f64);
    if rows.len() >= ROWS_MAX {
        let mut times: Vec<Ts> = rows.values().map(|row| row.last).collect();
        let nth = times.len() / 8;
        let (_, oldest, _) = times.select_nth_unstable(nth);
        let oldest = *oldest;
        rows.retain(|_, row| row.last > oldest);
    }
}

/// A panic elsewhere leaves counts that are still counts.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Ts {
        Ts::from_seconds(1_800_000_000 + seconds)
    }

    #[test]
    fn waiting_doubles_after_some_free_failures_and_ends() {
        let attempts = Attempts::default();
        let pair = [of_pair("a@example.net", "192.0.2.1".parse().unwrap(), Lockout::DEFAULT)];
        for _ in 0..5 {
            assert_eq!(attempts.begin(&pair, at(0)), Ok(()));
        }
        assert_eq!(attempts.begin(&pair, at(0)), Err(1));
        assert_eq!(attempts.begin(&pair, at(1)), Ok(()));
        assert_eq!(attempts.begin(&pair, at(2)), Err(1));
        assert_eq!(attempts.begin(&pair, at(3)), Ok(()));
        assert_eq!(attempts.begin(&pair, at(3)), Err(4));
        assert_eq!(PAIR.wait_s(1000, at(0), at(0)), 900, "never longer than the rule says");
        assert_eq!(PAIR.wait_s(1000, at(0), at(-5000)), 900, "a clock set back adds nothing");
        assert_eq!(attempts.begin(&pair, at(3700)), Ok(()), "an hour later all is forgotten");
    }

    #[test]
    fn being_right_takes_back_one_attempt_of_an_address_and_no_more() {
        let attempts = Attempts::default();
        let address = "192.0.2.1".parse().unwrap();
        for n in 0..20 {
            let email = format!("{n}@example.net");
            let counts = [of_address(address), of_pair(&email, address, Lockout::DEFAULT)];
            assert_eq!(attempts.begin(&counts, at(0)), Ok(()));
        }
        let pair = of_pair("own@example.net", address, Lockout::DEFAULT);
        let own = [of_address(address), pair];
        assert_eq!(attempts.begin(&own, at(10)), Ok(()));
        attempts.succeeded(&own, &own[1..]);
        assert_eq!(attempts.begin(&own, at(10)), Err(1), "its account does not wash it clean");
        let elsewhere = [of_address("192.0.2.2".parse().unwrap())];
        assert_eq!(attempts.begin(&elsewhere, at(10)), Ok(()));
    }

    #[test]
    fn one_customer_of_ipv6_is_one_source() {
        let source = |text: &str| super::source(text.parse().unwrap());
        assert_eq!(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff::9"));
        assert_ne!(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }

    #[test]
    fn the_table_stays_within_its_size() {
        let attempts = Attempts::default();
        for n in 0..ROWS_MAX + 10 {
            let row = [count("x", &n.to_string(), PAIR)];
            assert_eq!(attempts.begin(&row, at(n as i64 / 1000)), Ok(()));
        }
        assert!(lock(&attempts.rows).len() <= ROWS_MAX);
        let latest = [count("x", &(ROWS_MAX + 9).to_string(), PAIR)];
        assert!(lock(&attempts.rows).contains_key(&latest[0].0), "the latest are kept");
    }
}
