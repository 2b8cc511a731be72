//! What every page has: head, navigation, notices, tables, and the headers it is sent with.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::brand::Brand;
use super::menu::Menu;
use super::words::{self, Key, Words};
use crate::domain::preference::Preferences;
use crate::domain::setting::Layers;

/// Organisations to choose from at the top of a page; the others have their list.
pub(super) const BRANCHES_MAX: usize = 100;

/// Nothing inline, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self' data:; form-action 'self'; connect-src 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

/// How the pages of a viewer look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Theme {
    /// As the device wishes.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    /// Every theme with its word and its name.
    pub(super) const ALL: [(Theme, &'static str, Key); 3] = [
        (Self::Auto, "auto", words::THEME_AUTO),
        (Self::Light, "light", words::THEME_LIGHT),
        (Self::Dark, "dark", words::THEME_DARK),
    ];

    /// The theme of a word.
    pub(super) fn from_word(word: &str) -> Self {
        Self::ALL.iter().find(|(_, own, _)| *own == word).map_or(Self::Auto, |(theme, ..)| *theme)
    }

    /// What stands on the page; nothing where the device decides.
    fn attribute(self) -> Option<&'static str> {
        Self::ALL
            .iter()
            .find(|(own, ..)| *own == self && self != Self::Auto)
            .map(|(_, word, _)| *word)
    }
}

/// An organisation the viewer can work in.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) id: String,
    pub(super) name: String,
    /// How far below the viewer's own.
    pub(super) depth: usize,
}

/// Who looks, as far as a page needs it.
#[derive(Debug, Clone, Default)]
pub(super) struct Viewer {
    pub(super) name: String,
    /// Goes into every form.
    pub(super) csrf: String,
    pub(super) words: Words,
    /// What applies to the viewer's organisation: its brand, and which modules it has.
    pub(super) settings: Arc<Layers>,
    /// The name of whoever really looks, where somebody acts as another.
    pub(super) impersonator: Option<String>,
    pub(super) menu: Menu,
    /// The organisations to choose from, the viewer's own first; one or none: no choice.
    pub(super) branches: Vec<Branch>,
    /// The one that is worked in.
    pub(super) branch: String,
    pub(super) theme: Theme,
    /// Rows of a list, where the viewer chose a number.
    pub(super) size: Option<i64>,
    pub(super) preferences: Preferences,
}

/// Where a page stands in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Sessions,
    /// The page of this path.
    At(&'static str),
}

impl Place {
    /// The path of its page, without the first slash.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Sessions => "sessions",
            Self::At(path) => path,
        }
    }
}

/// What the request before this page did. It travels in the address as a word, so that a
/// reload repeats the sentence and not the deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    PlanChanged,
    SettingsChanged,
    ModulesChanged,
    OrganisationCreated,
    OrganisationMoved,
    JobStarted,
    RunCancelled,
    Stale,
    PasswordChanged,
    SecondFactorOff,
    SessionsEnded,
    RoleGiven,
    Replayed,
    IdentityAdded,
    IdentityRemoved,
    ProviderChecked,
    ProviderSilent,
}

impl Notice {
    const ALL: [(Notice, &'static str, Key); 17] = [
        (Self::PlanChanged, "plan-changed", words::DONE_PLAN_CHANGED),
        (Self::JobStarted, "job-started", words::JOB_STARTED),
        (Self::RunCancelled, "run-cancelled", words::RUN_CANCELLED),
        (Self::SettingsChanged, "settings-changed", words::DONE_SETTINGS_CHANGED),
        (Self::ModulesChanged, "modules-changed", words::DONE_MODULES_CHANGED),
        (Self::OrganisationCreated, "organisation-created", words::DONE_ORGANISATION_CREATED),
        (Self::OrganisationMoved, "organisation-moved", words::DONE_ORGANISATION_MOVED),
        (Self::Stale, "stale", words::DONE_STALE),
        (Self::PasswordChanged, "password-changed", words::DONE_PASSWORD_CHANGED),
        (Self::SecondFactorOff, "second-factor-off", words::DONE_SECOND_FACTOR_OFF),
        (Self::SessionsEnded, "sessions-ended", words::DONE_SESSIONS_ENDED),
        (Self::RoleGiven, "role-given", words::DONE_ROLE_GIVEN),
        (Self::Replayed, "replayed", words::DONE_REPLAYED),
        (Self::IdentityAdded, "identity-added", words::DONE_IDENTITY_ADDED),
        (Self::IdentityRemoved, "identity-removed", words::DONE_IDENTITY_REMOVED),
        (Self::ProviderChecked, "provider-checked", words::PROVIDER_WELL),
        (Self::ProviderSilent, "provider-silent", words::PROVIDER_BADLY),
    ];

    /// The notice of `?done=…`.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own, _)| *own == word).map(|(notice, ..)| *notice)
    }

