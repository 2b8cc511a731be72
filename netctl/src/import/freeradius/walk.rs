//! What FreeRADIUS would find for a login, as far as it does not depend on the request.
//!
//! - Users files: the entries of the login and of DEFAULT, in the order of the file, up to the
//!   first that applies and has no `Fall-Through = Yes`.
//! - Tables: the login's own rows; then, unless they say `Fall-Through = No`, its groups by
//!   priority, up to the first that applies and has no `Fall-Through = Yes`.
//!
//! What is asked about the request cannot be answered here. An entry of DEFAULT or a group that
//! asks is passed over; a login's own entry that asks counts, and so lets in more than before.

use super::homes::{self, Check};
use super::pairs::{Item, Op};
use super::source::{Entry, Source};

/// What was found.
#[derive(Default)]
pub(super) struct Walk<'s> {
    /// What is set about the login, merged.
    pub(super) control: Vec<&'s Item>,
    /// What the login is given by groups and DEFAULT alone, merged.
    pub(super) base: Vec<&'s Item>,
    /// What it is given in all, merged.
    pub(super) whole: Vec<&'s Item>,
    /// The groups that gave something.
    pub(super) groups: Vec<&'s str>,
    /// What was asked in the login's own entries, and could not be answered.
    pub(super) asked: Vec<&'s Item>,
    /// The NAS it may come through.
    pub(super) nas: Option<&'s Item>,
    /// Own entries that were left out because another asks less.
    pub(super) passed: Vec<&'s Entry>,
    /// Whether anything was its own.
    pub(super) own: bool,
}

/// Whether a question is answered with yes.
enum Answer {
    Yes,
    No,
    Open,
}

/// Whether an entry applies.
enum Applies<'s> {
    Yes { nas: Option<&'s Item> },
    No,
    Open { asked: Vec<&'s Item>, nas: Option<&'s Item> },
}

/// Walks through all that is said of a login.
pub(super) fn walk<'s>(source: &'s Source, login: &str) -> Walk<'s> {
    let mut found = Walk::default();
    files(source, login, &mut found);
    tables(source, login, &mut found);
    found
}

fn files<'s>(source: &'s Source, login: &str, found: &mut Walk<'s>) {
    let own = source.users.get(login).map(Vec::as_slice).unwrap_or_default();
    // With an entry that asks nothing at hand, those that ask are for special cases.
    let asks_less = own.iter().any(|(_, entry)| {
        matches!(applies(source, login, &entry.check, true), Applies::Yes { .. })
    });
    let mut entries: Vec<(usize, bool, &Entry)> = own
        .iter()
        .map(|(at, entry)| (*at, true, entry))
        .chain(source.defaults.iter().map(|(at, entry)| (*at, false, entry)))
        .collect();
    entries.sort_by_key(|(at, ..)| *at);
    for (_, is_own, entry) in entries {
        match applies(source, login, &entry.check, is_own) {
            Applies::No => continue,
            Applies::Open { .. } if !is_own => continue,
            Applies::Open { .. } if asks_less => {
                found.passed.push(entry);
                continue;
            }
            Applies::Open { asked, nas } => {
                found.asked.extend(asked);
                found.nas = found.nas.or(nas);
            }
            Applies::Yes { nas } => found.nas = found.nas.or(nas),
        }
        found.take(&entry.check, &entry.reply, is_own);
        if !falls_through(&entry.reply).unwrap_or(false) {
            break;
        }
    }
}

fn tables<'s>(source: &'s Source, login: &str, found: &mut Walk<'s>) {
    let mut goes_on = true;
    if let Some(entry) = source.rows.get(login) {
        match applies(source, login, &entry.check, true) {
            Applies::No => {}
            Applies::Open { asked, nas } => {
                found.asked.extend(asked);
                found.nas = found.nas.or(nas);
                goes_on = falls_through(&entry.reply).unwrap_or(true);
                found.take(&entry.check, &entry.reply, true);
            }
            Applies::Yes { nas } => {
                found.nas = found.nas.or(nas);
                goes_on = falls_through(&entry.reply).unwrap_or(true);
                found.take(&entry.check, &entry.reply, true);
            }
        }
    }
    if !goes_on {
        return;
    }
    let mut groups: Vec<&(i64, String)> =
        source.memberships.get(login).into_iter().flatten().collect();
    groups.sort_by_key(|(priority, _)| *priority);
    for (_, name) in groups {
        let Some(group) = source.groups.get(name) else { continue };
        if !matches!(applies(source, login, &group.check, false), Applies::Yes { .. }) {
            continue;
        }
        found.take(&group.check, &group.reply, false);
        found.groups.push(name);
        if !falls_through(&group.reply).unwrap_or(false) {
            break;
        }
    }
}

