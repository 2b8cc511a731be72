//! `netctl bench`: how fast a RADIUS server is, and the office, measured so that anyone can
//! repeat it.
//!
//! - `logins`: `u%07d:p%07d`, the logins by number.
//! - `packets`: their requests, written before the clock starts.
//! - `generator`: sends them, closed loop or at a fixed rate, and judges the answers.
//! - `histogram`: latencies.
//! - `process`: what the server used meanwhile.
//! - `report`: what came of it.
//! - `echo`: the other end of the scale, a server that does nothing.
//! - `office`: lists, searches and writes of `billing-api`, over HTTP.

mod echo;
mod generator;
mod histogram;
mod logins;
mod office;
mod packets;
mod process;
mod report;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use model::Secret;
use radius_wire::{ClientKey, Full};

use crate::exit::{DONE, Ended, NO, put, put_json};

use generator::{Generator, IDENTIFIERS, Load, Outcome};
use logins::Logins;
use packets::{Method, Packets};
use process::Usage;
use report::Report;

/// Sockets a run opens at most: below the descriptors a process may usually have.
const SOCKETS_MAX: u32 = 896;
/// Sockets of a closed loop unless told: answers to few requests are never repeats.
const SOCKETS_CLOSED: u32 = 32;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Load a server with logins, and measure its answers
    ///
    /// Takes a whole core: leave the server another one.
    Radius(Box<Args>),
    /// Answer every datagram without looking at it, to compare servers with
    Echo(echo::Args),
    /// Ask billing-api for lists and searches, write customers, and measure its answers
    Office(office::Args),
    /// Make customers to measure billing-api with, and print tokens to ask with
    OfficeSeed(office::SeedArgs),
}

/// Arguments of `bench radius`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to ask
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1812")]
    server: String,

    /// The secret shared with the server
    #[arg(long, value_name = "S", env = "LASTMILE_SECRET", hide_env_values = true)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    secret: String,

    /// Logins and passwords by number: those `netctl up --seed` makes
    #[arg(long, value_name = "LOGIN:PASSWORD", default_value = "u%07d:p%07d")]
    logins: Logins,

    /// How many logins, from number 0 on
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=packets::COUNT_MAX))]
    count: u32,

    /// How passwords are proven
    #[arg(long, value_enum, default_value_t = Method::Pap)]
    method: Method,

    /// Requests a second, sent whether answers come or not; latency counts from the moment a
    /// request should have left
    #[arg(long, value_name = "R", conflicts_with = "outstanding")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,

    /// Requests under way at once, as many a second as that gives
    #[arg(long, value_name = "K", default_value_t = 128)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    outstanding: u32,

    /// How long to send
    #[arg(long, value_name = "T", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,

    /// Stop after this many requests
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,

    /// Sockets, each with 256 identifiers [default: enough for each to rest a second]
    #[arg(long, value_name = "M")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(SOCKETS_MAX)))]
    sockets: Option<u32>,

    /// Threads that send; one reaches a quarter million requests a second
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,

    /// The server's process, to learn its CPU time and memory
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,

    /// The server is `netctl bench echo`, whose answers prove nothing
    #[arg(long)]
    echo: bool,

    /// Send to an address that is not this machine: it is yours, and knows what is coming
    #[arg(long)]
    i_own_this_server: bool,

    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error("--server {given} is not HOST:PORT, or its name does not resolve")]
    Server { given: String, source: io::Error },
    #[error(
        "{0} is not this machine: a load like this takes servers down; --i-own-this-server sends it"
    )]
    NotLoopback(SocketAddr),
    #[error(
        "{sockets} sockets have too few identifiers for {outstanding} requests under way: give at least \
         --sockets {needed}"
    )]
    TooFewSockets { sockets: u32, outstanding: u32, needed: u32 },
    #[error("request of {login} does not fit a packet")]
    Request { login: String, source: Full },
    #[error("cannot open a socket to {server}")]
    Socket { server: SocketAddr, source: io::Error },
    #[error("cannot send to {server}")]
    Send { server: SocketAddr, source: io::Error },
    #[error("no program listens on udp {0}")]
    Refused(SocketAddr),
    #[error("cannot read how process {pid} is")]
    Process { pid: u32, source: io::Error },
    #[error("cannot listen on udp {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{0} is not loopback: an open echo is a weapon in the hands of others")]
    OpenEcho(SocketAddr),
    #[error("cannot receive")]
    Receive(#[source] io::Error),
    #[error("cannot read the tokens in {}", path.display())]
    Tokens { path: PathBuf, source: io::Error },
    #[error("{} is not what `netctl bench office-seed` prints", path.display())]
    TokensFormat { path: PathBuf, source: serde_json::Error },
    #[error("could not talk to {server}")]
    Talk { server: SocketAddr, source: io::Error },
    #[error("{path} answers {status} and no customers")]
    NoCustomers { path: String, status: u16 },
}