    /// An address that shows this notice.
    pub(super) fn after(self, path: &str) -> String {
        let word = Self::ALL.iter().find(|(own, ..)| *own == self).map_or("", |(_, word, _)| word);
        let join = if path.contains('?') { '&' } else { '?' };
        format!("{path}{join}done={word}")
    }

    pub(super) fn toast(self, words: &Words) -> Toast {
        let text = Self::ALL.iter().find(|(own, ..)| *own == self).map(|(.., key)| words.say(*key));
        Toast {
            text: text.unwrap_or_default(),
            problem: matches!(self, Self::Stale | Self::ProviderSilent),
            undo: None,
        }
    }
}

/// What was done or not done, told at the edge of the page.
#[derive(Debug, Clone)]
pub(super) struct Toast {
    pub(super) text: String,
    pub(super) problem: bool,
    /// Where a form takes it back.
    pub(super) undo: Option<String>,
}

impl Toast {
    fn show(&self, viewer: &Viewer) -> Markup {
        let words = &viewer.words;
        let (class, role) = match self.problem {
            true => ("notice problem", "alert"),
            false => ("notice done", "status"),
        };
        html! {
            div class=(class) role=(role) {
                p { (self.text) }
                @if let Some(undo) = &self.undo {
                    form method="post" action=(undo) {
                        (csrf(viewer))
                        button type="submit" { (words.say(words::RECORD_UNDO)) }
                    }
                }
                button.close.only-script type="button" data-close { (words.say(words::CLOSE)) }
            }
        }
    }
}

/// A page for someone who is signed in.
pub(super) fn page(
    viewer: &Viewer,
    place: Option<Place>,
    title: &str,
    notice: Option<Notice>,
    body: &Markup,
) -> Markup {
    let toast = notice.map(|notice| notice.toast(&viewer.words));
    page_saying(viewer, place, title, toast.as_ref(), body)
}

/// As [`page`], with something said at its edge.
pub(super) fn page_saying(
    viewer: &Viewer,
    place: Option<Place>,
    title: &str,
    toast: Option<&Toast>,
    body: &Markup,
) -> Markup {
    let words = &viewer.words;
    let brand = Brand::of(&viewer.settings);
    themed(
        words,
        &brand,
        title,
        viewer.theme,
        &html! {
            (top(viewer, &brand))
            (impersonation(viewer))
            div.frame {
                (viewer.menu.show(words, place))
                main id="content" tabindex="-1" { (body) }
            }
            @if let Some(toast) = toast { div.toasts { (toast.show(viewer)) } }
            (keys(words))
            footer {
                (words.say_with(words::FOOTER, &[("zone", words.zone_name().into())]))
            }
        },
    )
}

/// Says on every page that somebody acts as another, and leads back.
fn impersonation(viewer: &Viewer) -> Markup {
    let Some(own) = &viewer.impersonator else { return html! {} };
    let args = [("name", viewer.name.clone().into()), ("impersonator", own.clone().into())];
    html! {
        form.notice.problem.acting method="post" action="/impersonation/stop" role="alert" {
            (csrf(viewer))
            span { (viewer.words.say_with(words::IMPERSONATION, &args)) " " }
            button.quiet type="submit" { (viewer.words.say(words::IMPERSONATION_STOP)) }
        }
    }
}

/// The bar at the top: the way home, search, where one works, who one is.
fn top(viewer: &Viewer, brand: &Brand) -> Markup {
    let words = &viewer.words;
    let account = words.say_with(words::ACCOUNT, &[("name", viewer.name.clone().into())]);
    html! {
        header.top {
            button.quiet.icon.call type="button" popovertarget="menu"
                aria-label=(words.say(words::MENU)) { (lines()) }
            a.brand href="/" { (brand.mark()) span { (brand.name(words)) } }
            form.find role="search" method="get" action="/search" {
                input name="q" type="search" data-search autocomplete="off" spellcheck="false"
                    maxlength="200" aria-label=(words.say(words::FIND))
                    placeholder=(words.say(words::FIND_PLACEHOLDER));
                (lens())
                kbd aria-hidden="true" { "/" }
                div.suggestions {}
            }
            div.end {
                (branches(viewer))
                details.menu {
                    summary aria-label=(account) { span { (viewer.name) } }
                    div.list {
                        @if super::NEEDS.has("/account") {
                            a href="/account" { (words.say(words::MY_ACCOUNT)) }
                            hr;
                        }
                        form method="post" action="/theme" {
                            (csrf(viewer))
                            p.dim.small { (words.say(words::THEME)) }
                            @for (theme, word, name) in Theme::ALL {
                                button type="submit" name="theme" value=(word)
                                    aria-pressed=(theme == viewer.theme) { (words.say(name)) }
                            }
                        }
                        hr;
                        button.only-script type="button" popovertarget="keys" {
                            (words.say(words::KEYS_TITLE))
                        }
                        form.who method="post" action="/logout" {
                            (csrf(viewer))
                            button type="submit" { (words.say(words::SIGN_OUT)) }
                        }
                    }
                }
            }
        }
    }
}

