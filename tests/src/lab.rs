//! One object that is a running installation.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::api::{Answer, Api, Secrets};
use crate::nas::Nas;
use crate::peer::CoaPeer;
use crate::place::Place;
use crate::program::{Ended, Program, run_to_end, workspace};
use crate::servers::{self, Database, unique};
use crate::waiting::{PATIENCE, eventually};

/// The secret every NAS of the lab has.
const NAS_SECRET: &str = "testing123";
/// Where a NAS of the lab is, unless a scenario needs several.
const NAS_ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The three daemons.
pub const DAEMONS: [&str; 3] = ["aaad", "policyd", "billing-api"];

/// Everything our own crates have to say.
const LOG_FILTER: &str = "info,aaad=debug,policyd=debug,billing_api=debug,bus=debug,store=debug";

/// How the programs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// All in one process, on SQLite and the local bus: `netctl up`.
    Embedded,
    /// A process each, from the shipped files in `config/`, on Postgres and Redis.
    Separate,
}

/// Where the parts of an installation are to be found.
#[derive(Debug)]
struct Addresses {
    auth: SocketAddr,
    /// Where else `aaad` listens for Access-Requests.
    auth_besides: Vec<SocketAddr>,
    acct: SocketAddr,
    http: SocketAddr,
    /// Health and metrics of programs without a web server, where they are processes.
    aaad_admin: SocketAddr,
    policyd_admin: SocketAddr,
}

/// A running installation. Dropping it kills what still runs, checks that no secret it handed
/// out reached a log, and shows the logs' ends if the test is failing.
#[derive(Debug)]
pub struct Lab {
    way: Way,
    // In the order they are dropped: programs before what they stand on.
    programs: Vec<Program>,
    nas: BTreeMap<String, Nas>,
    api: Api,
    admin_password: String,
    secrets: Secrets,
    addresses: Addresses,
    database: Option<Database>,
    directory: TempDir,
}

/// The small ISP most scenarios begin with.
#[derive(Debug)]
pub struct Isp {
    /// Home 50: 50 Mbit/s down, 20 up.
    pub plan: String,
    /// Asha Rao.
    pub customer: String,
    /// Her service; she logs in as `asha` with the password `s3cret`.
    pub service: String,
    /// `bng1`, a MikroTik at 127.0.0.1.
    pub nas: Nas,
}

impl Lab {
    /// Starts an installation and waits until it is ready.
    pub fn start(way: Way) -> Self {
        let mut lab = Self::prepare(way, true, &[]);
        lab.start_all();
        lab
    }

    /// `netctl up`.
    pub fn embedded() -> Self {
        Self::start(Way::Embedded)
    }

    /// Three daemons.
    pub fn separate() -> Self {
        Self::start(Way::Separate)
    }

    /// `netctl up` with further arguments, not started yet.
    pub fn embedded_with(arguments: &[&str]) -> Self {
        Self::prepare(Way::Embedded, true, arguments)
    }

    /// Three daemons, of which `aaad` listens at further addresses too; not started yet.
    pub fn separate_listening(auth_besides: &[SocketAddr]) -> Self {
        Self::prepare_listening(Way::Separate, true, &[], auth_besides)
    }

    /// `netctl up` that makes up its token and the administrator's password, not started yet.
    pub fn embedded_without_credentials() -> Self {
        Self::prepare(Way::Embedded, false, &[])
    }

    fn prepare(way: Way, given: bool, arguments: &[&str]) -> Self {
        Self::prepare_listening(way, given, arguments, &[])
    }

    fn prepare_listening(
        way: Way,
        given: bool,
        arguments: &[&str],
        auth_besides: &[SocketAddr],
    ) -> Self {
        let directory =
            tempfile::Builder::new().prefix("lab-").tempdir().expect("make a directory");
        let place = Place::new();
        let addresses = Addresses {
            auth: place.port(),
            auth_besides: auth_besides.to_vec(),
            acct: place.port(),
            http: place.port(),
            aaad_admin: place.port(),
            policyd_admin: place.port(),
        };
        let token = format!("token-{}{}", unique(), unique());
        let password = format!("admin-{}", unique());
        let secrets: Secrets = Arc::new(Mutex::new(vec![token.clone(), password.clone()]));
        let api =
            Api::new(format!("http://{}", addresses.http), Some(token.clone()), secrets.clone());
        let mut lab = Self {
            way,
            programs: Vec::new(),
            nas: BTreeMap::new(),
            api,
            admin_password: password.clone(),
            secrets,
            addresses,
            database: None,
            directory,
        };
        lab.programs = match way {
            Way::Embedded => {
                let given = given.then_some((token.as_str(), password.as_str()));
                vec![lab.netctl_up(given, arguments)]
            }
            Way::Separate => lab.daemons(&token, &password),
        };
        lab
    }

