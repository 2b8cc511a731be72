//! NAS: the devices subscribers connect to.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::Ts;
use model::nas::{COA_PORT, Vendor};

use super::failure::Failure;
use super::form::{Body, Filled, Input};
use super::guard::{Fields, Post, Signed};
use super::page::{self, Column, Notice, Place, Viewer};
use super::show;
use super::words::{self, Words};
use crate::domain::{Fault, Office, PAGE_DEFAULT, Page, nas};
use crate::http::Problem;

const NAME: Input = Input::new("name", words::NAS_NAME).hint(words::NAS_NAME_HINT);
const ADDRESS: Input = Input::new("address", words::NAS_ADDRESS).hint(words::NAS_ADDRESS_HINT);
const SECRET: Input = Input::new("secret", words::NAS_SECRET)
    .kind("password")
    .hint(words::NAS_SECRET_HINT)
    .autocomplete("new-password");
const VENDOR: Input = Input::new("vendor", words::NAS_VENDOR);
const COA: Input = Input::new("coa_port", words::NAS_COA_PORT)
    .kind("decimal")
    .hint(words::NAS_COA_PORT_HINT)
    .optional();
pub(super) const INPUTS: [Input; 5] = [NAME, ADDRESS, SECRET, VENDOR, COA];

/// `GET /nas`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let query = Fields::of_query(&request);
    let after = Some(query.get("cursor")).filter(|cursor| !cursor.is_empty());
    let listed = nas::list(&office, &signed.actor, after, PAGE_DEFAULT).await;
    let page = listed.map_err(|fault| Failure::new(&request, fault))?;
    let notice = Notice::from_word(query.get("done"));
    let body = render(&signed.viewer, office.now(), &page, after.is_some(), notice);
    Ok(page::send(StatusCode::OK, body))
}

/// `GET /nas/new`
pub(super) async fn form(signed: Signed) -> HttpResponse {
    page::send(StatusCode::OK, render_form(&signed.viewer, &starting()))
}

/// What a new NAS starts from.
pub(super) fn starting() -> Filled {
    let port = COA_PORT.to_string();
    Filled::starting(&[("vendor", Vendor::Mikrotik.as_str()), ("coa_port", port.as_str())])
}

/// `POST /nas`
pub(super) async fn create(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let created = async {
        let new = nas::New::parse(&body(&fields))?;
        nas::create(&office, &signed.actor, new).await
    };
    let fault = match created.await {
        Ok(_) => return Ok(page::go(&Notice::NasCreated.after("/nas"))),
        Err(fault) => fault,
    };
    let status = Problem::status(&fault).0;
    let filled = Filled::sent(&INPUTS, &fields).refused(&signed.viewer.words, &INPUTS, fault);
    let filled = filled.map_err(|fault: Fault| Failure::new(&request, fault))?;
    Ok(page::send(status, render_form(&signed.viewer, &filled)))
}

pub(super) fn body(fields: &Fields) -> Vec<u8> {
    let port = fields.get("coa_port");
    // What is not a number goes on as the text it is: the rule says what is wrong with it.
    let port = (!port.is_empty())
        .then(|| port.parse::<i64>().map_or_else(|_| port.into(), serde_json::Value::from));
    Body::default()
        .text(fields, "name")
        .text(fields, "address")
        .secret(fields, "secret")
        .text(fields, "vendor")
        .value("coa_port", port)
        .octets()
}

fn vendor(words: &Words, vendor: Vendor) -> String {
    words.say(match vendor {
        Vendor::Mikrotik => words::NAS_VENDOR_MIKROTIK,
        Vendor::Generic => words::NAS_VENDOR_GENERIC,
    })
}

