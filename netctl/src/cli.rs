//! The arguments: nouns, then verbs.

use std::future::Future;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::{self, CANNOT_START, Ended, Failure};
use crate::{
    access, auth_log, backup, bench, billing, block, coa, dict, disconnect, explain, import, key,
    nas, policy, pool, radius, sessions, status, up,
};

/// Lastmile's command line: starts everything, asks how it is, and looks into it.
#[derive(Debug, Parser)]
#[command(name = "netctl", version, after_help = exit::HELP, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all programs in this process, with SQLite and nothing else to install
    Up(up::Args),
    /// How the programs are
    Status(status::Args),
    /// List live sessions
    Sessions(sessions::Args),
    /// End every live session of a login
    Disconnect(disconnect::Args),
    /// What a login would get now, and why
    Explain(explain::Args),
    /// Who asks over RADIUS, and how they sign their requests
    Nas(nas::Args),
    /// The last logins, let in or refused and why
    AuthLog(auth_log::Args),
    /// Logins that failed too often
    #[command(subcommand)]
    Block(block::Verb),
    /// Address pools that aaad leases from
    #[command(subcommand)]
    Pool(pool::Verb),
    /// Try RADIUS as a NAS would
    #[command(subcommand)]
    Radius(radius::Verb),
    /// Bring over what another server knows
    #[command(subcommand)]
    Import(import::Verb),
    /// What a RADIUS attribute is: its number, type and values
    Dict(dict::Args),
    /// How fast a RADIUS server is, and the office
    #[command(subcommand)]
    Bench(bench::Verb),
    /// The key file that seals secrets
    #[command(subcommand)]
    Key(key::Verb),
    /// Getting back into the office
    #[command(subcommand)]
    Access(access::Verb),
    /// Backups of the databases and the configuration
    #[command(subcommand, after_help = backup::HELP)]
    Backup(backup::Verb),
    /// What a customer has to pay
    #[command(subcommand)]
    Billing(billing::Verb),
    /// Changes to live sessions
    #[command(subcommand)]
    Coa(coa::Verb),

    /// The policy aaad holds
    #[command(subcommand)]
    Policy(policy::Verb),
}

/// Parses the arguments, does what they say, and reports.
pub fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Up(args) => up::main(args),
        Command::Status(args) => wait(status::main(args)),
        Command::Sessions(args) => wait(sessions::main(args)),
        Command::Disconnect(args) => wait(disconnect::main(args)),
        Command::Explain(args) => wait(explain::main(args)),
        Command::Nas(args) => wait(nas::main(args)),
        Command::AuthLog(args) => wait(auth_log::main(args)),
        Command::Block(verb) => wait(block::main(verb)),
        Command::Pool(verb) => wait(pool::main(verb)),
        Command::Radius(verb) => wait(radius::main(verb)),
        Command::Import(verb) => wait(import::main(verb)),
        Command::Dict(args) => dict::main(args),
        Command::Bench(verb) => bench::main(verb),
        Command::Key(verb) => key::main(verb),
        Command::Access(verb) => wait(access::main(verb)),
        Command::Backup(verb) => wait(backup::main(verb)),
        Command::Billing(verb) => wait(billing::main(verb)),
        Command::Coa(verb) => wait(coa::main(verb)),
        Command::Policy(verb) => wait(policy::main(verb)),
    };
    match ended {
        Ok(code) => code.into(),
        Err(Failure { code, error }) => {
            daemon::exit::report("netctl", &*error);
            code.into()
        }
    }
}

