//! Who may do what, and who hears of it, from the console: tokens, roles, webhooks, staff.

use lab::{Browser, Console, Lab, PATIENCE, receiver::Receiver};
use serde_json::json;

/// A password that nobody has guessed yet.
const PASSWORD: &str = "lanterns over seven harbours";

/// Makes somebody with a role of these permissions who can sign in; their ids.
fn hire(lab: &Lab, browser: &Browser, email: &str, permissions: &[&str]) -> (String, String) {
    let role = json!({"name": format!("Role of {email}"), "permissions": permissions});
    let role = lab.api().post("/api/v1/roles", &role).created();
    let staff = json!({"name": "Reader", "email": email, "role_id": role});
    let staff = lab.api().post("/api/v1/staff", &staff).created();
    let reset = format!("/api/v1/staff/{staff}/reset-password");
    let link = lab.api().post(&reset, &json!({})).expect(200);
    let console = Console::new(browser, lab);
    console.open(link["link"].as_str().expect("a link"));
    console.fill("New password", PASSWORD);
    console.press("Set password");
    console.expect_page("Sign in");
    console.sign_in(email, PASSWORD);
    console.expect_page("Overview");
    (staff, role)
}

/// Ticks or clears the box of this name.
fn tick(browser: &Browser, name: &str) {
    browser.find(&format!("//main//input[@name={}]", lab::browser::quoted(name))).click();
}

#[test]
fn a_token_is_made_shown_once_used_rotated_and_revoked() {
    let lab = Lab::embedded();
    let customer = lab.api().create_customer("Asha Rao", "asha@example.net");
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    console.go("API tokens");
    console.follow("New API token");
    console.fill("Name", "CRM");
    console.press("Create API token");
    console.expect_said("needs another look");
    browser.expect_status(422);
    assert_eq!(console.field("Name").value(), "CRM", "what was typed stays");
    browser.find("//summary[normalize-space()='Only some permissions']").click();
    tick(&browser, "scopes:customers.view");
    console.fill("Requests a minute", "600");
    console.press("Create API token");
    console.expect_page("The API token is made");
    let token = browser.find("//code[@id='secret']").text();
    assert!(token.starts_with("lmt_"), "{token}");

    // It works, and no further than it was told.
    let with = lab.api().with_token(Some(&token));
    let path = format!("/api/v1/customers/{customer}");
    assert_eq!(with.get(&path).expect(200)["name"], "Asha Rao");
    let refused = with.patch(&path, &json!({"phone": "1"})).expect(403);
    assert!(refused["detail"].as_str().is_some_and(|d| d.contains("customers.edit")), "{refused}");

    // Once is once.
    console.follow("I have kept it");
    console.expect_page("CRM");
    let page = browser.find("//main").text();
    assert!(!page.contains("lmt_") && page.contains("customers.view"), "{page}");
    lab::eventually("its requests are drawn", PATIENCE, || {
        console.open(&console.path());
        (!browser.all("//main//*[local-name()='rect']").is_empty()).then_some(())
    });

    // Rotated, both work for a while; revoked, neither.
    console.press("Make a new secret");
    console.expect_page("The API token has a new secret");
    let second = browser.find("//code[@id='secret']").text();
    assert_ne!(token, second);
    let statuses =
        || [&token, &second].map(|t| lab.api().with_token(Some(t)).get("/api/v1/customers").status);
    assert_eq!(statuses(), [200, 200]);
    console.follow("I have kept it");
    console.expect_page("CRM");
    console.press("Revoke");
    browser.answer(true);
    console.expect_said("API token deleted.");
    assert_eq!(statuses(), [401, 401]);
}

#[test]
fn a_role_is_changed_in_its_grid_and_refuses_from_then_on() {
    let lab = Lab::embedded();
    lab.api().create_customer("Asha Rao", "asha@example.net");
    let reader = Browser::start();
    let (_, role) = hire(&lab, &reader, "reader@example.net", &["customers.*", "plans.view"]);
    let theirs = Console::new(&reader, &lab);
    theirs.go("Customers");
    assert!(theirs.offers("New customer"));

    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    console.open(&format!("/roles/{role}"));
    assert!(browser.find("//main").text().contains("See plans"));
    console.follow("Edit");
    let checked = |name: &str| {
        let script = format!("return document.querySelector('input[name=\"{name}\"]').checked");
        browser.read(&script) == true
    };
    // The row stands for all in it, until one is taken away.
    assert!(checked("permissions:customers.*") && checked("permissions:customers.create"));
    tick(&browser, "permissions:customers.create");
    assert!(!checked("permissions:customers.*") && checked("permissions:customers.edit"));
    // A column, and back.
    tick(&browser, "permissions:*.export");
    assert!(checked("permissions:audit.export"));
    tick(&browser, "permissions:*.export");
    assert!(!checked("permissions:audit.export") && !checked("permissions:customers.export"));
    // Found by what it allows.
    let search = browser.find("//input[@data-narrow]");
    search.type_text("tickets");
    browser.wait("one row is left", || {
        let rows = browser.all("//table[@data-rights]/tbody/tr");
        (rows.iter().filter(|row| row.is_shown()).count() == 1).then_some(())
    });
    search.clear();
    search.type_text(" ");
    browser.picture("grid");
    console.press("Save");
    console.expect_said("Role saved.");

    theirs.open("/customers");
    assert!(!theirs.offers("New customer"), "it holds from the next page on");
    theirs.open("/customers/new");
    theirs.expect_page("You may not do this");
    reader.find("//main//p[contains(., 'the permission customers.create')]");
    reader.expect_status(403);

    // A copy, to go on from.
    console.fill("Name of the copy", "Sales");
    console.press("Copy this role");
    console.expect_page("Edit Sales");
}

