//! The console in a browser.
//!
//! Starting a browser and an installation costs seconds, so a test here goes a longer way than
//! elsewhere. Every test ends with a silent console: what a page may not load or run is told
//! there, and dropping the browser checks it.

use std::time::{SystemTime, UNIX_EPOCH};

use lab::browser::{DESK, ENTER, ESCAPE, PHONE, Screen, TAB};
use lab::wire::WireNas;
use lab::{Browser, Console, Lab, PATIENCE, SECOND, Scheme, accessible};
use ring::hmac;

both_ways!(staff_sign_in_and_out);

fn staff_sign_in_and_out(lab: &mut Lab) {
    let browser = Browser::start();
    let console = Console::new(&browser, lab);
    let (email, password) = lab.administrator();

    // Who is not signed in is led to the sign-in page, and from there to where they wanted.
    console.open("/plans?q=home");
    console.expect_page("Sign in");
    console.sign_in(email, "not-the-password");
    console.expect_said("The e-mail address or the password is wrong.");
    browser.expect_status(422);
    assert_eq!(console.field("E-mail").value(), email, "typed once");
    assert_eq!(console.field("Password").value(), "");
    assert_eq!(browser.focused().name(), "Password", "ready for the next try");

    console.fill("Password", password);
    console.press("Sign in");
    console.expect_page("Plans");
    assert_eq!(console.path(), "/plans?q=home");
    let cookies = browser.read("return document.cookie");
    assert_eq!(cookies, "", "no script can read the session");

    console.sign_out();
    console.open("/customers");
    console.expect_page("Sign in");
}

/// How many services of this login the API lists with this status.
fn services_with(lab: &Lab, status: &str) -> usize {
    let page = lab.api().get("/api/v1/services").expect(200);
    let services = page["data"].as_array().expect("a list");
    services.iter().filter(|service| service["status"] == status).count()
}

#[test]
fn a_first_day_at_the_office() {
    let mut lab = Lab::embedded();
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    browser.find("//h2[normalize-space()='First steps']");

    // A plan, after a price nobody can read.
    console.go("Plans");
    console.follow("New plan");
    console.fill("Name", "Home 50");
    console.fill("Price", "a lot");
    console.fill("Download", "50");
    console.press("Create plan");
    console.expect_said("One field needs another look");
    browser.expect_status(422);
    assert!(console.why("Price").contains("is not an amount"), "{}", console.why("Price"));
    assert_eq!(console.field("Name").value(), "Home 50", "what was typed stays");
    console.fill("Price", "29.99");
    console.fill("Upload", "20");
    console.press("Create plan");
    console.expect_said("Plan created.");
    assert_eq!(console.fact("Upload"), "20 Mbit/s");
    console.go("Plans");
    assert_eq!(console.table().row("Home 50")["Download"], "50 Mbit/s");
    console.create_plan("Home 100", "39.99", "100", "40");

    // Two customers, one with a name that would be markup.
    console.create_customer("<b>Binod</b> & \"sons\"", "binod@example.net");
    console.create_customer("Asha Rao", "asha@example.net");
    assert_eq!(console.fact("E-mail"), "asha@example.net");
    let asha = console.path().split('?').next().unwrap_or_default().to_owned();
    console.add_service("Home 50", "asha", "s3cret");
    console.expect_said("Service created.");
    assert!(console.service("asha").text().contains("Home 50"));
    console.open(&asha);
    console.add_service("Home 50", "asha", "another");
    console.expect_said("One field needs another look");
    browser.expect_status(409);
    assert!(console.why("Login").starts_with("Login: "), "{}", console.why("Login"));
    assert_eq!(console.field("Password").value(), "", "a secret is not sent back");

    // The list and its search.
    console.go("Customers");
    assert_eq!(console.table().row("Asha Rao")["E-mail"], "asha@example.net");
    assert_eq!(console.table().row("<b>Binod</b> & \"sons\"")["E-mail"], "binod@example.net");
    console.search("asha");
    let found = browser.wait("the list is narrowed", || {
        let table = console.table();
        (table.rows.len() == 1).then_some(table)
    });
    assert_eq!(found.row("Asha Rao")["E-mail"], "asha@example.net");
    console.search("nobody of this name");
    browser.find("//main//p[contains(., 'Nothing fits')]");
    console.follow("Clear search and filters");
    console.follow("Asha Rao");
    console.expect_page("Asha Rao");

    // Suspending asks first; "no" changes nothing.
    console.service("asha").press("Suspend");
    let question = browser.answer(false);
    assert!(question.starts_with("Suspend asha?"), "{question}");
    assert_eq!(services_with(&lab, "active"), 1);
    console.service("asha").press("Suspend");
    browser.answer(true);
    console.expect_said("The service is suspended.");
    assert!(console.service("asha").text().contains("Suspended by staff, login refused"));
    assert_eq!(services_with(&lab, "active"), 0);
    console.press("Activate");
    console.expect_said("The suspension by staff is lifted.");
    assert_eq!(services_with(&lab, "active"), 1);
    console.service("asha").change_plan("Home 100");
    console.expect_said("The plan is changed.");
    assert!(console.service("asha").text().contains("100 / 40 Mbit/s"));

    // A session appears on the page by itself.
    let nas = lab.add_nas("bng1");
    let console = Console::new(&browser, &lab);
    console.open("/sessions");
    console.expect_page("Sessions");
    assert!(console.tables().is_empty());
    let mut wire = WireNas::new(nas.source, nas.acct, &nas.secret);
    lab::eventually("the NAS is answered", PATIENCE, || {
        wire.start("asha", "first-session", SECOND / 5).then_some(())
    });
    let row = browser.wait("the session is shown without a reload", || {
        console.tables().first()?.find("asha").cloned()
    });
    assert_eq!(row["NAS"], "bng1");

    // A phone, in the dark.
    browser.look(PHONE, Scheme::Dark);
    console.open(&asha);
    console.service("asha").press("Suspend");
    browser.answer(true);
    console.expect_said("The service is suspended.");
    console.create_customer("Chitra", "chitra@example.net");
    console.go("Customers");
    assert_eq!(console.table().rows.len(), 3);
    browser.picture("customers-on-a-phone");

    // What is not there says so.
    console.open("/customers/cus_nobody");
    console.expect_page("Not found");
    browser.expect_status(404);
}

