//! The console as a browser meets it: real handlers, a real database, no network database.

mod settings;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::App;
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use actix_web::test::{self, TestRequest};
use actix_web::web::Data;
use daemon::config::SecretSource;
use daemon::secrets::Keyring;
use model::SystemClock;
use store::testing::TestDb;

use crate::config::FirstStart;
use crate::domain::Office;
use crate::http::Web;
use crate::store::MIGRATIONS;

pub(super) async fn office(test: &TestDb, network: &TestDb) -> Data<Office> {
    test.db.migrate(&MIGRATIONS).await.unwrap();
    let office = Office::new(
        test.db.clone(),
        network.db.clone(),
        Keyring::ephemeral(),
        Arc::new(SystemClock),
    );
    let first = FirstStart {
        admin_email: "admin@example.net".to_owned(),
        admin_password: Some(SecretSource::Inline("correct horse".into())),
        token: Some(SecretSource::Inline("test-token-1".into())),
        ..FirstStart::default()
    };
    crate::first_start::prepare(&office, &first, None).await.unwrap();
    Data::new(office)
}

/// An answer, and the cookie that came with it.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: String,
    cookie: Option<String>,
    pub(super) body: String,
}

type Exchange = Pin<Box<dyn Future<Output = Answer>>>;

/// What a browser keeps and sends.
pub(super) struct Browser {
    /// The type of a running app cannot be written down, so it hides in a function.
    exchange: Box<dyn Fn(TestRequest) -> Exchange>,
    pub(super) cookie: String,
}

impl Browser {
    pub(super) async fn send(&mut self, request: TestRequest) -> Answer {
        let request = request
            .insert_header(("host", "office.example"))
            .insert_header((COOKIE, self.cookie.clone()));
        let answer = (self.exchange)(request).await;
        if let Some(cookie) = &answer.cookie {
            self.cookie.clone_from(cookie);
        }
        answer
    }

    pub(super) async fn get(&mut self, address: &str) -> Answer {
        self.send(TestRequest::get().uri(address)).await
    }

    pub(super) async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Answer {
        let request = TestRequest::post().uri(address).set_form(fields);
        self.send(request.insert_header((ORIGIN, "http://office.example"))).await
    }

    /// Opens a page and takes its token, as a form would.
    pub(super) async fn token(&mut self) -> String {
        let page = self.get("/").await.body;
        let after = page.split(r#"name="csrf" value=""#).nth(1).expect("a form on the page");
        after.split('"').next().unwrap().to_owned()
    }
}

pub(super) async fn browser(office: &Data<Office>) -> Browser {
    let app = App::new()
        .app_data(office.clone())
        .app_data(Data::new(Web::default()))
        .configure(crate::http::routes)
        .configure(super::routes);
    let app = Rc::new(test::init_service(app).await);
    let exchange = move |request: TestRequest| -> Exchange {
        let app = app.clone();
        Box::pin(async move {
            let response = test::call_service(&*app, request.to_request()).await;
            let header =
                |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let location = header(LOCATION).unwrap_or_default();
            let cookie = header(SET_COOKIE).map(|set| set.split(';').next().unwrap().to_owned());
            let status = response.status();
            let body = test::read_body(response).await;
            Answer { status, location, cookie, body: String::from_utf8(body.to_vec()).unwrap() }
        })
    };
    Browser { exchange: Box::new(exchange), cookie: String::new() }
}

#[actix_web::test]
async fn staff_sign_in_sell_a_service_and_suspend_it() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let office = office(&test, &network).await;
        let mut browser = browser(&office).await;

        let asked = browser.get("/customers?q=a").await;
        assert_eq!(asked.location, "/login?next=%2Fcustomers%3Fq%3Da");
        let credentials =
            [("email", "admin@example.net"), ("password", "wrong"), ("next", "/plans")];
        let wrong = browser.post("/login", &credentials).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        let nobody = browser.post("/login", &[("email", "x@example.net"), ("password", "x")]).await;
        let sentence = "The e-mail address or the password is wrong.";
        assert!(wrong.body.contains(sentence) && nobody.body.contains(sentence));
        let credentials =
            [("email", "admin@example.net"), ("password", "correct horse"), ("next", "/plans")];
        assert_eq!(browser.post("/login", &credentials).await.location, "/plans");

        let csrf = browser.token().await;
        let csrf = ("csrf", csrf.as_str());
        let plan = [
            csrf,
            ("name", "Home 50"),
            ("price", "29.99"),
            ("period", "month"),
            ("download", "50"),
            ("upload", "20"),
        ];
        assert_eq!(browser.post("/plans", &plan).await.location, "/plans?done=plan-created");
        let twice = browser.post("/plans", &plan).await;
        assert_eq!(twice.status, StatusCode::CONFLICT);
        assert!(twice.body.contains("Name: another plan has this name"), "{}", twice.body);

