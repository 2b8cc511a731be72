//! `netctl import`: what another server knows, brought over through the API.
//!
//! - `freeradius`: clients, users and the tables of FreeRADIUS.

mod freeradius;

use crate::exit::Ended;

/// What to import.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// NAS, plans and services from FreeRADIUS's files and tables; says first what it would make
    #[command(after_help = freeradius::HELP)]
    Freeradius(freeradius::Args),
}

/// Imports it.
pub(crate) async fn main(verb: Verb) -> Ended {
    match verb {
        Verb::Freeradius(args) => freeradius::main(args).await,
    }
}