/// The code that an authenticator app shows for a key (RFC 6238), some steps from now.
fn code(key: &str, steps: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let step = (now / 30).checked_add_signed(steps).expect("a step");
    let mut bits = key.bytes().filter(u8::is_ascii_alphanumeric).flat_map(|letter| {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        (0..5).rev().map(move |n| value >> n & 1)
    });
    let mut octets = Vec::new();
    while let Some(first) = bits.next() {
        let rest: Vec<u8> = bits.by_ref().take(7).collect();
        if rest.len() == 7 {
            octets.push(rest.iter().fold(first, |octet, bit| octet << 1 | bit));
        }
    }
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &octets);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = tag.as_ref()[at..at + 4].iter().fold(0_u32, |n, octet| n << 8 | u32::from(*octet));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

#[test]
fn a_second_factor_is_set_up_and_asked_for() {
    let lab = Lab::embedded();
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    let (email, password) = lab.administrator();
    console.enter(&lab);
    console.unfold("Account of");
    browser.find("//header//a[normalize-space()='My account']").click();
    console.expect_page("My account");
    browser
        .find("//form[@action='/account/second-factor']//input[@name='password']")
        .type_text(password);
    console.press("Set up");
    console.expect_page("Set up a second factor");
    let key = browser.find("//main//p/code").text();

    // A code from long ago turns nothing on, and the key stays the same.
    console.fill("Code", &code(&key, -20));
    console.press("Turn on");
    console.expect_said("Code: is not right");
    browser.expect_status(422);
    assert_eq!(browser.find("//main//p/code").text(), key);
    console.fill("Code", &code(&key, 0));
    console.press("Turn on");
    console.expect_page("Your recovery codes");
    let recovery = browser.find("//main//ul//code").text();
    console.follow("I have kept them");
    console.expect_page("My account");
    browser.find("//main//p[contains(., 'is asked for at each sign-in')]");

    // The password alone is not enough any more.
    console.sign_out();
    console.sign_in(email, password);
    console.expect_page("Second factor");
    console.open("/customers");
    console.expect_page("Sign in");
    console.sign_in(email, password);
    console.expect_page("Second factor");
    console.fill("Code", &code(&key, -20));
    console.press("Sign in");
    console.expect_said("Code: is not right, or was used before");
    browser.expect_status(422);
    // That of the next step, since this one was used.
    console.fill("Code", &code(&key, 1));
    console.press("Sign in");
    console.expect_page("Customers");

    // A recovery code does once what the app does.
    console.sign_out();
    console.sign_in(email, password);
    console.expect_page("Second factor");
    console.fill("Code", &recovery);
    console.press("Sign in");
    console.expect_page("Overview");
    console.sign_out();
    console.sign_in(email, password);
    console.expect_page("Second factor");
    console.fill("Code", &recovery);
    console.press("Sign in");
    console.expect_said("was used before");
    browser.expect_status(422);
}

#[test]
fn customers_are_found_sorted_filtered_edited_and_taken_out() {
    let lab = Lab::embedded();
    let asha = lab.api().create_customer("Asha Rao", "asha@example.net");
    lab.api().create_customer("Binod Thapa", "binod@example.net");
    lab.api().create_customer("Chitra Devi", "chitra@example.net");
    lab.api().create_plan("Ashoka", 50_000_000, 20_000_000);
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);

    // Everything, and one kind of record alone.
    browser.press(['/']);
    browser.type_text("@customers ash");
    browser.find("//header//a[contains(., 'Asha Rao')]");
    browser.press([ENTER]);
    console.expect_page("Results for “@customers ash”");
    let found = browser.find("//main").text();
    assert!(found.contains("Asha Rao") && !found.contains("Ashoka"), "{found}");
    browser.find("//main//a[contains(., 'Asha Rao')]").click();
    console.expect_page("Asha Rao");

    // Up, down, and as before.
    console.go("Customers");
    let names = || {
        let rows = console.table().rows;
        rows.iter().map(|row| row["Name"].clone()).collect::<Vec<_>>()
    };
    let is_sorted = |names_wanted: [&str; 3]| {
        browser.wait("the list is sorted", || (names() == names_wanted).then_some(()));
    };
    console.follow("Name");
    is_sorted(["Asha Rao", "Binod Thapa", "Chitra Devi"]);
    console.follow("Name");
    is_sorted(["Chitra Devi", "Binod Thapa", "Asha Rao"]);
    let header = browser.find("//main//th[normalize-space()='Name']");
    assert_eq!(header.attribute("aria-sort").as_deref(), Some("descending"));

    // A filter, told above the list and taken away there.
    console.press("Filters");
    console.fill("Name contains", "bin");
    console.press("Apply");
    browser.wait("the list is narrowed", || (names() == ["Binod Thapa"]).then_some(()));
    assert!(browser.find("//main//*[@class='applied']").text().contains("Name contains: bin"));
    browser.find("//main//a[starts-with(@aria-label, 'Remove the filter')]").click();
    is_sorted(["Chitra Devi", "Binod Thapa", "Asha Rao"]);

    // The file has what the list has, in its order.
    console.press("Filters");
    console.fill("Name contains", "a");
    console.press("Apply");
    browser.wait("the filter is told", || console.path().contains("contains").then_some(()));
    console.unfold("Export");
    let file = console.fetch(&console.link("CSV, commas"));
    assert_eq!(file["status"], 200, "{file}");
    assert!(file["type"].as_str().is_some_and(|kind| kind.starts_with("text/csv")), "{file}");
    let called = file["disposition"].as_str().unwrap_or_default();
    assert!(called.starts_with("attachment; filename=\"customers"), "{file}");
    let text = file["text"].as_str().unwrap_or_default();
    let at = |name: &str| text.find(name).unwrap_or_else(|| panic!("no {name} in {text}"));
    assert!(at("Chitra Devi") < at("Binod Thapa") && at("Binod Thapa") < at("Asha Rao"), "{text}");
    console.go("Exports");
    assert_eq!(console.tables()[0].rows.len(), 1, "what left is written down");

    // An edit, and one that changes nothing.
    console.open(&format!("/customers/{asha}"));
    console.follow("Edit");
    console.expect_page("Edit Asha Rao");
    console.fill("Phone", "+91 98100 00001");
    console.press("Save");
    console.expect_said("Customer saved.");
    assert_eq!(console.fact("Phone"), "+91 98100 00001");
    console.follow("Edit");
    console.press("Save");
    console.expect_said("Nothing was changed.");
}

