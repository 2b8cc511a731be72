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
use model::{OrganisationId, SystemClock};
use store::args;
use store::testing::TestDb;

use crate::config::FirstStart;
use crate::domain::Office;
use crate::http::Web;
use crate::store::{MIGRATIONS, organisation};

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
            ("price.currency", "USD"),
            ("period", "month"),
            ("download_bps", "50"),
            ("upload_bps", "0.512"),
            ("interim_s", "5"),
            ("interim_s.unit", "m"),
        ];
        let made = browser.post("/plans", &plan).await;
        assert!(made.location.starts_with("/plans/pln_"), "{}", made.body);
        let plan_id = made.location.trim_start_matches("/plans/").split('?').next().unwrap();
        let page = browser.get(&made.location).await.body;
        for part in ["Plan created.", "29.99 USD", "50 Mbit/s", "512 kbit/s", "5 min"] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        let twice = browser.post("/plans", &plan).await;
        assert_eq!(twice.status, StatusCode::CONFLICT);
        assert!(twice.body.contains("Name: another plan has this name"), "{}", twice.body);
        assert!(twice.body.contains(r#"value="0.512""#), "what was typed stays");
        let wrong = [csrf, ("name", "x"), ("price", "29,99"), ("download_bps", "fast")];
        let wrong = browser.post("/plans", &wrong).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        for part in ["is not an amount such as", "is not a rate such as", r#"value="29,99""#] {
            assert!(wrong.body.contains(part), "{part}\n{}", wrong.body);
        }

        let nas = [csrf, ("name", "bng"), ("address", "192.0.2.1"), ("secret", "testing123")];
        let made = browser.post("/nas", &nas).await;
        assert!(made.location.starts_with("/nas/nas_"), "{}", made.body);

        let made = browser.post("/customers", &[csrf, ("name", "Asha <b>")]).await;
        let customer = made.location.split('?').next().unwrap().to_owned();
        let page = browser.get(&made.location).await.body;
        assert!(page.contains("Asha &lt;b&gt;") && page.contains("Customer created."));
        let customer_id = customer.trim_start_matches("/customers/");
        let add = format!("/services/new?customer_id={customer_id}");
        assert!(page.contains(&add));
        let form = browser.get(&add).await.body;
        assert!(form.contains(&format!(r#"<option value="{customer_id}" selected>"#)), "{form}");

        let service = [
            csrf,
            ("login", "asha"),
            ("customer_id", customer_id),
            ("plan_id", plan_id),
            ("zone", "UTC"),
        ];
        let missing = browser.post("/services", &service).await;
        assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(missing.body.contains("Password: is required"), "{}", missing.body);
        let mut service = service.to_vec();
        service.push(("password", "s3cret"));
        let made = browser.post("/services", &service).await;
        assert!(made.location.starts_with("/services/svc_"), "{}", made.body);

        let at = made.location.split('?').next().unwrap().to_owned();
        let page = browser.get(&at).await.body;
        assert!(page.contains(&format!(r#"<a href="{customer}">Asha &lt;b&gt;</a>"#)), "{page}");
        let done = browser.post(&format!("{at}/suspend"), &[csrf]).await;
        assert_eq!(done.location, format!("{at}?done=suspend"));
        let page = browser.get(&done.location).await.body;
        assert!(page.contains("Suspended by staff, login refused"), "{page}");
        assert!(page.contains("The service is suspended."), "{page}");
        let old = [csrf, ("version", "1"), ("plan_id", plan_id)];
        let stale = browser.post(&format!("{at}/plan"), &old).await;
        assert_eq!(stale.location, format!("{at}?done=stale"));
        let done = browser.post(&format!("{at}/activate"), &[csrf]).await;
        assert!(!browser.get(&done.location).await.body.contains("login refused"));

        // Many at once: an action asks for what it takes, tried first and then done by a job.
        let page = browser.get("/services").await.body;
        for offered in ["act:suspend".to_owned(), format!("set:plan_id:{plan_id}")] {
            assert!(page.contains(&format!(r#"value="{offered}""#)), "{offered}: {page}");
        }
        let picked = format!("pick.{}", at.trim_start_matches("/services/"));
        let act = [csrf, ("action", "act:suspend"), ("back", "/services"), (&*picked, "on")];
        let asked = browser.post("/services/bulk", &act).await.body;
        assert!(
            asked.contains("Suspend: one record") && asked.contains(r#"name="note""#),
            "{asked}"
        );
        let long = "x".repeat(501);
        let wrong = [&act[..], &[("note", &*long), ("confirm", "true")]].concat();
        let wrong = browser.post("/services/bulk", &wrong).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.body.contains(&long) && wrong.body.contains("f-note"), "{}", wrong.body);
        let said = [("note", "line is cut"), ("confirm", "try")];
        let tried = browser.post("/services/bulk", &[&act[..], &said].concat()).await;
        work(&office).await;
        let page = browser.get(&tried.location).await.body;
        assert!(page.contains("Suspend: dry run") && page.contains("Would be changed"), "{page}");
        assert!(!browser.get(&at).await.body.contains("line is cut"));
        let run = tried.location.trim_start_matches("/services/bulk/");
        browser.post("/services/bulk", &[csrf, ("again", run)]).await;
        work(&office).await;
        let page = browser.get(&at).await.body;
        assert!(page.contains("line is cut") && page.contains("login refused"), "{page}");
        let to = format!("set:plan_id:{plan_id}");
        let set = [csrf, ("action", &*to), (&*picked, "on"), ("confirm", "true")];
        let set = browser.post("/services/bulk", &set).await;
        work(&office).await;
        let page = browser.get(&set.location).await.body;
        assert!(page.contains("<h1>Set Plan to ") && !page.contains("pln_"), "{page}");
        browser.post(&format!("{at}/activate"), &[csrf]).await;

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
            "/labels",
            "/labels/new",
            "/labels/columns",
            "/custom-fields",
            "/customers?deleted=true",
            "/customers?nonsense=1&status=active&in.created_at[gte]=2026-01-01",
            "/search",
            "/search?q=asha",
            "/search/suggest?q=as",
            "/audit",
            "/audit?category=network&from=2020-01-01&to=2100-01-01&action=created&entity=service",
            "/activity",
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
    assert!(browser.get("/customers").await.body.contains("There are no customers yet"));
    assert!(browser.post("/customers", &fields).await.location.starts_with("/customers/cus_"));
}

/// An office with someone signed in, and the proof for forms.
async fn signed_in(test: &TestDb, network: &TestDb) -> (Data<Office>, Browser, String) {
    let office = office(test, network).await;
    let mut browser = browser(&office).await;
    let credentials = [("email", "admin@example.net"), ("password", "correct horse")];
    assert_eq!(browser.post("/login", &credentials).await.location, "/");
    let csrf = browser.token().await;
    (office, browser, csrf)
}

/// The record that a creation leads to.
fn made(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.location.split('?').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_record_is_edited_deleted_and_restored() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let (_office, mut browser, csrf) = signed_in(&test, &network).await;
        let csrf = ("csrf", csrf.as_str());
        let label = [csrf, ("name", "VIP"), ("kind", "customer"), ("colour", "#1c7ed6")];
        let label = made(&browser.post("/labels", &label).await);

        let form = browser.get(&format!("{label}/edit")).await.body;
        assert!(form.contains(r#"name="was.name" value="VIP""#), "{form}");
        let was = [
            csrf,
            ("version", "1"),
            ("was.name", "VIP"),
            ("was.kind", "customer"),
            ("was.colour", "#1c7ed6"),
            ("kind", "customer"),
        ];
        let send = |more: &[(&'static str, &'static str)]| {
            let mut fields = was.to_vec();
            fields.extend_from_slice(more);
            fields
        };
        let same = browser.post(&label, &send(&[("name", "VIP"), ("colour", "#1c7ed6")])).await;
        assert_eq!(same.location, format!("{label}?done=unchanged"));
        let wrong = browser.post(&label, &send(&[("name", ""), ("colour", "red")])).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.body.contains("Colour: is a colour such as"), "{}", wrong.body);
        assert!(wrong.body.contains("Name: is required"), "{}", wrong.body);
        assert!(wrong.body.contains(r#"value="red""#));
        let saved = browser.post(&label, &send(&[("name", "Gold"), ("colour", "")])).await;
        assert_eq!(saved.location, format!("{label}?done=updated"));

        // Somebody else had the form of version 1 open, and changed the name too.
        let late = send(&[("name", "Silver"), ("colour", "#1c7ed6")]);
        let conflict = browser.post(&label, &late).await;
        assert_eq!(conflict.status, StatusCode::PRECONDITION_FAILED);
        for part in
            ["Take mine: <ins>Silver</ins>", "Take theirs: <ins>Gold</ins>", "Changed by them"]
        {
            assert!(conflict.body.contains(part), "{part}\n{}", conflict.body);
        }
        let settled = [
            csrf,
            ("version", "2"),
            ("was.name", "Gold"),
            ("text.name", "Silver"),
            ("take.name", "mine"),
            ("was.kind", "customer"),
            ("text.kind", "customer"),
            ("was.colour", ""),
            ("text.colour", ""),
        ];
        let saved = browser.post(&label, &settled).await;
        assert_eq!(saved.location, format!("{label}?done=updated"), "{}", saved.body);
        let page = browser.get(&saved.location).await.body;
        assert!(page.contains("Silver") && page.contains("Label saved."), "{page}");

        let gone = browser.post(&format!("{label}/delete"), &[csrf, ("version", "3")]).await;
        let list = browser.get(&gone.location).await.body;
        assert!(list.contains("Label deleted.") && list.contains("There are no labels yet"));
        let undo = format!(r#"action="{label}/restore""#);
        assert!(list.contains(&undo), "{list}");
        let deleted = browser.get("/labels?deleted=true").await.body;
        assert!(deleted.contains("Silver") && deleted.contains("Restore"), "{deleted}");
        let back = browser.post(&format!("{label}/restore"), &[csrf]).await;
        assert_eq!(back.location, format!("{label}?done=restored"));

        let history = browser.get(&format!("{label}?tab=audit")).await.body;
        for part in ["<del>VIP</del>", "<ins>Gold</ins>", "Label restored"] {
            assert!(history.contains(part), "{part}\n{history}");
        }
        let log = browser.get("/audit?entity=label&action=deleted").await.body;
        assert!(log.contains("critical") && log.contains("Silver"), "{log}");
        let entry = log.split(r#"href="/audit/aud_"#).nth(1).unwrap().split('"').next().unwrap();
        let entry = browser.get(&format!("/audit/aud_{entry}")).await;
        assert_eq!(entry.status, StatusCode::OK);
        assert!(entry.body.contains("Silver"), "{}", entry.body);
    }
}

/// Does what waits to be done in the background.
async fn work(office: &Data<Office>) {
    let (_trigger, stop) = daemon::lifecycle::Shutdown::new();
    let office = office.clone().into_inner();
    let mut runner = crate::jobs::Runner::new(office, crate::jobs::registry::KINDS, stop);
    runner.turn().await.unwrap();
    runner.settle().await;
}

/// A form with a file, as a browser sends it.
fn file_form(csrf: &str, name: &str, content: &str) -> String {
    let field = |name: &str, value: &str| {
        format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = format!(
        "--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/csv\r\n\r\n{content}\r\n"
    );
    format!("{}{}{file}--b0--\r\n", field("csrf", csrf), field("header", "true"))
}

#[actix_web::test]
async fn a_file_is_imported_step_by_step_and_undone_once() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let (office, mut browser, csrf) = signed_in(&test, &network).await;
        let token = csrf.clone();
        let upload = |body: String, origin: &str| {
            TestRequest::post()
                .uri("/labels/import")
                .insert_header(("Content-Type", "multipart/form-data; boundary=b0"))
                .insert_header((ORIGIN, origin.to_owned()))
                .set_payload(body)
        };
        let own = "http://office.example";
        let csrf = ("csrf", csrf.as_str());
        let page = browser.get("/labels").await.body;
        assert!(page.contains(r#"href="/labels/import""#), "{page}");
        assert!(browser.get("/imports/new").await.body.contains(r#"href="/labels/import""#));
        let page = browser.get("/labels/import").await.body;
        assert!(page.contains("multipart/form-data") && page.contains("/labels/import-template"));
        let template = browser.get("/labels/import-template").await.body;
        assert!(template.starts_with("organisation_id,name,colour,kind"), "{template}");

        // Who did not see the form, or is elsewhere, sends nothing.
        let foreign = upload(file_form("", "a.csv", "name\nx\n"), own);
        assert_eq!(browser.send(foreign).await.status, StatusCode::FORBIDDEN);
        let foreign = upload(file_form(&token, "a.csv", "name\nx\n"), "http://evil.example");
        assert_eq!(browser.send(foreign).await.status, StatusCode::FORBIDDEN);

        // What cannot be read says why.
        for (name, content, why) in [
            ("", "", "Choose a file."),
            ("a.csv", "", "the file is empty"),
            ("a.csv", ",\n1,2\n", "the first row has no names"),
            ("a.json", "[{\"name\": <b>}]", "is not a JSON object"),
            ("a.csv", "name,kind\n", "no rows to import"),
        ] {
            let refused = browser.send(upload(file_form(&token, name, content), own)).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{content}");
            assert!(refused.body.contains(why), "{why}\n{}", refused.body);
        }

        let file = "Name,what,odd <b>\nVIP,customer,x\nBad,dog,y\nVIP,customer,z\n";
        let taken = browser.send(upload(file_form(&token, "labels.csv", file), own)).await;
        assert!(taken.location.ends_with("/mapping"), "{}", taken.body);
        let import = taken.location.trim_end_matches("/mapping").to_owned();
        let result = format!("{import}/result");
        assert_eq!(browser.get(&import).await.location, result);
        assert_eq!(browser.get(&result).await.location, taken.location);
        let page = browser.get(&taken.location).await.body;
        assert!(page.contains("odd &lt;b&gt;") && page.contains("VIP · Bad · VIP"), "{page}");
        assert!(page.contains(r#"<option value="name" selected>"#), "{page}");

        // A needed field without a column; two columns for one field; a stale form.
        let mapping = |kind: &'static str, version: &'static str| {
            [
                csrf,
                ("column.0", "name"),
                ("column.1", kind),
                ("version", version),
                ("existing", "skip"),
                ("next", "try"),
            ]
        };
        let refused = browser.post(&taken.location, &mapping("", "")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.body.contains("No column means Kind"), "{}", refused.body);
        let refused = browser.post(&taken.location, &mapping("name", "")).await;
        assert!(refused.body.contains("name has another column already"), "{}", refused.body);
        let stale = browser.post(&taken.location, &mapping("kind", "1")).await;
        assert!(stale.location.ends_with("/mapping?done=stale"), "{}", stale.location);
        let tried = browser.post(&taken.location, &mapping("kind", "")).await;
        assert_eq!(tried.location, result);
        let page = browser.get(&result).await.body;
        assert!(page.contains("data-refresh") && page.contains("The dry run is under way"));
        work(&office).await;
        let page = browser.get(&result).await.body;
        for part in [
            "Kind: is one of customer, service, device",
            "Name: row 2 of the file has this kind and name",
            "Import one row",
            "format=xlsx",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(browser.get("/labels").await.body.contains("There are no labels"), "nothing yet");

        let run = browser.post(&format!("{import}/run"), &[csrf]).await;
        assert_eq!(run.location, result);
        let twice = browser.post(&format!("{import}/dry-run"), &[csrf]).await;
        assert_eq!(twice.status, StatusCode::CONFLICT);
        assert!(twice.body.contains("is being run at this moment"), "{}", twice.body);
        work(&office).await;
        let page = browser.get(&result).await.body;
        assert!(page.contains("It can be undone until") && page.contains("data-confirm"), "{page}");
        let file = browser.get(&format!("{import}/error-file?format=json")).await.body;
        assert!(file.contains("row 3: kind: is one of"), "{file}");
        let odd = browser.get(&format!("{import}/error-file?format=pdf")).await;
        assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);

        assert_eq!(browser.post(&format!("{import}/undo"), &[csrf]).await.location, result);
        work(&office).await;
        let page = browser.get(&result).await.body;
        assert!(page.contains("did to one record was taken back"), "{page}");
        let twice = browser.post(&format!("{import}/undo"), &[csrf]).await;
        assert_eq!(twice.status, StatusCode::CONFLICT);
        assert!(twice.body.contains("the import was undone already"), "{}", twice.body);

        let stranger = format!("/imports/{}", model::id::show("imp", uuid::Uuid::now_v7()));
        for page in ["/result", "/mapping", "/error-file"] {
            let lost = browser.get(&format!("{stranger}{page}")).await;
            assert_eq!(lost.status, StatusCode::NOT_FOUND);
        }
        assert!(!browser.get(&result).await.body.contains("console-"), "every text is there");
    }
}

#[actix_web::test]
async fn a_list_is_filtered_sorted_and_changed_in_one_go() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let (office, mut browser, csrf) = signed_in(&test, &network).await;
        let csrf = ("csrf", csrf.as_str());
        let mut labels = Vec::new();
        for name in ["Copper", "Amber", "Basalt"] {
            let fields = [csrf, ("name", name), ("kind", "customer")];
            labels.push(made(&browser.post("/labels", &fields).await));
        }
        let place = |page: &str, name: &str| page.find(&format!(">{name}<")).unwrap();
        let page = browser.get("/labels?sort=name").await.body;
        assert!(place(&page, "Amber") < place(&page, "Basalt"));
        assert!(place(&page, "Basalt") < place(&page, "Copper"));
        assert!(page.contains(r#"aria-sort="ascending""#) && page.contains("sort=-name"));
        assert!(page.contains("1–3 of 3"), "{page}");
        let page = browser.get("/labels?name[contains]=amb&q=&status=").await.body;
        assert!(page.contains("Amber") && !page.contains("Copper"), "{page}");
        let page = browser.get("/labels?q=basa").await.body;
        assert!(page.contains("Basalt") && !page.contains("Amber"), "{page}");
        let page = browser.get("/labels?q=zz").await.body;
        assert!(page.contains("Nothing fits") && page.contains("Clear search"), "{page}");
        let page = browser.get("/labels?kind=starship").await.body;
        assert!(page.contains("cannot be used") && page.contains("Amber"), "{page}");

        // Columns and rows are remembered.
        let columns = [csrf, ("show.description", "on"), ("place.description", "1")];
        assert_eq!(browser.post("/labels/columns", &columns).await.location, "/");
        let page = browser.get("/labels").await.body;
        assert!(page.contains(r#"data-label="Description""#), "{page}");
        assert!(!page.contains(r#"data-label="Kind""#), "{page}");
        let size = [csrf, ("size", "25"), ("back", "/labels")];
        assert_eq!(browser.post("/size", &size).await.location, "/labels");
        let page = browser.get("/labels").await.body;
        assert!(page.contains(r#"<option value="25" selected>"#), "{page}");

        // Two picked rows are set, after a question.
        let pick = |label: &str| format!("pick.{}", label.trim_start_matches("/labels/"));
        let (first, second) = (pick(&labels[0]), pick(&labels[1]));
        let picked = [
            csrf,
            ("action", "set:kind:device"),
            ("back", "/labels?sort=name"),
            (first.as_str(), "on"),
            (second.as_str(), "on"),
        ];
        let asked = browser.post("/labels/bulk", &picked).await.body;
        assert!(asked.contains("Set Kind to Devices: 2 records"), "{asked}");
        let mut sure = picked.to_vec();
        sure.push(("confirm", "true"));
        let done = browser.post("/labels/bulk", &sure).await;
        assert!(done.location.starts_with("/labels/bulk/run_"), "{}", done.body);
        let page = browser.get(&done.location).await.body;
        assert!(page.contains("data-refresh") && page.contains("Set Kind to Devices"), "{page}");
        work(&office).await;
        let page = browser.get(&done.location).await.body;
        assert!(!page.contains("data-refresh") && page.contains(">Amber</a>"), "{page}");
        let page = browser.get("/labels?kind=device").await.body;
        assert!(page.contains("1–2 of 2") && !page.contains("Basalt"), "{page}");

        // All that fit, by the filter of the list.
        let all = [csrf, ("action", "delete"), ("back", "/labels?kind=device"), ("all", "true")];
        let asked = browser.post("/labels/bulk", &all).await.body;
        assert!(asked.contains("Delete: 2 records") && asked.contains("Amber"), "{asked}");
        let odd = [csrf, ("action", "set:kind:starship"), ("all", "true")];
        let odd = browser.post("/labels/bulk", &odd).await;
        assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
        let stranger = browser.get(&done.location.replace("/labels/", "/customers/")).await;
        assert_eq!(stranger.status, StatusCode::NOT_FOUND, "a run of other records");
        let tried = [
            csrf,
            ("action", "fields"),
            ("back", "/labels?kind=device"),
            ("all", "true"),
            ("description", "Old <b>"),
            ("colour", "red"),
            ("confirm", "try"),
        ];
        let wrong = browser.post("/labels/bulk", &tried).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.body.contains("Colour: is a colour such as"), "{}", wrong.body);
        assert!(wrong.body.contains("Old &lt;b&gt;"), "what was typed stays");
        let tried: Vec<_> = tried.into_iter().filter(|(name, _)| *name != "colour").collect();
        let tried = browser.post("/labels/bulk", &tried).await;
        work(&office).await;
        let page = browser.get(&tried.location).await.body;
        assert!(page.contains("Change Description: dry run"), "{page}");
        assert!(page.contains("Would be changed") && page.contains(r#"name="again""#), "{page}");
        let run = tried.location.trim_start_matches("/labels/bulk/").to_owned();
        let again = browser.post("/labels/bulk", &[csrf, ("again", &run)]).await;
        assert!(
            again.location.starts_with("/labels/bulk/run_") && again.location != tried.location
        );
        work(&office).await;
        let page = browser.get(&again.location).await.body;
        assert!(page.contains("Record by record") && !page.contains("dry run"), "{page}");
        let none = browser.post("/labels/bulk", &[csrf, ("action", "delete")]).await.body;
        assert!(none.contains("No row was picked"), "{none}");
    }
}

#[actix_web::test]
async fn search_leads_to_records_and_straight_to_numbers() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let (_office, mut browser, csrf) = signed_in(&test, &network).await;
        let csrf = ("csrf", csrf.as_str());
        let customer = made(&browser.post("/customers", &[csrf, ("name", "Asha Kumar")]).await);
        made(&browser.post("/labels", &[csrf, ("name", "Asha's"), ("kind", "customer")]).await);

        let page = browser.get("/search?q=ash").await.body;
        assert!(page.contains(&customer) && page.contains("/labels/lbl_"), "{page}");
        assert!(page.contains("<mark>Ash</mark>a Kumar"), "{page}");
        let page = browser.get("/search?q=@customers+ash").await.body;
        assert!(page.contains(&customer) && !page.contains("/labels/lbl_"), "{page}");
        let id = customer.trim_start_matches("/customers/");
        assert_eq!(browser.get(&format!("/search?q={id}")).await.location, customer);
        let page = browser.get(&customer).await.body;
        let number = page.split("<dt>Number</dt><dd>").nth(1).unwrap().split('<').next().unwrap();
        assert_eq!(browser.get(&format!("/search?q=%23{number}")).await.location, customer);
        let nothing = browser.get("/search?q=%23999999").await;
        assert_eq!(nothing.status, StatusCode::OK);
        assert!(nothing.body.contains("Nothing has"), "{}", nothing.body);
        let fragment = browser.get("/search/suggest?q=kum").await.body;
        assert!(fragment.contains(&customer) && !fragment.contains("<html"), "{fragment}");
    }
}

#[actix_web::test]
async fn one_works_in_an_organisation_below_and_sees_nothing_beside_it() {
    let network = TestDb::sqlite("network").await;
    for test in store::testing::engines("billing").await {
        let (office, mut browser, csrf) = signed_in(&test, &network).await;
        let csrf = ("csrf", csrf.as_str());
        let root = office.db.fetch_one(&organisation::FIND_ROOT, args![]).await.unwrap();
        let root = organisation::organisation(&root).unwrap();
        let north = OrganisationId::generate();
        let args = args![
            north,
            root.id,
            format!("{}{north}/", root.path),
            "branch",
            "North <branch>",
            false,
            root.currency,
            "Asia/Kolkata",
            "en",
            office.now(),
            "test"
        ];
        office.db.execute(&organisation::INSERT, args).await.unwrap();
        made(&browser.post("/customers", &[csrf, ("name", "Headquarters")]).await);

        let page = browser.get("/customers").await.body;
        assert!(page.contains("North &lt;branch&gt;") && page.contains("Times are in UTC"));
        let north = north.to_string();
        let into = [csrf, ("organisation", north.as_str())];
        assert_eq!(browser.post("/organisation", &into).await.location, "/");
        let page = browser.get("/customers").await.body;
        assert!(!page.contains("Headquarters") && page.contains("Times are in Asia/Kolkata"));
        made(&browser.post("/customers", &[csrf, ("name", "Lakeside")]).await);

        // Up again: the way leads through the list at the top.
        let home = root.id.to_string();
        assert!(page.contains(&format!(r#"value="{home}""#)), "{page}");
        browser.post("/organisation", &[csrf, ("organisation", home.as_str())]).await;
        let page = browser.get("/customers").await.body;
        assert!(page.contains("Headquarters") && page.contains("Lakeside"), "{page}");
        let odd = OrganisationId::generate().to_string();
        let odd = browser.post("/organisation", &[csrf, ("organisation", odd.as_str())]).await;
        assert_eq!(odd.status, StatusCode::NOT_FOUND);
    }
}
