//! `/healthz`, `/readyz` and `/metrics` over HTTP/1.1, for programs without a web server.
//!
//! One request a connection. Every size and time is bounded, because the port may be reachable
//! by more than the monitoring.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::health::Health;
use crate::lifecycle::Shutdown;
use crate::telemetry;

/// Longest request head.
const HEAD_OCTETS_MAX: usize = 8 * 1024;
/// Connections at once; one more is closed unanswered.
const CONNECTIONS_MAX: usize = 32;
/// Time for a whole connection.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pause when the system refuses to accept, for want of file descriptors for example: no event
/// tells when it will again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The admin endpoint cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("could not listen on {address} for health and metrics")]
pub struct AdminError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// Takes the port, so that one in use is an error at start.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, AdminError> {
    TcpListener::bind(address).await.map_err(|source| AdminError { address, source })
}

/// Answers until the soft stop, then lets open connections finish.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), AdminError> {
    serve_within(listener, health, shutdown, TIMEOUT).await;
    Ok(())
}

async fn serve_within(listener: TcpListener, health: Health, shutdown: Shutdown, limit: Duration) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.soft() => break,
            accepted = listener.accept() => accepted,
            // Only to forget connections that have ended.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((_, peer)) if connections.len() >= CONNECTIONS_MAX => {
                debug!(%peer, "admin connection closed: too many");
            }
            Ok((stream, _)) => {
                let health = health.clone();
                connections.spawn(async move {
                    // What a stranger does wrong is no news.
                    let _ = tokio::time::timeout(limit, converse(stream, &health)).await;
                });
            }
            Err(error) => {
                warn!(%error, "could not accept an admin connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = shutdown.hard() => {}
        () = async { while connections.join_next().await.is_some() {} } => {}
    }
}

async fn converse(mut stream: TcpStream, health: &Health) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    let answer = loop {
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            break answer(&head, health);
        }
        if head.len() >= HEAD_OCTETS_MAX {
            break Answer::text("431 Request Header Fields Too Large", "request too large\n");
        }
        let room = (HEAD_OCTETS_MAX - head.len()) as u64;
        if (&mut stream).take(room).read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    stream.write_all(&answer.into_octets()).await?;
    stream.shutdown().await?;
    // Closing with unread octets would reset the connection, and the answer with it.
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: String,
    /// HEAD: everything but the body.
    head_only: bool,
}

impl Answer {
    fn text(status: &'static str, body: impl Into<String>) -> Self {
        let content_type = "text/plain; charset=utf-8";
        Self { status, content_type, body: body.into(), head_only: false }
    }

    fn into_octets(self) -> Vec<u8> {
        let Self { status, content_type, body, head_only } = self;
        let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
        let mut octets = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        if !head_only {
            octets.extend_from_slice(body.as_bytes());
        }
        octets
    }
}

