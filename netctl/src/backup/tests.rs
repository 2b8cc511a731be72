//! Backups of real schemas, on both engines.

use std::path::Path;

use ::backup::{BILLING, Database, NETWORK};
use daemon::secrets::random;
use model::{ClientId, OrganisationId, StaffId, Ts};
use store::testing::TestDb;
use store::{Db, Engine, Options, args};

use super::*;

/// Statements of the tests alone.
mod sql {
    store::statements! {
        pub(super) PUT_LINE = "INSERT INTO policy_line (name, epoch, revision, published, live)
            VALUES ('billing', 7, 5, 5, 0)";
        pub(super) PUT_ORGANISATION = "INSERT INTO organisation (id, path, kind, name, legal_entity,
                currency, zone, locale, created_at, created_by, updated_at, updated_by)
            VALUES ($1, '/', 'isp', 'My ISP', true, 'USD', 'UTC', 'en', $2, 'test', $2, 'test')";
        pub(super) PUT_STAFF = "INSERT INTO staff (id, organisation_id, email, name, password_hash,
                locale, created_at, created_by, updated_at, updated_by)
            VALUES ($1, $2, 'a@example.net', 'Asha', '-', 'en', $3, 'test', $3, 'test')";
        pub(super) PUT_SESSION = "INSERT INTO staff_session (id, staff_id, token_hash, created_at,
                seen_at, expires_at) VALUES ($1, $2, $3, $4, $4, $4)";
        pub(super) PUT_LINK = "INSERT INTO staff_link (id, staff_id, token_hash, created_at,
                created_by, expires_at) VALUES ($1, $2, $3, $4, 'test', $4)";
        pub(super) PUT_CLIENT = "INSERT INTO radius_client (id, organisation_id, source, secret,
                vendor, created_at, created_by, updated_at, updated_by)
            VALUES ($1, $2, $3, $4, 'generic', $5, 'test', $5, 'test')";
        pub(super) PUT_RESTART = "INSERT INTO nas_restart (partition, nas_id, restarted_at)
            VALUES (0, $1, $2)";
        pub(super) REMOVE_CLIENTS = "DELETE FROM radius_client";
        pub(super) CLIENTS = "SELECT count(*) AS n FROM radius_client";
        pub(super) LINE = "SELECT epoch, revision FROM policy_line";
        pub(super) SIGNED_IN = "SELECT count(*) AS n FROM staff_session WHERE ended_at IS NULL";
        pub(super) OPEN_LINKS = "SELECT count(*) AS n FROM staff_link WHERE used_at IS NULL";
        pub(super) RESTARTS = "SELECT count(*) AS n FROM nas_restart";
    }
}

const NOW: Ts = Ts::from_seconds(1_772_357_400);

/// An installation with something in it.
struct Office {
    databases: Vec<Database>,
    keyring: Arc<Keyring>,
    folder: tempfile::TempDir,
    // Dropped last: they remove the databases.
    _homes: Vec<TestDb>,
}

impl Office {
    async fn all() -> Vec<(Engine, Self)> {
        let mut all = Vec::new();
        let homes = vec![TestDb::sqlite(BILLING).await, TestDb::sqlite(NETWORK).await];
        all.push((Engine::Sqlite, Self::of(homes).await));
        if let Some(home) = TestDb::postgres(BILLING).await {
            // Both in one database, as installations have it.
            all.push((Engine::Postgres, Self::of(vec![home]).await));
        }
        all
    }

    async fn of(homes: Vec<TestDb>) -> Self {
        let url = |n: usize| homes[n.min(homes.len() - 1)].options().url.clone();
        let databases = vec![
            Database { name: NETWORK, url: url(1), migrations: Some(&policyd::MIGRATIONS) },
            Database { name: BILLING, url: url(0), migrations: Some(billing_api::MIGRATIONS) },
        ];
        for home in &homes {
            home.db.close().await;
        }
        let keyring = Arc::new(Keyring::ephemeral());
        let folder = tempfile::tempdir().unwrap();
        let office = Self { databases, keyring, folder, _homes: homes };
        office.fill().await;
        office
    }

    async fn open(&self, name: &'static str) -> Db {
        let database = self.databases.iter().find(|database| database.name == name).unwrap();
        let options = Options {
            url: database.url.clone(),
            schema: name,
            connections_max: 2,
            read_only: false,
        };
        let db = Db::open(&options).await.unwrap();
        db.migrate(database.migrations.unwrap()).await.unwrap();
        db
    }

