//! A browser without a window: Chromium, driven over W3C WebDriver through `chromedriver`.
//!
//! A scenario sees and does what a person could: it finds things by what they are called, types,
//! clicks, presses keys and looks at pictures. Scripts run in a page only to read facts from it.
//!
//! WebDriver has no events: a condition is looked at again and again until a deadline. Every
//! call has a timeout of its own, and both processes end with the last browser of a test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::workspace;
use crate::waiting::eventually;
use crate::webdriver::{Driver, Refusal, base64};

/// How long a page may take to show what it must.
pub const ATTENTION: Duration = Duration::from_secs(10);
/// The longest a page may take to load.
const LOAD_MS: u64 = 20_000;
/// Under this name an element's reference travels (WebDriver, "web element identifier").
const REFERENCE: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The picture of a page whose test failed.
const FAILED: &str = "failed.png";

/// The Tab key; this and the next are WebDriver's names for keys without a character.
pub const TAB: char = '\u{E004}';
/// The Enter key.
pub const ENTER: char = '\u{E007}';
/// The Escape key.
pub const ESCAPE: char = '\u{E00C}';

/// What a page is shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// CSS pixels.
    pub width: u16,
    /// CSS pixels.
    pub height: u16,
    /// Whether it is held in a hand: scroll bars take no room, pages are laid out for fingers.
    pub hand_held: bool,
}

/// A desk's screen.
pub const DESK: Screen = Screen { width: 1280, height: 800, hand_held: false };
/// A phone's screen.
pub const PHONE: Screen = Screen { width: 390, height: 844, hand_held: true };

/// Which colours a reader prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Scheme {
    /// As CSS calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A browser with a profile of its own, and one page. Dropping it ends it, and checks that its
/// console had nothing to complain about; a test that fails leaves a picture of the page.
#[derive(Debug)]
pub struct Browser {
    session: String,
    process: Option<u64>,
    // In the order they are dropped: the profile before the directory it lies in.
    _profile: TempDir,
    driver: Arc<Driver>,
}

impl Browser {
    /// Starts one, with a desk's screen and light colours.
    pub fn start() -> Self {
        Self::with_preferences(&json!({}), "")
    }

    /// Starts one that finds a name at an address of this machine.
    pub fn knowing(name: &str, address: &str) -> Self {
        Self::with_preferences(&json!({}), &format!("MAP {name} {address}, "))
    }

    /// Starts one that runs no page's scripts.
    pub fn without_javascript() -> Self {
        let none = json!({"profile.managed_default_content_settings.javascript": 2});
        Self::with_preferences(&none, "")
    }

