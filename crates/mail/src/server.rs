//! The dialogue with one mail server, and what its answer means.
//!
//! Every step has a time limit. The name is resolved here, its addresses are checked where the
//! server was named by somebody who may not reach our own network, and the connection goes to
//! one that was checked. Certificates are checked against the name and the machine's authorities.
//!
//! A line of an answer is counted by `lettre` only once it has ended, and it has no setting for
//! that. So a connection takes in so many octets and no more ([`crate::stream`]): a server that never
//! ends a line is left.
//!
//! Taking the letter has a limit of its own. Who gives up before the server has answered the end of
//! the text sends it again, and it arrives twice: RFC 5321 §4.5.3.2.6 asks for ten minutes.
//!
//! What the server says about the letter decides: 4xx is tried again, 5xx is final (RFC 5321
//! §4.2.1). What goes wrong before there is a letter on the table, a wrong password included, is
//! about the server, and is tried again: whoever looks after it sets it right.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use model::Secret;
use outcall::{Guard, Refused};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::timeout;

use crate::letter::MESSAGE_OCTETS_MAX;
use crate::stream::{self, Tls};
use crate::{Letter, LetterError};

/// Octets of a server's answer that are kept.
const ANSWER_OCTETS_MAX: usize = 1000;
/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 4;
/// How long a server may think about a letter it has.
const TAKING: Duration = Duration::from_secs(600);
/// The slowest line that a letter still gets through in time, octets a second.
const SLOWEST: u64 = 64 << 10;

/// Whether the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// It is not: for a server on this machine.
    None,
    /// After STARTTLS (RFC 3207), which the server must offer.
    StartTls,
    /// From the first octet (RFC 8314).
    Tls,
}

impl Security {
    /// Every kind with its word.
    pub const WORDS: &'static [&'static str] = &["starttls", "tls", "none"];

    /// The kind of a word; an unknown one is the strictest.
    pub fn of(word: &str) -> Self {
        match word {
            "none" => Self::None,
            "starttls" => Self::StartTls,
            _ => Self::Tls,
        }
    }
}

/// Which addresses may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Any: whoever named the server runs this machine.
    Any,
    /// Public ones, and what the configuration allows besides.
    Public,
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// Who we are to it, and the password.
    pub account: Option<(String, Secret<String>)>,
    /// Which addresses its name may have.
    pub reach: Reach,
}

/// Why a letter was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The letter itself cannot be sent.
    #[error(transparent)]
    Letter(#[from] LetterError),
    /// The server may not be called.
    #[error("the mail server: {0}")]
    Refused(Refused),
    /// Its name is unknown.
    #[error("the name {0} cannot be resolved")]
    Name(String),
    /// A step took too long.
    #[error("the mail server did not answer in time: {0}")]
    TimedOut(&'static str),
    /// It could not be reached, or the dialogue broke off.
    #[error("{step}: {detail}")]
    Server {
        /// What was being done.
        step: &'static str,
        /// What went wrong.
        detail: String,
    },
    /// It says: not now.
    #[error("the mail server says {code}: {text}")]
    Later {
        /// Its code, 4xx.
        code: u16,
        /// Its words.
        text: String,
    },
    /// It says: never.
    #[error("the mail server says {code}: {text}")]
    Never {
        /// Its code, 5xx.
        code: u16,
        /// Its words.
        text: String,
    },
}

impl Failure {
    /// Whether it would be the same the next time.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Letter(_) | Self::Never { .. })
    }

    /// The server's code, where it gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Later { code, .. } | Self::Never { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Why mail cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The certificates that are trusted besides cannot be read.
    #[error("the certificates cannot be read: {0}")]
    Certificates(String),
}

/// Sends letters.
#[derive(Clone)]
pub struct Client {
    guard: Arc<Guard>,
    step: Duration,
    hello: ClientId,
    extra: Option<Certificate>,
    /// The same, for connections that are encrypted from the first octet.
    authorities: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("step", &self.step).finish_non_exhaustive()
    }
}

impl Client {
    /// `step`: how long each step may take. `authorities`: certificates (PEM) that are trusted
    /// besides the machine's.
    pub fn new(
        guard: Guard,
        step: Duration,
        authorities: Option<&[u8]>,
    ) -> Result<Self, SetupError> {
        let read = |pem| {
            Certificate::from_pem(pem).map_err(|error| SetupError::Certificates(error.to_string()))
        };
        let extra = authorities.map(read).transpose()?;
        let each = CertificateDer::pem_slice_iter(authorities.unwrap_or_default());
        let authorities = each.collect::<Result<Vec<_>, _>>();
        let authorities =
            authorities.map_err(|error| SetupError::Certificates(error.to_string()))?;
        let (guard, hello) = (Arc::new(guard), ClientId::default());
        Ok(Self { guard, step, hello, extra, authorities })
    }

    /// How long a letter may take in all: what is under way longer has been lost.
    pub fn limit(&self) -> Duration {
        // Resolve, connect to some addresses, STARTTLS, sign in, send, quit.
        self.step * (4 + ADDRESSES_MAX as u32) + self.sending(MESSAGE_OCTETS_MAX)
    }

