//! The console as staff use it. What a page looks like is known here and nowhere else: scenarios
//! speak of fields, buttons, rows and services, by the words a reader sees.

use std::collections::BTreeMap;

use serde_json::Value;
use tempfile::TempDir;

use crate::browser::{Browser, Element, quoted};
use crate::lab::Lab;

/// The console of a lab, in a browser.
#[derive(Debug)]
pub struct Console<'b> {
    /// Where it is shown.
    pub browser: &'b Browser,
    base: String,
    /// What is uploaded.
    files: TempDir,
}

/// A table as it stands in a page.
#[derive(Debug, Clone)]
pub struct Table {
    /// What it is called.
    pub name: String,
    /// Its rows: a text under each column's header.
    pub rows: Vec<BTreeMap<String, String>>,
}

impl Table {
    /// The row that has this text in one of its cells.
    pub fn find(&self, cell: &str) -> Option<&BTreeMap<String, String>> {
        self.rows.iter().find(|row| row.values().any(|text| text == cell))
    }

    /// As [`Table::find`], for a row that must be there.
    #[track_caller]
    pub fn row(&self, cell: &str) -> &BTreeMap<String, String> {
        self.find(cell).unwrap_or_else(|| panic!("no row with {cell} in {self:#?}"))
    }
}

/// The tables that are shown: read in one go, since a live part may be replaced at any moment.
const TABLES: &str = r#"
const words = (text) => (text ?? "").replace(/\s+/g, " ").trim();
return [...document.querySelectorAll("table")].filter((t) => t.checkVisibility()).map((table) => {
  const headers = [...table.querySelectorAll("thead th")].map((th) => words(th.textContent));
  const rows = [...table.querySelectorAll("tbody tr")].map((row) =>
    Object.fromEntries([...row.cells].map((cell, n) => [headers[n] ?? `${n}`, words(cell.textContent)])));
  return { name: words(table.getAttribute("aria-label") ?? table.caption?.textContent), rows };
});"#;

/// What the page says about the request before it, in one go for the same reason.
const SAID: &str = r#"
return [...document.querySelectorAll("[role=alert], [role=status]")]
  .filter((said) => said.checkVisibility()).map((said) => said.innerText);"#;

impl<'b> Console<'b> {
    /// The console of this lab in this browser; no page is shown yet.
    pub fn new(browser: &'b Browser, lab: &Lab) -> Self {
        let files = tempfile::tempdir().expect("a directory for files");
        Self { browser, base: lab.console_url(), files }
    }