/// Customers of another system, one of them without a name.
const CUSTOMERS: &str = "ref;full name;email address;state\n\
    1;Asha Rao;asha@example.net;active\n\
    2;;binod@example.net;active\n\
    3;Chitra Devi;chitra@example.net;inactive\n\
    4;Devika Menon;asha@example.net;active\n";

#[test]
fn a_file_with_a_bad_row_is_imported_and_undone() {
    let lab = Lab::embedded();
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    console.go("Customers");
    console.unfold("More");
    console.follow("Import");
    console.expect_page("Import customers");
    let template = console.fetch("/customers/import-template");
    assert!(
        template["text"].as_str().is_some_and(|text| text.contains("name,email")),
        "{template}"
    );
    let mut faults = Vec::new();
    judge(&browser, "import-file", &mut faults);

    // What holds nothing to import says why, where it was chosen.
    console.upload("File", "broken.json", b"[{\"name\": Asha}]");
    console.press("Upload");
    console.expect_said("no row can be read; row 1: is not a JSON object");
    browser.expect_status(422);
    judge(&browser, "import-refused", &mut faults);

    // The columns that could be guessed are chosen; one is not.
    console.upload("File", "customers.csv", CUSTOMERS.as_bytes());
    console.press("Upload");
    browser.find("//h2[normalize-space()='Columns of the file']");
    assert_eq!(console.field("What full name means").value(), "name");
    assert_eq!(console.field("What email address means").value(), "email");
    assert_eq!(console.field("What ref means").value(), "");
    let columns = console.table_called("Columns of the file");
    assert!(columns.row("full name")["First rows"].starts_with("Asha Rao · Chitra Devi"));

    // Without the column that every new record needs nothing is tried.
    console.choose("What full name means", "Leave out");
    console.press("Go on to the dry run");
    console.expect_said("No column means Name");
    browser.expect_status(422);
    judge(&browser, "import-columns-refused", &mut faults);
    console.choose("What full name means", "Name");
    console.choose("What ref means", "External id");
    console.choose("A record is there already if it has the same", "External id");
    console.fill("External system of every row", "splynx");
    console.press("Update the preview");
    browser.find("//td[normalize-space()='splynx']");
    judge(&browser, "import-columns", &mut faults);

    // The dry run shows the bad row and why, and what is worth a look; nothing is done.
    console.press("Go on to the dry run");
    let failing = browser.wait("the dry run ends", || console.find_table("Rows that fail"));
    assert_eq!(failing.row("3")["What is wrong"], "Name: is required");
    let worth = console.table_called("Rows worth a look");
    assert_eq!(worth.row("5")["What is wrong"], "E-mail: row 2 of the file has this address");
    assert_eq!(console.tile("Would be created"), "3");
    assert_eq!(console.tile("Would fail"), "1");
    judge(&browser, "import-tried", &mut faults);
    let customers = || lab.api().get("/api/v1/customers?total=true").expect(200)["total"].clone();
    assert_eq!(customers(), 0);

    // Run, and the failed row as a file that can be corrected.
    console.press("Import 3 rows");
    browser.wait("the import ends", || console.offers("Open customers").then_some(()));
    assert_eq!(console.tile("Created"), "3");
    assert_eq!(customers(), 3);
    judge(&browser, "import-finished", &mut faults);
    let file = console.fetch(&console.link("Failed rows as CSV"));
    let text = file["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("ref;full name;email address;state;import_error\r\n"), "{text}");
    assert!(text.contains("2;;binod@example.net;active;row 3: name: is required"), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
    let file = console.fetch(&console.link("Failed rows as JSON"));
    assert!(file["type"].as_str().is_some_and(|kind| kind == "application/json"), "{file}");

    // Undone, after a question; "no" changes nothing.
    console.press("Undo the import");
    let question = browser.answer(false);
    assert!(question.contains("3 records"), "{question}");
    assert_eq!(customers(), 3);
    console.press("Undo the import");
    browser.answer(true);
    browser.find("//p[contains(., 'did to 3 records was taken back')]");
    assert_eq!(customers(), 0);
    judge(&browser, "import-undone", &mut faults);
    console.go("Imports");
    let history = console.table();
    assert_eq!(history.row("customers.csv")["State"], "Undone");
    judge(&browser, "imports-list", &mut faults);
    assert_none(&faults);
}

#[test]
fn many_customers_are_changed_by_a_job() {
    let lab = Lab::embedded();
    let plan = lab.api().create_plan("Home 50", 50_000_000, 20_000_000);
    let asha = lab.api().create_customer("Asha Rao", "asha@example.net");
    lab.api().create_service(&asha, &plan, "asha", "s3cret");
    for n in 0..30 {
        let email = format!("c{n}@example.net");
        lab.api().create_customer(&format!("Customer {n:02}"), &email);
    }
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    let mut faults = Vec::new();
    let active = || {
        let page = lab.api().get("/api/v1/customers?status=active&total=true").expect(200);
        page["total"].clone()
    };

    // All that fit, not only those of the page: tried first, which changes nothing.
    console.open("/customers?limit=25&name%5Bcontains%5D=customer");
    console.pick("Customer 29");
    console.check("All 30 that fit");
    console.choose("With these", "Set Status to Inactive");
    judge(&browser, "bulk-list", &mut faults);
    console.press("Go");
    console.expect_page("Set Status to Inactive: 30 records");
    judge(&browser, "bulk-asked", &mut faults);
    console.press("Try it first");
    console.expect_page("Set Status to Inactive: dry run");
    browser.wait("the dry run ends", || console.find_tile("Would be changed"));
    assert_eq!(console.tile("Would be changed"), "30");
    assert_eq!(active(), 31);
    judge(&browser, "bulk-tried", &mut faults);
    console.press("Yes, do it");
    console.expect_page("Set Status to Inactive");
    browser.wait("the job ends", || console.find_tile("Changed"));
    assert_eq!(console.tile("Changed"), "30");
    let results = console.table_called("Record by record");
    assert_eq!(results.row("Customer 07")["Outcome"], "Changed");
    assert_eq!(active(), 1);

    // One that cannot be deleted does not keep the others, and says why.
    console.open("/customers?limit=100");
    console.pick("Asha Rao");
    console.pick("Customer 00");
    console.choose("With these", "Delete");
    console.press("Go");
    console.expect_page("Delete: 2 records");
    console.press("Yes, do it");
    browser.wait("the job ends", || console.find_tile("Not changed"));
    assert_eq!(console.tile("Not changed"), "1");
    let results = console.table_called("Record by record");
    assert!(results.row("Asha Rao")["What is wrong"].contains("service"), "{results:#?}");
    assert_eq!(results.row("Customer 00")["Outcome"], "Changed");
    judge(&browser, "bulk-part", &mut faults);

    // A label, and a field, for some.
    console.open("/labels/new");
    console.fill("Name", "VIP");
    console.choose("Kind", "Customer");
    console.press("Create label");
    console.expect_said("Label created.");
    console.open("/customers");
    console.pick("Customer 29");
    console.choose("With these", "Put on a label");
    console.press("Go");
    console.choose("Label", "VIP");
    console.press("Yes, do it");
    console.expect_page("Put on the label VIP");
    browser.wait("the job ends", || console.find_tile("Changed"));
    let tied = lab.api().get("/api/v1/customer-labels").expect(200);
    assert_eq!(tied["data"].as_array().map(Vec::len), Some(1), "{tied}");
    console.open("/customers");
    console.pick("Customer 28");
    console.choose("With these", "Change fields");
    console.press("Go");
    console.press("Yes, do it");
    console.expect_said("Nothing to change was given");
    browser.expect_status(422);
    console.fill("Phone", "+91 98100 00001");
    judge(&browser, "bulk-fields", &mut faults);
    console.press("Yes, do it");
    console.expect_page("Change Phone");
    browser.wait("the job ends", || console.find_tile("Changed"));
    assert_none(&faults);
}

#[test]
fn two_who_edit_one_record_are_told_and_choose() {
    let lab = Lab::embedded();
    let id = lab.api().create_customer("Asha Rao", "asha@example.net");
    let path = format!("/api/v1/customers/{id}");
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    let conflict = |mine: &str, theirs: &str| {
        console.open(&format!("/customers/{id}/edit"));
        console.fill("Phone", mine);
        let other = serde_json::json!({"phone": theirs, "email": format!("{theirs}@example.net")});
        lab.api().patch(&path, &other).expect(200);
        console.press("Save");
        console.expect_page("Somebody else changed this meanwhile");
        browser.expect_status(412);
        let text = browser.find("//main").text();
        assert!(text.contains(mine) && text.contains(theirs), "{text}");
        assert!(text.contains("Changed by them, not by you"), "{text}");
    };

    conflict("111", "222");
    browser.picture("conflict");
    browser.find("//main//label[starts-with(normalize-space(), 'Take mine')]").click();
    console.press("Save what is chosen");
    console.expect_said("Customer saved.");
    let kept = lab.api().get(&path).expect(200);
    assert_eq!((&kept["phone"], &kept["email"]), (&"111".into(), &"222@example.net".into()));

    conflict("333", "444");
    browser.find("//main//label[starts-with(normalize-space(), 'Take theirs')]").click();
    console.press("Save what is chosen");
    console.expect_said("Nothing was changed.");
    assert_eq!(lab.api().get(&path).expect(200)["phone"], "444");
}

#[test]
fn who_may_only_look_is_not_offered_more_and_is_refused_it() {
    let lab = Lab::embedded();
    let customer = lab.api().create_customer("Asha Rao", "asha@example.net");
    let role = serde_json::json!({"name": "Looks on", "permissions": ["customers.view"]});
    let role = lab.api().post("/api/v1/roles", &role).created();
    let email = "reader@example.net";
    let staff = serde_json::json!({"name": "Reader", "email": email, "role_id": role});
    let staff = lab.api().post("/api/v1/staff", &staff).created();
    let reset = format!("/api/v1/staff/{staff}/reset-password");
    let link = lab.api().post(&reset, &serde_json::json!({})).expect(200);

    // The password by the link, as one who was invited.
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.open(link["link"].as_str().expect("a link"));
    console.expect_page("Set your password");
    console.fill("New password", "correct-horse-battery-staple");
    console.press("Set password");
    console.expect_said("is among the first that are guessed");
    browser.expect_status(422);
    let password = "lanterns over seven harbours";
    console.fill("New password", password);
    console.press("Set password");
    console.expect_page("Sign in");
    console.sign_in(email, password);
    console.expect_page("Overview");

    console.go("Customers");
    console.table().row("Asha Rao");
    assert!(!console.offers("New customer"), "what one may not do is not offered");
    assert!(!browser.all("//nav[@id='menu']//a").is_empty());
    assert!(browser.all("//nav[@id='menu']//a[@href='/plans']").is_empty());
    console.follow("Asha Rao");
    console.expect_page("Asha Rao");
    assert!(!console.offers("Edit") && !console.offers("Add a service"));
    for (path, permission) in [
        ("/customers/new".to_owned(), "customers.create"),
        (format!("/customers/{customer}/edit"), "customers.edit"),
        ("/customers/export?format=csv".to_owned(), "customers.export"),
        ("/plans".to_owned(), "plans.view"),
        ("/settings/business".to_owned(), "settings.view"),
    ] {
        console.open(&path);
        console.expect_page("You may not do this");
        browser.find(&format!("//main//p[contains(., 'the permission {permission}')]"));
        browser.expect_status(403);
    }
}

#[test]
fn the_keyboard_alone_is_enough() {
    let lab = Lab::embedded();
    lab.api().create_plan("Home 50", 50_000_000, 20_000_000);
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    let (email, password) = lab.administrator();
    let focus_is_on = |role: &str, name: &str| {
        browser.wait(&format!("the focus is on the {role} {name}"), || {
            let focused = browser.focused();
            (focused.role() == role && focused.name() == name).then_some(())
        });
    };

    // The first field has the focus; Enter sends the form.
    console.open("/");
    focus_is_on("textbox", "E-mail");
    browser.type_text(email);
    browser.press([TAB]);
    browser.type_text(password);
    browser.press([ENTER]);
    console.expect_page("Overview");

    // Past the navigation to the content.
    browser.press([TAB]);
    focus_is_on("link", "Skip to the content");
    browser.press([ENTER, TAB]);
    let inside =
        browser.read("return document.querySelector('main').contains(document.activeElement)");
    assert_eq!(inside, true, "the next stop is in the content");

    // To a place by Tab and Enter, as far as it takes.
    let tab_to = |role: &str, name: &str| {
        for _ in 0..60 {
            browser.press([TAB]);
            let focused = browser.focused();
            if focused.role() == role && focused.name() == name {
                return;
            }
        }
        panic!("Tab does not lead to the {role} {name}");
    };
    console.open("/");
    tab_to("link", "Customers");
    browser.press([ENTER]);
    console.expect_page("Customers");
    tab_to("link", "New customer");
    browser.press([ENTER]);
    console.expect_page("New customer");
    tab_to("textbox", "Name");
    browser.type_text("Asha Rao");
    browser.press([TAB]);
    browser.type_text("asha@example.net");
    browser.press([TAB]);
    focus_is_on("textbox", "Phone optional");
    browser.press([ENTER]);
    console.expect_page("Asha Rao");

    // A choice by its first letter, and the form by Enter.
    tab_to("link", "Add a service");
    browser.press([ENTER]);
    console.expect_page("New service");
    tab_to("textbox", "Login");
    browser.type_text("asha");
    browser.press([TAB]);
    browser.type_text("s3cret");
    tab_to("combobox", "Plan");
    browser.type_text("H");
    tab_to("button", "Create service");
    browser.press([ENTER]);
    console.expect_said("Service created.");

    // Harm asks first, on a page of its own, with room for a word why.
    tab_to("link", "Suspend");
    browser.press([ENTER]);
    console.expect_page("Suspend: asha");
    tab_to("link", "Cancel");
    browser.press([ENTER]);
    console.expect_page("asha");
    assert_eq!(services_with(&lab, "active"), 1);
    tab_to("link", "Suspend");
    browser.press([ENTER]);
    console.expect_page("Suspend: asha");
    tab_to("textbox", "Note optional");
    browser.type_text("moved away");
    tab_to("button", "Suspend");
    browser.press([ENTER]);
    console.expect_said("The service is suspended.");
    assert!(console.service("asha").text().contains("moved away"));

    // One key to the search, from anywhere, and not while typing.
    console.go("Customers");
    browser.press(['/']);
    focus_is_on("searchbox", "Search everything");
    browser.type_text("a/b");
    assert_eq!(browser.focused().value(), "a/b");
    browser.press([ESCAPE, ESCAPE]);
    browser.wait("the search is empty", || browser.focused().value().is_empty().then_some(()));
    browser.type_text("asha");
    browser.press([ENTER]);
    console.expect_page("Results for “asha”");

    // One key to a row and into it, to its form, and to a new one.
    console.go("Customers");
    browser.press(['j', ENTER]);
    console.expect_page("Asha Rao");
    browser.press(['e']);
    console.expect_page("Edit Asha Rao");
    console.go("Customers");
    browser.press(['n']);
    console.expect_page("New customer");
}

#[test]
fn every_page_works_without_a_script() {
    let mut lab = Lab::embedded();
    let plan = lab.api().create_plan("Home 50", 50_000_000, 20_000_000);
    let customer = lab.api().create_customer("Asha Rao", "asha@example.net");
    let service = lab.api().create_service(&customer, &plan, "asha", "s3cret");
    lab.add_nas("bng1");
    let browser = Browser::without_javascript();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    for (place, row) in
        [("Customers", "Asha Rao"), ("Services", "asha"), ("Plans", "Home 50"), ("NAS", "bng1")]
    {
        console.go(place);
        console.table().row(row);
    }
    console.create_plan("Home 100", "39.99", "100", "40");
    console.create_customer("Binod", "binod@example.net");
    console.add_service("Home 100", "binod", "pass-word");
    console.expect_said("Service created.");
    console.go("Customers");
    console.search("asha");
    console.follow("Asha Rao");
    console.expect_page("Asha Rao");
    // Without a script nothing asks: that it does not is also the proof that none runs.
    console.service("asha").press("Suspend");
    assert_eq!(browser.question(), None);
    console.expect_said("The service is suspended.");
    let service = lab.api().get(&format!("/api/v1/services/{service}")).expect(200);
    assert_ne!(service["status"], "active", "{service}");
    console.sign_out();
}

#[test]
fn a_schedule_is_chosen_and_told_in_words_without_a_script() {
    let lab = Lab::embedded();
    let browser = Browser::without_javascript();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    let jobs = lab.api().get("/api/v1/jobs?limit=200").expect(200);
    // A time of each day: two numbers, then nothing but stars.
    let daily = |job: &&serde_json::Value| {
        let line = job["schedule"].as_str().unwrap_or_default();
        let time = line.strip_suffix(" * * *").and_then(|time| time.split_once(' '));
        time.is_some_and(|(m, h)| m.parse::<u8>().is_ok() && h.parse::<u8>().is_ok())
    };
    let job =
        jobs["data"].as_array().and_then(|jobs| jobs.iter().find(daily)).expect("a daily job");
    let (id, name) = (job["id"].as_str().expect("an id"), job["name"].as_str().expect("a name"));
    let schedule = || lab.api().get(&format!("/api/v1/jobs/{id}")).expect(200)["schedule"].clone();
    let before = schedule();
    let edit = format!("/jobs/{id}/edit");
    let told = || browser.find("//div[contains(@class, 'meaning')]").text();
    // Only the parts of what is chosen are there.
    let offers = |field: &str| {
        let path = format!("//main//*[@name='schedule.{field}']");
        browser.all(&path).iter().any(|part| part.is_shown())
    };

    // It opens as what it is, and what is only looked at changes nothing.
    console.open(&edit);
    assert!(told().starts_with("Every day at"), "{}", told());
    assert!(offers("at") && !offers("line") && !offers("step") && !offers("weekday:1"));
    console.field("On days of the week").click();
    assert!(offers("at") && offers("weekday:1") && !offers("day"));
    console.press("Show next times");
    console.expect_said("needs at least one day of the week");
    browser.expect_status(422);
    console.check("Monday");
    console.check("Friday");
    console.press("Show next times");
    assert!(told().starts_with("Monday, Friday at"), "{}", told());
    assert_eq!(
        told().matches("Monday").count() + told().matches("Friday").count(),
        7,
        "{}",
        told()
    );
    for (screen, width) in [(DESK, "desk"), (PHONE, "phone")] {
        for scheme in [Scheme::Light, Scheme::Dark] {
            browser.look(screen, scheme);
            browser.picture(&format!("schedule-{width}-{}", scheme.name()));
        }
    }
    browser.look(DESK, Scheme::Light);
    assert_eq!(schedule(), before);
    console.press("Save");
    console.expect_page(name);
    assert!(schedule().as_str().is_some_and(|line| line.ends_with(" * * 1,5")), "{}", schedule());
    assert!(told().starts_with("Monday, Friday at"), "{}", told());

    // By hand: what no choice can say, and what is no schedule.
    console.open(&edit);
    console.field("A line of cron").click();
    console.fill("Line of cron", "0 9 * * 1#1");
    console.press("Save");
    console.expect_page(name);
    assert_eq!(schedule(), "0 9 * * 1#1");
    console.open(&edit);
    assert!(offers("line") && !offers("at"));
    console.fill("Line of cron", "0 9 * *");
    console.press("Show next times");
    console.expect_said("five fields");
    browser.expect_status(422);
    console.field("By hand only").click();
    console.press("Save");
    console.expect_page(name);
    assert!(schedule().is_null(), "{}", schedule());
}

/// The id of the first of a list.
fn first(lab: &Lab, list: &str) -> String {
    let page = lab.api().get(&format!("/api/v1/{list}")).expect(200);
    page["data"][0]["id"].as_str().unwrap_or_else(|| panic!("no {list}")).to_owned()
}

/// The pages that descriptions make, of an installation that has some life.
fn pages_of_records(lab: &Lab) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/customers?q=nobody+of+this+name",
        "/customers?status=active&sort=-name",
        "/customers?deleted=true",
        "/customers/columns",
        "/labels",
        "/custom-fields/new",
        "/maintenance-windows/new",
        "/webhooks",
        "/webhooks/new?template=n8n",
        "/webhook-deliveries",
        "/tokens/new",
        "/roles/new",
        "/jobs",
        "/job-runs",
        "/exports",
        "/imports",
        "/imports/new",
        "/services/import",
        "/services/export-options?status=active",
        "/tokens",
        "/mail",
        "/mail-servers",
        "/mail-servers/new",
        "/export-templates",
        "/scheduled-exports",
        "/scheduled-exports/new",
    ]
    .map(str::to_owned)
    .into();
    let payment = serde_json::json!({
        "customer_id": first(lab, "customers"),
        "amount": {"amount": 1_234_567, "currency": "USD"},
        "method": "mobile_money",
        "reference": "0123456789-of-a-rather-long-slip-that-somebody-typed-in-full-0123456789",
    });
    let payment = lab.api().post("/api/v1/payments", &payment).created();
    paths.push("/payments".to_owned());
    paths.push("/payments/new".to_owned());
    paths.push(format!("/payments/{payment}"));
    paths.push(format!("/payments/{payment}/refund"));
    for list in ["adjustments", "ledger-entries", "ledger-accounts"] {
        paths.push(format!("/{list}"));
    }
    let group = serde_json::json!({"name": "north", "description": "Behind the north ring"});
    let group = lab.api().post("/api/v1/nas-groups", &group).created();
    let pool = serde_json::json!({
        "name": "Home, of the north ring and what lies behind it",
        "nas_group_id": group,
        "ipv4": ["100.64.0.0/22", "100.65.9.10-100.65.9.99"],
        "ipv6_prefix": "2001:db8:1000::/40", "ipv6_length": 64,
        "delegated_prefix": "2001:db8:2000::/40", "delegated_length": 56,
    });
    let pool = lab.api().post("/api/v1/pools", &pool).created();
    lab::eventually("how full the pool is", PATIENCE, || {
        let shown = lab.api().get(&format!("/api/v1/pools/{pool}")).expect(200);
        shown["usage"].is_object().then_some(())
    });
    for list in ["nas-groups", "pools"] {
        paths.push(format!("/{list}/new"));
    }
    for list in ["customers", "services", "plans", "nas", "nas-groups", "pools", "staff", "roles"] {
        paths.push(format!("/{list}"));
        paths.push(format!("/{list}/{}", first(lab, list)));
    }
    for list in ["plans", "nas"] {
        paths.push(format!("/{list}/new"));
    }
    let customer = first(lab, "customers");
    paths.push(format!("/customers/{customer}/edit"));
    paths.push(format!("/customers/{customer}?tab=services.customer_id"));
    paths.push(format!("/customers/{customer}?tab=audit"));
    paths.push(format!("/customers/{customer}?done=updated"));
    let job = first(lab, "jobs");
    paths.push(format!("/jobs/{job}"));
    paths.push(format!("/jobs/{job}/edit"));
    paths.extend(pages_of_mail_and_exports(lab));
    let webhook = serde_json::json!({"name": "CRM", "url": "https://crm.invalid/hook",
        "events": ["label.*"]});
    let webhook = lab.api().post("/api/v1/webhooks", &webhook).created();
    lab.api().post("/api/v1/labels", &serde_json::json!({"name": "VIP", "kind": "customer"}));
    lab::eventually("the webhook is told of", PATIENCE, || {
        let log = lab.api().get("/api/v1/webhook-deliveries").expect(200);
        let id = log["data"][0]["id"].as_str()?.to_owned();
        paths.push(format!("/webhook-deliveries/{id}"));
        Some(())
    });
    paths.push(format!("/webhooks/{webhook}"));
    paths.push(format!("/webhooks/{webhook}/edit"));
    paths.push(format!("/services/{}/suspend", first(lab, "services")));
    paths.push(format!("/tokens/{}", first(lab, "tokens")));
    paths.push(format!("/roles/{}/edit", first(lab, "roles")));
    paths
}

