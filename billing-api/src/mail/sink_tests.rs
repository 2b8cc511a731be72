//! Letters and exports against a real mail server (`sink.py`), on both databases, with a clock that
//! is moved by hand.

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use daemon::lifecycle::Shutdown;
use daemon::secrets::Keyring;
use model::ManualClock;
use serde_json::{Value as Json, json};
use store::args;
use store::testing::TestDb;
use uuid::Uuid;

use super::Mail;
use super::queue::{self, MAIL, New};
use super::sender::Sender;
use super::server::MAIL_SERVER;
use crate::config::{self, Config};
use crate::domain::{Actor, Fault, Office, Unit};
use crate::entity::export::background::{self, PURGE};
use crate::entity::export::scheduled::SCHEDULED_EXPORT;
use crate::entity::export::{EXPORT, EXPORT_TEMPLATE};
use crate::entity::registry::LABEL;
use crate::entity::tests::{actor, label};
use crate::entity::{Entity, read, write};
use crate::hook::Hooks;
use crate::jobs::{Runner, enqueue, manage, registry::KINDS};
use crate::store::MIGRATIONS;

static LABELS: &Entity = &LABEL;
static SERVERS: &Entity = &MAIL_SERVER;
static TEMPLATES: &Entity = &EXPORT_TEMPLATE;
static SCHEDULED: &Entity = &SCHEDULED_EXPORT;
static LETTERS: &Entity = &MAIL;

/// A mail server; it ends with this.
struct Sink {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sink {
    fn start(certificate: Option<&Path>) -> Self {
        let test = std::env::current_exe().unwrap();
        let target = test.ancestors().nth(3).unwrap();
        let python = target.join("venv/bin/python");
        assert!(python.exists(), "{} is missing: run tests/venv", python.display());
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/mail/sink.py"));
        if let Some(home) = certificate {
            command.arg(home.join("cert.pem")).arg(home.join("key.pem"));
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        Self { child, lines, port }
    }

    /// The next letter; it was written before the sender heard that it was taken.
    fn letter(&mut self) -> Json {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Whether nothing more came.
    fn ends_empty(mut self) -> bool {
        drop(self.child.stdin.take());
        let rest = self.lines.by_ref().next();
        rest.is_none()
    }
}

/// An authority and a certificate of it for localhost.
fn certificates() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        let key =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let made = command.args(key).args(["-days", "2"]).args(arguments).current_dir(home.path());
        let made = made.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    openssl(&["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority"]);
    openssl(&[
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]);
    home
}

struct Lab {
    office: Arc<Office>,
    clock: Arc<ManualClock>,
    root: Actor,
    _db: TestDb,
}

async fn labs(authorities_file: Option<PathBuf>) -> Vec<Lab> {
    let mut labs = Vec::new();
    for db in store::testing::engines("billing").await {
        db.db.migrate(&MIGRATIONS).await.unwrap();
        let clock = Arc::new(ManualClock::at("2026-05-01T00:15:00Z".parse().unwrap()));
        let mut config = Config {
            mail: config::Mail { authorities_file: authorities_file.clone(), ..Default::default() },
            ..Config::default()
        };
        config.http.public_url = "https://office.isp.example".to_owned();
        let office = Arc::new(Office::with(
            db.db.clone(),
            db.db.clone(),
            Keyring::ephemeral(),
            clock.clone(),
            Hooks::for_tests(),
            Mail::open(&config).unwrap(),
        ));
        let root = actor(&office, None).await;
        labs.push(Lab { office, clock, root, _db: db });
    }
    labs
}

impl Lab {
    async fn create(&self, entity: &'static Entity, body: Json) -> Json {
        let draft = write::parse(entity, &[], body.to_string().as_bytes(), true).unwrap();
        write::create(&self.office, &self.root, entity, draft).await.unwrap().view
    }

