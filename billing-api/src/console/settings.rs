//! Settings of the viewer's organisation, or of one below it, a group at a time.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::OrganisationId;

use super::failure::Failure;
use super::guard::{Fields, Post, Signed};
use super::page::{self, Notice, Place, Viewer};
use super::setting_form::SettingForm;
use super::show;
use super::words::{self, Words};
use crate::domain::setting::registry::{ALL, GROUPS};
use crate::domain::setting::{self, Setting, View};
use crate::domain::{Actor, Fault, Office, organisation};
use crate::http::Problem;

/// Where the settings stand in the navigation.
pub(super) const PLACE: Place = Place::At("settings");

/// The organisation a page is about, where it is not the viewer's own.
pub(super) struct About {
    pub(super) id: OrganisationId,
    pub(super) name: String,
}

impl About {
    /// Out of `?organisation=` or a form's field of that name.
    pub(super) async fn of(
        office: &Office,
        actor: &Actor,
        fields: &Fields,
    ) -> Result<Option<Self>, Fault> {
        let wanted = fields.get("organisation");
        if wanted.is_empty() {
            return Ok(None);
        }
        let id = wanted.parse().map_err(|_| Fault::NotFound("organisation"))?;
        let view = organisation::find(office, actor, id).await?;
        Ok((id != actor.organisation).then_some(Self { id, name: view.name }))
    }

    /// An address that keeps it.
    pub(super) fn keep(about: Option<&Self>, address: &str) -> String {
        match about {
            Some(about) => {
                let join = if address.contains('?') { '&' } else { '?' };
                format!("{address}{join}organisation={}", show::encode(&about.id.to_string()))
            }
            None => address.to_owned(),
        }
    }

    /// The same inside a form.
    pub(super) fn field(about: Option<&Self>) -> Markup {
        html! {
            @if let Some(about) = about {
                input type="hidden" name="organisation" value=(about.id.to_string());
            }
        }
    }
}

/// The tabs above all pages of settings.
pub(super) fn tabs(words: &Words, about: Option<&About>, here: &str) -> Markup {
    let tab = |path: String, name: String, own: &str| {
        let current = (own == here).then_some("page");
        html! { li { a href=(About::keep(about, &path)) aria-current=[current] { (name) } } }
    };
    html! {
        nav.tabs aria-label=(words.say(words::SETTINGS_TITLE)) {
            ul {
                @for group in GROUPS {
                    (tab(format!("/settings/{group}"), words.setting_group(group), group))
                }
                (tab("/settings/branding".to_owned(), words.say(words::BRANDING_TITLE), "branding"))
                (tab("/settings/modules".to_owned(), words.say(words::MODULES_TITLE), "modules"))
            }
        }
    }
}

/// The head of a page of settings.
pub(super) fn head(words: &Words, about: Option<&About>, here: &str) -> Markup {
    html! {
        h1 {
            (words.say(words::SETTINGS_TITLE))
            @if let Some(about) = about { " · " (about.name) }
        }
        (tabs(words, about, here))
    }
}

fn group(name: &str) -> Result<(&'static str, Vec<&'static Setting>), Fault> {
    let group = GROUPS.iter().find(|group| **group == name).ok_or(Fault::NotFound("page"))?;
    Ok((group, ALL.iter().copied().filter(|setting| setting.group() == *group).collect()))
}

/// `GET /settings`
pub(super) async fn first(_: Signed) -> HttpResponse {
    page::go(&format!("/settings/{}", GROUPS[0]))
}

/// `GET /settings/{group}`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
    name: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let (name, keys) = group(&name)?;
        let query = Fields::of_query(&request);
        let about = About::of(&office, &signed.actor, &query).await?;
        let id = about.as_ref().map(|about| about.id);
        let view = setting::list(&office, &signed.actor, id).await?;
        let form = SettingForm::of(&view, &keys);
        let notice = Notice::from_word(query.get("done"));
        let body = render(&signed.viewer, about.as_ref(), name, &view, &form, notice);
        Ok(page::send(StatusCode::OK, body))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /settings/{group}`
pub(super) async fn change(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    name: Path<String>,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let words = &signed.viewer.words;
    let result = async {
        let (name, keys) = group(&name)?;
        let about = About::of(&office, &signed.actor, &fields).await?;
        let id = about.as_ref().map(|about| about.id);
        let view = setting::list(&office, &signed.actor, id).await?;
        let form = SettingForm::of(&view, &keys);
        let change = form.change(&fields, false);
        let expected = fields.get("version").parse().ok();
        let address = About::keep(about.as_ref(), &format!("/settings/{name}"));
        match setting::patch(&office, &signed.actor, id, &change, expected).await {
            Ok(_) => Ok(page::go(&Notice::SettingsChanged.after(&address))),
            Err(Fault::Stale) => Ok(page::go(&Notice::Stale.after(&address))),
            Err(fault) => {
                let status = Problem::status(&fault).0;
                let form = form.sent(&fields).refused(words, fault)?;
                let body = render(&signed.viewer, about.as_ref(), name, &view, &form, None);
                Ok(page::send(status, body))
            }
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render(
    viewer: &Viewer,
    about: Option<&About>,
    group: &str,
    view: &View,
    form: &SettingForm<'_>,
    notice: Option<Notice>,
) -> Markup {
    let words = &viewer.words;
    let body = html! {
        (head(words, about, group))
        @if group == "mail" {
            p { a href="/mail-servers" { (words.say(words::MAIL_SERVER_OWN)) } }
        }
        form.card method="post" action=(format!("/settings/{group}")) {
            (page::csrf(viewer))
            (About::field(about))
            input type="hidden" name="version" value=(view.version);
            (form.problems(words))
            // The first button is the one that Enter presses: not a reset.
            button.unseen type="submit" tabindex="-1" { (words.say(words::FORM_SAVE)) }
            (form.fields(words, true))
            div.actions { button type="submit" { (words.say(words::FORM_SAVE)) } }
        }
    };
    page::page(viewer, Some(PLACE), &words.setting_group(group), notice, &body)
}