/// Lists of letters, mail servers and exports by schedule with something in them, by long names.
fn pages_of_mail_and_exports(lab: &Lab) -> Vec<String> {
    let long = "Every customer of the northern branches, with plan and balance, for accounting";
    let make = |list: &str, body: serde_json::Value| {
        lab.api().post(&format!("/api/v1/{list}"), &body).created()
    };
    let server = make(
        "mail-servers",
        serde_json::json!({"host": "127.0.0.1", "port": 9, "tls": "none",
            "from_address": "no-reply@a-rather-long-domain-name.example.net"}),
    );
    // To whom and by whom: nobody answers on that port, so that it waits.
    lab.api().post(&format!("/api/v1/mail-servers/{server}/test"), &serde_json::json!({}));
    let template = make(
        "export-templates",
        serde_json::json!({"name": long, "entity": "customer", "query": "format=pdf&status=active"}),
    );
    let export = make(
        "scheduled-exports",
        serde_json::json!({"name": long, "template_id": template, "schedule": "0 6 * * 1-5",
            "delivery": "mail", "recipients": ["the.accountant@a-rather-long-domain-name.example.net"]}),
    );
    let list = |list: &str| format!("/{list}?sort=-created_at");
    vec![
        list("mail-servers"),
        list("export-templates"),
        list("scheduled-exports"),
        format!("/mail-servers/{server}"),
        format!("/mail-servers/{server}/edit"),
        format!("/scheduled-exports/{export}"),
        format!("/scheduled-exports/{export}/edit"),
    ]
}

