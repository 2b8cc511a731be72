//! Permissions as a grid: groups down, verbs across, and what has no column beside them.
//!
//! Each box is a pattern, as roles are written: a row's `customers.*`, a column's `*.view`, the
//! corner's `*`. So a row or a column is chosen without a script, and includes what a later
//! version adds; the script only shows it at once.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::words::{self, Words};
use crate::domain::access::Rights;
use crate::domain::access::permission::{CATALOGUE, is_pattern};

/// The verbs that most groups have.
pub(super) const VERBS: [&str; 6] = ["view", "create", "edit", "delete", "export", "import"];

/// The groups and their permissions, in the order of the catalogue.
fn groups() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for permission in CATALOGUE {
        let group = permission.name.split('.').next().unwrap_or_default();
        match groups.iter_mut().find(|(own, _)| *own == group) {
            Some((_, names)) => names.push(permission.name),
            None => groups.push((group, vec![permission.name])),
        }
    }
    groups
}

/// Whether a pattern includes all of another.
fn covers(pattern: &str, other: &str) -> bool {
    let (wide, narrow) = (Rights::of(&[pattern]), Rights::of(&[other]));
    let same = wide == narrow && other.contains('*');
    pattern != other && pattern.contains('*') && !same && wide.missing(&narrow).is_none()
}

/// Patterns in one order, a line each, those left out that others include.
pub(super) fn plain(text: &str) -> String {
    let given: BTreeSet<&str> =
        text.lines().map(str::trim).filter(|line| is_pattern(line)).collect();
    let needed = |pattern: &&str| !given.iter().any(|other| covers(other, pattern));
    let mut kept: Vec<&str> = given.iter().copied().filter(needed).collect();
    let place = |pattern: &str| CATALOGUE.iter().position(|own| own.name == pattern);
    let group = |pattern: &str| {
        let own = pattern.split('.').next().unwrap_or_default();
        CATALOGUE.iter().position(|p| p.name.split('.').next() == Some(own))
    };
    kept.sort_by_key(|pattern| match (*pattern, place(pattern)) {
        ("*", _) => (0, None),
        (_, None) if pattern.starts_with('*') => (1, None),
        (_, None) => (2, group(pattern)),
        (_, place) => (3, place),
    });
    kept.join("\n")
}

/// One box.
struct Boxes<'a> {
    words: &'a Words,
    /// What whoever gives may do.
    own: &'a Rights,
    field: &'a str,
    patterns: Vec<&'a str>,
    granted: Rights,
}

impl Boxes<'_> {
    /// The box of a pattern. `name`: what a screen reader calls it, where no text stands beside.
    fn one(&self, pattern: &str, name: Option<&str>) -> Markup {
        let rights = Rights::of(&[pattern]);
        let lacks = self.own.missing(&rights).is_some();
        let checked = match pattern.contains('*') {
            true => self.patterns.iter().any(|own| *own == pattern || covers(own, pattern)),
            false => self.granted.missing(&rights).is_none(),
        };
        let title = match lacks {
            true => Some(self.words.say(words::RIGHTS_NOT_YOURS)),
            false => name.map(str::to_owned),
        };
        html! {
            input type="checkbox" name=(format!("{}:{pattern}", self.field)) data-right=(pattern)
                checked[checked] disabled[lacks] title=[title] aria-label=[name];
        }
    }
}

/// The grid of a field whose words are patterns; what the viewer may not give is shown and
/// cannot be chosen.
pub(super) fn grid(words: &Words, own: &Rights, field: &str, text: &str) -> Markup {
    let patterns: Vec<&str> = text.lines().map(str::trim).filter(|p| is_pattern(p)).collect();
    let granted = Rights::of(&patterns);
    let boxes = Boxes { words, own, field, patterns, granted };
    let id = format!("rights-{field}");
    let label = |pattern: &str, text: &str| {
        html! { label.check { (boxes.one(pattern, None)) span { (text) } } }
    };
    let search = words.say(words::RIGHTS_SEARCH);
    html! {
        @if let Some(lacking) = own.missing(&granted) {
            @let what = [("permission", words.permission(lacking).into())];
            p.notice.caution { (words.say_with(words::RIGHTS_BEYOND, &what)) }
        }
        input.only-script.narrow type="search" data-narrow=(id) placeholder=(search)
            aria-label=(search) autocomplete="off";
        div.table { table.grid-rights id=(id) data-rights role="table" {
            caption.unseen { (words.say(words::RIGHTS_TITLE)) }
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" {
                        (label("*", &words.say(words::RIGHTS_ALL)))
                    }
                    @for verb in VERBS {
                        th role="columnheader" scope="col" {
                            (label(&format!("*.{verb}"), &words.permission_verb(verb)))
                        }
                    }
                    th role="columnheader" scope="col" { (words.say(words::RIGHTS_BESIDES)) }
                }
            }
            tbody role="rowgroup" {
                @for (group, names) in groups() {
                    (row(words, &boxes, group, &names))
                }
            }
        } }
        @if own.missing(&Rights::all()).is_some() {
            p.hint { (words.say(words::RIGHTS_GREY)) }
        }
    }
}

