//! Webhooks against a receiver on loopback, on a clock that stands until it is moved.

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use daemon::lifecycle::Shutdown;
use daemon::secrets::Keyring;
use model::{DeliveryId, ManualClock, OrganisationId, Ts, WebhookId};
use outcall::signing::{self, SigningSecret};
use serde_json::{Value, json};
use store::args;
use store::testing::TestDb;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use super::dispatcher::Dispatcher;
use super::endpoint::Rotation;
use super::{Hooks, endpoint, log};
use crate::config::Config;
use crate::domain::{Actor, Fault, Office};
use crate::entity::registry::by_name;
use crate::entity::write;
use crate::store::{MIGRATIONS, organisation};

/// 2026-03-01T09:30:00Z.
const START: Ts = Ts::from_seconds(1_772_357_400);

/// What the receiver was sent.
#[derive(Debug, Clone)]
struct Received {
    head: String,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> String {
        let found = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = found.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        values.next().unwrap_or_default().to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Checks the signature as a receiver would.
    fn verify(&self, secret: &str, now: Ts) -> Result<(), outcall::SigningError> {
        let secret = SigningSecret::parse(secret).unwrap();
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let signatures = self.header("webhook-signature");
        signing::verify(&secret, &id, &at, &signatures, self.body.as_bytes(), now, 300)
    }
}

/// How the receiver answers.
#[derive(Debug, Clone)]
enum Reply {
    Status(u16, &'static str),
    /// Not before it is released.
    Held,
}

/// An HTTP server that keeps what it gets.
struct Receiver {
    port: u16,
    requests: mpsc::Receiver<Received>,
    script: Arc<Mutex<VecDeque<Reply>>>,
    release: Arc<Notify>,
}

impl Receiver {
    async fn start(script: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, requests) = mpsc::channel(1000);
        let script = Arc::new(Mutex::new(script.iter().cloned().collect()));
        let release = Arc::new(Notify::new());
        let (lines, released) = (script.clone(), release.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (lines, tell, released) = (lines.clone(), tell.clone(), released.clone());
                tokio::spawn(serve(stream, lines, tell, released));
            }
        });
        Self { port, requests, script, release }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?token=7", self.port)
    }

    fn say(&self, reply: Reply) {
        self.script.lock().unwrap().push_back(reply);
    }

    async fn next(&mut self) -> Received {
        self.requests.recv().await.unwrap()
    }

    /// What came so far.
    fn all(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Reply>>>,
    tell: mpsc::Sender<Received>,
    release: Arc<Notify>,
) {
    let mut seen = Vec::new();
    let mut buffer = [0; 8192];
    let (head, length) = loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let head = text[..end].to_owned();
            let length = head.lines().filter_map(|line| line.split_once(": "));
            let mut length = length.filter(|(n, _)| n.eq_ignore_ascii_case("content-length"));
            let length: usize = length.next().map_or(0, |(_, v)| v.parse().unwrap());
            if seen.len() >= end + 4 + length {
                break (head, end + 4);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => seen.extend_from_slice(&buffer[..n]),
        }
    };
    let body = String::from_utf8(seen[length..].to_vec()).unwrap();
    let reply = script.lock().unwrap().pop_front().unwrap_or(Reply::Status(200, ""));
    let _ = tell.send(Received { head, body }).await;
    let (status, headers) = match reply {
        Reply::Status(status, headers) => (status, headers),
        Reply::Held => {
            release.notified().await;
            (200, "")
        }
    };
    let answer = format!(
        "HTTP/1.1 {status} Said\r\n{headers}content-length: 5\r\nconnection: close\r\n\r\nthanks"
    );
    let _ = stream.write_all(&answer.as_bytes()[..answer.len() - 1]).await;
}

/// An office with its own database, its clock and a dispatcher.
struct Lab {
    _db: TestDb,
    office: Arc<Office>,
    clock: Arc<ManualClock>,
    isp: Actor,
    dispatcher: Dispatcher,
}

fn config() -> Config {
    let mut config = Config::default();
    config.calls.allow = vec!["127.0.0.0/8".parse().unwrap()];
    config.calls.ports = Vec::new();
    config.calls.timeout_s = 1;
    config
}