/// The pages that are one of a kind.
fn pages_of_their_own(lab: &Lab) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/",
        "/sessions",
        "/sessions?state=all",
        "/auth-log",
        "/organisations",
        "/organisations/new",
        "/settings/business",
        "/settings/operation",
        "/settings/security",
        "/settings/branding",
        "/settings/modules",
        "/setup/business",
        "/setup/nas",
        "/audit",
        "/activity",
        "/account",
        "/search",
        "/search?q=a",
    ]
    .map(str::to_owned)
    .into();
    let organisation = first(lab, "organisations");
    paths.push(format!("/organisations/{organisation}"));
    paths.push(format!("/organisations/{organisation}/edit"));
    paths.push(format!("/audit/{}", first(lab, "audit")));
    paths.push("/audit?critical=true&from=2099-01-01".to_owned());
    paths
}

/// What the pictures of a page are called.
fn name_of(path: &str) -> String {
    let words = path.split(['/', '?', '=', '&']).filter(|part| !part.is_empty());
    // Ids differ from run to run.
    let words = words.map(|part| if part.contains('_') && part.len() > 20 { "one" } else { part });
    match words.collect::<Vec<_>>().join("-").as_str() {
        "" => "overview".to_owned(),
        name => name.to_owned(),
    }
}

/// Looks at the page on every screen and in both colours; adds what is wrong with it.
fn judge(browser: &Browser, name: &str, faults: &mut Vec<String>) {
    for (screen, width) in [(DESK, "1280"), (PHONE, "390")] {
        for scheme in [Scheme::Light, Scheme::Dark] {
            browser.look(screen, scheme);
            let shown = format!("{name}-{width}-{}", scheme.name());
            faults.extend(
                accessible::faults(browser).iter().map(|fault| format!("{shown}: {fault}")),
            );
            browser.picture(&shown);
        }
    }
    // A phone of the smallest kind, or a desk's screen at 400 % (WCAG 2.2, 1.4.10).
    browser.look(Screen { width: 320, ..PHONE }, Scheme::Light);
    let width = browser.read("return document.documentElement.scrollWidth");
    if width.as_u64() > Some(320) {
        faults.push(format!("{name}: {width} wide on 320"));
    }
    browser.look(DESK, Scheme::Light);
}

