//! The ways into a service, on its page: what there is, what can be added and taken away.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::identity::{IdentityKind, MacAddress};
use model::{NasId, ServiceId};

use super::failure::Failure;
use super::form::{Body, Filled, Input};
use super::guard::{Post, Signed};
use super::page::{self, Column, Notice, Place, Viewer};
use super::services::service_id;
use super::words;
use crate::domain::{Fault, Office, PAGE_MAX, identity, nas, service};
use crate::http::Problem;

const KIND: Input = Input::new("kind", words::IDENTITY_KIND);
const VALUE: Input = Input::new("value", words::IDENTITY_VALUE);
const NAS: Input = Input::new("nas_id", words::IDENTITY_NAS).optional();
const PASSWORD: Input = Input::new("password", words::IDENTITY_PASSWORD)
    .kind("password")
    .autocomplete("new-password")
    .optional();
const INPUTS: [Input; 4] = [KIND, VALUE, NAS, PASSWORD];

/// The section on the page of a service.
pub(super) async fn section(
    office: &Office,
    signed: &Signed,
    service: &service::View,
) -> Result<Markup, Fault> {
    let edit = signed.actor.rights.has("services.edit");
    let nas = if edit { nas_of(office, signed).await? } else { Vec::new() };
    Ok(render(&signed.viewer, service, edit, &nas))
}

