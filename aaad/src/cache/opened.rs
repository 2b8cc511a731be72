//! A credential opened for one login.

use daemon::secrets::Keyring;
use metrics::counter;
use zeroize::Zeroize;

use super::subscribers::{CredentialKind, SealedCredential};

/// A credential ready for use.
pub(crate) enum Opened<'r> {
    /// The password.
    Clear(Exposed<'r>),
    /// MD4 of the UTF-16 password.
    NtHash(Exposed<'r>),
}

/// A secret in room that is lent, and overwritten at the end.
pub(crate) struct Exposed<'r>(&'r mut Vec<u8>);

impl Exposed<'_> {
    /// The value itself.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0
    }
}

impl Drop for Exposed<'_> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

pub(super) fn open<'r>(
    keyring: &Keyring,
    sealed: &SealedCredential<'_>,
    room: &'r mut Vec<u8>,
) -> Option<Opened<'r>> {
    let bound = sealed.identity.text();
    let opened = keyring.open_into(&bound, sealed.key, sealed.octets, room);
    let exposed = Exposed(room);
    if opened.is_err() {
        counter!("aaad_credentials_not_opened_total").increment(1);
        return None;
    }
    Some(match sealed.kind {
        CredentialKind::Clear => Opened::Clear(exposed),
        CredentialKind::NtHash => Opened::NtHash(exposed),
    })
}
