//! The ways into a service, on its page: what there is, what can be added and taken away.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::identity::{IdentityKind, MacAddress};
use model::{NasId, ServiceId};

use super::failure::Failure;
use super::form::Body;
use super::guard::{Post, Signed};
use super::page::{self, Column, Notice, Viewer};
use super::services::service_id;
use super::words;
use crate::domain::{Fault, Office, PAGE_MAX, identity, nas, service};

/// The section on the page of a service.
pub(super) async fn section(
    office: &Office,
    signed: &Signed,
    service: &service::View,
) -> Result<Markup, Fault> {
    let edit = signed.actor.rights.has("services.edit");
    let nas = match edit && signed.actor.rights.has("network.view") {
        true => nas::list(office, &signed.actor, None, PAGE_MAX).await?.rows,
        false => Vec::new(),
    };
    let nas: Vec<(NasId, String)> = nas.into_iter().map(|nas| (nas.id, nas.name)).collect();
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
        let new = identity::New::parse(&body.octets())?;
        identity::add(&office, &post.signed.actor, id, new, None).await?;
        Ok(page::go(&Notice::IdentityAdded.after(&format!("/services/{id}"))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
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
            @if edit { (form(viewer, &at, nas)) }
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

fn form(viewer: &Viewer, at: &str, nas: &[(NasId, String)]) -> Markup {
    let words = &viewer.words;
    let kinds = [IdentityKind::Mac, IdentityKind::Circuit, IdentityKind::Port, IdentityKind::Login];
    html! {
        form.filter method="post" action=(at) {
            (page::csrf(viewer))
            div.field {
                label for="way-kind" { (words.say(words::IDENTITY_KIND)) }
                select id="way-kind" name="kind" {
                    @for kind in kinds {
                        @if kind != IdentityKind::Port || !nas.is_empty() {
                            option value=(kind.as_str()) { (words.identity(kind)) }
                        }
                    }
                }
            }
            div.field {
                label for="way-value" { (words.say(words::IDENTITY_VALUE)) }
                input id="way-value" name="value" required autocomplete="off"
                    autocapitalize="none" spellcheck="false";
            }
            @if !nas.is_empty() {
                div.field {
                    label for="way-nas" { (words.say(words::IDENTITY_NAS)) }
                    select id="way-nas" name="nas_id" {
                        option value="" { (words.say(words::IDENTITY_NO_NAS)) }
                        @for (id, name) in nas { option value=(id) { (name) } }
                    }
                }
            }
            div.field {
                label for="way-password" { (words.say(words::IDENTITY_PASSWORD)) }
                input id="way-password" name="password" type="password"
                    autocomplete="new-password" aria-describedby="way-password-hint";
            }
            button type="submit" { (words.say(words::IDENTITY_ADD)) }
        }
        p.dim id="way-password-hint" { (words.say(words::IDENTITY_PASSWORD_HINT)) }
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
}