#[test]
fn a_webhook_is_made_tested_and_its_log_read() {
    let lab = Lab::separate();
    let receiver = Receiver::start("taken <b>well</b>");
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    console.go("Webhooks");
    console.follow("New webhook");
    console.follow("A program of our own");
    console.fill("Name", "CRM");
    console.fill("Address (URL)", &receiver.url());
    browser.find("//summary[starts-with(normalize-space(), 'Customer')]").click();
    tick(&browser, "events:customer.created");
    console.press("Create webhook");
    console.expect_page("The webhook CRM is made");
    let secret = browser.find("//code[@id='secret']").text();
    assert!(secret.starts_with("whsec_"), "{secret}");
    console.follow("To the webhook");

    // The answer comes without leaving the page.
    console.press("Send a test");
    console.expect_said("It was taken: status 200");
    console.expect_page("CRM");
    assert!(browser.find("//*[@id='tested']").text().contains("taken <b>well</b>"));
    browser.picture("tested");
    let first = receiver.received().remove(0);
    assert!(first.body.contains("\"test\":true"), "{first:?}");
    assert!(first.headers.iter().any(|(name, _)| name == "webhook-signature"), "{first:?}");

    // What happens is delivered, logged, and sent again.
    lab.api().create_customer("Asha Rao", "asha@example.net");
    lab::eventually("the customer is told of", PATIENCE, || {
        receiver.received().iter().any(|m| m.body.contains("Asha Rao")).then_some(())
    });
    console.go("Deliveries");
    browser.wait("it is in the log", || {
        console.open("/webhook-deliveries?state=delivered");
        console.tables().first()?.find("customer.created").cloned()
    });
    console.follow("customer.created");
    console.expect_page("customer.created");
    browser.picture("delivery");
    console.press("Send again");
    console.expect_said("It is on its way again.");
    lab::eventually("it came twice", PATIENCE, || {
        let told = receiver.received();
        (told.iter().filter(|m| m.body.contains("Asha Rao")).count() == 2).then_some(())
    });

    // Off, with a way to have it on again; and who looked at the secret is written down.
    console.go("Webhooks");
    console.follow("CRM");
    console.follow("Switch off");
    console.expect_page("Switch off: CRM");
    console.press("Switch off");
    console.expect_said("The webhook is switched off.");
    console.press("Switch on again");
    console.expect_said("The webhook is switched on.");
    console.press("Show the secret");
    console.expect_page("The secret of CRM");
    assert_eq!(browser.find("//code[@id='secret']").text(), secret);
    console.open("/audit?entity=webhook");
    let log = console.table();
    assert!(log.rows.iter().any(|row| row["What"].contains("secret revealed")), "{log:#?}");
}

#[test]
fn disabling_somebody_ends_their_session_at_once() {
    let lab = Lab::embedded();
    let theirs = Browser::start();
    let (staff, _) = hire(&lab, &theirs, "reader@example.net", &["customers.view"]);
    let reader = Console::new(&theirs, &lab);
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);

    // One session is ended by its row.
    console.open(&format!("/staff/{staff}"));
    console.expect_page("Reader");
    console.press("End");
    console.expect_said("those sessions have ended");
    reader.open("/customers");
    reader.expect_page("Sign in");
    reader.sign_in("reader@example.net", PASSWORD);
    reader.expect_page("Customers");

    console.open(&format!("/staff/{staff}"));
    console.unfold("Actions");
    console.follow("Disable");
    console.expect_page("Disable: Reader");
    browser.picture("disable");
    console.press("Disable");
    console.expect_said("The account is disabled");
    browser.picture("disabled");
    reader.open("/customers");
    reader.expect_page("Sign in");
    reader.sign_in("reader@example.net", PASSWORD);
    reader.expect_said("The e-mail address or the password is wrong.");
    theirs.expect_status(422);
    console.press("Enable");
    console.expect_said("The account is enabled.");
    reader.fill("Password", PASSWORD);
    reader.press("Sign in");
    reader.expect_page("Customers");
}