/// The organisation one works in, where there is more than one.
fn branches(viewer: &Viewer) -> Markup {
    let [home, _, ..] = viewer.branches.as_slice() else { return html! {} };
    let words = &viewer.words;
    let here = viewer.branches.iter().find(|branch| branch.id == viewer.branch).unwrap_or(home);
    let name = |branch: &Branch| match branch.depth {
        0 => words.say_with(words::ORGANISATION_ALL, &[("name", branch.name.clone().into())]),
        depth => format!("{}{}", "\u{2003}".repeat(depth - 1), branch.name),
    };
    html! {
        details.menu {
            summary aria-label=(format!("{}: {}", words.say(words::ORGANISATION), here.name)) {
                span { (here.name) }
            }
            div.list {
                form method="post" action="/organisation" {
                    (csrf(viewer))
                    @for branch in &viewer.branches {
                        button type="submit" name="organisation" value=(branch.id)
                            aria-current=[(branch.id == here.id).then_some("true")] { (name(branch)) }
                    }
                }
                @if viewer.branches.len() > BRANCHES_MAX {
                    a href="/organisations" { (words.say(words::ORGANISATION_MORE)) }
                }
            }
        }
    }
}

/// What the keys do.
fn keys(words: &Words) -> Markup {
    let keys: [(&[&str], Key); 8] = [
        (&["/"], words::KEYS_SEARCH),
        (&["n"], words::KEYS_NEW),
        (&["j", "k"], words::KEYS_ROWS),
        (&["Enter"], words::KEYS_OPEN),
        (&["x"], words::KEYS_PICK),
        (&["e"], words::KEYS_EDIT),
        (&["f"], words::KEYS_FILTER),
        (&["?"], words::KEYS_LIST),
    ];
    html! {
        div.over.only-script id="keys" popover {
            div.head {
                h2 { (words.say(words::KEYS_TITLE)) }
                (closing(words, "keys"))
            }
            dl.keys {
                @for (names, what) in keys {
                    dt { @for name in names { kbd { (name) } " " } }
                    dd { (words.say(what)) }
                }
            }
        }
    }
}

/// The button that closes a sheet over the page.
pub(super) fn closing(words: &Words, id: &str) -> Markup {
    html! {
        button.quiet type="button" popovertarget=(id) popovertargetaction="hide" {
            (words.say(words::CLOSE))
        }
    }
}

fn lines() -> Markup {
    html! {
        svg width="18" height="18" viewBox="0 0 18 18" fill="none" stroke="currentColor"
            stroke-width="1.8" stroke-linecap="round" aria-hidden="true" {
            path d="M2 4.5h14M2 9h14M2 13.5h14" {}
        }
    }
}

fn lens() -> Markup {
    html! {
        svg width="15" height="15" viewBox="0 0 16 16" fill="none" stroke="currentColor"
            stroke-width="1.7" stroke-linecap="round" aria-hidden="true" {
            circle cx="7" cy="7" r="4.8" {}
            path d="M10.6 10.6 14 14" {}
        }
    }
}

/// The frame of every page, signed in or not.
pub(super) fn document(words: &Words, brand: &Brand, title: &str, body: &Markup) -> Markup {
    themed(words, brand, title, Theme::Auto, body)
}

/// A page that goes on by itself, as if its reader had followed a link on it.
pub(super) fn moving(words: &Words, brand: &Brand, title: &str, on: &str, body: &Markup) -> Markup {
    let at_once = html! { meta http-equiv="refresh" content=(format!("0;url={on}")); };
    headed(words, brand, title, Theme::Auto, &at_once, body)
}

