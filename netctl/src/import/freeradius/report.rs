//! The draft, for people and for programs. No secret is in either.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::apply::Done;
use super::draft::{Draft, Plan, Trouble, Weight, bps};
use crate::output::{Cell, Colour, Column, Style, Table, plain};

/// Lines of each kind that are shown; JSON has all of them.
const SHOWN: usize = 20;

/// For people.
pub(super) fn show(draft: &Draft, done: Option<&Done>, style: &Style) -> String {
    let mut out = String::new();
    nas(draft, style, &mut out);
    plans(draft, style, &mut out);
    services(draft, style, &mut out);
    troubles(draft, style, &mut out);
    homeless(draft, style, &mut out);
    let (rows, open) = draft.history;
    if rows > 0 {
        out.push_str(&format!(
            "\n{rows} accounting records, {open} of them of sessions without an end, stay where \
             they are: they are not imported.\n"
        ));
    }
    match done {
        None => out.push_str(
            "\nNothing was written. --apply makes all this; plans cost nothing until you give \
             them a price.\n",
        ),
        Some(done) => made(done, style, &mut out),
    }
    out
}

fn heading(style: &Style, text: &str) -> String {
    format!("{}\n", style.paint(Colour::Strong, text))
}

fn left_out(draft: &Draft, kind: &str) -> usize {
    let left = |trouble: &&Trouble| trouble.weight == Weight::LeftOut && trouble.kind == kind;
    draft.troubles.iter().filter(left).count()
}

fn nas(draft: &Draft, style: &Style, out: &mut String) {
    let text = format!("NAS: {} to make, {} left out", draft.nas.len(), left_out(draft, "nas"));
    out.push_str(&heading(style, &text));
    let mut table = Table::new(&[
        Column::text("NAME"),
        Column::whole("ADDRESS"),
        Column::whole("VENDOR"),
        Column::whole("UNSIGNED REQUESTS"),
    ]);
    for nas in draft.nas.iter().take(SHOWN) {
        table.row([
            Cell::from(&nas.name),
            nas.address.to_string().into(),
            nas.vendor.into(),
            signing(nas.requires_signature).1.into(),
        ]);
    }
    out.push_str(&table.show(style));
    more(draft.nas.len(), out);
}

/// Our word for it, and what it means.
pub(super) fn signing(required: bool) -> (&'static str, &'static str) {
    if required { ("require", "dropped") } else { ("learn", "taken until all are signed") }
}

fn plans(draft: &Draft, style: &Style, out: &mut String) {
    let text = format!("\nPlans: {} to make", draft.plans.len());
    out.push_str(&heading(style, &text));
    let mut table = Table::new(&[
        Column::text("NAME"),
        Column::number("DOWN"),
        Column::number("UP"),
        Column::number("SERVICES"),
        Column::text("BESIDES"),
    ]);
    for plan in draft.plans.iter().take(SHOWN) {
        let rate = |field: &str| {
            let rate = plan.fields.get(field).and_then(Value::as_u64);
            rate.map_or("not limited".to_owned(), bps)
        };
        table.row([
            Cell::from(&plan.name),
            rate("download_bps").into(),
            rate("upload_bps").into(),
            plan.services.to_string().into(),
            besides(plan).into(),
        ]);
    }
    out.push_str(&table.show(style));
    more(draft.plans.len(), out);
}

