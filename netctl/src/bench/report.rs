//! What a run found, for people and for programs.

use std::fmt::Write;
use std::net::SocketAddr;

use serde::Serialize;

use super::Args;
use super::generator::Outcome;
use super::packets::{Method, Packets};
use super::process::Usage;

/// For how long a server may keep a reply for repeats (RFC 5080 §2.2.2).
const REPEAT_S: f64 = 10.0;

/// What a run found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    server: SocketAddr,
    method: Method,
    logins: u32,
    /// Requests a second that were to be sent; absent in a closed loop.
    rate: Option<u32>,
    /// Requests under way in a closed loop.
    outstanding: Option<u32>,
    sockets: u32,
    threads: u32,
    seconds: f64,
    request_octets: u64,
    answer_octets: u64,
    sent: u64,
    /// Due, but not sent: the generator was too slow.
    unsent: u64,
    answered: u64,
    answers_per_s: f64,
    accepts: u64,
    rejects: u64,
    others: u64,
    lost: u64,
    loss_percent: f64,
    stray: u64,
    invalid: u64,
    refused: u64,
    checked: u64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    max_us: f64,
    /// After how many seconds the same request left the same socket again.
    repeat_after_s: f64,
    /// CPU time of the server for one answer.
    cpu_us_per_answer: Option<f64>,
    rss_octets: Option<u64>,
}

fn per(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// Kept to what is worth reading.
fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10f64.powi(digits);
    (value * factor).round() / factor
}

impl Report {
    pub(super) fn new(
        args: &Args,
        server: SocketAddr,
        sockets: u32,
        packets: &Packets,
        outcome: Outcome,
        usage: Option<(Usage, Usage)>,
    ) -> Self {
        let seconds = outcome.sending.as_secs_f64();
        let answered = outcome.answers();
        let us = |share| rounded(outcome.latency.quantile(share) as f64 / 1e3, 1);
        let cpu = usage.map(|(before, after)| after.cpu.saturating_sub(before.cpu).as_secs_f64());
        let period = packets.len() as f64 * f64::from(sockets);
        Self {
            server,
            method: args.method,
            logins: args.count,
            rate: args.rate,
            outstanding: args.rate.is_none().then_some(args.outstanding),
            sockets,
            threads: args.threads,
            seconds: rounded(seconds, 3),
            request_octets: packets.octets() as u64,
            answer_octets: outcome.answer_octets.checked_div(answered).unwrap_or(0),
            sent: outcome.sent,
            unsent: outcome.unsent,
            answered,
            answers_per_s: rounded(per(outcome.answers_in_time as f64, seconds), 0),
            accepts: outcome.accepts,
            rejects: outcome.rejects,
            others: outcome.others,
            lost: outcome.lost,
            loss_percent: rounded(per(100.0 * outcome.lost as f64, outcome.sent as f64), 4),
            stray: outcome.stray,
            invalid: outcome.invalid,
            refused: outcome.refused,
            checked: outcome.checked,
            p50_us: us(0.5),
            p99_us: us(0.99),
            p999_us: us(0.999),
            max_us: rounded(outcome.latency.max() as f64 / 1e3, 1),
            repeat_after_s: rounded(per(period, per(outcome.sent as f64, seconds)), 1),
            cpu_us_per_answer: cpu.map(|cpu| rounded(per(cpu * 1e6, answered as f64), 2)),
            rss_octets: usage.map(|(_, after)| after.rss_octets),
        }
    }

    /// Whether every request was sent, answered, accepted and, where looked at, proven.
    pub(super) fn all_well(&self) -> bool {
        self.answered == self.accepts
            && self.answered > 0
            && self.lost + self.unsent + self.invalid == 0
    }

    pub(super) fn show(&self) -> String {
        let mut out = String::new();
        let pace = match (self.rate, self.outstanding) {
            (Some(rate), _) => format!("{rate} requests a second"),
            (None, outstanding) => format!("{} requests under way", outstanding.unwrap_or(0)),
        };
        let ms = |us: f64| format!("{:.3} ms", us / 1e3);
        // Writing to a string cannot fail; the same below.
        let _ = writeln!(
            out,
            "{}: {} logins, {:?}, {pace}, {:.1} s",
            self.server, self.logins, self.method, self.seconds
        );
        let _ = writeln!(out, "  answers/s  {:.0}", self.answers_per_s);
        let _ = writeln!(
            out,
            "  requests   {} sent, {} answered, {} lost ({} %)",
            self.sent, self.answered, self.lost, self.loss_percent
        );
        let _ = writeln!(
            out,
            "  answers    {} accepts, {} rejects, {} others; {} checked under the secret",
            self.accepts, self.rejects, self.others, self.checked
        );
        let _ = writeln!(
            out,
            "  latency    p50 {}, p99 {}, p99.9 {}, max {}",
            ms(self.p50_us),
            ms(self.p99_us),
            ms(self.p999_us),
            ms(self.max_us)
        );
        let _ = writeln!(
            out,
            "  octets     {} a request, {} an answer",
            self.request_octets, self.answer_octets
        );
        if let (Some(cpu), Some(rss)) = (self.cpu_us_per_answer, self.rss_octets) {
            let _ = writeln!(out, "  server     {cpu} µs CPU an answer, {} MiB", rss >> 20);
        }
        for (count, what) in [
            (self.unsent, "requests were due and not sent: the generator is too slow here"),
            (self.stray, "answers belong to nothing that waits: repeated, or too late"),
            (self.invalid, "datagrams are no answers under this secret"),
            (self.refused, "times nobody listened"),
        ] {
            if count > 0 {
                let _ = writeln!(out, "  {count} {what}");
            }
        }
        if self.repeat_after_s < REPEAT_S && self.sent > 0 {
            let _ = writeln!(
                out,
                "  requests were repeated after {} s, and may have been answered from a cache: \
                 more --count or --sockets",
                self.repeat_after_s
            );
        }
        out
    }
}