/// Measures what was asked for.
pub(crate) fn main(verb: Verb) -> Ended {
    match verb {
        Verb::Radius(args) => radius(&args),
        Verb::Echo(args) => Ok(echo::serve(&args).map(|never| match never {})?),
        Verb::Office(args) => office::main(&args),
        Verb::OfficeSeed(args) => office::seed(&args),
    }
}

fn radius(args: &Args) -> Ended {
    let report = measure(args)?;
    if args.json {
        put_json(&report)?
    } else {
        put(&report.show())?
    }
    Ok(if report.all_well() { DONE } else { NO })
}

fn measure(args: &Args) -> Result<Report, BenchError> {
    let server = resolve(&args.server)?;
    if !server.ip().is_loopback() && !args.i_own_this_server {
        return Err(BenchError::NotLoopback(server));
    }
    let sockets = sockets(args)?;
    let secret = Secret::from(args.secret.as_str());
    let key = ClientKey::new(secret.expose().as_bytes());
    let packets = Packets::write(&args.logins, args.count, args.method, sockets, &key)?;
    let load = match args.rate {
        Some(per_s) => Load::Rate { per_s: f64::from(per_s) / f64::from(args.threads) },
        None => Load::Closed { outstanding: args.outstanding.div_ceil(args.threads) },
    };
    let generators = (0..args.threads).map(|thread| Generator {
        server,
        packets: &packets,
        key: (!args.echo).then_some(&key),
        load,
        sockets: sockets.div_ceil(args.threads),
        first: packets.len() / u64::from(args.threads) * u64::from(thread),
        requests_max: args.requests.map_or(u64::MAX, |n| n.div_ceil(u64::from(args.threads))),
        duration: Duration::from_secs(args.seconds.into()),
    });
    let before = args.pid.map(usage).transpose()?;
    let outcome = run(generators.collect())?;
    let after = args.pid.map(usage).transpose()?;
    Ok(Report::new(args, server, sockets, &packets, outcome, before.zip(after)))
}

fn usage(pid: u32) -> Result<Usage, BenchError> {
    Usage::of(pid).map_err(|source| BenchError::Process { pid, source })
}

/// Runs them all, and adds up what they found.
fn run(generators: Vec<Generator<'_>>) -> Result<Outcome, BenchError> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (generators.into_iter())
            .map(|generator| scope.spawn(move || generator.run()))
            .collect();
        let mut all = Outcome::default();
        for thread in threads {
            match thread.join() {
                Ok(outcome) => all.add(&outcome?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

/// How many sockets: an answer within a second should find its request still waiting.
fn sockets(args: &Args) -> Result<u32, BenchError> {
    let needed = match args.rate {
        Some(_) => 1,
        None => args.outstanding.div_ceil(IDENTIFIERS),
    };
    let sockets = args.sockets.unwrap_or_else(|| match args.rate {
        Some(rate) => rate.div_ceil(IDENTIFIERS).clamp(SOCKETS_CLOSED, SOCKETS_MAX),
        None => needed.max(SOCKETS_CLOSED),
    });
    // Every thread needs one of its own.
    let sockets = sockets.max(args.threads);
    if sockets < needed {
        let outstanding = args.outstanding;
        return Err(BenchError::TooFewSockets { sockets, outstanding, needed });
    }
    Ok(sockets)
}

fn resolve(given: &str) -> Result<SocketAddr, BenchError> {
    let failed = |source| BenchError::Server { given: given.to_owned(), source };
    let mut found = given.to_socket_addrs().map_err(failed)?;
    found.next().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}