/// The fields of a plan besides its rates: `pool p1, interim_s 300`.
fn besides(plan: &Plan) -> String {
    let fields = plan.fields.iter().filter(|(name, _)| !name.ends_with("load_bps"));
    let shown = fields.map(|(name, value)| match value {
        Value::String(text) => format!("{name} {text}"),
        value => format!("{name} {value}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn services(draft: &Draft, style: &Style, out: &mut String) {
    let text = format!(
        "\nServices: {} to make, {} left out, of {} logins",
        draft.services.len(),
        left_out(draft, "service"),
        draft.logins
    );
    out.push_str(&heading(style, &text));
    let with = |field: &str| {
        draft.services.iter().filter(|service| service.fields.contains_key(field)).count()
    };
    let mut table = Table::new(&[Column::text(""), Column::number("")]);
    for (text, count) in [
        ("with an IPv4 address of their own", with("ipv4")),
        ("with a delegated prefix of their own", with("delegated_prefix")),
        ("with routes of their own", with("routes") + with("ipv6_routes")),
        ("with a speed of their own", with("download_bps").max(with("upload_bps"))),
        ("that end", with("expires_at")),
        ("tied to one NAS", draft.services.iter().filter(|s| s.nas.is_some()).count()),
        ("suspended, as Auth-Type := Reject", draft.services.iter().filter(|s| s.refused).count()),
    ] {
        if count > 0 {
            table.row([Cell::from(format!("  {text}")), count.to_string().into()]);
        }
    }
    out.push_str(&table.show(style));
}

fn troubles(draft: &Draft, style: &Style, out: &mut String) {
    for (weight, colour, title) in [
        (Weight::LeftOut, Colour::Bad, "Left out"),
        (Weight::Freer, Colour::Bad, "Let in where FreeRADIUS might have refused"),
        (Weight::Less, Colour::Warning, "Without something"),
        (Weight::Note, Colour::Faint, "Passed over"),
    ] {
        let all: Vec<&Trouble> =
            draft.troubles.iter().filter(|trouble| trouble.weight == weight).collect();
        if all.is_empty() {
            continue;
        }
        out.push_str(&format!("\n{}\n", style.paint(colour, &format!("{title}: {}", all.len()))));
        for trouble in all.iter().take(SHOWN) {
            let about = match trouble.name.is_empty() {
                true => String::new(),
                false => format!(" {} {}:", trouble.kind, trouble.name),
            };
            let line = plain(&format!("  {}:{about} {}", trouble.place, trouble.text));
            out.push_str(&format!("{line}\n"));
        }
        more(all.len(), out);
    }
}

fn homeless(draft: &Draft, style: &Style, out: &mut String) {
    if draft.homeless.is_empty() {
        return;
    }
    out.push('\n');
    out.push_str(&heading(style, "Attributes without a home"));
    let mut table = Table::new(&[
        Column::whole("ATTRIBUTE"),
        Column::number("USES"),
        Column::text("FIRST AT"),
        Column::text("BECAUSE"),
    ]);
    for (attribute, homeless) in &draft.homeless {
        table.row([
            Cell::from(attribute),
            homeless.uses.to_string().into(),
            homeless.first.to_string().into(),
            homeless.why.into(),
        ]);
    }
    out.push_str(&table.show(style));
}

fn more(all: usize, out: &mut String) {
    if all > SHOWN {
        out.push_str(&format!("  and {} more; --json shows all\n", all - SHOWN));
    }
}

fn made(done: &Done, style: &Style, out: &mut String) {
    out.push('\n');
    out.push_str(&heading(style, "Written"));
    let mut table = Table::new(&[
        Column::text(""),
        Column::number("MADE"),
        Column::number("CHANGED"),
        Column::number("THERE BEFORE"),
        Column::number("REFUSED"),
    ]);
    for (kind, count) in &done.counts {
        let numbers = [count.made, count.changed, count.there, count.refused];
        let cells = numbers.map(|number| Cell::from(number.to_string()));
        table.row([Cell::from(*kind)].into_iter().chain(cells));
    }
    out.push_str(&table.show(style));
}

/// For programs.
pub(super) fn as_json(draft: &Draft, done: Option<&Done>) -> Value {
    let nas: Vec<Value> = (draft.nas.iter())
        .map(|nas| {
            json!({
                "name": nas.name,
                "address": nas.address,
                "vendor": nas.vendor,
                "message_authenticator": signing(nas.requires_signature).0,
                "place": nas.place.to_string(),
            })
        })
        .collect();
    let plans: Vec<Value> = (draft.plans.iter())
        .map(|plan| {
            json!({
                "name": plan.name,
                "external_id": plan.external_id,
                "fields": plan.fields,
                "services": plan.services,
                "place": plan.place.to_string(),
            })
        })
        .collect();
    let services: Vec<Value> = (draft.services.iter())
        .map(|service| {
            json!({
                "login": service.login,
                "plan": draft.plans[service.plan].name,
                "fields": service.fields,
                "nas": service.nas,
                "suspended": service.refused,
                "place": service.place.to_string(),
            })
        })
        .collect();
    let troubles: Vec<Value> = (draft.troubles.iter())
        .map(|trouble| {
            json!({
                "weight": trouble.weight.as_str(),
                "kind": trouble.kind,
                "name": trouble.name,
                "place": trouble.place.to_string(),
                "text": trouble.text,
            })
        })
        .collect();
    let homeless: BTreeMap<&String, Value> = (draft.homeless.iter())
        .map(|(attribute, homeless)| {
            let first = homeless.first.to_string();
            (attribute, json!({"uses": homeless.uses, "because": homeless.why, "first": first}))
        })
        .collect();
    json!({
        "nas": nas,
        "plans": plans,
        "services": services,
        "troubles": troubles,
        "attributes_without_home": homeless,
        "accounting": {"records": draft.history.0, "open": draft.history.1},
        "written": done.map(Done::as_json),
    })
}

/// A file of what did not come over: CSV (RFC 4180) with a line for each.
pub(super) fn errors<'t>(troubles: impl Iterator<Item = &'t Trouble>) -> String {
    let mut out = "weight,kind,name,place,text\r\n".to_owned();
    for trouble in troubles {
        let place = trouble.place.to_string();
        let cells =
            [trouble.weight.as_str(), trouble.kind, &trouble.name, &place, trouble.text.as_str()];
        let line: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
        out.push_str(&line.join(","));
        out.push_str("\r\n");
    }
    out
}

/// Quoted, and without what a spreadsheet would work out: logins come from strangers.
fn csv_cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}
