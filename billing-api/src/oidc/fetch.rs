//! What is asked of a provider directly: its document, its keys, the token for a code. What it
//! publishes is kept in memory, bounded, and asked for again after an hour, or where a token
//! names a key that is not known, at most once a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use daemon::base64;
use daemon::exit::chain;
use model::{Secret, Ts};
use outcall::{Caller, Method, Request};
use serde_json::Value as Json;
use uuid::Uuid;

use super::document::{self, Document, Key, Proof};
use super::provider::Provider;
use super::token;
use crate::domain::Office;
use crate::domain::slots::{self, Slots};

/// Providers whose documents are kept at most; one more takes the place of the oldest.
const KNOWN_MAX: usize = 256;
/// Calls to providers at once; whoever comes beyond is told to try again.
const CALLS_AT_ONCE: usize = 64;
/// Those of one partner with all below it: a provider that never answers holds up its own alone.
const CALLS_EACH: usize = 8;
/// A document is asked for again after so long, seconds.
const FRESH_S: f64 = 3600.0;
/// Where that fails, the old one holds for so long, seconds.
const STALE_S: f64 = 24.0 * 3600.0;
/// Between two questions for keys lies at least so long, seconds.
const KEYS_PAUSE_S: f64 = 60.0;
/// Largest document, set of keys or answer, octets.
const ANSWER_OCTETS_MAX: usize = 256 * 1024;

static CALLS: Slots = Slots::new(CALLS_AT_ONCE, CALLS_EACH);

/// What is known of providers. Part of the office.
#[derive(Default)]
pub(crate) struct Providers {
    known: Mutex<HashMap<Uuid, Known>>,
}

/// What a provider published.
#[derive(Debug, Clone)]
pub(super) struct Known {
    issuer: String,
    pub(super) document: Arc<Document>,
    pub(super) keys: Arc<Vec<Key>>,
    read_at: Ts,
    keys_at: Ts,
}

/// Why a provider gave no answer of use: a sentence for staff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Silent(pub(crate) String);

impl From<String> for Silent {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// What came for a code.
pub(super) struct Tokens {
    pub(super) id: Secret<String>,
    pub(super) access: Option<Secret<String>>,
}

impl Providers {
    fn find(&self, provider: &Provider) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&provider.id).filter(|known| known.issuer == provider.issuer).cloned()
    }

    fn keep(&self, provider: &Provider, kept: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX && !known.contains_key(&provider.id) {
            let oldest = known.iter().min_by_key(|(_, known)| known.read_at).map(|(id, _)| *id);
            oldest.map(|id| known.remove(&id));
        }
        known.insert(provider.id, kept);
    }
}

/// What a provider published, from memory where that is fresh.
pub(super) async fn known(office: &Office, provider: &Provider) -> Result<Known, Silent> {
    let now = office.now();
    let kept = office.providers.find(provider);
    if let Some(kept) = kept.as_ref().filter(|kept| now.since(kept.read_at) < FRESH_S) {
        return Ok(kept.clone());
    }
    match read(office, provider).await {
        Ok(known) => Ok(known),
        Err(silent) => match kept.filter(|kept| now.since(kept.read_at) < STALE_S) {
            Some(kept) => {
                tracing::warn!(provider = %provider.shown_id(), %silent, "a provider is away");
                Ok(kept)
            }
            None => Err(silent),
        },
    }
}

/// Asks for document and keys.
pub(super) async fn read(office: &Office, provider: &Provider) -> Result<Known, Silent> {
    let text = get(office, provider, &document::address(&provider.issuer), None).await?;
    let document = Document::parse(&text, &provider.issuer)?;
    for address in document.addresses() {
        provider.may_call(office, address)?;
    }
    let keys = document::keys(&get(office, provider, &document.jwks_uri, None).await?)?;
    let now = office.now();
    let known = Known {
        issuer: provider.issuer.clone(),
        document: Arc::new(document),
        keys: Arc::new(keys),
        read_at: now,
        keys_at: now,
    };
    office.providers.keep(provider, known.clone());
    Ok(known)
}

/// Asks for the keys again, where the last question is long enough ago; the same ones else.
pub(super) async fn keys_again(
    office: &Office,
    provider: &Provider,
    known: &Known,
) -> Result<Arc<Vec<Key>>, Silent> {
    let now = office.now();
    let mut latest = office.providers.find(provider).unwrap_or_else(|| known.clone());
    if now.since(latest.keys_at) < KEYS_PAUSE_S {
        return Ok(latest.keys);
    }
    // Noted before the answer, so that many who wait for one ask once.
    latest.keys_at = now;
    office.providers.keep(provider, latest.clone());
    let keys = document::keys(&get(office, provider, &latest.document.jwks_uri, None).await?)?;
    latest.keys = Arc::new(keys);
    office.providers.keep(provider, latest.clone());
    Ok(latest.keys)
}

