//! The network's side: a NAS that logs subscribers in and reports their sessions, through
//! FreeRADIUS's `radclient`, which checks every reply it gets.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use crate::peer::CoaPeer;
use crate::servers::unique;

/// A NAS of the lab.
#[derive(Debug, Clone)]
pub struct Nas {
    /// What staff call it.
    pub name: String,
    /// Its id in the API.
    pub id: String,
    /// Where its packets come from.
    pub source: Ipv4Addr,
    /// The secret it has.
    pub secret: String,
    /// Where it sends Access-Requests.
    pub auth: SocketAddr,
    /// Where it sends Accounting-Requests.
    pub acct: SocketAddr,
    pub(crate) peer: Arc<CoaPeer>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Access-Accept.
    Accept,
    /// Access-Reject.
    Reject,
    /// Accounting-Response.
    Recorded,
    /// Nothing that `radclient` believed.
    Silence,
}

/// A reply as `radclient` read it.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What came back.
    pub verdict: Verdict,
    /// Its attributes in order, text without its quotes.
    pub attributes: Vec<(String, String)>,
    /// All that `radclient` printed.
    pub output: String,
}

/// Acct-Status-Type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A session begins.
    Start,
    /// A session goes on.
    Interim,
    /// A session has ended.
    Stop,
    /// The NAS has started.
    On,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::Interim => "Interim-Update",
            Self::Stop => "Stop",
            Self::On => "Accounting-On",
        }
    }
}

/// A session as its NAS knows it.
#[derive(Debug, Clone)]
pub struct Session {
    /// User-Name.
    pub login: String,
    /// Acct-Session-Id.
    pub id: String,
    /// Framed-IP-Address.
    pub ip: Ipv4Addr,
    /// Calling-Station-Id.
    pub mac: String,
    /// Class, as `radclient` printed it in the Access-Accept.
    pub class: Option<String>,
    /// When it began.
    pub began: Instant,
    /// To the subscriber.
    pub download_octets: u64,
    /// From the subscriber.
    pub upload_octets: u64,
}

impl Session {
    /// A session that begins now, as the reply to its login said.
    pub fn of(login: &str, reply: &Reply) -> Self {
        let id = unique();
        Self {
            login: login.to_owned(),
            ip: Ipv4Addr::new(100, 64, 0, 7),
            mac: "0E:00:00:00:00:07".to_owned(),
            class: reply.value("Class").map(str::to_owned),
            began: Instant::now(),
            download_octets: 0,
            upload_octets: 0,
            id,
        }
    }
}

/// How often and how long `radclient` tries: as a NAS would, only faster.
const TRIES: &str = "10";
const TRY_S: &str = "0.2";

impl Nas {
    /// The peer on its CoA port.
    pub fn coa_peer(&self) -> &CoaPeer {
        &self.peer
    }

    /// The same NAS with another secret than the one registered.
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    /// The same NAS at another address than the one registered.
    pub fn at(&self, source: Ipv4Addr) -> Self {
        Self { source, ..self.clone() }
    }

    /// A PAP login.
    pub fn login(&self, user: &str, password: &str) -> Reply {
        self.access(user, "User-Password", password)
    }

    /// A CHAP login.
    pub fn login_chap(&self, user: &str, password: &str) -> Reply {
        self.access(user, "CHAP-Password", password)
    }

    /// An Access-Request of these lines, as `radclient` takes them, `count` times over.
    pub fn ask(&self, lines: &[&str], count: u32) -> Reply {
        let mut request: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        request.push(text("NAS-Identifier", &self.name));
        self.radclient_times(self.auth, "auth", &request, count)
    }

    /// Asks whether the server lives (RFC 5997), at its port for accounting or the other one.
    pub fn status(&self, accounting: bool) -> Reply {
        let server = if accounting { self.acct } else { self.auth };
        self.radclient(server, "status", &["Message-Authenticator = 0x00".to_owned()])
    }

    /// Asks whether the server lives, many times at once.
    pub fn status_times(&self, count: u32) -> Reply {
        let request = ["Message-Authenticator = 0x00".to_owned()];
        self.radclient_times(self.auth, "status", &request, count)
    }

    fn access(&self, user: &str, attribute: &str, password: &str) -> Reply {
        let request = [
            text("User-Name", user),
            text(attribute, password),
            // radclient computes it.
            "Message-Authenticator = 0x00".to_owned(),
            text("NAS-Identifier", &self.name),
            "NAS-Port-Type = Ethernet".to_owned(),
            text("Calling-Station-Id", "0E:00:00:00:00:07"),
        ];
        self.radclient(self.auth, "auth", &request)
    }

    /// Logs a subscriber in and reports the beginning of the session.
    #[track_caller]
    pub fn connect(&self, user: &str, password: &str) -> Session {
        let reply = self.login(user, password);
        assert!(reply.accepted(), "{}", reply.output);
        let session = Session::of(user, &reply);
        let recorded = self.accounting(Status::Start, &session);
        assert!(recorded.recorded(), "{}", recorded.output);
        session
    }