fn render(
    viewer: &Viewer,
    now: Ts,
    page: &Page<nas::View>,
    later: bool,
    notice: Option<Notice>,
) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::NAS_TITLE);
    let new = words.say(words::NAS_NEW);
    let columns = [
        Column::text(words, words::NAS_NAME),
        Column::text(words, words::NAS_ADDRESS),
        Column::text(words, words::NAS_VENDOR),
        Column::text(words, words::NAS_COA),
        Column::text(words, words::NAS_ORIGIN),
    ];
    let row = |nas: &nas::View| {
        let coa = if nas.accepts_coa {
            words.say_with(words::NAS_COA_ON, &[("port", nas.coa_port.to_string().into())])
        } else {
            words.say(words::NAS_COA_OFF)
        };
        let (at, how) = match nas.seen_at {
            Some(at) => (at, words::NAS_SEEN),
            None => (nas.created_at, words::NAS_REGISTERED),
        };
        vec![
            html! { (nas.name) },
            match nas.address {
                Some(address) => html! { code { (address) } },
                None => html! { span.dim { (words.say(words::NONE)) } },
            },
            html! { (vendor(words, nas.vendor)) },
            html! { @if let Some(at) = nas.coa_address { code { (at) } ", " } (coa) },
            html! { (show::ago(words, now, at)) " " small.dim { (words.say(how)) } },
        ]
    };
    let rows: Vec<Vec<Markup>> = page.rows.iter().map(row).collect();
    let body = html! {
        div.head {
            h1 { (title) }
            a.button href="/nas/new" { (new) }
        }
        @if rows.is_empty() {
            (page::empty(&words.say(words::NAS_EMPTY), Some(("/nas/new", &new))))
        } @else {
            (page::table(&title, &columns, &rows))
            (page::pager(words, "/nas", later, page.next.as_deref()))
        }
    };
    page::page(viewer, Some(Place::Nas), &title, notice, &body)
}

fn render_form(viewer: &Viewer, filled: &Filled) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::NAS_NEW);
    let body = html! {
        h1 { (title) }
        form.card method="post" action="/nas" {
            (page::csrf(viewer))
            (fields(words, filled))
            div.actions {
                button type="submit" { (words.say(words::NAS_CREATE)) }
                a.button.quiet href="/nas" { (words.say(words::FORM_CANCEL)) }
            }
        }
    };
    page::page(viewer, Some(Place::Nas), &title, None, &body)
}

/// The fields of a new NAS.
pub(super) fn fields(words: &Words, filled: &Filled) -> Markup {
    let vendors = Vendor::ALL.map(|v| (v.as_str().to_owned(), vendor(words, v)));
    html! {
        (filled.problems(words, &INPUTS))
        (filled.input(words, &NAME))
        (filled.input(words, &ADDRESS))
        (filled.input(words, &SECRET))
        (filled.select(words, &VENDOR, &vendors, false))
        (filled.input(words, &COA))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::{NasId, OrganisationId};

    use super::*;
    use crate::console::page::tests::viewer;

    fn nas(name: &str) -> nas::View {
        let at = "2026-03-01T09:30:00Z".parse().unwrap();
        nas::View {
            id: NasId::generate(),
            organisation_id: OrganisationId::generate(),
            name: name.to_owned(),
            address: Some("192.0.2.1".parse().unwrap()),
            vendor: Vendor::Mikrotik,
            coa_address: None,
            coa_port: 3799,
            accepts_coa: true,
            seen_at: None,
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let owned = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Fields(owned.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn the_list_shows_each_nas_and_without_any_the_next_step() {
        let now = "2026-03-01T09:33:00Z".parse().unwrap();
        let page = Page { rows: vec![nas("<b>bng</b>")], next: None };
        let text = render(&viewer(), now, &page, false, None).into_string();
        assert!(text.contains("&lt;b&gt;bng&lt;/b&gt;") && text.contains("MikroTik RouterOS"));
        assert!(text.contains("port 3799") && text.contains("3 min ago"));
        let none = Page { rows: vec![], next: None };
        let text = render(&viewer(), now, &none, false, None).into_string();
        assert!(text.contains("No NAS is registered yet."));
    }

    #[test]
    fn the_form_is_judged_by_the_rules_of_the_api() {
        let right = fields(&[
            ("name", "bng"),
            ("address", "192.0.2.1"),
            ("secret", " s "),
            ("vendor", "mikrotik"),
            ("coa_port", "3799"),
        ]);
        assert!(nas::New::parse(&body(&right)).is_ok());
        let wrong = fields(&[("address", "here"), ("vendor", "x"), ("coa_port", "99999")]);
        let fault = nas::New::parse(&body(&wrong)).unwrap_err();
        let words = Words::english();
        let filled = Filled::sent(&INPUTS, &wrong).refused(&words, &INPUTS, fault).unwrap();
        let text = render_form(&viewer(), &filled).into_string();
        for part in [
            "Name: is required.",
            "Shared secret: is required.",
            "Address: ",
            "Vendor: ",
            "CoA port: must be a whole number",
            r#"value="here""#,
            "5 fields need another look",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
