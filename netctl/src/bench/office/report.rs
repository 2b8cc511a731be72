//! What a run found, for people and for programs.

use std::fmt::Write;
use std::net::SocketAddr;

use serde::Serialize;

use super::cases::Case;
use super::{Outcome, Tenant};

/// What a run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) server: SocketAddr,
    pub(super) connections: u32,
    pub(super) lines: Vec<Line>,
}

/// One case, asked by one tenant.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    case: Case,
    tenant: Tenant,
    answered: u64,
    per_s: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    octets: u64,
    refused: u64,
    refusal: Option<String>,
    /// CPU time of the server for one answer; the database's is not in it.
    cpu_us: Option<f64>,
    rss_octets_max: Option<u64>,
}

fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10f64.powi(digits);
    (value * factor).round() / factor
}

impl Line {
    pub(super) fn new(case: Case, tenant: Tenant, outcome: Outcome) -> Self {
        let ms = |nanoseconds: u64| rounded(nanoseconds as f64 / 1e6, 2);
        let answered = outcome.answered.max(1) as f64;
        Self {
            case,
            tenant,
            answered: outcome.answered,
            per_s: rounded(outcome.answered as f64 / outcome.took.as_secs_f64(), 1),
            p50_ms: ms(outcome.latency.quantile(0.5)),
            p95_ms: ms(outcome.latency.quantile(0.95)),
            p99_ms: ms(outcome.latency.quantile(0.99)),
            max_ms: ms(outcome.latency.max()),
            octets: outcome.octets,
            refused: outcome.refused,
            refusal: outcome.refusal,
            cpu_us: outcome.cpu.map(|cpu| rounded(cpu.as_secs_f64() * 1e6 / answered, 0)),
            rss_octets_max: outcome.rss_octets_max,
        }
    }
}

impl Report {
    /// Whether every answer was the expected one.
    pub(super) fn all_well(&self) -> bool {
        self.lines.iter().all(|line| line.refused == 0)
    }

    /// As a table.
    pub(super) fn show(&self) -> String {
        let mut text = format!("{}, {} connections\n", self.server, self.connections);
        let _ = writeln!(
            text,
            "{:<9} {:<8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7}",
            "case",
            "tenant",
            "answers",
            "per s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "max ms",
            "cpu us",
            "rss MiB",
            "refused"
        );
        for line in &self.lines {
            let or_dash = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.0}"));
            let rss = line.rss_octets_max.map(|octets| octets as f64 / f64::from(1 << 20));
            let _ = writeln!(
                text,
                "{:<9} {:<8} {:>8} {:>8.1} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8} {:>8} {:>7}",
                format!("{:?}", line.case).to_lowercase(),
                format!("{:?}", line.tenant).to_lowercase(),
                line.answered,
                line.per_s,
                line.p50_ms,
                line.p95_ms,
                line.p99_ms,
                line.max_ms,
                or_dash(line.cpu_us),
                or_dash(rss),
                line.refused,
            );
        }
        for refusal in self.lines.iter().filter_map(|line| line.refusal.as_ref()) {
            let _ = writeln!(text, "refused: {refusal}");
        }
        text
    }
}
