//! A Redis of one test's own, to be flushed, frozen and killed.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use bus::{Bus, RedisOptions};

pub(crate) struct RedisServer {
    port: u16,
    dir: tempfile::TempDir,
    child: Child,
}

impl RedisServer {
    pub(crate) fn start() -> RedisServer {
        // Free a moment ago; nothing else on this machine asks for this very port.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        let child = spawn(port, &dir);
        RedisServer { port, dir, child }
    }

    /// Ends the process at once; it keeps no data.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, on the same port.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.port, &self.dir);
    }

    /// Stops the process where it is; its sockets stay open and silent.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    /// Runs a command outside the bus.
    pub(crate) async fn run<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(("127.0.0.1", self.port)).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut connection).await.unwrap()
    }

    /// A bus with these limits, which answered once.
    pub(crate) async fn bus(&self, call_timeout_ms: u64) -> Bus {
        let bus = self.bus_with(&self.url(), call_timeout_ms);
        // The server is still starting; calls wait for it, within their time.
        let patient = self.bus_with(&self.url(), 20_000);
        patient.ping().await.unwrap();
        bus
    }

    pub(crate) fn bus_with(&self, url: &str, call_timeout_ms: u64) -> Bus {
        let mut options = RedisOptions::new(url);
        options.call_timeout_ms = call_timeout_ms;
        options.connect_timeout_ms = call_timeout_ms / 2;
        Bus::redis(options).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may be dead already, which is what this is for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, dir: &tempfile::TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(dir.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed where these tests run")
}
