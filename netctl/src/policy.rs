//! `netctl policy`: the policy `aaad` holds.

use crate::ask::Ask;
use crate::exit::{DONE, Ended, NO, put, put_json};

/// What to do with it.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Take the snapshot that was refused for being much smaller than what aaad holds
    Accept {
        #[command(flatten)]
        ask: Ask,
    },
}

/// Does it.
pub(crate) async fn main(verb: Verb) -> Ended {
    let Verb::Accept { ask } = verb;
    let accepted: bool = ask.call("aaad", "policy_accept", &()).await?;
    if ask.json {
        put_json(&serde_json::json!({ "accepted": accepted }))?;
    } else {
        put(if accepted {
            "The refused snapshot is taken.\n"
        } else {
            "No snapshot was refused.\n"
        })?;
    }
    Ok(if accepted { DONE } else { NO })
}
