//! Calls to a server on loopback that misbehaves.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use model::Secret;
use outcall::caller::BODY_OCTETS_KEPT;
use outcall::{Answer, CallError, Caller, Config, Refused, Request, Resolver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Answers every connection with the same octets and tells what it was sent.
struct Server {
    address: SocketAddr,
    requests: mpsc::Receiver<String>,
}

impl Server {
    async fn start(on: &str, answer: impl Into<Vec<u8>>, hold: bool) -> Self {
        let listener = TcpListener::bind((on, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, requests) = mpsc::channel(16);
        let answer = answer.into();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), hold, tell.clone()));
            }
        });
        Self { address, requests }
    }

    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/hook", self.address.port())
    }
}

async fn serve(mut stream: TcpStream, answer: Vec<u8>, hold: bool, tell: mpsc::Sender<String>) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !seen.ends_with(b"{}") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => seen.extend_from_slice(&buffer[..n]),
        }
    }
    let _ = tell.send(String::from_utf8_lossy(&seen).into_owned()).await;
    let _ = stream.write_all(&answer).await;
    if hold {
        // Never more, and never an end: until the other side goes.
        let _ = stream.read(&mut buffer).await;
    }
}

fn config(allow: &[&str]) -> Config {
    Config {
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
        ports: Vec::new(),
        connect_timeout_s: 1,
        timeout_s: 1,
        ..Config::default()
    }
}

async fn post(caller: &Caller, url: &str) -> Result<Answer, CallError> {
    let headers = vec![
        ("content-type", Secret::from("application/json")),
        ("authorization", Secret::from("Bearer 7")),
    ];
    let method = reqwest::Method::POST;
    caller.call(Request { method, url, headers, body: Bytes::from_static(b"{}") }).await
}

