//! Signing in through identity providers, attacked: each provider is an HTTP server of its own,
//! which says what the test wants it to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use daemon::base64::encode_url;
use daemon::secrets::sha256;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use super::super::rules;
use super::*;
use crate::config::Config;
use crate::hook::Hooks;
use crate::oidc::provider::{self, IDENTITY_PROVIDER};
use crate::oidc::sign_in::{self as flow, Answer, Question, Refused};

static PROVIDERS: &Entity = &IDENTITY_PROVIDER;

/// The base of our own addresses.
const BASE: &str = "https://office.example";

/// What a server has to say, and what it heard.
struct Said {
    keys: Value,
    token: String,
    userinfo: Value,
    document: Value,
    asked: Vec<(String, String)>,
}

/// A provider. Its server ends with the process of the test.
struct Idp {
    issuer: String,
    pair: EcdsaKeyPair,
    said: Arc<Mutex<Said>>,
}

fn key_pair() -> EcdsaKeyPair {
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap()
}

fn key_set(pair: &EcdsaKeyPair, id: &str) -> Value {
    let point = pair.public_key().as_ref();
    let (x, y) = (encode_url(&point[1..33]), encode_url(&point[33..]));
    json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y}]})
}

fn serve(mut stream: &TcpStream, said: &Mutex<Said>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut proof) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => proof = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let mut said = said.lock().unwrap();
    let answer = match path.as_str() {
        "/keys" => Some(said.keys.clone()),
        "/token" => {
            Some(json!({"id_token": said.token, "access_token": "at", "token_type": "Bearer"}))
        }
        "/me" => Some(said.userinfo.clone()),
        "/.well-known/openid-configuration" => Some(said.document.clone()),
        _ => None,
    };
    said.asked.push((path, format!("{proof} {body}")));
    drop(said);
    let (status, text) = match answer {
        Some(json) => ("200 OK", json.to_string()),
        None => ("404 Not Found", String::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}", text.len());
    write!(stream, "{head}\r\n\r\n{text}").ok()
}

impl Idp {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let pair = key_pair();
        let document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth?tenant=1"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "userinfo_endpoint": format!("{issuer}/me"),
        });
        let said = Arc::new(Mutex::new(Said {
            keys: key_set(&pair, "one"),
            token: String::new(),
            userinfo: json!({}),
            document,
            asked: Vec::new(),
        }));
        let served = said.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever breaks off is not answered.
                let _ = serve(&stream, &served);
            }
        });
        Self { issuer, pair, said }
    }

    fn token(&self, head: &Value, claims: &Value) -> String {
        let part = |json: &Value| encode_url(json.to_string().as_bytes());
        let message = format!("{}.{}", part(head), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", encode_url(signature.as_ref()))
    }

    /// Gives this token for the next code.
    fn says(&self, claims: &Value) {
        let token = self.token(&json!({"alg": "ES256", "kid": "one"}), claims);
        self.said.lock().unwrap().token = token;
    }

    fn asked(&self, path: &str) -> Vec<String> {
        let said = self.said.lock().unwrap();
        let of_path = said.asked.iter().filter(|(own, _)| own == path);
        of_path.map(|(_, what)| what.clone()).collect()
    }
}

/// Places whose providers may be on this machine.
async fn settled() -> Vec<Place> {
    let mut config = Config::default();
    config.calls.allow = vec!["127.0.0.0/8".parse().unwrap()];
    config.calls.ports = Vec::new();
    let mut places = places().await;
    for place in &mut places {
        place.office.hooks = Hooks::open(&config).unwrap();
    }
    places
}

fn set(idp: &Idp, name: &str) -> Value {
    json!({"name": name, "issuer": idp.issuer, "client_id": "us", "client_secret": "s:e/c ret"})
}

