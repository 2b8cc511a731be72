//! `netctl block`: logins that failed too often.

use model::control::{BlockLift, Blocks};
use model::{Clock, SystemClock, Ts};

use crate::ask::Ask;
use crate::exit::{DONE, Ended, NO, put, put_json};
use crate::output::{Cell, Column, Style, Table, span};

/// What to do with them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List logins that are refused from one station for a while
    List {
        #[command(flatten)]
        ask: Ask,
    },
    /// Let a login try again now
    Lift {
        /// The login
        login: String,

        /// Only from this station, as it is listed
        #[arg(long)]
        station: Option<String>,

        #[command(flatten)]
        ask: Ask,
    },
}

/// Does it.
pub(crate) async fn main(verb: Verb) -> Ended {
    match verb {
        Verb::List { ask } => {
            let answer: Blocks = ask.call("aaad", "blocks", &()).await?;
            if ask.json {
                put_json(&answer)?;
            } else {
                put(&show(&answer, SystemClock.now(), &Style::of_stdout()))?;
            }
            Ok(DONE)
        }
        Verb::Lift { login, station, ask } => {
            let query = BlockLift { login, station };
            let lifted: usize = ask.call("aaad", "block_lift", &query).await?;
            if ask.json {
                put_json(&serde_json::json!({ "lifted": lifted }))?;
            } else if lifted == 0 {
                eprintln!("netctl: {} is not blocked", query.login);
            } else {
                put(&format!("{} may try again ({lifted} lifted).\n", query.login))?;
            }
            Ok(if lifted > 0 { DONE } else { NO })
        }
    }
}

fn show(answer: &Blocks, now: Ts, style: &Style) -> String {
    if answer.blocks.is_empty() {
        return "No login is blocked.\n".to_owned();
    }
    let mut table = Table::new(&[
        Column::text("LOGIN"),
        Column::text("STATION"),
        Column::text("NAS"),
        Column::number("FAILURES"),
        Column::number("STILL FOR"),
    ]);
    for block in &answer.blocks {
        table.row([
            Cell::from(&block.login),
            Cell::from(&block.station),
            Cell::from(&block.nas_name),
            Cell::from(block.failures.to_string()),
            Cell::from(span(block.until.since(now))),
        ]);
    }
    table.show(style)
}

#[cfg(test)]
mod tests {
    use model::control::Block;

    use super::*;

    #[test]
    fn a_block_says_whose_where_and_for_how_long() {
        let block = Block {
            login: "asha".to_owned(),
            station: "02:00:00:00:00:07".to_owned(),
            nas_name: "bng1".to_owned(),
            failures: 20,
            since: Ts::from_seconds(0),
            until: Ts::from_seconds(300),
        };
        let answer = Blocks { blocks: vec![block] };
        let text = show(&answer, Ts::from_seconds(60), &Style::default());
        assert!(text.contains("asha") && text.contains("4 min"), "{text}");
        assert_eq!(show(&Blocks::default(), Ts(0), &Style::default()), "No login is blocked.\n");
    }
}