/// The answer to a whole request head.
fn answer(head: &[u8], health: &Health) -> Answer {
    let line = head.split(|octet| *octet == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|octet| *octet == b' ').collect();
    let [method, target, version] = words[..] else {
        return Answer::text("400 Bad Request", "not an HTTP request\n");
    };
    if !version.starts_with(b"HTTP/1.") {
        return Answer::text("505 HTTP Version Not Supported", "HTTP/1.1 only\n");
    }
    if method != b"GET" && method != b"HEAD" {
        return Answer::text("405 Method Not Allowed", "GET only\n");
    }
    let path = target.split(|octet| *octet == b'?').next().unwrap_or_default();
    let answer = match path {
        b"/healthz" => Answer::text("200 OK", "ok\n"),
        b"/readyz" => match health.not_ready().as_slice() {
            [] => Answer::text("200 OK", "ready\n"),
            parts => {
                let body = format!("not ready: {}\n", parts.join(", "));
                Answer::text("503 Service Unavailable", body)
            }
        },
        b"/metrics" => Answer {
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            ..Answer::text("200 OK", telemetry::metrics().render())
        },
        _ => Answer::text("404 Not Found", "try /healthz, /readyz or /metrics\n"),
    };
    Answer { head_only: method == b"HEAD", ..answer }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::Trigger;

    struct Server {
        address: SocketAddr,
        health: Health,
        trigger: Trigger,
        running: tokio::task::JoinHandle<()>,
    }

    async fn start(limit: Duration) -> Server {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let health = Health::new();
        let (trigger, shutdown) = Shutdown::new();
        let running = tokio::spawn(serve_within(listener, health.clone(), shutdown, limit));
        Server { address, health, trigger, running }
    }

    impl Server {
        async fn ask(&self, request: &[u8]) -> String {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }

        async fn get(&self, path: &str) -> String {
            self.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await
        }
    }

    #[tokio::test]
    async fn health_and_readiness_are_told() {
        let server = start(TIMEOUT).await;
        let alive = server.get("/healthz").await;
        assert!(alive.starts_with("HTTP/1.1 200 OK\r\n") && alive.ends_with("\r\n\r\nok\n"));
        assert!(alive.contains("\r\nConnection: close\r\n"));
        let (bus, journal) = (server.health.part("bus"), server.health.part("journal"));
        let unready = server.get("/readyz").await;
        assert!(unready.starts_with("HTTP/1.1 503 "), "{unready}");
        assert!(unready.ends_with("not ready: bus, journal\n"), "{unready}");
        bus.ready(true);
        journal.ready(true);
        assert!(server.get("/readyz?verbose").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }

    #[tokio::test]
    async fn metrics_are_rendered() {
        telemetry::metrics();
        metrics::counter!("admin_test_total").increment(1);
        let text = start(TIMEOUT).await.get("/metrics").await;
        assert!(text.contains("version=0.0.4") && text.contains("admin_test_total 1"), "{text}");
    }

    #[tokio::test]
    async fn other_requests_get_their_own_refusal() {
        let server = start(TIMEOUT).await;
        for (request, status) in [
            (&b"GET /secret HTTP/1.1\r\n\r\n"[..], "404"),
            (b"POST /healthz HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405"),
            (b"nonsense\r\n\r\n", "400"),
            (b"GET /healthz HTTP/2.0\r\n\r\n", "505"),
            (b"\xff\xff \xff \xff\r\n\r\n", "505"),
        ] {
            let answer = server.ask(request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        }
        let head = server.ask(b"HEAD /healthz HTTP/1.1\r\n\r\n").await;
        assert!(head.contains("Content-Length: 3\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_is_refused_by_size_or_time() {
        let server = start(TIMEOUT).await;
        let mut long = b"GET /healthz HTTP/1.1\r\nX: ".to_vec();
        long.resize(2 * HEAD_OCTETS_MAX, b'x');
        assert!(server.ask(&long).await.starts_with("HTTP/1.1 431 "));
        let hasty = start(Duration::from_millis(20)).await;
        assert_eq!(hasty.ask(b"GET /healthz HT").await, "");
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed() {
        let server = start(TIMEOUT).await;
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            open.push(TcpStream::connect(server.address).await.unwrap());
        }
        let mut extra = TcpStream::connect(server.address).await.unwrap();
        assert_eq!(extra.read(&mut [0; 1]).await.unwrap(), 0);
        // Once one is through, the next is served.
        let mut first = open.remove(0);
        first.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        first.read_to_string(&mut answer).await.unwrap();
        drop(first);
        while !server.get_unless_reset("/healthz").await.starts_with("HTTP/1.1 200") {}
    }

    impl Server {
        /// Until the server has noticed that a place is free, it closes.
        async fn get_unless_reset(&self, path: &str) -> String {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let _ = stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).await;
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            answer
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error_that_names_it() {
        let server = start(TIMEOUT).await;
        let text = bind(server.address).await.unwrap_err().to_string();
        assert!(text.contains(&server.address.to_string()), "{text}");
    }

    #[tokio::test]
    async fn a_soft_stop_finishes_open_connections_and_ends() {
        let server = start(TIMEOUT).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        // A second request, answered, proves that the first connection was accepted.
        server.get("/healthz").await;
        server.trigger.soft();
        stream.write_all(b"\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        drop(stream);
        server.running.await.unwrap();
    }
}