fn query(location: &str) -> BTreeMap<String, String> {
    let (_, query) = location.split_once('?').unwrap();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A sign-in under way.
struct Way {
    provider: uuid::Uuid,
    question: Question,
    asked: BTreeMap<String, String>,
}

async fn begin(place: &Place, provider: uuid::Uuid) -> Way {
    let question = flow::begin(&place.office, &visitor(HOME, None), provider, BASE, "/nas").await;
    let question = question.unwrap();
    let asked = query(&question.location);
    Way { provider, question, asked }
}

impl Way {
    fn claims(&self, place: &Place, idp: &Idp, subject: &str, email: &str) -> Value {
        let now = place.office.now().0 / 1_000_000;
        json!({"iss": idp.issuer, "aud": "us", "sub": subject, "nonce": self.asked["nonce"],
            "iat": now, "exp": now + 60, "email": email, "email_verified": true})
    }

    async fn end(&self, place: &Place, from: &str) -> Result<(Step, String), Refused> {
        let (code, state) = ("c0de", self.asked["state"].as_str());
        let answer = Answer { code, state, ..Answer::default() };
        let cookie = self.question.cookie.expose();
        flow::complete(&place.office, &visitor(from, None), self.provider, cookie, answer).await
    }
}

/// Comes in, or does not, as somebody with a verified address.
async fn come(
    place: &Place,
    idp: &Idp,
    provider: uuid::Uuid,
    subject: &str,
    email: &str,
) -> Result<Step, Refused> {
    let way = begin(place, provider).await;
    idp.says(&way.claims(place, idp, subject, email));
    way.end(place, HOME).await.map(|(step, _)| step)
}

async fn email_of(place: &Place, id: StaffId) -> String {
    Account::load(&place.office, id).await.unwrap().email
}

/// The latest reason for which a provider's people were refused.
async fn reason(place: &Place, provider: uuid::Uuid) -> String {
    let id = model::id::show(IDENTITY_PROVIDER.prefix, provider);
    let text = "SELECT after FROM audit_entry WHERE entity_id = $1 AND action = 'refused'
        ORDER BY at DESC, id DESC LIMIT 1";
    let mut unit = Unit::begin(&place.office, &place.root).await.unwrap();
    let rows = unit.dynamic_all(text, args![id]).await.unwrap();
    let after: Value = rows[0].get("after").unwrap();
    after["reason"].as_str().unwrap().to_owned()
}

#[track_caller]
fn stranger(result: &Result<Step, Refused>) {
    assert!(matches!(result, Err(Refused::Stranger)), "{result:?}");
}

async fn whose(place: &Place, step: Step) -> StaffId {
    let Step::Entered { session, .. } = step else { panic!("{step:?}") };
    match place.session(&session).await.unwrap().actor.who {
        crate::domain::actor::Who::Staff(id) => id,
        who => panic!("{who:?}"),
    }
}

#[tokio::test]
async fn staff_come_in_by_a_verified_address_and_then_by_their_subject() {
    for place in settled().await {
        let idp = Idp::start();
        let made = place.create(&place.root, PROVIDERS, set(&idp, "North")).await.unwrap();
        assert!(!made.view.to_string().contains("e/c ret"), "{}", made.view);
        let (asha, _, _) = place.somebody(json!(["customers.view"])).await;
        let email = email_of(&place, asha).await;

        let way = begin(&place, made.id).await;
        assert!(way.question.location.starts_with(&format!("{}/auth?tenant=1&", idp.issuer)));
        assert_eq!(way.asked["code_challenge_method"], "S256");
        assert_eq!(way.asked["scope"], "openid%20email%20profile");
        let shown = made.view["id"].as_str().unwrap();
        let redirect = format!("https%3A%2F%2Foffice.example%2Flogin%2Fcallback%2F{shown}");
        assert_eq!(way.asked["redirect_uri"], redirect);
        idp.says(&way.claims(&place, &idp, "s-1", &email.to_uppercase()));
        let (step, next) = way.end(&place, HOME).await.unwrap();
        assert_eq!(next, "/nas");
        assert_eq!(whose(&place, step).await, asha);
        let (did, by, _) = place.audited(&asha.to_string()).await;
        assert_eq!((did.as_str(), by), ("signed_in", asha.to_string()));

        // The code went with the secret, both encoded, and with what was hashed before.
        let asked = idp.asked("/token").pop().unwrap();
        let basic = daemon::base64::encode(b"us:s%3Ae%2Fc%20ret");
        assert!(asked.starts_with(&format!("Basic {basic} ")), "{asked}");
        let verifier = asked.split("code_verifier=").nth(1).unwrap().split('&').next().unwrap();
        assert_eq!(way.asked["code_challenge"], encode_url(&sha256(verifier.as_bytes())));
        assert!(asked.contains(&format!("redirect_uri={redirect}")), "{asked}");

        // From now on the subject counts, whatever address it has and whoever has this one.
        let again = come(&place, &idp, made.id, "s-1", "moved@elsewhere.example").await;
        assert_eq!(whose(&place, again.unwrap()).await, asha);
        stranger(&come(&place, &idp, made.id, "s-2", &email).await);
        assert_eq!(reason(&place, made.id).await, "other_subject");
        act(&place.office, &place.root, asha, "forget-providers").await.unwrap();
        stranger(&come(&place, &idp, made.id, "s-1", "moved@elsewhere.example").await);
        assert!(come(&place, &idp, made.id, "s-2", &email).await.is_ok());
        assert_eq!(idp.asked("/keys").len(), 1, "asked for once");
    }
}

#[tokio::test]
async fn a_token_that_is_not_true_lets_nobody_in_and_says_why() {
    for place in settled().await {
        let idp = Idp::start();
        let made = place.create(&place.root, PROVIDERS, set(&idp, "North")).await.unwrap();
        let email = "admin@localhost";
        let now = place.office.now().0 / 1_000_000;
        for (field, value, expected) in [
            ("nonce", json!("another"), "token_nonce"),
            ("aud", json!("others"), "token_audience"),
            ("azp", json!("others"), "token_audience"),
            ("iss", json!("https://evil.example"), "token_issuer"),
            ("exp", json!(now - 61), "token_expired"),
            ("nbf", json!(now + 61), "token_not_yet_valid"),
        ] {
            let way = begin(&place, made.id).await;
            let mut claims = way.claims(&place, &idp, "s", email);
            claims[field] = value;
            idp.says(&claims);
            // Addresses differ, so that none has to wait.
            let end = way.end(&place, &format!("192.0.2.{}", 20 + expected.len())).await;
            assert!(matches!(end, Err(Refused::Untrue)), "{field}: {end:?}");
            assert_eq!(reason(&place, made.id).await, expected);
        }
        let part = |json: &Value| encode_url(json.to_string().as_bytes());
        for (n, (head, expected)) in [
            (json!({"alg": "none"}), "token_algorithm"),
            (json!({"alg": "HS256", "kid": "one"}), "token_algorithm"),
            (json!({"alg": "ES256", "kid": "one"}), "token_signature"),
        ]
        .into_iter()
        .enumerate()
        {
            let way = begin(&place, made.id).await;
            let claims = way.claims(&place, &idp, "s", email);
            let message = format!("{}.{}", part(&head), part(&claims));
            // With the public key as if it were a shared secret; for ES256 it is no signature.
            let secret =
                ring::hmac::Key::new(ring::hmac::HMAC_SHA256, idp.pair.public_key().as_ref());
            let tag = ring::hmac::sign(&secret, message.as_bytes());
            let tag = if n == 0 { String::new() } else { encode_url(tag.as_ref()) };
            idp.said.lock().unwrap().token = format!("{message}.{tag}");
            let end = way.end(&place, &format!("192.0.2.{}", 80 + n)).await;
            assert!(matches!(end, Err(Refused::Untrue)), "{head}: {end:?}");
            assert_eq!(reason(&place, made.id).await, expected);
        }
    }
}

#[tokio::test]
async fn an_answer_is_taken_once_by_the_browser_that_asked_and_from_whom_it_asked() {
    for place in settled().await {
        let (one, other) = (Idp::start(), Idp::start());
        let first = place.create(&place.root, PROVIDERS, set(&one, "One")).await.unwrap();
        let second = place.create(&place.root, PROVIDERS, set(&other, "Other")).await.unwrap();
        let email = "admin@localhost";
        let foreign = |end: Result<(Step, String), Refused>| {
            assert!(matches!(end, Err(Refused::Foreign)), "{end:?}");
        };

        // Another browser's question, none, and one that was tampered with.
        let (way, stolen) = (begin(&place, first.id).await, begin(&place, first.id).await);
        one.says(&way.claims(&place, &one, "s", email));
        let state = way.asked["state"].as_str();
        let answer = Answer { code: "c0de", state, ..Answer::default() };
        for cookie in [stolen.question.cookie.expose().as_str(), "", "1.k1.AAAA"] {
            let visitor = visitor(HOME, None);
            foreign(flow::complete(&place.office, &visitor, first.id, cookie, answer).await);
        }
        // Under the address of the other provider, which hears nothing of the code.
        let mixed = Way { provider: second.id, ..begin(&place, first.id).await };
        foreign(mixed.end(&place, HOME).await);
        assert!(other.asked("/token").is_empty());
        // The other's answer, which names its issuer (RFC 9207).
        let named = begin(&place, first.id).await;
        let state = named.asked["state"].as_str();
        let answer = Answer { code: "c0de", state, issuer: &other.issuer, error: "" };
        let cookie = named.question.cookie.expose();
        let end =
            flow::complete(&place.office, &visitor(HOME, None), first.id, cookie, answer).await;
        assert!(matches!(end, Err(Refused::Untrue)), "{end:?}");
        assert_eq!(reason(&place, first.id).await, "answer_issuer");
        assert!(one.asked("/token").is_empty());
        // The other's token, true as it is, in this one's answer.
        let way = begin(&place, first.id).await;
        let theirs = other
            .token(&json!({"alg": "ES256", "kid": "one"}), &way.claims(&place, &other, "s", email));
        one.said.lock().unwrap().token = theirs;
        assert!(matches!(way.end(&place, HOME).await, Err(Refused::Untrue)));
        assert_eq!(reason(&place, first.id).await, "token_signature");

        // Once, and in time.
        let way = begin(&place, first.id).await;
        one.says(&way.claims(&place, &one, "s", email));
        assert!(way.end(&place, HOME).await.is_ok());
        foreign(way.end(&place, HOME).await);
        assert_eq!(reason(&place, first.id).await, "answer_replayed");
        let late = begin(&place, first.id).await;
        place.pass(601);
        one.says(&late.claims(&place, &one, "s", email));
        foreign(late.end(&place, HOME).await);
        // Whoever changes their mind.
        let way = begin(&place, first.id).await;
        let state = way.asked["state"].as_str();
        let answer = Answer { state, error: "access_denied", ..Answer::default() };
        let cookie = way.question.cookie.expose();
        let end =
            flow::complete(&place.office, &visitor(HOME, None), first.id, cookie, answer).await;
        assert!(matches!(end, Err(Refused::Cancelled)), "{end:?}");
    }
}

#[tokio::test]
async fn a_provider_speaks_of_its_organisation_and_those_below_and_of_nobody_else() {
    for place in settled().await {
        let idp = Idp::start();
        let (north, north_path) = place.below(&place.root).await;
        let (south, _) = place.below(&place.root).await;
        let all = place.role(place.root.organisation, json!(["*"])).await;
        let boss = place.hire(north, all).await;
        let actor = place.actor(boss).await;
        assert_eq!(actor.path, north_path);
        let (branch, _) = place.below(&actor).await;
        let made = place.create(&actor, PROVIDERS, set(&idp, "North")).await.unwrap();
        let came = async |subject: &str, id: StaffId| {
            let email = email_of(&place, id).await;
            come(&place, &idp, made.id, subject, &email).await
        };

        // Beside it and above it: as if they were not there.
        let beside = place.hire(south, all).await;
        stranger(&came("beside", beside).await);
        assert_eq!(reason(&place, made.id).await, "no_account");
        stranger(&come(&place, &idp, made.id, "above", "admin@localhost").await);
        assert_eq!(reason(&place, made.id).await, "no_account");
        let below = place.hire(branch, all).await;
        assert_eq!(whose(&place, came("below", below).await.unwrap()).await, below);

        // Who has moved away is not its own any more, known or not.
        let text = "UPDATE staff SET organisation_id = $1 WHERE id = $2";
        let mut unit = Unit::begin(&place.office, &place.root).await.unwrap();
        unit.dynamic_all(&format!("{text} RETURNING id"), args![south, below]).await.unwrap();
        unit.commit().await.unwrap();
        stranger(&came("below", below).await);

        // An address nobody verified, or of another domain; nobody at all; a disabled account.
        let asha = place.hire(north, all).await;
        let email = email_of(&place, asha).await;
        for (verified, expected) in
            [(json!(false), "email_unverified"), (Value::Null, "email_unverified")]
        {
            let way = begin(&place, made.id).await;
            let mut claims = way.claims(&place, &idp, "asha", &email);
            claims["email_verified"] = verified;
            idp.says(&claims);
            stranger(&way.end(&place, HOME).await.map(|(step, _)| step));
            assert_eq!(reason(&place, made.id).await, expected);
        }
        let domains = json!({"email_domains": ["ISP.example"]});
        place.update(&actor, PROVIDERS, made.id, domains).await.unwrap();
        stranger(&came("asha", asha).await);
        assert_eq!(reason(&place, made.id).await, "email_domain");
        let any = json!({"email_domains": [], "email_trusted": true});
        place.update(&actor, PROVIDERS, made.id, any).await.unwrap();
        let way = begin(&place, made.id).await;
        let mut claims = way.claims(&place, &idp, "asha", &email);
        claims["email_verified"] = Value::Null;
        idp.says(&claims);
        assert!(way.end(&place, HOME).await.is_ok(), "trusted where it does not say");
        act(&place.office, &actor, asha, "disable").await.unwrap();
        stranger(&come(&place, &idp, made.id, "asha", &email).await);
        assert_eq!(reason(&place, made.id).await, "disabled");
        act(&place.office, &actor, asha, "enable").await.unwrap();
        let list = json!({"allow_list": ["198.51.100.0/24"]});
        place.update(&actor, STAFFS, asha.0, list).await.unwrap();
        stranger(&came("asha", asha).await);
        assert_eq!(reason(&place, made.id).await, "address");
        let list = json!({"allow_list": []});
        place.update(&actor, STAFFS, asha.0, list).await.unwrap();

        // Off, deleted, or not there: the same.
        let off = json!({"enabled": false});
        place.update(&actor, PROVIDERS, made.id, off).await.unwrap();
        for id in [made.id, uuid::Uuid::now_v7()] {
            let begun = flow::begin(&place.office, &visitor(HOME, None), id, BASE, "/").await.err();
            assert!(matches!(begun, Some(Refused::Fault(Fault::NotFound(_)))), "{begun:?}");
        }
    }
}

#[tokio::test]
async fn new_staff_come_in_with_the_role_that_was_set_and_only_where_it_belongs() {
    for place in settled().await {
        let idp = Idp::start();
        let (north, _) = place.below(&place.root).await;
        let all = place.role(north, json!(["*"])).await;
        let few = place.role(north, json!(["customers.view"])).await;
        let boss = place.hire(north, all).await;
        let actor = place.actor(boss).await;
        let mut body = set(&idp, "North");
        body["role_id"] = json!(few);
        let without = place.create(&actor, PROVIDERS, body.clone()).await;
        let Err(Fault::Invalid(faults)) = without else { panic!("everybody may come") };
        assert_eq!(faults[0].pointer, "/email_domains");
        body["email_domains"] = json!(["north.example"]);
        let made = place.create(&actor, PROVIDERS, body).await.unwrap();

        let new = come(&place, &idp, made.id, "n", "New@North.example").await.unwrap();
        let new = whose(&place, new).await;
        let account = Account::load(&place.office, new).await.unwrap();
        assert_eq!(account.organisation_id, north);
        assert_eq!(account.email, "new@north.example");
        assert!(account.rights.has("customers.view") && !account.rights.has("customers.edit"));
        let typed = place.sign_in(&visitor(AWAY, None), "new@north.example", "").await;
        assert!(matches!(typed, Err(Fault::Unauthenticated)), "{typed:?}");

        // An address that is somebody's elsewhere makes no second account, and finds none.
        let mut taken = json!({"name": "B", "email": "boss@north.example", "role_id": null});
        taken["role_id"] = json!(place.admin_role);
        place.create(&place.root, STAFFS, taken).await.unwrap();
        stranger(&come(&place, &idp, made.id, "b", "boss@north.example").await);
        assert_eq!(reason(&place, made.id).await, "no_account");
        conflict(write::delete(&place.office, &actor, ROLES, few.0, None).await);
    }
}

#[tokio::test]
async fn the_own_second_factor_is_asked_for_as_the_organisation_wants_it() {
    for place in settled().await {
        let idp = Idp::start();
        let made = place.create(&place.root, PROVIDERS, set(&idp, "North")).await.unwrap();
        let (asha, _, _) = place.somebody(json!(["customers.view"])).await;
        place.enrol(asha).await;
        let email = email_of(&place, asha).await;
        let came = async |methods: Value| {
            let way = begin(&place, made.id).await;
            let mut claims = way.claims(&place, &idp, "a", &email);
            claims["amr"] = methods;
            idp.says(&claims);
            way.end(&place, HOME).await.unwrap().0
        };
        let due = |step: &Step| matches!(step, Step::Due { challenge: Some(_) });
        assert!(due(&came(json!(["pwd"])).await));
        assert!(due(&came(json!("mfa")).await), "not a list");
        assert!(!due(&came(json!(["pwd", "mfa"])).await));
        let always = json!({"second_factor": "always"});
        place.update(&place.root, PROVIDERS, made.id, always).await.unwrap();
        assert!(due(&came(json!(["mfa"])).await));
        let if_demanded = json!({"second_factor": "if_demanded"});
        place.update(&place.root, PROVIDERS, made.id, if_demanded).await.unwrap();
        assert!(!due(&came(json!(["pwd"])).await));
        let rule = json!({"security.two_factor_required": true});
        let rule = rule.as_object().unwrap();
        crate::domain::setting::patch(&place.office, &place.root, None, rule, None).await.unwrap();
        assert!(due(&came(json!(["pwd"])).await), "a rule demands it");
        assert!(!due(&came(json!(["mfa"])).await));

        // A password that is due is none of this; the code is.
        let Step::Due { challenge: Some(cookie) } = came(json!([])).await else { panic!() };
        let set = json!({"must_change_password": true});
        place.update(&place.root, STAFFS, asha.0, set).await.unwrap();
        let visitor = visitor(HOME, None);
        let challenge = Challenge::find(&place.office, &visitor, cookie.expose()).await.unwrap();
        assert_eq!(challenge.due(), Some(Due::Code));
    }
}

#[tokio::test]
async fn where_a_provider_is_required_passwords_are_not_taken() {
    for place in settled().await {
        let idp = Idp::start();
        let made = place.create(&place.root, PROVIDERS, set(&idp, "North")).await.unwrap();
        let on = || json!({"required": true});
        let early = place.update(&place.root, PROVIDERS, made.id, on()).await;
        let Err(Fault::Invalid(faults)) = early else { panic!("nobody could come in") };
        assert_eq!(faults[0].pointer, "/required");
        let email = "admin@localhost";
        assert!(come(&place, &idp, made.id, "a", email).await.is_ok());
        place.update(&place.root, PROVIDERS, made.id, on()).await.unwrap();

        let right = place.sign_in(&visitor(HOME, None), email, PASSWORD).await;
        let Err(Fault::Conflict { detail, .. }) = right else { panic!("{right:?}") };
        assert!(detail.contains("North"), "{detail}");
        let wrong = place.sign_in(&visitor(HOME, None), email, "wrong").await;
        assert!(matches!(wrong, Err(Fault::Unauthenticated)), "{wrong:?}");
        assert!(come(&place, &idp, made.id, "a", email).await.is_ok());

        // Those below are its staff as well; the way back is on the machine itself.
        let (north, _) = place.below(&place.root).await;
        let role = place.role(north, json!(["*"])).await;
        let theirs = email_of(&place, place.hire(north, role).await).await;
        conflict(place.sign_in(&visitor(HOME, None), &theirs, PASSWORD).await);
        assert!(rules::open(&place.office).await.unwrap());
        place.sign_in(&visitor(HOME, None), email, PASSWORD).await.unwrap();
        assert!(!rules::open(&place.office).await.unwrap());
    }
}

#[tokio::test]
async fn only_who_may_do_all_that_its_staff_may_sets_a_provider() {
    for place in settled().await {
        let idp = Idp::start();
        let few = json!(["staff.*", "customers.view"]);
        let (_, _, actor) = place.somebody(few).await;
        let made = place.create(&actor, PROVIDERS, set(&idp, "North")).await;
        assert!(matches!(made, Err(Fault::Forbidden(_))), "{made:?}");
        let made = place.create(&place.root, PROVIDERS, set(&idp, "North")).await.unwrap();
        let renamed = place.update(&actor, PROVIDERS, made.id, json!({"name": "Mine"})).await;
        assert!(matches!(renamed, Err(Fault::Forbidden(_))), "{renamed:?}");
        let deleted = write::delete(&place.office, &actor, PROVIDERS, made.id, None).await;
        assert!(matches!(deleted, Err(Fault::Forbidden(_))), "{deleted:?}");

        // The secret goes nowhere else, and nothing is asked in the clear or inside.
        let blamed = async |actor: &Actor, body: Value| {
            let made = place.create(actor, PROVIDERS, body).await;
            let Err(Fault::Invalid(faults)) = made else { panic!("{made:?}") };
            faults[0].pointer.clone()
        };
        let other = Idp::start();
        let moved = json!({"issuer": other.issuer});
        let moved = place.update(&place.root, PROVIDERS, made.id, moved).await;
        assert!(matches!(moved, Err(Fault::Invalid(_))), "{moved:?}");
        let (north, _) = place.below(&place.root).await;
        let role = place.role(north, json!(["*"])).await;
        let theirs = place.actor(place.hire(north, role).await).await;
        for bad in [
            "http://id.example",
            "ftp://id.example",
            "id.example",
            "https://u:p@id.example",
            "https://id.example/?a=1",
            "http://10.0.0.1",
        ] {
            let body = json!({"name": bad, "issuer": bad, "client_id": "us"});
            assert_eq!(blamed(&place.root, body.clone()).await, "/issuer", "{bad}");
            assert_eq!(blamed(&theirs, body).await, "/issuer", "{bad}");
        }
        let inside = json!({"name": "in", "issuer": "https://10.0.0.1", "client_id": "us"});
        assert_eq!(blamed(&theirs, inside.clone()).await, "/issuer");
        place.create(&place.root, PROVIDERS, inside).await.unwrap();
        let domains = json!({"name": "d", "issuer": "https://id.example", "client_id": "us",
            "email_domains": ["north"]});
        assert_eq!(blamed(&theirs, domains).await, "/email_domains");
    }
}

#[tokio::test]
async fn a_new_key_is_asked_for_once_a_minute_and_a_check_says_what_is_wrong() {
    for place in settled().await {
        let mut idp = Idp::start();
        let made = place.create(&place.root, PROVIDERS, set(&idp, "North")).await.unwrap();
        assert!(come(&place, &idp, made.id, "a", "admin@localhost").await.is_ok());
        // The provider has a new key, and tokens name one that it never publishes.
        idp.pair = key_pair();
        let way = begin(&place, made.id).await;
        let head = json!({"alg": "ES256", "kid": "two"});
        let token = idp.token(&head, &way.claims(&place, &idp, "a", "admin@localhost"));
        idp.said.lock().unwrap().token = token;
        for _ in 0..3 {
            let way = begin(&place, made.id).await;
            assert!(matches!(way.end(&place, HOME).await, Err(Refused::Untrue)));
        }
        assert_eq!(idp.asked("/keys").len(), 1, "asked for a moment ago");
        place.pass(61);
        idp.said.lock().unwrap().keys = key_set(&idp.pair, "two");
        let way = begin(&place, made.id).await;
        let token = idp.token(&head, &way.claims(&place, &idp, "a", "admin@localhost"));
        idp.said.lock().unwrap().token = token;
        way.end(&place, HOME).await.unwrap();
        assert_eq!(idp.asked("/keys").len(), 2);

        // No address in the token: the provider is asked for it, and believed for the same one.
        let (asha, _, _) = place.somebody(json!(["customers.view"])).await;
        let email = email_of(&place, asha).await;
        for (subject, right) in [("z", false), ("b", true)] {
            let way = begin(&place, made.id).await;
            let mut claims = way.claims(&place, &idp, "b", "");
            claims["email"] = Value::Null;
            idp.said.lock().unwrap().token = idp.token(&head, &claims);
            idp.said.lock().unwrap().userinfo =
                json!({"sub": subject, "email": email, "email_verified": true});
            let end = way.end(&place, HOME).await;
            assert_eq!(end.is_ok(), right, "{end:?}");
        }

        let checked = provider::test(&place.office, &place.root, made.id).await.unwrap();
        assert!(checked["check_problem"].is_null() && !checked["checked_at"].is_null());
        idp.said.lock().unwrap().document["issuer"] = json!("https://evil.example");
        let checked = provider::test(&place.office, &place.root, made.id).await.unwrap();
        let problem = checked["check_problem"].as_str().unwrap();
        assert!(problem.contains("https://evil.example"), "{problem}");
        // What it published before holds for a while.
        assert!(matches!(
            come(&place, &idp, made.id, "a", "admin@localhost").await,
            Err(Refused::Untrue)
        ));
    }
}
