//! `netctl nas`: who asks, how they sign, and who was turned away.

use model::control::{NasListing, NasState, UnknownListing};
use model::nas::{SIGNED_IN_A_ROW, Signing};
use model::{Clock, SystemClock, Ts};

use crate::ask::Ask;
use crate::exit::{DONE, Ended, put, put_json};
use crate::output::{Cell, Colour, Column, Style, Table, span};

/// Arguments of `nas`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,

    #[command(flatten)]
    ask: Ask,
}

/// What else to list.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Addresses whose packets were dropped: not registered, or with a wrong secret
    Unknown {
        #[command(flatten)]
        ask: Ask,
    },
}

/// Asks `aaad` and prints a table.
pub(crate) async fn main(args: Args) -> Ended {
    let style = Style::of_stdout();
    if let Some(Verb::Unknown { ask }) = args.verb {
        let answer: UnknownListing = ask.call("aaad", "nas_unknown", &()).await?;
        if ask.json {
            put_json(&answer)?;
        } else {
            put(&show_unknown(&answer, SystemClock.now(), &style))?;
        }
        return Ok(DONE);
    }
    let answer: NasListing = args.ask.call("aaad", "nas", &()).await?;
    if args.ask.json {
        put_json(&answer)?;
    } else {
        put(&show(&answer, &style))?;
    }
    Ok(DONE)
}

fn show(answer: &NasListing, style: &Style) -> String {
    if answer.nas.is_empty() {
        return "No NAS is registered. One is added in the console, or by the API.\n".to_owned();
    }
    let mut table = Table::new(&[
        Column::text("NAS"),
        Column::whole("ADDRESS"),
        Column::text("VENDOR"),
        Column::text("UNSIGNED REQUESTS"),
        Column::number("PASSED"),
        Column::number("DROPPED"),
    ]);
    for nas in &answer.nas {
        table.row([
            Cell::from(if nas.name.is_empty() { "-" } else { nas.name.as_str() }),
            Cell::from(&nas.source),
            Cell::from(&nas.vendor),
            signing(nas),
            Cell::from(nas.unsigned.to_string()),
            Cell::from(nas.refused.to_string()),
        ]);
    }
    table.show(style)
}

fn signing(nas: &NasState) -> Cell {
    match (nas.mode, nas.required) {
        (Signing::Require, _) => Cell::coloured(Colour::Good, "dropped"),
        (_, true) => Cell::coloured(Colour::Good, "dropped, as was learnt"),
        (Signing::Warn, _) => Cell::coloured(Colour::Warning, "pass, by decision"),
        (Signing::Learn, _) if nas.signed > 0 => {
            Cell::from(format!("learning: {} of {SIGNED_IN_A_ROW} signed", nas.signed))
        }
        (Signing::Learn, _) if nas.unsigned > 0 => {
            Cell::coloured(Colour::Warning, "learning: the last was unsigned")
        }
        (Signing::Learn, _) => Cell::from("learning"),
    }
}

fn show_unknown(answer: &UnknownListing, now: Ts, style: &Style) -> String {
    if answer.senders.is_empty() {
        return "Nobody was turned away.\n".to_owned();
    }
    let mut table = Table::new(&[
        Column::whole("ADDRESS"),
        Column::text("WHY"),
        Column::number("PACKETS"),
        Column::number("FIRST"),
        Column::number("LAST"),
    ]);
    for sender in &answer.senders {
        let why = match sender.reason.as_str() {
            "unknown_client" => "not registered",
            "bad_authenticator" => "wrong secret, or altered on the way",
            other => other,
        };
        table.row([
            Cell::from(sender.address.to_string()),
            Cell::from(why),
            Cell::from(sender.packets.to_string()),
            Cell::from(format!("{} ago", span(now.since(sender.first_seen)))),
            Cell::from(format!("{} ago", span(now.since(sender.last_seen)))),
        ]);
    }
    table.show(style)
}

#[cfg(test)]
mod tests {
    use model::control::UnknownSender;

    use super::*;

    #[test]
    fn a_nas_says_what_becomes_of_its_unsigned_requests() {
        let nas = |mode, required, signed, unsigned| NasState {
            nas: None,
            name: "bng1".to_owned(),
            source: "192.0.2.1".to_owned(),
            vendor: "mikrotik".to_owned(),
            mode,
            required,
            signed,
            unsigned,
            refused: 0,
        };
        for (state, word) in [
            (nas(Signing::Require, true, 0, 0), "dropped"),
            (nas(Signing::Learn, true, 100, 0), "dropped, as was learnt"),
            (nas(Signing::Learn, false, 7, 0), "learning: 7 of 100 signed"),
            (nas(Signing::Learn, false, 0, 3), "learning: the last was unsigned"),
            (nas(Signing::Warn, false, 0, 3), "pass, by decision"),
        ] {
            let text = show(&NasListing { nas: vec![state] }, &Style::default());
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn who_was_turned_away_is_told_with_the_reason() {
        let sender = UnknownSender {
            address: [192, 0, 2, 9].into(),
            reason: "unknown_client".to_owned(),
            packets: 12,
            first_seen: Ts::from_seconds(0),
            last_seen: Ts::from_seconds(60),
        };
        let answer = UnknownListing { senders: vec![sender] };
        let text = show_unknown(&answer, Ts::from_seconds(120), &Style::default());
        assert!(text.contains("192.0.2.9") && text.contains("not registered"), "{text}");
        assert!(text.contains("12"), "{text}");
    }
}
