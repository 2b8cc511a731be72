//! `netctl bench office`: how fast `billing-api` lists, searches and writes, asked over HTTP by
//! several tenants.
//!
//! - [`client`]: one connection, kept.
//! - [`cases`]: what is asked, with parameters that vary.
//! - [`report`]: what came of it.

mod cases;
mod client;
mod report;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use model::Secret;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use cases::{Case, Samples};
use client::Client;
use report::{Line, Report};

use super::BenchError;
use super::histogram::Histogram;
use super::process::Usage;
use crate::exit::{DONE, Ended, Failure, NO, put, put_json};

/// Arguments of `bench office`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where billing-api serves
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    server: SocketAddr,

    /// The tokens that `netctl bench office-seed` printed
    #[arg(long, value_name = "FILE")]
    tokens: PathBuf,

    /// What to measure; can be repeated [default: list, total, search]
    #[arg(long = "case", value_name = "CASE", value_enum)]
    cases: Vec<Case>,

    /// As whom; can be repeated [default: all three]
    #[arg(long = "tenant", value_name = "TENANT", value_enum)]
    tenants: Vec<Tenant>,

    /// Requests under way at once, each on a connection of its own
    #[arg(long, value_name = "K", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=512))]
    connections: u32,

    /// How long to measure each case
    #[arg(long, value_name = "T", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,

    /// Where the varied parameters begin; another number asks other questions
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// The server's process, to learn its CPU time and memory
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,

    /// Load a server that is not this machine: it is yours, and knows what is coming
    #[arg(long)]
    i_own_this_server: bool,

    /// JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Arguments of `bench office-seed`.
