//! What a provider says of itself: the discovery document (OpenID Connect Discovery 1.0 §3) and
//! its keys (RFC 7517), read and bounded.

use daemon::base64::decode_url;
use serde_json::Value as Json;

use super::algorithm::{Algorithm, Curve};

/// Keys of one provider that are looked at.
const KEYS_MAX: usize = 64;
/// Longest address, octets.
const URL_OCTETS_MAX: usize = 1000;
/// Octets of a modulus that are read: 8192 bits.
const MODULUS_OCTETS_MAX: usize = 1024;

/// The part of a discovery document that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) jwks_uri: String,
    pub(crate) userinfo_endpoint: Option<String>,
    /// How the client proves itself.
    pub(crate) proof: Proof,
    /// Whether every answer names its issuer (RFC 9207 §3).
    pub(crate) names_issuer: bool,
}

/// How the client proves itself at the token endpoint (OpenID Connect Core 1.0 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// In the header, `client_secret_basic`.
    Basic,
    /// In the form, `client_secret_post`.
    Post,
}

/// Where a provider's discovery document is (OpenID Connect Discovery 1.0 §4).
pub(crate) fn address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Document {
    /// Reads a document; what is wrong with it, in a sentence for staff.
    pub(crate) fn parse(text: &[u8], issuer: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_slice(text)
            .map_err(|error| format!("the discovery document is not JSON: {error}"))?;
        // A document that names another issuer is not this one's (§4.3).
        let said = json["issuer"].as_str().unwrap_or_default();
        if said != issuer {
            let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(format!("the discovery document names another issuer, \"{said}\""));
        }
        let optional = |name: &str| -> Result<Option<String>, String> {
            match json[name].as_str() {
                None => Ok(None),
                // It becomes a header as it stands; a fragment would swallow what is added.
                Some(url)
                    if url.len() <= URL_OCTETS_MAX
                        && url.bytes().all(|b| b.is_ascii_graphic() && b != b'#') =>
                {
                    Ok(Some(url.to_owned()))
                }
                Some(_) => Err(format!("{name} of the discovery document is no address of use")),
            }
        };
        let needed = |name: &str| -> Result<String, String> {
            optional(name)?.ok_or_else(|| format!("the discovery document has no {name}"))
        };
        let list = |name: &str| json[name].as_array().map(Vec::as_slice);
        let has =
            |name: &str, word: &str| list(name).is_some_and(|list| list.iter().any(|w| w == word));
        if list("response_types_supported").is_some() && !has("response_types_supported", "code") {
            return Err("the provider does not offer the authorization code flow".to_owned());
        }
        let algorithms = "id_token_signing_alg_values_supported";
        if let Some(offered) = list(algorithms)
            && !offered.iter().filter_map(Json::as_str).any(|a| Algorithm::from_word(a).is_some())
        {
            return Err("the provider signs with no algorithm that is read here".to_owned());
        }
        let methods = "token_endpoint_auth_methods_supported";
        // Left out, the list is client_secret_basic alone (§3).
        let proof = match list(methods) {
            None => Proof::Basic,
            Some(_) if has(methods, "client_secret_basic") => Proof::Basic,
            Some(_) if has(methods, "client_secret_post") => Proof::Post,
            Some(_) => {
                let detail =
                    "the provider takes neither client_secret_basic nor client_secret_post";
                return Err(detail.to_owned());
            }
        };
        Ok(Self {
            authorization_endpoint: needed("authorization_endpoint")?,
            token_endpoint: needed("token_endpoint")?,
            jwks_uri: needed("jwks_uri")?,
            userinfo_endpoint: optional("userinfo_endpoint")?,
            proof,
            names_issuer: json["authorization_response_iss_parameter_supported"] == true,
        })
    }

    /// Every address in it.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        let all = [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri];
        all.into_iter().chain(&self.userinfo_endpoint).map(String::as_str)
    }
}

/// A public key of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// What tokens call it.
    pub(crate) id: Option<String>,
    /// The one algorithm it is for, where it says so.
    pub(crate) algorithm: Option<String>,
    pub(crate) material: Material,
}

/// The numbers of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Material {
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// A point, uncompressed.
    Ec { curve: Curve, point: Vec<u8> },
}