/// Runs a command that waits for answers; one thread is plenty.
fn wait(command: impl Future<Output = Ended>) -> Ended {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build();
    runtime.map_err(|error| Failure { code: CANNOT_START, error: error.into() })?.block_on(command)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(line.split(' ')).is_ok()
    }

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_says_the_exit_codes() {
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("Exit codes:") && help.contains("no live session"), "{help}");
    }

    #[test]
    fn the_documented_calls_are_understood() {
        for line in [
            "netctl up",
            "netctl up --data /x --http 127.0.0.1:1 --auth [::]:1812 --acct 0.0.0.0:1813 \
             --nas 10.0.0.0/8=a --nas 192.0.2.1=b --token t --admin-password p --demo",
            "netctl status --json",
            "netctl status --run /run/lastmile",
            "netctl sessions --login a --nas b --limit 3 --json",
            "netctl disconnect alice",
            "netctl explain alice --nas bng1",
            "netctl radius test --user u --password p --secret s --method mschapv2 \
             --server 192.0.2.1:1812 --attr NAS-Port=3 --attr Filter-Id=x --tries 1",
            "netctl radius test --user u --password-stdin --secret s --timeout-ms 500",
            "netctl radius compare --left a:1812 --right [::1]:1812 --secret s --requests f \
             --ignore Reply-Message --near Acct-Interim-Interval=10 --order --all --rate 10 --json",
            "netctl radius compare --left a:1 --right b:2 --secret s --right-secret t --pcap f \
             --capture-secret u --port 1812",
            "netctl import freeradius --clients a --users b --users c --sql d --zone UTC --json",
            "netctl import freeradius --sql d --apply --update --token t --api 127.0.0.1:1 \
             --vendor mikrotik --currency EUR --errors e.csv",
            "netctl up --seed 1000000",
            "netctl bench radius --secret s --logins u%07d:p%07d --count 100000 --method chap \
             --outstanding 64 --seconds 3 --sockets 8 --pid 1 --json",
            "netctl bench radius --server [::1]:1 --secret s --rate 50000 --requests 200000",
            "netctl bench echo --listen 127.0.0.1:1 --reply-octets 20",
            "netctl bench office-seed --database sqlite:/x --customers 1000000",
            "netctl bench office --server 127.0.0.1:1 --tokens x --case list --case create \
             --tenant root --connections 8 --seconds 3 --seed 2 --pid 1 --json",
            "netctl dict mikrotik-rate-limit --dir /etc/dict --notes --json",
            "netctl dict 26.14988.8",
            "netctl key new /tmp/key",
            "netctl backup now --to /b --data var --include a --include b --keep 3 --keep-daily 7 \
             --keep-weekly 4 --keep-monthly 12 --passphrase-file p --json",
            "netctl backup list --from /b",
            "netctl backup verify --config /etc/lastmile/billing-api.toml --scratch /x /b/1.backup",
            "netctl backup restore /b/1.backup --replace --configuration-to /x --run /r",
            "netctl access open --json",
            "netctl nas --json",
            "netctl nas unknown --run /r",
            "netctl auth-log -f --login a --nas b --reason wrong_password -n 5 --json",
            "netctl block list",
            "netctl block lift asha --station 02:00:00:00:00:07",
            "netctl pool list --json",
            "netctl pool who 100.64.0.7",
            "netctl pool who asha --run /r",
            "netctl billing simulate year.json",
            "netctl billing simulate - --text",
            "netctl billing verify --json",
            "netctl coa release",
            "netctl policy accept",
        ] {
            assert!(parses(line), "{line}");
        }
        for line in [
            "netctl",
            "netctl up --http nowhere",
            "netctl disconnect",
            "netctl radius test --user u --password p --password-stdin --secret s",
            "netctl radius test --user u --password p --secret s --method eap",
            "netctl radius test --user u --password p --secret s --tries 0",
            "netctl radius compare --left a:1 --right b:2 --secret s",
            "netctl radius compare --left a:1 --right b:2 --secret s --requests f --pcap g",
            "netctl import freeradius --sql d --apply",
            "netctl import freeradius --sql d --vendor acme",
            "netctl up --seed 0",
            "netctl up --seed 10000001",
            "netctl bench radius --secret s --rate 1 --outstanding 1",
            "netctl bench radius --secret s --logins alice:secret",
            "netctl bench echo --reply-octets 4097",
            "netctl pool who",
            "netctl backup now",
            "netctl backup now --to /b --data var --config x",
            "netctl backup restore",
            "netctl billing",
            "netctl billing simulate",
        ] {
            assert!(!parses(line), "{line}");
        }
    }
}
