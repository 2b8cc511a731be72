//! Every route of the API is called without a token, with one that lacks what it needs, and
//! with one that has that and nothing else.

use std::sync::Arc;

use actix_web::App;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{self, TestRequest};
use actix_web::web::{self, Data};
use daemon::health::Health;
use daemon::secrets::{Keyring, sha256};
use model::{StaffId, SystemClock, TokenId, Ts};
use serde_json::{Value, json};
use store::args;

use super::caller::Caller;
use super::{NEEDS, Need, ROUTES, Web};
use crate::config::FirstStart;
use crate::domain::Office;
use crate::domain::access::Rights;
use crate::entity::Verbs;
use crate::entity::registry::ENTITIES;
use crate::store::{MIGRATIONS, access, organisation};

/// What anybody may call. Whoever adds to this list has thought about it.
const PUBLIC: [&str; 2] = ["/healthz", "/readyz"];

async fn token(office: &Office, scopes: Value) -> String {
    let token = format!("lmt_{}", TokenId::generate());
    let root = office.db.fetch_one(&organisation::FIND_ROOT, args![]).await.unwrap();
    let root = organisation::organisation(&root).unwrap().id;
    let (id, hash) = (TokenId::generate(), sha256(token.as_bytes()).to_vec());
    let (none, ever) = (None::<StaffId>, None::<Ts>);
    let args = args![
        id,
        root,
        "test",
        hash,
        scopes,
        json!([]),
        none,
        ever,
        office.now(),
        "test",
        None::<i64>
    ];
    office.db.execute(&access::INSERT_TOKEN, args).await.unwrap();
    token
}

/// Registered, with the actor at hand, but in no list.
async fn ghost(_: Caller) -> &'static str {
    "reached"
}

#[actix_web::test]
async fn no_route_is_reached_without_what_it_needs() {
    for test in ::store::testing::engines("billing").await {
        test.db.migrate(&MIGRATIONS).await.unwrap();
        let (db, network) = (test.db.clone(), test.db.clone());
        let office = Office::new(db, network, Keyring::ephemeral(), Arc::new(SystemClock));
        crate::first_start::prepare(&office, &FirstStart::default(), None).await.unwrap();
        let office = Data::new(office);
        let app = App::new()
            .app_data(office.clone())
            .app_data(Data::new(Health::new()))
            .app_data(Data::new(Web::default()))
            .service(web::resource("/api/v1/ghost").route(web::get().to(ghost)))
            .configure(super::routes);
        let app = test::init_service(app).await;
        let ask = async |method: &Method, path: &str, token: Option<&str>| {
            let mut request = TestRequest::default().method(method.clone()).uri(path);
            if let Some(token) = token {
                request = request.insert_header(("authorization", format!("Bearer {token}")));
            }
            test::call_service(&app, request.to_request()).await.status()
        };
        let full = token(&office, json!(["full"])).await;
        assert_eq!(
            ask(&Method::GET, "/api/v1/ghost", Some(&full)).await,
            StatusCode::NOT_FOUND,
            "a route in no list is not there, whoever asks"
        );
        for (pattern, method, need) in NEEDS.all() {
            let path = pattern.replace(['{', '}'], "");
            let at = format!("{method} {pattern}");
            let bare = ask(method, &path, None).await;
            if need == Need::Public {
                assert!(PUBLIC.contains(&pattern), "{at} is open to anybody");
                assert_ne!(bare, StatusCode::UNAUTHORIZED, "{at}");
                continue;
            }
            assert_eq!(bare, StatusCode::UNAUTHORIZED, "{at} without a token");
            let stranger = ask(method, &path, Some("lmt_made_up")).await;
            assert_eq!(stranger, StatusCode::UNAUTHORIZED, "{at} with a token nobody made");
            let Need::Permission(permission) = need else { continue };
            let others: Vec<_> = Rights::all().names().filter(|name| *name != permission).collect();
            for lacking in [json!([]), json!(others)] {
                let lacking = token(&office, lacking).await;
                let answer = ask(method, &path, Some(&lacking)).await;
                assert_eq!(answer, StatusCode::FORBIDDEN, "{at} without {permission}");
            }
            let enough = token(&office, json!([permission])).await;
            let answer = ask(method, &path, Some(&enough)).await;
            let refused = [StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED];
            assert!(!refused.contains(&answer), "{at} with {permission}: {answer}");
        }
    }
}

#[::core::prelude::v1::test]
fn every_route_says_what_it_needs() {
    for route in ROUTES {
        let at = format!("{} {}", route.method, route.pattern);
        if let Need::Permission(permission) = route.need {
            assert!(Rights::all().has(permission), "{at} needs {permission}, which does not exist");
        }
        assert_eq!(route.need == Need::Public, PUBLIC.contains(&route.pattern), "{at}");
    }
    for entity in ENTITIES {
        let offered = [
            (Method::GET, "", Verbs::READ),
            (Method::POST, "", Verbs::CREATE),
            (Method::GET, "/{id}", Verbs::READ),
            (Method::PATCH, "/{id}", Verbs::UPDATE),
            (Method::DELETE, "/{id}", Verbs::DELETE),
            (Method::POST, "/{id}/restore", Verbs::DELETE),
        ];
        for (method, rest, _) in offered.iter().filter(|(.., verb)| entity.verbs.has(*verb)) {
            let pattern = format!("/api/v1/{}{rest}", entity.path);
            let listed = NEEDS.all().any(|(own, by, _)| own == pattern && by == method);
            assert!(listed, "{method} {pattern}: {}.* lacks its permission", entity.permission);
        }
    }
}