    async fn server(&self, port: u16, tls: &str) {
        let mut body = json!({
            "host": "localhost", "port": port, "tls": tls, "from_address": "office@isp.example",
        });
        if tls != "none" {
            body["username"] = json!("office");
            body["password"] = json!("s3cret");
        }
        self.create(SERVERS, body).await;
    }

    async fn queue(&self, to: &str) -> Uuid {
        let to = to.parse().unwrap();
        let new = New {
            organisation: self.root.organisation,
            kind: "test",
            to: &to,
            subject: "Grüße".to_owned(),
            text: "a secret link".to_owned(),
            attach: None,
        };
        let mut unit = Unit::begin(&self.office, &self.root).await.unwrap();
        let id = queue::send(&mut unit, new).await.unwrap().unwrap();
        unit.commit().await.unwrap();
        id
    }

    async fn send(&self) {
        let mut sender = Sender::new(self.office.clone(), Shutdown::new().1);
        sender.turn().await.unwrap();
        sender.settled().await;
    }

    async fn letter(&self, id: Uuid) -> Json {
        read::find(&self.office, &self.root, LETTERS, id).await.unwrap().0
    }

    async fn work(&self) {
        let (_trigger, stop) = Shutdown::new();
        let mut runner = Runner::new(self.office.clone(), KINDS, stop);
        runner.turn().await.unwrap();
        runner.settle().await;
    }

