//! `netctl access`: getting back into the office.

use crate::ask::Ask;
use crate::exit::{DONE, Ended, NO, put, put_json};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Take away what shuts staff out: the list of addresses, and that passwords are not taken
    Open {
        #[command(flatten)]
        ask: Ask,
    },
}

/// Does it.
pub(crate) async fn main(verb: Verb) -> Ended {
    let Verb::Open { ask } = verb;
    let opened: bool = ask.call("billing-api", "open_access", &()).await?;
    if ask.json {
        put_json(&serde_json::json!({ "opened": opened }))?;
    } else {
        put(if opened {
            "Staff sign in from everywhere again, with passwords too; lists of their own and what\n\
             partners decided still hold.\n"
        } else {
            "The provider has no list of addresses, and takes passwords.\n"
        })?;
    }
    Ok(if opened { DONE } else { NO })
}