async fn labs(config: &Config) -> Vec<Lab> {
    let mut labs = Vec::new();
    for test in store::testing::engines("billing").await {
        test.db.migrate(&MIGRATIONS).await.unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let office = Arc::new(Office::with(
            test.db.clone(),
            test.db.clone(),
            Keyring::ephemeral(),
            clock.clone(),
            Hooks::open(config).unwrap(),
            crate::mail::Mail::open(config).unwrap(),
        ));
        let isp = organisation(&office, None).await;
        let dispatcher = dispatcher(&office);
        labs.push(Lab { _db: test, office, clock, isp, dispatcher });
    }
    labs
}

fn dispatcher(office: &Arc<Office>) -> Dispatcher {
    Dispatcher::new(office.clone(), Shutdown::new().1)
}

/// An organisation, and somebody who acts in it.
async fn organisation(office: &Office, parent: Option<&Actor>) -> Actor {
    let id = OrganisationId::generate();
    let above = parent.map_or("", |parent| parent.path.as_str());
    let path = format!("{above}{}/", id.0.simple());
    let parent = parent.map(|parent| parent.organisation);
    let now = office.now();
    let args =
        args![id, parent, path.as_str(), "isp", "Somebody", true, "USD", "UTC", "en", now, "test"];
    office.db.execute(&organisation::INSERT, args).await.unwrap();
    Actor::system("test", id, path)
}

/// Makes something happen: `label.created`.
async fn happen(office: &Office, actor: &Actor, name: &str) {
    let entity = by_name("label").unwrap();
    let body = json!({"name": name, "kind": "customer"}).to_string();
    let draft = write::parse(entity, &[], body.as_bytes(), true).unwrap();
    write::create(office, actor, entity, draft).await.unwrap();
}

async fn made(office: &Office, actor: &Actor, body: Value) -> Result<endpoint::Revealed, Fault> {
    endpoint::create(office, actor, endpoint::parse(body.to_string().as_bytes())?).await
}

impl Lab {
    /// A webhook that hears of labels.
    async fn webhook(&self, url: &str) -> endpoint::Revealed {
        let body = json!({"name": url, "url": url, "events": ["label.*"]});
        made(&self.office, &self.isp, body).await.unwrap()
    }

    async fn happen(&self, name: &str) {
        happen(&self.office, &self.isp, name).await;
    }

    /// One turn, and everything it sent is settled.
    async fn turn(&mut self) {
        self.dispatcher.turn().await.unwrap();
        self.dispatcher.settled().await;
    }

    async fn webhook_now(&self, id: WebhookId) -> Value {
        let entity = by_name("webhook").unwrap();
        crate::entity::read::find(&self.office, &self.isp, entity, id.0).await.unwrap().0
    }

    async fn deliveries(&self) -> Vec<log::View> {
        let filter = log::Filter::default();
        log::list(&self.office, &self.isp, &filter, None, 500).await.unwrap().rows
    }

    async fn detail(&self, id: DeliveryId) -> log::Detail {
        log::find(&self.office, &self.isp, id).await.unwrap()
    }

    async fn change(&self, id: WebhookId, body: Value) -> Result<Value, Fault> {
        let entity = by_name("webhook").unwrap();
        let draft = write::parse(entity, &[], body.to_string().as_bytes(), false)?;
        let made = write::update(&self.office, &self.isp, entity, id.0, draft, None).await?;
        Ok(made.view)
    }
}

fn secret(made: &endpoint::Revealed) -> String {
    made.view["secret"].as_str().unwrap().to_owned()
}

