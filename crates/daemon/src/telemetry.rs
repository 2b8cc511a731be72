//! Logs to stderr, metrics for Prometheus.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::{EnvFilter, fmt};

pub use metrics_exporter_prometheus::PrometheusHandle;

use crate::lifecycle::Shutdown;

/// How a program logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A level (`info`), or levels by module (`info,aaad::coa=debug`).
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The filter does not read.
#[derive(Debug, thiserror::Error)]
#[error("`log.filter` {filter:?} does not read")]
pub struct LogError {
    filter: String,
    source: ParseError,
}

impl LogConfig {
    /// Whether [`init_logging`] would take it.
    pub fn check(&self) -> Result<(), LogError> {
        self.parse().map(|_| ())
    }

    fn parse(&self) -> Result<EnvFilter, LogError> {
        EnvFilter::try_new(&self.filter)
            .map_err(|source| LogError { filter: self.filter.clone(), source })
    }
}

/// Starts logging to stderr. Where logging was started before, that stays as it is.
pub fn init_logging(config: &LogConfig) -> Result<(), LogError> {
    let lines = fmt()
        .with_env_filter(config.parse()?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Failing means that logging has been started: `netctl up` and tests come here repeatedly.
    let _ = match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Upper bounds for histograms whose name ends in `_seconds`: from a packet to a slow query.
const SECONDS: [f64; 15] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
    5.0, 30.0,
];

/// How often [`upkeep`] folds new samples into the histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// The metrics of this process; the first call makes `metrics::counter!` and its kin count.
/// A program answers `/metrics` with `metrics().render()`.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let matcher = Matcher::Suffix("_seconds".to_owned());
        // Refused only for an empty list.
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(matcher, &SECONDS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::error!("metrics stay empty: another recorder was installed first");
        }
        handle
    })
}

/// Keeps the metrics' memory bounded until the soft stop; one a process.
pub async fn upkeep(shutdown: Shutdown) {
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            () = shutdown.soft() => return,
            _ = tick.tick() => metrics().run_upkeep(),
        }
    }
}

/// What a metric is, for [`describe`].
#[derive(Debug, Clone, Copy)]
pub enum Metric {
    /// Only grows; the name ends in `_total`.
    Counter(&'static str, &'static str),
    /// Goes up and down.
    Gauge(&'static str, &'static str),
    /// A distribution; the name ends in its unit.
    Histogram(&'static str, &'static str),
}

/// Gives metrics, by name and sentence, their help text.
pub fn describe(list: &[Metric]) {
    metrics();
    for metric in list {
        match *metric {
            Metric::Counter(name, help) => metrics::describe_counter!(name, help),
            Metric::Gauge(name, help) => metrics::describe_gauge!(name, help),
            Metric::Histogram(name, help) => metrics::describe_histogram!(name, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logging_starts_once_and_a_bad_filter_is_named() {
        init_logging(&LogConfig::default()).unwrap();
        init_logging(&LogConfig { format: LogFormat::Json, ..LogConfig::default() }).unwrap();
        let bad = LogConfig { filter: "info,aaad=loud".to_owned(), ..LogConfig::default() };
        assert!(bad.check().unwrap_err().to_string().contains("aaad=loud"));
        assert!(init_logging(&bad).is_err());
    }

    #[test]
    fn metrics_render_with_help_and_buckets() {
        describe(&[
            Metric::Counter("test_packets_total", "Packets seen."),
            Metric::Gauge("test_sessions", "Live sessions."),
            Metric::Histogram("test_answer_seconds", "Time to answer."),
        ]);
        metrics::counter!("test_packets_total", "kind" => "auth").increment(3);
        metrics::gauge!("test_sessions").set(2.0);
        metrics::histogram!("test_answer_seconds").record(0.003);
        metrics().run_upkeep();
        let text = metrics().render();
        for wanted in [
            "# HELP test_packets_total Packets seen.",
            "test_packets_total{kind=\"auth\"} 3",
            "test_sessions 2",
            "test_answer_seconds_bucket{le=\"0.0025\"} 0",
            "test_answer_seconds_bucket{le=\"0.005\"} 1",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
    }

    #[tokio::test]
    async fn upkeep_ends_at_the_soft_stop() {
        let (trigger, shutdown) = Shutdown::new();
        trigger.soft();
        upkeep(shutdown).await;
    }
}
