//! How full an address pool is, on its page.

use maud::{Markup, html};
use model::Ts;
use model::pool::{Part, Usage};
use serde_json::Value as Json;

use super::guard::Signed;
use super::show;
use super::words::{self, Key, Words};
use crate::domain::{Fault, Office};
use crate::entity::{Entity, read};

/// What `aaad` said last of the pool.
pub(super) async fn of_pool(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    let (mut row, _) = read::find(office, &signed.actor, entity, entity.id(id)?).await?;
    read::extend(office, &signed.actor, entity, std::slice::from_mut(&mut row)).await?;
    Ok(usage(&signed.viewer.words, &row["usage"]))
}

fn name(part: Part) -> Key {
    match part {
        Part::Ipv4 => words::POOL_PART_IPV4,
        Part::Ipv6 => words::POOL_PART_IPV6,
        Part::Delegated => words::POOL_PART_DELEGATED,
    }
}

fn usage(words: &Words, told: &Json) -> Markup {
    let part = |part: Part| {
        let usage: Usage = serde_json::from_value(told[part.as_str()].clone()).ok()?;
        Some((part, usage))
    };
    let parts: Vec<(Part, Usage)> = Part::ALL.into_iter().filter_map(part).collect();
    let at = told["at"].as_str().and_then(|at| at.parse::<Ts>().ok());
    let head = [
        words::POOL_PART,
        words::POOL_TAKEN,
        words::POOL_USED,
        words::POOL_OFFERED,
        words::POOL_RESTING,
        words::POOL_FIXED,
        words::POOL_FREE,
        words::POOL_TOTAL,
    ];
    html! {
        section {
            h2 { (words.say(words::POOL_USAGE)) }
            @if parts.is_empty() {
                p.dim { (words.say(words::POOL_USAGE_NONE)) }
            } @else {
                div.table { table role="table" aria-label=(words.say(words::POOL_USAGE)) {
                    thead role="rowgroup" { tr role="row" {
                        @for key in head {
                            th role="columnheader" scope="col" { (words.say(key)) }
                        }
                    } }
                    tbody role="rowgroup" {
                        @for (part, usage) in parts { (line(words, part, &usage)) }
                    }
                } }
                @if let Some(at) = at { p.dim { (words.say(words::POOL_USAGE_AT)) " " (show::time(words, at)) } }
            }
        }
    }
}

fn line(words: &Words, part: Part, usage: &Usage) -> Markup {
    let taken = usage.total.saturating_sub(usage.free);
    let percent = u64::from(taken) * 100 / u64::from(usage.total.max(1));
    let tone = match percent {
        0..80 => "badge good",
        80..95 => "badge warn",
        _ => "badge bad",
    };
    let cells = [
        (words::POOL_USED, usage.used),
        (words::POOL_OFFERED, usage.offered),
        (words::POOL_RESTING, usage.resting),
        (words::POOL_FIXED, usage.fixed),
        (words::POOL_FREE, usage.free),
        (words::POOL_TOTAL, usage.total),
    ];
    html! {
        tr role="row" {
            th role="rowheader" scope="row" data-label=(words.say(words::POOL_PART)) {
                (words.say(name(part)))
            }
            td role="cell" data-label=(words.say(words::POOL_TAKEN)) {
                span class=(tone) { (percent) " %" }
            }
            @for (key, units) in cells {
                td role="cell" data-label=(words.say(key)) { (show::count(units.into())) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pool_shows_each_part_it_has_and_how_full_that_is() {
        let words = Words::english();
        let full = Usage { total: 200, used: 150, offered: 10, free: 40, ..Usage::default() };
        let told = json!({"ipv4": full, "at": "2026-03-01T09:30:00Z"});
        let text = usage(&words, &told).into_string();
        assert!(text.contains("IPv4 addresses") && text.contains("badge warn"), "{text}");
        assert!(text.contains("80 %") && !text.contains("Delegated"), "{text}");
        let none = usage(&words, &Json::Null).into_string();
        assert!(none.contains("Nothing is known yet"), "{none}");
    }
}