/// `POST /services/{id}/identities`
pub(super) async fn add(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let id = service_id(&id)?;
        let mut body = Body::default()
            .text(&post.fields, "kind")
            .text(&post.fields, "value")
            .secret(&post.fields, "password");
        if !post.fields.get("nas_id").is_empty() {
            body = body.text(&post.fields, "nas_id");
        }
        let signed = &post.signed;
        let fault = match identity::New::parse(&body.octets()) {
            Ok(new) => match identity::add(&office, &signed.actor, id, new, None).await {
                Ok(_) => {
                    let address = Notice::IdentityAdded.after(&format!("/services/{id}"));
                    return Ok(page::go(&address));
                }
                Err(fault) => fault,
            },
            Err(fault) => fault,
        };
        let status = Problem::status(&fault).0;
        let words = &signed.viewer.words;
        let filled = Filled::sent(&INPUTS, &post.fields).refused(words, &INPUTS, fault)?;
        let service = service::find(&office, &signed.actor, id).await?;
        let nas = nas_of(&office, signed).await?;
        Ok(page::send(status, again(&signed.viewer, &service, &nas, &filled)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// The form alone, with what is wrong with it.
fn again(
    viewer: &Viewer,
    service: &service::View,
    nas: &[(NasId, String)],
    filled: &Filled,
) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::IDENTITY_ADDING);
    let about = service.login.clone().unwrap_or_default();
    let back = format!("/services/{}", service.id);
    let body = html! {
        h1 { (title) }
        p { a href=(back) { (about) } }
        (form(viewer, &format!("{back}/identities"), nas, filled, true))
    };
    page::page(viewer, Some(Place::At("services")), &title, None, &body)
}

/// The NAS that a port can be one of, where the viewer may see any.
async fn nas_of(office: &Office, signed: &Signed) -> Result<Vec<(NasId, String)>, Fault> {
    if !signed.actor.rights.has("network.view") {
        return Ok(Vec::new());
    }
    let nas = nas::list(office, &signed.actor, None, PAGE_MAX).await?.rows;
    Ok(nas.into_iter().map(|nas| (nas.id, nas.name)).collect())
}

/// `POST /services/{id}/identities/{identity}/remove`
pub(super) async fn remove(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let (id, own) = path.into_inner();
        let id: ServiceId = service_id(&id)?;
        let own = own.parse().map_err(|_| Fault::NotFound("identity"))?;
        identity::remove(&office, &post.signed.actor, id, own, None).await?;
        Ok(page::go(&Notice::IdentityRemoved.after(&format!("/services/{id}"))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// A value as people write it.
fn value_of(own: &service::IdentityView, nas: &[(NasId, String)]) -> String {
    match own.kind {
        IdentityKind::Mac => match own.value.parse::<MacAddress>() {
            Ok(mac) => mac.to_string(),
            Err(_) => own.value.clone(),
        },
        IdentityKind::Port => match own.value.split_once('/') {
            Some((id, port)) => {
                let named = |(own, _): &&(NasId, String)| id.parse() == Ok(*own);
                let name = nas.iter().find(named).map_or(id, |(_, name)| name.as_str());
                format!("{name} {port}")
            }
            None => own.value.clone(),
        },
        IdentityKind::Login | IdentityKind::Circuit => own.value.clone(),
    }
}

fn render(viewer: &Viewer, service: &service::View, edit: bool, nas: &[(NasId, String)]) -> Markup {
    let words = &viewer.words;
    let at = format!("/services/{}/identities", service.id);
    let first = service.identities.iter().find(|own| own.kind == IdentityKind::Login);
    let columns = [
        Column::text(words, words::IDENTITY_VALUE),
        Column::text(words, words::IDENTITY_KIND),
        Column::text(words, words::IDENTITY_PASSWORD),
        Column::text(words, words::IDENTITY_CHANGE),
    ];
    let row = |own: &service::IdentityView| {
        let value = value_of(own, nas);
        let password = match own.has_credential {
            true => words::IDENTITY_WITH_PASSWORD,
            false => words::IDENTITY_WITHOUT_PASSWORD,
        };
        let removable = edit && first.is_none_or(|first| first.id != own.id);
        vec![
            html! { code { (value) } },
            html! { (words.identity(own.kind)) },
            html! { (words.say(password)) },
            match removable {
                true => remove_button(viewer, &format!("{at}/{}/remove", own.id), &value),
                false => html! { span.dim { (words.say(words::NONE)) } },
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = service.identities.iter().map(row).collect();
    html! {
        section {
            h2 { (words.say(words::IDENTITIES_TITLE)) }
            p.dim { (words.say(words::IDENTITIES_ABOUT)) }
            (page::table(&words.say(words::IDENTITIES_TITLE), &columns, &rows))
            @if edit { (form(viewer, &at, nas, &Filled::default(), false)) }
        }
    }
}

fn remove_button(viewer: &Viewer, at: &str, value: &str) -> Markup {
    let words = &viewer.words;
    let about = [("value", value.to_owned().into())];
    html! {
        form.inline method="post" action=(at) {
            (page::csrf(viewer))
            button.quiet type="submit"
                data-confirm=(words.say_with(words::IDENTITY_REMOVE_CONFIRM, &about)) {
                (words.say(words::IDENTITY_REMOVE)) span.unseen { " " (value) }
            }
        }
    }
}

/// `alone`: on a page of its own, where there is room for hints.
fn form(
    viewer: &Viewer,
    at: &str,
    nas: &[(NasId, String)],
    filled: &Filled,
    alone: bool,
) -> Markup {
    let words = &viewer.words;
    let kinds = [IdentityKind::Mac, IdentityKind::Circuit, IdentityKind::Port, IdentityKind::Login];
    let kinds: Vec<(String, String)> = kinds
        .into_iter()
        .filter(|kind| *kind != IdentityKind::Port || !nas.is_empty())
        .map(|kind| (kind.as_str().to_owned(), words.identity(kind)))
        .collect();
    let mut known = vec![(String::new(), words.say(words::IDENTITY_NO_NAS))];
    known.extend(nas.iter().map(|(id, name)| (id.to_string(), name.clone())));
    let fields = html! {
        (page::csrf(viewer))
        (filled.problems(words, &INPUTS))
        (filled.select(words, &KIND, &kinds, false))
        (filled.input(words, &VALUE))
        @if !nas.is_empty() { (filled.select(words, &NAS, &known, false)) }
        (filled.input(words, &PASSWORD))
        button type="submit" { (words.say(words::IDENTITY_ADD)) }
    };
    let hint = html! { p.dim { (words.say(words::IDENTITY_PASSWORD_HINT)) } };
    match alone {
        true => html! { form.card method="post" action=(at) { (fields) (hint) } },
        false => html! { form.filter method="post" action=(at) { (fields) } (hint) },
    }
}

#[cfg(test)]
mod tests {
    use model::{CustomerId, IdentityId, PlanId};

    use super::*;
    use crate::console::page::tests::viewer;
    use crate::console::services::tests::service;

    fn own(kind: IdentityKind, value: &str) -> service::IdentityView {
        let has_credential = kind == IdentityKind::Login;
        service::IdentityView {
            id: IdentityId::generate(),
            kind,
            value: value.to_owned(),
            has_credential,
        }
    }

    #[test]
    fn every_way_in_is_shown_as_people_write_it_and_the_own_login_stays() {
        let nas = NasId::generate();
        let mut service = service("asha", CustomerId::generate(), PlanId::generate());
        service.identities = vec![
            own(IdentityKind::Login, "asha"),
            own(IdentityKind::Mac, "020000000007"),
            own(IdentityKind::Circuit, "<olt1>"),
            own(IdentityKind::Port, &format!("{nas}/ether1")),
        ];
        let known = [(nas, "bng1".to_owned())];
        let text = render(&viewer(), &service, true, &known).into_string();
        for part in ["02:00:00:00:00:07", "&lt;olt1&gt;", "bng1 ether1", "asha"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(text.matches("/remove\"").count(), 3);
        let text = render(&viewer(), &service, false, &[]).into_string();
        assert!(!text.contains("<form"), "{text}");
    }

    #[test]
    fn what_is_wrong_with_a_way_in_stands_at_its_field() {
        let service = service("asha", CustomerId::generate(), PlanId::generate());
        let fields = [("kind", "mac"), ("value", "<aa:bb>"), ("password", "hunter2")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let sent = Filled::sent(&INPUTS, &super::super::guard::Fields(fields));
        let words = &viewer().words;
        let fault = Fault::field("/value", "is not a MAC address");
        let filled = sent.refused(words, &INPUTS, fault).unwrap();
        let text = again(&viewer(), &service, &[], &filled).into_string();
        assert!(text.contains("is not a MAC address") && text.contains("aria-invalid"), "{text}");
        assert!(text.contains("&lt;aa:bb&gt;") && !text.contains("hunter2"), "{text}");
        assert!(text.contains(r#"value="mac" selected"#), "{text}");
    }
}
