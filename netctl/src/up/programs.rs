//! Opens all programs before any of them runs, runs them, and stops them in order.
//!
//! The order of opening: `policyd`, whose database `billing-api` reads; `aaad`, which has the
//! ports that are most likely taken; `billing-api` last, since its first start makes up secrets
//! that are told once: nothing should fail after it. The order of stopping follows the data: the
//! demo's NAS, `aaad`, `policyd`, `billing-api`, each when the one before has ended.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use daemon::config::SecretSource;
use daemon::health::Health;
use daemon::lifecycle::{Shutdown, Tasks, Trigger};
use model::{Clock, Secret, SystemClock};
use tokio::sync::{oneshot, watch};

use super::place::Place;
use super::screen::{self, DemoLogin, FirstStart, Screen, reachable};
use super::settings::Settings;
use crate::api::Api;
use crate::demo::{self, Demo, Traffic};
use crate::exit::{CANNOT_START, DONE, Ended, Failure, NO, put};
use crate::nas_sim::{self, NasSim, Retry};
use crate::output::Style;

/// After this long, what is not ready yet is named.
const IMPATIENT: Duration = Duration::from_secs(10);
/// The first address the demo's NAS hands out: shared address space (RFC 6598).
const DEMO_POOL: [u8; 4] = [100, 64, 0, 10];

type BoxError = Box<dyn Error + Send + Sync>;

/// Why a start failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpError {
    #[error("could not start {program}{hint}")]
    Open { program: &'static str, hint: &'static str, source: BoxError },
    #[error("could not create the services of --seed")]
    Seed(#[source] BoxError),
    #[error("could not start the demo")]
    Demo(#[source] BoxError),
    #[error(
        "--demo needs an API token, and this data directory was started before without it: give \
         one with --token"
    )]
    NoToken,
}

impl UpError {
    fn open(program: &'static str, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        let in_use = io_kind(&*source) == Some(io::ErrorKind::AddrInUse);
        let hint = match program {
            "aaad" if in_use => " (--auth and --acct choose other ports)",
            "billing-api" if in_use => " (--http chooses another port)",
            _ => "",
        };
        Self::Open { program, hint, source }
    }
}

/// What the system said, where it said something.
fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