    /// How long a letter of so many octets may take from its envelope to the server's answer.
    fn sending(&self, octets: usize) -> Duration {
        self.step.max(TAKING) + Duration::from_secs(octets as u64 / SLOWEST)
    }

    /// Sends a letter; what the server answered.
    pub async fn send(&self, server: &Server, letter: &Letter) -> Result<String, Failure> {
        let (envelope, message) = letter.message()?;
        let mut connection = self.open(server).await?;
        let sending = timeout(self.sending(message.len()), connection.send(&envelope, &message));
        let sent = sending.await.map_err(|_| Failure::TimedOut("sending"))?;
        let answer = sent.map(|response| words(&response)).map_err(|e| answered("sending", &e));
        if answer.is_ok() {
            // It has been taken; how the goodbye goes changes nothing.
            let _ = timeout(self.step, connection.quit()).await;
        }
        answer
    }

    /// Connects, encrypts and signs in, and sends nothing.
    pub async fn check(&self, server: &Server) -> Result<(), Failure> {
        let mut connection = self.open(server).await?;
        let _ = timeout(self.step, connection.quit()).await;
        Ok(())
    }

    async fn open(&self, server: &Server) -> Result<AsyncSmtpConnection, Failure> {
        let addresses = self.resolve(server).await?;
        let tls = match server.security {
            Security::None | Security::StartTls => None,
            Security::Tls => Some(Tls::new(&server.host, self.authorities.clone()).await?),
        };
        let mut connection = self.connect(&addresses, tls.as_ref()).await?;
        if server.security == Security::StartTls {
            let tls = self.parameters(&server.host)?;
            self.step("STARTTLS", async {
                let upgraded = connection.starttls(tls, &self.hello).await;
                upgraded.map_err(|error| broken("STARTTLS", &error))
            })
            .await?;
        }
        if let Some((user, password)) = &server.account {
            let credentials = Credentials::new(user.clone(), password.expose().clone());
            self.step("signing in", async {
                let signed =
                    connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
                signed.map(drop).map_err(|error| broken("signing in", &error))
            })
            .await?;
        }
        Ok(connection)
    }

    /// Tries the addresses of a server in their order.
    async fn connect(
        &self,
        addresses: &[SocketAddr],
        tls: Option<&Tls>,
    ) -> Result<AsyncSmtpConnection, Failure> {
        let mut failed = Failure::TimedOut("connecting");
        for address in addresses.iter().take(ADDRESSES_MAX) {
            let connected = self.step("connecting", async {
                let stream = stream::connect(*address, tls).await.map_err(|error| {
                    Failure::Server { step: "connecting", detail: cut(&error.to_string()) }
                })?;
                let greeted = AsyncSmtpConnection::connect_with_transport(stream, &self.hello);
                greeted.await.map_err(|error| broken("connecting", &error))
            });
            match connected.await {
                Ok(connection) => return Ok(connection),
                Err(failure) => failed = failure,
            }
        }
        Err(failed)
    }

    async fn resolve(&self, server: &Server) -> Result<Vec<SocketAddr>, Failure> {
        let host = server.host.as_str();
        let unknown = |_: io::Error| Failure::Name(host.to_owned());
        let found: Vec<SocketAddr> = self
            .step("resolving", async {
                let found = tokio::net::lookup_host((host, server.port)).await;
                Ok(found.map_err(unknown)?.collect())
            })
            .await?;
        if server.reach == Reach::Public {
            let addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
            self.guard.addresses(host, &addresses).map_err(Failure::Refused)?;
        }
        if found.is_empty() {
            return Err(Failure::Name(host.to_owned()));
        }
        Ok(found)
    }

    fn parameters(&self, host: &str) -> Result<TlsParameters, Failure> {
        let mut builder = TlsParameters::builder(host.to_owned());
        if let Some(extra) = &self.extra {
            builder = builder.add_root_certificate(extra.clone());
        }
        builder.build().map_err(|error| broken("TLS", &error))
    }

    async fn step<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        match timeout(self.step, work).await {
            Ok(result) => result,
            Err(_) => Err(Failure::TimedOut(what)),
        }
    }
}

/// The words of an answer, as much as is kept.
fn words(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), cut(&text.join(" ")))
}

fn cut(text: &str) -> String {
    let mut plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.truncate(plain.floor_char_boundary(ANSWER_OCTETS_MAX));
    plain
}

/// An answer to the letter: its code decides.
fn answered(step: &'static str, error: &lettre::transport::smtp::Error) -> Failure {
    let Some(code) = error.status().map(u16::from) else { return broken(step, error) };
    let text = detail(error);
    match error.is_permanent() {
        true => Failure::Never { code, text },
        false => Failure::Later { code, text },
    }
}

/// An answer to anything before the letter: it is about the server.
fn broken(step: &'static str, error: &lettre::transport::smtp::Error) -> Failure {
    let said = error.status().map(|code| format!("the mail server says {code}: "));
    Failure::Server { step, detail: format!("{}{}", said.unwrap_or_default(), detail(error)) }
}

fn detail(error: &lettre::transport::smtp::Error) -> String {
    let mut parts = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(step) = cause {
        parts.push(step.to_string());
        cause = step.source();
    }
    if parts.is_empty() {
        parts.push(error.to_string());
    }
    cut(&parts.join(": "))
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