/// Reads a set of keys; those of kinds that are not used here are left out.
pub(crate) fn keys(text: &[u8]) -> Result<Vec<Key>, String> {
    let json: Json = serde_json::from_slice(text)
        .map_err(|error| format!("the provider's keys are not JSON: {error}"))?;
    let list = json["keys"].as_array().ok_or("the provider's keys are not a list")?;
    let keys: Vec<Key> = list.iter().filter_map(key).take(KEYS_MAX).collect();
    if keys.is_empty() {
        return Err("the provider has no key that signatures are checked with here".to_owned());
    }
    Ok(keys)
}

fn key(json: &Json) -> Option<Key> {
    // Encryption keys never sign.
    if json["use"].as_str().is_some_and(|used| used != "sig") {
        return None;
    }
    let octets = |name: &str| json[name].as_str().and_then(decode_url);
    let material = match json["kty"].as_str()? {
        "RSA" => {
            let plain = |octets: Vec<u8>| {
                let zeros = octets.iter().take_while(|octet| **octet == 0).count();
                octets[zeros..].to_vec()
            };
            let (n, e) = (plain(octets("n")?), plain(octets("e")?));
            if n.is_empty() || n.len() > MODULUS_OCTETS_MAX || e.is_empty() || e.len() > 8 {
                return None;
            }
            Material::Rsa { n, e }
        }
        "EC" => {
            let curve = Curve::from_word(json["crv"].as_str()?)?;
            let (x, y) = (octets("x")?, octets("y")?);
            if x.len() != curve.octets() || y.len() != curve.octets() {
                return None;
            }
            // SEC 1 §2.3.3.
            Material::Ec { curve, point: [&[4], x.as_slice(), y.as_slice()].concat() }
        }
        _ => return None,
    };
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    Some(Key { id: text("kid"), algorithm: text("alg"), material })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Json {
        json!({
            "issuer": "https://id.example",
            "authorization_endpoint": "https://id.example/auth",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://id.example/keys",
            "response_types_supported": ["code", "id_token"],
            "id_token_signing_alg_values_supported": ["HS256", "ES256"],
        })
    }

    fn parse(json: &Json) -> Result<Document, String> {
        Document::parse(json.to_string().as_bytes(), "https://id.example")
    }

    #[test]
    fn a_document_is_taken_from_its_own_issuer_only() {
        let read = parse(&document()).unwrap();
        assert_eq!(read.proof, Proof::Basic);
        assert_eq!(read.addresses().count(), 3);
        for issuer in ["https://id.example/", "https://ID.example", "https://evil.example", ""] {
            let mut other = document();
            other["issuer"] = json!(issuer);
            assert!(parse(&other).unwrap_err().contains("another issuer"), "{issuer}");
        }
        let at = "https://id.example/.well-known/openid-configuration";
        assert_eq!(address("https://id.example"), at);
        assert_eq!(address("https://id.example/"), at);
    }

    #[test]
    fn what_a_document_lacks_is_named() {
        for (field, value, part) in [
            ("token_endpoint", Json::Null, "no token_endpoint"),
            ("jwks_uri", json!(7), "no jwks_uri"),
            (
                "token_endpoint",
                json!("https://id.example/\r\nSet-Cookie: a=b"),
                "no address of use",
            ),
            ("authorization_endpoint", json!("https://id.example/#a"), "no address of use"),
            ("response_types_supported", json!(["token"]), "code flow"),
            ("id_token_signing_alg_values_supported", json!(["HS256", "none"]), "no algorithm"),
            ("token_endpoint_auth_methods_supported", json!(["private_key_jwt"]), "neither"),
        ] {
            let mut other = document();
            other[field] = value;
            let found = parse(&other).unwrap_err();
            assert!(found.contains(part), "{field}: {found}");
        }
        let mut posts = document();
        posts["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        assert_eq!(parse(&posts).unwrap().proof, Proof::Post);
        assert!(Document::parse(b"<html>", "x").unwrap_err().contains("not JSON"));
    }

    #[test]
    fn keys_of_other_kinds_are_left_out() {
        let text = json!({"keys": [
            {"kty": "oct", "k": "c2VjcmV0"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB", "use": "enc"},
            {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
            {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
            {"kty": "RSA", "n": "AAEAAQ", "e": "AQAB", "kid": "one", "alg": "RS256"},
        ]});
        let found = keys(text.to_string().as_bytes()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id.as_deref(), Some("one"));
        let Material::Rsa { n, .. } = &found[0].material else { panic!("{found:?}") };
        assert_eq!(n, &[1, 0, 1], "without leading zeros");
        for bad in [&b"{}"[..], b"[]", br#"{"keys":[]}"#, br#"{"keys":[{"kty":"oct"}]}"#] {
            assert!(keys(bad).is_err());
        }
    }
}