    async fn count(&self, sql: &str) -> i64 {
        let rows = self.office.db.dynamic_all(sql, args![]).await.unwrap();
        rows[0].get("count").unwrap()
    }
}

#[tokio::test]
async fn a_letter_is_taken_over_starttls_from_whoever_signs_in_and_its_text_is_forgotten() {
    let home = certificates();
    for lab in labs(Some(home.path().join("ca.pem"))).await {
        let mut sink = Sink::start(Some(home.path()));
        lab.server(sink.port, "starttls").await;
        let id = lab.queue("asha@example.net").await;
        lab.send().await;
        let view = lab.letter(id).await;
        assert_eq!((&view["state"], &view["attempts"]), (&json!("sent"), &json!(1)), "{view}");
        let took = sink.letter();
        assert_eq!((&took["tls"], &took["signed_in"]), (&json!(true), &json!(true)));
        assert_eq!(took["to"], json!(["asha@example.net"]));
        assert!(took["text"].as_str().unwrap().contains("a secret link"), "{took}");
        assert_eq!(lab.count("SELECT COUNT(content) AS count FROM mail").await, 0);
        lab.send().await;
        assert!(sink.ends_empty(), "it is sent once");
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_server_with_an_unknown_certificate_or_without_starttls() {
    let home = certificates();
    for lab in labs(None).await {
        let (strange, plain) = (Sink::start(Some(home.path())), Sink::start(None));
        lab.server(strange.port, "starttls").await;
        let id = lab.queue("asha@example.net").await;
        lab.send().await;
        let view = lab.letter(id).await;
        assert_eq!(view["state"], "waiting", "{view}");
        assert!(view["error"].as_str().unwrap().contains("certificate"), "{view}");
        let sql = "UPDATE mail_server SET port = $1";
        let mut tx = lab.office.db.begin().await.unwrap();
        tx.dynamic_all(sql, args![i64::from(plain.port)]).await.unwrap();
        tx.commit().await.unwrap();
        lab.clock.advance(120);
        lab.send().await;
        let view = lab.letter(id).await;
        assert_eq!((&view["state"], &view["attempts"]), (&json!("waiting"), &json!(2)), "{view}");
        assert!(view["error"].as_str().unwrap().contains("STARTTLS"), "{view}");
        assert!(strange.ends_empty() && plain.ends_empty());
    }
}

#[tokio::test]
async fn a_server_that_says_later_is_asked_again_and_one_that_says_never_is_not() {
    for lab in labs(None).await {
        let mut sink = Sink::start(None);
        lab.server(sink.port, "none").await;
        let later = lab.queue("later@example.net").await;
        let never = lab.queue("never@example.net").await;
        lab.send().await;
        let view = lab.letter(later).await;
        assert_eq!((&view["state"], &view["code"]), (&json!("waiting"), &json!(451)), "{view}");
        let view = lab.letter(never).await;
        assert_eq!((&view["state"], &view["code"]), (&json!("failed"), &json!(550)), "{view}");
        let failed = "SELECT COUNT(*) AS count FROM outbox WHERE kind = 'mail.failed'";
        assert_eq!(lab.count(failed).await, 1);
        lab.clock.advance(30);
        lab.send().await;
        assert_eq!(lab.letter(later).await["attempts"], 1, "its time has not come");
        lab.clock.advance(60);
        lab.send().await;
        let view = lab.letter(later).await;
        assert_eq!((&view["state"], &view["attempts"]), (&json!("sent"), &json!(2)), "{view}");
        assert_eq!(sink.letter()["to"], json!(["later@example.net"]));
        assert_eq!(lab.letter(never).await["attempts"], 1);
        assert!(sink.ends_empty());
    }
}

#[tokio::test]
async fn an_ordered_file_is_made_fetched_by_its_tenant_alone_and_forgotten() {
    for lab in labs(None).await {
        let (office, root) = (&lab.office, &lab.root);
        let partner = actor(office, Some(root)).await;
        for n in 0..700 {
            let body = json!({"name": format!("L{n:03}"), "kind": "customer"});
            label(office, root, body).await.unwrap();
        }
        let id = background::order(office, root, LABELS, "format=csv&sort=name").await.unwrap();
        let shown = model::id::show(EXPORT.prefix, id);
        assert_eq!(background::find(office, root, &shown).await.unwrap().state, "queued");
        lab.work().await;
        let kept = background::find(office, root, &shown).await.unwrap();
        assert_eq!((kept.state.as_str(), kept.rows), ("finished", 700));
        let mut pieces = background::pieces(office.clone(), root, &kept).await.unwrap();
        let mut file = Vec::new();
        while let Some(piece) = pieces.recv().await {
            file.extend_from_slice(&piece.unwrap());
        }
        let text = String::from_utf8(file).unwrap();
        assert_eq!(text.lines().count(), 701);
        assert!(text.contains("L000") && text.contains("L699"));
        let refused = background::find(office, &partner, &shown).await;
        assert!(matches!(refused, Err(Fault::NotFound(_))));
        let pieces = "SELECT COUNT(*) AS count FROM export_chunk";
        assert!(lab.count(pieces).await > 0);
        lab.clock.advance(73 * 3600);
        enqueue::start(office, root, &PURGE, json!({})).await.unwrap();
        lab.work().await;
        assert_eq!(background::find(office, root, &shown).await.unwrap().state, "purged");
        assert_eq!(lab.count(pieces).await, 0);
    }
}

impl Lab {
    /// A scheduled export of labels by mail; its job.
    async fn scheduled(&self, recipients: &[&str]) -> model::JobId {
        label(&self.office, &self.root, json!({"name": "VIP", "kind": "customer"})).await.unwrap();
        let template = json!({"name": "T", "entity": "label", "query": "format=csv&fields=name"});
        let template = self.create(TEMPLATES, template).await;
        let body = json!({
            "name": "Weekly", "template_id": template["id"], "schedule": "0 6 * * 1",
            "delivery": "mail", "recipients": recipients, "enabled": false,
        });
        let made = self.create(SCHEDULED, body).await;
        let id = SCHEDULED.id(made["id"].as_str().unwrap()).unwrap();
        let (view, _) = read::find(&self.office, &self.root, SCHEDULED, id).await.unwrap();
        view["job_id"].as_str().unwrap().parse().unwrap()
    }

    /// Runs a job by hand; how that ended, with what and why.
    async fn run(&self, job: model::JobId) -> (String, Json, String) {
        let run = manage::run_job(&self.office, &self.root, job).await.unwrap();
        self.work().await;
        let sql = "SELECT state, result, error FROM job_run WHERE id = $1";
        let row = self.office.db.dynamic_all(sql, args![run.id]).await.unwrap().remove(0);
        let result: Option<Json> = row.get("result").unwrap();
        let error: Option<String> = row.get("error").unwrap();
        (row.get("state").unwrap(), result.unwrap_or_default(), error.unwrap_or_default())
    }

    /// So many letters that wait.
    async fn crowd(&self, count: i64) {
        let each = crate::domain::rows_at_once(self.office.db.engine(), 12) as i64;
        let now = self.office.now();
        let mut left = count;
        while left > 0 {
            let mut rows = crate::domain::Rows::new();
            for _ in 0..left.min(each) {
                rows.push(args![
                    Uuid::now_v7(),
                    self.root.organisation,
                    "test",
                    "a@example.net",
                    "x",
                    "waiting",
                    0_i64,
                    now.plus_seconds(DAY_S),
                    now,
                    "t",
                    now,
                    "t"
                ]);
            }
            let (sql, args) = rows.into_sql(
                "mail (id, organisation_id, kind, recipient, subject, state, attempts, next_at,
                 created_at, created_by, updated_at, updated_by)",
            );
            let mut tx = self.office.db.begin().await.unwrap();
            tx.dynamic_all(&sql, args).await.unwrap();
            tx.commit().await.unwrap();
            left -= each;
        }
    }
}

const DAY_S: i64 = 86_400;

#[tokio::test]
async fn a_scheduled_export_says_how_many_letters_found_no_place() {
    for lab in labs(None).await {
        lab.server(25, "none").await;
        let job = lab.scheduled(&["asha@example.net", "bala@example.net"]).await;
        lab.crowd(queue::WAITING_MAX - 1).await;
        let (state, result, _) = lab.run(job).await;
        assert_eq!((state.as_str(), &result["left_out"]), ("partial", &json!(1)), "{result}");
        let (state, _, error) = lab.run(job).await;
        assert_eq!((state.as_str(), error.contains("too many letters wait")), ("queued", true));
        let exports = "SELECT COUNT(*) AS count FROM data_export WHERE state = 'broken'";
        assert_eq!(lab.count(exports).await, 1, "what nobody was told of is not kept");
    }
}

#[tokio::test]
async fn a_file_stays_as_long_as_a_letter_waits_to_take_it_along() {
    for lab in labs(None).await {
        let mut sink = Sink::start(None);
        lab.server(sink.port, "none").await;
        let job = lab.scheduled(&["asha@example.net"]).await;
        assert_eq!(lab.run(job).await.0, "succeeded");
        let purge = async || {
            enqueue::start(&lab.office, &lab.root, &PURGE, json!({})).await.unwrap();
            lab.work().await;
        };
        lab.clock.advance(80 * 3600);
        purge().await;
        lab.send().await;
        let took = sink.letter();
        assert!(took["text"].as_str().unwrap().contains("labels-2026-05-01.csv"), "{took}");
        let pieces = "SELECT COUNT(*) AS count FROM export_chunk";
        assert_eq!(lab.count(pieces).await, 1);
        purge().await;
        assert_eq!(lab.count(pieces).await, 0);
    }
}

#[tokio::test]
async fn a_scheduled_export_arrives_by_mail_with_its_file() {
    for lab in labs(None).await {
        let mut sink = Sink::start(None);
        lab.server(sink.port, "none").await;
        let job = lab.scheduled(&["asha@example.net"]).await;
        lab.run(job).await;
        lab.send().await;
        let took = sink.letter();
        let text = took["text"].as_str().unwrap();
        assert_eq!(took["to"], json!(["asha@example.net"]));
        assert!(text.contains("labels-2026-05-01.csv") && text.contains("multipart/"), "{text}");
    }
}
