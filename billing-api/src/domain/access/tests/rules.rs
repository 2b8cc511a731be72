//! What organisations decide about signing in.

use super::super::rules;
use super::*;
use crate::domain::setting;

async fn set(place: &Place, actor: &Actor, fields: Value) -> Result<(), Fault> {
    let fields = fields.as_object().unwrap();
    setting::patch(&place.office, actor, None, fields, None).await.map(drop)
}

/// A partner of the root, somebody who looks after its staff, and that somebody acting.
async fn partner(place: &Place) -> (StaffId, Actor) {
    let (organisation, _) = place.below(&place.root).await;
    let role = place.role(organisation, json!(["*"])).await;
    let id = place.hire(organisation, role).await;
    (id, place.actor(id).await)
}

#[tokio::test]
async fn a_partners_stricter_rules_hold_for_its_staff_alone_and_for_sessions_that_live() {
    for place in places().await {
        let (theirs, actor) = partner(&place).await;
        let (_, root, _) = place.enter(place.admin).await;
        let (_, cookie, _) = place.enter(theirs).await;
        place.pass(600);
        assert!(place.session(&cookie).await.is_ok());
        set(&place, &actor, json!({"security.session_idle_minutes": 10})).await.unwrap();
        place.pass(590);
        assert!(place.session(&cookie).await.is_ok(), "used within ten minutes");
        place.pass(601);
        assert!(place.session(&cookie).await.is_err(), "idle for longer than its partner allows");
        assert!(place.session(&root).await.is_ok(), "the root's staff are not concerned");
        let own = session::list(&place.office, actor.organisation, theirs, None).await.unwrap();
        assert!(own.is_empty(), "{own:?}");

        // The time since the sign-in, whatever was promised then.
        let (_, cookie, _) = place.enter(theirs).await;
        set(&place, &actor, json!({"security.session_lifetime_hours": 1})).await.unwrap();
        for _ in 0..8 {
            place.pass(440);
            assert!(place.session(&cookie).await.is_ok());
        }
        place.pass(100);
        assert!(place.session(&cookie).await.is_err(), "an hour is over");

        set(&place, &actor, json!({"security.password_length": 30})).await.unwrap();
        let change = |staff, new: &'static str| {
            let place = &place;
            async move {
                let (actor, typed) = (place.actor(staff).await, Secret::from(PASSWORD));
                account::change_password(&place.office, &actor, typed, Secret::from(new), None)
                    .await
            }
        };
        let short = change(theirs, "nine quiet lamps at noon").await;
        assert!(matches!(short, Err(Fault::Invalid(_))), "{short:?}");
        change(place.admin, "nine quiet lamps at noon").await.unwrap();
        change(theirs, "nine quiet lamps at noon by the gate").await.unwrap();
    }
}

#[tokio::test]
async fn nobody_below_is_looser_than_those_above_or_than_the_installation() {
    for place in places().await {
        let (theirs, actor) = partner(&place).await;
        let looser = [
            json!({"security.session_idle_minutes": 481}),
            json!({"security.session_lifetime_hours": 169}),
            json!({"security.password_length": 11}),
            json!({"security.lockout_attempts": 20}),
        ];
        for fields in looser {
            let refused = set(&place, &actor, fields.clone()).await;
            assert!(matches!(refused, Err(Fault::Invalid(_))), "{fields}: {refused:?}");
        }
        // What a partner had before the root became stricter holds no longer.
        set(&place, &actor, json!({"security.session_idle_minutes": 300})).await.unwrap();
        set(&place, &place.root, json!({"security.session_idle_minutes": 5})).await.unwrap();
        let rules = rules::of(&place.office, actor.organisation).await.unwrap();
        assert_eq!(rules.idle_s, 300);
        // The root itself may be looser than the installation's default.
        set(&place, &place.root, json!({"security.session_idle_minutes": 600})).await.unwrap();
        let rules = rules::of(&place.office, place.root.organisation).await.unwrap();
        assert_eq!(rules.idle_s, 36_000);
        let rules = rules::of(&place.office, actor.organisation).await.unwrap();
        assert_eq!(rules.idle_s, 18_000);
        assert!(Account::load(&place.office, theirs).await.is_ok());
    }
}