    async fn fill(&self) {
        let db = self.open(BILLING).await;
        let (organisation, staff) = (OrganisationId::generate(), StaffId::generate());
        let client = ClientId::generate();
        let secret = self.keyring.seal(&client.to_string(), b"testing123").unwrap();
        let source: ipnetwork::IpNetwork = "192.0.2.1/32".parse().unwrap();
        db.execute(&sql::PUT_LINE, args![]).await.unwrap();
        db.execute(&sql::PUT_ORGANISATION, args![organisation, NOW]).await.unwrap();
        db.execute(&sql::PUT_STAFF, args![staff, organisation, NOW]).await.unwrap();
        let hash = random::<32>().to_vec();
        let session = args![StaffId::generate(), staff, hash.clone(), NOW];
        db.execute(&sql::PUT_SESSION, session).await.unwrap();
        let link = args![StaffId::generate(), staff, hash, NOW];
        db.execute(&sql::PUT_LINK, link).await.unwrap();
        let client = args![client, organisation, source, secret, NOW];
        db.execute(&sql::PUT_CLIENT, client).await.unwrap();
        db.close().await;
        let db = self.open(NETWORK).await;
        db.execute(&sql::PUT_RESTART, args![StaffId::generate(), NOW]).await.unwrap();
        db.close().await;
    }

    fn plan(&self) -> Plan {
        Plan {
            databases: self.databases.clone(),
            configuration: Vec::new(),
            folder: self.folder.path().join("backups"),
            seal: Seal::KeyFile(self.keyring.clone()),
            keep: Keep::default(),
            program: "0.1.0".to_owned(),
        }
    }

    fn keys(&self) -> Keys {
        Keys { keyring: Some(self.keyring.clone()), passphrase: None }
    }

    fn order(&self, file: &Path) -> Order {
        Order {
            file: file.to_owned(),
            keys: self.keys(),
            databases: self.databases.clone(),
            replace: true,
            configuration: None,
        }
    }
}

async fn number(db: &Db, statement: &store::Statement) -> i64 {
    db.fetch_one(statement, args![]).await.unwrap().get("n").unwrap()
}

#[tokio::test]
async fn what_was_backed_up_is_restored_and_begins_another_line() {
    for (engine, office) in Office::all().await {
        // Open while it is backed up, as programs have it.
        let billing = office.open(BILLING).await;
        let made = ::backup::make(&office.plan(), NOW).await.unwrap();
        let manifest = &made.manifest;
        assert_eq!(manifest.database(BILLING).unwrap().rows["radius_client"], 1, "{engine}");
        assert_eq!(manifest.database(NETWORK).unwrap().rows["nas_restart"], 1, "{engine}");
        assert_eq!(manifest.policy.unwrap().epoch, 7);
        let keys: Vec<&str> = manifest.keys.iter().map(|sample| sample.key.as_str()).collect();
        assert_eq!(keys, ["k1"], "{engine}");
        assert!(made.path.ends_with("lastmile-20260301T093000Z.backup"));
        // Nothing in clear is left, neither there nor beside the databases.
        let octets = std::fs::read(&made.path).unwrap();
        assert!(!octets.windows(9).any(|window| window == b"a@example"), "{engine}");
        for database in &office.databases {
            let Some(path) = store::file::path_of(database.url.expose()).unwrap() else { continue };
            let folder = std::fs::read_dir(path.parent().unwrap()).unwrap();
            let left = folder.filter(|entry| {
                entry.as_ref().unwrap().file_name().to_string_lossy().contains("backup-copy")
            });
            assert_eq!(left.count(), 0);
        }

        let scratch = office.folder.path();
        let keys = office.keys();
        let verified = ::backup::verify(&made.path, &keys, &office.databases, scratch);
        let verified = verified.await.unwrap();
        assert_eq!(verified.databases.len(), 2, "{engine}");
        assert!(verified.secrets_opened && verified.databases.iter().all(|db| db.rows > 0));

        billing.execute(&sql::REMOVE_CLIENTS, args![]).await.unwrap();
        let order = office.order(&made.path);
        let in_use = ::backup::restore(&order, NOW).await.unwrap_err();
        assert!(matches!(in_use, BackupError::InUse { .. }), "{engine}: {in_use}");
        billing.close().await;
        let timid = Order { replace: false, ..order.clone() };
        let refused = ::backup::restore(&timid, NOW).await.unwrap_err();
        assert!(matches!(refused, BackupError::NotEmpty(_)), "{engine}: {refused}");

        let restored = ::backup::restore(&order, NOW).await.unwrap();
        assert_eq!((restored.sessions_ended, restored.aside.len()), (1, 2), "{engine}");
        let billing = office.open(BILLING).await;
        assert_eq!(number(&billing, &sql::CLIENTS).await, 1, "{engine}");
        assert_eq!(number(&billing, &sql::SIGNED_IN).await, 0, "{engine}");
        assert_eq!(number(&billing, &sql::OPEN_LINKS).await, 0, "{engine}");
        let line = billing.fetch_one(&sql::LINE, args![]).await.unwrap();
        let (epoch, revision): (i64, i64) =
            (line.get("epoch").unwrap(), line.get("revision").unwrap());
        assert_eq!((epoch, revision), (restored.epoch, 5), "{engine}");
        assert_ne!(epoch, 7, "{engine}");
        billing.close().await;
        let network = office.open(NETWORK).await;
        assert_eq!(number(&network, &sql::RESTARTS).await, 1, "{engine}");
        network.close().await;
    }
}

