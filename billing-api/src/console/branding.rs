//! Branding: name, colours and logo.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::brand;
use super::failure::Failure;
use super::guard::{Fields, Post, Signed};
use super::page::{self, Notice, Viewer};
use super::setting_form::SettingForm;
use super::settings::{self, About};
use super::upload::PostFile;
use super::words;
use crate::domain::setting::registry::{ACCENT_DARK, ACCENT_LIGHT, DISPLAY_NAME, LOGO};
use crate::domain::setting::{self, Setting, View};
use crate::domain::{Fault, Office, branding};
use crate::http::Problem;

const KEYS: [&Setting; 3] = [&DISPLAY_NAME, &ACCENT_LIGHT, &ACCENT_DARK];
const ADDRESS: &str = "/settings/branding";

/// `GET /settings/branding`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let query = Fields::of_query(&request);
        let about = About::of(&office, &signed.actor, &query).await?;
        let id = about.as_ref().map(|about| about.id);
        let view = setting::list(&office, &signed.actor, id).await?;
        let form = SettingForm::of(&view, &KEYS);
        let notice = Notice::from_word(query.get("done"));
        let body = render(&signed.viewer, about.as_ref(), &view, &form, None, notice);
        Ok(page::send(StatusCode::OK, body))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /settings/branding`
pub(super) async fn change(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let words = &signed.viewer.words;
    let result = async {
        let about = About::of(&office, &signed.actor, &fields).await?;
        let id = about.as_ref().map(|about| about.id);
        let view = setting::list(&office, &signed.actor, id).await?;
        let form = SettingForm::of(&view, &KEYS);
        let change = form.change(&fields, false);
        let expected = fields.get("version").parse().ok();
        let address = About::keep(about.as_ref(), ADDRESS);
        match setting::patch(&office, &signed.actor, id, &change, expected).await {
            Ok(_) => Ok(page::go(&Notice::SettingsChanged.after(&address))),
            Err(Fault::Stale) => Ok(page::go(&Notice::Stale.after(&address))),
            Err(fault) => {
                let status = Problem::status(&fault).0;
                let form = form.sent(&fields).refused(words, fault)?;
                let body = render(&signed.viewer, about.as_ref(), &view, &form, None, None);
                Ok(page::send(status, body))
            }
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /settings/branding/logo`: a file sets it, the button beside it removes it.
pub(super) async fn logo(
    request: HttpRequest,
    office: Data<Office>,
    post: PostFile,
) -> Result<HttpResponse, Failure> {
    let PostFile { signed, fields, file } = post;
    let result = async {
        let about = About::of(&office, &signed.actor, &fields).await?;
        let id = about.as_ref().map(|about| about.id);
        let expected = fields.get("version").parse().ok();
        let address = About::keep(about.as_ref(), ADDRESS);
        let done = match &file {
            _ if fields.get("remove") == "yes" => {
                branding::remove_logo(&office, &signed.actor, id, expected).await
            }
            Some(file) => {
                let declared = Some(file.content_type.as_str());
                branding::set_logo(&office, &signed.actor, id, declared, &file.content, expected)
                    .await
            }
            None => Err(Fault::field("/logo", "is required")),
        };
        match done {
            Ok(_) => Ok(page::go(&Notice::SettingsChanged.after(&address))),
            Err(Fault::Stale) => Ok(page::go(&Notice::Stale.after(&address))),
            Err(fault @ (Fault::Invalid(_) | Fault::TooLong(_))) => {
                let status = Problem::status(&fault).0;
                let detail = match &fault {
                    Fault::Invalid(faults) => faults
                        .iter()
                        .map(|fault| fault.detail.clone())
                        .collect::<Vec<_>>()
                        .join("; "),
                    fault => fault.to_string(),
                };
                let view = setting::list(&office, &signed.actor, id).await?;
                let form = SettingForm::of(&view, &KEYS);
                let body =
                    render(&signed.viewer, about.as_ref(), &view, &form, Some(&detail), None);
                Ok(page::send(status, body))
            }
            Err(fault) => Err(fault),
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render(
    viewer: &Viewer,
    about: Option<&About>,
    view: &View,
    form: &SettingForm<'_>,
    wrong: Option<&str>,
    notice: Option<Notice>,
) -> Markup {
    let words = &viewer.words;
    let logo = view.data.iter().find(|item| item.key == LOGO.key);
    let hash = logo.and_then(|item| item.value.as_str());
    let label = words.setting(LOGO.key);
    let wrong = wrong.map(|detail| {
        let args = [("label", label.clone().into()), ("detail", detail.to_owned().into())];
        words.say_with(words::FORM_FIELD_WRONG, &args)
    });
    let title = words.say(words::BRANDING_TITLE);
    let body = html! {
        (settings::head(words, about, "branding"))
        form.card method="post" action=(ADDRESS) {
            (page::csrf(viewer))
            (About::field(about))
            input type="hidden" name="version" value=(view.version);
            (form.problems(words))
            button.unseen type="submit" tabindex="-1" { (words.say(words::FORM_SAVE)) }
            (form.fields(words, true))
            div.actions { button type="submit" { (words.say(words::FORM_SAVE)) } }
        }
        form.card method="post" action=(format!("{ADDRESS}/logo")) enctype="multipart/form-data" {
            (page::csrf(viewer))
            (About::field(about))
            input type="hidden" name="version" value=(view.version);
            h2 { (label) }
            @if let Some(hash) = hash {
                p { img.logo src=(brand::logo_address(hash)) alt=(label) height="52"; }
            }
            @if let Some(name) = logo.and_then(|item| item.from_name.clone()) {
                p.dim { (words.say_with(words::SETTINGS_FROM, &[("name", name.into())])) }
            }
            div.field .wrong[wrong.is_some()] {
                label for="f-logo" { (words.say(words::BRANDING_FILE)) }
                p.hint id="h-logo" { (words.say(words::BRANDING_FILE_HINT)) }
                input id="f-logo" name="logo" type="file" accept="image/png,image/jpeg,image/webp"
                    aria-describedby="h-logo" aria-invalid=[wrong.as_ref().map(|_| "true")];
                @if let Some(wrong) = &wrong { p.why role="alert" { (wrong) } }
            }
            div.actions {
                button type="submit" { (words.say(words::BRANDING_SEND)) }
                @if logo.is_some_and(|item| item.own) {
                    button.quiet type="submit" name="remove" value="yes" {
                        (words.say(words::BRANDING_REMOVE))
                    }
                }
            }
        }
    };
    page::page(viewer, Some(settings::PLACE), &title, notice, &body)
}
