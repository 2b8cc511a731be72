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

#[cfg(test)]
mod tests {
    use daemon::base64::encode_url;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::super::document::keys;
    use super::*;

    const NOW_S: i64 = 1_800_000_000;

    struct Signer(EcdsaKeyPair);

    impl Signer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap())
        }

        fn keys(&self) -> Vec<Key> {
            let point = self.0.public_key().as_ref();
            let (x, y) = (encode_url(&point[1..33]), encode_url(&point[33..]));
            let key = json!({"kty": "EC", "crv": "P-256", "kid": "one", "x": x, "y": y});
            keys(json!({"keys": [key]}).to_string().as_bytes()).unwrap()
        }

        fn sign(&self, head: &Json, claims: &Json) -> String {
            let part = |json: &Json| encode_url(json.to_string().as_bytes());
            let message = format!("{}.{}", part(head), part(claims));
            let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
            format!("{message}.{}", encode_url(signature.as_ref()))
        }
    }

    fn head() -> Json {
        json!({"alg": "ES256", "kid": "one"})
    }

    fn claims() -> Json {
        json!({"iss": "https://id.example", "aud": "us", "sub": "7", "nonce": "n",
            "iat": NOW_S - 5, "exp": NOW_S + 300, "email": "asha@isp.example",
            "email_verified": true, "amr": ["pwd", "mfa"]})
    }

    fn ask(token: &str, keys: &[Key]) -> Result<Claims, Untrue> {
        let now = Ts::from_seconds(NOW_S);
        let (issuer, client, nonce) = ("https://id.example", "us", "n");
        check(token, keys, Expected { issuer, client, nonce, now })
    }

    #[test]
    fn a_true_token_says_who_came() {
        let signer = Signer::new();
        let found = ask(&signer.sign(&head(), &claims()), &signer.keys()).unwrap();
        assert_eq!(found.subject, "7");
        assert_eq!(found.person.email.as_deref(), Some("asha@isp.example"));
        assert!(found.several_factors && found.person.verified == Some(true));
        let unnamed = signer.sign(&json!({"alg": "ES256"}), &claims());
        assert!(ask(&unnamed, &signer.keys()).is_ok(), "one key needs no name");
    }

    #[test]
    fn what_a_token_says_must_be_about_this_sign_in() {
        let signer = Signer::new();
        let (later, before) = (NOW_S + 61, NOW_S - 61);
        for (field, value, untrue) in [
            ("iss", json!("https://id.example/"), Untrue::Issuer),
            ("iss", Json::Null, Untrue::Issuer),
            ("aud", json!("others"), Untrue::Audience),
            ("aud", json!(["others"]), Untrue::Audience),
            ("aud", json!(["us", "others"]), Untrue::Audience),
            ("aud", json!([]), Untrue::Audience),
            ("azp", json!("others"), Untrue::Audience),
            ("exp", json!(before), Untrue::Expired),
            ("exp", json!("soon"), Untrue::Malformed),
            ("exp", Json::Null, Untrue::Malformed),
            ("iat", json!(NOW_S - 3600), Untrue::Expired),
            ("iat", json!(later), Untrue::Early),
            ("nbf", json!(later), Untrue::Early),
            ("nonce", json!("another"), Untrue::Nonce),
            ("nonce", Json::Null, Untrue::Nonce),
            ("sub", json!(""), Untrue::Subject),
            ("sub", json!(7), Untrue::Subject),
            ("sub", json!("x".repeat(256)), Untrue::Subject),
        ] {
            let mut claims = claims();
            claims[field] = value.clone();
            let found = ask(&signer.sign(&head(), &claims), &signer.keys());
            assert_eq!(found, Err(untrue), "{field} {value}");
        }
        let mut several = claims();
        (several["aud"], several["azp"]) = (json!(["us", "others"]), json!("us"));
        assert!(ask(&signer.sign(&head(), &several), &signer.keys()).is_ok());
        let mut late = claims();
        late["exp"] = json!(NOW_S - 59);
        assert!(ask(&signer.sign(&head(), &late), &signer.keys()).is_ok(), "clocks differ");
    }

    #[test]
    fn no_algorithm_hides_a_missing_signature() {
        let (signer, stranger) = (Signer::new(), Signer::new());
        let keys = signer.keys();
        let part = |json: &Json| encode_url(json.to_string().as_bytes());
        for alg in ["none", "None", "HS256", "RS1", "", "ES256K"] {
            let head = json!({"alg": alg, "kid": "one"});
            for signature in ["", "AAAA"] {
                let token = format!("{}.{}.{signature}", part(&head), part(&claims()));
                assert_eq!(ask(&token, &keys), Err(Untrue::Algorithm), "{alg}");
            }
        }
        // A public key is no shared secret.
        let message =
            format!("{}.{}", part(&json!({"alg": "HS256", "kid": "one"})), part(&claims()));
        let point = signer.0.public_key().as_ref();
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, point);
        let tag = ring::hmac::sign(&secret, message.as_bytes());
        let token = format!("{message}.{}", encode_url(tag.as_ref()));
        assert_eq!(ask(&token, &keys), Err(Untrue::Algorithm));
        let foreign = stranger.sign(&head(), &claims());
        assert_eq!(ask(&foreign, &keys), Err(Untrue::Signature));
        let named = json!({"alg": "ES256", "kid": "two"});
        assert_eq!(ask(&signer.sign(&named, &claims()), &keys), Err(Untrue::UnknownKey));
        // A key of another kind is not tried.
        let other = json!({"alg": "RS256", "kid": "one"});
        assert_eq!(ask(&signer.sign(&other, &claims()), &keys), Err(Untrue::UnknownKey));
        let own = signer.sign(&head(), &claims());
        let (message, signature) = own.rsplit_once('.').unwrap();
        let mut changed = claims();
        changed["email"] = json!("boss@isp.example");
        let swapped = format!("{}.{}.{signature}", part(&head()), part(&changed));
        assert_eq!(ask(&swapped, &keys), Err(Untrue::Signature));
        assert_eq!(ask(&format!("{message}."), &keys), Err(Untrue::Signature));
        let critical = json!({"alg": "ES256", "kid": "one", "crit": ["b64"], "b64": false});
        assert_eq!(ask(&signer.sign(&critical, &claims()), &keys), Err(Untrue::Malformed));
        // Two keys and no name: which of them is not guessed.
        let two = [signer.keys(), stranger.keys()].concat();
        let unnamed = signer.sign(&json!({"alg": "ES256"}), &claims());
        assert_eq!(ask(&unnamed, &two), Err(Untrue::UnknownKey));
    }

    #[test]
    fn what_is_no_token_is_refused_and_nothing_panics() {
        let signer = Signer::new();
        let own = signer.sign(&head(), &claims());
        for cut in 0..own.len() {
            assert!(ask(&own[..cut], &signer.keys()).is_err(), "cut at {cut}");
        }
        for text in ["", ".", "..", "...", "a.b.c", "e30.e30.e30", "W10.W10.W10", "é.é.é"] {
            assert!(ask(text, &signer.keys()).is_err(), "{text}");
        }
        assert_eq!(ask(&"a".repeat(TOKEN_OCTETS_MAX + 1), &signer.keys()), Err(Untrue::Malformed));
    }

    #[test]
    fn an_rsa_signature_is_checked() {
        // RFC 7515, appendix A.2.
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP\
            1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX\
            ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5Ihl\
            JH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9\
            leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XO\
            iZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLg\
            rnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWE\
            sqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_I\
            oypGlUPQGe77Rw";
        let set = json!({"keys": [{"kty": "RSA", "n": n, "e": "AQAB"}]}).to_string();
        let found = signed(token, &keys(set.as_bytes()).unwrap());
        assert_eq!(found.unwrap()["iss"], "joe");
        let bound = set.replace("AQAB\"", "AQAB\",\"alg\":\"PS256\"");
        let found = signed(token, &keys(bound.as_bytes()).unwrap());
        assert_eq!(found, Err(Untrue::UnknownKey), "a key is for the algorithm it names");
        let other = token.replace("eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJQUzI1NiJ9");
        assert_eq!(signed(&other, &keys(set.as_bytes()).unwrap()), Err(Untrue::Signature));
    }
}
