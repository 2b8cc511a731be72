//! `netctl auth-log`: the last logins, refused or not, as `aaad` remembers them.

use std::time::Duration;

use model::control::{AuthLog, AuthLogEntry, AuthLogQuery};

use crate::ask::Ask;
use crate::exit::{DONE, Ended, put, put_json};
use crate::output::{Cell, Colour, Column, Style, Table, plain};

/// How often the log is asked for what is new.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// Arguments of `auth-log`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Go on with what comes
    #[arg(long, short)]
    follow: bool,

    /// Only this login
    #[arg(long)]
    login: Option<String>,

    /// Only this NAS, by id or name
    #[arg(long)]
    nas: Option<String>,

    /// Only this reason, such as wrong_password; accepted for logins that were let in
    #[arg(long)]
    reason: Option<String>,

    /// At most this many of the last ones [default: 100]
    #[arg(long, short = 'n', value_name = "N")]
    lines: Option<usize>,

    #[command(flatten)]
    ask: Ask,
}

/// Asks `aaad`, and goes on asking where that is wanted.
pub(crate) async fn main(args: Args) -> Ended {
    let mut query = AuthLogQuery {
        after: None,
        login: args.login,
        nas: args.nas,
        reason: args.reason,
        limit: args.lines,
    };
    let style = Style::of_stdout();
    let mut answer: AuthLog = args.ask.call("aaad", "auth_log", &query).await?;
    if !args.follow {
        if args.ask.json {
            put_json(&answer)?;
        } else {
            put(&show(&answer, &style))?;
        }
        return Ok(DONE);
    }
    query.limit = Some(usize::MAX);
    loop {
        for entry in &answer.entries {
            if args.ask.json {
                put(&format!("{}\n", serde_json::json!(entry)))?;
            } else {
                put(&line(entry, &style))?;
            }
        }
        query.after = Some(answer.newest);
        tokio::select! {
            // The daemon answers questions and calls nobody: what follows a log asks again.
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(DONE),
        }
        answer = args.ask.call("aaad", "auth_log", &query).await?;
        // A restarted aaad counts from one again.
        if query.after.is_some_and(|after| answer.newest < after) {
            query.after = None;
        }
    }
}

/// A second, in UTC.
fn moment(entry: &AuthLogEntry) -> String {
    let text = entry.at.to_string();
    let second = text.split('.').next().unwrap_or(&text);
    format!("{second}Z")
}

fn outcome(entry: &AuthLogEntry) -> (Colour, &'static str) {
    match entry.reason {
        None => (Colour::Good, "accepted"),
        Some(reason) => (Colour::Bad, reason.as_str()),
    }
}

fn line(entry: &AuthLogEntry, style: &Style) -> String {
    let (colour, word) = outcome(entry);
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { plain(text) };
    format!(
        "{}  {}  {}  {}  {}\n",
        moment(entry),
        style.paint(colour, word),
        or_dash(&entry.login),
        or_dash(&entry.station),
        or_dash(&entry.nas_name)
    )
}

fn show(answer: &AuthLog, style: &Style) -> String {
    if answer.entries.is_empty() {
        return "No login matches since aaad started. The API keeps refusals for longer: \
            GET /api/v1/auth-log\n"
            .to_owned();
    }
    let mut table = Table::new(&[
        Column::whole("WHEN (UTC)"),
        Column::whole("RESULT"),
        Column::text("LOGIN"),
        Column::text("STATION"),
        Column::text("NAS"),
    ]);
    for entry in &answer.entries {
        let (colour, word) = outcome(entry);
        table.row([
            Cell::from(moment(entry)),
            Cell::coloured(colour, word),
            Cell::from(&entry.login),
            Cell::from(&entry.station),
            Cell::from(&entry.nas_name),
        ]);
    }
    table.show(style)
}

#[cfg(test)]
mod tests {
    use model::Ts;
    use model::reject::RejectReason;

    use super::*;

    fn entry(reason: Option<RejectReason>) -> AuthLogEntry {
        AuthLogEntry {
            number: 1,
            at: Ts::from_seconds(1_772_357_400),
            login: "as\u{1b}ha".to_owned(),
            station: String::new(),
            nas_name: "bng1".to_owned(),
            reason,
        }
    }

    #[test]
    fn a_login_is_one_line_and_cannot_paint_the_terminal() {
        let text = line(&entry(Some(RejectReason::WrongPassword)), &Style::default());
        assert!(text.starts_with("2026-03-01T09:30:00Z  wrong_password  as"), "{text}");
        assert!(text.ends_with("  -  bng1\n") && !text.contains('\u{1b}'), "{text:?}");
        let answer = AuthLog { newest: 1, entries: vec![entry(None)] };
        let text = show(&answer, &Style::default());
        assert!(text.contains("accepted") && !text.contains('\u{1b}'), "{text:?}");
    }
}