/// Answers one list after the other, the last for ever.
struct Flipping {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Resolver for Flipping {
    fn resolve(&self, _: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let at = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        let answer = self.answers[at].clone();
        Box::pin(async move { Ok(answer) })
    }
}

fn flipping(answers: &[&[&str]]) -> Arc<Flipping> {
    let answers = answers.iter().map(|list| list.iter().map(|a| a.parse().unwrap()).collect());
    Arc::new(Flipping { answers: answers.collect(), asked: AtomicUsize::new(0) })
}

#[tokio::test]
async fn a_call_carries_its_headers_and_body_and_brings_back_the_answer() {
    let answer = "HTTP/1.1 503 Later\r\nretry-after: 17\r\ncontent-length: 4\r\n\r\nbusy";
    let mut server = Server::start("127.0.0.1", answer, false).await;
    let caller = Caller::new(&config(&["127.0.0.0/8"])).unwrap();
    let answer = post(&caller, &server.url("127.0.0.1")).await.unwrap();
    assert_eq!((answer.status, answer.is_success()), (503, false));
    assert_eq!(answer.retry_after.as_deref(), Some("17"));
    assert_eq!((answer.body.as_slice(), answer.truncated), (&b"busy"[..], false));
    assert_eq!(answer.address, Some(server.address));
    let request = server.requests.recv().await.unwrap();
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer 7\r\n"), "{request}");
    assert!(request.contains("user-agent: Lastmile/"), "{request}");
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_before_anything_is_sent() {
    let server = Server::start("127.0.0.1", "HTTP/1.1 200 OK\r\n\r\n", false).await;
    for answers in [&["127.0.0.1"][..], &["1.1.1.1", "127.0.0.1"], &["::1"], &["10.0.0.1"]] {
        let caller = Caller::with_resolver(&config(&[]), flipping(&[answers])).unwrap();
        match post(&caller, &server.url("inside.example")).await {
            Err(CallError::Address(Refused::Address { .. })) => {}
            other => panic!("{answers:?}: {other:?}"),
        }
    }
    let literal = Caller::new(&config(&[])).unwrap();
    for host in ["127.0.0.1", "2130706433", "[::ffff:7f00:1]"] {
        let refused = post(&literal, &server.url(host)).await;
        assert!(matches!(refused, Err(CallError::Url(Refused::Address { .. }))), "{refused:?}");
    }
    // The machine's own resolver knows localhost.
    let refused = post(&literal, &server.url("localhost")).await;
    assert!(matches!(refused, Err(CallError::Address(_))), "{refused:?}");
}

#[tokio::test]
async fn what_was_checked_is_what_is_called() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let mut server = Server::start("127.0.0.2", answer, false).await;
    // The name changes its mind between two questions: there is only one.
    let resolver = flipping(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let caller = Caller::with_resolver(&config(&["127.0.0.2/32"]), resolver.clone()).unwrap();
    let answer = post(&caller, &server.url("rebound.example")).await.unwrap();
    assert_eq!(answer.address, Some(server.address));
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    let request = server.requests.recv().await.unwrap();
    assert!(request.contains("host: rebound.example:"), "{request}");
    // The next connection asks again, and its answer is checked again.
    let refused = post(&caller, &server.url("rebound.example")).await;
    assert!(matches!(refused, Err(CallError::Address(_))), "{refused:?}");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let mut server = Server::start(
        "127.0.0.1",
        "HTTP/1.1 307 Moved\r\nlocation: http://169.254.169.254/\r\nset-cookie: a=b\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n",
        false,
    )
    .await;
    let caller = Caller::new(&config(&["127.0.0.0/8"])).unwrap();
    assert_eq!(post(&caller, &server.url("127.0.0.1")).await.unwrap().status, 307);
    assert_eq!(post(&caller, &server.url("127.0.0.1")).await.unwrap().status, 307);
    server.requests.recv().await.unwrap();
    let second = server.requests.recv().await.unwrap();
    assert!(!second.contains("cookie"), "{second}");
}

#[tokio::test]
async fn a_body_is_cut_and_one_that_never_ends_does_not_hold_the_call() {
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n{}", "x".repeat(50_000));
    let server = Server::start("127.0.0.1", long, true).await;
    let caller = Caller::new(&config(&["127.0.0.0/8"])).unwrap();
    let answer = post(&caller, &server.url("127.0.0.1")).await.unwrap();
    assert_eq!((answer.status, answer.truncated), (200, true));
    assert_eq!(answer.body.len(), BODY_OCTETS_KEPT);
    let exact = format!("HTTP/1.1 200 OK\r\ncontent-length: 8192\r\n\r\n{}", "x".repeat(8192));
    let server = Server::start("127.0.0.1", exact, true).await;
    let answer = post(&caller, &server.url("127.0.0.1")).await.unwrap();
    assert_eq!((answer.body.len(), answer.truncated), (BODY_OCTETS_KEPT, false));
    let slow = "HTTP/1.1 202 OK\r\ncontent-length: 10\r\n\r\nabc";
    let server = Server::start("127.0.0.1", slow, true).await;
    let answer = post(&caller, &server.url("127.0.0.1")).await.unwrap();
    assert_eq!((answer.status, answer.truncated, answer.body), (202, true, b"abc".to_vec()));
}

#[tokio::test]
async fn failures_are_told_apart() {
    let caller = Caller::new(&config(&["127.0.0.0/8"])).unwrap();
    let silent = Server::start("127.0.0.1", "", true).await;
    let result = post(&caller, &silent.url("127.0.0.1")).await;
    assert!(matches!(result, Err(CallError::TimedOut)), "{result:?}");
    let rude = Server::start("127.0.0.1", "", false).await;
    let result = post(&caller, &rude.url("127.0.0.1")).await;
    assert!(matches!(result, Err(CallError::Broken(_))), "{result:?}");
    let nonsense = Server::start("127.0.0.1", "220 mail.example ESMTP\r\n", false).await;
    let result = post(&caller, &nonsense.url("127.0.0.1")).await;
    assert!(matches!(result, Err(CallError::Broken(_))), "{result:?}");
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}/?token=7f3a");
    let error = post(&caller, &url).await.unwrap_err();
    assert!(matches!(error, CallError::Connect(_)), "{error:?}");
    assert!(!daemon::exit::chain(&error).contains("7f3a"), "{}", daemon::exit::chain(&error));
    let result = post(&caller, "http://no-such-host.invalid/").await;
    assert!(matches!(result, Err(CallError::Name { .. })), "{result:?}");
    let bad = Request {
        method: reqwest::Method::POST,
        url: &url,
        headers: vec![("authorization", Secret::from("a\r\nb: c"))],
        body: Bytes::new(),
    };
    let result = caller.call(bad).await;
    assert!(matches!(result, Err(CallError::Header(_))), "{result:?}");
}