/// Everything is open, and nothing runs yet.
pub(super) struct Opened {
    policyd: policyd::Opened,
    aaad: aaad::Opened,
    billing: billing_api::Opened,
    /// How they are, in the order above.
    healths: [(&'static str, Health); 3],
    demo: Option<(Demo, NasSim)>,
}

impl Opened {
    /// Opens everything. What is open closes again where something else fails.
    pub(super) async fn open(settings: &Settings, place: &Place) -> Result<Self, UpError> {
        let bus = Bus::local();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let healths = ["policyd", "aaad", "billing-api"].map(|program| (program, Health::new()));
        let [(_, policyd_health), (_, aaad_health), (_, billing_health)] = &healths;

        let mut demo = match settings.demo {
            true => Some(Demo::load_or_new(&place.demo()).map_err(|e| UpError::Demo(e.into()))?),
            false => None,
        };
        let parts = policyd::Parts {
            bus: bus.clone(),
            health: policyd_health.clone(),
            clock: clock.clone(),
        };
        let policyd = policyd::Opened::open(policyd_config(place), parts).await;
        let policyd = policyd.map_err(|source| UpError::open("policyd", source))?;

        let parts =
            aaad::Parts { bus: bus.clone(), health: aaad_health.clone(), clock: clock.clone() };
        let aaad = aaad::Opened::open(aaad_config(settings, place), parts).await;
        let aaad = aaad.map_err(|source| UpError::open("aaad", source))?;

        let nas = match &mut demo {
            Some(demo) => Some(open_demo(settings, place, demo).await?),
            None => None,
        };

        let parts = billing_api::Parts { bus, health: billing_health.clone(), clock };
        let billing = billing_api::Opened::open(billing_config(settings, place), parts).await;
        let billing = billing.map_err(|source| UpError::open("billing-api", source))?;
        if let Some(count) = settings.seed {
            seed(&billing, count.into()).await.map_err(|error| UpError::Seed(error.into()))?;
        }
        Ok(Self { policyd, aaad, billing, healths, demo: demo.zip(nas) })
    }

    /// Runs everything until it is stopped, or until a part of it fails.
    pub(super) async fn run(
        self,
        settings: &Settings,
        place: &Place,
        shutdown: &Shutdown,
        trigger: &Trigger,
    ) -> Ended {
        let Self { policyd, aaad, billing, healths, demo } = self;
        let first = billing.welcome().map(|welcome| FirstStart {
            admin_email: welcome.admin_email.clone(),
            password: welcome.admin_password.clone(),
            token: welcome.token.clone(),
        });
        let http = billing.http_address();

        let mut tasks = Tasks::new();
        let (demo, traffic) = demo.unzip();
        let (seeded, go) = oneshot::channel();
        let gone = Stage::first();
        let gone = match (&demo, traffic) {
            (Some(demo), Some(nas)) => {
                let traffic = Traffic::new(nas, demo, shutdown.clone());
                gone.spawn_as_is(&mut tasks, "demo", traffic_when(go, traffic, shutdown.clone()))
            }
            _ => gone,
        };
        let (gone, aaad_up) = gone.spawn(&mut tasks, "aaad", shutdown, |s| aaad.run(s));
        let (gone, policyd_up) = gone.spawn(&mut tasks, "policyd", shutdown, |s| policyd.run(s));
        let (_, billing_up) = gone.spawn(&mut tasks, "billing-api", shutdown, |s| billing.run(s));

        let greeting = Greeting {
            settings,
            place,
            first: first.as_ref(),
            http,
            demo,
            healths: &healths,
            started: [&policyd_up, &aaad_up, &billing_up],
            seeded,
        };
        let told = watch::Sender::new(false);
        let greeting = greeting.run(&told);
        let supervised = tasks.supervise(shutdown);
        tokio::pin!(supervised, greeting);
        let ended = tokio::select! {
            ended = &mut supervised => ended.map_err(|error| error.into()),
            Err(failure) = &mut greeting => {
                trigger.soft();
                // What made us stop matters more than how the stop went.
                let _ = supervised.await;
                Err(failure)
            }
        };
        let told = *told.borrow();
        if !told && let Some(first) = &first {
            // These are told once, and this start has made them for good.
            let url = format!("http://{}/", reachable(http));
            put(&screen::sign_in(first, &url, &Style::of_stdout()))?;
        }
        match ended {
            Ok(()) => Ok(DONE),
            Err(error) => Err(Failure { code: if told { NO } else { CANNOT_START }, error }),
        }
    }
}

/// A place in the order of stopping: whoever comes next waits until the one before is gone.
struct Stage {
    /// Ends when the one before has ended; absent for the first.
    before: Option<oneshot::Receiver<Infallible>>,
}

impl Stage {
    fn first() -> Self {
        Self { before: None }
    }

    /// Starts a task that heeds the stop by itself.
    fn spawn_as_is<E>(
        self,
        tasks: &mut Tasks,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) -> Self
    where
        E: Into<BoxError> + Send + 'static,
    {
        let (alive, gone) = oneshot::channel::<Infallible>();
        tasks.spawn(name, async move {
            let ended = task.await;
            drop(alive);
            ended
        });
        Self { before: Some(gone) }
    }

    /// Starts a program that is stopped when the one before has ended. Also returns its own
    /// [`Shutdown`], which tells whether it has started.
    fn spawn<F, E>(
        self,
        tasks: &mut Tasks,
        name: &'static str,
        shutdown: &Shutdown,
        run: impl FnOnce(Shutdown) -> F,
    ) -> (Self, Shutdown)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + Send + 'static,
    {
        let (trigger, own) = Shutdown::new();
        let (all, before) = (shutdown.clone(), self.before);
        let program = run(own.clone());
        let task = async move {
            tokio::pin!(program);
            let turn = async {
                all.soft().await;
                if let Some(before) = before {
                    // Nothing is ever sent: it ends by being dropped.
                    let _ = before.await;
                }
            };
            tokio::select! {
                ended = &mut program => return ended,
                () = turn => trigger.soft(),
            }
            // At the hard stop this whole task is aborted.
            program.await
        };
        (Self::first().spawn_as_is(tasks, name, task), own)
    }
}

/// The demo's traffic begins when the demo has been made.
async fn traffic_when(
    go: oneshot::Receiver<()>,
    traffic: Traffic,
    shutdown: Shutdown,
) -> Result<(), Infallible> {
    tokio::select! {
        made = go => if made.is_err() {
            // It was not made; the reason is on its way, with the stop.
            shutdown.soft().await;
            return Ok(());
        },
        () = shutdown.soft() => return Ok(()),
    }
    traffic.run().await
}

/// Waits until all is ready, makes the demo, and says so.
struct Greeting<'a> {
    settings: &'a Settings,
    place: &'a Place,
    first: Option<&'a FirstStart>,
    http: std::net::SocketAddr,
    demo: Option<Demo>,
    healths: &'a [(&'static str, Health); 3],
    started: [&'a Shutdown; 3],
    seeded: oneshot::Sender<()>,
}

