//! A connection to a mail server that takes in so many octets and no more.
//!
//! The dialogue is some dozen short lines. What a server sends beyond [`TAKEN_MAX`] is no answer of
//! any, and reading it ends with an error, wherever in a line that is.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::server::Failure;

/// Octets of a server that one connection takes in. Under STARTTLS these are encrypted ones, with
/// the certificates among them.
pub(crate) const TAKEN_MAX: usize = 256 << 10;

/// How a connection is encrypted from its first octet.
pub(crate) struct Tls {
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// For a host by its name or address. `authorities`: trusted besides the machine's, which are
    /// read anew each time, so that a new one needs no start.
    pub(crate) async fn new(
        host: &str,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, Failure> {
        let failed = |detail: String| Failure::Server { step: "TLS", detail };
        let name = ServerName::try_from(host.to_owned()).map_err(|e| failed(e.to_string()))?;
        let roots = tokio::task::spawn_blocking(move || {
            let mut roots = RootCertStore::empty();
            let all = rustls_native_certs::load_native_certs().certs.into_iter();
            // One that does not read is trusted by nobody; the others are as good without it.
            roots.add_parsable_certificates(all.chain(authorities));
            roots
        });
        let roots = roots.await.map_err(|error| failed(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { name, config: Arc::new(config) })
    }
}

/// Connects to an address, encrypted from the first octet where that is wanted.
pub(crate) async fn connect(
    address: SocketAddr,
    tls: Option<&Tls>,
) -> io::Result<Box<dyn AsyncTokioStream>> {
    let inner = TcpStream::connect(address).await?;
    Ok(match tls {
        None => Box::new(Bounded { inner, address, left: TAKEN_MAX }),
        Some(Tls { name, config }) => {
            let connector = TlsConnector::from(config.clone());
            let inner = connector.connect(name.clone(), inner).await?;
            Box::new(Bounded { inner, address, left: TAKEN_MAX })
        }
    })
}

/// A stream of which so many octets more are read.
#[derive(Debug)]
struct Bounded<S> {
    inner: S,
    address: SocketAddr,
    left: usize,
}

impl<S> AsyncTokioStream for Bounded<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            let text = format!("the mail server says more than {} KiB", TAKEN_MAX >> 10);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        let room = buffer.remaining().min(self.left);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut part))?;
        let read = part.filled().len();
        buffer.advance(read);
        self.left -= read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
