//! Signatures after Standard Webhooks 1.0 (standardwebhooks.com, "Signature scheme").
//!
//! Signed is `ID.SECONDS.BODY` with HMAC-SHA256; the header holds `v1,BASE64`, several with
//! spaces between while a secret is being replaced. A secret is 24 to 64 octets, written as
//! `whsec_` and base64.

use std::fmt;

use daemon::base64;
use model::{Secret, Ts};
use ring::hmac;

/// What secrets begin with.
const PREFIX: &str = "whsec_";
/// Fewest octets of a secret.
pub const SECRET_OCTETS_MIN: usize = 24;
/// Most octets of a secret.
pub const SECRET_OCTETS_MAX: usize = 64;
/// Octets of a secret made here.
const SECRET_OCTETS: usize = 32;

/// The header with the id, which is the same at every attempt.
pub const HEADER_ID: &str = "webhook-id";
/// The header with the time of the attempt, seconds since 1970.
pub const HEADER_TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures.
pub const HEADER_SIGNATURE: &str = "webhook-signature";

/// Why a secret is refused or a signature not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The text is not a secret.
    #[error(
        "must be \"whsec_\" and the base64 of {SECRET_OCTETS_MIN} to {SECRET_OCTETS_MAX} octets"
    )]
    Secret,
    /// The timestamp is no number.
    #[error("the timestamp is not a number of seconds")]
    Timestamp,
    /// The timestamp is too far from now.
    #[error("the timestamp is too far from now")]
    Stale,
    /// No signature fits.
    #[error("no signature fits")]
    Signature,
}

/// A secret that messages to one endpoint are signed with.
#[derive(Clone)]
pub struct SigningSecret(Secret<Vec<u8>>);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

impl SigningSecret {
    /// A new one, of random octets.
    pub fn generate() -> Self {
        Self(Secret::new(daemon::secrets::random::<SECRET_OCTETS>().to_vec()))
    }

    /// Reads `whsec_…`.
    pub fn parse(text: &str) -> Result<Self, SigningError> {
        let body = text.strip_prefix(PREFIX).ok_or(SigningError::Secret)?;
        let octets = Secret::new(base64::decode(body).ok_or(SigningError::Secret)?);
        let length = octets.expose().len();
        if !(SECRET_OCTETS_MIN..=SECRET_OCTETS_MAX).contains(&length) {
            return Err(SigningError::Secret);
        }
        Ok(Self(octets))
    }

    /// As its owner writes it: `whsec_…`.
    pub fn text(&self) -> Secret<String> {
        let body = Secret::new(base64::encode(self.0.expose()));
        Secret::new(format!("{PREFIX}{}", body.expose()))
    }

    fn tag(&self, id: &str, seconds: i64, body: &[u8]) -> hmac::Tag {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose());
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        context.sign()
    }
}

/// The value of [`HEADER_SIGNATURE`]: a signature by each secret. The id must hold no full stop,
/// so that it cannot be read as part of the rest.
pub fn sign(secrets: &[SigningSecret], id: &str, at: Ts, body: &[u8]) -> String {
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| format!("v1,{}", base64::encode(secret.tag(id, at.seconds(), body).as_ref())))
        .collect();
    signatures.join(" ")
}

/// Whether a message comes from who has the secret, and was sent within `tolerance_s` of now.
/// What a receiver does; here for tests, and for webhooks that come in.
pub fn verify(
    secret: &SigningSecret,
    id: &str,
    timestamp: &str,
    signatures: &str,
    body: &[u8],
    now: Ts,
    tolerance_s: i64,
) -> Result<(), SigningError> {
    let seconds: i64 = timestamp.parse().map_err(|_| SigningError::Timestamp)?;
    if now.seconds().abs_diff(seconds) > tolerance_s.unsigned_abs() {
        return Err(SigningError::Stale);
    }
    let expected = secret.tag(id, seconds, body);
    let fits = signatures
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(base64::decode)
        .any(|found| daemon::secrets::constant_time_eq(&found, expected.as_ref()));
    if fits { Ok(()) } else { Err(SigningError::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "evt_06a8k2v7c4tq9d3m5n1p8r2s6w";
    const BODY: &str = r#"{"type":"customer.created","timestamp":"2026-03-01T09:30:00.000000Z","data":{"name":"Zoë"}}"#;

    fn at() -> Ts {
        Ts::from_seconds(1_772_357_400)
    }

    #[test]
    fn the_signature_is_the_one_of_the_reference_library() {
        // Made with the Python package standardwebhooks 1.1.0.
        let secret =
            SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAbCdEf0123456789").unwrap();
        assert_eq!(
            sign(&[secret], ID, at(), BODY.as_bytes()),
            "v1,9ME9iSokRVTmZKsnX3wZbjU7jj4vd+A/GqfvhhJ8Z+8="
        );
    }

    #[test]
    fn while_a_secret_is_replaced_both_verify() {
        let (old, new) = (SigningSecret::generate(), SigningSecret::generate());
        let header = sign(&[new.clone(), old.clone()], ID, at(), BODY.as_bytes());
        assert_eq!(header.split(' ').count(), 2);
        let check = |secret: &SigningSecret, body: &str, now: Ts| {
            verify(secret, ID, &at().seconds().to_string(), &header, body.as_bytes(), now, 300)
        };
        assert_eq!(check(&old, BODY, at()), Ok(()));
        assert_eq!(check(&new, BODY, at().plus_seconds(300)), Ok(()));
        assert_eq!(check(&new, BODY, at().plus_seconds(301)), Err(SigningError::Stale));
        assert_eq!(check(&new, BODY, at().plus_seconds(-301)), Err(SigningError::Stale));
        assert_eq!(check(&new, "{}", at()), Err(SigningError::Signature));
        let other = SigningSecret::generate();
        assert_eq!(check(&other, BODY, at()), Err(SigningError::Signature));
        let header = header.replace("v1,", "v1a,");
        let foreign = verify(&new, ID, "1772357400", &header, BODY.as_bytes(), at(), 300);
        assert_eq!(foreign, Err(SigningError::Signature));
        let wrong = verify(&new, ID, "now", &header, BODY.as_bytes(), at(), 300);
        assert_eq!(wrong, Err(SigningError::Timestamp));
    }

    #[test]
    fn secrets_read_back_and_have_their_length() {
        let secret = SigningSecret::generate();
        let text = secret.text();
        assert!(text.expose().starts_with("whsec_"));
        let again = SigningSecret::parse(text.expose()).unwrap();
        assert!(again.0.same_as(secret.0.expose()));
        let of = |octets: usize| format!("whsec_{}", base64::encode(&vec![7; octets]));
        assert!(SigningSecret::parse(&of(24)).is_ok() && SigningSecret::parse(&of(64)).is_ok());
        for bad in [of(23), of(65), "whsec_".to_owned(), "secret".to_owned(), "whsec_!".to_owned()]
        {
            assert_eq!(SigningSecret::parse(&bad).unwrap_err(), SigningError::Secret, "{bad}");
        }
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }
}
