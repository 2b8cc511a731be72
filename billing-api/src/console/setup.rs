//! The first setup, a step a page: the same forms and rules as elsewhere, one after the other.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::failure::Failure;
use super::form::Filled;
use super::guard::{Post, Signed};
use super::page::{self, Viewer};
use super::setting_form::SettingForm;
use super::words::{self, Key, Words};
use super::{nas as nas_page, plans as plans_page};
use crate::domain::nas::NAS;
use crate::domain::setting::registry::{
    BUSINESS_ADDRESS, CURRENCY, DATE_FORMAT, FISCAL_YEAR_START, LEGAL_NAME, LOCALE,
    REGISTRATION_NUMBER, TAX_ID, WEEK_START, ZONE,
};
use crate::domain::setting::{self, Setting, View};
use crate::domain::setup::{self, Progress, Step};
use crate::domain::{Fault, Office, plan};
use crate::entity::{Draft, write};
use crate::http::Problem;

const BUSINESS: [&Setting; 4] = [&LEGAL_NAME, &REGISTRATION_NUMBER, &TAX_ID, &BUSINESS_ADDRESS];
const OPERATION: [&Setting; 6] =
    [&ZONE, &CURRENCY, &LOCALE, &DATE_FORMAT, &FISCAL_YEAR_START, &WEEK_START];

fn name(step: Step) -> Key {
    match step {
        Step::Business => words::SETUP_BUSINESS,
        Step::Operation => words::SETUP_OPERATION,
        Step::Plan => words::SETUP_PLAN,
        Step::Nas => words::SETUP_NAS,
        Step::Staff => words::SETUP_STAFF,
    }
}

fn text(step: Step) -> Key {
    match step {
        Step::Business => words::SETUP_BUSINESS_TEXT,
        Step::Operation => words::SETUP_OPERATION_TEXT,
        Step::Plan => words::SETUP_PLAN_TEXT,
        Step::Nas => words::SETUP_NAS_TEXT,
        Step::Staff => words::SETUP_STAFF_TEXT,
    }
}

fn address(step: Option<Step>) -> String {
    format!("/setup/{}", step.map_or("done", Step::word))
}

async fn progress(office: &Office, signed: &Signed) -> Result<Progress, Fault> {
    setup::progress(office, &signed.actor).await?.ok_or(Fault::NotFound("page"))
}

/// `GET /setup`: wherever it was left.
pub(super) async fn resume(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let progress = progress(&office, &signed).await;
    let progress = progress.map_err(|fault| Failure::new(&request, fault))?;
    Ok(page::go(&address(progress.open())))
}

/// `POST /setup`: ends it, finished or not.
pub(super) async fn close(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let closed = setup::close(&office, &post.signed.actor, true).await;
    closed.map_err(|fault| Failure::new(&request, fault))?;
    Ok(page::go("/"))
}

