//! `netctl billing`: what a customer has to pay, and why.
//!
//! - `simulate`: a file of events, without a database.

mod simulate;

use crate::exit::Ended;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// What a file of events would be billed, run by run; needs no database
    #[command(after_help = simulate::HELP)]
    Simulate(simulate::Args),
}

/// Does it.
pub(crate) fn main(verb: Verb) -> Ended {
    match verb {
        Verb::Simulate(args) => simulate::main(&args),
    }
}
