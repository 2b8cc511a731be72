//! Settings, modules, branding, organisations and the first setup, in a browser and by API.

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, ETAG};
use serde_json::{Value, json};

use super::*;
use crate::domain::branding::picture::tests::png_file;

/// A browser that is signed in, and its token.
async fn signed_in(office: &Data<Office>) -> (Browser, String) {
    let mut browser = browser(office).await;
    let credentials = [("email", "admin@example.net"), ("password", "correct horse")];
    assert_eq!(browser.post("/login", &credentials).await.location, "/");
    let csrf = browser.token().await;
    (browser, csrf)
}

/// The version a page's form carries.
fn version(page: &str) -> String {
    let after = page.split(r#"name="version" value=""#).nth(1).expect("a version on the page");
    after.split('"').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_setting_is_changed_refused_and_reset_on_its_page() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let office = office(&test, &network).await;
        let (mut browser, csrf) = signed_in(&office).await;
        assert_eq!(browser.get("/settings").await.location, "/settings/business");
        for page in
            ["business", "contacts", "operation", "security", "import", "branding", "modules"]
        {
            let answer = browser.get(&format!("/settings/{page}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.body);
            for raw in ["console-", "setting-", "module-"] {
                assert!(!answer.body.contains(raw), "a text is missing on {page}");
            }
        }
        assert_eq!(browser.get("/settings/kites").await.status, StatusCode::NOT_FOUND);

        let page = browser.get("/settings/contacts").await.body;
        let seen = version(&page);
        let form = [("csrf", csrf.as_str()), ("version", &seen), ("contacts.phone", "+1 555")];
        let done = browser.post("/settings/contacts", &form).await;
        assert_eq!(done.location, "/settings/contacts?done=settings-changed");
        let page = browser.get(&done.location).await.body;
        assert!(page.contains("+1 555") && page.contains("Inherit again"), "{page}");
        let late = [form[0], form[1], ("contacts.phone", "7")];
        let again = browser.post("/settings/contacts", &late);
        assert_eq!(again.await.location, "/settings/contacts?done=stale");
        let bad = [("csrf", csrf.as_str()), ("contacts.phone", "call <me>")];
        let bad = browser.post("/settings/contacts", &bad).await;
        assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(bad.body.contains("Phone: is not a phone number"), "{}", bad.body);
        assert!(bad.body.contains("call &lt;me&gt;"));
        let reset = [("csrf", csrf.as_str()), ("reset", "contacts.phone"), ("contacts.phone", "7")];
        browser.post("/settings/contacts", &reset).await;
        assert!(!browser.get("/settings/contacts").await.body.contains("+1 555"));
    }
}

#[actix_web::test]
async fn a_brand_shows_on_every_page_and_before_signing_in() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let office = office(&test, &network).await;
        let (mut browser, csrf) = signed_in(&office).await;
        let faint = [
            ("csrf", csrf.as_str()),
            ("branding.display_name", "North <Net>"),
            ("branding.accent_light", "#ffcc00"),
        ];
        let answer = browser.post("/settings/branding", &faint).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("is too faint on the light ground"), "{}", answer.body);
        let form = [faint[0], faint[1], ("branding.accent_light", "#700000")];
        let done = browser.post("/settings/branding", &form).await;
        assert_eq!(done.location, "/settings/branding?done=settings-changed");

        let boundary = "b0";
        let upload = |content: &[u8], content_type: &str| {
            let mut body = Vec::new();
            body.extend(format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n\
                 --{boundary}\r\nContent-Disposition: form-data; name=\"logo\"; \
                 filename=\"logo.png\"\r\nContent-Type: {content_type}\r\n\r\n"
            ).bytes());
            body.extend(content);
            body.extend(format!("\r\n--{boundary}--\r\n").bytes());
            let kind = format!("multipart/form-data; boundary={boundary}");
            TestRequest::post()
                .uri("/settings/branding/logo")
                .insert_header((ORIGIN, "http://office.example"))
                .insert_header((CONTENT_TYPE, kind))
                .set_payload(body)
        };
        let lying = browser.send(upload(&png_file(9, 9), "image/jpeg")).await;
        assert_eq!(lying.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(lying.body.contains("is image/png, and was sent as image/jpeg"), "{}", lying.body);
        let script = browser.send(upload(b"<svg onload=alert(1)>", "image/svg+xml")).await;
        assert!(script.body.contains("is an SVG, which can carry scripts"), "{}", script.body);
        let large = browser.send(upload(&vec![0; 300 * 1024], "image/png")).await;
        assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
        let foreign =
            upload(&png_file(9, 9), "image/png").insert_header((ORIGIN, "http://x.example"));
        assert_eq!(browser.send(foreign).await.status, StatusCode::FORBIDDEN);
        let sent = browser.send(upload(&png_file(9, 9), "image/png")).await;
        assert_eq!(sent.location, "/settings/branding?done=settings-changed", "{}", sent.body);

        let page = browser.get("/plans").await.body;
        assert!(page.contains("North &lt;Net&gt;") && page.contains("/brand/logo/"), "{page}");
        assert!(page.contains("/brand/theme.css?light=%23700000"));
        browser.cookie.clear();
        let page = browser.get("/login").await.body;
        assert!(page.contains("North &lt;Net&gt;") && page.contains("/brand/theme.css"), "{page}");
        let logo = page.split("src=\"/brand/logo/").nth(1).unwrap().split('"').next().unwrap();
        let address = format!("/brand/logo/{logo}");
        let app = App::new().app_data(office.clone()).configure(crate::console::routes);
        let app = test::init_service(app).await;
        let answer = test::call_service(&app, TestRequest::get().uri(&address).to_request()).await;
        let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "image/png");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let etag = answer.headers().get(ETAG).unwrap().clone();
        let known = TestRequest::get().uri(&address).insert_header(("if-none-match", etag));
        let answer = test::call_service(&app, known.to_request()).await;
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        let lost = TestRequest::get().uri("/brand/logo/00").to_request();
        assert_eq!(test::call_service(&app, lost).await.status(), StatusCode::NOT_FOUND);
    }
}

