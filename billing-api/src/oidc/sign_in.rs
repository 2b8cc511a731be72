//! To the provider and back.
//!
//! What is asked goes with the browser: a sealed cookie holds state, nonce, the PKCE verifier and
//! the provider, for ten minutes. The answer must come back with that cookie, under the address of
//! that very provider, so that no answer of one is taken for another's (RFC 9700 §4.4), and is
//! taken once: states that were answered are kept until their time is over.

use daemon::base64;
use daemon::secrets::{constant_time_eq, random_token, sha256};
use model::{Sealed, Secret, Ts};
use serde_json::{Value as Json, json};
use store::args;
use uuid::Uuid;

use super::fetch::{self, Silent};
use super::person::{self, Stranger};
use super::provider::Provider;
use super::token::{self, Expected, Untrue};
use crate::domain::access::Visitor;
use crate::domain::access::attempts::of_address;
use crate::domain::access::sign_in::Step;
use crate::domain::{Event, Fault, Office, Unit};
use crate::store::identity_provider as sql;

/// How long somebody may take at the provider, seconds.
const ASKED_S: i64 = 600;
/// What the cookie is sealed to.
const BOUND: &str = "sign-in through a provider";
/// Longest code that is passed on, octets.
const CODE_OCTETS_MAX: usize = 4096;

/// Where a browser is sent, and the cookie that it brings back.
pub(crate) struct Question {
    pub(crate) location: String,
    pub(crate) cookie: Secret<String>,
}

/// What a browser brings back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answer<'a> {
    pub(crate) code: &'a str,
    pub(crate) state: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) error: &'a str,
}

/// Why nobody came in.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The answer fits no question of this browser's: it came late, twice, or from elsewhere.
    Foreign,
    /// They did not want to, or the provider did not.
    Cancelled,
    /// The provider gave no answer of use.
    Silent,
    /// What it said is not true.
    Untrue,
    /// Nobody here is meant.
    Stranger,
    /// Something else.
    Fault(Fault),
}

