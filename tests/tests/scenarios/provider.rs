//! Signing in through another's directory, with a browser that follows every step: a provider from
//! PyPI that shares no code with us, on another site than the console.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use lab::browser::{DESK, PHONE, Scheme};
use lab::{Browser, Console, Lab, PATIENCE, eventually};
use serde_json::{Value, json};

use crate::schema::python;

/// `oidc-provider-mock`, with some people. It ends with the test.
struct Provider {
    process: Child,
    issuer: String,
}

impl Provider {
    fn start(people: &[Value]) -> Self {
        // Free a moment ago; another takes it hardly ever, and then the test fails by name.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a port");
        let port = free.local_addr().expect("a port").port();
        drop(free);
        let mut command = Command::new(python("oidc-provider-mock"));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--require-nonce"]);
        for person in people {
            command.args(["--user-claims", &person.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("start the provider");
        // Another site than 127.0.0.1: what is only sent to the same site is not sent from there.
        let issuer = format!("http://localhost:{port}");
        let document = format!("{issuer}/.well-known/openid-configuration");
        eventually("the provider answers", PATIENCE, || {
            lab::api::agent().get(&document).call().ok().map(drop)
        });
        Self { process, issuer }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // One that has ended by itself is none to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Somebody who may look at customers.
fn hire(lab: &Lab, email: &str) {
    let role = json!({"name": format!("Role of {email}"), "permissions": ["customers.view"]});
    let role = lab.api().post("/api/v1/roles", &role).created();
    let staff = json!({"name": "Asha Rao", "email": email, "role_id": role});
    lab.api().post("/api/v1/staff", &staff).created();
}

/// At the provider: its page fetches a style sheet from a place that is not there.
fn choose(browser: &Browser, name: &str) {
    browser.find("//h1[normalize-space()='Authorize Client']");
    browser.find(&format!("//button[normalize-space()='{name}']")).click();
    browser.find("//main[@id='content']");
    let foreign = |line: &String| !line.contains("jsdelivr");
    let others: Vec<String> = browser.complaints().into_iter().filter(foreign).collect();
    let ours = |line: &&String| !line.contains("status of 4");
    assert_eq!(others.iter().filter(ours).count(), 0, "{others:#?}");
}

fn people() -> Vec<Value> {
    vec![
        json!({"sub": "asha", "email": "Asha@isp.example", "email_verified": true}),
        json!({"sub": "mallory", "email": "admin@localhost", "email_verified": false}),
        json!({"sub": "nobody", "email": "nobody@isp.example", "email_verified": true}),
    ]
}

#[test]
fn staff_come_in_through_a_provider() {
    let provider = Provider::start(&people());
    let lab = Lab::separate();
    hire(&lab, "asha@isp.example");
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);

    // Set up and checked in the console.
    console.enter(&lab);
    console.go("Identity providers");
    browser.picture("identity-providers-empty");
    console.follow("New identity provider");
    console.fill("Name", "Campus");
    console.fill("Issuer", "http://id.example");
    console.fill("Client ID", "office");
    console.fill("Client secret", "s:e/c ret");
    console.press("Create identity provider");
    console.expect_said("One field needs another look");
    browser.expect_status(422);
    assert!(
        console.why("Issuer").contains("must begin with https://"),
        "{}",
        console.why("Issuer")
    );
    browser.picture("identity-provider-form");
    console.fill("Issuer", &provider.issuer);
    console.fill("Client secret", "s:e/c ret");
    console.press("Create identity provider");
    console.expect_page("Campus");
    assert!(browser.find("//main").text().contains("Nobody has asked the provider yet"));
    console.press("Check");
    console.expect_said("The provider answers, and offers what is needed.");
    let text = browser.find("//main").text();
    assert!(text.contains("/login/callback/idp_"), "{text}");
    assert!(!text.contains("c ret"), "{text}");
    browser.picture("identity-provider");
    browser.look(PHONE, Scheme::Dark);
    browser.picture("identity-provider-on-a-phone");
    browser.look(DESK, Scheme::Light);
    console.sign_out();

    // In, to where one wanted to go.
    console.open("/customers?q=a");
    console.expect_page("Sign in");
    browser.picture("sign-in-with-a-provider");
    browser.look(PHONE, Scheme::Dark);
    browser.picture("sign-in-with-a-provider-on-a-phone");
    browser.look(DESK, Scheme::Light);
    console.follow("Sign in with Campus");
    choose(&browser, "asha");
    console.expect_page("Customers");
    assert_eq!(console.path(), "/customers?q=a");
    assert_eq!(browser.read("return document.cookie"), "", "no script can read anything");
    console.sign_out();

    // Who is not let in is told what to do, and those who look after it find the reason.
    for (person, reason) in [("mallory", "email_unverified"), ("nobody", "no_account")] {
        console.follow("Sign in with Campus");
        choose(&browser, person);
        console.expect_said("You are not let in here with this account.");
        let said = lab.api().get("/api/v1/audit?action=refused").expect(200);
        assert!(said.to_string().contains(reason), "{said}");
    }
    browser.picture("sign-in-refused");
    console.follow("Sign in with Campus");
    choose(&browser, "Deny");
    // This provider leaves out the state of its answer, which RFC 6749 §4.1.2.1 requires: what
    // cannot be told from a forgery is taken for one.
    console.expect_said("This sign-in took too long, or was begun in another window.");
    // An answer that nobody asked for.
    let offered = browser.find("//a[normalize-space()='Sign in with Campus']");
    let at = offered.attribute("href").expect("a link").replace("/login/with/", "/login/callback/");
    let at = at.split('?').next().expect("a path").to_owned();
    console.open(&format!("{at}?code=stolen&state=forged"));
    console.expect_said("This sign-in took too long, or was begun in another window.");
    browser.expect_status(400);
}

#[test]
fn a_provider_needs_no_script_and_asks_for_the_own_second_factor() {
    let provider = Provider::start(&people());
    let lab = Lab::separate();
    hire(&lab, "asha@isp.example");
    let rule = json!({"security.two_factor_required": true});
    lab.api().patch("/api/v1/settings", &rule).expect(200);
    let campus = json!({"name": "Campus", "issuer": provider.issuer, "client_id": "office",
        "client_secret": "hush"});
    lab.api().post("/api/v1/identity-providers", &campus).created();
    let browser = Browser::without_javascript();
    let console = Console::new(&browser, &lab);
    console.open("/");
    console.follow("Sign in with Campus");
    choose(&browser, "asha");
    console.expect_page("Set up a second factor");
}

#[test]
fn under_its_own_name_a_partner_has_its_own_sign_in_page() {
    let provider = Provider::start(&people());
    let lab = Lab::separate();
    let api = lab.api();
    let north = json!({"name": "North Net", "kind": "partner", "host_name": "North.example."});
    let north = api.post("/api/v1/organisations", &north).created();
    let at = format!("/api/v1/organisations/{north}");
    assert_eq!(api.get(&at).expect(200)["host_name"], "north.example");
    let brand = json!({"branding.display_name": "North Net", "branding.accent_light": "#700000"});
    api.patch(&format!("/api/v1/settings?organisation_id={north}"), &brand).expect(200);
    let campus = json!({"name": "Campus", "issuer": provider.issuer, "client_id": "office",
        "client_secret": "hush",
        "organisation_id": north});
    api.post("/api/v1/identity-providers", &campus).created();
    let role = json!({"name": "Looks on", "permissions": ["customers.view"]});
    let role = api.post("/api/v1/roles", &role).created();
    let asha = json!({"name": "Asha Rao", "email": "asha@isp.example", "role_id": role,
        "organisation_id": north});
    api.post("/api/v1/staff", &asha).created();

    let home = lab.console_url();
    let address = home.trim_start_matches("http://").split(':').next().expect("an address");
    let browser = Browser::knowing("north.example", address);
    let console = Console::new(&browser, &lab);
    let page = || browser.find("//main").text();
    console.open("/login");
    console.expect_page("Sign in");
    assert!(!page().contains("North Net") && !page().contains("Campus"));
    let base = home.replace(address, "north.example");
    browser.open(&format!("{base}/login"));
    console.expect_page("Sign in");
    assert!(page().contains("North Net"), "{}", page());
    browser.picture("sign-in-of-a-partner");
    console.follow("Sign in with Campus");
    choose(&browser, "asha");
    console.expect_page("Overview");
    assert!(browser.address().starts_with(&base), "{}", browser.address());
    browser.open(&format!("{base}/organisations"));
    console.expect_page("You may not do this");
    browser.expect_status(403);
    // A name gives looks: the administrator is who they are, under any.
    let (email, password) = lab.administrator();
    let other = Browser::knowing("north.example", address);
    let console = Console::new(&other, &lab);
    other.open(&format!("{base}/login"));
    console.sign_in(email, password);
    console.expect_page("Overview");
    other.open(&format!("{base}/organisations"));
    console.expect_page("Organisations");
}
