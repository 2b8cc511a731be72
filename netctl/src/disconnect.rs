//! `netctl disconnect LOGIN`: ends every live session of a login.

use model::control::{CoaOutcome, DisconnectQuery, Disconnected};

use crate::ask::Ask;
use crate::exit::{DONE, Ended, NO, put, put_json};
use crate::output::{Cell, Colour, Column, Style, Table};

/// Arguments of `disconnect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose sessions to end
    login: String,

    #[command(flatten)]
    ask: Ask,
}

/// Asks `aaad` to send Disconnect-Requests and prints what came of each.
pub(crate) async fn main(args: Args) -> Ended {
    let query = DisconnectQuery { login: args.login };
    let answer: Disconnected = args.ask.call("aaad", "disconnect", &query).await?;
    if args.ask.json {
        put_json(&answer)?;
    } else if answer.sessions.is_empty() {
        eprintln!("netctl: no live session of {}", query.login);
    } else {
        put(&show(&answer, &Style::of_stdout()))?;
    }
    Ok(code(&answer))
}

fn code(answer: &Disconnected) -> u8 {
    let gone = answer.sessions.iter().all(|one| one.outcome == CoaOutcome::Acknowledged);
    if gone && !answer.sessions.is_empty() { DONE } else { NO }
}

fn show(answer: &Disconnected, style: &Style) -> String {
    let mut table = Table::new(&[
        Column::text("NAS"),
        Column::text("SESSION"),
        Column::whole("RESULT"),
        Column::text("DETAIL"),
    ]);
    for one in &answer.sessions {
        let (colour, word) = match one.outcome {
            CoaOutcome::Acknowledged => (Colour::Good, "acknowledged"),
            CoaOutcome::Refused => (Colour::Bad, "refused"),
            CoaOutcome::Unknown => (Colour::Warning, "unknown"),
            CoaOutcome::NotSent => (Colour::Bad, "not sent"),
        };
        table.row([
            Cell::from(&one.nas_name),
            Cell::from(&one.acct_session_id),
            Cell::coloured(colour, word),
            Cell::from(&one.detail),
        ]);
    }
    table.show(style)
}

#[cfg(test)]
mod tests {
    use model::control::CoaReport;

    use super::*;

    fn report(outcome: CoaOutcome) -> CoaReport {
        CoaReport {
            nas_name: "bng1".to_owned(),
            acct_session_id: "81000001".to_owned(),
            outcome,
            detail: "Error-Cause 503".to_owned(),
        }
    }

    #[test]
    fn only_acknowledged_sessions_are_success() {
        let of = |outcomes: &[CoaOutcome]| {
            code(&Disconnected { sessions: outcomes.iter().map(|one| report(*one)).collect() })
        };
        assert_eq!(of(&[CoaOutcome::Acknowledged, CoaOutcome::Acknowledged]), DONE);
        assert_eq!(of(&[CoaOutcome::Acknowledged, CoaOutcome::Unknown]), NO);
        assert_eq!(of(&[]), NO);
    }

    #[test]
    fn each_result_is_one_line() {
        let answer = Disconnected { sessions: vec![report(CoaOutcome::Refused)] };
        let text = show(&answer, &Style::default());
        assert!(text.ends_with("bng1  81000001  refused  Error-Cause 503\n"), "{text}");
    }
}
