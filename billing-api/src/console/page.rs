//! What every page has: head, navigation, notices, tables, and the headers it is sent with.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use super::brand::Brand;
use super::words::{self, Key, Words};
use crate::domain::module;
use crate::domain::setting::Layers;

/// Nothing inline, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self' data:; form-action 'self'; connect-src 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

/// Who looks, as far as a page needs it.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub(super) name: String,
    /// Goes into every form.
    pub(super) csrf: String,
    pub(super) words: Words,
    /// What applies to the viewer's organisation: its brand, and which modules it has.
    pub(super) settings: Arc<Layers>,
    /// The name of whoever really looks, where somebody acts as another.
    pub(super) impersonator: Option<String>,
}

/// Where a page stands in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Customers,
    Services,
    Plans,
    Nas,
    Sessions,
    /// The page of this path.
    At(&'static str),
}

const PLACES: [(Place, &str, Key); 8] = [
    (Place::Overview, "/", words::NAV_OVERVIEW),
    (Place::Customers, "/customers", words::NAV_CUSTOMERS),
    (Place::Services, "/services", words::NAV_SERVICES),
    (Place::Plans, "/plans", words::NAV_PLANS),
    (Place::Nas, "/nas", words::NAV_NAS),
    (Place::Sessions, "/sessions", words::NAV_SESSIONS),
    (Place::At("organisations"), "/organisations", words::NAV_ORGANISATIONS),
    (Place::At("settings"), "/settings", words::NAV_SETTINGS),
];

/// What the request before this page did. It travels in the address as a word, so that a
/// reload repeats the sentence and not the deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    CustomerCreated,
    ServiceCreated,
    PlanCreated,
    NasCreated,
    Suspended,
    Activated,
    PlanChanged,
    SettingsChanged,
    ModulesChanged,
    OrganisationCreated,
    OrganisationChanged,
    OrganisationMoved,
    OrganisationDeleted,
    Stale,
    PasswordChanged,
    SecondFactorOff,
    SessionsEnded,
}

impl Notice {
    const ALL: [(Notice, &'static str, Key); 17] = [
        (Self::CustomerCreated, "customer-created", words::DONE_CUSTOMER_CREATED),
        (Self::ServiceCreated, "service-created", words::DONE_SERVICE_CREATED),
        (Self::PlanCreated, "plan-created", words::DONE_PLAN_CREATED),
        (Self::NasCreated, "nas-created", words::DONE_NAS_CREATED),
        (Self::Suspended, "suspended", words::DONE_SUSPENDED),
        (Self::Activated, "activated", words::DONE_ACTIVATED),
        (Self::PlanChanged, "plan-changed", words::DONE_PLAN_CHANGED),
        (Self::SettingsChanged, "settings-changed", words::DONE_SETTINGS_CHANGED),
        (Self::ModulesChanged, "modules-changed", words::DONE_MODULES_CHANGED),
        (Self::OrganisationCreated, "organisation-created", words::DONE_ORGANISATION_CREATED),
        (Self::OrganisationChanged, "organisation-changed", words::DONE_ORGANISATION_CHANGED),
        (Self::OrganisationMoved, "organisation-moved", words::DONE_ORGANISATION_MOVED),
        (Self::OrganisationDeleted, "organisation-deleted", words::DONE_ORGANISATION_DELETED),
        (Self::Stale, "stale", words::DONE_STALE),
        (Self::PasswordChanged, "password-changed", words::DONE_PASSWORD_CHANGED),
        (Self::SecondFactorOff, "second-factor-off", words::DONE_SECOND_FACTOR_OFF),
        (Self::SessionsEnded, "sessions-ended", words::DONE_SESSIONS_ENDED),
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

    fn show(self, words: &Words) -> Markup {
        let text = Self::ALL.iter().find(|(own, ..)| *own == self).map(|(.., key)| words.say(*key));
        if self == Self::Stale {
            html! { p.notice.problem role="alert" { (text.unwrap_or_default()) } }
        } else {
            html! { p.notice.done role="status" { (text.unwrap_or_default()) } }
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
    let words = &viewer.words;
    let brand = Brand::of(&viewer.settings);
    let is_on = |address| module::guard_in(&viewer.settings, address).is_ok();
    document(
        words,
        &brand,
        title,
        &html! {
            header.top {
                a.brand href="/" { (brand.mark()) (brand.name(words)) }
                nav aria-label=(words.say(words::NAVIGATION)) {
                    ul {
                        @for (own, address, name) in PLACES.into_iter().filter(|(_, address, _)| is_on(*address)) {
                            li {
                                a href=(address) aria-current=[(place == Some(own)).then_some("page")] {
                                    (words.say(name))
                                }
                            }
                        }
                    }
                }
                form.who method="post" action="/logout" {
                    (csrf(viewer))
                    a.name href="/account" { (viewer.name) }
                    button.quiet type="submit" { (words.say(words::SIGN_OUT)) }
                }
            }
            (impersonation(viewer))
            main id="content" tabindex="-1" {
                @if let Some(notice) = notice { (notice.show(words)) }
                (body)
            }
            footer { (words.say(words::FOOTER)) }
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

/// The frame of every page, signed in or not.
pub(super) fn document(words: &Words, brand: &Brand, title: &str, body: &Markup) -> Markup {
    let args = [("page", title.to_owned().into()), ("product", brand.name(words).into())];
    let title = words.say_with(words::TITLE, &args);
    html! {
        (DOCTYPE)
        html lang=(words.say(words::LANGUAGE)) dir=(words.say(words::DIRECTION)) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
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

    fn class(&self) -> Option<&'static str> {
        self.numeric.then_some("number")
    }
}

/// A table whose rows become cards on a phone: each cell carries its column's name, and the
/// roles are written out, because a browser forgets them where the layout is not a table's.
pub(super) fn table(caption: &str, columns: &[Column], rows: &[Vec<Markup>]) -> Markup {
    html! {
        table role="table" {
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
                                td role="cell" data-label=(column.name) class=[column.class()] { span { (cell) } }
                            }
                        }
                    }
                }
            }
        }
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
            settings: Arc::default(),
            impersonator: None,
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
        let text = page(&viewer(), Some(Place::Plans), "Plans", None, &html! { p { "x" } });
        let text = text.into_string();
        assert_eq!(text.matches("aria-current").count(), 1);
        assert!(text.contains(r#"<a href="/plans" aria-current="page">Plans</a>"#));
        assert!(text.contains(r##"<a class="skip" href="#content">"##));
        assert!(text.contains("Asha &lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(text.contains(r#"name="csrf" value="c5rf""#));
        assert!(text.contains("<title>Plans · Lastmile</title>"));
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
