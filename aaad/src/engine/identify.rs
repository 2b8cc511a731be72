//! Whom a request is from: the access identities it can name, in the order they are looked for.
//!
//! | kind | named by | what it must prove |
//! |---|---|---|
//! | login | User-Name, see [`Names`] | its password, always |
//! | circuit | Agent-Circuit-Id, then Agent-Remote-Id ([`Line`]) | its password, if it has one |
//! | mac | User-Name in any spelling; without one, Calling-Station-Id | its password; if it has none, one of those below |
//! | port | NAS-Port-Id, together with the NAS | its password, if it has one |
//!
//! A login that exists is the answer, whatever else the request names: a wrong password is
//! refused and not overlooked because the line is known. Over PPP somebody has typed the name,
//! so there the login is all that counts.
//!
//! A line or a port without a password is proven by the NAS having named it, and whatever
//! password the NAS sends with it (Cisco and Juniper send a fixed word) says nothing. A MAC
//! without a password takes what NAS send for one: nothing, an empty password, the MAC in any
//! spelling, or the shared secret; and Calling-Station-Id, where there is one, must be the same
//! MAC, so that nobody gets in by typing a neighbour's.

use model::NasId;
use model::identity::{IdentityKind, MacAddress, circuit_key, port_key};
use model::reject::RejectReason;
use radius_wire::{Attributes, Line, attr};

use super::Scratch;
use super::realm::Names;
use crate::cache::{SubscriberEntry, Subscribers};

/// Framed-Protocol of a dial-in (RFC 2865 §5.7).
pub(crate) const PPP: u32 = 1;

/// Somebody we know. The lookup key stays in [`Scratch`]'s `login`.
pub(crate) struct Found {
    pub(crate) entry: SubscriberEntry,
    pub(crate) kind: IdentityKind,
    /// The MAC, where that is what was found.
    pub(crate) mac: Option<MacAddress>,
}

/// Looks for everything the attributes name.
pub(crate) fn identify(
    subscribers: &Subscribers,
    attributes: Attributes<'_>,
    nas: NasId,
    names: &Names<'_>,
    scratch: &mut Scratch,
) -> Result<Found, RejectReason> {
    let name = attributes.first(attr::USER_NAME).filter(|name| !name.is_empty());
    let mut unknown = match name {
        Some(_) => RejectReason::UnknownLogin,
        None => RejectReason::NoCredentials,
    };
    let key = &mut scratch.login;
    let found = |kind, key: &[u8], mac| {
        let entry = subscribers.identify(kind, key)?;
        Some(Found { entry, kind, mac })
    };
    if let Some(name) = name {
        match names.find(subscribers, name, key) {
            Ok(Some(entry)) => return Ok(Found { entry, kind: IdentityKind::Login, mac: None }),
            Ok(None) => {}
            // The name may be one that the NAS made up for a line.
            Err(reason) => unknown = reason,
        }
    }
    if attributes.u32(attr::FRAMED_PROTOCOL) == Some(PPP) {
        return Err(unknown);
    }
    let line = Line::of(attributes);
    for circuit in [line.circuit, line.remote].into_iter().flatten() {
        circuit_key(circuit, key);
        if let Some(found) = found(IdentityKind::Circuit, key, None) {
            return Ok(found);
        }
    }
    if let Some(mac) = mac_of(attributes, name) {
        mac.write_key(key);
        if let Some(found) = found(IdentityKind::Mac, key, Some(mac)) {
            return Ok(found);
        }
    }
    if let Some(port) = attributes.first(attr::NAS_PORT_ID).filter(|port| !port.is_empty()) {
        port_key(nas, port, key);
        if let Some(found) = found(IdentityKind::Port, key, None) {
            return Ok(found);
        }
    }
    Err(unknown)
}

/// The MAC a request is for: its name, or the calling station of one without a name.
fn mac_of(attributes: Attributes<'_>, name: Option<&[u8]>) -> Option<MacAddress> {
    let station = attributes.first(attr::CALLING_STATION_ID).map(MacAddress::parse);
    match (name, station) {
        (None, station) => station?.ok(),
        (Some(name), None) => MacAddress::parse(name).ok(),
        (Some(name), Some(station)) => {
            MacAddress::parse(name).ok().filter(|mac| station.as_ref() == Ok(mac))
        }
    }
}
