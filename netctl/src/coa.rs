//! `netctl coa`: changes to live sessions.

use crate::ask::Ask;
use crate::exit::{DONE, Ended, NO, put, put_json};

/// What to do with them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Let the Disconnects go that were held for being too many at once
    Release {
        #[command(flatten)]
        ask: Ask,
    },
}

/// Does it.
pub(crate) async fn main(verb: Verb) -> Ended {
    let Verb::Release { ask } = verb;
    let released: bool = ask.call("aaad", "coa_release", &()).await?;
    if ask.json {
        put_json(&serde_json::json!({ "released": released }))?;
    } else {
        put(if released {
            "The held Disconnects go out now.\n"
        } else {
            "No Disconnects are held.\n"
        })?;
    }
    Ok(if released { DONE } else { NO })
}