/// What is of no use on paper.
const PRESSED: &str = "//nav[@id='menu'] | //button | //input | //select | //textarea | //summary";

/// A provider with some life, and somebody signed in to it.
fn lively_lab() -> Lab {
    let mut lab = Lab::embedded_with(&["--demo"]);
    lab.start_all();
    lab::eventually("somebody is online", PATIENCE, || {
        let page = lab.api().get("/api/v1/sessions").expect(200);
        page["data"].as_array().is_some_and(|data| data.len() > 3).then_some(())
    });
    lab
}

/// Looks at each page in every way.
fn look_through(console: &Console<'_>, paths: Vec<String>, faults: &mut Vec<String>) {
    let browser = console.browser;
    for path in paths {
        let name = name_of(&path);
        console.open(&path);
        let by_keyboard = accessible::faults_by_keyboard(browser);
        faults.extend(by_keyboard.iter().map(|fault| format!("{name}: {fault}")));
        judge(browser, &name, faults);
        browser.look_as_printed();
        let kept = browser.all(PRESSED).iter().filter(|part| part.is_shown()).count();
        if kept > 0 {
            faults.push(format!("{name}: {kept} things to press are printed"));
        }
        browser.look(DESK, Scheme::Light);
        // Chromium's advice for password managers; a NAS has two secrets and one form.
        let is_advice = |line: &String| line.contains("Multiple forms should be contained");
        let complaints = browser.complaints().into_iter().filter(|line| !is_advice(line));
        faults.extend(complaints.map(|line| format!("{name}: {line}")));
    }
}