fn pointers(fault: Fault) -> Vec<String> {
    match fault {
        Fault::Invalid(faults) => faults.into_iter().map(|fault| fault.pointer).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_event_arrives_signed_and_is_in_the_log() {
    for mut lab in labs(&config()).await {
        let mut receiver = Receiver::start(&[]).await;
        let body = json!({
            "name": "CRM", "url": receiver.url(), "events": ["label.created"],
            "auth": "basic", "auth_user": "lastmile", "auth_secret": "correct horse",
        });
        let webhook = made(&lab.office, &lab.isp, body).await.unwrap();
        lab.happen("VIP").await;
        lab.turn().await;
        let got = receiver.next().await;
        assert!(got.head.starts_with("POST /hook?token=7 HTTP/1.1"), "{}", got.head);
        assert_eq!(got.header("content-type"), "application/json");
        let basic = daemon::base64::encode(b"lastmile:correct horse");
        assert_eq!(got.header("authorization"), format!("Basic {basic}"));
        assert!(got.header("webhook-id").starts_with("evt_"));
        assert_eq!(got.header("webhook-timestamp"), START.seconds().to_string());
        assert_eq!(got.verify(&secret(&webhook), START), Ok(()));
        let message = got.json();
        assert_eq!(
            (&message["type"], &message["data"]["name"]),
            (&json!("label.created"), &json!("VIP"))
        );
        assert_eq!(message["timestamp"], "2026-03-01T09:30:00.000000Z");
        // The webhook's own creation is no event that it hears, and nothing is sent twice.
        lab.turn().await;
        assert!(receiver.all().is_empty());
        let deliveries = lab.deliveries().await;
        assert_eq!(deliveries.len(), 1);
        let delivery = &deliveries[0];
        assert_eq!((delivery.state.as_str(), delivery.status), ("delivered", Some(200)));
        assert_eq!(delivery.webhook_id, Some(webhook.id));
        let detail = lab.detail(delivery.id).await;
        assert_eq!(detail.request, message);
        assert_eq!(detail.log[0].answer.as_deref(), Some("thank"));
        let now = lab.webhook_now(webhook.id).await;
        assert_eq!((&now["success_percent"], &now["secret"]), (&json!(100), &Value::Null));
        assert_eq!(now["triggered_at"], json!(START));
    }
}

#[tokio::test]
async fn a_failure_is_tried_again_on_the_schedule_under_the_same_id() {
    for mut lab in labs(&config()).await {
        let failing = [Reply::Status(500, ""), Reply::Status(302, "location: /\r\n")];
        let mut receiver = Receiver::start(&failing).await;
        let webhook = lab.webhook(&receiver.url()).await;
        lab.happen("VIP").await;
        lab.turn().await;
        let first = receiver.next().await;
        assert_eq!(lab.webhook_now(webhook.id).await["failing_since"], json!(START));
        lab.clock.advance(4);
        lab.turn().await;
        assert!(receiver.all().is_empty(), "not before its time");
        lab.clock.advance(2);
        lab.turn().await;
        let second = receiver.next().await;
        let waiting = &lab.deliveries().await[0];
        assert_eq!((waiting.state.as_str(), waiting.attempts), ("waiting", 2));
        let wait = waiting.next_at.unwrap().since(lab.office.now());
        assert!((300.0..=330.0).contains(&wait), "{wait}");
        lab.clock.advance(330);
        lab.turn().await;
        let third = receiver.next().await;
        for got in [&second, &third] {
            assert_eq!(got.header("webhook-id"), first.header("webhook-id"));
            assert_ne!(got.header("webhook-timestamp"), first.header("webhook-timestamp"));
            assert_eq!(got.body, first.body);
        }
        assert_eq!(third.verify(&secret(&webhook), lab.office.now()), Ok(()));
        let delivery = &lab.deliveries().await[0];
        assert_eq!((delivery.state.as_str(), delivery.attempts), ("delivered", 3));
        let statuses: Vec<_> = lab.detail(delivery.id).await.log.iter().map(|a| a.status).collect();
        assert_eq!(statuses, [Some(500), Some(302), Some(200)]);
        assert_eq!(lab.webhook_now(webhook.id).await["failing_since"], Value::Null);
    }
}

#[tokio::test]
async fn attempts_end_and_failed_deliveries_can_be_sent_again() {
    for mut lab in labs(&config()).await {
        let mut receiver = Receiver::start(&[Reply::Status(500, ""), Reply::Status(500, "")]).await;
        let webhook = lab.webhook(&receiver.url()).await;
        lab.change(webhook.id, json!({"attempts_max": 1})).await.unwrap();
        lab.happen("one").await;
        lab.turn().await;
        lab.clock.advance(3600);
        lab.happen("two").await;
        lab.turn().await;
        assert_eq!(receiver.all().len(), 2);
        let deliveries = lab.deliveries().await;
        assert!(deliveries.iter().all(|delivery| delivery.state == "failed"), "{deliveries:?}");
        assert_eq!(lab.webhook_now(webhook.id).await["success_percent"], 0);

        let since = START.plus_seconds(60);
        let count = log::replay_failed(&lab.office, &lab.isp, webhook.id, since).await.unwrap();
        assert_eq!(count, 1, "only what is younger");
        lab.turn().await;
        assert_eq!(receiver.next().await.json()["data"]["name"], "two");
        assert!(receiver.all().is_empty());
        let view = log::replay(&lab.office, &lab.isp, deliveries[1].id).await.unwrap();
        assert_eq!(view.state, "waiting");
        let again = log::replay(&lab.office, &lab.isp, deliveries[1].id).await;
        assert!(matches!(again, Err(Fault::Conflict { .. })), "{again:?}");
        lab.turn().await;
        assert_eq!(receiver.next().await.json()["data"]["name"], "one");
        assert_eq!(lab.detail(deliveries[1].id).await.log.len(), 2);
        assert_eq!(lab.webhook_now(webhook.id).await["success_percent"], 50);

        lab.change(webhook.id, json!({"enabled": false})).await.unwrap();
        let off = log::replay_failed(&lab.office, &lab.isp, webhook.id, since).await;
        assert!(matches!(off, Err(Fault::Conflict { .. })), "{off:?}");
    }
}

#[tokio::test]
async fn gone_switches_a_webhook_off_and_says_so() {
    for mut lab in labs(&config()).await {
        let mut receiver = Receiver::start(&[Reply::Status(410, "")]).await;
        let mut watcher = Receiver::start(&[]).await;
        let webhook = lab.webhook(&receiver.url()).await;
        let body = json!({"name": "watch", "url": watcher.url(), "events": ["webhook.disabled"]});
        made(&lab.office, &lab.isp, body).await.unwrap();
        lab.happen("one").await;
        lab.turn().await;
        lab.happen("two").await;
        lab.turn().await;
        assert_eq!(receiver.all().len(), 1, "nothing is sent after 410");
        let now = lab.webhook_now(webhook.id).await;
        assert_eq!((&now["enabled"], &now["disabled_reason"]), (&json!(false), &json!("gone")));
        let told = watcher.next().await.json();
        assert_eq!((&told["type"], &told["data"]["id"]), (&json!("webhook.disabled"), &now["id"]));
        // Switched on again, it starts without a past.
        let on = lab.change(webhook.id, json!({"enabled": true})).await.unwrap();
        assert_eq!((&on["disabled_reason"], &on["failing_since"]), (&Value::Null, &Value::Null));
        lab.happen("three").await;
        lab.turn().await;
        assert_eq!(receiver.next().await.json()["data"]["name"], "three");
    }
}

#[tokio::test]
async fn days_of_failure_switch_a_webhook_off_and_drop_what_waits() {
    for mut lab in labs(&config()).await {
        let failing: Vec<Reply> = (0..20).map(|_| Reply::Status(503, "")).collect();
        let receiver = Receiver::start(&failing).await;
        let webhook = lab.webhook(&receiver.url()).await;
        lab.happen("one").await;
        lab.turn().await;
        lab.clock.advance(5 * 86_400 - 60);
        lab.happen("two").await;
        lab.turn().await;
        assert_eq!(lab.webhook_now(webhook.id).await["enabled"], true);
        lab.clock.advance(600);
        lab.turn().await;
        let now = lab.webhook_now(webhook.id).await;
        assert_eq!((&now["enabled"], &now["disabled_reason"]), (&json!(false), &json!("failing")));
        let states: Vec<_> = lab.deliveries().await.into_iter().map(|d| d.state).collect();
        assert!(states.iter().all(|state| state == "dropped"), "{states:?}");
    }
}

#[tokio::test]
async fn who_asks_for_time_is_left_alone() {
    for mut lab in labs(&config()).await {
        let mut receiver = Receiver::start(&[Reply::Status(429, "retry-after: 60\r\n")]).await;
        let webhook = lab.webhook(&receiver.url()).await;
        lab.happen("one").await;
        lab.turn().await;
        receiver.next().await;
        lab.happen("two").await;
        for _ in 0..5 {
            lab.clock.advance(11);
            lab.turn().await;
        }
        assert!(receiver.all().is_empty(), "55 s are not 60");
        let until = lab.webhook_now(webhook.id).await["throttled_until"].clone();
        assert_eq!(until, json!(START.plus_seconds(60)));
        // While it fails it gets one at a time.
        for _ in 0..2 {
            lab.clock.advance(6);
            lab.turn().await;
        }
        assert_eq!(receiver.all().len(), 2);
    }
}

#[tokio::test]
async fn a_slow_endpoint_holds_up_nobody_else() {
    let mut config = config();
    config.calls.timeout_s = 60;
    config.webhooks.senders = 2;
    config.webhooks.senders_each = 1;
    for mut lab in labs(&config).await {
        let mut slow = Receiver::start(&[Reply::Held]).await;
        let mut quick = Receiver::start(&[]).await;
        lab.webhook(&slow.url()).await;
        lab.webhook(&quick.url()).await;
        for name in ["one", "two", "three"] {
            lab.happen(name).await;
        }
        lab.dispatcher.turn().await.unwrap();
        slow.next().await;
        let mut names = Vec::new();
        while names.len() < 3 {
            lab.dispatcher.turn().await.unwrap();
            // What lands is the quick one's: the slow one is held until the end.
            lab.dispatcher.land().await;
            let got = quick.all().into_iter().map(|got| got.json());
            names.extend(got.map(|json| json["data"]["name"].as_str().unwrap().to_owned()));
        }
        assert_eq!(names, ["one", "two", "three"]);
        assert!(slow.all().is_empty(), "one of its messages is under way, the others wait");
        slow.release.notify_one();
        lab.dispatcher.settled().await;
        for _ in 0..2 {
            lab.turn().await;
        }
        assert_eq!(slow.all().len(), 2);
    }
}

#[tokio::test]
async fn no_answer_in_time_is_a_failure() {
    for mut lab in labs(&config()).await {
        let receiver = Receiver::start(&[Reply::Held]).await;
        lab.webhook(&receiver.url()).await;
        lab.happen("one").await;
        lab.turn().await;
        let delivery = &lab.deliveries().await[0];
        assert_eq!((delivery.state.as_str(), delivery.status), ("waiting", None));
        assert_eq!(delivery.error.as_deref(), Some("there was no answer in time"));
        assert!(delivery.latency_ms.unwrap() >= 1000);
    }
}

#[tokio::test]
async fn what_was_sent_and_not_written_down_is_sent_again() {
    for mut lab in labs(&config()).await {
        let mut receiver = Receiver::start(&[Reply::Held]).await;
        lab.webhook(&receiver.url()).await;
        lab.happen("one").await;
        lab.dispatcher.turn().await.unwrap();
        let first = receiver.next().await;
        // The process dies here: the message arrived, and nobody wrote that down.
        lab.dispatcher = dispatcher(&lab.office);
        lab.turn().await;
        assert!(receiver.all().is_empty(), "it is taken until its time is up");
        lab.clock.advance(2 + 30);
        lab.turn().await;
        let second = receiver.next().await;
        assert_eq!(second.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(lab.deliveries().await[0].state, "delivered");
    }
}

#[tokio::test]
async fn two_dispatchers_give_out_and_send_everything_once() {
    let mut config = config();
    config.calls.timeout_s = 60;
    for mut lab in labs(&config).await {
        let mut receiver = Receiver::start(&[]).await;
        lab.webhook(&receiver.url()).await;
        for n in 0..60 {
            lab.happen(&format!("label {n}")).await;
        }
        let mut other = dispatcher(&lab.office);
        while lab.deliveries().await.iter().filter(|d| d.state == "delivered").count() < 60 {
            let (one, two) = tokio::join!(lab.dispatcher.turn(), other.turn());
            one.unwrap();
            two.unwrap();
            tokio::join!(lab.dispatcher.settled(), other.settled());
        }
        let got = receiver.all();
        let mut ids: Vec<_> = got.iter().map(|got| got.header("webhook-id")).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((got.len(), ids.len()), (60, 60));
    }
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_sign() {
    for mut lab in labs(&config()).await {
        let mut receiver = Receiver::start(&[]).await;
        let webhook = lab.webhook(&receiver.url()).await;
        let rotation = Rotation::parse(br#"{"overlap_h":2}"#).unwrap();
        let rotated =
            endpoint::rotate(&lab.office, &lab.isp, webhook.id, rotation, None).await.unwrap();
        let (old, new) = (secret(&webhook), secret(&rotated));
        assert_ne!(old, new);
        lab.happen("one").await;
        lab.turn().await;
        let got = receiver.next().await;
        assert_eq!(got.header("webhook-signature").split(' ').count(), 2);
        assert_eq!((got.verify(&old, START), got.verify(&new, START)), (Ok(()), Ok(())));
        lab.clock.advance(2 * 3600);
        lab.happen("two").await;
        lab.turn().await;
        let (got, now) = (receiver.next().await, lab.office.now());
        assert_eq!(got.verify(&new, now), Ok(()));
        assert!(got.verify(&old, now).is_err());
        let revealed = endpoint::reveal(&lab.office, &lab.isp, webhook.id).await.unwrap();
        assert_eq!(secret(&revealed), new);
        let looked = "SELECT action FROM audit_entry WHERE action = 'secret_revealed'";
        assert_eq!(lab.office.db.dynamic_all(looked, args![]).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn no_secret_is_in_audit_outbox_or_log() {
    for mut lab in labs(&config()).await {
        let mut receiver = Receiver::start(&[]).await;
        let body = json!({
            "name": "CRM", "url": receiver.url(), "events": ["*"],
            "auth": "bearer", "auth_secret": "correct-horse-battery",
        });
        let webhook = made(&lab.office, &lab.isp, body).await.unwrap();
        endpoint::reveal(&lab.office, &lab.isp, webhook.id).await.unwrap();
        let copy = endpoint::duplicate(&lab.office, &lab.isp, webhook.id).await.unwrap();
        endpoint::test(&lab.office, &lab.isp, copy.id, None).await.unwrap();
        let got = receiver.next().await;
        assert_eq!(got.header("authorization"), "Bearer correct-horse-battery", "copied sealed");
        assert_ne!(secret(&copy), secret(&webhook));
        assert_eq!(
            (&copy.view["enabled"], got.json()["test"].as_bool()),
            (&json!(false), Some(true))
        );
        lab.turn().await;
        assert!(!receiver.all().is_empty());
        for text in [
            "SELECT CAST(after AS TEXT) AS t FROM audit_entry",
            "SELECT CAST(payload AS TEXT) AS t FROM outbox",
            "SELECT body AS t FROM webhook_delivery",
            "SELECT secret || auth_secret AS t FROM webhook",
        ] {
            let rows = lab.office.db.dynamic_all(text, args![]).await.unwrap();
            assert!(!rows.is_empty());
            for row in rows {
                let text: Option<String> = row.get("t").unwrap();
                let text = text.unwrap_or_default();
                assert!(!text.contains("whsec_") && !text.contains("correct-horse"), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_webhook_that_makes_no_sense_is_refused_by_field() {
    for lab in labs(&config()).await {
        let refused =
            async |body: Value| pointers(made(&lab.office, &lab.isp, body).await.unwrap_err());
        assert_eq!(refused(json!({})).await, ["/name", "/url", "/events"]);
        let good = json!({"name": "a", "url": "https://a.example/", "events": ["*"]});
        let with = |field: &str, value: Value| {
            let mut body = good.clone();
            body[field] = value;
            body
        };
        for (field, value, pointer) in [
            ("url", json!("ftp://a.example/"), "/url"),
            ("url", json!("http://10.0.0.1/"), "/url"),
            ("url", json!("http://169.254.169.254/latest"), "/url"),
            ("url", json!("https://u:p@a.example/"), "/url"),
            ("events", json!([]), "/events"),
            ("events", json!(["*", "dog.barked"]), "/events/1"),
            ("auth", json!("bearer"), "/auth_secret"),
            ("auth", json!("digest"), "/auth"),
            ("auth_user", json!("a:b"), "/auth_user"),
            ("auth_secret", json!("a\nb"), "/auth_secret"),
            ("secret", json!("whsec_short"), "/secret"),
            ("attempts_max", json!(11), "/attempts_max"),
            ("method", json!("GET"), "/method"),
            ("enabled", json!("yes"), "/enabled"),
            ("sercet", json!("x"), "/sercet"),
        ] {
            assert_eq!(refused(with(field, value.clone())).await, [pointer], "{field} {value}");
        }
        let secret_of_theirs = format!("whsec_{}", daemon::base64::encode(&[7; 32]));
        let webhook =
            made(&lab.office, &lab.isp, with("secret", json!(secret_of_theirs))).await.unwrap();
        assert_eq!(secret(&webhook), secret_of_theirs);
        let twice = made(&lab.office, &lab.isp, good.clone()).await;
        assert!(matches!(twice, Err(Fault::Conflict { .. })), "{twice:?}");
        let emptied = json!({"enabled": null, "backoff": null, "attempts_max": null});
        let fault = lab.change(webhook.id, emptied).await.unwrap_err();
        assert!(matches!(fault, Fault::Invalid(faults) if faults.len() == 3));
    }
}

#[tokio::test]
async fn a_password_does_not_follow_an_address_to_another_server() {
    for lab in labs(&config()).await {
        let body = json!({
            "name": "CRM", "url": "https://crm.example/a", "events": ["*"],
            "auth": "bearer", "auth_secret": "correct-horse-battery",
        });
        let webhook = made(&lab.office, &lab.isp, body).await.unwrap();
        let same = json!({"url": "https://crm.example/b"});
        assert!(lab.change(webhook.id, same).await.is_ok());
        let moved = json!({"url": "https://crm.example.evil.example/a"});
        let refused = lab.change(webhook.id, moved).await.unwrap_err();
        assert_eq!(pointers(refused), ["/auth_secret"]);
        let moved = json!({"url": "https://other.example/", "auth_secret": "another"});
        assert!(lab.change(webhook.id, moved).await.is_ok());
        let moved = json!({"url": "https://third.example/", "auth": "none"});
        assert!(lab.change(webhook.id, moved).await.is_ok());
        let back = lab.change(webhook.id, json!({"auth": "bearer"})).await.unwrap_err();
        assert_eq!(pointers(back), ["/auth_secret"], "it was not kept");
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_called() {
    let mut config = config();
    config.calls.allow = Vec::new();
    for mut lab in labs(&config).await {
        let mut receiver = Receiver::start(&[]).await;
        let url = format!("http://localhost:{}/", receiver.port);
        let webhook = lab.webhook(&url).await;
        lab.happen("one").await;
        lab.turn().await;
        let delivery = &lab.deliveries().await[0];
        assert_eq!((delivery.state.as_str(), delivery.status), ("waiting", None));
        assert!(delivery.error.as_deref().unwrap().contains("loopback"), "{delivery:?}");
        let tested = endpoint::test(&lab.office, &lab.isp, webhook.id, None).await.unwrap();
        assert!(!tested.delivered && tested.error.unwrap().contains("loopback"));
        assert!(receiver.all().is_empty());
    }
}

#[tokio::test]
async fn a_webhook_hears_its_own_organisation_and_those_below_and_nobody_else_sees_it() {
    for mut lab in labs(&config()).await {
        let partner = organisation(&lab.office, Some(&lab.isp)).await;
        let rival = organisation(&lab.office, Some(&lab.isp)).await;
        let (mut above, mut own) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
        let isp_webhook = lab.webhook(&above.url()).await;
        let body = json!({"name": "mine", "url": own.url(), "events": ["label.*"]});
        let partner_webhook = made(&lab.office, &partner, body).await.unwrap();
        happen(&lab.office, &partner, "partner's").await;
        happen(&lab.office, &rival, "rival's").await;
        lab.happen("isp's").await;
        lab.turn().await;
        assert_eq!(above.all().len(), 3);
        let got = own.all();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].json()["data"]["name"], "partner's");

        let filter = log::Filter::default();
        let seen = log::list(&lab.office, &partner, &filter, None, 50).await.unwrap().rows;
        assert_eq!(seen.len(), 1);
        let theirs = log::Filter { webhook: Some(isp_webhook.id), ..log::Filter::default() };
        assert!(log::list(&lab.office, &partner, &theirs, None, 50).await.unwrap().rows.is_empty());
        let all = lab.deliveries().await;
        let foreign = all.iter().find(|d| d.webhook_id == Some(isp_webhook.id)).unwrap().id;
        for (who, webhook, delivery) in
            [(&partner, isp_webhook.id, foreign), (&rival, partner_webhook.id, seen[0].id)]
        {
            let office = &lab.office;
            let rotation = Rotation::parse(b"").unwrap();
            let since = START;
            for refused in [
                endpoint::reveal(office, who, webhook).await.err(),
                endpoint::rotate(office, who, webhook, rotation, None).await.err(),
                endpoint::duplicate(office, who, webhook).await.err(),
                endpoint::test(office, who, webhook, None).await.err(),
                log::replay_failed(office, who, webhook, since).await.err(),
                log::replay(office, who, delivery).await.err(),
                log::find(office, who, delivery).await.err(),
            ] {
                assert!(matches!(refused, Some(Fault::NotFound(_))), "{refused:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_test_shows_the_answer_at_once() {
    for lab in labs(&config()).await {
        let mut receiver = Receiver::start(&[Reply::Status(422, "")]).await;
        let webhook = lab.webhook(&receiver.url()).await;
        let kind = endpoint::parse_test(br#"{"event_type":"label.deleted"}"#).unwrap();
        let tested = endpoint::test(&lab.office, &lab.isp, webhook.id, kind).await.unwrap();
        assert_eq!((tested.delivered, tested.status), (false, Some(422)));
        assert_eq!(tested.answer.as_deref(), Some("thank"));
        assert_eq!(tested.error.as_deref(), Some("the answer was 422"));
        let got = receiver.next().await;
        assert_eq!(got.json()["type"], "label.deleted");
        assert_eq!(got.verify(&secret(&webhook), START), Ok(()));
        receiver.say(Reply::Status(204, ""));
        let tested = endpoint::test(&lab.office, &lab.isp, webhook.id, None).await.unwrap();
        assert!(tested.delivered && tested.error.is_none());
        assert!(endpoint::parse_test(br#"{"event_type":"dog.barked"}"#).is_err());
        assert!(lab.deliveries().await.is_empty());
    }
}

#[tokio::test]
async fn old_deliveries_are_forgotten_and_their_counts_are_not() {
    for mut lab in labs(&config()).await {
        let receiver = Receiver::start(&[]).await;
        let webhook = lab.webhook(&receiver.url()).await;
        lab.happen("one").await;
        lab.turn().await;
        lab.clock.advance(20 * 86_400);
        lab.happen("two").await;
        lab.turn().await;
        assert_eq!(lab.deliveries().await.len(), 2);
        lab.clock.advance(11 * 86_400);
        lab.turn().await;
        let left = lab.deliveries().await;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].created_at, START.plus_seconds(20 * 86_400));
        let attempts = "SELECT 1 AS one FROM webhook_attempt";
        assert_eq!(lab.office.db.dynamic_all(attempts, args![]).await.unwrap().len(), 1);
        assert_eq!(lab.webhook_now(webhook.id).await["success_percent"], 100);
    }
}

#[tokio::test]
async fn events_nobody_hears_are_marked_and_a_new_webhook_hears_nothing_old() {
    for mut lab in labs(&config()).await {
        lab.happen("before").await;
        lab.turn().await;
        let waiting = "SELECT 1 AS one FROM outbox WHERE fanned_out_at IS NULL";
        assert!(lab.office.db.dynamic_all(waiting, args![]).await.unwrap().is_empty());
        lab.happen("while nobody looked").await;
        lab.clock.advance(1);
        let mut receiver = Receiver::start(&[]).await;
        lab.webhook(&receiver.url()).await;
        lab.turn().await;
        assert!(receiver.all().is_empty());
    }
}

#[tokio::test]
async fn a_program_hears_of_events_and_only_the_provider_sees_it() {
    let home = tempfile::tempdir().unwrap();
    let (script, said) = (home.path().join("script"), home.path().join("said"));
    let text = format!("#!/bin/sh\ncat > {}\necho noted \"$1\"\n", said.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let file = home.path().join("hooks.toml");
    let list = format!(
        "[[hook]]\nname = \"note\"\nevents = [\"label.created\"]\nrun = [\"{}\", \"$HOME; x\"]\n",
        script.display()
    );
    std::fs::write(&file, list).unwrap();
    let mut config = config();
    config.hooks_file = Some(file);
    for mut lab in labs(&config).await {
        let partner = organisation(&lab.office, Some(&lab.isp)).await;
        happen(&lab.office, &partner, "VIP").await;
        lab.turn().await;
        let event: Value = serde_json::from_slice(&std::fs::read(&said).unwrap()).unwrap();
        assert_eq!(event["data"]["name"], "VIP");
        let delivery = &lab.deliveries().await[0];
        assert_eq!((delivery.kind.as_str(), delivery.state.as_str()), ("cli", "delivered"));
        assert_eq!((delivery.hook.as_str(), delivery.webhook_id), ("note", None));
        let detail = lab.detail(delivery.id).await;
        // No shell looks at the arguments.
        assert_eq!(detail.log[0].answer.as_deref(), Some("noted $HOME; x\n"));
        let filter = log::Filter::default();
        let seen = log::list(&lab.office, &partner, &filter, None, 50).await.unwrap().rows;
        assert!(seen.is_empty(), "what programs say is the provider's own");
        assert!(log::programs(&lab.office, &partner).is_empty());
        assert_eq!(log::programs(&lab.office, &lab.isp)[0].name, "note");
        let replayed = log::replay(&lab.office, &lab.isp, delivery.id).await.unwrap();
        assert_eq!(replayed.state, "waiting");
        lab.turn().await;
        assert_eq!(lab.detail(delivery.id).await.log.len(), 2);
    }
}

#[test]
fn settings_that_cannot_work_are_refused_by_key() {
    let mut config = config();
    config.webhooks.senders_each = 100;
    assert!(Hooks::open(&config).err().unwrap().contains("webhooks.senders_each"));
    let mut config = super::tests::config();
    config.calls.timeout_s = 0;
    assert!(Hooks::open(&config).err().unwrap().contains("calls.timeout_s"));
    let mut config = super::tests::config();
    config.hooks_file = Some("/no/such/file".into());
    assert!(Hooks::open(&config).err().unwrap().contains("hooks_file"));
}
