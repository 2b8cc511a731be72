//! What pages of the network's own records share: sessions, refused logins.

use maud::{Markup, html};

use super::guard::Fields;
use super::page;
use super::words::{self, Words};

/// A login as the NAS sent it, which is any text or none, with the way to whose it is.
pub(super) fn login(words: &Words, login: &str, whose: Option<String>) -> Markup {
    let shown = match login {
        "" => html! { span.dim { (words.say(words::SESSION_UNKNOWN_LOGIN)) } },
        login => html! { (login) },
    };
    match whose {
        Some(address) => html! { a href=(address) { (shown) } },
        None => shown,
    }
}

/// A NAS by its name, where it has one.
pub(super) fn nas(words: &Words, name: Option<&str>) -> Markup {
    match name {
        Some(name) => html! { (name) },
        None => html! { span.dim { (words.say(words::SESSION_UNKNOWN_NAS)) } },
    }
}

/// Says what of an address could not be used: a list is a list with a broken parameter.
/// `used`: whether a parameter of this name says something here.
pub(super) fn left_out(words: &Words, query: &Fields, used: impl Fn(&str) -> bool) -> Markup {
    let given = query.0.iter().filter(|(name, value)| !value.trim().is_empty() && !used(name));
    let wrong: Vec<(String, String)> = given.map(|(n, v)| (n.clone(), v.clone())).collect();
    page::left_out(words, &wrong)
}
