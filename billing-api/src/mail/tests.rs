//! Letters on both databases.

use std::sync::Arc;

use daemon::lifecycle::Shutdown;
use serde_json::json;

use super::letters::KEYS;
use super::queue::{self, New};
use super::sender::Sender;
use super::server::MAIL_SERVER;
use crate::domain::{Fault, Unit};
use crate::entity::tests::{actor, offices, pointers};
use crate::entity::{Entity, read, write};

static SERVERS: &Entity = &MAIL_SERVER;

#[test]
fn every_text_of_a_letter_is_in_the_catalogue_and_used() {
    for key in KEYS {
        assert!(model::text::has(key), "{key}");
    }
    let source = include_str!("../../../crates/model/locales/en.ftl");
    for line in source.lines().filter(|line| line.starts_with("mail-")) {
        let name = line.split('=').next().unwrap_or("").trim();
        assert!(KEYS.contains(&name), "{name}");
    }
}

fn body(host: &str, port: u16) -> Vec<u8> {
    json!({"host": host, "port": port, "tls": "none", "from_address": "office@isp.example"})
        .to_string()
        .into_bytes()
}

#[tokio::test]
async fn a_second_server_of_one_organisation_says_whose_it_would_be() {
    for (_test, office) in offices().await {
        let root = actor(&office, None).await;
        let new = || write::parse(SERVERS, &[], &body("127.0.0.1", 1), true).unwrap();
        write::create(&office, &root, SERVERS, new()).await.unwrap();
        let second = write::create(&office, &root, SERVERS, new()).await;
        let Err(Fault::Conflict { pointer, detail }) = second else { panic!("{second:?}") };
        assert_eq!(pointer, "/organisation_id");
        assert_eq!(detail, "the organisation has another mail server already");
    }
}

#[tokio::test]
async fn a_letter_waits_sealed_and_is_tried_again_while_the_server_is_away() {
    for (_test, office) in offices().await {
        let root = actor(&office, None).await;
        let to = "asha@example.net".parse().unwrap();
        let new = || New {
            organisation: root.organisation,
            kind: "test",
            to: &to,
            subject: "Hello\r\nBcc: all@example.net".to_owned(),
            text: "a secret link".to_owned(),
            attach: None,
        };
        let mut unit = Unit::begin(&office, &root).await.unwrap();
        assert_eq!(queue::send(&mut unit, new()).await.unwrap(), None, "nobody sends");
        drop(unit);
        // Nobody listens on port 1.
        let draft = write::parse(SERVERS, &[], &body("127.0.0.1", 1), true).unwrap();
        write::create(&office, &root, SERVERS, draft).await.unwrap();
        let mut unit = Unit::begin(&office, &root).await.unwrap();
        let id = queue::send(&mut unit, new()).await.unwrap().unwrap();
        unit.commit().await.unwrap();
        let sql = "SELECT content FROM mail";
        let row = office.db.dynamic_all(sql, store::Args::new()).await.unwrap().remove(0);
        let kept: String = row.get::<Option<String>>("content").unwrap().unwrap();
        assert!(!kept.contains("secret"), "{kept}");
        let office = Arc::new(office);
        let mut sender = Sender::new(office.clone(), Shutdown::new().1);
        sender.turn().await.unwrap();
        sender.settled().await;
        let (view, _) = read::find(&office, &root, queue::ENTITY, id).await.unwrap();
        assert_eq!((&view["state"], &view["attempts"]), (&json!("waiting"), &json!(1)), "{view}");
        assert!(view["error"].as_str().unwrap().contains("connecting"), "{view}");
        assert_eq!(view["subject"], "HelloBcc: all@example.net");
    }
}

#[tokio::test]
async fn a_partner_names_no_server_inside_and_no_odd_port() {
    for (_test, office) in offices().await {
        let root = actor(&office, None).await;
        let partner = actor(&office, Some(&root)).await;
        for (host, port, pointer) in
            [("10.0.0.1", 25, "/host"), ("mail.example.net", 8025, "/port")]
        {
            let draft = write::parse(SERVERS, &[], &body(host, port), true).unwrap();
            let fault: Fault =
                write::create(&office, &partner, SERVERS, draft).await.err().unwrap();
            assert_eq!(pointers(fault), [pointer]);
        }
    }
}