    /// A report about a session.
    pub fn accounting(&self, status: Status, session: &Session) -> Reply {
        let mut request = vec![
            format!("Acct-Status-Type = {}", status.as_str()),
            text("NAS-Identifier", &self.name),
        ];
        if status == Status::On {
            request.push(text("Acct-Session-Id", "00000000"));
            return self.radclient(self.acct, "acct", &request);
        }
        request.extend([
            text("User-Name", &session.login),
            text("Acct-Session-Id", &session.id),
            format!("Framed-IP-Address = {}", session.ip),
            text("Calling-Station-Id", &session.mac),
            format!("Acct-Session-Time = {}", session.began.elapsed().as_secs()),
        ]);
        // A value radclient printed in hexadecimal is written as it is.
        request.extend(session.class.iter().map(|class| format!("Class = {class}")));
        if status != Status::Start {
            for (way, octets) in
                [("Input", session.upload_octets), ("Output", session.download_octets)]
            {
                request.push(format!("Acct-{way}-Octets = {}", octets & 0xffff_ffff));
                request.push(format!("Acct-{way}-Gigawords = {}", octets >> 32));
            }
        }
        if status == Status::Stop {
            request.push("Acct-Terminate-Cause = User-Request".to_owned());
        }
        self.radclient(self.acct, "acct", &request)
    }

    fn radclient(&self, server: SocketAddr, command: &str, request: &[String]) -> Reply {
        self.radclient_times(server, command, request, 1)
    }

    fn radclient_times(
        &self,
        server: SocketAddr,
        command: &str,
        request: &[String],
        count: u32,
    ) -> Reply {
        let mut child = Command::new("radclient")
            .args(["-x", "-r", TRIES, "-t", TRY_S, "-c", &count.to_string()])
            .args([&server.to_string(), command, &self.secret])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("radclient is installed where these tests run (Debian: freeradius-utils)");
        let mut packet = request.join("\n");
        packet.push_str(&format!("\nPacket-Src-IP-Address = {}\n", IpAddr::V4(self.source)));
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(packet.as_bytes()).expect("write to radclient");
        drop(stdin);
        let output = child.wait_with_output().expect("read from radclient");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Reply::read(format!("{}{}", said(&output.stdout), said(&output.stderr)))
    }
}

/// An attribute whose value is text.
fn text(name: &str, value: &str) -> String {
    format!("{name} = \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Reply {
    /// Reads what `radclient -x` prints: a line `Received CODE Id …`, then an indented line an
    /// attribute.
    fn read(output: String) -> Self {
        let mut lines = output.lines().skip_while(|line| !line.starts_with("Received "));
        let verdict = match lines.next().and_then(|line| line.split(' ').nth(1)) {
            None => Verdict::Silence,
            Some("Access-Accept") => Verdict::Accept,
            Some("Access-Reject") => Verdict::Reject,
            Some("Accounting-Response") => Verdict::Recorded,
            Some(other) => panic!("radclient received {other}:\n{output}"),
        };
        let attributes = lines
            .map_while(|line| line.strip_prefix('\t'))
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, value)| (name.to_owned(), unquoted(value)))
            .collect();
        Self { verdict, attributes, output }
    }

    /// Whether it is an Access-Accept.
    pub fn accepted(&self) -> bool {
        self.verdict == Verdict::Accept
    }

    /// Whether it is an Access-Reject.
    pub fn rejected(&self) -> bool {
        self.verdict == Verdict::Reject
    }

    /// Whether it is an Accounting-Response.
    pub fn recorded(&self) -> bool {
        self.verdict == Verdict::Recorded
    }

    /// Whether there was none.
    pub fn silent(&self) -> bool {
        self.verdict == Verdict::Silence
    }

    /// The value of the first attribute of this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => inside.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_radclient_prints_is_read() {
        let output = "Sent Access-Request Id 77 from 127.0.0.7:1 to 127.9.9.9:2 length 62\n\
            \tUser-Name = \"asha\"\n\
            Received Access-Accept Id 77 from 127.9.9.9:2 to 127.0.0.7:1 length 64\n\
            \tMessage-Authenticator = 0x00\n\
            \tMikrotik-Rate-Limit = \"20M/50M\"\n\
            \tReply-Message = \"a = \\\"b\\\"\"\n";
        let reply = Reply::read(output.to_owned());
        assert!(reply.accepted());
        assert_eq!(reply.attributes.len(), 3);
        assert_eq!(reply.value("Mikrotik-Rate-Limit"), Some("20M/50M"));
        assert_eq!(reply.value("Reply-Message"), Some("a = \"b\""));
        assert_eq!(reply.value("User-Name"), None);
        let nothing = "Sent Access-Request Id 77 from 127.0.0.7:1 to 127.9.9.9:2 length 62\n\
            \tUser-Name = \"asha\"\n(0) No reply from server for ID 77 socket 3\n";
        assert!(Reply::read(nothing.to_owned()).silent());
    }
}