/// Takes a code to the token endpoint (OpenID Connect Core 1.0 §3.1.3.1).
pub(super) async fn tokens(
    office: &Office,
    provider: &Provider,
    document: &Document,
    code: &str,
    verifier: &str,
    redirect: &str,
) -> Result<Tokens, Silent> {
    let secret = provider.secret(office).map_err(|fault| Silent(chain(&fault)))?;
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ];
    let mut headers = vec![
        ("content-type", Secret::from("application/x-www-form-urlencoded")),
        ("accept", Secret::from("application/json")),
    ];
    match (document.proof, &secret) {
        (Proof::Basic, Some(secret)) => {
            // Both are form-encoded before they are joined (RFC 6749 §2.3.1).
            let pair = Secret::new(format!(
                "{}:{}",
                form_encode(&provider.client_id),
                form_encode(secret.expose())
            ));
            let basic = format!("Basic {}", base64::encode(pair.expose().as_bytes()));
            headers.push(("authorization", Secret::new(basic)));
        }
        (Proof::Post, Some(secret)) => {
            form.push(("client_id", &provider.client_id));
            form.push(("client_secret", secret.expose()));
        }
        // A client without a secret is proven by PKCE alone.
        (_, None) => form.push(("client_id", &provider.client_id)),
    }
    let body = form_of(&form);
    let request = Request {
        method: Method::POST,
        url: &document.token_endpoint,
        headers,
        body: Bytes::from(body),
    };
    let (status, text) = call(office, provider, request).await?;
    let json: Json = serde_json::from_slice(&text).unwrap_or_default();
    if status != 200 {
        let error = json["error"].as_str().unwrap_or_default();
        let error: String = error.chars().filter(|c| c.is_ascii_graphic()).take(60).collect();
        return Err(Silent(format!("the token endpoint answered {status} {error}")));
    }
    let token = |name: &str| json[name].as_str().map(Secret::from);
    let id = token("id_token").ok_or_else(|| Silent("there was no ID token".to_owned()))?;
    Ok(Tokens { id, access: token("access_token") })
}

/// What a provider says of somebody besides the token (OpenID Connect Core 1.0 §5.3).
pub(super) async fn person(
    office: &Office,
    provider: &Provider,
    document: &Document,
    access: &Secret<String>,
    subject: &str,
) -> Result<Option<token::Person>, Silent> {
    let Some(url) = &document.userinfo_endpoint else { return Ok(None) };
    let bearer = Secret::new(format!("Bearer {}", access.expose()));
    let text = get(office, provider, url, Some(bearer)).await?;
    let json: Json = serde_json::from_slice(&text)
        .map_err(|error| Silent(format!("the userinfo is not JSON: {error}")))?;
    // What is said of another is not said of this one (§5.3.2).
    if json["sub"].as_str() != Some(subject) {
        return Err(Silent("the userinfo is about somebody else".to_owned()));
    }
    Ok(Some(token::Person::of(&json)))
}

async fn get(
    office: &Office,
    provider: &Provider,
    url: &str,
    authorization: Option<Secret<String>>,
) -> Result<Vec<u8>, Silent> {
    let mut headers = vec![("accept", Secret::from("application/json"))];
    headers.extend(authorization.map(|value| ("authorization", value)));
    let request = Request { method: Method::GET, url, headers, body: Bytes::new() };
    match call(office, provider, request).await? {
        (200, text) => Ok(text),
        (status, _) => Err(Silent(format!("{url} answered {status}"))),
    }
}

async fn call(
    office: &Office,
    provider: &Provider,
    request: Request<'_>,
) -> Result<(u16, Vec<u8>), Silent> {
    let url = request.url.to_owned();
    provider.may_call(office, &url)?;
    let sharer = slots::sharer(&provider.path, provider.organisation);
    let Some(_slot) = CALLS.take(sharer) else {
        return Err(Silent("too many people sign in at once".to_owned()));
    };
    let answer = caller(office, provider).call_keeping(request, ANSWER_OCTETS_MAX).await;
    let answer = answer.map_err(|error| Silent(format!("{url}: {}", chain(&error))))?;
    if answer.truncated {
        return Err(Silent(format!("the answer of {url} is too long, or broke off")));
    }
    Ok((answer.status, answer.body))
}

/// Who calls: below the root, public addresses and what the configuration allows alone.
fn caller<'o>(office: &'o Office, provider: &Provider) -> &'o Caller {
    if provider.is_root() { &office.hooks.anywhere } else { &office.hooks.caller }
}

/// A form's body (application/x-www-form-urlencoded).
pub(super) fn form_of(fields: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", form_encode(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A value of a form or a query, encoded.
fn form_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
