//! Every page is asked for by nobody, by somebody whose role lacks what it needs, and by
//! somebody whose role has that and nothing else.

use actix_web::http::{Method, StatusCode};
use daemon::secrets::sha256;
use model::{RoleId, StaffId, StaffSessionId};
use serde_json::{Value, json};
use store::args;
use store::testing::TestDb;

use super::NEEDS;
use super::cookies::Kind;
use super::tests::{Browser, browser, office};
use crate::domain::Office;
use crate::domain::access::Rights;
use crate::http::access::Need;
use crate::store::{access, organisation};

/// What anybody may ask for.
const PUBLIC: [&str; 13] = [
    "/assets/{name}",
    "/brand/theme.css",
    "/brand/logo/{hash}",
    "/login",
    "/login/step",
    "/login/code",
    "/login/enrolment",
    "/login/password",
    "/login/with/{id}",
    "/login/callback/{id}",
    "/login/callback/{id}/in",
    "/set-password",
    "/{page:.*}",
];

/// Signs somebody in whose role has these permissions.
async fn sign_in(office: &Office, browser: &mut Browser, permissions: Value) {
    let root = office.db.fetch_one(&organisation::FIND_ROOT, args![]).await.unwrap();
    let root = organisation::organisation(&root).unwrap().id;
    let (role, staff, session) =
        (RoleId::generate(), StaffId::generate(), StaffSessionId::generate());
    let now = office.now();
    let name = role.to_string();
    let none = None::<String>;
    let args = args![role, root, name, none.clone(), permissions, none, false, now, "test"];
    office.db.execute(&access::INSERT_ROLE, args).await.unwrap();
    let email = format!("{staff}@example.net");
    let args = args![staff, root, email, "Somebody", "", "en", role, now, "test"];
    office.db.execute(&access::INSERT_STAFF, args).await.unwrap();
    let cookie = format!("lms_{session}");
    let hash = sha256(cookie.as_bytes()).to_vec();
    let (nobody, alone) = (None::<StaffId>, None::<StaffSessionId>);
    let end = now.plus_seconds(60);
    let args = args![session, staff, hash, now, end, "192.0.2.1", "test", nobody, alone];
    office.db.execute(&access::INSERT_SESSION, args).await.unwrap();
    browser.cookie = format!("{}={cookie}", Kind::Session.name(false));
}

#[actix_web::test]
async fn no_page_is_reached_without_what_it_needs() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let office = office(&test, &network).await;
        let mut browser = browser(&office).await;
        for (pattern, method, need) in NEEDS.all() {
            let at = format!("{method} {pattern}");
            let path = pattern.replace("{id}", "x");
            if need == Need::Public {
                assert!(PUBLIC.contains(&pattern), "{at} is open to anybody");
                continue;
            }
            let get = method == Method::GET;
            browser.cookie.clear();
            let answer =
                if get { browser.get(&path).await } else { browser.post(&path, &[]).await };
            assert!(answer.location.starts_with("/login"), "{at} by nobody: {}", answer.status);
            let Need::Permission(permission) = need else { continue };
            let others: Vec<_> = Rights::all().names().filter(|name| *name != permission).collect();
            for (permissions, may) in
                [(json!([]), false), (json!(others), false), (json!([permission]), true)]
            {
                sign_in(&office, &mut browser, permissions).await;
                let answer =
                    if get { browser.get(&path).await } else { browser.post(&path, &[]).await };
                let said = answer.body.contains(&format!("the permission {permission}"));
                assert_eq!(said, !may, "{at}: {}", answer.status);
                assert!(may || answer.status == StatusCode::FORBIDDEN, "{at}: {}", answer.status);
            }
        }
    }
}

#[test]
fn every_page_needs_a_permission_that_exists() {
    for (pattern, _, need) in NEEDS.all() {
        if let Need::Permission(permission) = need {
            assert!(Rights::all().has(permission), "{pattern}: {permission}");
        }
    }
}
