//! The rules of access, attacked, on both engines.

use std::net::IpAddr;
use std::sync::Arc;

use daemon::secrets::Keyring;
use model::{OrganisationId, RoleId, Secret, StaffId, TokenId, Ts};
use serde_json::{Value, json};
use store::args;
use store::testing::TestDb;

use super::description::{ROLE, STAFF, TOKEN};
use super::session::{self, Session};
use super::sign_in::{Account, Challenge, Due, Step, prove_code, sign_in};
use super::{Visitor, account, flush, password, role, sign_in as steps, staff, token, totp};
use crate::domain::{Actor, Fault, Office, Unit};
use crate::entity::write::{self, Made};
use crate::entity::{Draft, Entity, Verbs};
use crate::store::{MIGRATIONS, access as sql, organisation};

mod providers;
mod rules;

const PASSWORD: &str = "seven grey geese cross";
const HOME: &str = "192.0.2.10";
const AWAY: &str = "198.51.100.66";

/// A clock that tests move.
pub(crate) struct TestClock(std::sync::atomic::AtomicI64);

impl model::Clock for TestClock {
    fn now(&self) -> Ts {
        Ts(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

pub(crate) struct Place {
    _test: TestDb,
    pub(crate) office: Office,
    clock: Arc<TestClock>,
    /// The root organisation's administrator, acting.
    pub(crate) root: Actor,
    pub(crate) admin: StaffId,
    admin_role: RoleId,
    hash: String,
}

pub(crate) async fn places() -> Vec<Place> {
    let mut places = Vec::new();
    for test in ::store::testing::engines("billing").await {
        test.db.migrate(&MIGRATIONS).await.unwrap();
        let clock = Arc::new(TestClock(1_800_000_000_000_000.into()));
        let (db, network) = (test.db.clone(), test.db.clone());
        let office = Office::new(db, network, Keyring::ephemeral(), clock.clone());
        crate::first_start::prepare(&office, &Default::default(), None).await.unwrap();
        let hash = password::hash(&office, Secret::from(PASSWORD)).await.unwrap();
        let row = office.db.fetch_optional(&sql::FIND_STAFF, args!["admin@localhost"]).await;
        let admin: StaffId = row.unwrap().unwrap().get("id").unwrap();
        let by = "test";
        let set = args![admin, hash.clone(), office.now(), by];
        office.db.execute(&sql::SET_PASSWORD, set).await.unwrap();
        let account = Account::load(&office, admin).await.unwrap();
        let root = account.actor();
        let mut unit = Unit::begin(&office, &root).await.unwrap();
        let args = args![root.path.as_str(), admin];
        let row = unit.fetch_optional(&sql::LOAD_STAFF, args).await.unwrap().unwrap();
        let admin_role: RoleId = row.get("role_id").unwrap();
        drop(unit);
        places.push(Place { _test: test, office, clock, root, admin, admin_role, hash });
    }
    places
}

impl Place {
    /// Another process on the same database.
    pub(crate) fn again(&self) -> Office {
        let (db, network) = (self.office.db.clone(), self.office.network.clone());
        Office::new(db, network, Keyring::ephemeral(), self.clock.clone())
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000_000, std::sync::atomic::Ordering::SeqCst);
    }

    /// An organisation below another.
    async fn below(&self, parent: &Actor) -> (OrganisationId, String) {
        let id = OrganisationId::generate();
        let path = format!("{}{}/", parent.path, id.0.simple());
        let (up, now) = (Some(parent.organisation), self.office.now());
        let args =
            args![id, up, path.as_str(), "partner", "P", false, "USD", "UTC", "en", now, "test"];
        self.office.db.execute(&organisation::INSERT, args).await.unwrap();
        (id, path)
    }

    /// A role of an organisation, made by nobody in particular.
    pub(crate) async fn role(&self, organisation: OrganisationId, permissions: Value) -> RoleId {
        let (id, none) = (RoleId::generate(), None::<String>);
        let (name, now) = (id.to_string(), self.office.now());
        let args = args![id, organisation, name, none.clone(), permissions, none, false, now, "t"];
        self.office.db.execute(&sql::INSERT_ROLE, args).await.unwrap();
        id
    }

    /// Somebody with a role, and the password of all.
    async fn hire(&self, organisation: OrganisationId, role: RoleId) -> StaffId {
        let id = StaffId::generate();
        let email = format!("{id}@example.net");
        let (hash, now) = (self.hash.as_str(), self.office.now());
        let args = args![id, organisation, email, "Somebody", hash, "en", role, now, "test"];
        self.office.db.execute(&sql::INSERT_STAFF, args).await.unwrap();
        id
    }

    /// Somebody of the root organisation with these permissions, acting.
    pub(crate) async fn somebody(&self, permissions: Value) -> (StaffId, RoleId, Actor) {
        let role = self.role(self.root.organisation, permissions).await;
        let id = self.hire(self.root.organisation, role).await;
        (id, role, self.actor(id).await)
    }

    async fn actor(&self, id: StaffId) -> Actor {
        Account::load(&self.office, id).await.unwrap().actor()
    }

    async fn sign_in(&self, visitor: &Visitor, email: &str, typed: &str) -> Result<Step, Fault> {
        sign_in(&self.office, visitor, email, Secret::from(typed)).await
    }

    /// Signs somebody in from home who needs nothing but the password.
    async fn enter(&self, id: StaffId) -> (Session, Secret<String>, Secret<String>) {
        let email = Account::load(&self.office, id).await.unwrap().email;
        let visitor = visitor(HOME, None);
        let step = self.sign_in(&visitor, &email, PASSWORD).await.unwrap();
        let Step::Entered { session, browser } = step else { panic!("{step:?}") };
        (self.session(&session).await.unwrap(), session, browser.unwrap())
    }

    async fn session(&self, cookie: &Secret<String>) -> Result<Session, Fault> {
        session::by_cookie(&self.office, cookie.expose(), HOME.parse().unwrap()).await
    }

    /// Sets up a second factor; its key and the recovery codes.
    async fn enrol(&self, id: StaffId) -> (Secret<Vec<u8>>, Vec<Secret<String>>) {
        let actor = self.actor(id).await;
        let typed = Secret::from(PASSWORD);
        account::begin_second_factor(&self.office, &actor, typed).await.unwrap();
        let account = Account::load(&self.office, id).await.unwrap();
        let key = account.totp_key(&self.office).unwrap().unwrap();
        let code = totp::code(&key, totp::step_at(self.office.now()));
        let codes = account::confirm_second_factor(&self.office, &actor, &code, None).await;
        (key, codes.unwrap())
    }

    /// Comes to where a code is due; the challenge's cookie.
    async fn to_code(&self, id: StaffId) -> Secret<String> {
        let email = Account::load(&self.office, id).await.unwrap().email;
        let step = self.sign_in(&visitor(HOME, None), &email, PASSWORD).await.unwrap();
        let Step::Due { challenge: Some(challenge) } = step else { panic!("{step:?}") };
        challenge
    }

    async fn prove(&self, challenge: &Secret<String>, code: &str) -> Result<Step, Fault> {
        prove_code(&self.office, &visitor(HOME, None), challenge.expose(), code).await
    }

    async fn create(
        &self,
        actor: &Actor,
        entity: &'static Entity,
        body: Value,
    ) -> Result<Made, Fault> {
        let draft = write::parse(entity, &[], body.to_string().as_bytes(), true)?;
        write::create(&self.office, actor, entity, draft).await
    }

    async fn update(
        &self,
        actor: &Actor,
        entity: &'static Entity,
        id: uuid::Uuid,
        body: Value,
    ) -> Result<Made, Fault> {
        let draft = write::parse(entity, &[], body.to_string().as_bytes(), false)?;
        write::update(&self.office, actor, entity, id, draft, None).await
    }

    async fn token(&self, actor: &Actor, body: Value) -> Result<(TokenId, Secret<String>), Fault> {
        let new = token::New::parse(body.to_string().as_bytes())?;
        token::create(&self.office, actor, new).await
    }

    async fn by_token(&self, token: &Secret<String>, from: &str) -> Result<Actor, Fault> {
        let proven = token::prove(&self.office, token.expose(), from.parse().unwrap()).await;
        proven.map(|(actor, _)| actor)
    }

    /// The latest audit entry about a record: what, by whom, and who really.
    pub(crate) async fn audited(&self, id: &str) -> (String, String, Option<String>) {
        let mut unit = Unit::begin(&self.office, &self.root).await.unwrap();
        let text = "SELECT action, actor, impersonator FROM audit_entry WHERE entity_id = $1
            ORDER BY at DESC, id DESC LIMIT 1";
        let rows = unit.dynamic_all(text, args![id]).await.unwrap();
        let row = &rows[0];
        (row.get("action").unwrap(), row.get("actor").unwrap(), row.get("impersonator").unwrap())
    }
}

/// Does to a member of staff what has a word of its own.
async fn act(office: &Office, actor: &Actor, id: StaffId, word: &str) -> Result<(), Fault> {
    let action = staff::ACTIONS.iter().find(|action| action.name == word).unwrap();
    let mut unit = Unit::begin(office, actor).await?;
    (action.run)(&mut unit, id.0, None, &Draft::default()).await?;
    unit.commit().await
}

static ROLES: &Entity = &ROLE;
static STAFFS: &Entity = &STAFF;
static TOKENS: &Entity = &TOKEN;

fn visitor(from: &str, browser: Option<&Secret<String>>) -> Visitor {
    Visitor {
        address: from.parse().unwrap(),
        user_agent: "Test <b>".to_owned(),
        browser: browser.map(|browser| browser.expose().clone()),
        session: None,
    }
}

#[track_caller]
fn refused<T>(result: Result<T, Fault>, permission: &str) {
    match result {
        Err(Fault::Forbidden(lacking)) => assert_eq!(lacking, permission),
        Err(fault) => panic!("{fault:?}"),
        Ok(_) => panic!("it was allowed"),
    }
}

#[track_caller]
fn conflict<T>(result: Result<T, Fault>) {
    assert!(matches!(result, Err(Fault::Conflict { .. })), "{:?}", result.err());
}

#[tokio::test]
async fn an_unknown_account_is_answered_like_a_wrong_password_and_as_slowly() {
    for place in places().await {
        let mut fastest = [f64::MAX; 2];
        for n in 0..6 {
            // In turn, so that a busy machine slows both.
            for (email, fastest) in
                ["admin@localhost", "nobody@example.net"].iter().zip(&mut fastest)
            {
                let visitor = visitor(&format!("203.0.113.{n}"), None);
                let started = std::time::Instant::now();
                let answer = place.sign_in(&visitor, email, "wrong").await;
                *fastest = fastest.min(started.elapsed().as_secs_f64());
                assert!(matches!(answer, Err(Fault::Unauthenticated)), "{email}: {answer:?}");
            }
        }
        // Both compute one argon2id hash; without it an answer takes less than a tenth.
        let ratio = fastest[0] / fastest[1];
        assert!((0.25..4.0).contains(&ratio), "{fastest:?}");

        // Slowing down does not tell either.
        for email in ["admin@localhost", "nobody@example.net"] {
            let visitor = visitor("203.0.113.200", None);
            for _ in 0..5 {
                let _ = place.sign_in(&visitor, email, "wrong").await;
            }
            let answer = place.sign_in(&visitor, email, "wrong").await;
            assert!(matches!(answer, Err(Fault::TooMany(1))), "{email}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_strangers_fail_at_never_shuts_the_owner_out() {
    for place in places().await {
        let (_, _, browser) = place.enter(place.admin).await;
        let email = "admin@localhost";
        // A botnet: many addresses, until the account itself is slowed down.
        for n in 0..60_u32 {
            let visitor = visitor(&format!("198.51.{}.{}", 100 + n / 200, n % 200), None);
            let _ = place.sign_in(&visitor, email, "wrong").await;
        }
        let stranger = place.sign_in(&visitor("203.0.113.1", None), email, "wrong").await;
        assert!(matches!(stranger, Err(Fault::TooMany(_))), "{stranger:?}");
        let right = place.sign_in(&visitor("203.0.113.1", None), email, PASSWORD).await;
        assert!(matches!(right, Err(Fault::TooMany(_))), "a stranger waits, right or wrong");

        // The owner's browser, from anywhere; and the owner's address, with any browser.
        let known = place.sign_in(&visitor("203.0.113.1", Some(&browser)), email, PASSWORD).await;
        assert!(matches!(known, Ok(Step::Entered { browser: None, .. })), "{known:?}");
        let at_home = place.sign_in(&visitor(HOME, None), email, PASSWORD).await;
        assert!(matches!(at_home, Ok(Step::Entered { browser: Some(_), .. })), "{at_home:?}");

        // The counts survive a restart once they are written.
        flush::once(&place.office).await;
        let account = format!("{}", place.admin);
        assert_eq!(place.audited(&account).await.0, "sign_in_failed");
        let mut office = Office::new(
            place.office.db.clone(),
            place.office.network.clone(),
            Keyring::ephemeral(),
            place.clock.clone(),
        );
        office.policy = place.office.policy.clone();
        let fresh = visitor("203.0.113.77", None);
        let stranger = sign_in(&office, &fresh, email, Secret::from("wrong")).await;
        assert!(matches!(stranger, Err(Fault::TooMany(_))), "{stranger:?}");

        // A browser that was stolen is a stranger after ten failures.
        for _ in 0..10 {
            let thief = visitor("203.0.113.2", Some(&browser));
            let answer = place.sign_in(&thief, email, "wrong").await;
            assert!(matches!(answer, Err(Fault::Unauthenticated)), "{answer:?}");
        }
        let thief = place.sign_in(&visitor("203.0.113.2", Some(&browser)), email, "wrong").await;
        assert!(matches!(thief, Err(Fault::TooMany(_))), "{thief:?}");
    }
}

#[tokio::test]
async fn many_attempts_at_once_gain_nothing() {
    for place in places().await {
        let attempt = async || {
            let answer = place.sign_in(&visitor(AWAY, None), "admin@localhost", "wrong").await;
            usize::from(matches!(answer, Err(Fault::Unauthenticated)))
        };
        let (a, b, c, d) = tokio::join!(attempt(), attempt(), attempt(), attempt());
        let (e, f, g, h) = tokio::join!(attempt(), attempt(), attempt(), attempt());
        let judged = a + b + c + d + e + f + g + h;
        assert!(judged <= 5, "{judged} were judged");
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_guessing_is_slowed_down() {
    for place in places().await {
        let (key, _) = place.enrol(place.admin).await;
        place.pass(60);
        let now = totp::step_at(place.office.now());
        let (first, second) = (place.to_code(place.admin).await, place.to_code(place.admin).await);
        let code = totp::code(&key, now);
        assert!(matches!(place.prove(&first, &code).await, Ok(Step::Entered { .. })));
        assert!(place.prove(&first, &code).await.is_err(), "the challenge is over");
        // Signing in ended the other challenge as well: a new one, and the same code.
        assert!(matches!(place.prove(&second, &code).await, Err(Fault::Unauthenticated)));
        let third = place.to_code(place.admin).await;
        let replayed = place.prove(&third, &code).await;
        assert!(matches!(replayed, Err(Fault::Invalid(_))), "{replayed:?}");
        let earlier = place.prove(&third, &totp::code(&key, now - 1)).await;
        assert!(matches!(earlier, Err(Fault::Invalid(_))), "an older one neither");
        assert!(matches!(
            place.prove(&third, &totp::code(&key, now + 1)).await,
            Ok(Step::Entered { .. })
        ));

        // With the password, codes can be guessed: five a challenge, and then ever slower.
        place.pass(60);
        let mut judged = 0;
        for _ in 0..5 {
            let challenge = place.to_code(place.admin).await;
            for _ in 0..7 {
                let answer = place.prove(&challenge, "000000").await;
                judged += usize::from(matches!(answer, Err(Fault::Invalid(_))));
            }
        }
        assert!(judged <= 6, "{judged} guesses");
        let challenge = place.to_code(place.admin).await;
        let right = totp::code(&key, totp::step_at(place.office.now()));
        let waiting = place.prove(&challenge, &right).await;
        assert!(matches!(waiting, Err(Fault::TooMany(_))), "{waiting:?}");
    }
}

#[tokio::test]
async fn a_recovery_code_is_good_once_and_old_sets_never() {
    for place in places().await {
        let (_, codes) = place.enrol(place.admin).await;
        assert_eq!(codes.len(), 10);
        let challenge = place.to_code(place.admin).await;
        let typed = codes[0].expose().to_uppercase().replace('-', " ");
        assert!(matches!(place.prove(&challenge, &typed).await, Ok(Step::Entered { .. })));
        let challenge = place.to_code(place.admin).await;
        let twice = place.prove(&challenge, codes[0].expose()).await;
        assert!(matches!(twice, Err(Fault::Invalid(_))), "{twice:?}");
        assert_eq!(account::codes_left(&place.office, place.admin).await.unwrap(), 9);

        let actor = place.actor(place.admin).await;
        let wrong = account::renew_codes(&place.office, &actor, Secret::from("wrong")).await;
        assert!(matches!(wrong, Err(Fault::Invalid(_))));
        let new =
            account::renew_codes(&place.office, &actor, Secret::from(PASSWORD)).await.unwrap();
        let old = place.prove(&challenge, codes[1].expose()).await;
        assert!(matches!(old, Err(Fault::Invalid(_))), "{old:?}");
        assert!(matches!(place.prove(&challenge, new[0].expose()).await, Ok(Step::Entered { .. })));
        // Nobody else's.
        let (other, _, _) = place.somebody(json!(["*.view"])).await;
        place.enrol(other).await;
        let challenge = place.to_code(other).await;
        assert!(matches!(place.prove(&challenge, new[1].expose()).await, Err(Fault::Invalid(_))));
    }
}

#[tokio::test]
async fn the_steps_of_signing_in_cannot_be_skipped() {
    for place in places().await {
        let (id, role, _) = place.somebody(json!(["customers.view"])).await;
        let demand = json!({"second_factor": true});
        place.update(&place.root, ROLES, role.0, demand).await.unwrap();
        let must = json!({"must_change_password": true});
        place.update(&place.root, STAFFS, id.0, must).await.unwrap();
        let challenge = place.to_code(id).await;
        let at_home = visitor(HOME, None);
        let due = async || {
            Challenge::find(&place.office, &at_home, challenge.expose()).await.unwrap().due()
        };
        assert_eq!(due().await, Some(Due::Enrolment));
        // A challenge is no session, and its steps come in order.
        assert!(place.session(&challenge).await.is_err());
        let (office, cookie) = (&place.office, challenge.expose());
        let new = || Secret::from("nine quiet lamps at noon");
        let early = steps::renew_password(office, &at_home, cookie, new()).await;
        assert!(matches!(early, Err(Fault::Unauthenticated)), "{early:?}");
        assert!(place.prove(&challenge, "123456").await.is_err());
        steps::begin_enrolment(office, &at_home, cookie).await.unwrap();
        let key = Account::load(office, id).await.unwrap().totp_key(office).unwrap().unwrap();
        let code = totp::code(&key, totp::step_at(office.now()));
        let (codes, step) =
            steps::complete_enrolment(office, &at_home, cookie, &code).await.unwrap();
        assert!(matches!(step, Step::Due { .. }) && codes.len() == 10);
        assert_eq!(due().await, Some(Due::Password));
        let same = steps::renew_password(office, &at_home, cookie, Secret::from(PASSWORD)).await;
        assert!(matches!(same, Err(Fault::Invalid(_))), "the old one is not a new one");
        let weak = steps::renew_password(office, &at_home, cookie, Secret::from("password1234"));
        assert!(matches!(weak.await, Err(Fault::Invalid(_))));
        let step = steps::renew_password(office, &at_home, cookie, new()).await.unwrap();
        let Step::Entered { session, .. } = step else { panic!("{step:?}") };
        assert!(place.session(&session).await.is_ok());
        conflict(account::disable_second_factor(office, &place.actor(id).await, new()).await);
        // A challenge ends by itself.
        let late = place.to_code(place.hire_with_factor(role).await).await;
        place.pass(601);
        assert!(Challenge::find(office, &at_home, late.expose()).await.is_err());
    }
}

impl Place {
    async fn hire_with_factor(&self, role: RoleId) -> StaffId {
        let id = self.hire(self.root.organisation, role).await;
        self.enrol(id).await;
        id
    }
}

#[tokio::test]
async fn a_session_is_new_at_sign_in_and_ends_when_it_should() {
    for place in places().await {
        let (first, cookie, _) = place.enter(place.admin).await;
        // A cookie that was there before opens nothing afterwards.
        let fixed = Visitor { session: Some(cookie.expose().clone()), ..visitor(HOME, None) };
        let step = place.sign_in(&fixed, "admin@localhost", PASSWORD).await.unwrap();
        let Step::Entered { session: second, .. } = step else { panic!("{step:?}") };
        assert_ne!(second.expose(), cookie.expose());
        assert!(place.session(&cookie).await.is_err(), "the one before has ended");
        let planted = Visitor { session: Some("lms_planted".into()), ..visitor(HOME, None) };
        place.sign_in(&planted, "admin@localhost", PASSWORD).await.unwrap();
        assert!(place.session(&Secret::from("lms_planted")).await.is_err());

        // Idle, and absolute.
        place.pass(place.office.policy.idle_s - 10);
        assert!(place.session(&second).await.is_ok());
        place.pass(place.office.policy.idle_s - 10);
        assert!(place.session(&second).await.is_ok(), "use keeps it alive");
        place.pass(place.office.policy.idle_s + 1);
        assert!(place.session(&second).await.is_err());
        let (_, long, _) = place.enter(place.admin).await;
        for _ in 0..(place.office.policy.lifetime_s / 3600) {
            place.pass(3600);
            let _ = place.session(&long).await;
        }
        assert!(place.session(&long).await.is_err(), "use does not keep it alive for ever");

        // A new password ends the others, and one cannot end somebody else's.
        let (_, other, _) = place.enter(place.admin).await;
        let (own, own_cookie, _) = place.enter(place.admin).await;
        let (stranger, _, actor) = place.somebody(json!(["*.view"])).await;
        let missing = account::end_session(&place.office, &actor, own.id).await;
        assert!(matches!(missing, Err(Fault::NotFound(_))), "{stranger}: {missing:?}");
        let new = Secret::from("nine quiet lamps at noon");
        let typed = || Secret::from(PASSWORD);
        let wrong = account::change_password(
            &place.office,
            &own.actor,
            Secret::from("wrong"),
            new.clone(),
            Some(own.id),
        );
        assert!(matches!(wrong.await, Err(Fault::Invalid(_))));
        account::change_password(&place.office, &own.actor, typed(), new, Some(own.id))
            .await
            .unwrap();
        assert!(place.session(&other).await.is_err());
        assert!(place.session(&own_cookie).await.is_ok());
        assert_ne!(first.id, own.id);
    }
}

#[tokio::test]
async fn nobody_gives_a_role_more_than_they_have() {
    for place in places().await {
        let office = &place.office;
        let (clerk, own_role, actor) =
            place.somebody(json!(["roles.*", "staff.*", "tokens.*", "customers.view"])).await;
        // Role: create, edit up, edit one's own, edit down a stronger one, delete, clone.
        let more = json!({"name": "More", "permissions": ["customers.view", "billing.edit"]});
        refused(place.create(&actor, ROLES, more).await, "billing.edit");
        let all = json!({"name": "All", "permissions": ["*"]});
        assert!(matches!(place.create(&actor, ROLES, all).await, Err(Fault::Forbidden(_))));
        let any = json!({"permissions": ["customers.*"]});
        refused(place.update(&actor, ROLES, own_role.0, any).await, "customers.create");
        let fewer = json!({"permissions": ["customers.view"]});
        let down = place.update(&actor, ROLES, place.admin_role.0, fewer.clone()).await;
        assert!(matches!(down, Err(Fault::Forbidden(_))), "{:?}", down.err());
        let strong = place.role(place.root.organisation, json!(["billing.edit"])).await;
        refused(write::delete(office, &actor, ROLES, strong.0, None).await, "billing.edit");
        write::delete(office, &place.root, ROLES, strong.0, None).await.unwrap();
        refused(write::restore(office, &actor, ROLES, strong.0).await, "billing.edit");
        let mut unit = Unit::begin(office, &actor).await.unwrap();
        let copied = role::clone(&mut unit, place.admin_role, "Copy").await;
        assert!(matches!(copied, Err(Fault::Forbidden(_))));
        drop(unit);
        let unknown = json!({"name": "X", "permissions": ["customers.fly"]});
        assert!(matches!(place.create(&actor, ROLES, unknown).await, Err(Fault::Invalid(_))));

        // Staff: hire an administrator, promote oneself or a friend, touch somebody stronger.
        let body = |role: RoleId| json!({"name": "F", "email": "f@example.net", "role_id": role});
        let hired = place.create(&actor, STAFFS, body(place.admin_role)).await;
        assert!(matches!(hired, Err(Fault::Forbidden(_))), "{:?}", hired.err());
        let promote = json!({"role_id": place.admin_role});
        for id in [clerk, place.hire(place.root.organisation, own_role).await] {
            let promoted = place.update(&actor, STAFFS, id.0, promote.clone()).await;
            assert!(matches!(promoted, Err(Fault::Forbidden(_))), "{:?}", promoted.err());
        }
        let bulk = staff::assign(office, &actor, place.admin_role, &[clerk]).await;
        assert!(matches!(bulk, Err(Fault::Forbidden(_))), "{bulk:?}");
        let demoted = staff::assign(office, &actor, own_role, &[clerk, place.admin]).await;
        assert!(matches!(demoted, Err(Fault::Forbidden(_))), "{demoted:?}");
        let mine = json!({"email": "mine@example.net"});
        let taken = place.update(&actor, STAFFS, place.admin.0, mine).await;
        assert!(matches!(taken, Err(Fault::Forbidden(_))), "{:?}", taken.err());
        assert!(staff::reset_password(office, &actor, place.admin).await.is_err());
        assert!(act(office, &actor, place.admin, "reset-second-factor").await.is_err());
        assert!(act(office, &actor, place.admin, "disable").await.is_err());
        assert!(act(office, &actor, place.admin, "end-sessions").await.is_err());
        assert!(write::delete(office, &actor, STAFFS, place.admin.0, None).await.is_err());
        let second = place.hire(place.root.organisation, place.admin_role).await;
        write::delete(office, &place.root, STAFFS, second.0, None).await.unwrap();
        assert!(write::restore(office, &actor, STAFFS, second.0).await.is_err());

        // What they have they may give.
        let fewer = json!({"name": "Fewer", "permissions": ["customers.view"]});
        let made = place.create(&actor, ROLES, fewer).await.unwrap();
        place.create(&actor, STAFFS, body(RoleId(made.id))).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_never_has_more_than_its_maker_has_now() {
    for place in places().await {
        let office = &place.office;
        let (maker, own_role, actor) = place.somebody(json!(["tokens.*", "customers.*"])).await;
        for scopes in [json!(["full"]), json!(["write"]), json!(["read"]), json!(["billing.edit"])]
        {
            let made = place.token(&actor, json!({"name": "t", "scopes": scopes})).await;
            assert!(matches!(made, Err(Fault::Forbidden(_))), "{scopes}: {made:?}");
        }
        for wrong in [json!([]), json!(["reed"]), json!("full")] {
            let made = place.token(&actor, json!({"name": "t", "scopes": wrong})).await;
            assert!(matches!(made, Err(Fault::Invalid(_))), "{wrong}: {made:?}");
        }
        let scopes = json!(["customers.view", "customers.edit", "tokens.create"]);
        let (id, secret) =
            place.token(&actor, json!({"name": "t", "scopes": scopes})).await.unwrap();
        let more = place.update(&actor, TOKENS, id.0, json!({"scopes": ["full"]})).await;
        assert!(matches!(more, Err(Fault::Forbidden(_))), "{:?}", more.err());

        // A token makes tokens within its own rights, and they stay its maker's.
        let by = place.by_token(&secret, HOME).await.unwrap();
        refused(
            place.token(&by, json!({"name": "t", "scopes": ["customers.delete"]})).await,
            "customers.delete",
        );
        let (_, child) =
            place.token(&by, json!({"name": "c", "scopes": ["customers.edit"]})).await.unwrap();
        assert!(place.by_token(&child, HOME).await.unwrap().rights.has("customers.edit"));

        // Its maker's role shrinks, its maker goes.
        let fewer = json!({"permissions": ["tokens.*", "customers.view"]});
        place.update(&place.root, ROLES, own_role.0, fewer).await.unwrap();
        assert!(!place.by_token(&child, HOME).await.unwrap().rights.has("customers.edit"));
        assert!(!place.by_token(&secret, HOME).await.unwrap().rights.has("customers.edit"));
        act(office, &place.root, maker, "disable").await.unwrap();
        assert!(place.by_token(&secret, HOME).await.is_err());
        act(office, &place.root, maker, "enable").await.unwrap();

        // A stronger token is not rotated, changed, deleted or restored: its secret is power.
        let full = json!({"name": "full", "scopes": ["full"]});
        let (strong, _) = place.token(&place.root, full).await.unwrap();
        let actor = place.actor(maker).await;
        assert!(matches!(
            token::rotate(office, &actor, strong, 60, None).await,
            Err(Fault::Forbidden(_))
        ));
        let renamed = place.update(&actor, TOKENS, strong.0, json!({"name": "x"})).await;
        assert!(matches!(renamed, Err(Fault::Forbidden(_))));
        assert!(write::delete(office, &actor, TOKENS, strong.0, None).await.is_err());
        write::delete(office, &place.root, TOKENS, strong.0, None).await.unwrap();
        assert!(write::restore(office, &actor, TOKENS, strong.0).await.is_err());
        assert!(
            !TOKENS.verbs.has(Verbs::CREATE),
            "only the action that shows the secret makes one"
        );
    }
}

#[tokio::test]
async fn a_token_ends_rotates_counts_and_knows_where_it_may_come_from() {
    for place in places().await {
        let office = &place.office;
        let until = place.office.now().plus_seconds(3600);
        let body = json!({"name": "t", "scopes": ["read"], "expires_at": until,
            "allow_list": ["192.0.2.0/24"]});
        let (id, first) = place.token(&place.root, body).await.unwrap();
        assert!(place.by_token(&first, HOME).await.is_ok());
        assert!(place.by_token(&first, AWAY).await.is_err(), "from elsewhere");
        let past = json!({"name": "t", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"});
        assert!(matches!(place.token(&place.root, past).await, Err(Fault::Invalid(_))));

        let (second, _) = token::rotate(office, &place.root, id, 600, None).await.unwrap();
        for secret in [&first, &second] {
            assert!(place.by_token(secret, HOME).await.is_ok(), "both for a while");
        }
        place.pass(601);
        assert!(place.by_token(&first, HOME).await.is_err());
        assert!(place.by_token(&second, HOME).await.is_ok());
        // The form of before it, sent again.
        let stale = token::rotate(office, &place.root, id, 0, Some(1)).await;
        assert!(matches!(stale, Err(Fault::Stale)));
        let (third, _) = token::rotate(office, &place.root, id, 0, None).await.unwrap();
        assert!(place.by_token(&second, HOME).await.is_err(), "at once where it was lost");

        flush::once(office).await;
        let _ = place.by_token(&third, HOME).await;
        flush::once(office).await;
        let usage = token::usage(office, &place.root, id).await.unwrap();
        assert_eq!(usage, [("2027-01-15".to_owned(), 5)]);
        place.pass(3600);
        assert!(place.by_token(&third, HOME).await.is_err(), "it has expired");

        // Another organisation's token does not exist.
        let (org, _) = place.below(&place.root).await;
        let role = place.role(org, json!(["*"])).await;
        let partner = place.actor(place.hire(org, role).await).await;
        let missing = |fault: Option<Fault>| assert!(matches!(fault, Some(Fault::NotFound(_))));
        missing(token::rotate(office, &partner, id, 0, None).await.err());
        missing(token::usage(office, &partner, id).await.err());
    }
}

#[tokio::test]
async fn the_last_administrator_stays() {
    for place in places().await {
        let office = &place.office;
        let (root, admin) = (&place.root, place.admin);
        let reader = place.role(root.organisation, json!(["*.view"])).await;
        conflict(act(office, root, admin, "disable").await);
        conflict(write::delete(office, root, STAFFS, admin.0, None).await);
        conflict(place.update(root, STAFFS, admin.0, json!({"role_id": reader})).await);
        conflict(staff::assign(office, root, reader, &[admin]).await);
        let fewer = json!({"permissions": ["customers.*"]});
        conflict(place.update(root, ROLES, place.admin_role.0, fewer).await);
        conflict(write::delete(office, root, ROLES, place.admin_role.0, None).await);
        // Somebody of a partner who may do everything there is no administrator of the root.
        let (org, _) = place.below(root).await;
        place.hire(org, place.admin_role).await;
        conflict(act(office, root, admin, "disable").await);
        // Nor is somebody who was invited, and has no password yet.
        let invited = json!({"name": "I", "email": "i@example.net", "role_id": place.admin_role});
        place.create(root, STAFFS, invited).await.unwrap();
        conflict(write::delete(office, root, STAFFS, admin.0, None).await);
        // With a second one, the first may go; two who go at once do not both.
        let second = place.hire(root.organisation, place.admin_role).await;
        let (by_first, by_second) = (place.actor(admin).await, place.actor(second).await);
        let (a, b) = tokio::join!(
            act(office, &by_first, second, "disable"),
            act(office, &by_second, admin, "disable"),
        );
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    }
}

#[tokio::test]
async fn acting_as_another_adds_no_right_and_leaves_both_names() {
    for place in places().await {
        let office = &place.office;
        let (agent, _, _) = place.somebody(json!(["customers.*", "staff.impersonate"])).await;
        let (clerk, _, _) = place.somebody(json!(["customers.view", "tokens.*"])).await;
        let (lead, lead_role, _) =
            place.somebody(json!(["customers.*", "staff.*", "tokens.*"])).await;
        let (own, own_cookie, _) = place.enter(lead).await;
        let at_home = visitor(HOME, None);
        let begin = async |session: &Session, id: StaffId| {
            staff::impersonate(office, &session.actor, session.id, &at_home, id).await
        };
        // Not upwards, not sideways, not oneself, not without the permission.
        assert!(matches!(begin(&own, place.admin).await, Err(Fault::Forbidden(_))));
        let peer = place.hire(place.root.organisation, lead_role).await;
        conflict(begin(&own, peer).await);
        conflict(begin(&own, lead).await);
        let (weak, _, _) = place.enter(clerk).await;
        refused(begin(&weak, agent).await, "staff.impersonate");

        let cookie = begin(&own, agent).await.unwrap();
        let acting = place.session(&cookie).await.unwrap();
        assert_eq!(acting.actor.label(), agent.to_string());
        assert_eq!(acting.actor.impersonator, Some(lead));
        assert_eq!(acting.impersonator.as_deref(), Some("Somebody"));
        // No chain, no password, no second factor, no token, no link for others.
        conflict(begin(&acting, clerk).await);
        let typed = || Secret::from(PASSWORD);
        let new = Secret::from("nine quiet lamps at noon");
        conflict(account::change_password(office, &acting.actor, typed(), new, None).await);
        conflict(account::begin_second_factor(office, &acting.actor, typed()).await);
        conflict(account::renew_codes(office, &acting.actor, typed()).await);
        conflict(account::end_other_sessions(office, &acting.actor, None).await);
        let full = json!({"name": "t", "scopes": ["customers.view"]});
        conflict(place.token(&acting.actor, full).await);
        conflict(staff::reset_password(office, &acting.actor, clerk).await);
        conflict(act(office, &acting.actor, clerk, "reset-second-factor").await);

        // What is done names both.
        let body = json!({"name": "Asha"});
        let customers = crate::entity::registry::by_name("customer").unwrap();
        let made = place.create(&acting.actor, customers, body).await.unwrap();
        let audited = place.audited(made.view["id"].as_str().unwrap()).await;
        let expected = ("created".to_owned(), agent.to_string(), Some(lead.to_string()));
        assert_eq!(audited, expected);

        // A right the actor loses meanwhile is lost here too; so is one the other gains.
        let everything = json!(["*"]);
        place
            .update(
                &place.root,
                ROLES,
                lead_role.0,
                json!({"permissions": ["customers.view", "staff.impersonate"]}),
            )
            .await
            .unwrap();
        let now = place.session(&cookie).await.unwrap().actor.rights;
        assert!(now.has("customers.view") && !now.has("customers.edit"));
        let boss = place.role(place.root.organisation, everything).await;
        staff::assign(office, &place.root, boss, &[agent]).await.unwrap();
        assert!(!place.session(&cookie).await.unwrap().actor.rights.has("settings.edit"));

        // Back: the session of before, under a new cookie.
        let back = staff::stop_impersonating(office, &acting.actor, acting.id).await.unwrap();
        assert!(place.session(&cookie).await.is_err());
        assert!(place.session(&own_cookie).await.is_err());
        let session = place.session(&back).await.unwrap();
        assert_eq!((session.id, session.actor.impersonator), (own.id, None));

        // It ends by itself, and with the session or the rights behind it.
        let cookie = begin(&session, clerk).await;
        refused(cookie, "tokens.view");
        place
            .update(
                &place.root,
                ROLES,
                lead_role.0,
                json!({"permissions": ["customers.*", "staff.*", "tokens.*"]}),
            )
            .await
            .unwrap();
        let session = place.session(&back).await.unwrap();
        let cookie = begin(&session, clerk).await.unwrap();
        place.pass(3601);
        assert!(place.session(&cookie).await.is_err());
        let cookie = begin(&session, clerk).await.unwrap();
        session::end(office, session.id).await.unwrap();
        assert!(place.session(&cookie).await.is_err());
        let (session, _, _) = place.enter(lead).await;
        let cookie = begin(&session, clerk).await.unwrap();
        act(office, &place.root, lead, "disable").await.unwrap();
        assert!(place.session(&cookie).await.is_err());
    }
}

#[tokio::test]
async fn staff_of_another_organisation_do_not_exist() {
    for place in places().await {
        let office = &place.office;
        let (org, _) = place.below(&place.root).await;
        let (other, _) = place.below(&place.root).await;
        let role = place.role(org, json!(["*"])).await;
        let partner = place.actor(place.hire(org, role).await).await;
        let theirs = place.role(other, json!(["customers.view"])).await;
        let victim = place.hire(other, theirs).await;
        let missing = |fault: Option<Fault>| {
            assert!(matches!(fault, Some(Fault::NotFound(_))), "{fault:?}");
        };
        for id in [victim, place.admin, StaffId::generate()] {
            missing(staff::reset_password(office, &partner, id).await.err());
            missing(act(office, &partner, id, "reset-second-factor").await.err());
            missing(act(office, &partner, id, "disable").await.err());
            missing(staff::sessions(office, &partner, id).await.err());
            missing(act(office, &partner, id, "end-sessions").await.err());
            missing(place.update(&partner, STAFFS, id.0, json!({"name": "x"})).await.err());
        }
        let own = place.hire(org, role).await;
        let foreign = staff::assign(office, &partner, theirs, &[own]).await;
        missing(foreign.err());
        let mixed = staff::assign(office, &partner, role, &[own, victim]).await;
        assert!(matches!(mixed, Err(Fault::Invalid(_))), "{mixed:?}");
        // The root's roles may be given below, and not changed there.
        assert_eq!(staff::assign(office, &partner, place.admin_role, &[own]).await.unwrap(), 1);
        let edited = json!({"description": "mine"});
        missing(place.update(&partner, ROLES, place.admin_role.0, edited).await.err());
        // The root may not put a role of below on its own people.
        let up = staff::assign(office, &place.root, role, &[place.admin]).await;
        assert!(matches!(up, Err(Fault::Invalid(_))), "{up:?}");
        // Everything here is not everything there.
        let session = place.enter(place.admin).await.0;
        let at_home = visitor(HOME, None);
        let cookie = staff::impersonate(office, &session.actor, session.id, &at_home, own).await;
        assert_eq!(place.session(&cookie.unwrap()).await.unwrap().actor.path, partner.path);
    }
}

#[tokio::test]
async fn an_allow_list_holds_at_sign_in_and_at_every_request() {
    for place in places().await {
        let (id, _, _) = place.somebody(json!(["customers.view"])).await;
        let (_, cookie, _) = place.enter(id).await;
        let list = json!({"allow_list": ["192.0.2.0/24"]});
        place.update(&place.root, STAFFS, id.0, list).await.unwrap();
        let email = Account::load(&place.office, id).await.unwrap().email;
        let away = place.sign_in(&visitor(AWAY, None), &email, PASSWORD).await;
        assert!(matches!(away, Err(Fault::Unauthenticated)), "told like a wrong password");
        let from = |from: &str| from.parse::<IpAddr>().unwrap();
        let ask = async |address| session::by_cookie(&place.office, cookie.expose(), address).await;
        assert!(ask(from(HOME)).await.is_ok());
        assert!(ask(from(AWAY)).await.is_err(), "a stolen cookie is worth nothing elsewhere");
        let wrong = json!({"allow_list": ["192.0.2.1/24", "office"]});
        let refused = place.update(&place.root, STAFFS, id.0, wrong).await;
        assert!(matches!(refused, Err(Fault::Invalid(_))));
    }
}

#[tokio::test]
async fn a_link_sets_a_password_once_and_nothing_else() {
    for place in places().await {
        let office = &place.office;
        let role = place.role(place.root.organisation, json!(["customers.view"])).await;
        let body = json!({"name": "New", "email": " New@Example.NET", "role_id": role});
        let made = place.create(&place.root, STAFFS, body).await.unwrap();
        assert_eq!(made.view["email"], "new@example.net");
        assert!(made.view.get("password_hash").is_none());
        let id = StaffId(made.id);
        let at_home = visitor(HOME, None);
        for typed in ["", PASSWORD] {
            let answer = place.sign_in(&at_home, "new@example.net", typed).await;
            assert!(matches!(answer, Err(Fault::Unauthenticated)), "no password is not a password");
        }
        let (old, _) = staff::reset_password(office, &place.root, id).await.unwrap();
        let (link, _) = staff::reset_password(office, &place.root, id).await.unwrap();
        let set = async |link: &Secret<String>, new: &str| {
            account::use_link(office, &at_home, link.expose(), Secret::from(new)).await
        };
        assert!(
            matches!(set(&old, PASSWORD).await, Err(Fault::NotFound(_))),
            "the later one counts"
        );
        assert!(matches!(set(&link, "short").await, Err(Fault::Invalid(_))), "and stays good");
        set(&link, PASSWORD).await.unwrap();
        assert!(matches!(set(&link, "nine quiet lamps at noon").await, Err(Fault::NotFound(_))));

        // A reset leaves the second factor: a link is not a way around it.
        place.enrol(id).await;
        place.to_code(id).await;
        let (link, _) = staff::reset_password(office, &place.root, id).await.unwrap();
        set(&link, "nine quiet lamps at noon").await.unwrap();
        let step = place.sign_in(&at_home, "new@example.net", "nine quiet lamps at noon").await;
        assert!(matches!(step, Ok(Step::Due { .. })), "{step:?}");
        assert!(Account::load(office, id).await.unwrap().totp_confirmed);

        // One who was disabled, or waited too long.
        let (link, _) = staff::reset_password(office, &place.root, id).await.unwrap();
        place.pass(3 * 24 * 3600 + 1);
        assert!(matches!(set(&link, PASSWORD).await, Err(Fault::NotFound(_))));
        let (link, _) = staff::reset_password(office, &place.root, id).await.unwrap();
        act(office, &place.root, id, "disable").await.unwrap();
        assert!(matches!(set(&link, PASSWORD).await, Err(Fault::NotFound(_))));
    }
}

#[tokio::test]
async fn who_failed_too_often_is_unlocked_and_waits_no_more() {
    for place in places().await {
        let visitor = visitor("203.0.113.9", None);
        let wrong = async || place.sign_in(&visitor, "admin@localhost", "wrong").await;
        while !matches!(wrong().await, Err(Fault::TooMany(_))) {}
        act(&place.office, &place.root, place.admin, "unlock").await.unwrap();
        assert!(matches!(wrong().await, Err(Fault::Unauthenticated)), "judged, not held up");
        let (action, ..) = place.audited(&place.admin.to_string()).await;
        assert_eq!(action, "unlocked");
        // A stranger's failures at another account stay what they are.
        let other = async || place.sign_in(&visitor, "nobody@example.net", "wrong").await;
        while !matches!(other().await, Err(Fault::TooMany(_))) {}
        act(&place.office, &place.root, place.admin, "unlock").await.unwrap();
        assert!(matches!(other().await, Err(Fault::TooMany(_))));
    }
}

#[tokio::test]
async fn one_session_of_somebody_is_ended_by_those_who_may() {
    for place in places().await {
        let office = &place.office;
        let (kept, kept_cookie, _) = place.enter(place.admin).await;
        let (ended, cookie, _) = place.enter(place.admin).await;
        let (_, _, clerk) = place.somebody(json!(["staff.*"])).await;
        let refused = staff::end_session(office, &clerk, place.admin, ended.id).await;
        assert!(matches!(refused, Err(Fault::Forbidden(_))), "{refused:?}");
        staff::end_session(office, &place.root, place.admin, ended.id).await.unwrap();
        assert!(place.session(&cookie).await.is_err());
        assert!(place.session(&kept_cookie).await.is_ok());
        let again = staff::end_session(office, &place.root, place.admin, ended.id).await;
        assert!(matches!(again, Err(Fault::NotFound(_))), "{again:?}");
        // Under another's name nobody's session is found.
        let (stranger, _, _) = place.somebody(json!(["*.view"])).await;
        let other = staff::end_session(office, &place.root, stranger, kept.id).await;
        assert!(matches!(other, Err(Fault::NotFound(_))), "{other:?}");
    }
}