fn row(words: &Words, boxes: &Boxes<'_>, group: &str, names: &[&'static str]) -> Markup {
    let title = words.permission_group(group);
    let about: Vec<String> = names.iter().map(|name| words.permission(name)).collect();
    let verb = |name: &str| name.split_once('.').map_or("", |(_, verb)| verb).to_owned();
    let besides: Vec<&str> =
        names.iter().copied().filter(|name| !VERBS.contains(&verb(name).as_str())).collect();
    html! {
        tr role="row" data-words=(format!("{group} {title} {}", about.join(" ")).to_lowercase()) {
            th role="rowheader" scope="row" {
                label.check { (boxes.one(&format!("{group}.*"), None)) span { (title) } }
            }
            @for own in VERBS {
                @let name = format!("{group}.{own}");
                @if names.contains(&name.as_str()) {
                    td role="cell" data-label=(words.permission_verb(own)) {
                        label.box { (boxes.one(&name, Some(&words.permission(&name)))) }
                    }
                } @else {
                    td.none role="cell" data-label=(words.permission_verb(own)) {}
                }
            }
            td.besides .none[besides.is_empty()] role="cell" data-label=(words.say(words::RIGHTS_BESIDES)) {
                @for name in besides {
                    label.check { (boxes.one(name, None)) span { (words.permission(name)) } }
                }
            }
        }
    }
}

/// What a role grants, to look at: group by group.
pub(super) fn summary(words: &Words, rights: &Rights) -> Markup {
    let of = |names: &[&'static str]| -> Vec<String> {
        let granted = names.iter().filter(|name| rights.has(name));
        granted.map(|name| words.permission(name)).collect()
    };
    html! {
        dl.record {
            @for (group, names) in groups() {
                @let granted = of(&names);
                @if !granted.is_empty() {
                    div {
                        dt { (words.permission_group(group)) }
                        dd {
                            @if granted.len() == names.len() && names.len() > 1 {
                                (words.say(words::RIGHTS_EVERYTHING))
                            } @else {
                                (granted.join(" · "))
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_written_once_and_in_one_order() {
        let text = "customers.view\nplans.edit\n*.view\ncustomers.*\nnonsense\nplans.view";
        assert_eq!(plain(text), "*.view\ncustomers.*\nplans.edit");
        assert_eq!(plain(&plain(text)), plain(text));
        assert_eq!(plain("*\n*.view\ncustomers.*\nplans.edit"), "*");
        assert_eq!(plain("network.sessions\n*.sessions"), "*.sessions");
        assert_eq!(plain(""), "");
        let every: Vec<&str> = CATALOGUE.iter().map(|permission| permission.name).collect();
        assert_eq!(plain(&every.join("\n")), every.join("\n"), "no pattern is made up");
    }

    #[test]
    fn a_box_is_ticked_for_what_is_granted_and_dead_for_what_one_lacks() {
        let words = Words::english();
        let own = Rights::of(&["customers.*", "plans.view"]);
        let text = grid(&words, &own, "permissions", "*.view\ncustomers.edit").into_string();
        let tag = |pattern: &str| {
            let at = text.find(&format!(r#"data-right="{pattern}""#)).unwrap();
            text[at..].split('>').next().unwrap().to_owned()
        };
        assert!(
            tag("customers.edit").contains("checked") && !tag("customers.edit").contains("dis")
        );
        assert!(tag("customers.view").contains("checked"), "by its column");
        assert!(!tag("customers.delete").contains("checked"));
        assert!(
            tag("customers.*").contains("data-right") && !tag("customers.*").contains("disabled")
        );
        assert!(tag("plans.edit").contains("disabled") && tag("plans.*").contains("disabled"));
        assert!(tag("*").contains("disabled") && tag("*.view").contains("checked"));
        assert!(text.contains("You do not have"), "the reason is said");
        assert_eq!(text.matches("data-right=").count(), CATALOGUE.len() + groups().len() + 7);
    }
}
