//! Against a real sshd on this machine.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command as Process};
use std::time::{Duration, Instant};

use super::*;

/// An sshd of our own, for whoever runs the test.
struct Server {
    home: tempfile::TempDir,
    child: Child,
    port: u16,
    user: String,
    host_key: (String, String),
    key: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keygen(path: &Path) -> String {
    let made = Process::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::read_to_string(path.with_extension("pub")).unwrap()
}

fn words(public: &str) -> (String, String) {
    let mut words = public.split_whitespace().map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

impl Server {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let host = keygen(&at("host"));
        let public = keygen(&at("client"));
        std::fs::write(at("authorized"), public).unwrap();
        let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
             StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n\
             PermitRootLogin yes\nSubsystem sftp internal-sftp\n",
            at("host").display(),
            at("authorized").display()
        );
        std::fs::write(at("config"), config).unwrap();
        // sshd wants a directory of its own to be there when it is started by root.
        let _ = std::fs::create_dir_all("/run/sshd");
        let child = Process::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(at("config"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not listen");
            // Nobody tells when a port is listened on.
            std::thread::sleep(Duration::from_millis(20));
        }
        let key = std::fs::read_to_string(at("client")).unwrap();
        let host_key = words(&host);
        Self { home, child, port, user, host_key, key }
    }

    fn target(&self) -> Target {
        std::fs::create_dir_all(self.place()).unwrap();
        Target {
            host: "localhost".to_owned(),
            port: self.port,
            user: self.user.clone(),
            password: None,
            private_key: Some(Secret::new(self.key.clone())),
            host_key: self.host_key.clone(),
            directory: self.place().display().to_string(),
            anywhere: true,
        }
    }

    fn settings(&self) -> Exports {
        Exports { sftp_directory: self.home.path().join("state/sftp"), ..Exports::default() }
    }

    fn place(&self) -> PathBuf {
        self.home.path().join("in")
    }
}

fn guard() -> Guard {
    Guard::new(&outcall::Config::default())
}

#[tokio::test]
async fn a_file_arrives_whole_under_its_own_name() {
    let server = Server::start();
    let content: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    let settings = server.settings();
    put(&settings, &guard(), &server.target(), "table.csv", content.clone()).await.unwrap();
    assert_eq!(std::fs::read(server.place().join("table.csv")).unwrap(), content);
    let names: Vec<_> = std::fs::read_dir(server.place()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn a_key_without_line_ends_serves_and_a_wrong_one_is_refused() {
    let server = Server::start();
    let mut target = server.target();
    target.private_key = Some(Secret::new(server.key.replace('\n', "")));
    let settings = server.settings();
    put(&settings, &guard(), &target, "a.csv", b"x".to_vec()).await.unwrap();
    let other = server.home.path().join("other");
    keygen(&other);
    target.private_key = Some(Secret::new(std::fs::read_to_string(other).unwrap()));
    let error = put(&settings, &guard(), &target, "b.csv", b"x".to_vec()).await.unwrap_err();
    assert!(error.to_string().contains("Permission denied") && !error.is_final(), "{error}");
    target.private_key = None;
    target.password = Some(Secret::new("wrong".to_owned()));
    let error = put(&settings, &guard(), &target, "b.csv", b"x".to_vec()).await.unwrap_err();
    assert!(error.to_string().contains("Permission denied"), "{error}");
}

#[tokio::test]
async fn another_host_key_ends_it_for_good() {
    let server = Server::start();
    let mut target = server.target();
    target.host_key = words(&keygen(&server.home.path().join("stranger")));
    let error =
        put(&server.settings(), &guard(), &target, "a.csv", b"x".to_vec()).await.unwrap_err();
    assert!(matches!(error, SftpError::HostKey(_)) && error.is_final(), "{error}");
    assert!(std::fs::read_dir(server.place()).unwrap().next().is_none());
}

#[tokio::test]
async fn a_partner_reaches_nobody_inside_and_a_missing_server_is_tried_again() {
    let server = Server::start();
    let mut target = server.target();
    target.anywhere = false;
    let settings = server.settings();
    let error = put(&settings, &guard(), &target, "a.csv", b"x".to_vec()).await.unwrap_err();
    assert!(matches!(error, SftpError::Refused(_)) && error.is_final(), "{error}");
    target.anywhere = true;
    target.port = 1;
    let error = put(&settings, &guard(), &target, "a.csv", b"x".to_vec()).await.unwrap_err();
    assert!(!error.is_final(), "{error}");
    let settings = Exports { sftp: "/no/such/sftp".into(), ..settings };
    let error = put(&settings, &guard(), &target, "a.csv", b"x".to_vec()).await.unwrap_err();
    assert!(error.to_string().contains("openssh-client"), "{error}");
}

#[tokio::test]
async fn a_client_that_hangs_is_ended() {
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("sftp");
    let pid = home.path().join("pid");
    let text = format!("#!/bin/sh\nsleep 600 &\necho $! > {}\nwait\n", pid.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let sftp_directory = home.path().join("state/sftp");
    let settings =
        Exports { sftp: script, sftp_timeout_s: 1, sftp_directory, ..Exports::default() };
    let target = Target {
        host: "127.0.0.1".to_owned(),
        port: 22,
        user: "u".to_owned(),
        password: Some(Secret::new("p".to_owned())),
        private_key: None,
        host_key: ("ssh-ed25519".to_owned(), "AAAA".to_owned()),
        directory: String::new(),
        anywhere: true,
    };
    let error = put(&settings, &guard(), &target, "a.csv", b"x".to_vec()).await.unwrap_err();
    assert!(matches!(error, SftpError::TimedOut(1)), "{error}");
    let ours = home.path().join("state/sftp");
    assert!(std::fs::read_dir(&ours).unwrap().next().is_none(), "nothing is left in clear");
    // What it started went with it.
    let pid = std::fs::read_to_string(pid).unwrap();
    let stat = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    let deadline = Instant::now() + Duration::from_secs(10);
    let lives = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    while lives() {
        assert!(Instant::now() < deadline, "its child still runs");
        // The kernel tells nobody but the parent, which is gone.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_the_client_reads_is_ours_alone_and_swept_when_a_killed_program_left_it() {
    let state = tempfile::tempdir().unwrap();
    let settings = Exports { sftp_directory: state.path().join("a/sftp"), ..Exports::default() };
    sweep(&settings).unwrap();
    // As left by somebody who made it by hand.
    std::fs::create_dir_all(&settings.sftp_directory).unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&settings.sftp_directory, open).unwrap();
    let target = Target {
        host: "127.0.0.1".to_owned(),
        port: 22,
        user: "u".to_owned(),
        password: Some(Secret::new("p4ss".to_owned())),
        private_key: None,
        host_key: ("ssh-ed25519".to_owned(), "AAAA".to_owned()),
        directory: String::new(),
        anywhere: true,
    };
    let files = Files::of(&target, b"table".to_vec()).unwrap();
    // A program that is killed drops nothing.
    let home = files.write(&settings.sftp_directory).unwrap().keep();
    assert_eq!(std::fs::read(home.join("password")).unwrap(), b"p4ss");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&settings.sftp_directory), 0o700);
    assert_eq!((mode(&home), mode(&home.join("password"))), (0o700, 0o600));
    assert_eq!(mode(&home.join("askpass")), 0o700);
    std::fs::write(settings.sftp_directory.join("note"), "kept").unwrap();
    sweep(&settings).unwrap();
    assert!(!home.exists());
    assert!(settings.sftp_directory.join("note").exists(), "what is not ours stays");
}

#[test]
fn names_that_mean_something_to_the_client_are_refused() {
    for user in ["-oProxyCommand=x", "a b", "", "a;b", "ü"] {
        assert!(!is_user(user), "{user}");
    }
    for directory in ["a\"b", "../x", "a/../b", "a\nrm *", "*", "a\\b", "a[b]"] {
        assert!(!is_directory(directory), "{directory}");
    }
    assert!(is_user("o.ffice_1") && is_directory("/in/day 1") && is_directory(""));
    for key in [
        "",
        "key",
        "-----BEGIN X-----\nAAAA\n-----END X-----",
        "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----",
    ] {
        assert!(private_key(key).is_none(), "{key}");
    }
}