/// One mistake may show on every page; its first lines tell it.
#[track_caller]
fn assert_none(faults: &[String]) {
    let shown = &faults[..faults.len().min(300)];
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), shown.join("\n"));
}

#[test]
fn every_record_can_be_read_and_used_by_everyone() {
    let lab = lively_lab();
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    console.enter(&lab);
    let mut faults = Vec::new();
    look_through(&console, pages_of_records(&lab), &mut faults);

    // A form that was refused.
    console.open("/plans/new");
    console.fill("Name", "Home 50");
    console.fill("Price", "a lot");
    console.press("Create plan");
    console.expect_said("needs another look");
    faults.extend(browser.complaints_besides(422));
    judge(&browser, "plan-refused", &mut faults);
    assert_none(&faults);
}

#[test]
fn every_other_page_can_be_read_and_used_by_everyone() {
    let lab = lively_lab();
    let browser = Browser::start();
    let console = Console::new(&browser, &lab);
    let mut faults = Vec::new();

    console.open("/");
    faults.extend(accessible::faults_by_keyboard(&browser).iter().map(|f| format!("login: {f}")));
    console.sign_in("admin@localhost", "wrong");
    console.expect_said("wrong");
    faults.extend(browser.complaints_besides(422));
    judge(&browser, "login-refused", &mut faults);
    console.enter(&lab);
    look_through(&console, pages_of_their_own(&lab), &mut faults);

    // A page that is not there.
    console.open("/nothing-here");
    faults.extend(browser.complaints_besides(404));
    judge(&browser, "not-found", &mut faults);
    assert_none(&faults);
}