#[derive(Debug, clap::Args)]
pub(crate) struct SeedArgs {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`, prepared by a start of billing-api
    #[arg(long, value_name = "URL", env = "LASTMILE_DATABASE", hide_env_values = true)]
    database: String,

    /// Customers there shall be
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    customers: u32,
}

/// Whose token asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tenant {
    /// The root organisation: sees everything.
    Root,
    /// A partner with branches.
    Partner,
    /// A partner with a handful of customers.
    Tiny,
}

/// What `office-seed` prints and `office` reads. It is made of secrets.
#[derive(Serialize, Deserialize)]
struct Tokens {
    created: u64,
    root: String,
    partner: String,
    tiny: String,
}

impl Tokens {
    fn of(&self, tenant: Tenant) -> Secret<String> {
        let token = match tenant {
            Tenant::Root => &self.root,
            Tenant::Partner => &self.partner,
            Tenant::Tiny => &self.tiny,
        };
        Secret::from(token.as_str())
    }
}

/// Seeds, and prints the tokens.
pub(crate) fn seed(args: &SeedArgs) -> Ended {
    let database = billing_api::config::Database {
        url: daemon::config::SecretSource::Inline(args.database.as_str().into()),
        ..Default::default()
    };
    let seeded = runtime()?.block_on(billing_api::seed_customers(&database, args.customers.into()));
    let tenants = seeded.map_err(Failure::cannot)?;
    put_json(&Tokens {
        created: tenants.created,
        root: tenants.root.expose().clone(),
        partner: tenants.partner.expose().clone(),
        tiny: tenants.tiny.expose().clone(),
    })?;
    Ok(DONE)
}

/// Measures.
pub(crate) fn main(args: &Args) -> Ended {
    if !args.server.ip().is_loopback() && !args.i_own_this_server {
        return Err(BenchError::NotLoopback(args.server).into());
    }
    let text = std::fs::read_to_string(&args.tokens)
        .map_err(|source| BenchError::Tokens { path: args.tokens.clone(), source })?;
    let tokens: Tokens = serde_json::from_str(&text)
        .map_err(|source| BenchError::TokensFormat { path: args.tokens.clone(), source })?;
    let report = runtime()?.block_on(measure(args, &tokens))?;
    if args.json {
        put_json(&report)?;
    } else {
        put(&report.show())?;
    }
    Ok(if report.all_well() { DONE } else { NO })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // One thread sends: it should take as little from the server as it can.
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::cannot)
}

async fn measure(args: &Args, tokens: &Tokens) -> Result<Report, BenchError> {
    let default = [Case::List, Case::Total, Case::Search];
    let cases = if args.cases.is_empty() { &default[..] } else { &args.cases };
    let all = [Tenant::Root, Tenant::Partner, Tenant::Tiny];
    let tenants = if args.tenants.is_empty() { &all[..] } else { &args.tenants };
    let mut samples = Vec::new();
    for tenant in tenants {
        let mut client = Client::connect(args.server, &tokens.of(*tenant)).await?;
        samples.push(Samples::take(&mut client).await?);
    }
    let mut lines = Vec::new();
    for case in cases {
        for (tenant, samples) in tenants.iter().zip(&samples) {
            let outcome = run(args, *case, &tokens.of(*tenant), samples).await?;
            lines.push(Line::new(*case, *tenant, outcome));
        }
    }
    Ok(Report { server: args.server, connections: args.connections, lines })
}

/// What one case found.
pub(super) struct Outcome {
    latency: Histogram,
    answered: u64,
    octets: u64,
    /// Answers with another status than expected, and one of them.
    refused: u64,
    refusal: Option<String>,
    took: Duration,
    cpu: Option<Duration>,
    rss_octets_max: Option<u64>,
}

impl Outcome {
    fn empty() -> Self {
        Self {
            latency: Histogram::default(),
            answered: 0,
            octets: 0,
            refused: 0,
            refusal: None,
            took: Duration::ZERO,
            cpu: None,
            rss_octets_max: None,
        }
    }
}

async fn run(
    args: &Args,
    case: Case,
    token: &Secret<String>,
    samples: &Samples,
) -> Result<Outcome, BenchError> {
    let usage = |pid| Usage::of(pid).map_err(|source| BenchError::Process { pid, source });
    let mut clients = Vec::new();
    for _ in 0..args.connections {
        clients.push(Client::connect(args.server, token).await?);
    }
    let before = args.pid.map(usage).transpose()?;
    let start = Instant::now();
    let end = start + Duration::from_secs(args.seconds.into());
    let mut tasks = JoinSet::new();
    for (n, client) in (0u64..).zip(clients) {
        let questions = cases::Questions::new(case, samples.clone(), args.seed * 1000 + n);
        tasks.spawn(ask(client, questions, end));
    }
    let mut outcome = Outcome::empty();
    let mut watch = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                None => break,
                Some(Ok(one)) => {
                    let one = one?;
                    outcome.latency.add(&one.latency);
                    outcome.answered += one.answered;
                    outcome.octets += one.octets;
                    outcome.refused += one.refused;
                    outcome.refusal = outcome.refusal.or(one.refusal);
                }
                Some(Err(ended)) => std::panic::resume_unwind(ended.into_panic()),
            },
            _ = watch.tick() => if let Some(pid) = args.pid {
                let now = usage(pid)?.rss_octets;
                outcome.rss_octets_max = outcome.rss_octets_max.max(Some(now));
            },
        }
    }
    outcome.took = start.elapsed();
    if let (Some(pid), Some(before)) = (args.pid, before) {
        outcome.cpu = Some(usage(pid)?.cpu.saturating_sub(before.cpu));
    }
    Ok(outcome)
}

/// One question after another on one connection, until the time is over.
async fn ask(
    mut client: Client,
    mut questions: cases::Questions,
    end: Instant,
) -> Result<Outcome, BenchError> {
    let mut outcome = Outcome::empty();
    while Instant::now() < end {
        let question = questions.next();
        let start = Instant::now();
        let answer = client.ask(question.method, &question.path, &question.body).await?;
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        outcome.octets += answer.octets;
        if answer.status == question.expected {
            outcome.latency.record(took);
            outcome.answered += 1;
            questions.answered(&answer.body);
        } else {
            outcome.refused += 1;
            let body = String::from_utf8_lossy(&answer.body);
            let body: String = body.chars().take(300).collect();
            outcome.refusal.get_or_insert_with(|| {
                format!("{} {}: {} {body}", question.method, question.path, answer.status)
            });
        }
    }
    Ok(outcome)
}
