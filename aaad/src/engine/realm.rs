//! Realms: what stands beside a login, and whose login it is.
//!
//! | form | name |
//! |---|---|
//! | `login@realm` | as RFC 7542 has it; the last `@` counts |
//! | `realm\login` | as Windows has it |
//! | `realm/login` | only where the realm is known: lines and ports are named with slashes too |
//!
//! A login of a realm is looked for as it was sent, then, where the realm is stripped, without it,
//! else as `login@realm`. It counts only where its service belongs to the realm's organisation or
//! to one below: nobody's name leads into another partner's services.

use model::identity::{IdentityKind, login_key};
use model::policy::Realm;
use model::reject::RejectReason;

use crate::cache::{Realms, SubscriberEntry, Subscribers, is_of};

/// How names are read.
pub(crate) struct Names<'a> {
    pub(super) realms: &'a Realms,
    pub(super) fold_case: bool,
    /// Whether a name with a realm that nobody made is refused.
    pub(super) refuse_unknown: bool,
}

/// A name in its parts.
pub(super) enum Split<'a> {
    /// It has no realm.
    Plain,
    /// It has one that nobody made.
    Unknown,
    /// A login of this realm.
    Of(&'a Realm, &'a [u8]),
}

impl Names<'_> {
    /// Takes a name apart.
    pub(super) fn split<'a>(&'a self, name: &'a [u8]) -> Split<'a> {
        let at = |wanted: u8| move |octet: &u8| *octet == wanted;
        let name = name.trim_ascii();
        let suffix = name.iter().rposition(at(b'@')).map(|n| (&name[n + 1..], &name[..n]));
        let before =
            |wanted| name.iter().position(at(wanted)).map(|n| (&name[..n], &name[n + 1..]));
        let full = |(realm, login): &(&[u8], &[u8])| !realm.is_empty() && !login.is_empty();
        let (suffix, windows) = (suffix.filter(full), before(b'\\').filter(full));
        let slash = before(b'/').filter(full);
        for (realm, login) in [suffix, windows, slash].into_iter().flatten() {
            if let Some(realm) = self.realms.find(realm) {
                return Split::Of(realm, login);
            }
        }
        if suffix.or(windows).is_some() { Split::Unknown } else { Split::Plain }
    }

    /// The key under which guesses at a name are counted: a realm is one, in whatever form and
    /// letters it is said.
    pub(super) fn guess_key(&self, name: &[u8], key: &mut Vec<u8>) {
        let Split::Of(realm, login) = self.split(name) else {
            return login_key(name, self.fold_case, key);
        };
        login_key(login, self.fold_case, key);
        if !realm.strip {
            key.push(b'@');
            key.extend_from_slice(realm.name.as_bytes());
        }
    }

    /// Who has a name; the key by which it was found is left in `key`.
    pub(super) fn find(
        &self,
        subscribers: &Subscribers,
        name: &[u8],
        key: &mut Vec<u8>,
    ) -> Result<Option<SubscriberEntry>, RejectReason> {
        let find = |key: &[u8]| subscribers.identify(IdentityKind::Login, key);
        login_key(name, self.fold_case, key);
        if self.realms.len() == 0 && !self.refuse_unknown {
            return Ok(find(key));
        }
        let (realm, login) = match self.split(name) {
            Split::Plain => return Ok(find(key)),
            Split::Unknown if self.refuse_unknown => return Err(RejectReason::UnknownRealm),
            Split::Unknown => return Ok(find(key)),
            Split::Of(realm, login) => (realm, login),
        };
        let of_realm = |entry: &SubscriberEntry| is_of(realm, entry.organisation());
        if let Some(found) = find(key).filter(of_realm) {
            return Ok(Some(found));
        }
        login_key(login, self.fold_case, key);
        if !realm.strip {
            key.push(b'@');
            key.extend_from_slice(realm.name.as_bytes());
        }
        Ok(find(key).filter(of_realm))
    }
}
