//! Letters to servers that are slow, encrypted from the first octet, or mean harm.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// What a server does.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// Takes letters, and thinks so long about each.
    Takes(Duration),
    /// Greets with a line that never ends.
    Talks,
    /// The same, once the connection is encrypted by STARTTLS.
    TalksLater,
}

/// A certificate for localhost, which is an authority of its own.
fn certificate() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    command.args(["-nodes", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem"]);
    command.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let made = command.current_dir(home.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    home
}

fn acceptor(home: &Path) -> TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(home.join("cert.pem")).unwrap();
    let certificates = certificates.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(home.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Sends letters without a line end until nobody takes them; how many that were.
async fn talk(stream: &mut (impl AsyncWrite + Unpin)) -> usize {
    let (piece, mut sent) = (vec![b'a'; 16 << 10], 0);
    while stream.write_all(&piece).await.is_ok() {
        sent += piece.len();
        if sent > 64 << 20 {
            break;
        }
    }
    sent
}

async fn serve(stream: Box<dyn Stream>, does: Does, tls: Option<TlsAcceptor>) -> usize {
    let mut stream = BufReader::new(stream);
    if matches!(does, Does::Talks) {
        return talk(&mut stream).await;
    }
    stream.write_all(b"220 localhost\r\n").await.unwrap();
    let (mut line, mut text) = (String::new(), false);
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return 0;
        }
        let answer = match line.trim_end() {
            "." if text => {
                text = false;
                if let Does::Takes(after) = does {
                    // The server thinks: there is no event to wait for.
                    tokio::time::sleep(after).await;
                }
                "250 taken"
            }
            _ if text => continue,
            "DATA" => {
                text = true;
                "354 go on"
            }
            "STARTTLS" => {
                stream.write_all(b"220 go on\r\n").await.unwrap();
                let tls = tls.unwrap();
                let mut stream = tls.accept(stream.into_inner()).await.unwrap();
                return talk(&mut stream).await;
            }
            "QUIT" => "221 bye",
            line if line.starts_with("EHLO") => "250-localhost\r\n250 STARTTLS",
            _ => "250 fine",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    }
}

/// A server for one connection; its port, and how much of its talk it could send.
async fn started(
    does: Does,
    tls: Option<TlsAcceptor>,
    at_once: bool,
) -> (u16, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        match tls {
            Some(tls) if at_once => match tls.accept(stream).await {
                Ok(stream) => serve(Box::new(stream), does, None).await,
                Err(_) => 0,
            },
            tls => serve(Box::new(stream), does, tls).await,
        }
    });
    (port, served)
}

fn client(step: Duration, authorities: Option<&Path>) -> Client {
    let pem = authorities.map(|home| std::fs::read(home.join("cert.pem")).unwrap());
    Client::new(Guard::new(&outcall::Config::default()), step, pem.as_deref()).unwrap()
}

fn server(port: u16, security: Security) -> Server {
    let (host, account, reach) = ("localhost".to_owned(), None, Reach::Any);
    Server { host, port, security, account, reach }
}

fn letter() -> Letter {
    Letter {
        from: "office@isp.example".parse().unwrap(),
        from_name: None,
        reply_to: None,
        to: "asha@example.net".parse().unwrap(),
        subject: "Hello".to_owned(),
        text: "Hello\n".to_owned(),
        id: "mai_1".to_owned(),
        written_at: "2026-03-01T09:30:00Z".parse().unwrap(),
        attachment: None,
    }
}

const STEP: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_server_that_never_ends_a_line_is_left_before_it_fills_the_memory() {
    let home = certificate();
    let tls = || Some(acceptor(home.path()));
    for (does, tls, at_once, security) in [
        (Does::Talks, None, false, Security::None),
        (Does::TalksLater, tls(), false, Security::StartTls),
        (Does::Talks, tls(), true, Security::Tls),
    ] {
        let (port, served) = started(does, tls, at_once).await;
        let began = Instant::now();
        let sent = client(STEP, Some(home.path())).send(&server(port, security), &letter()).await;
        let failure = sent.unwrap_err();
        assert!(failure.to_string().contains("256 KiB"), "{security:?}: {failure}");
        assert!(!failure.is_final() && began.elapsed() < STEP, "{security:?}");
        // What it could send besides waits in the buffers of the two sockets.
        assert!(served.await.unwrap() < 32 << 20, "{security:?}");
    }
}

#[tokio::test]
async fn a_letter_is_taken_over_a_connection_that_is_encrypted_from_the_first_octet() {
    let home = certificate();
    let (port, _) = started(Does::Takes(Duration::ZERO), Some(acceptor(home.path())), true).await;
    let to = server(port, Security::Tls);
    let answer = client(STEP, Some(home.path())).send(&to, &letter()).await.unwrap();
    assert_eq!(answer, "250 taken");
    let (port, _) = started(Does::Takes(Duration::ZERO), Some(acceptor(home.path())), true).await;
    let to = server(port, Security::Tls);
    let failure = client(STEP, None).send(&to, &letter()).await.unwrap_err();
    assert!(failure.to_string().contains("certificate"), "{failure}");
}

#[tokio::test]
async fn a_server_that_thinks_about_a_letter_is_not_sent_it_twice() {
    let step = Duration::from_millis(300);
    let (port, _) = started(Does::Takes(4 * step), None, false).await;
    let client = client(step, None);
    let answer = client.send(&server(port, Security::None), &letter()).await.unwrap();
    assert_eq!(answer, "250 taken");
    // Whoever takes a letter over does so when it has been lost.
    let longest = TAKING + Duration::from_secs(MESSAGE_OCTETS_MAX as u64 / SLOWEST);
    assert!(longest > TAKING && client.limit() > longest);
}