    /// The one program of an embedded installation.
    fn netctl_up(&self, given: Option<(&str, &str)>, further: &[&str]) -> Program {
        let Addresses { auth, acct, http, .. } = &self.addresses;
        let mut arguments: Vec<OsString> = vec!["up".into(), "--data".into(), self.data().into()];
        for (flag, value) in [
            ("--auth", auth.to_string()),
            ("--acct", acct.to_string()),
            ("--http", http.to_string()),
        ] {
            arguments.extend([flag.into(), value.into()]);
        }
        if let Some((token, password)) = given {
            arguments.extend(["--token".into(), token.into()]);
            arguments.extend(["--admin-password".into(), password.into()]);
        }
        arguments.extend(further.iter().map(OsString::from));
        Program::new("netctl", self.directory.path(), arguments, Vec::new())
    }

    /// The daemons of a separate installation, each from its shipped file; the environment sets
    /// what cannot be shipped: ports, paths and where the servers are.
    fn daemons(&mut self, token: &str, password: &str) -> Vec<Program> {
        let database = Database::create();
        let (url, redis, prefix) = (database.url(), servers::redis(), format!("lab-{}", unique()));
        self.database = Some(database);
        std::fs::create_dir_all(self.run()).expect("make a directory");
        let key = self.data().join("key");
        let made = run_to_end("netctl", &["key", "new", path_text(&key)], &[]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);

        let socket = |name: &str| self.run().join(format!("{name}.sock")).into_os_string();
        let data = |name: &str| self.data().join(name).into_os_string();
        let Addresses { auth, auth_besides, acct, http, aaad_admin, policyd_admin } =
            &self.addresses;
        let auth: Vec<String> = std::iter::once(auth)
            .chain(auth_besides)
            .map(|address| format!("\"{address}\""))
            .collect();
        let auth = format!("[{}]", auth.join(", "));
        let shared: [(&str, OsString); 3] = [
            ("BUS__REDIS", redis.into()),
            ("BUS__PREFIX", prefix.into()),
            // Talkative, so that a secret in a line nobody reads is found as well.
            ("LOG__FILTER", LOG_FILTER.into()),
        ];
        let aaad = [
            ("DATA", data("aaad")),
            ("KEY_FILE", key.clone().into()),
            ("CONTROL", socket("aaad")),
            ("AUTH__LISTEN", auth.into()),
            ("ACCT__LISTEN", acct.to_string().into()),
            ("ADMIN", aaad_admin.to_string().into()),
        ];
        let policyd = [
            ("DATA", data("policyd")),
            ("CONTROL", socket("policyd")),
            ("DATABASE__URL", url.clone().into()),
            ("ADMIN", policyd_admin.to_string().into()),
        ];
        let billing = [
            ("KEY_FILE", key.into()),
            ("CONTROL", socket("billing-api")),
            ("HTTP__LISTEN", http.to_string().into()),
            ("DATABASE__URL", url.clone().into()),
            ("NETWORK__URL", url.into()),
            // What webhooks lead to is on this machine, at a port of its own.
            ("CALLS__ALLOW", r#"["127.0.0.0/8", "::1/128"]"#.into()),
            ("CALLS__PORTS", "[]".into()),
            ("FIRST_START__TOKEN", token.into()),
            ("FIRST_START__ADMIN_PASSWORD", password.into()),
        ];
        let program = |name: &'static str, settings: &[(&str, OsString)]| {
            let prefix = name.to_uppercase().replace('-', "_");
            let environment = settings
                .iter()
                .chain(&shared)
                .map(|(key, value)| (format!("{prefix}__{key}"), value.clone()))
                .collect();
            let arguments = vec!["--config".into(), shipped(name).into()];
            Program::new(name, self.directory.path(), arguments, environment)
        };
        vec![program("aaad", &aaad), program("policyd", &policyd), program("billing-api", &billing)]
    }

