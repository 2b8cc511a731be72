//! `netctl status`: how the programs are.

use std::time::Duration;

use model::control::{FactState, Status};
use model::{Clock, SystemClock, Ts};
use serde::Serialize;

use crate::ask::Ask;
use crate::exit::{DONE, Ended, NO, put, put_json};
use crate::output::{Cell, Colour, Column, Style, Table, plain, span};

/// The programs, in the order a packet meets them.
const PROGRAMS: [&str; 3] = ["aaad", "policyd", "billing-api"];

/// A program that takes longer than this to say how it is, is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    ask: Ask,
}

/// How one program is.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Report {
    Up(Status),
    Down { program: &'static str, ready: bool, error: String },
}

impl Report {
    fn is_ready(&self) -> bool {
        matches!(self, Self::Up(status) if status.ready)
    }
}

/// Asks all programs at once and prints a block for each.
pub(crate) async fn main(args: Args) -> Ended {
    let [aaad, policyd, billing] = PROGRAMS.map(|program| report(&args.ask, program));
    let (aaad, policyd, billing) = tokio::join!(aaad, policyd, billing);
    let reports = [aaad, policyd, billing];
    if args.ask.json {
        put_json(&reports)?;
    } else {
        let style = Style::of_stdout();
        let now = SystemClock.now();
        let blocks: Vec<String> = reports.iter().map(|report| show(report, now, &style)).collect();
        put(&blocks.join("\n"))?;
    }
    Ok(if reports.iter().all(Report::is_ready) { DONE } else { NO })
}

async fn report(ask: &Ask, program: &'static str) -> Report {
    let error = match tokio::time::timeout(PATIENCE, ask.call(program, "status", &())).await {
        Ok(Ok(status)) => return Report::Up(status),
        Ok(Err(error)) => daemon::exit::chain(&error),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    Report::Down { program, ready: false, error }
}

fn show(report: &Report, now: Ts, style: &Style) -> String {
    let status = match report {
        Report::Up(status) => status,
        Report::Down { program, error, .. } => {
            let program = style.paint(Colour::Strong, program);
            let down = style.paint(Colour::Bad, "down");
            return format!("{program}  {down}\n  {}\n", plain(error));
        }
    };
    let state = match status.ready {
        true => style.paint(Colour::Good, "ready"),
        false => style.paint(Colour::Bad, "not ready"),
    };
    let since = format!("{}, for {}", plain(&status.version), span(now.since(status.started)));
    let program = style.paint(Colour::Strong, &plain(&status.program));
    let mut out = format!("{program}  {state}  {}\n", style.paint(Colour::Faint, &since));
    let mut facts = Table::new(&[Column::whole(""), Column::whole(""), Column::text("")]);
    for fact in &status.facts {
        let (colour, note) = match fact.state {
            FactState::Good => (Colour::Good, ""),
            FactState::Warning => (Colour::Warning, "look: "),
            FactState::Bad => (Colour::Bad, "BAD: "),
        };
        let value = Cell::coloured(colour, &format!("{note}{}", fact.value));
        facts.row(["".into(), Cell::from(&fact.name), value]);
    }
    out.push_str(&facts.show(style));
    out
}

#[cfg(test)]
mod tests {
    use model::control::Fact;

    use super::*;

    #[test]
    fn a_block_tells_state_and_facts_without_colours_too() {
        let status = Status {
            program: "aaad".to_owned(),
            version: "0.1.0".to_owned(),
            started: Ts::from_seconds(1000),
            ready: true,
            facts: vec![
                Fact::good("listening", "0.0.0.0:1812"),
                Fact::warn_unless(false, "RADIUS clients", "0, 0 NAS"),
            ],
        };
        let text = show(&Report::Up(status), Ts::from_seconds(1090), &Style::default());
        assert_eq!(
            text,
            "aaad  ready  0.1.0, for 1 min\n  \
             listening       0.0.0.0:1812\n  \
             RADIUS clients  look: 0, 0 NAS\n"
        );
    }

    #[tokio::test]
    async fn a_program_that_does_not_answer_is_down() {
        let folder = tempfile::tempdir().unwrap();
        let ask = Ask { run: Some(folder.path().to_owned()), json: false };
        let report = report(&ask, "policyd").await;
        assert!(!report.is_ready());
        let text = show(&report, Ts::from_seconds(0), &Style::default());
        assert!(text.starts_with("policyd  down\n  nothing listens on "), "{text}");
    }
}