impl<'s> Walk<'s> {
    fn take(&mut self, check: &'s [Item], reply: &'s [Item], is_own: bool) {
        self.own |= is_own;
        let set: Vec<&Item> = check.iter().filter(|item| is_set(item)).collect();
        merge(&mut self.control, &set);
        let reply: Vec<&Item> = reply.iter().collect();
        merge(&mut self.whole, &reply);
        if !is_own {
            merge(&mut self.base, &reply);
        }
    }
}

/// The questions of an entry of DEFAULT or of a group for which it is passed over.
pub(super) fn open<'s>(source: &'s Source, check: &'s [Item]) -> Vec<&'s Item> {
    match applies(source, "", check, false) {
        Applies::Open { asked, .. } => asked,
        _ => Vec::new(),
    }
}

/// Whether an item of a check gives something instead of asking. Rows without an operator
/// compare; nobody means that of a password or a number of sessions.
fn is_set(item: &Item) -> bool {
    !item.op.asks()
        || item.op == Op::Equal
            && (matches!(homes::check(&item.attribute), Check::Password)
                || item.is("Simultaneous-Use"))
}

fn applies<'s>(source: &'s Source, login: &str, check: &'s [Item], is_own: bool) -> Applies<'s> {
    let (mut asked, mut nas) = (Vec::new(), None);
    for item in check.iter().filter(|item| !is_set(item)) {
        let home = homes::check(&item.attribute);
        if is_own && home == Check::Nas && item.op == Op::Equal && nas.is_none() {
            nas = Some(item);
            continue;
        }
        match answer(source, login, item, home) {
            Answer::Yes => {}
            Answer::No => return Applies::No,
            Answer::Open => asked.push(item),
        }
    }
    if asked.is_empty() { Applies::Yes { nas } } else { Applies::Open { asked, nas } }
}

fn answer(source: &Source, login: &str, item: &Item, home: Check) -> Answer {
    let known = |yes| if yes { Answer::Yes } else { Answer::No };
    match (home, item.op) {
        // No login is meant where DEFAULT itself is asked about.
        _ if login.is_empty() && asks_of_login(item, home) => Answer::Yes,
        (Check::Group, Op::Equal) => {
            let groups = source.memberships.get(login);
            known(groups.is_some_and(|own| own.iter().any(|(_, name)| *name == item.value)))
        }
        (Check::Usual(word), Op::Equal) if item.value.eq_ignore_ascii_case(word) => Answer::Yes,
        _ if item.is("User-Name") && item.op == Op::Equal => known(item.value == login),
        _ => Answer::Open,
    }
}

fn asks_of_login(item: &Item, home: Check) -> bool {
    item.op == Op::Equal && (home == Check::Group || item.is("User-Name"))
}

/// Whether an item refuses a login.
pub(super) fn refuses(item: &Item) -> bool {
    item.is("Auth-Type") && !item.op.asks() && item.value.eq_ignore_ascii_case("reject")
}

/// What Fall-Through says, where it is said.
fn falls_through(reply: &[Item]) -> Option<bool> {
    let item = reply.iter().find(|item| item.is("Fall-Through"))?;
    Some(item.value.eq_ignore_ascii_case("yes") || item.value == "1")
}

/// Adds an entry's items as their operators say. Items of one entry do not displace each other.
fn merge<'s>(into: &mut Vec<&'s Item>, items: &[&'s Item]) {
    let before = into.len();
    let was_there: Vec<&str> = into.iter().map(|item| item.attribute.as_str()).collect();
    let had = |item: &Item| was_there.iter().any(|name| item.is(name));
    let (mut removed, mut added): (Vec<&Item>, Vec<&Item>) = (Vec::new(), Vec::new());
    for item in items {
        match item.op {
            Op::Set => {
                removed.push(item);
                added.push(item);
            }
            Op::Add => added.push(item),
            Op::Remove => removed.push(item),
            Op::Default | Op::Equal | Op::Compare(_) if !had(item) => added.push(item),
            Op::Default | Op::Equal | Op::Compare(_) => {}
        }
    }
    let mut at = 0;
    into.retain(|own| {
        at += 1;
        let goes = removed
            .iter()
            .any(|item| own.is(&item.attribute) && (item.op == Op::Set || own.value == item.value));
        at > before || !goes
    });
    into.extend(added);
}

#[cfg(test)]
mod tests {
    use super::super::pairs::{Place, Scan};
    use super::super::source::Group;
    use super::*;