    /// How it runs.
    pub fn way(&self) -> Way {
        self.way
    }

    /// The directory the programs keep their data in.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("var")
    }

    /// The database of a separate installation.
    pub fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(Database::url)
    }

    fn run(&self) -> PathBuf {
        self.data().join("run")
    }

    /// Starts every program and waits until all are ready.
    #[track_caller]
    pub fn start_all(&mut self) {
        for program in &mut self.programs {
            program.start();
        }
        self.wait_until_ready();
    }

    /// Waits until every program says that it is ready; fails at once where one has ended.
    #[track_caller]
    pub fn wait_until_ready(&mut self) {
        for daemon in DAEMONS {
            eventually(&format!("{daemon} is ready"), PATIENCE, || {
                for program in &mut self.programs {
                    if let Some(status) = program.ended() {
                        panic!("{} ended: {status}", program.name);
                    }
                }
                let ready = crate::api::agent().get(self.url_of(daemon, "/readyz")).call();
                ready.is_ok_and(|answer| answer.status().as_u16() == 200).then_some(())
            });
        }
    }

    fn url_of(&self, daemon: &str, path: &str) -> String {
        let Addresses { http, aaad_admin, policyd_admin, .. } = &self.addresses;
        let address = match (self.way, daemon) {
            (Way::Separate, "aaad") => aaad_admin,
            (Way::Separate, "policyd") => policyd_admin,
            _ => http,
        };
        format!("http://{address}{path}")
    }

    /// What a daemon says over HTTP at `/healthz`, `/readyz` or `/metrics`.
    pub fn ask(&self, daemon: &str, path: &str) -> Answer {
        Api::new(self.url_of(daemon, path), None, self.secrets.clone()).get("")
    }

    /// A counter or gauge of a daemon: the sum over the lines of that name whose labels contain
    /// `label`.
    pub fn metric(&self, daemon: &str, name: &str, label: &str) -> f64 {
        let text = self.ask(daemon, "/metrics").text;
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| line.contains(label))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// The office.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Where the console is, `http://HOST:PORT`.
    pub fn console_url(&self) -> String {
        format!("http://{}", self.addresses.http)
    }

    /// The e-mail address and the password of the administrator of the first start.
    pub fn administrator(&self) -> (&str, &str) {
        ("admin@localhost", &self.admin_password)
    }

    /// Where things listen: authentication, accounting, HTTP.
    pub fn listening(&self) -> [SocketAddr; 3] {
        [self.addresses.auth, self.addresses.acct, self.addresses.http]
    }

    /// A NAS that was added.
    pub fn nas(&self, name: &str) -> &Nas {
        self.nas.get(name).unwrap_or_else(|| panic!("no NAS {name} was added"))
    }

    /// Registers a NAS at 127.0.0.1, with a peer on its CoA port.
    pub fn add_nas(&mut self, name: &str) -> Nas {
        self.add_nas_at(name, NAS_ADDRESS)
    }

    /// Registers a NAS at another loopback address.
    pub fn add_nas_at(&mut self, name: &str, address: Ipv4Addr) -> Nas {
        let peer = CoaPeer::start(address, NAS_SECRET);
        let id = self.api.create_nas(name, &address.to_string(), NAS_SECRET, peer.port());
        let nas = self.unregistered_nas(name, address, id, peer);
        self.nas.insert(name.to_owned(), nas.clone());
        nas
    }

    fn unregistered_nas(&self, name: &str, source: Ipv4Addr, id: String, peer: CoaPeer) -> Nas {
        Nas {
            name: name.to_owned(),
            id,
            source,
            secret: NAS_SECRET.to_owned(),
            auth: self.addresses.auth,
            acct: self.addresses.acct,
            peer: Arc::new(peer),
        }
    }

    /// A NAS nobody registered, for `--nas CIDR=SECRET`.
    pub fn stranger(&self, name: &str, source: Ipv4Addr) -> Nas {
        let peer = CoaPeer::start(source, NAS_SECRET);
        self.unregistered_nas(name, source, String::new(), peer)
    }

    /// The small ISP most scenarios begin with; returns once its subscriber can log in.
    #[track_caller]
    pub fn isp(&mut self) -> Isp {
        let plan = self.api.create_plan("Home 50", 50_000_000, 20_000_000);
        let customer = self.api.create_customer("Asha Rao", "asha@example.net");
        let service = self.api.create_service(&customer, &plan, "asha", "s3cret");
        let nas = self.add_nas("bng1");
        eventually("asha can log in", PATIENCE, || {
            nas.login("asha", "s3cret").accepted().then_some(())
        });
        Isp { plan, customer, service, nas }
    }

    /// Runs `netctl` on this installation.
    pub fn netctl(&self, arguments: &[&str]) -> Ended {
        let environment = [("LASTMILE_RUN".to_owned(), self.run().into_os_string())];
        run_to_end("netctl", arguments, &environment)
    }

    /// Runs `netctl … --json` and reads what it prints.
    #[track_caller]
    pub fn netctl_json(&self, arguments: &[&str]) -> serde_json::Value {
        let ended = self.netctl(&[arguments, &["--json"]].concat());
        serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?} printed no JSON ({error}): {ended:?}"))
    }

    /// A try of `netctl radius test`; returns its exit code and what it printed.
    pub fn radius_test(&self, user: &str, password: &str, method: &str, secret: &str) -> Ended {
        let server = self.addresses.auth.to_string();
        self.netctl(&[
            "radius",
            "test",
            "--server",
            &server,
            "--user",
            user,
            "--password",
            password,
            "--secret",
            secret,
            "--method",
            method,
        ])
    }

    /// The process a daemon lives in.
    fn program(&mut self, daemon: &str) -> &mut Program {
        let name = if self.way == Way::Embedded { "netctl" } else { daemon };
        let found = self.programs.iter_mut().find(|program| program.name == name);
        found.unwrap_or_else(|| panic!("no program {daemon}"))
    }

    /// Kills the process a daemon lives in (SIGKILL).
    pub fn kill9(&mut self, daemon: &str) {
        self.program(daemon).kill9();
    }

    /// Starts it again and waits until it is ready.
    #[track_caller]
    pub fn revive(&mut self, daemon: &str) {
        self.program(daemon).start();
        self.wait_until_ready();
    }

    /// Starts every program that does not run, and waits until all are ready.
    #[track_caller]
    pub fn revive_all(&mut self) {
        for program in self.programs.iter_mut().filter(|program| !program.runs()) {
            program.start();
        }
        self.wait_until_ready();
    }

    /// Starts a program that must refuse to, and returns how it ended.
    #[track_caller]
    pub fn start_in_vain(&mut self, name: &str) -> Ended {
        self.program(name).start_in_vain()
    }

    /// Ends every program as an operator would (SIGTERM); each must exit with 0.
    #[track_caller]
    pub fn terminate(&mut self) {
        for program in &mut self.programs {
            let status = program.terminate();
            assert_eq!(status.code(), Some(0), "{} after SIGTERM: {status}", program.name);
        }
    }

    /// Ends every program and starts it again on the same data.
    #[track_caller]
    pub fn restart(&mut self) {
        self.terminate();
        self.start_all();
    }

    /// What the programs printed for people, over all their starts.
    pub fn printed(&self) -> String {
        self.programs.iter().map(Program::printed).collect()
    }

    /// What the programs logged, over all their starts.
    pub fn log(&self) -> String {
        self.programs.iter().map(Program::log).collect()
    }

    /// Checks that nothing the scenario handed out as a secret is in a log.
    pub fn assert_logs_hold_no_secret(&self) {
        let secrets = self.secrets.lock().expect("no test panics with the lock");
        for program in &self.programs {
            let log = program.log();
            for secret in secrets.iter() {
                let line = log.lines().find(|line| line.contains(secret.as_str()));
                assert_eq!(line, None, "{} logged a secret", program.name);
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for program in &mut self.programs {
            program.kill9();
        }
        if std::thread::panicking() {
            for program in &self.programs {
                eprintln!("{}", program.tail());
            }
        } else {
            self.assert_logs_hold_no_secret();
        }
    }
}

/// The shipped file of a program.
pub fn shipped(program: &str) -> PathBuf {
    workspace().join("config").join(format!("{program}.toml"))
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("paths of the lab are UTF-8")
}