#[tokio::test]
async fn a_backup_goes_into_empty_databases_without_being_told_to_replace() {
    for (engine, office) in Office::all().await {
        let made = ::backup::make(&office.plan(), NOW).await.unwrap();
        let mut order = office.order(&made.path);
        order.replace = false;
        let fresh = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => TestDb::postgres(BILLING).await,
        };
        if let Some(fresh) = &fresh {
            fresh.db.close().await;
        }
        for database in &mut order.databases {
            database.url = match &fresh {
                Some(fresh) => fresh.options().url.clone(),
                None => {
                    let path = office.folder.path().join(format!("{}.db", database.name));
                    format!("sqlite:{}", path.display()).into()
                }
            };
        }
        let restored = ::backup::restore(&order, NOW).await.unwrap();
        assert_eq!(restored.aside, Vec::<String>::new(), "{engine}");
        // The second time there is something.
        let again = ::backup::restore(&order, NOW).await.unwrap_err();
        assert!(matches!(again, BackupError::NotEmpty(_)), "{engine}: {again}");
    }
}

#[tokio::test]
async fn a_restore_that_fails_leaves_what_was_there() {
    for (engine, office) in Office::all().await {
        let made = ::backup::make(&office.plan(), NOW).await.unwrap();
        let billing = office.open(BILLING).await;
        billing.execute(&sql::REMOVE_CLIENTS, args![]).await.unwrap();
        billing.close().await;
        // It fails behind the point where names have changed: a file is in the way.
        let folder = office.folder.path().join("configuration");
        std::fs::create_dir(&folder).unwrap();
        let mut plan = office.plan();
        let settings = office.folder.path().join("aaad.toml");
        std::fs::write(&settings, "x").unwrap();
        std::fs::write(folder.join("aaad.toml"), "mine").unwrap();
        std::fs::remove_file(&made.path).unwrap();
        plan.configuration = vec![settings];
        let made = ::backup::make(&plan, NOW).await.unwrap();
        let mut order = office.order(&made.path);
        order.configuration = Some(folder.clone());
        let before = number_in(&office, &sql::CLIENTS).await;
        let failed = ::backup::restore(&order, NOW).await.unwrap_err();
        assert!(matches!(failed, BackupError::Io { .. }), "{engine}: {failed}");
        assert_eq!(number_in(&office, &sql::CLIENTS).await, before, "{engine}");
        assert_eq!(number_in(&office, &sql::SIGNED_IN).await, 1, "{engine}: as it was");
        assert_eq!(std::fs::read(folder.join("aaad.toml")).unwrap(), b"mine");
        // And it can be done right afterwards.
        order.configuration = None;
        ::backup::restore(&order, NOW).await.unwrap();
    }
}

async fn number_in(office: &Office, statement: &store::Statement) -> i64 {
    let db = office.open(BILLING).await;
    let found = number(&db, statement).await;
    db.close().await;
    found
}

#[tokio::test]
async fn a_wrong_key_and_a_newer_schema_are_refused_before_anything_is_touched() {
    const OLDER: store::Migrations = store::Migrations::new("billing", &[], &[]);
    for (engine, office) in Office::all().await {
        let made = ::backup::make(&office.plan(), NOW).await.unwrap();
        let mut order = office.order(&made.path);
        order.keys.keyring = Some(Arc::new(Keyring::ephemeral()));
        let wrong = ::backup::restore(&order, NOW).await.unwrap_err();
        assert_eq!(wrong.kind(), Kind::WrongKey, "{engine}: {wrong}");

        let mut order = office.order(&made.path);
        order.databases[1].migrations = Some(&OLDER);
        let newer = ::backup::restore(&order, NOW).await.unwrap_err();
        assert_eq!(newer.kind(), Kind::Newer, "{engine}: {newer}");

        // A passphrase opens the file, and the key file is still the wrong one for what is in it.
        let mut plan = office.plan();
        std::fs::remove_file(&made.path).unwrap();
        plan.seal = Seal::Passphrase("correct horse battery".into());
        let made = ::backup::make(&plan, NOW).await.unwrap();
        let mut order = office.order(&made.path);
        order.keys = Keys {
            keyring: Some(Arc::new(Keyring::ephemeral())),
            passphrase: Some("correct horse battery".into()),
        };
        let sealed = ::backup::restore(&order, NOW).await.unwrap_err();
        assert!(matches!(sealed, BackupError::SealedSecrets { .. }), "{engine}: {sealed}");
        assert_eq!(number_in(&office, &sql::SIGNED_IN).await, 1, "{engine}");
    }
}

#[tokio::test]
async fn statements_over_the_programs_tables_prepare_on_both_engines() {
    for test in store::testing::engines("billing").await {
        test.db.migrate(billing_api::MIGRATIONS).await.unwrap();
        for statements in ::backup::STATEMENTS {
            let failures = store::prepare_all(&test.db, statements).await;
            assert!(failures.is_empty(), "{}: {failures:?}", test.engine());
        }
    }
}
