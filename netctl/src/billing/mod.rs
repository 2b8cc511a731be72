//! `netctl billing`: what a customer has to pay, and why.
//!
//! - `simulate`: a file of events, without a database.
//! - `verify`: the ledger, computed again.

mod simulate;
mod verify;

use crate::ask::Ask;
use crate::exit::Ended;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// What a file of events would be billed, run by run; needs no database
    #[command(after_help = simulate::HELP)]
    Simulate(simulate::Args),

    /// Compute the ledger again from its entries and documents, and tell every difference
    Verify {
        #[command(flatten)]
        ask: Ask,
    },
}

/// Does it.
pub(crate) async fn main(verb: Verb) -> Ended {
    match verb {
        Verb::Simulate(args) => simulate::main(&args),
        Verb::Verify { ask } => verify::main(&ask).await,
    }
}