impl<F: Into<Fault>> From<F> for Refused {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

/// Begins: where to send the browser. `base` is how it reaches us, without the slash at the end.
pub(crate) async fn begin(
    office: &Office,
    visitor: &Visitor,
    id: Uuid,
    base: &str,
    next: &str,
) -> Result<Question, Refused> {
    let provider = Provider::find(office, id).await?;
    // Whoever asks makes us call out: not without end.
    let count = [of_address(visitor.address)];
    office.attempts.begin(&count, office.now()).map_err(Fault::TooMany)?;
    let known = fetch::known(office, &provider).await.map_err(|silent| {
        tracing::warn!(provider = %provider.shown_id(), %silent, "a sign-in cannot begin");
        Refused::Silent
    })?;
    office.attempts.succeeded(&count, &[]);
    let (state, nonce, verifier) = (random_token(""), random_token(""), random_token(""));
    let redirect = redirect(base, &provider.shown_id());
    let challenge = base64::encode_url(&sha256(verifier.expose().as_bytes()));
    let query = fetch::form_of(&[
        ("response_type", "code"),
        ("client_id", &provider.client_id),
        ("redirect_uri", &redirect),
        ("scope", "openid email profile"),
        ("state", state.expose()),
        ("nonce", nonce.expose()),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let endpoint = &known.document.authorization_endpoint;
    // An endpoint may have a query of its own (RFC 6749 §3.1).
    let joint = if endpoint.contains('?') { '&' } else { '?' };
    let asked = Secret::new(
        json!({
            "provider": provider.id,
            "state": state.expose(),
            "nonce": nonce.expose(),
            "verifier": verifier.expose(),
            "redirect": redirect,
            "next": next,
            "until": office.now().plus_seconds(ASKED_S).0,
        })
        .to_string(),
    );
    let sealed = office.keyring.seal(BOUND, asked.expose().as_bytes()).map_err(Fault::from)?;
    Ok(Question { location: format!("{endpoint}{joint}{query}"), cookie: Secret::new(sealed.0) })
}

/// Where a provider sends the browser back to: an address of its own.
pub(crate) fn redirect(base: &str, shown_id: &str) -> String {
    format!("{base}/login/callback/{shown_id}")
}

/// What was asked.
struct Asked {
    provider: Uuid,
    state: Secret<String>,
    nonce: Secret<String>,
    verifier: Secret<String>,
    redirect: String,
    next: String,
    until: Ts,
}

impl Asked {
    fn open(office: &Office, cookie: &str) -> Option<Self> {
        let opened = office.keyring.open(BOUND, &Sealed(cookie.to_owned())).ok()?;
        let json: Json = serde_json::from_slice(opened.expose()).ok()?;
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let secret = |name: &str| text(name).map(Secret::new);
        Some(Self {
            provider: text("provider")?.parse().ok()?,
            state: secret("state")?,
            nonce: secret("nonce")?,
            verifier: secret("verifier")?,
            redirect: text("redirect")?,
            next: text("next")?,
            until: Ts(json["until"].as_i64()?),
        })
    }
}

/// Completes: where the sign-in stands, and where to go then.
pub(crate) async fn complete(
    office: &Office,
    visitor: &Visitor,
    id: Uuid,
    cookie: &str,
    answer: Answer<'_>,
) -> Result<(Step, String), Refused> {
    let now = office.now();
    let count = [of_address(visitor.address)];
    office.attempts.begin(&count, now).map_err(Fault::TooMany)?;
    let asked = Asked::open(office, cookie).ok_or(Refused::Foreign)?;
    let own = constant_time_eq(asked.state.expose().as_bytes(), answer.state.as_bytes());
    if !own || asked.provider != id || asked.until <= now {
        return Err(Refused::Foreign);
    }
    let provider = Provider::find(office, id).await?;
    office.db.execute(&sql::FORGET_ANSWERS, args![now]).await?;
    let hash = sha256(asked.state.expose().as_bytes()).to_vec();
    if office.db.execute(&sql::TAKE_ANSWER, args![hash, asked.until]).await? != 1 {
        refuse(office, visitor, &provider, "answer_replayed", None).await?;
        return Err(Refused::Foreign);
    }
    if !answer.error.is_empty() {
        // Whoever changes their mind is no failure.
        office.attempts.succeeded(&count, &[]);
        return Err(Refused::Cancelled);
    }
    match prove(office, visitor, &provider, &asked, answer).await {
        Ok(step) => {
            office.attempts.succeeded(&count, &[]);
            Ok((step, asked.next))
        }
        Err(refused) => Err(refused),
    }
}

/// From the code to whoever it stands for.
async fn prove(
    office: &Office,
    visitor: &Visitor,
    provider: &Provider,
    asked: &Asked,
    answer: Answer<'_>,
) -> Result<Step, Refused> {
    let silent = async |Silent(detail): Silent| -> Refused {
        tracing::warn!(provider = %provider.shown_id(), detail, "a sign-in was not completed");
        match refuse(office, visitor, provider, "provider_silent", None).await {
            Ok(()) => Refused::Silent,
            Err(fault) => Refused::Fault(fault),
        }
    };
    let known = match fetch::known(office, provider).await {
        Ok(known) => known,
        Err(trouble) => return Err(silent(trouble).await),
    };
    let names_issuer = known.document.names_issuer || !answer.issuer.is_empty();
    if names_issuer && answer.issuer != provider.issuer {
        refuse(office, visitor, provider, "answer_issuer", None).await?;
        return Err(Refused::Untrue);
    }
    if answer.code.is_empty() || answer.code.len() > CODE_OCTETS_MAX {
        refuse(office, visitor, provider, "answer_without_code", None).await?;
        return Err(Refused::Untrue);
    }
    let (verifier, redirect) = (asked.verifier.expose(), asked.redirect.as_str());
    let tokens =
        fetch::tokens(office, provider, &known.document, answer.code, verifier, redirect).await;
    let tokens = match tokens {
        Ok(tokens) => tokens,
        Err(trouble) => return Err(silent(trouble).await),
    };
    let expected = Expected {
        issuer: &provider.issuer,
        client: &provider.client_id,
        nonce: asked.nonce.expose(),
        now: office.now(),
    };
    let mut checked = token::check(tokens.id.expose(), &known.keys, expected);
    if checked == Err(Untrue::UnknownKey) {
        // The provider may have a new one.
        checked = match fetch::keys_again(office, provider, &known).await {
            Ok(keys) => token::check(tokens.id.expose(), &keys, expected),
            Err(trouble) => return Err(silent(trouble).await),
        };
    }
    let mut claims = match checked {
        Ok(claims) => claims,
        Err(untrue) => {
            refuse(office, visitor, provider, untrue.as_str(), None).await?;
            return Err(Refused::Untrue);
        }
    };
    // Some say no more in the token than who it is (OpenID Connect Core 1.0 §5.4).
    if claims.person.email.is_none()
        && let Some(access) = &tokens.access
    {
        let asked = fetch::person(office, provider, &known.document, access, &claims.subject);
        match asked.await {
            Ok(Some(person)) => claims.person = person,
            Ok(None) => {}
            Err(trouble) => return Err(silent(trouble).await),
        }
    }
    match person::admit(office, visitor, provider, &claims).await {
        Ok(step) => Ok(step),
        Err(Stranger::Refused(reason)) => {
            let email = claims.person.email.as_deref();
            refuse(office, visitor, provider, reason, email).await?;
            Err(Refused::Stranger)
        }
        Err(Stranger::Fault(fault)) => Err(Refused::Fault(fault)),
    }
}

/// Writes down that somebody was refused, and why: for those who look after the provider.
async fn refuse(
    office: &Office,
    visitor: &Visitor,
    provider: &Provider,
    reason: &str,
    email: Option<&str>,
) -> Result<(), Fault> {
    let actor = provider.actor();
    let mut unit = Unit::begin(office, &actor).await?;
    let entity_id = provider.shown_id();
    let address = visitor.address.to_canonical();
    let payload = json!({"id": entity_id, "name": provider.name, "reason": reason,
        "email": email, "address": address});
    let event = Event { kind: "identity_provider.refused", entity_id, payload, policy: &[] };
    unit.record(provider.organisation, event, None).await?;
    unit.commit().await
}