#[tokio::test]
async fn a_second_factor_that_an_organisation_demands_is_set_up_at_the_next_sign_in() {
    for place in places().await {
        let (theirs, _) = partner(&place).await;
        set(&place, &place.root, json!({"security.two_factor_required": true})).await.unwrap();
        let email = Account::load(&place.office, theirs).await.unwrap().email;
        let step = place.sign_in(&visitor(HOME, None), &email, PASSWORD).await.unwrap();
        let Step::Due { challenge: Some(challenge) } = step else { panic!("{step:?}") };
        let due = Challenge::find(&place.office, &visitor(HOME, None), challenge.expose()).await;
        assert_eq!(due.unwrap().due(), Some(Due::Enrolment));
        place.enrol(theirs).await;
        let (actor, typed) = (place.actor(theirs).await, Secret::from(PASSWORD));
        let kept = account::disable_second_factor(&place.office, &actor, typed).await;
        let Err(Fault::Conflict { detail, .. }) = kept else { panic!("{kept:?}") };
        assert_eq!(detail, "this organisation demands a second factor");
    }
}

#[tokio::test]
async fn allow_lists_add_up_and_nobody_shuts_themselves_out() {
    for place in places().await {
        let (theirs, _) = partner(&place).await;
        let (root, cookie, _) = place.enter(place.admin).await;
        let (partners, _, _) = place.enter(theirs).await;
        let list = |list: &str| json!({"security.allow_list": list});

        // Whoever sits at 192.0.2.10 cannot leave it out.
        let refused = set(&place, &root.actor, list("198.51.100.0/24")).await;
        let Err(Fault::Invalid(faults)) = refused else { panic!("{refused:?}") };
        assert_eq!(faults[0].pointer, "/security.allow_list");
        assert!(faults[0].detail.contains(HOME), "{}", faults[0].detail);

        // The lists of both hold: an address has to be in each.
        set(&place, &root.actor, list("192.0.2.0/24\n198.51.100.66")).await.unwrap();
        set(&place, &partners.actor, list("192.0.2.0/28\n203.0.113.0/24")).await.unwrap();
        let rules = rules::of(&place.office, partners.actor.organisation).await.unwrap();
        let admitted = ["192.0.2.10", AWAY, "203.0.113.1", "192.0.2.20"]
            .map(|address| rules.admits(address.parse().unwrap()));
        assert_eq!(admitted, [true, false, false, false]);

        // A sign-in and a living session are asked alike, and told nothing.
        let outside = visitor("203.0.113.9", None);
        let refused = place.sign_in(&outside, "admin@localhost", PASSWORD).await;
        assert!(matches!(refused, Err(Fault::Unauthenticated)), "{refused:?}");
        let elsewhere = "203.0.113.9".parse().unwrap();
        assert!(session::by_cookie(&place.office, cookie.expose(), elsewhere).await.is_err());
        assert!(place.session(&cookie).await.is_ok());

        // A token of nobody's may set what it likes: it is not bound by it, and can undo it.
        let (_, secret) =
            place.token(&place.root, json!({"name": "t", "scopes": ["*"]})).await.unwrap();
        let by_token = place.by_token(&secret, AWAY).await.unwrap();
        set(&place, &by_token, list("203.0.113.0/24")).await.unwrap();
        assert!(place.session(&cookie).await.is_err());
        assert!(place.by_token(&secret, AWAY).await.is_ok());

        // The way back in, from the machine itself.
        assert!(rules::open(&place.office).await.unwrap());
        assert!(place.session(&cookie).await.is_ok());
        assert!(!rules::open(&place.office).await.unwrap(), "there is none any more");
        let root = place.root.organisation.to_string();
        assert_eq!(place.audited(&root).await.1, "system:netctl");
    }
}

#[tokio::test]
async fn the_wait_after_wrong_passwords_is_one_rule_for_those_who_exist_and_those_who_do_not() {
    for place in places().await {
        let lockout = json!({"security.lockout_attempts": 3, "security.lockout_minutes": 1});
        set(&place, &place.root, lockout).await.unwrap();
        for (address, email) in
            [("203.0.113.4", "admin@localhost"), ("203.0.113.5", "nobody@example.net")]
        {
            for _ in 0..3 {
                let wrong = place.sign_in(&visitor(address, None), email, "wrong").await;
                assert!(matches!(wrong, Err(Fault::Unauthenticated)), "{email}: {wrong:?}");
            }
            let waits = place.sign_in(&visitor(address, None), email, "wrong").await;
            assert!(matches!(waits, Err(Fault::TooMany(1))), "{email}: {waits:?}");
        }
        let lockout = rules::lockout(&place.office).await.unwrap();
        assert_eq!((lockout.free, lockout.wait_s_max), (3, 60));
    }
}

#[test]
fn what_the_configuration_says_is_the_default_of_the_settings() {
    let policy =
        crate::config::Access { idle_s: 1800, lifetime_s: 8 * 3600, password_characters_min: 16 };
    let defaults = rules::defaults(&policy);
    assert_eq!(defaults["security.session_idle_minutes"], json!(30));
    assert_eq!(defaults["security.session_lifetime_hours"], json!(8));
    assert_eq!(defaults["security.password_length"], json!(16));
}