/// `GET /setup/{step}`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    word: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let progress = progress(&office, &signed).await?;
        if *word == "done" {
            return Ok(page::send(StatusCode::OK, render_done(&signed.viewer, &progress)));
        }
        let step = Step::from_word(&word).ok_or(Fault::NotFound("page"))?;
        let words = &signed.viewer.words;
        let form = match step {
            Step::Business | Step::Operation => {
                let view = setting::list(&office, &signed.actor, None).await?;
                settings_form(words, &view, &SettingForm::of(&view, keys(step)))
            }
            Step::Plan => {
                let currency = plans_page::currency(&office, &signed.actor).await?;
                plans_page::fields(words, currency, &Filled::default())
            }
            Step::Nas => nas_page::fields(words, &nas_page::starting()),
            Step::Staff => html! {},
        };
        Ok(page::send(StatusCode::OK, render(&request, &signed.viewer, &progress, step, &form)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn keys(step: Step) -> &'static [&'static Setting] {
    match step {
        Step::Business => &BUSINESS,
        _ => &OPERATION,
    }
}

fn settings_form(words: &Words, view: &View, form: &SettingForm<'_>) -> Markup {
    html! {
        input type="hidden" name="version" value=(view.version);
        (form.problems(words))
        (form.fields(words, false))
    }
}

/// `POST /setup/{step}`
pub(super) async fn send(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    word: Path<String>,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let words = &signed.viewer.words;
    let result = async {
        let progress = progress(&office, &signed).await?;
        let step = Step::from_word(&word).ok_or(Fault::NotFound("page"))?;
        let (status, form) = match step {
            Step::Business | Step::Operation => {
                let view = setting::list(&office, &signed.actor, None).await?;
                let form = SettingForm::of(&view, keys(step));
                let change = form.change(&fields, true);
                let expected = fields.get("version").parse().ok();
                let changed = setting::patch(&office, &signed.actor, None, &change, expected).await;
                let Err(fault) = changed else { return Ok(page::go(&address(step.next()))) };
                let status = Problem::status(&fault).0;
                let form = form.sent(&fields).refused(words, fault)?;
                (status, settings_form(words, &view, &form))
            }
            Step::Plan => {
                let currency = plans_page::currency(&office, &signed.actor).await?;
                let (new, filled) = plans_page::read(words, &fields, currency);
                let created = match new {
                    Ok(new) => plan::create(&office, &signed.actor, new).await,
                    Err(fault) => Err(fault),
                };
                let Err(fault) = created else { return Ok(page::go(&address(step.next()))) };
                let status = Problem::status(&fault).0;
                let filled = filled.refused(words, &plans_page::INPUTS, fault)?;
                (status, plans_page::fields(words, currency, &filled))
            }
            Step::Nas => {
                let created = match Draft::parse(&NAS, &[], &nas_page::body(&fields), true) {
                    Ok(draft) => write::create(&office, &signed.actor, &NAS, draft).await,
                    Err(fault) => Err(fault),
                };
                // Back to the same page: it says what to type on the router.
                let Err(fault) = created else { return Ok(page::go(&address(Some(step)))) };
                let status = Problem::status(&fault).0;
                let filled = Filled::sent(&nas_page::INPUTS, &fields);
                let filled = filled.refused(words, &nas_page::INPUTS, fault)?;
                (status, nas_page::fields(words, &filled))
            }
            Step::Staff => return Ok(page::go(&address(step.next()))),
        };
        Ok(page::send(status, render(&request, &signed.viewer, &progress, step, &form)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// The way so far and the way ahead.
fn trail(words: &Words, progress: &Progress, here: Option<Step>) -> Markup {
    html! {
        nav.trail aria-label=(words.say(words::SETUP_TITLE)) {
            ol {
                @for (step, done) in &progress.steps {
                    li {
                        a href=(address(Some(*step)))
                            aria-current=[(Some(*step) == here).then_some("step")] {
                            (words.say(name(*step)))
                        }
                        @if *done { " " span.badge.good { (words.say(words::SETUP_DONE)) } }
                    }
                }
            }
        }
    }
}

/// What to type on a MikroTik router. Addresses of ours are not known for sure: RADIUS may be
/// served on another than this page.
fn router_commands(request: &HttpRequest) -> String {
    let connection = request.connection_info();
    let host = connection.host();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let server = match host.parse::<std::net::Ipv4Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => "SERVER".to_owned(),
    };
    format!(
        "/radius add service=ppp,hotspot address={server} secret=\"SECRET\" \
         authentication-port=1812 accounting-port=1813 timeout=3s\n\
         /radius incoming set accept=yes port=3799\n\
         /ppp aaa set use-radius=yes accounting=yes interim-update=5m\n"
    )
}

fn render(
    request: &HttpRequest,
    viewer: &Viewer,
    progress: &Progress,
    step: Step,
    form: &Markup,
) -> Markup {
    let words = &viewer.words;
    let title = words.say(name(step));
    let done = progress.steps.iter().any(|(own, done)| *own == step && *done);
    let repeats = matches!(step, Step::Plan | Step::Nas);
    let body = html! {
        h1 { (words.say(words::SETUP_TITLE)) }
        (trail(words, progress, Some(step)))
        section {
            h2 { (title) }
            p { (words.say(text(step))) }
            @if done && repeats {
                p.notice.done role="status" { (words.say(words::SETUP_STEP_DONE)) }
            }
            @if step == Step::Nas && done {
                div.card {
                    p { (words.say(words::SETUP_ROUTER)) }
                    pre tabindex="0" { code { (router_commands(request)) } }
                }
            }
            form.card method="post" action=(address(Some(step))) {
                (page::csrf(viewer))
                @if step == Step::Staff {
                    p { a href="/staff" { (words.say(words::SETUP_STAFF_GO)) } }
                }
                (form)
                div.actions {
                    button type="submit" {
                        (words.say(if repeats { words::SETUP_CREATE } else { words::SETUP_NEXT }))
                    }
                    @if step != Step::Staff {
                        a.button.quiet href=(address(step.next())) {
                            (words.say(if done { words::SETUP_NEXT } else { words::SETUP_SKIP }))
                        }
                    }
                }
            }
        }
        (leave(viewer, words::SETUP_LEAVE))
    };
    page::page(viewer, None, &title, None, &body)
}

fn leave(viewer: &Viewer, key: Key) -> Markup {
    html! {
        form method="post" action="/setup" {
            (page::csrf(viewer))
            button.quiet type="submit" { (viewer.words.say(key)) }
        }
    }
}

fn render_done(viewer: &Viewer, progress: &Progress) -> Markup {
    let words = &viewer.words;
    let open = progress.open();
    let title = words.say(words::SETUP_TITLE);
    let body = html! {
        h1 { (title) }
        (trail(words, progress, None))
        section {
            @match open {
                Some(step) => {
                    p { (words.say(words::SETUP_OPEN)) }
                    p { a.button href=(address(Some(step))) { (words.say(name(step))) } }
                }
                None => { p { (words.say(words::SETUP_FINISHED)) } }
            }
        }
        (leave(viewer, words::SETUP_CLOSE))
    };
    page::page(viewer, None, &title, None, &body)
}

/// What the overview says while the setup is not finished.
pub(super) fn reminder(words: &Words, progress: &Progress) -> Markup {
    let args = [("done", progress.done().into()), ("all", progress.steps.len().into())];
    html! {
        section.card.setup {
            h2 { (words.say(words::SETUP_TITLE)) }
            p { (words.say_with(words::SETUP_PROGRESS, &args)) }
            p { a.button href="/setup" { (words.say(words::SETUP_RESUME)) } }
        }
    }
}