#[actix_web::test]
async fn a_module_that_is_off_does_not_exist() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let office = office(&test, &network).await;
        let (mut browser, csrf) = signed_in(&office).await;
        let api = api(&office).await;
        assert!(browser.get("/").await.body.contains(r#"href="/plans""#));
        assert_eq!(api(Method::GET, "/api/v1/plans", None).await.0, StatusCode::OK);

        let page = browser.get("/settings/modules").await.body;
        let seen = version(&page);
        let names = page.split(" name=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let names: Vec<&str> = names.collect();
        assert!(names.contains(&"catalog.plans") && names.contains(&"billing.invoices"));
        let left = ["csrf", "version", "catalog.plans", "network"];
        let mut form: Vec<(&str, &str)> =
            names.iter().filter(|name| !left.contains(*name)).map(|name| (*name, "on")).collect();
        form.extend([("csrf", csrf.as_str()), ("version", seen.as_str())]);
        let done = browser.post("/settings/modules", &form).await;
        assert_eq!(done.location, "/settings/modules?done=modules-changed");

        let overview = browser.get("/settings/modules").await.body;
        let menu = overview.split("</nav>").next().unwrap();
        for gone in ["/plans", "/nas", "/sessions"] {
            assert!(!menu.contains(&format!(r#"href="{gone}""#)), "{gone}");
            let page = browser.get(gone).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{gone}");
            assert!(page.body.contains("Not found") && page.body.contains("<nav"));
            let resource = format!("/api/v1{gone}");
            let (status, body) = api(Method::GET, &resource, None).await;
            assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
        }
        let new = browser.post("/plans", &[("csrf", csrf.as_str()), ("name", "x")]).await;
        assert_eq!(new.status, StatusCode::NOT_FOUND);
        let (status, _) = api(Method::POST, "/api/v1/plans", Some(json!({"name": "x"}))).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(api(Method::GET, "/api/v1/customers", None).await.0, StatusCode::OK);

        let back = json!({"catalog.plans": null, "network": null});
        assert_eq!(api(Method::PATCH, "/api/v1/modules", Some(back)).await.0, StatusCode::OK);
        assert_eq!(browser.get("/plans").await.status, StatusCode::OK);
        assert_eq!(browser.get("/nas").await.status, StatusCode::OK);
    }
}

type Asked = std::pin::Pin<Box<dyn std::future::Future<Output = (StatusCode, Value)>>>;

/// The API with the token of the first start.
async fn api(office: &Data<Office>) -> Box<dyn Fn(Method, &str, Option<Value>) -> Asked> {
    let app = App::new()
        .app_data(office.clone())
        .app_data(Data::new(Web::default()))
        .configure(crate::http::routes);
    let app = Rc::new(test::init_service(app).await);
    Box::new(move |method, address, body| {
        let app = app.clone();
        let mut request = TestRequest::default()
            .method(method)
            .uri(address)
            .insert_header(("authorization", "Bearer test-token-1"));
        if let Some(body) = body {
            request = request.set_payload(body.to_string());
        }
        Box::pin(async move {
            let response = test::call_service(&*app, request.to_request()).await;
            let status = response.status();
            let body = test::read_body(response).await;
            (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
        })
    })
}

#[actix_web::test]
async fn settings_and_organisations_answer_by_api() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let office = office(&test, &network).await;
        let api = api(&office).await;
        let (status, body) = api(Method::GET, "/api/v1/settings", None).await;
        assert_eq!(status, StatusCode::OK);
        let zone = body["data"].as_array().unwrap().iter().find(|s| s["key"] == "operation.zone");
        let zone = zone.unwrap();
        assert_eq!((&zone["value"], &zone["own"]), (&json!("UTC"), &json!(true)));

        let bad = json!({"operation.zone": "Mars/Base", "contacts.phone": "100"});
        let (status, body) = api(Method::PATCH, "/api/v1/settings", Some(bad)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(body["errors"][0]["pointer"], "/operation.zone");
        let (status, _) = api(Method::GET, "/api/v1/settings?organisation_id=org_x", None).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        let nobody =
            format!("/api/v1/settings?organisation_id={}", model::OrganisationId::generate());
        assert_eq!(api(Method::GET, &nobody, None).await.0, StatusCode::NOT_FOUND);

        let new = json!({"kind": "partner", "name": "North"});
        let (status, north) = api(Method::POST, "/api/v1/organisations", Some(new)).await;
        assert_eq!(status, StatusCode::CREATED, "{north}");
        let id = north["id"].as_str().unwrap();
        let at = format!("/api/v1/organisations/{id}");
        let change = json!({"contacts.phone": "100"});
        let below = format!("/api/v1/settings?organisation_id={id}");
        let (status, body) = api(Method::PATCH, &below, Some(change)).await;
        assert_eq!((status, &body["organisation_id"]), (StatusCode::OK, &json!(id)));
        let (_, body) = api(Method::GET, "/api/v1/organisations", None).await;
        assert_eq!(body["data"].as_array().unwrap().len(), 2);
        let inside = json!({"parent_id": id});
        let (status, body) = api(Method::POST, &format!("{at}/move"), Some(inside)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(body["errors"][0]["pointer"], "/parent_id");
        let (status, body) = api(Method::PATCH, &at, Some(json!({"name": "N2"}))).await;
        assert_eq!((status, &body["name"]), (StatusCode::OK, &json!("N2")));
        assert_eq!(api(Method::DELETE, &at, None).await.0, StatusCode::NO_CONTENT);
        assert_eq!(api(Method::GET, &at, None).await.0, StatusCode::NOT_FOUND);
        assert_eq!(api(Method::PUT, &at, None).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[actix_web::test]
async fn the_tree_is_looked_after_in_the_browser() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let office = office(&test, &network).await;
        let (mut browser, csrf) = signed_in(&office).await;
        let page = browser.get("/organisations/new").await.body;
        let root = page.split("<option value=\"org_").nth(1).unwrap().split('"').next().unwrap();
        let root = format!("org_{root}");
        let form = |name| {
            [
                ("csrf", csrf.as_str()),
                ("name", name),
                ("kind", "partner"),
                ("parent_id", root.as_str()),
                ("legal_entity", "no"),
            ]
        };
        for name in ["North", "South"] {
            let made = browser.post("/organisations", &form(name)).await;
            assert_eq!(made.location, "/organisations?done=organisation-created", "{}", made.body);
        }
        let twice = browser.post("/organisations", &form("North")).await;
        assert_eq!(twice.status, StatusCode::CONFLICT);
        assert!(twice.body.contains("beside it already"), "{}", twice.body);
        let list = browser.get("/organisations").await.body;
        let id = |name: &str| {
            let before = list.split(&format!("\">{name}</a>")).next().unwrap();
            before.rsplit("/organisations/").next().unwrap().to_owned()
        };
        let (north, south) = (id("North"), id("South"));
        let at = format!("/organisations/{north}");
        let moved = [("csrf", csrf.as_str()), ("version", "1"), ("parent_id", south.as_str())];
        let done = browser.post(&format!("{at}/move"), &moved).await;
        assert_eq!(done.location, format!("{at}?done=organisation-moved"), "{}", done.body);
        let stale = browser.post(&at, &[("csrf", &csrf), ("version", "1"), ("name", "X")]).await;
        assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{}", stale.body);
        let page = browser.get(&format!("{at}/edit")).await.body;
        assert!(page.contains("manager_id") && !page.contains("console-"), "{page}");
        let renamed = [("csrf", csrf.as_str()), ("version", "2"), ("name", "Norte")];
        let done = browser.post(&at, &renamed).await;
        assert_eq!(done.location, format!("{at}?done=updated"), "{}", done.body);
        let page = browser.get(&at).await.body;
        assert!(page.contains("Norte") && page.contains("South"), "{page}");
        let inside = [("csrf", csrf.as_str()), ("version", "3"), ("parent_id", north.as_str())];
        let refused = browser.post(&format!("{at}/move"), &inside).await;
        assert!(refused.body.contains("is the organisation itself"), "{}", refused.body);
        let file = browser.get("/organisations/export?format=csv").await;
        assert!(file.body.contains("Norte"), "{}", file.body);
        let full =
            browser.post(&format!("/organisations/{south}/delete"), &[("csrf", &csrf)]).await;
        assert_eq!(full.status, StatusCode::CONFLICT);
        assert!(full.body.contains("still has organisations below it"), "{}", full.body);
        let page = browser.get(&format!("/settings/operation?organisation={north}")).await;
        assert!(page.body.contains("Set by the legal entity") || page.body.contains("From "));
        assert!(!page.body.contains("console-"));
        let gone = browser.post(&format!("{at}/delete"), &[("csrf", &csrf)]).await;
        assert_eq!(gone.location, format!("/organisations?done=deleted&undo={north}"));
        let back = browser.post(&format!("{at}/restore"), &[("csrf", &csrf)]).await;
        assert_eq!(back.location, format!("{at}?done=restored"), "{}", back.body);
        browser.post(&format!("{at}/delete"), &[("csrf", &csrf)]).await;
        assert_eq!(browser.get(&at).await.status, StatusCode::NOT_FOUND);
    }
}

#[actix_web::test]
async fn the_first_setup_is_walked_left_and_taken_up_again() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let office = office(&test, &network).await;
        let (mut browser, csrf) = signed_in(&office).await;
        assert!(browser.get("/").await.body.contains("0 of 5 steps are done."));
        assert_eq!(browser.get("/setup").await.location, "/setup/business");
        let csrf = ("csrf", csrf.as_str());
        let business = [csrf, ("business.legal_name", "North Net Ltd"), ("business.tax_id", "")];
        let next = browser.post("/setup/business", &business).await;
        assert_eq!(next.location, "/setup/operation");
        let bad = [csrf, ("operation.fiscal_year_start", "02-30")];
        let bad = browser.post("/setup/operation", &bad).await;
        assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(bad.body.contains("First day of the fiscal year: is not a day of every year"));
        let operation = [
            csrf,
            ("operation.zone", "UTC"),
            ("operation.currency", "USD"),
            ("operation.fiscal_year_start", "01-01"),
        ];
        let next = browser.post("/setup/operation", &operation).await;
        assert_eq!(next.location, "/setup/plan");
        assert_eq!(browser.get("/setup").await.location, "/setup/plan", "taken up again");

        let wrong = browser.post("/setup/plan", &[csrf, ("name", "Home"), ("price", "much")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        let plan = [csrf, ("name", "Home"), ("price", "10"), ("period", "month")];
        assert_eq!(browser.post("/setup/plan", &plan).await.location, "/setup/nas");
        assert!(!browser.get("/setup/nas").await.body.contains("/radius add"));
        let nas = [
            csrf,
            ("name", "bng"),
            ("address", "192.0.2.1"),
            ("secret", "testing123"),
            ("vendor", "mikrotik"),
        ];
        assert_eq!(browser.post("/setup/nas", &nas).await.location, "/setup/nas");
        let page = browser.get("/setup/nas").await.body;
        assert!(page.contains("/radius add") && !page.contains("testing123"), "{page}");
        assert_eq!(browser.post("/setup/staff", &[csrf]).await.location, "/setup/done");
        assert!(browser.get("/setup/done").await.body.contains("A step is still open"));
        for step in ["business", "operation", "plan", "nas", "staff", "done"] {
            let body = browser.get(&format!("/setup/{step}")).await.body;
            assert!(!body.contains("console-") && !body.contains("setting-"), "{step}");
        }
        assert!(browser.get("/").await.body.contains("4 of 5 steps are done."));
        assert_eq!(browser.post("/setup", &[csrf]).await.location, "/");
        assert!(!browser.get("/").await.body.contains("steps are done."));
        assert_eq!(browser.get("/setup/kites").await.status, StatusCode::NOT_FOUND);
    }
}