    fn with_preferences(preferences: &Value, names: &str) -> Self {
        let driver = Driver::shared();
        let profile = tempfile::Builder::new().prefix("profile-").tempdir_in(&driver.directory);
        let profile = profile.expect("make a directory");
        let arguments = [
            "--headless=new",
            // Chromium's sandbox needs what containers and root do not have.
            "--no-sandbox",
            "--disable-gpu",
            // A container's /dev/shm may hold less than a page.
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // Nothing but this machine: what a page fetches from elsewhere becomes a complaint.
            &format!(
                "--host-resolver-rules={names}MAP * ~NOTFOUND, EXCLUDE 127.*, EXCLUDE localhost"
            ),
            "--lang=en",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", profile.path().display()),
        ]
        .map(str::to_owned);
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments, "prefs": preferences},
            // A question stays until the scenario answers it.
            "unhandledPromptBehavior": "ignore",
            "timeouts": {"implicit": 0, "pageLoad": LOAD_MS, "script": 10_000},
        }}});
        let made = driver.call("POST", "/session", &capabilities);
        let made = made.unwrap_or_else(|refusal| panic!("start Chromium: {refusal}"));
        let session = made["sessionId"].as_str().expect("a session has an id").to_owned();
        let process = made["capabilities"]["goog:processID"].as_u64();
        let browser = Self { session, process, _profile: profile, driver };
        // The picture of a failure long past would mislead.
        let _ = std::fs::remove_file(artefacts().join(FAILED));
        browser.look(DESK, Scheme::Light);
        browser
    }

    fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.driver.call(method, &format!("/session/{}{path}", self.session), body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_call(method, path, body).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, body)
    }

    /// A command of Chromium's own protocol, for what WebDriver has no word for.
    #[track_caller]
    fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Shows pages on this screen, in these colours.
    #[track_caller]
    pub fn look(&self, screen: Screen, scheme: Scheme) {
        let Screen { width, height, hand_held } = screen;
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": hand_held,
        });
        self.chromium("Emulation.setDeviceMetricsOverride", &metrics);
        self.show_as("", scheme);
    }

    /// Shows pages as they are printed.
    #[track_caller]
    pub fn look_as_printed(&self) {
        self.show_as("print", Scheme::Light);
    }

    #[track_caller]
    fn show_as(&self, media: &str, scheme: Scheme) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme.name()}]);
        let wanted = json!({"media": media, "features": features});
        self.chromium("Emulation.setEmulatedMedia", &wanted);
    }

    /// Goes to an address, and returns once the page is loaded.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// The address of the page.
    #[track_caller]
    pub fn address(&self) -> String {
        text_of(&self.call("GET", "/url", &Value::Null))
    }

    /// What a script returns: facts about the page. It must not change it.
    #[track_caller]
    pub fn read(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// The elements an XPath 1.0 expression finds, shown or not.
    #[track_caller]
    pub fn all(&self, path: &str) -> Vec<Element<'_>> {
        self.elements("xpath", path)
    }

    /// The elements a CSS selector finds, shown or not.
    #[track_caller]
    pub fn all_css(&self, selector: &str) -> Vec<Element<'_>> {
        self.elements("css selector", selector)
    }

    #[track_caller]
    fn elements(&self, using: &str, value: &str) -> Vec<Element<'_>> {
        let found = self.post("/elements", &json!({"using": using, "value": value}));
        let found = found.as_array().expect("a list of elements");
        found.iter().map(|reference| Element::new(self, reference)).collect()
    }

    /// The first element an XPath expression finds that is shown, as soon as there is one.
    #[track_caller]
    pub fn find(&self, path: &str) -> Element<'_> {
        self.wait(path, || self.all(path).into_iter().find(Element::is_shown))
    }

    /// Looks until `probe` finds something.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        eventually(what, ATTENTION, probe)
    }

    /// Presses keys one after another, wherever the focus is.
    #[track_caller]
    pub fn press(&self, keys: impl IntoIterator<Item = char>) {
        let strokes = keys.into_iter().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        });
        let strokes: Vec<Value> = strokes.collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.post("/actions", &json!({"actions": [keyboard]}));
    }

    /// Types a text, wherever the focus is.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        self.press(text.chars());
    }

    /// The element that has the focus; the body where none has.
    #[track_caller]
    pub fn focused(&self) -> Element<'_> {
        Element::new(self, &self.call("GET", "/element/active", &Value::Null))
    }

    /// The question a page asks in a dialog, if it asks one.
    pub fn question(&self) -> Option<String> {
        Some(text_of(&self.try_call("GET", "/alert/text", &Value::Null).ok()?))
    }

    /// Says yes or no to the question, once it is asked; returns it.
    #[track_caller]
    pub fn answer(&self, yes: bool) -> String {
        let question = self.wait("a question", || self.question());
        self.post(if yes { "/alert/accept" } else { "/alert/dismiss" }, &json!({}));
        question
    }

    /// What the browser's console said since it was last asked: refused resources, violations of
    /// the page's policy, faults of scripts.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        self.try_complaints().unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    fn try_complaints(&self) -> Result<Vec<String>, Refusal> {
        let entries = self.try_call("POST", "/se/log", &json!({"type": "browser"}))?;
        let line =
            |entry: &Value| format!("{}: {}", text_of(&entry["level"]), text_of(&entry["message"]));
        // Pages that came over plain HTTP under a name are not kept apart from others', and the
        // browser says so; those at a loopback address are, and it says nothing.
        let plain = |line: &String| line.contains("the URL's origin was untrustworthy");
        let lines = entries.as_array().into_iter().flatten().map(line);
        Ok(lines.filter(|line| !plain(line)).collect())
    }

    /// Checks that the console's only complaint since it was last asked is about this HTTP
    /// status, which Chromium reports of pages too.
    #[track_caller]
    pub fn expect_status(&self, status: u16) {
        let others = self.complaints_besides(status);
        assert!(others.is_empty(), "{others:#?}");
    }

    /// The console's complaints besides the one about this HTTP status, which must be there.
    #[track_caller]
    pub fn complaints_besides(&self, status: u16) -> Vec<String> {
        let mut complaints = self.complaints();
        let about = format!("responded with a status of {status} ");
        let found = complaints.iter().position(|line| line.contains(&about));
        let found = found.unwrap_or_else(|| panic!("no status {status} in {complaints:#?}"));
        complaints.remove(found);
        complaints
    }

    /// Takes a picture of the whole page: `tests/artefacts/TEST/NAME.png`.
    #[track_caller]
    pub fn picture(&self, name: &str) -> PathBuf {
        // The size is read from the page: what Chromium holds for it may be that of before the
        // last change of looks.
        // A bar that stays at the top would stand in the middle of a page that was scrolled.
        let size = self.read(
            "scrollTo(0, 0); const page = document.documentElement; \
             return [page.scrollWidth, Math.max(page.scrollHeight, innerHeight)];",
        );
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let wanted = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let taken = self.chromium("Page.captureScreenshot", &wanted);
        let path = artefacts().join(format!("{name}.png"));
        std::fs::create_dir_all(artefacts()).expect("make a directory");
        std::fs::write(&path, base64(&text_of(&taken["data"]))).expect("write a picture");
        path
    }

    /// What is left of a failing test for its reader.
    fn last_look(&self) -> Result<String, Refusal> {
        let address = self.try_call("GET", "/url", &Value::Null)?;
        let taken = self.try_call("GET", "/screenshot", &Value::Null)?;
        let path = artefacts().join(FAILED);
        // A picture that cannot be kept must not hide why the test fails.
        let _ = std::fs::create_dir_all(artefacts());
        let _ = std::fs::write(&path, base64(&text_of(&taken)));
        Ok(format!("at {}, picture in {}", text_of(&address), path.display()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let complaints = if std::thread::panicking() {
            match self.last_look() {
                Ok(place) => eprintln!("--- the browser is {place}"),
                Err(refusal) => eprintln!("--- the browser cannot be asked: {refusal}"),
            }
            Vec::new()
        } else {
            self.try_complaints().unwrap_or_else(|refusal| vec![refusal.to_string()])
        };
        if self.try_call("DELETE", "", &Value::Null).is_err()
            && let Some(process) = self.process
        {
            // The driver lost it. Its helpers end when they find it gone.
            let _ = Command::new("sh").args(["-c", &format!("kill -9 {process}")]).status();
        }
        assert!(complaints.is_empty(), "the browser's console: {complaints:#?}");
    }
}

/// An element of a page, as long as the page has it.
#[derive(Debug)]
pub struct Element<'b> {
    browser: &'b Browser,
    path: String,
}

