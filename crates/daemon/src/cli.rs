//! The arguments all daemons share, and the `main` they share.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use crate::config::{self, ConfigError, Source};
use crate::exit;
use crate::lifecycle::{self, Shutdown, SystemdState, notify_systemd, signals};
use crate::telemetry::{self, LogConfig};

/// How long after the hard stop a program may take to return before it is left where it is.
const HARD_LIMIT: Duration = Duration::from_secs(5);

/// Arguments of every daemon; put them in the program's own with `#[command(flatten)]`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DaemonArgs {
    /// Settings file [default: /etc/lastmile/PROGRAM.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Set one key over file and environment, such as auth.shards=2
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Check the settings, give advice, and exit
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub check_config: Option<Option<PathBuf>>,

    /// Print the effective settings as TOML, without secrets, and exit
    #[arg(long, conflicts_with = "check_config")]
    pub print_config: bool,
}

/// What the shared `main` must know of a program's settings.
pub trait Settings: DeserializeOwned + Serialize {
    /// How to log.
    fn log(&self) -> &LogConfig;

    /// How long finishing may take after a soft stop.
    fn grace(&self) -> Duration {
        lifecycle::GRACE
    }
}

/// A remark about settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The key it is about.
    pub key: String,
    /// What there is to say.
    pub text: String,
    /// The program cannot run with this.
    pub fatal: bool,
}

impl Advice {
    /// The setting is legal, but odd.
    pub fn odd(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), fatal: false }
    }

    /// The setting cannot work.
    pub fn fatal(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), fatal: true }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.text)
    }
}

/// Loads and checks the settings, then runs the program until it ends or is stopped.
///
/// An error before [`Shutdown::started`] exits with [`exit::CANNOT_START`], a later one with
/// [`exit::FAILED`]; systemd hears of the start and of the stop.
pub fn main<T, F, R, E>(
    program: &'static str,
    args: DaemonArgs,
    validate: fn(&T) -> Vec<Advice>,
    run: F,
) -> ExitCode
where
    T: Settings,
    F: FnOnce(T, Shutdown) -> R,
    R: Future<Output = Result<(), E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let ready = match prepare(program, &args, validate) {
        Ok(ready) => ready,
        Err(error) => {
            exit::report(program, &*error);
            return exit::CANNOT_START.into();
        }
    };
    match ready {
        Ready::Printed => exit::DONE.into(),
        Ready::Run { settings, advice } => start(program, settings, &advice, run).into(),
    }
}

/// What is left to do once the settings are known.
enum Ready<T> {
    Printed,
    Run { settings: T, advice: Vec<Advice> },
}

fn prepare<T: Settings>(
    program: &'static str,
    args: &DaemonArgs,
    validate: fn(&T) -> Vec<Advice>,
) -> Result<Ready<T>, Box<dyn Error + Send + Sync>> {
    let source = source(program, args)?;
    let settings: T = config::load(&source)?;
    settings.log().check()?;
    let (fatal, advice): (Vec<_>, Vec<_>) =
        validate(&settings).into_iter().partition(|advice| advice.fatal);
    if let Some(Advice { key, text: message, .. }) = fatal.into_iter().next() {
        return Err(ConfigError::Refused { key, message }.into());
    }
    if args.check_config.is_some() {
        match &source.file {
            Some(file) => println!("{}: ok", file.display()),
            None => println!("no settings file: ok"),
        }
        for advice in advice {
            println!("{advice}");
        }
        return Ok(Ready::Printed);
    }
    if args.print_config {
        print!("{}", config::print(&settings)?);
        return Ok(Ready::Printed);
    }
    Ok(Ready::Run { settings, advice })
}

fn source(program: &'static str, args: &DaemonArgs) -> Result<Source, ConfigError> {
    let file = args.check_config.clone().flatten().or_else(|| args.config.clone());
    let file = file.or_else(|| {
        let usual = Path::new("/etc/lastmile").join(format!("{program}.toml"));
        usual.exists().then_some(usual)
    });
    let mut source = Source::new(program, file)?;
    for set in &args.set {
        let Some((key, value)) = set.split_once('=') else {
            return Err(ConfigError::FlagName { key: set.clone() });
        };
        source.flags.push((key.trim().to_owned(), config::value_of(value.trim())));
    }
    Ok(source)
}

fn start<T, F, R, E>(program: &'static str, settings: T, advice: &[Advice], run: F) -> u8
where
    T: Settings,
    F: FnOnce(T, Shutdown) -> R,
    R: Future<Output = Result<(), E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    if let Err(error) = telemetry::init_logging(settings.log()) {
        exit::report(program, &error);
        return exit::CANNOT_START;
    }
    for advice in advice {
        warn!(key = advice.key, "{}", advice.text);
    }
    telemetry::metrics();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.enable_all().thread_name(program).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            exit::report(program, &error);
            return exit::CANNOT_START;
        }
    };
    let code = runtime.block_on(live(program, settings, run));
    // What still blocks a thread has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn live<T, F, R, E>(program: &'static str, settings: T, run: F) -> u8
