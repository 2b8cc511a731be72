//! What the vendors in use do not carry of a plan or a service, on its page.

use maud::{Markup, html};
use serde_json::Value as Json;

use super::guard::Signed;
use super::words::{self, Key, Words};
use crate::domain::{Fault, Office};
use crate::entity::{Entity, read};

/// Of a plan: every vendor in use.
pub(super) async fn of_plan(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    let row = row(office, signed, entity, id).await?;
    Ok(plan(&signed.viewer.words, entity, &row["vendor_fit"]))
}

/// Of a service: what does not work as it is set up.
pub(super) async fn of_service(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    let row = row(office, signed, entity, id).await?;
    Ok(service(&signed.viewer.words, entity, &row["warnings"]))
}

async fn row(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Json, Fault> {
    let (mut row, _) = read::find(office, &signed.actor, entity, entity.id(id)?).await?;
    let rows = std::slice::from_mut(&mut row);
    read::extend(office, &signed.actor, entity, rows).await?;
    Ok(row)
}

fn plan(words: &Words, entity: &Entity, fits: &Json) -> Markup {
    let empty = Vec::new();
    let fits = fits.as_array().unwrap_or(&empty);
    html! {
        section {
            h2 { (words.say(words::FIT_TITLE)) }
            @if fits.is_empty() {
                p.dim { (words.say(words::FIT_NONE)) }
            } @else {
                p.dim { (words.say(words::FIT_INTRO)) }
                div.table { table role="table" aria-label=(words.say(words::FIT_TITLE)) {
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" scope="col" { (words.say(words::FIT_VENDOR)) }
                        th role="columnheader" scope="col" { (words.say(words::FIT_STATE)) }
                        th role="columnheader" scope="col" { (words.say(words::FIT_FINDINGS)) }
                    } }
                    tbody role="rowgroup" { @for fit in fits { (line(words, entity, fit)) } }
                } }
            }
        }
    }
}

fn line(words: &Words, entity: &Entity, fit: &Json) -> Markup {
    let empty = Vec::new();
    let findings = fit["findings"].as_array().unwrap_or(&empty);
    let (tone, state) = match (fit["fits"].as_bool(), findings.is_empty()) {
        (Some(true), true) => ("badge good", words::FIT_FITS),
        (Some(true), false) => ("badge warn", words::FIT_PARTLY),
        _ => ("badge bad", words::FIT_REFUSES),
    };
    html! {
        tr role="row" {
            th role="rowheader" scope="row" data-label=(words.say(words::FIT_VENDOR)) {
                (vendor(words, fit))
            }
            td role="cell" data-label=(words.say(words::FIT_STATE)) {
                span class=(tone) { (words.say(state)) }
            }
            td role="cell" data-label=(words.say(words::FIT_FINDINGS)) {
                @if findings.is_empty() { span.dim { (words.say(words::NONE)) } }
                @else { ul.bare { @for one in findings { li { (finding(words, entity, one)) } } } }
            }
        }
    }
}

fn service(words: &Words, entity: &Entity, warnings: &Json) -> Markup {
    let empty = Vec::new();
    // What is left out is told at the plan; here stands what refuses the login.
    let warnings = warnings.as_array().unwrap_or(&empty).iter();
    let warnings: Vec<&Json> = warnings.filter(|one| one["refuses"] == true).collect();
    html! {
        @if !warnings.is_empty() {
            div.notice.warning role="status" {
                p { (words.say(words::FIT_WARNINGS)) }
                ul {
                    @for one in warnings {
                        li { (vendor(words, one)) " · " (finding(words, entity, one)) }
                    }
                }
            }
        }
    }
}

fn vendor(words: &Words, of: &Json) -> String {
    words.choice(&crate::domain::nas::NAS, "vendor", of["vendor"].as_str().unwrap_or_default())
}

fn finding(words: &Words, entity: &Entity, finding: &Json) -> String {
    let field = finding["field"].as_str().unwrap_or_default();
    let field = words.field(entity, field);
    let why = words.say(why(finding["reason"].as_str().unwrap_or_default()));
    let key = match finding["refuses"].as_bool() {
        Some(true) => words::FIT_FINDING,
        _ => words::FIT_LEFT_OUT,
    };
    words.say_with(key, &[("field", field.into()), ("why", why.into())])
}

fn why(reason: &str) -> Key {
    match reason {
        "ipv6_not_carried" => words::FIT_IPV6_NOT_CARRIED,
        "too_high" => words::FIT_TOO_HIGH,
        "zero" => words::FIT_ZERO,
        "not_whole" => words::FIT_NOT_WHOLE,
        "one_sided" => words::FIT_ONE_SIDED,
        "no_name" => words::FIT_NO_NAME,
        "name_is_plans" => words::FIT_NAME_IS_PLANS,
        "shaper" => words::FIT_SHAPER,
        "cannot_lift" => words::FIT_CANNOT_LIFT,
        "not_live" => words::FIT_NOT_LIVE,
        "too_long" => words::FIT_TOO_LONG,
        "packet_full" => words::FIT_PACKET_FULL,
        _ => words::FIT_NOT_CARRIED,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_shows_each_vendor_with_what_it_does_not_carry() {
        let words = Words::english();
        let fits = json!([
            {"vendor": "mikrotik", "fits": true, "findings": []},
            {"vendor": "nokia", "fits": false, "findings": [
                {"field": "download_bps", "reason": "no_name", "refuses": true},
            ]},
            {"vendor": "generic", "fits": true, "findings": [
                {"field": "priority", "reason": "not_carried", "refuses": false},
            ]},
        ]);
        let text = plan(&words, &crate::domain::plan::PLAN, &fits).into_string();
        for part in [
            "MikroTik RouterOS",
            "Download: it takes the name of a profile, and none is given.",
            "Priority: left out, since no attribute carries it.",
            "badge bad",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let none = service(&words, &crate::domain::service::SERVICE, &json!([])).into_string();
        assert_eq!(none, "");
    }
}