/// A page with one of each fault.
const BAD: &str = r##"<!doctype html><title> </title>
<style>.pale { color: #999 } .over { background: #666 } .wide { width: 3000px }
  .pale::before { content: "before" } input { border: 1px solid #eee } a:focus { outline: 0 }
  .tiny { font-size: 6px; padding: 0; border: 0; width: 9px; height: 9px }
  .large { font-size: 24px; color: #949494 } .faint { opacity: .4 }</style>
<h1>One</h1><h1>Two</h1><h3>Deep</h3>
<p class=pale>pale</p><p class=over><span>on grey</span></p><p class=large>large</p>
<p class=faint>faint</p>
<p class=wide>wide</p><input><button class=tiny></button><img src="data:,">
<table><tr><td>x</table><b id=a></b><b id=a></b><i aria-describedby=gone>i</i>
<a href="#a">here</a>"##;

#[test]
fn what_stands_between_a_page_and_its_readers_is_found() {
    let browser = Browser::start();
    let hex: String = BAD.bytes().map(|octet| format!("%{octet:02x}")).collect();
    browser.open(&format!("data:text/html,{hex}"));
    let faults = accessible::faults(&browser);
    for wanted in [
        "text has a contrast of 2.85, not 4.5: <p> “pale”",
        "text ::before has a contrast of 2.85, not 4.5: <p> “pale”",
        "not 4.5: <p> “faint”",
        "not 4.5: <span> “on grey”",
        "the edge of a field has a contrast of",
        "a field has no label",
        "nothing says what this does: <button>",
        "a picture has no text beside it",
        "a table has no name",
        "a table has no headers",
        "the id a is given twice",
        "aria-describedby names gone, which is not there",
        "the page has no language",
        "the page has no title",
        "the page has 2 main heading, not one",
        "the page has 0 main part, not one",
        "a heading of level 3 follows one of level 1",
        "wide on 1",
        "too small for a finger: <button>",
    ] {
        assert!(faults.iter().any(|fault| fault.contains(wanted)), "{wanted} in {faults:#?}");
    }
    assert!(!faults.iter().any(|fault| fault.contains("“large”")), "{faults:#?}");
    let by_keyboard = accessible::faults_by_keyboard(&browser);
    let wanted = "one does not see that the focus is here: <a> “here”";
    assert!(by_keyboard.iter().any(|fault| fault == wanted), "{by_keyboard:#?}");

    // And the browser tells what a page may not load.
    let path = browser.picture("bad");
    assert!(std::fs::read(path).expect("a picture").starts_with(b"\x89PNG"));
    browser
        .open("data:text/html,<html lang=en><script src='http://elsewhere.example/x.js'></script>");
    let complaints = browser.complaints();
    assert!(complaints.iter().any(|line| line.contains("elsewhere.example")), "{complaints:?}");
}