where
    T: Settings,
    F: FnOnce(T, Shutdown) -> R,
    R: Future<Output = Result<(), E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let (trigger, shutdown) = Shutdown::new();
    if let Err(error) = signals(trigger, settings.grace()) {
        exit::report(program, &error);
        return exit::CANNOT_START;
    }
    // Both end with the runtime.
    tokio::spawn(telemetry::upkeep(shutdown.clone()));
    tokio::spawn(tell_systemd(program, shutdown.clone()));
    let ended = tokio::select! {
        ended = run(settings, shutdown.clone()) => ended.map_err(Into::into),
        () = async {
            shutdown.hard().await;
            tokio::time::sleep(HARD_LIMIT).await;
        } => Err("did not end when told to".into()),
    };
    match ended {
        Ok(()) => exit::DONE,
        Err(error) => {
            exit::report(program, &*error);
            if shutdown.is_started() { exit::FAILED } else { exit::CANNOT_START }
        }
    }
}

async fn tell_systemd(program: &'static str, shutdown: Shutdown) {
    tokio::select! {
        () = shutdown.until_started() => {
            info!(program, version = env!("CARGO_PKG_VERSION"), "started");
            tell(SystemdState::Ready);
        }
        () = shutdown.soft() => {}
    }
    shutdown.soft().await;
    tell(SystemdState::Stopping);
}

fn tell(state: SystemdState) {
    if let Err(error) = notify_systemd(state) {
        warn!(%error, ?state, "could not tell systemd");
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use clap::Parser;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        port: u16,
        log: LogConfig,
    }

    impl Settings for Config {
        fn log(&self) -> &LogConfig {
            &self.log
        }
    }

    fn validate(config: &Config) -> Vec<Advice> {
        match config.port {
            0 => vec![Advice::odd("port", "0 takes any")],
            1 => vec![Advice::fatal("port", "1 is taken by custom")],
            _ => vec![],
        }
    }

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        daemon: DaemonArgs,
    }

    fn args(words: &[&str]) -> DaemonArgs {
        Cli::try_parse_from([&["x"], words].concat()).unwrap().daemon
    }

    fn code(words: &[&str]) -> ExitCode {
        main("daemon-test", args(words), validate, |_, _| async { Ok::<_, io::Error>(()) })
    }

    fn prepared(words: &[&str]) -> String {
        match prepare("daemon-test", &args(words), validate) {
            Ok(Ready::Printed) => "printed".to_owned(),
            Ok(Ready::Run { settings, advice }) => format!("port {} {advice:?}", settings.port),
            Err(error) => exit::chain(&*error),
        }
    }

    #[test]
    fn arguments_lead_to_settings() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "port = 7\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(prepared(&["--config", path]), "port 7 []");
        assert_eq!(prepared(&["--config", path, "--set", "port=8"]), "port 8 []");
        assert_eq!(prepared(&["--check-config", path]), "printed");
        assert_eq!(prepared(&["--check-config"]), "printed");
        assert_eq!(prepared(&["--print-config"]), "printed");
        assert!(prepared(&[]).contains("0 takes any"));
    }

    #[test]
    fn what_cannot_run_is_refused_before_it_starts() {
        assert_eq!(prepared(&["--set", "port=1"]), "`port`: 1 is taken by custom");
        assert_eq!(prepared(&["--set", "port"]), "flag `port` names no key");
        let odd = prepared(&["--set", "log.filter=a=loud"]);
        assert!(odd.starts_with("`log.filter` \"a=loud\" does not read: "), "{odd}");
        assert!(prepared(&["--check-config", "/nowhere/x"]).starts_with("could not read"));
        assert_eq!(code(&["--check-config", "/nowhere/x"]), exit::CANNOT_START.into());
        assert_eq!(code(&["--check-config"]), exit::DONE.into());
    }

    #[test]
    fn the_exit_code_tells_a_failed_start_from_a_failed_run() {
        let run = |start: bool, fail: bool| {
            main(
                "daemon-test",
                args(&[]),
                validate,
                move |_: Config, shutdown: Shutdown| async move {
                    if start {
                        shutdown.started();
                    }
                    if fail { Err(io::Error::other("port in use")) } else { Ok(()) }
                },
            )
        };
        assert_eq!(run(true, false), exit::DONE.into());
        assert_eq!(run(true, true), exit::FAILED.into());
        assert_eq!(run(false, true), exit::CANNOT_START.into());
    }
}