    fn place() -> Place {
        Place { file: "f".into(), line: 1 }
    }

    fn items(text: &str) -> Vec<Item> {
        let mut items = Vec::new();
        Scan::new(text).items(&place(), &mut items).unwrap();
        items
    }

    fn source(entries: &[(&str, &str, &str)]) -> Source {
        let mut source = Source::default();
        for (name, check, reply) in entries {
            let entry = Entry { check: items(check), reply: items(reply), place: place() };
            source.entry(name, entry);
        }
        source
    }

    fn shown(items: &[&Item]) -> Vec<String> {
        items.iter().map(|item| format!("{}={}", item.attribute, item.value)).collect()
    }

    #[test]
    fn entries_apply_in_order_until_one_does_not_fall_through() {
        let source = source(&[
            ("DEFAULT", "Framed-Protocol == PPP", "A = 1, Fall-Through = Yes"),
            ("DEFAULT", "Huntgroup-Name == x", "A := 9"),
            ("bob", "Cleartext-Password := p", "A := 2, B = 2, Fall-Through = Yes"),
            ("DEFAULT", "", "B = 3, C += 3"),
            ("DEFAULT", "", "C += 4"),
        ]);
        let found = walk(&source, "bob");
        assert_eq!(shown(&found.whole), ["Fall-Through=Yes", "A=2", "B=2", "C=3"]);
        assert_eq!(shown(&found.base), ["A=1", "Fall-Through=Yes", "B=3", "C=3"]);
        assert_eq!(shown(&found.control), ["Cleartext-Password=p"]);
        assert!(found.asked.is_empty() && found.own);
    }

    #[test]
    fn an_own_entry_that_asks_counts_only_where_none_asks_less() {
        let entries = [
            ("bob", "Cleartext-Password := p, Calling-Station-Id == x", "A = 1"),
            ("bob", "Cleartext-Password := p", "A = 2"),
        ];
        let both = source(&entries);
        let found = walk(&both, "bob");
        assert_eq!(shown(&found.whole), ["A=2"]);
        assert_eq!(found.passed.len(), 1);
        let one = source(&entries[..1]);
        let found = walk(&one, "bob");
        assert_eq!(shown(&found.whole), ["A=1"]);
        assert_eq!(shown(&found.asked), ["Calling-Station-Id=x"]);
        let bound = source(&[("bob", "User-Password == p, NAS-IP-Address == 192.0.2.1", "")]);
        let found = walk(&bound, "bob");
        assert_eq!(found.nas.unwrap().value, "192.0.2.1");
        assert_eq!(shown(&found.control), ["User-Password=p"]);
    }

    #[test]
    fn groups_follow_own_rows_by_priority() {
        let mut source = Source::default();
        for item in items("Cleartext-Password := p") {
            source.row("bob", true, item);
        }
        for item in items("A := 1") {
            source.row("bob", false, item);
        }
        let member = |priority, name: &str| (priority, name.to_owned());
        source.memberships.insert(
            "bob".to_owned(),
            vec![member(9, "last"), member(1, "first"), member(2, "asks"), member(3, "gone")],
        );
        for (name, check, reply) in [
            ("first", "", "A = 2, B = 2, Fall-Through = Yes"),
            ("asks", "NAS-Port-Type == Virtual", "B := 5"),
            ("last", "Simultaneous-Use := 1", "B := 3"),
        ] {
            let group = Group { check: items(check), reply: items(reply) };
            source.groups.insert(name.to_owned(), group);
        }
        let found = walk(&source, "bob");
        assert_eq!(found.groups, ["first", "last"]);
        assert_eq!(shown(&found.whole), ["A=1", "Fall-Through=Yes", "B=3"]);
        assert_eq!(shown(&found.control), ["Cleartext-Password=p", "Simultaneous-Use=1"]);
        // Own rows that say so keep the groups out.
        for item in items("Fall-Through = No") {
            source.row("bob", false, item);
        }
        assert!(walk(&source, "bob").groups.is_empty());
    }

    #[test]
    fn default_for_a_group_of_the_tables_is_known() {
        let mut source = source(&[
            ("bob", "Cleartext-Password := p", "Fall-Through = Yes"),
            ("DEFAULT", "SQL-Group == gold", "A = 1"),
            ("DEFAULT", "SQL-Group == iron", "A = 2"),
        ]);
        source.memberships.insert("bob".to_owned(), vec![(1, "iron".to_owned())]);
        assert_eq!(shown(&walk(&source, "bob").whole), ["Fall-Through=Yes", "A=2"]);
        assert!(open(&source, &source.defaults[0].1.check).is_empty());
    }
}