impl Greeting<'_> {
    /// Never ends well: having said everything, it waits to be dropped.
    async fn run(mut self, told: &watch::Sender<bool>) -> Result<Infallible, BoxError> {
        self.until_ready().await;
        let demo = self.demo.take();
        let demo = match demo {
            Some(demo) => Some(self.make(demo).await?),
            None => None,
        };
        let text = self.screen(demo.as_ref()).show(&Style::of_stdout());
        put(&text).map_err(|failure| failure.error)?;
        told.send_replace(true);
        // The traffic's task ends only with the program.
        let _ = self.seeded.send(());
        std::future::pending().await
    }

    async fn until_ready(&self) {
        let ready = async {
            for (started, (_, health)) in self.started.iter().zip(self.healths) {
                started.until_started().await;
                health.until_ready().await;
            }
        };
        tokio::pin!(ready);
        loop {
            tokio::select! {
                () = &mut ready => return,
                () = tokio::time::sleep(IMPATIENT) => {
                    let missing: Vec<String> = (self.healths.iter())
                        .filter(|(_, health)| !health.is_ready())
                        .map(|(program, health)| {
                            format!("{program} ({})", health.not_ready().join(", "))
                        })
                        .collect();
                    eprintln!("netctl: still waiting for {}", missing.join(", "));
                }
            }
        }
    }

    async fn make(&self, mut demo: Demo) -> Result<Demo, BoxError> {
        let path = self.place.demo();
        if let Some(token) = self.first.and_then(|first| first.token.as_ref()) {
            // Later starts are not told it again, and this one may be cut short.
            demo.token = Some(token.expose().clone());
            demo.save(&path)?;
        }
        if demo.complete {
            return Ok(demo);
        }
        let given = self.settings.token.as_ref().map(SecretSource::load).transpose()?;
        let token = given.or_else(|| demo.token.as_deref().map(Secret::from));
        let token = token.ok_or(UpError::NoToken)?;
        eprintln!("netctl: making the demo: {} customers", demo.customers().len());
        demo::seed(&Api::new(self.http, token), &mut demo, &path).await?;
        Ok(demo)
    }

    fn screen<'s>(&'s self, demo: Option<&'s Demo>) -> Screen<'s> {
        let demo = demo.and_then(|demo| {
            let subscriber = demo.subscribers.first()?;
            Some(DemoLogin {
                customers: demo.customers().len(),
                login: &subscriber.login,
                password: &subscriber.password,
                secret: &demo.nas_secret,
            })
        });
        Screen {
            first: self.first,
            http: self.http,
            auth: self.settings.auth,
            acct: self.settings.acct,
            data: self.place.folder(),
            demo,
            has_client: !self.settings.nas.is_empty(),
            netctl: called(),
        }
    }
}

/// How this program was called, where the shell did not find it by name alone.
fn called() -> &'static str {
    static CALLED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    CALLED.get_or_init(|| {
        let name = std::env::args().next().filter(|name| name.contains('/'));
        name.unwrap_or_else(|| "netctl".to_owned())
    })
}

/// Makes sure of the seeded services, and says how that goes: a million take their time.
async fn seed(billing: &billing_api::Opened, count: u64) -> Result<(), billing_api::RunError> {
    let started = std::time::Instant::now();
    let created = billing.seed(count).await?;
    if created > 0 {
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("netctl: created {created} services in {seconds:.1} s");
    }
    Ok(())
}

/// Opens the demo's NAS: its sockets are something that can fail.
async fn open_demo(settings: &Settings, place: &Place, demo: &mut Demo) -> Result<NasSim, UpError> {
    let failed = |error: BoxError| UpError::Demo(error);
    let nas = NasSim::start(nas_sim::Options {
        name: demo::NAS_NAME.to_owned(),
        address: [127, 0, 0, 1].into(),
        auth: reachable(settings.auth),
        acct: reachable(settings.acct),
        secret: Secret::from(demo.nas_secret.as_str()),
        coa_secret: None,
        coa_port: demo.coa_port,
        pool: DEMO_POOL.into(),
        retry: Retry::default(),
    });
    let nas = nas.await.map_err(|error| failed(error.into()))?;
    if demo.coa_port == 0 {
        demo.coa_port = nas.coa_address().port();
        demo.save(&place.demo()).map_err(|error| failed(error.into()))?;
    }
    Ok(nas)
}

