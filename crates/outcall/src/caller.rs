//! The call itself.
//!
//! One client for all calls. It follows no redirect, takes no proxy from the environment, keeps
//! no cookie and repeats nothing by itself. Its resolver is ours: the addresses it hands on are
//! the ones that were checked, so what is checked and what is called are the same.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::Secret;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method};
use tracing::warn;

use crate::{Config, Guard, Refused};

/// How much of an answer's body is kept, octets.
pub const BODY_OCTETS_KEPT: usize = 8 * 1024;
/// Longest value of Retry-After that is looked at, octets.
const RETRY_AFTER_OCTETS_MAX: usize = 64;
/// Connections kept to one host between calls.
const IDLE_PER_HOST: usize = 2;
/// How long they are kept.
const IDLE: Duration = Duration::from_secs(15);

/// Turns a name into addresses.
pub trait Resolver: Send + Sync + 'static {
    /// Every address of the name.
    fn resolve(
        &self,
        host: String,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
}

/// The machine's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        host: String,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// The resolver the client is given: it hands on checked addresses or nothing.
struct Checked {
    guard: Arc<Guard>,
    resolver: Arc<dyn Resolver>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let guard = self.guard.clone();
        let resolving = self.resolver.resolve(host.clone());
        Box::pin(async move {
            let found =
                resolving.await.map_err(|source| Unresolved { host: host.clone(), source })?;
            guard.addresses(&host, &found)?;
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// A name the resolver does not know.
#[derive(Debug, thiserror::Error)]
#[error("{host} cannot be resolved")]
struct Unresolved {
    host: String,
    source: io::Error,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The guard does not let it pass.
    #[error("the URL {0}")]
    Url(Refused),
    /// The guard does not let the address pass.
    #[error("{0}")]
    Address(Refused),
    /// A header holds what no header may hold.
    #[error("the value of the header {0} cannot be sent")]
    Header(String),
    /// The name does not resolve.
    #[error("the name {host} cannot be resolved")]
    Name {
        /// The name.
        host: String,
    },
    /// No answer in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// The other side was not reached.
    #[error("could not connect")]
    Connect(#[source] reqwest::Error),
    /// The connection broke before there was an answer.
    #[error("the connection broke")]
    Broken(#[source] reqwest::Error),
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting cannot be used.
    #[error("calls.{0}")]
    Config(String),
    /// The HTTP client refused what it was given.
    #[error("the HTTP client could not be made")]
    Client(#[from] reqwest::Error),
}

/// One call.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: &'a str,
    /// Headers; their values are not logged.
    pub headers: Vec<(&'static str, Secret<String>)>,
    /// The body.
    pub body: Bytes,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Retry-After as sent; [`crate::retry_after::seconds`] reads it.
    pub retry_after: Option<String>,
    /// The first octets of the body: [`BODY_OCTETS_KEPT`], unless the call asked for more.
    pub body: Vec<u8>,
    /// Whether the body was longer, or broke off.
    pub truncated: bool,
    /// The address that answered.
    pub address: Option<SocketAddr>,
}

impl Answer {
    /// Whether the status is one of success (2xx).
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Makes calls.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    guard: Arc<Guard>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Caller {
    /// With the machine's resolver.
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        Self::with_resolver(config, Arc::new(SystemResolver))
    }

    /// With another resolver.
    pub fn with_resolver(config: &Config, resolver: Arc<dyn Resolver>) -> Result<Self, SetupError> {
        config.check().map_err(SetupError::Config)?;
        // The client takes the process's provider. Another one that was there first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let guard = Arc::new(Guard::new(config));
        let builder = || -> ClientBuilder {
            let checked = Checked { guard: guard.clone(), resolver: resolver.clone() };
            Client::builder()
                .user_agent(concat!("Lastmile/", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .http1_only()
                .connect_timeout(Duration::from_secs(config.connect_timeout_s.into()))
                .timeout(Duration::from_secs(config.timeout_s.into()))
                .pool_max_idle_per_host(IDLE_PER_HOST)
                .pool_idle_timeout(IDLE)
                .dns_resolver(Arc::new(checked))
        };
        let client = match builder().build() {
            Ok(client) => client,
            // A container without CA certificates must still start; https fails there by name.
            Err(error) => {
                warn!(
                    error = %daemon::exit::chain(&error),
                    "there are no CA certificates: calls over https will fail"
                );
                builder().tls_certs_only([]).build()?
            }
        };
        Ok(Self { client, guard })
    }

    /// The rules, for checking a URL when it is entered.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Makes a call. Any status is an answer.
    pub async fn call(&self, request: Request<'_>) -> Result<Answer, CallError> {
        self.call_keeping(request, BODY_OCTETS_KEPT).await
    }

    /// As [`Caller::call`], and keeps so many octets of the body.
    pub async fn call_keeping(
        &self,
        request: Request<'_>,
        octets: usize,
    ) -> Result<Answer, CallError> {
        let url = self.guard.url(request.url).map_err(CallError::Url)?;
        let mut builder = self.client.request(request.method, url).body(request.body);
        for (name, value) in &request.headers {
            let bad = || CallError::Header((*name).to_owned());
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| bad())?;
            value.set_sensitive(true);
            builder = builder.header(key, value);
        }
        let mut response = builder.send().await.map_err(failed)?;
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .filter(|value| value.len() <= RETRY_AFTER_OCTETS_MAX)
            .map(str::to_owned);
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after,
            body: Vec::new(),
            truncated: false,
            address: response.remote_addr(),
        };
        // The status is the answer; a body that breaks off or never ends takes nothing from it.
        while answer.body.len() <= octets {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let room = octets + 1 - answer.body.len();
                    answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                }
                Ok(None) => return Ok(answer),
                Err(_) => break,
            }
        }
        answer.body.truncate(octets);
        answer.truncated = true;
        Ok(answer)
    }
}

/// Tells failures apart by their causes. The URL is taken out: it may hold a token.
fn failed(error: reqwest::Error) -> CallError {
    let error = error.without_url();
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(step) = cause {
        if let Some(refused) = step.downcast_ref::<Refused>() {
            return CallError::Address(refused.clone());
        }
        if let Some(unresolved) = step.downcast_ref::<Unresolved>() {
            return CallError::Name { host: unresolved.host.clone() };
        }
        cause = step.source();
    }
    if error.is_timeout() {
        CallError::TimedOut
    } else if error.is_connect() {
        CallError::Connect(error)
    } else {
        CallError::Broken(error)
    }
}