impl<'b> Element<'b> {
    fn new(browser: &'b Browser, reference: &Value) -> Self {
        let id = reference[REFERENCE].as_str().expect("a reference of an element");
        Self { browser, path: format!("/element/{id}") }
    }

    #[track_caller]
    fn get(&self, what: &str) -> Value {
        self.browser.call("GET", &format!("{}{what}", self.path), &Value::Null)
    }

    /// Clicks in its middle; fails where something else lies there.
    #[track_caller]
    pub fn click(&self) {
        self.browser.post(&format!("{}/click", self.path), &json!({}));
    }

    /// Empties a field.
    #[track_caller]
    pub fn clear(&self) {
        self.browser.post(&format!("{}/clear", self.path), &json!({}));
    }

    /// Gives it the focus and types.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        self.browser.post(&format!("{}/value", self.path), &json!({"text": text}));
    }

    /// Its text, as it is shown.
    #[track_caller]
    pub fn text(&self) -> String {
        text_of(&self.get("/text"))
    }

    /// An attribute, as written in the page.
    #[track_caller]
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.get(&format!("/attribute/{name}")).as_str().map(str::to_owned)
    }

    /// What a field holds now.
    #[track_caller]
    pub fn value(&self) -> String {
        text_of(&self.get("/property/value"))
    }

    /// What a screen reader calls it; nothing, once it has left the page.
    pub fn name(&self) -> String {
        self.while_there("/computedlabel").as_str().unwrap_or_default().to_owned()
    }

    /// What a screen reader says it is: `button`, `link`, `textbox` …; nothing, once it has left
    /// the page.
    pub fn role(&self) -> String {
        self.while_there("/computedrole").as_str().unwrap_or_default().to_owned()
    }

    /// Whether it is shown. An element that has left the page is not.
    pub fn is_shown(&self) -> bool {
        self.while_there("/displayed") == true
    }

    /// As [`Element::get`], for what is asked while a page may be replaced by the next.
    fn while_there(&self, what: &str) -> Value {
        let path = format!("{}{what}", self.path);
        self.browser.try_call("GET", &path, &Value::Null).unwrap_or_default()
    }

    /// The elements below it that an XPath expression finds.
    #[track_caller]
    pub fn all(&self, path: &str) -> Vec<Element<'b>> {
        let wanted = json!({"using": "xpath", "value": path});
        let found = self.browser.post(&format!("{}/elements", self.path), &wanted);
        let found = found.as_array().expect("a list of elements");
        found.iter().map(|reference| Element::new(self.browser, reference)).collect()
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Where the pictures of this test are kept.
fn artefacts() -> PathBuf {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("unnamed").replace("::", "-");
    workspace().join("tests/artefacts").join(test)
}

/// A text in quotes, for XPath 1.0, which has no way to escape one.
pub fn quoted(text: &str) -> String {
    if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_with_the_mark_it_does_not_have() {
        assert_eq!(quoted("Asha's"), "\"Asha's\"");
        assert_eq!(quoted("the \"big\" one"), "'the \"big\" one'");
    }
}