fn sqlite(path: &Path) -> SecretSource {
    // The setting after the `?` is the default; it is there so that a `?` in the path is one.
    SecretSource::Inline(Secret::new(format!("sqlite:{}?synchronous=full", path.display())))
}

fn policyd_config(place: &Place) -> policyd::Config {
    let mut config = policyd::Config {
        data: place.folder().to_owned(),
        control: Some(place.socket("policyd")),
        ..policyd::Config::default()
    };
    config.database.url = Some(sqlite(&place.network_db()));
    config
}

fn aaad_config(settings: &Settings, place: &Place) -> aaad::Config {
    let mut config = aaad::Config {
        data: place.aaad(),
        key_file: place.key(),
        control: Some(place.socket("aaad")),
        ..aaad::Config::default()
    };
    config.auth.listen = vec![settings.auth];
    config.acct.listen = vec![settings.acct];
    config
}

fn billing_config(settings: &Settings, place: &Place) -> billing_api::Config {
    let database = |path: PathBuf| billing_api::config::Database {
        url: sqlite(&path),
        ..billing_api::config::Database::default()
    };
    let mut config = billing_api::Config {
        key_file: place.key(),
        control: place.socket("billing-api"),
        database: database(place.billing_db()),
        network: database(place.network_db()),
        calls: settings.calls.clone(),
        webhooks: settings.webhooks.clone(),
        backup: settings.backup.clone(),
        hooks_file: settings.hooks_file.clone(),
        ..billing_api::Config::default()
    };
    config.http.listen = settings.http;
    config.http.public_url.clone_from(&settings.public_url);
    // Who reaches it over TLS never sends a session in the clear.
    config.http.secure_cookie = settings.public_url.starts_with("https://");
    config.exports.sftp_directory = place.sftp();
    config.first_start.admin_password = settings.admin_password.clone();
    config.first_start.token = settings.token.clone();
    config.first_start.clients = (settings.nas.iter())
        .map(|client| billing_api::config::ClientSeed {
            source: client.source,
            secret: SecretSource::Inline(client.secret.clone()),
        })
        .collect();
    config
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn programs_stop_one_after_the_other() {
        let (trigger, shutdown) = Shutdown::new();
        let mut tasks = Tasks::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut stage = Stage::first();
        for name in ["aaad", "policyd", "billing-api"] {
            let order = order.clone();
            let run = |own: Shutdown| async move {
                own.started();
                own.soft().await;
                // Others would come first if they did not wait.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                order.lock().unwrap().push(name);
                Ok::<_, Infallible>(())
            };
            let up;
            (stage, up) = stage.spawn(&mut tasks, name, &shutdown, run);
            up.until_started().await;
        }
        trigger.soft();
        tasks.supervise(&shutdown).await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["aaad", "policyd", "billing-api"]);
    }

    #[tokio::test]
    async fn one_that_fails_stops_the_others() {
        let (_trigger, shutdown) = Shutdown::new();
        let mut tasks = Tasks::new();
        let (stage, _) = Stage::first().spawn(&mut tasks, "aaad", &shutdown, |own| async move {
            own.soft().await;
            Ok::<_, io::Error>(())
        });
        let failing = |_| async { Err(io::Error::other("disk is full")) };
        let _ = stage.spawn(&mut tasks, "policyd", &shutdown, failing);
        let error = tasks.supervise(&shutdown).await.unwrap_err();
        assert_eq!(daemon::exit::chain(&error), "task policyd failed: disk is full");
    }

    #[test]
    fn a_port_in_use_comes_with_its_flags() {
        let taken = io::Error::from(io::ErrorKind::AddrInUse);
        let line = daemon::exit::chain(&UpError::open("aaad", taken));
        assert!(line.starts_with("could not start aaad (--auth and --acct choose"), "{line}");
        let other = daemon::exit::chain(&UpError::open("aaad", "no"));
        assert_eq!(other, "could not start aaad: no");
    }
}
