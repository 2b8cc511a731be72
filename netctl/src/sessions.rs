//! `netctl sessions`: who is online.

use model::control::{LiveSession, Sessions, SessionsQuery};
use model::units::{ShowOctets, ShowRate};
use model::{Clock, SystemClock, Ts};

use crate::ask::Ask;
use crate::exit::{DONE, Ended, put, put_json};
use crate::output::{Column, Style, Table, span};

/// Arguments of `sessions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this login
    #[arg(long)]
    login: Option<String>,

    /// Only this NAS, by id or name
    #[arg(long)]
    nas: Option<String>,

    /// At most this many, the newest first [default: 1000]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    #[command(flatten)]
    ask: Ask,
}

/// Asks `aaad` and prints a table.
pub(crate) async fn main(args: Args) -> Ended {
    let query = SessionsQuery { login: args.login, nas: args.nas, limit: args.limit };
    let answer: Sessions = args.ask.call("aaad", "sessions", &query).await?;
    if args.ask.json {
        put_json(&answer)?;
    } else {
        put(&show(&query, &answer, SystemClock.now(), &Style::of_stdout()))?;
    }
    Ok(DONE)
}

fn show(query: &SessionsQuery, answer: &Sessions, now: Ts, style: &Style) -> String {
    if answer.total == 0 {
        return none(query);
    }
    let mut table = Table::new(&[
        Column::text("LOGIN"),
        Column::text("NAS"),
        Column::whole("IP"),
        Column::number("ONLINE FOR"),
        Column::number("DOWN"),
        Column::number("UP"),
        Column::number("RATE DOWN / UP"),
        Column::text("LAST COA"),
    ]);
    for session in &answer.sessions {
        let LiveSession { login, nas_name, ip, started, coa, .. } = session;
        let rate = format!("{} / {}", ShowRate(session.download_bps), ShowRate(session.upload_bps));
        table.row([
            login.into(),
            nas_name.into(),
            ip.map_or_else(|| "-".to_owned(), |ip| ip.to_string()).into(),
            span(now.since(*started)).into(),
            ShowOctets(session.download_octets).to_string().into(),
            ShowOctets(session.upload_octets).to_string().into(),
            rate.into(),
            coa.as_deref().unwrap_or("-").into(),
        ]);
    }
    let mut out = table.show(style);
    let shown = answer.sessions.len();
    if shown < answer.total {
        out.push_str(&format!("{shown} of {} live sessions; --limit shows more\n", answer.total));
    }
    out
}

/// Nothing to list, in words.
fn none(query: &SessionsQuery) -> String {
    let mut text = "No live sessions".to_owned();
    if let Some(login) = &query.login {
        text.push_str(&format!(" of {login}"));
    }
    if let Some(nas) = &query.nas {
        text.push_str(&format!(" on {nas}"));
    }
    text.push_str(".\n");
    if query.login.is_none() && query.nas.is_none() {
        text.push_str("A session appears with the Accounting-Start of its NAS.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use model::NasId;

    use super::*;

    fn session(login: &str) -> LiveSession {
        LiveSession {
            login: login.to_owned(),
            nas: NasId::NONE,
            nas_name: "bng1".to_owned(),
            acct_session_id: "81000001".to_owned(),
            service: None,
            customer: None,
            organisation: None,
            calling_station: None,
            ip: Some([100, 64, 0, 7].into()),
            started: Ts::from_seconds(0),
            updated: Ts::from_seconds(60),
            download_octets: 3 << 30,
            upload_octets: 1536,
            download_bps: 42_000_000,
            upload_bps: 900_000,
            coa: Some("rate changed: acknowledged".to_owned()),
        }
    }

    #[test]
    fn a_session_is_one_line() {
        let answer = Sessions { total: 2, sessions: vec![session("alice")] };
        let query = SessionsQuery::default();
        let text = show(&query, &answer, Ts::from_seconds(7260), &Style::default());
        let line = text.lines().nth(1).unwrap();
        let words: Vec<&str> = line.split("  ").map(str::trim).filter(|w| !w.is_empty()).collect();
        assert_eq!(
            words,
            [
                "alice",
                "bng1",
                "100.64.0.7",
                "2 h 1 min",
                "3 GiB",
                "1.5 KiB",
                "42 Mbit/s / 900 kbit/s",
                "rate changed: acknowledged"
            ]
        );
        assert!(text.ends_with("1 of 2 live sessions; --limit shows more\n"), "{text}");
    }

    #[test]
    fn nothing_to_list_is_said_in_words() {
        let empty = Sessions { total: 0, sessions: vec![] };
        let query = SessionsQuery { login: Some("bob".to_owned()), ..SessionsQuery::default() };
        let text = show(&query, &empty, Ts::from_seconds(0), &Style::default());
        assert_eq!(text, "No live sessions of bob.\n");
        let text = show(&SessionsQuery::default(), &empty, Ts::from_seconds(0), &Style::default());
        assert!(text.starts_with("No live sessions.\n"), "{text}");
    }
}
