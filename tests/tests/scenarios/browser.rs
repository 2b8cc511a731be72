//! The console in a browser.
//!
//! Starting a browser and an installation costs seconds, so a test here goes a longer way than
//! elsewhere. Every test ends with a silent console: what a page may not load or run is told
//! there, and dropping the browser checks it.

use lab::browser::{DESK, ENTER, ESCAPE, PHONE, Screen, TAB};
use lab::wire::WireNas;
use lab::{Browser, Console, Lab, PATIENCE, SECOND, Scheme, accessible};

both_ways!(staff_sign_in_and_out);

fn staff_sign_in_and_out(lab: &mut Lab) {
    let browser = Browser::start();
    let console = Console::new(&browser, lab);
    let (email, password) = lab.administrator();

    // Who is not signed in is led to the sign-in page, and from there to where they wanted.
    console.open("/plans?cursor=");
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
    assert_eq!(console.path(), "/plans?cursor=");
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
    console.fill("Download, Mbit/s", "50");
    console.press("Create plan");
    console.expect_said("One field needs another look");
    browser.expect_status(422);
    assert!(console.why("Price").contains("is not an amount"), "{}", console.why("Price"));
    assert_eq!(console.field("Name").value(), "Home 50", "what was typed stays");
    console.fill("Price", "29.99");
    console.fill("Upload, Mbit/s", "20");
    console.press("Create plan");
    console.expect_said("The plan is created.");
    assert!(console.table().row("Home 50")["Download / upload"].starts_with("50 / 20"));
    console.create_plan("Home 100", "39.99", "100", "40");

    // Two customers, one with a name that would be markup.
    console.create_customer("<b>Binod</b> & \"sons\"", "binod@example.net");
    console.create_customer("Asha Rao", "asha@example.net");
    assert_eq!(console.fact("E-mail"), "asha@example.net");
    let asha = console.path();
    console.add_service("Home 50", "asha", "s3cret");
    console.expect_said("The service is created.");
    assert!(console.service("asha").text().contains("Home 50"));
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
    browser.find("//main//p[contains(., 'No customer has')]");
    console.follow("Show all customers");
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
    console.service("asha").press("Activate");
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
    console.open(asha.split('?').next().unwrap_or_default());
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
    browser.press([TAB, ENTER]);
    console.expect_page("Asha Rao");

    // A choice by its first letter, and the form by Enter.
    tab_to("combobox", "Plan");
    browser.type_text("H");
    browser.press([TAB]);
    browser.type_text("asha");
    browser.press([TAB]);
    browser.type_text("s3cret");
    browser.press([ENTER]);
    console.expect_said("The service is created.");

    // Harm asks first, and Escape is "no": the dialog is Chromium's, so the driver presses it.
    tab_to("button", "Suspend");
    browser.press([ENTER]);
    browser.answer(false);
    assert_eq!(services_with(&lab, "active"), 1);
    focus_is_on("button", "Suspend");
    browser.press([' ']);
    browser.answer(true);
    console.expect_said("The service is suspended.");

    // One key to the search, from anywhere, and not while typing.
    console.go("Customers");
    browser.press(['/']);
    focus_is_on("searchbox", "Search by name or e-mail");
    browser.type_text("a/b");
    assert_eq!(browser.focused().value(), "a/b");
    browser.press([ESCAPE]);
    browser.type_text("asha");
    browser.press([ENTER]);
    browser.wait("the list is narrowed", || console.path().contains("q=asha").then_some(()));
    console.table().row("Asha Rao");
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
    console.expect_said("The service is created.");
    console.go("Customers");
    console.search("asha");
    console.follow("Asha Rao");
    // Without a script nothing asks: that it does not is also the proof that none runs.
    console.service("asha").press("Suspend");
    assert_eq!(browser.question(), None);
    console.expect_said("The service is suspended.");
    let service = lab.api().get(&format!("/api/v1/services/{service}")).expect(200);
    assert_ne!(service["status"], "active", "{service}");
    console.sign_out();
}

/// The pages of an installation that has some life: a name for pictures, and the path.
fn pages(lab: &Lab) -> Vec<(&'static str, String)> {
    let first = |list: &str| {
        let page = lab.api().get(list).expect(200);
        page["data"][0].clone()
    };
    let customer = first("/api/v1/services")["customer_id"].as_str().unwrap_or_default().to_owned();
    let mut pages: Vec<(&str, String)> = [
        ("overview", "/"),
        ("customers", "/customers"),
        ("customers-none-found", "/customers?q=nobody+of+this+name"),
        ("customer-new", "/customers/new"),
        ("services", "/services"),
        ("plans", "/plans"),
        ("plan-new", "/plans/new"),
        ("nas", "/nas"),
        ("nas-new", "/nas/new"),
        ("sessions", "/sessions"),
        ("sessions-all", "/sessions?state=all"),
    ]
    .map(|(name, path)| (name, path.to_owned()))
    .into();
    pages.push(("customer", format!("/customers/{customer}?done=stale")));
    pages
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

#[test]
fn every_page_can_be_read_and_used_by_everyone() {
    let mut lab = Lab::embedded_with(&["--demo"]);
    lab.start_all();
    lab::eventually("somebody is online", PATIENCE, || {
        let page = lab.api().get("/api/v1/sessions").expect(200);
        page["data"].as_array().is_some_and(|data| data.len() > 3).then_some(())
    });
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

    for (name, path) in pages(&lab) {
        console.open(&path);
        let by_keyboard = accessible::faults_by_keyboard(&browser);
        faults.extend(by_keyboard.iter().map(|fault| format!("{name}: {fault}")));
        judge(&browser, name, &mut faults);
        browser.look_as_printed();
        browser.picture(&format!("{name}-printed"));
        let kept =
            browser.all("//nav | //form | //button").iter().filter(|part| part.is_shown()).count();
        if kept > 0 {
            faults.push(format!("{name}: {kept} things to press are printed"));
        }
        browser.look(DESK, Scheme::Light);
        faults.extend(browser.complaints());
    }

    // A form that was refused, and a page that is not there.
    console.open("/plans/new");
    console.fill("Name", "Home 50");
    console.fill("Price", "a lot");
    console.press("Create plan");
    console.expect_said("needs another look");
    faults.extend(browser.complaints_besides(422));
    judge(&browser, "plan-refused", &mut faults);
    console.open("/nothing-here");
    faults.extend(browser.complaints_besides(404));
    judge(&browser, "not-found", &mut faults);

    // One mistake may show on every page; its first lines tell it.
    let shown = &faults[..faults.len().min(100)];
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), shown.join("\n"));
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
