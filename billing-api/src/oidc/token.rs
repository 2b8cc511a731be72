//! An ID token, checked: the signature (RFC 7515) and the claims (OpenID Connect Core 1.0
//! §3.1.3.7).

use daemon::base64::decode_url;
use daemon::secrets::constant_time_eq;
use model::Ts;
use serde_json::Value as Json;

use super::algorithm::Algorithm;
use super::document::Key;

/// Longest token, octets.
pub(crate) const TOKEN_OCTETS_MAX: usize = 64 * 1024;
/// Longest subject, octets (OpenID Connect Core 1.0 §2 has 255).
const SUBJECT_OCTETS_MAX: usize = 255;
/// How far clocks may be apart, seconds.
const LEEWAY_S: f64 = 60.0;
/// How long ago a token may have been made, seconds: it was asked for a moment ago.
const AGE_S_MAX: f64 = 600.0;

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untrue {
    /// It is no token of three parts.
    Malformed,
    /// It is signed in a way that is not taken, or not at all.
    Algorithm,
    /// No key of the provider's is the one it names.
    UnknownKey,
    /// The signature is not the key's.
    Signature,
    /// Another issuer made it.
    Issuer,
    /// It is for another client.
    Audience,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    Early,
    /// It answers another question.
    Nonce,
    /// It names nobody.
    Subject,
}

impl Untrue {
    /// As events have it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::UnknownKey => "token_key",
            Self::Signature => "token_signature",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::Expired => "token_expired",
            Self::Early => "token_not_yet_valid",
            Self::Nonce => "token_nonce",
            Self::Subject => "token_subject",
        }
    }
}

/// What a token has to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) now: Ts,
}

/// Who came in, as the provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) person: Person,
    /// Whether several factors were proven there (RFC 8176 §2).
    pub(crate) several_factors: bool,
}

/// What a provider says of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Person {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    /// Whether the address was verified; absent where the provider does not say.
    pub(crate) verified: Option<bool>,
}

impl Person {
    /// Reads the claims of OpenID Connect Core 1.0 §5.1.
    pub(crate) fn of(claims: &Json) -> Self {
        let text = |name: &str, max: usize| {
            let text = claims[name].as_str()?.trim();
            let fits = !text.is_empty() && text.chars().count() <= max;
            (fits && !text.chars().any(char::is_control)).then(|| text.to_owned())
        };
        let verified = match &claims["email_verified"] {
            Json::Bool(verified) => Some(*verified),
            // Some say it in a text.
            Json::String(word) => Some(word == "true"),
            Json::Null => None,
            _ => Some(false),
        };
        Self { name: text("name", 100), email: text("email", 200), verified }
    }
}

/// Checks a token.
pub(crate) fn check(token: &str, keys: &[Key], expected: Expected<'_>) -> Result<Claims, Untrue> {
    let claims = signed(token, keys)?;
    if claims["iss"].as_str() != Some(expected.issuer) {
        return Err(Untrue::Issuer);
    }
    let named = |audience: &Json| audience.as_str() == Some(expected.client);
    let (mine, others) = match &claims["aud"] {
        Json::Array(list) => (list.iter().any(named), list.len() > 1),
        one => (named(one), false),
    };
    // One for several clients says which of them asked (§3.1.3.7, items 4 and 5).
    let party = &claims["azp"];
    if !mine || (others && party.is_null()) || (!party.is_null() && !named(party)) {
        return Err(Untrue::Audience);
    }
    let now = expected.now.0 as f64 / 1e6;
    let time = |name: &str| claims[name].as_f64();
    let (Some(expires), Some(made)) = (time("exp"), time("iat")) else {
        return Err(Untrue::Malformed);
    };
    if now >= expires + LEEWAY_S || now - made > AGE_S_MAX + LEEWAY_S {
        return Err(Untrue::Expired);
    }
    if made > now + LEEWAY_S || time("nbf").is_some_and(|from| from > now + LEEWAY_S) {
        return Err(Untrue::Early);
    }
    let nonce = claims["nonce"].as_str().unwrap_or_default();
    if !constant_time_eq(nonce.as_bytes(), expected.nonce.as_bytes()) {
        return Err(Untrue::Nonce);
    }
    let subject = claims["sub"].as_str().unwrap_or_default();
    if subject.is_empty() || subject.len() > SUBJECT_OCTETS_MAX {
        return Err(Untrue::Subject);
    }
    let methods = claims["amr"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(Claims {
        subject: subject.to_owned(),
        person: Person::of(&claims),
        several_factors: methods.iter().any(|method| method == "mfa"),
    })
}

/// The claims of a token whose signature is right.
fn signed(token: &str, keys: &[Key]) -> Result<Json, Untrue> {
    if token.len() > TOKEN_OCTETS_MAX {
        return Err(Untrue::Malformed);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Untrue::Malformed)?;
    let (head, body) = message.split_once('.').ok_or(Untrue::Malformed)?;
    let part = |text: &str| decode_url(text).ok_or(Untrue::Malformed);
    let json = |text: &str| -> Result<Json, Untrue> {
        serde_json::from_slice(&part(text)?).map_err(|_| Untrue::Malformed)
    };
    let head = json(head)?;
    // What must be understood and is not (RFC 7515 §4.1.11).
    if !head.is_object() || !head["crit"].is_null() {
        return Err(Untrue::Malformed);
    }
    let algorithm = head["alg"].as_str().and_then(Algorithm::from_word);
    let algorithm = algorithm.ok_or(Untrue::Algorithm)?;
    let suited: Vec<&Key> = keys.iter().filter(|key| algorithm.suits(key)).collect();
    let key = match head["kid"].as_str() {
        Some(id) => suited.iter().find(|key| key.id.as_deref() == Some(id)),
        // Without a name there must be no choice (OpenID Connect Core 1.0 §10.1).
        None => suited.first().filter(|_| suited.len() == 1),
    };
    let key = key.ok_or(Untrue::UnknownKey)?;
    if !algorithm.verify(key, message.as_bytes(), &part(signature)?) {
        return Err(Untrue::Signature);
    }
    json(body)
}