        let nas = [
            csrf,
            ("name", "bng"),
            ("address", "192.0.2.1"),
            ("secret", "testing123"),
            ("vendor", "mikrotik"),
            ("coa_port", "3799"),
        ];
        assert_eq!(browser.post("/nas", &nas).await.location, "/nas?done=nas-created");

        let made = browser.post("/customers", &[csrf, ("name", "Asha <b>")]).await;
        let customer = made.location.split('?').next().unwrap().to_owned();
        let page = browser.get(&made.location).await.body;
        assert!(page.contains("Asha &lt;b&gt;") && page.contains("The customer is created."));
        let plan_id = page.split(r#"<option value="pln_"#).nth(1).unwrap();
        let plan_id = format!("pln_{}", plan_id.split('"').next().unwrap());

        let add = format!("{customer}/services");
        let missing = browser.post(&add, &[csrf, ("login", "asha"), ("plan_id", &plan_id)]).await;
        assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(missing.body.contains("Password: is required."));
        let service =
            [csrf, ("login", "asha"), ("plan_id", plan_id.as_str()), ("password", "s3cret")];
        let made = browser.post(&add, &service).await;
        assert_eq!(made.location, format!("{customer}?done=service-created"));

        let page = browser.get(&customer).await.body;
        let id = page.split("id=\"svc_").nth(1).unwrap().split('"').next().unwrap();
        let at = format!("/services/svc_{id}");
        assert_eq!(browser.get(&at).await.location, format!("{customer}#svc_{id}"));
        let done = browser.post(&format!("{at}/suspend"), &[csrf]).await;
        assert_eq!(done.location, format!("{customer}?done=suspended"));
        let page = browser.get(&done.location).await.body;
        assert!(page.contains("Suspended by staff, login refused"), "{page}");
        let old = [csrf, ("version", "1"), ("plan_id", plan_id.as_str())];
        let stale = browser.post(&format!("{at}/plan"), &old).await;
        assert_eq!(stale.location, format!("{customer}?done=stale"));
        let done = browser.post(&format!("{at}/activate"), &[csrf]).await;
        assert!(!browser.get(&done.location).await.body.contains("login refused"));

        for page in [
            "/",
            "/customers",
            "/customers?q=ASHA",
            "/customers/new",
            "/services",
            "/plans",
            "/plans/new",
            "/nas",
            "/nas/new",
            "/sessions",
            "/sessions?login=x&state=all&cursor=odd",
        ] {
            let answer = browser.get(page).await;
            assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.body);
            assert!(!answer.body.contains("console-"), "a text is missing on {page}");
        }
        let overview = browser.get("/").await.body;
        assert!(overview.contains("Service activated") && overview.contains("does not answer"));

        let lost = browser.get("/customers/cus_x").await;
        assert_eq!(lost.status, StatusCode::NOT_FOUND);
        assert!(lost.body.contains("<nav") && lost.body.contains("Not found"));
        assert_eq!(browser.get("/nowhere/at/all").await.status, StatusCode::NOT_FOUND);

        assert_eq!(browser.post("/logout", &[csrf]).await.location, "/login");
        assert_eq!(browser.get("/").await.location, "/login");
    }
}

#[actix_web::test]
async fn a_form_from_elsewhere_changes_nothing() {
    let (test, network) = (TestDb::sqlite("billing").await, TestDb::sqlite("network").await);
    let office = office(&test, &network).await;
    let mut browser = browser(&office).await;
    let credentials = [("email", "admin@example.net"), ("password", "correct horse")];

    let foreign = TestRequest::post().uri("/login").set_form(credentials);
    let foreign = foreign.insert_header((ORIGIN, "http://evil.example"));
    assert_eq!(browser.send(foreign).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.post("/login", &credentials).await.location, "/");
    let csrf = browser.token().await;

    let fields = [("csrf", csrf.as_str()), ("name", "Asha")];
    let silent = TestRequest::post().uri("/customers").set_form(fields);
    assert_eq!(browser.send(silent).await.status, StatusCode::FORBIDDEN);
    let foreign = TestRequest::post().uri("/customers").set_form(fields);
    let foreign = foreign.insert_header(("sec-fetch-site", "cross-site"));
    assert_eq!(browser.send(foreign).await.status, StatusCode::FORBIDDEN);
    let bare = browser.post("/customers", &[("name", "Asha")]).await;
    assert_eq!(bare.status, StatusCode::FORBIDDEN);
    assert!(bare.body.contains("This form is out of date"));
    assert!(browser.get("/customers").await.body.contains("There are no customers yet."));
    assert!(browser.post("/customers", &fields).await.location.starts_with("/customers/cus_"));
}