fn themed(words: &Words, brand: &Brand, title: &str, theme: Theme, body: &Markup) -> Markup {
    headed(words, brand, title, theme, &html! {}, body)
}

fn headed(
    words: &Words,
    brand: &Brand,
    title: &str,
    theme: Theme,
    further: &Markup,
    body: &Markup,
) -> Markup {
    let args = [("page", title.to_owned().into()), ("product", brand.name(words).into())];
    let title = words.say_with(words::TITLE, &args);
    html! {
        (DOCTYPE)
        html lang=(words.say(words::LANGUAGE)) dir=(words.say(words::DIRECTION))
            data-theme=[theme.attribute()] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                (further)
                link rel="icon" type="image/svg+xml" href=(assets::address("icon.svg"));
                link rel="stylesheet" href=(assets::address("console.css"));
                (brand.style())
                script src=(assets::address("console.js")) defer {}
            }
            body {
                a.skip href="#content" { (words.say(words::SKIP)) }
                (body)
            }
        }
    }
}

/// The proof that a form came from one of our pages.
pub(super) fn csrf(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name="csrf" value=(viewer.csrf); }
}

/// Nothing to show: why, and what to do next.
pub(super) fn empty(text: &str, next: Option<(&str, &str)>) -> Markup {
    html! {
        div.empty {
            p { (text) }
            @if let Some((address, name)) = next { p { a.button href=(address) { (name) } } }
        }
    }
}

/// Parameters of a list that could not be used: their names, and what they said or why.
pub(super) fn left_out(words: &Words, wrong: &[(String, String)]) -> Markup {
    html! {
        @if !wrong.is_empty() {
            div.notice.caution role="status" {
                p { (words.say(words::LIST_FILTERS_WRONG)) }
                ul { @for (name, why) in wrong { li { code { (name) } ": " (why) } } }
            }
        }
    }
}

/// A column of a table.
pub(super) struct Column {
    name: String,
    numeric: bool,
}

impl Column {
    /// A column of texts.
    pub(super) fn text(words: &Words, key: Key) -> Self {
        Self { name: words.say(key), numeric: false }
    }

    /// A column of numbers, aligned at their end.
    pub(super) fn number(words: &Words, key: Key) -> Self {
        Self { name: words.say(key), numeric: true }
    }

    /// A column with a name from elsewhere.
    pub(super) fn named(name: &str, numeric: bool) -> Self {
        Self { name: name.to_owned(), numeric }
    }

    fn class(&self) -> Option<&'static str> {
        self.numeric.then_some("number")
    }
}

/// A table whose rows become cards on a phone: each cell carries its column's name, and the
/// roles are written out, because a browser forgets them where the layout is not a table's.
pub(super) fn table(caption: &str, columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.table { table role="table" {
            caption.unseen { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for column in columns {
                        th role="columnheader" scope="col" class=[column.class()] { (column.name) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (n, (column, cell)) in columns.iter().zip(row).enumerate() {
                            @if n == 0 {
                                th role="rowheader" scope="row" data-label=(column.name) { span { (cell) } }
                            } @else {
                                // On a phone a label with nothing beside it is left out.
                                @let class = if cell.0.is_empty() { Some("none") } else { column.class() };
                                td role="cell" data-label=(column.name) class=[class] { span { (cell) } }
                            }
                        }
                    }
                }
            }
        } }
    }
}

/// The way to the older rows of a list and back. `address` is the list's, with its filter.
pub(super) fn pager(words: &Words, address: &str, later: bool, next: Option<&str>) -> Markup {
    if !later && next.is_none() {
        return html! {};
    }
    let join = if address.contains('?') { '&' } else { '?' };
    html! {
        nav.pager aria-label=(words.say(words::PAGER)) {
            @if later { a.button.quiet href=(address) { (words.say(words::NEWEST)) } }
            @if let Some(cursor) = next {
                a.button.quiet rel="next" href=(format!("{address}{join}cursor={cursor}")) {
                    (words.say(words::OLDER))
                }
            }
        }
    }
}

/// Sends a page.
pub(super) fn send(status: StatusCode, page: Markup) -> HttpResponse {
    send_text(status, page.into_string())
}

/// As [`send`], for a page already rendered.
pub(super) fn send_text(status: StatusCode, page: String) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .insert_header((REFERRER_POLICY, "same-origin"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("Cross-Origin-Opener-Policy", "same-origin"))
        .content_type("text/html; charset=utf-8")
        .body(page)
}

