//! Backups of real databases, restored on both engines.

use daemon::secrets::random;
use model::{ManualClock, OrganisationId, RunId, StaffId};
use store::args;
use store::testing::TestDb;

use super::*;
use crate::config::FirstStart;
use crate::domain::{Actor, Office};
use crate::store::{access, organisation};

/// An office with somebody in it, whose backups go into a folder.
struct Place {
    office: Arc<Office>,
    clock: Arc<ManualClock>,
    root: Actor,
    folder: tempfile::TempDir,
    // Dropped last: they remove the databases.
    _homes: [TestDb; 2],
}

impl Place {
    async fn all() -> Vec<Self> {
        let mut all =
            vec![Self::of([TestDb::sqlite("billing").await, TestDb::sqlite("network").await])];
        let homes = (TestDb::postgres("billing").await, TestDb::postgres("network").await);
        if let (Some(billing), Some(network)) = homes {
            all.push(Self::of([billing, network]));
        }
        let mut places = Vec::new();
        for place in all {
            places.push(place.await);
        }
        places
    }

    async fn of(homes: [TestDb; 2]) -> Self {
        for home in &homes {
            // What is in the network's database is another program's: any tables will do.
            home.db.migrate(&MIGRATIONS).await.unwrap();
        }
        let clock = Arc::new(ManualClock::at("2026-03-01T02:30:00Z".parse().unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        Keyring::create(&key).unwrap();
        let keyring = Keyring::load(&key).unwrap();
        let (db, network) = (homes[0].db.clone(), homes[1].db.clone());
        let mut office = Office::new(db, network, keyring, clock.clone());
        let mut config = Config { key_file: key, ..Config::default() };
        config.database.url = daemon::config::SecretSource::Inline(homes[0].options().url.clone());
        config.network.url = daemon::config::SecretSource::Inline(homes[1].options().url.clone());
        config.backup.folder = Some(folder.path().join("backups"));
        config.backup.scratch = Some(folder.path().to_owned());
        config.backup.keep = 1;
        (config.backup.keep_daily, config.backup.keep_weekly) = (0, 0);
        config.backup.keep_monthly = 0;
        office.backups = Backups::of(&config).unwrap();
        crate::first_start::prepare(&office, &FirstStart::default(), None).await.unwrap();
        let row = office.db.fetch_one(&organisation::FIND_ROOT, args![]).await.unwrap();
        let row = organisation::organisation(&row).unwrap();
        let root = Actor::system("backup.run", row.id, row.path);
        Self { office: Arc::new(office), clock, root, folder, _homes: homes }
    }

    fn context(&self) -> Context {
        let (office, root, by) = (self.office.clone(), self.root.clone(), "system:jobs");
        Context::of(office, root, RunId::generate(), Value::Null, by.to_owned(), None)
    }

    fn files(&self) -> Vec<String> {
        let read = std::fs::read_dir(self.folder.path().join("backups"));
        let mut names: Vec<String> = read
            .map(|files| files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        names.retain(|name| name.ends_with(".backup"));
        names.sort();
        names
    }

    /// The events about backups.
    async fn events(&self) -> Vec<(String, Value)> {
        let sql = "SELECT kind, payload FROM outbox WHERE kind LIKE 'backup.%' ORDER BY seq";
        let rows = self.office.db.dynamic_all(sql, args![]).await.unwrap();
        let event = |row: &store::Row| {
            let payload: Value = row.get("payload").unwrap();
            (row.get("kind").unwrap(), payload["data"].clone())
        };
        rows.iter().map(event).collect()
    }
}

#[tokio::test]
async fn a_backup_is_made_proven_and_takes_the_place_of_the_one_before() {
    for place in Place::all().await {
        let office = &place.office;
        // The second factor of somebody is all that is sealed: the key file is tried on it.
        let row = office.db.fetch_optional(&access::FIND_STAFF, args!["admin@localhost"]).await;
        let admin: StaffId = row.unwrap().unwrap().get("id").unwrap();
        let sealed = office.keyring.seal(&format!("{admin} totp"), &random::<20>()).unwrap();
        office.db.execute(&access::SET_TOTP, args![admin, sealed]).await.unwrap();

        for n in 0..2 {
            let Ok(Outcome::Succeeded(result)) = (RUN.run)(&place.context()).await else {
                panic!("{:?}", place.events().await)
            };
            assert_eq!(result["verified"], true);
            assert_eq!(result["secrets_opened"], true);
            assert_eq!(result["removed"], n);
            assert!(
                result["rows"].as_u64().unwrap() > 10 && result["octets"].as_u64().unwrap() > 0
            );
            let file = result["file"].as_str().unwrap();
            assert!(std::path::Path::new(file).is_file(), "{file}");
            place.clock.advance(86_400);
        }
        assert_eq!(place.files(), ["lastmile-20260302T023000Z.backup"]);
        let kinds: Vec<String> = place.events().await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["backup.finished", "backup.finished"]);
        // Nothing in clear is left behind.
        let left: Vec<_> = std::fs::read_dir(place.folder.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }
}

#[tokio::test]
async fn a_backup_that_cannot_be_proven_is_told_and_the_one_before_stays() {
    for place in Place::all().await {
        let first = (RUN.run)(&place.context()).await;
        assert!(matches!(first, Ok(Outcome::Succeeded(_))), "{first:?}");
        place.clock.advance(86_400);
        // Sealed with a key that is not in the key file: nobody could open it after a restore.
        let row = place.office.db.fetch_optional(&access::FIND_STAFF, args!["admin@localhost"]);
        let admin: StaffId = row.await.unwrap().unwrap().get("id").unwrap();
        let foreign = Keyring::ephemeral().seal(&format!("{admin} totp"), b"x").unwrap();
        place.office.db.execute(&access::SET_TOTP, args![admin, foreign]).await.unwrap();
        let context = place.context();
        let Err(JobError::Failed { public, .. }) = (RUN.run)(&context).await else {
            panic!("it was taken for good")
        };
        assert!(public.contains("totp"), "{public}");
        assert_eq!(place.files().len(), 2, "the good one is not removed for a bad one");
        let (kind, payload) = place.events().await.pop().unwrap();
        assert_eq!((kind.as_str(), &payload["step"]), ("backup.failed", &json!("verify")));
        assert_eq!(payload["id"], context.run.to_string());
    }
}

#[tokio::test]
async fn without_a_folder_or_below_the_provider_there_is_no_backup() {
    for mut place in Place::all().await {
        let jobs = async |office: &Office| {
            let sql = "SELECT schedule FROM job WHERE kind = 'backup.run'";
            office.db.dynamic_all(sql, args![]).await.unwrap().len()
        };
        assert_eq!(jobs(&place.office).await, 1, "an installation with a folder begins with one");

        let root = place.root.clone();
        let id = OrganisationId::generate();
        place.root = Actor::system("backup.run", id, format!("{}{}/", root.path, id.0.simple()));
        let below = (RUN.run)(&place.context()).await;
        assert!(matches!(below, Err(JobError::Failed { .. })), "{below:?}");
        place.root = root;

        // A folder that is a file: told, and to be tried again.
        std::fs::write(place.folder.path().join("backups"), "x").unwrap();
        let refused = (RUN.run)(&place.context()).await;
        assert!(matches!(refused, Err(JobError::Again { .. })), "{refused:?}");
        let (kind, payload) = place.events().await.pop().unwrap();
        assert_eq!((kind.as_str(), &payload["step"]), ("backup.failed", &json!("make")));

        Arc::get_mut(&mut place.office).unwrap().backups = None;
        let unset = (RUN.run)(&place.context()).await;
        let Err(JobError::Failed { public, .. }) = unset else { panic!("{unset:?}") };
        assert!(public.contains("backup.folder"));
    }
    let none = crate::entity::tests::offices().await;
    for (_test, office) in none {
        crate::first_start::prepare(&office, &FirstStart::default(), None).await.unwrap();
        let sql = "SELECT schedule FROM job WHERE kind = 'backup.run'";
        assert!(office.db.dynamic_all(sql, args![]).await.unwrap().is_empty());
    }
}