    /// Goes to a path as someone who types it.
    #[track_caller]
    pub fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.base));
    }

    /// The path of the page, with its query.
    #[track_caller]
    pub fn path(&self) -> String {
        let address = self.browser.address();
        let path = address.strip_prefix(&self.base);
        path.unwrap_or_else(|| panic!("{address} is not of the console")).to_owned()
    }

    /// Follows a link of the main navigation, which a phone shows when it is called.
    #[track_caller]
    pub fn go(&self, place: &str) {
        let link = format!("//nav[@id='menu']//a[normalize-space()={}]", quoted(place));
        if !self.browser.all(&link).iter().any(Element::is_shown) {
            self.press("Menu");
        }
        self.browser.find(&link).click();
        self.expect_page(place);
    }

    /// Opens a menu of the page by its name, or by how the name begins.
    #[track_caller]
    pub fn unfold(&self, name: &str) {
        let name = quoted(name);
        let path = format!(
            "//summary[starts-with(normalize-space(), {name}) or starts-with(@aria-label, {name})]"
        );
        self.browser.find(&path).click();
    }

    /// Waits until the page with this main heading is shown.
    #[track_caller]
    pub fn expect_page(&self, heading: &str) {
        let path = format!("//h1[normalize-space()={}]", quoted(heading));
        self.browser.find(&path);
    }

    /// Waits until the page says this, as news or as trouble.
    #[track_caller]
    pub fn expect_said(&self, text: &str) {
        self.browser.wait(&format!("the page says “{text}”"), || {
            self.said().iter().any(|said| said.contains(text)).then_some(())
        });
    }

    /// What the page says about the request before it.
    #[track_caller]
    pub fn said(&self) -> Vec<String> {
        let said = self.browser.read(SAID);
        let said = said.as_array().unwrap_or_else(|| panic!("not a list of texts: {said}"));
        said.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Signs in, and waits for nothing.
    #[track_caller]
    pub fn sign_in(&self, email: &str, password: &str) {
        self.fill("E-mail", email);
        self.fill("Password", password);
        self.press("Sign in");
    }

    /// Opens the console and signs in as the lab's administrator.
    #[track_caller]
    pub fn enter(&self, lab: &Lab) {
        let (email, password) = lab.administrator();
        self.open("/");
        self.sign_in(email, password);
        self.expect_page("Overview");
    }

    /// Signs out.
    #[track_caller]
    pub fn sign_out(&self) {
        self.unfold("Account of");
        self.press("Sign out");
        self.expect_page("Sign in");
    }

    /// The field a label names.
    #[track_caller]
    pub fn field(&self, label: &str) -> Element<'b> {
        self.browser.wait(&format!("a field {label}"), || {
            let fields =
                self.browser.all("//main//*[self::input or self::select or self::textarea]");
            fields.into_iter().filter(Element::is_shown).find(|field| {
                let name = field.name();
                name == label || name.strip_suffix(" optional") == Some(label)
            })
        })
    }

    /// Types into a field, in place of what it holds.
    #[track_caller]
    pub fn fill(&self, label: &str, text: &str) {
        let field = self.field(label);
        field.clear();
        field.type_text(text);
    }

    /// Chooses what begins with this text.
    #[track_caller]
    pub fn choose(&self, label: &str, option: &str) {
        let path = format!("./option[starts-with(normalize-space(), {})]", quoted(option));
        let options = self.field(label).all(&path);
        options.first().unwrap_or_else(|| panic!("no {option} in {label}")).click();
    }

    /// Chooses a file of this name and content; the browser reads it when the form is sent.
    #[track_caller]
    pub fn upload(&self, label: &str, name: &str, content: &[u8]) {
        let path = self.files.path().join(name);
        std::fs::write(&path, content).expect("a file to upload");
        self.field(label).type_text(path.to_str().expect("a path of text"));
    }

    /// The button of this name.
    #[track_caller]
    pub fn button(&self, name: &str) -> Element<'b> {
        let name = quoted(name);
        self.browser.find(&format!("//button[normalize-space()={name} or @aria-label={name}]"))
    }

    /// Presses a button.
    #[track_caller]
    pub fn press(&self, name: &str) {
        self.button(name).click();
    }

    /// Follows a link of the page.
    #[track_caller]
    pub fn follow(&self, name: &str) {
        self.browser.find(&format!("//main//a[normalize-space()={}]", quoted(name))).click();
    }

    /// What stands at a field that is wrong.
    #[track_caller]
    pub fn why(&self, label: &str) -> String {
        let field = self.field(label);
        assert_eq!(field.attribute("aria-invalid").as_deref(), Some("true"), "{label}");
        let ids = field.attribute("aria-describedby").unwrap_or_default();
        let text = |id: &str| {
            let found = self.browser.all(&format!("//*[@id={}]", quoted(id)));
            found.first().map(Element::text).unwrap_or_default()
        };
        ids.split(' ').map(text).collect::<Vec<_>>().join(" ")
    }

    /// The tables of the page.
    #[track_caller]
    pub fn tables(&self) -> Vec<Table> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = self.browser.read(TABLES);
        let tables = found.as_array().unwrap_or_else(|| panic!("not a list of tables: {found}"));
        let row = |row: &Value| {
            let cells = row.as_object().into_iter().flatten();
            cells.map(|(header, cell)| (header.clone(), text(cell))).collect()
        };
        let table = |table: &Value| Table {
            name: text(&table["name"]),
            rows: table["rows"].as_array().into_iter().flatten().map(row).collect(),
        };
        tables.iter().map(table).collect()
    }

    /// The table of this name, where it is shown.
    #[track_caller]
    pub fn find_table(&self, name: &str) -> Option<Table> {
        self.tables().into_iter().find(|table| table.name == name)
    }

    /// As [`Console::find_table`], for a table that must be there.
    #[track_caller]
    pub fn table_called(&self, name: &str) -> Table {
        self.find_table(name).unwrap_or_else(|| panic!("no table {name}"))
    }

    /// The figure of a tile, where it is shown.
    pub fn find_tile(&self, name: &str) -> Option<String> {
        let tile = format!("//main//li[.//*[@class='name'][normalize-space()={}]]", quoted(name));
        let found = self.browser.all(&format!("{tile}//*[@class='figure']"));
        found.first().map(Element::text)
    }

    /// As [`Console::find_tile`], for a tile that must be there.
    #[track_caller]
    pub fn tile(&self, name: &str) -> String {
        self.find_tile(name).unwrap_or_else(|| panic!("no tile {name}"))
    }

    /// Picks the row of a list with this title.
    #[track_caller]
    pub fn pick(&self, title: &str) {
        let label = quoted(&format!("Pick {title}"));
        self.browser.find(&format!("//main//input[@aria-label={label}]")).click();
    }

    /// Ticks the box whose label begins so.
    #[track_caller]
    pub fn check(&self, label: &str) {
        let label = quoted(label);
        let path = format!("//main//label[starts-with(normalize-space(), {label})]/input");
        self.browser.find(&path).click();
    }

    /// The only table of the page.
    #[track_caller]
    pub fn table(&self) -> Table {
        let mut tables = self.tables();
        assert_eq!(tables.len(), 1, "{tables:#?}");
        tables.remove(0)
    }

    /// A fact the page tells as a name and a value.
    #[track_caller]
    pub fn fact(&self, name: &str) -> String {
        let path =
            format!("//main//dt[normalize-space()={}]/following-sibling::dd[1]", quoted(name));
        self.browser.find(&path).text()
    }

    /// Looks for text in a list.
    #[track_caller]
    pub fn search(&self, text: &str) {
        let field = self.browser.find("//main//*[@role='search']//input[@type='search']");
        field.clear();
        field.type_text(text);
        self.press("Search");
    }

    /// Creates a plan charged each month; returns once its page says so.
    #[track_caller]
    pub fn create_plan(&self, name: &str, price: &str, download_mbps: &str, upload_mbps: &str) {
        self.go("Plans");
        self.follow("New plan");
        self.fill("Name", name);
        self.fill("Price", price);
        self.fill("Download", download_mbps);
        self.fill("Upload", upload_mbps);
        self.press("Create plan");
        self.expect_said("Plan created.");
    }

    /// Creates a customer; returns once its page is shown.
    #[track_caller]
    pub fn create_customer(&self, name: &str, email: &str) {
        self.go("Customers");
        self.follow("New customer");
        self.fill("Name", name);
        self.fill("E-mail", email);
        self.press("Create customer");
        self.expect_page(name);
    }

    /// Sends the form of a service for the customer whose page is shown.
    #[track_caller]
    pub fn add_service(&self, plan: &str, login: &str, password: &str) {
        self.follow("Add a service");
        self.expect_page("New service");
        self.choose("Plan", plan);
        self.fill("Login", login);
        self.fill("Password", password);
        self.press("Create service");
    }

    /// Where a link of the page leads, shown or folded away.
    #[track_caller]
    pub fn link(&self, name: &str) -> String {
        let path = format!("//main//a[normalize-space()={}]", quoted(name));
        let link = self.browser.wait(&path, || self.browser.all(&path).into_iter().next());
        link.attribute("href").unwrap_or_else(|| panic!("{name} leads nowhere"))
    }

    /// What this browser is answered at a path: the status, the media type, how the file is
    /// called, and its text.
    #[track_caller]
    pub fn fetch(&self, path: &str) -> Value {
        let script = format!(
            "return fetch({path:?}).then(async (answer) => ({{
                status: answer.status, type: answer.headers.get('content-type'),
                disposition: answer.headers.get('content-disposition'),
                text: await answer.text() }}))"
        );
        self.browser.read(&script)
    }

    /// Whether a link of this name is on the page.
    pub fn offers(&self, link: &str) -> bool {
        let path = format!("//main//a[normalize-space()={}]", quoted(link));
        self.browser.all(&path).iter().any(Element::is_shown)
    }

    /// A service on its own page or its customer's.
    #[track_caller]
    pub fn service(&self, login: &str) -> Service<'_, 'b> {
        let path = format!("//article[.//h3[normalize-space()={}]]", quoted(login));
        self.browser.find(&path);
        Service { console: self, path }
    }
}

/// A service as a card of a page.
#[derive(Debug)]
pub struct Service<'c, 'b> {
    console: &'c Console<'b>,
    path: String,
}

impl Service<'_, '_> {
    /// All it says.
    #[track_caller]
    pub fn text(&self) -> String {
        self.console.browser.find(&self.path).text()
    }

    /// One of its buttons.
    #[track_caller]
    pub fn button(&self, name: &str) -> Element<'_> {
        let button = format!("{}//button[normalize-space()={}]", self.path, quoted(name));
        self.console.browser.find(&button)
    }

    /// Presses one of its buttons.
    #[track_caller]
    pub fn press(&self, name: &str) {
        self.button(name).click();
    }

    /// Moves it to the plan whose name begins so.
    #[track_caller]
    pub fn change_plan(&self, plan: &str) {
        let path =
            format!("{}//option[starts-with(normalize-space(), {})]", self.path, quoted(plan));
        let options = self.console.browser.all(&path);
        options.first().unwrap_or_else(|| panic!("no plan {plan}")).click();
        self.press("Change plan");
    }
}
