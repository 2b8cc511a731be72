//! The path that must work, against the real programs: each scenario is written once and runs
//! both ways, embedded and as separate processes.
//!
//! In the order of the path: what the office creates ([`resources`]), logins ([`login`]), every
//! way to prove one and what is refused ([`methods`]), what NAS of each vendor are told
//! ([`vendors`]), what staff ask and add besides ([`attributes`]), who may be online at once
//! ([`simultaneous`]) and with which address ([`pools`]), sessions ([`accounting`]), what changes
//! while a subscriber is online ([`changes`]), the command line ([`command_line`]), the console
//! ([`browser`], [`access`]), signing in through another's directory ([`provider`]).
//! Then what surrounds it: starting and stopping ([`starting`]), settings ([`settings`]),
//! kill -9 ([`crash`]), backups ([`backup`]), our codec against another ([`codec`]), and the API
//! against its own description ([`schema`]).

/// One test a way for each scenario: `login::a_new_service_answers::embedded` and `…::separate`.
macro_rules! both_ways {
    ($($scenario:ident),* $(,)?) => {
        $(
            mod $scenario {
                use lab::Lab;

                #[test]
                fn embedded() {
                    super::$scenario(&mut Lab::embedded());
                }

                #[test]
                fn separate() {
                    super::$scenario(&mut Lab::separate());
                }
            }
        )*
    };
}

mod access;
mod accounting;
mod attributes;
mod backup;
mod browser;
mod changes;
mod codec;
mod command_line;
mod crash;
mod cutover;
mod listeners;
mod login;
mod methods;
mod pools;
mod provider;
mod resources;
mod runner;
mod schema;
mod settings;
mod simultaneous;
mod starting;
mod vendors;