/// Sends the browser to another page, with GET (RFC 9110 §15.4.4).
pub(super) fn go(address: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, address))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Someone with a hostile name.
    pub(in crate::console) fn viewer() -> Viewer {
        Viewer {
            name: "Asha <script>alert(1)</script>".to_owned(),
            csrf: "c5rf".to_owned(),
            words: Words::english(),
            menu: Menu::of(|_| true, |_| true, |_| true),
            ..Viewer::default()
        }
    }

    #[test]
    fn acting_as_another_is_said_on_every_page_with_a_way_back() {
        let acting = Viewer { impersonator: Some("Root <b>".to_owned()), ..viewer() };
        let text = page(&acting, None, "x", None, &html! {}).into_string();
        assert!(
            text.contains(r#"action="/impersonation/stop""#) && text.contains("Root &lt;b&gt;")
        );
        assert!(
            !page(&viewer(), None, "x", None, &html! {}).into_string().contains("/impersonation")
        );
    }

    #[test]
    fn a_page_marks_where_it_is_and_who_looks() {
        let text = page(&viewer(), Some(Place::At("plans")), "Plans", None, &html! { p { "x" } });
        let text = text.into_string();
        assert_eq!(text.matches("aria-current").count(), 1);
        assert!(text.contains(r#"<a href="/plans" aria-current="page">Plans</a>"#), "{text}");
        assert!(text.contains(r##"<a class="skip" href="#content">"##));
        assert!(text.contains("Asha &lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(text.contains(r#"name="csrf" value="c5rf""#));
        assert!(text.contains("<title>Plans · Lastmile</title>"));
    }

    #[test]
    fn an_organisation_is_chosen_where_there_are_several() {
        let branch = |id: &str, name: &str, depth| Branch {
            id: id.to_owned(),
            name: name.to_owned(),
            depth,
        };
        let mut viewer = viewer();
        viewer.branches = vec![branch("org_1", "Lake <ISP>", 0)];
        let text = page(&viewer, None, "x", None, &html! {}).into_string();
        assert!(!text.contains("/organisation\""), "one is no choice");
        viewer.branches.push(branch("org_2", "North", 1));
        viewer.branch = "org_2".to_owned();
        let text = page(&viewer, None, "x", None, &html! {}).into_string();
        assert!(text.contains("Lake &lt;ISP&gt; and all below"));
        assert!(text.contains(r#"value="org_2" aria-current="true">North"#), "{text}");
    }

    #[test]
    fn a_chosen_theme_stands_on_the_page_and_none_leaves_it_to_the_device() {
        let text = |theme| {
            let viewer = Viewer { theme, ..viewer() };
            page(&viewer, None, "x", None, &html! {}).into_string()
        };
        assert!(text(Theme::Dark).contains(r#"data-theme="dark""#));
        assert!(!text(Theme::Auto).contains("data-theme"));
        assert_eq!(Theme::from_word("purple"), Theme::Auto);
    }

    #[test]
    fn what_was_done_can_be_taken_back() {
        let toast = Toast {
            text: "Customer deleted.".to_owned(),
            problem: false,
            undo: Some("/customers/cus_1/restore".to_owned()),
        };
        let text = page_saying(&viewer(), None, "x", Some(&toast), &html! {}).into_string();
        assert!(text.contains(r#"role="status""#) && text.contains("Customer deleted."));
        assert!(text.contains(r#"<form method="post" action="/customers/cus_1/restore">"#));
    }

    #[test]
    fn a_page_has_nothing_inline() {
        let text = page(&viewer(), None, "x", Some(Notice::Stale), &html! {}).into_string();
        assert!(!text.contains("<script>") && !text.contains("style=") && !text.contains("<style"));
        let headers = send(StatusCode::OK, html! {});
        let policy = headers.headers().get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(!policy.contains("unsafe") && policy.starts_with("default-src 'none'"));
        assert_eq!(headers.headers().get(CACHE_CONTROL).unwrap(), "no-store");
    }

    #[test]
    fn a_notice_reads_back_from_its_address() {
        for (notice, word, _) in Notice::ALL {
            assert_eq!(notice.after("/x"), format!("/x?done={word}"));
            assert_eq!(Notice::from_word(word), Some(notice));
        }
        assert_eq!(Notice::from_word("<b>"), None);
    }

    #[test]
    fn a_pager_keeps_the_filter() {
        let words = Words::english();
        assert_eq!(pager(&words, "/x", false, None).into_string(), "");
        let text = pager(&words, "/x?q=a", true, Some("cus_1")).into_string();
        assert!(text.contains("/x?q=a&amp;cursor=cus_1") && text.contains(r#"href="/x?q=a""#));
    }
}
