//! The driver of the browsers: starts `chromedriver` and speaks W3C WebDriver with it over HTTP.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use ureq::Agent;

use crate::waiting::{PATIENCE, eventually};

/// The longest a call may take; a page gets less, so that the answer names it.
const CALL: Duration = Duration::from_secs(30);

/// A `chromedriver`, which starts the browsers.
#[derive(Debug)]
pub(crate) struct Driver {
    child: Child,
    // Its files and those of its browsers.
    pub(crate) directory: TempDir,
    base: String,
    agent: Agent,
}

impl Driver {
    /// The one driver of this process.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Driver>> = Mutex::new(Weak::new());
        // A test that panicked with the lock left a driver or none; both are fine.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(driver) = shared.upgrade() {
            return driver;
        }
        let driver = Arc::new(Self::start());
        *shared = Arc::downgrade(&driver);
        driver
    }

    fn start() -> Self {
        let directory =
            tempfile::Builder::new().prefix("browser-").tempdir().expect("make a directory");
        let path = directory.path().join("chromedriver.out");
        let output = File::create(&path).expect("make a file");
        let child = Command::new("chromedriver")
            // It takes a free port and tells which.
            .arg("--port=0")
            .env("TMPDIR", directory.path())
            .env("HOME", directory.path())
            .stdin(Stdio::null())
            .stderr(output.try_clone().expect("open a file twice"))
            .stdout(output)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "start chromedriver (Debian: chromium-driver; tests/run installs it): {error}"
                )
            });
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(CALL))
            .build()
            .new_agent();
        let mut driver = Self { child, directory, base: String::new(), agent };
        let port = eventually("chromedriver tells its port", PATIENCE, || {
            let text = std::fs::read_to_string(&path).expect("read a file");
            if let Some(status) = driver.child.try_wait().expect("ask for a child's status") {
                panic!("chromedriver ended: {status}\n{text}");
            }
            let (_, rest) = text.split_once("successfully on port ")?;
            rest.split_once('.')?.0.parse::<u16>().ok()
        });
        driver.base = format!("http://127.0.0.1:{port}");
        driver
    }

    /// A call; its value, or WebDriver's error and message.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Refusal> {
        let url = format!("{}{path}", self.base);
        let result = match method {
            "GET" => self.agent.get(url).call(),
            "DELETE" => self.agent.delete(url).call(),
            _ => self.agent.post(url).send_json(body),
        };
        let lost = |error: &dyn std::fmt::Display| Refusal {
            error: "no answer".to_owned(),
            message: format!("{method} {path}: {error}"),
        };
        let mut response = result.map_err(|error| lost(&error))?;
        let is_ok = response.status().is_success();
        // A picture of a whole page is larger than what ureq reads by itself.
        let read = response.body_mut().with_config().limit(64 << 20).read_json::<Value>();
        let value = read.map_err(|error| lost(&error))?["value"].take();
        if is_ok {
            return Ok(value);
        }
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Err(Refusal { error: text("error"), message: format!("{path}: {}", text("message")) })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended already, and a panic here would hide another.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why WebDriver did not do as it was told.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// One of the protocol's words, such as `stale element reference`.
    error: String,
    message: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.error, self.message)
    }
}

/// The octets of base64 (RFC 4648 §4), as far as it reads.
pub(crate) fn base64(text: &str) -> Vec<u8> {
    let value = |octet: u8| match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut octets, mut bits, mut held) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for sextet in text.bytes().map_while(value) {
        bits = bits << 6 | u32::from(sextet);
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.push((bits >> held) as u8);
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_reads_as_rfc_4648_writes() {
        for (text, octets) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYmFy", b"foobar"),
            ("+/8=", &[0xfb, 0xff]),
        ] {
            assert_eq!(base64(text), octets, "{text}");
        }
    }
}
