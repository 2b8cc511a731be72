use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::frame::{self, Frame};
use super::server::{Limits, serve_within};
use super::*;
use crate::lifecycle::{Shutdown, Trigger};

#[derive(Default)]
struct Echo {
    /// `slow` tells when it has begun, and ends when it is let.
    begun: Notify,
    go: Notify,
}

impl Handler for Echo {
    fn call(
        &self,
        call: &str,
        args: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, ControlError>> + Send + '_>> {
        let call = call.to_owned();
        Box::pin(async move {
            match call.as_str() {
                "echo" => Ok(args),
                "add" => {
                    let (a, b): (i64, i64) = parse_args(args)?;
                    Ok(json!(a + b))
                }
                "huge" => Ok(Value::String("x".repeat(ANSWER_OCTETS_MAX))),
                "large" => Ok(Value::String("x".repeat(ANSWER_OCTETS_MAX - 64))),
                "slow" => {
                    self.begun.notify_one();
                    self.go.notified().await;
                    Ok(json!("done"))
                }
                "fail" => Err(ControlError::failed(&std::io::Error::other("disk is full"))),
                "panic" => panic!("a bug"),
                other => Err(ControlError::UnknownCall(other.to_owned())),
            }
        })
    }
}

struct Server {
    folder: tempfile::TempDir,
    echo: Arc<Echo>,
    trigger: Trigger,
    running: JoinHandle<()>,
}

const LIMITS: Limits = Limits {
    connections: 16,
    read: Duration::from_secs(10),
    call: Duration::from_secs(30),
    write: Duration::from_secs(10),
};

fn start(limits: Limits) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let listener = bind(&folder.path().join("aaad.sock")).unwrap();
    let echo = Arc::new(Echo::default());
    let (trigger, shutdown) = Shutdown::new();
    let running = tokio::spawn(serve_within(listener, echo.clone(), shutdown, limits));
    Server { folder, echo, trigger, running }
}

impl Server {
    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("aaad.sock")
    }

    async fn call(&self, call: &str, args: Value) -> Result<Value, ControlError> {
        super::call(&self.path(), call, &args).await
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).await.unwrap()
    }
}

async fn answer(stream: &mut UnixStream) -> Value {
    match frame::read(stream, ANSWER_OCTETS_MAX).await.unwrap() {
        Frame::Message(message) => serde_json::from_slice(&message).unwrap(),
        _ => panic!("no answer"),
    }
}

#[tokio::test]
async fn a_call_is_answered_with_what_the_handler_says() {
    let server = start(LIMITS);
    let args = json!({ "login": "alice", "limit": 3 });
    assert_eq!(server.call("echo", args.clone()).await.unwrap(), args);
    assert_eq!(server.call("add", json!([2, 3])).await.unwrap(), json!(5));
    let sum: i64 = super::call(&server.path(), "add", &(4, 5)).await.unwrap();
    assert_eq!(sum, 9);
}

#[tokio::test]
async fn refusals_keep_their_code_and_words() {
    let server = start(LIMITS);
    let unknown = server.call("nonsense", json!({})).await.unwrap_err();
    assert!(matches!(&unknown, ControlError::UnknownCall(call) if call == "nonsense"));
    let bad = server.call("add", json!(["two", 3])).await.unwrap_err();
    assert!(matches!(&bad, ControlError::BadArgs(text) if text.contains("two")), "{bad}");
    let failed = server.call("fail", json!({})).await.unwrap_err();
    assert!(matches!(&failed, ControlError::Failed(text) if text == "disk is full"));
    let mistaken: Result<u8, _> = super::call(&server.path(), "echo", &"text").await;
    assert!(matches!(mistaken, Err(ControlError::Answer { .. })));
}

#[tokio::test]
async fn several_requests_share_a_connection_and_a_bad_one_does_not_end_it() {
    let server = start(LIMITS);
    let mut stream = server.connect().await;
    for (request, wanted) in [
        (r#"{"v":1,"call":"echo","args":7}"#, json!({ "v": 1, "ok": 7 })),
        (r#"{"v":1,"call":"echo"}"#, json!({ "v": 1, "ok": null })),
    ] {
        frame::write(&mut stream, request.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream).await, wanted);
    }
    for request in ["not json", "{}", "[]", "", r#"{"v":1}"#, r#"{"v":1,"call":"x","arg":1}"#] {
        frame::write(&mut stream, request.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream).await["error"]["code"], "bad_args", "{request}");
    }
    frame::write(&mut stream, br#"{"v":2,"shout":"echo"}"#).await.unwrap();
    let newer = answer(&mut stream).await;
    assert_eq!(newer["error"]["message"], "the request has version 2, this daemon speaks 1");
}

#[tokio::test]
async fn a_request_too_long_is_refused_in_words_and_the_connection_closed() {
    let server = start(LIMITS);
    let mut stream = server.connect().await;
    stream.write_all(&(REQUEST_OCTETS_MAX as u32 + 1).to_be_bytes()).await.unwrap();
    let refusal = answer(&mut stream).await;
    assert_eq!(refusal["error"]["message"], "a request of 65537 octets, at most 65536");
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    // Ours is not even sent.
    let long = server.call("echo", json!("x".repeat(REQUEST_OCTETS_MAX))).await.unwrap_err();
    assert!(matches!(long, ControlError::RequestTooLong { .. }));
}

#[tokio::test]
async fn an_answer_too_long_becomes_a_refusal() {
    let server = start(LIMITS);
    let large = server.call("large", json!({})).await.unwrap();
    assert_eq!(large.as_str().unwrap().len(), ANSWER_OCTETS_MAX - 64);
    let huge = server.call("huge", json!({})).await.unwrap_err().to_string();
    assert!(huge.ends_with("at most 16777216: ask for less"), "{huge}");
}

#[tokio::test]
async fn a_slow_call_and_a_silent_client_are_cut_off() {
    let brief = Duration::from_millis(20);
    let server = start(Limits { call: brief, read: brief, ..LIMITS });
    let late = server.call("slow", json!({})).await.unwrap_err().to_string();
    assert_eq!(late, "`slow` took longer than 0.02 s");
    let mut silent = server.connect().await;
    silent.write_all(&[0, 0]).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_panicking_call_takes_nothing_else_down() {
    let server = start(LIMITS);
    let text = crate::exit::chain(&server.call("panic", json!({})).await.unwrap_err());
    assert!(text.ends_with("aaad.sock: closed without an answer"), "{text}");
    assert_eq!(server.call("echo", json!(1)).await.unwrap(), json!(1));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let server = start(Limits { connections: 1, ..LIMITS });
    let mut first = server.connect().await;
    frame::write(&mut first, br#"{"v":1,"call":"echo"}"#).await.unwrap();
    answer(&mut first).await;
    let refused = server.call("echo", json!(1)).await.unwrap_err();
    assert_eq!(refused.to_string(), "too many control connections at once: try again");
}

#[tokio::test]
async fn a_soft_stop_answers_the_call_under_way_and_removes_the_socket() {
    let server = start(LIMITS);
    let path = server.path();
    let under_way = tokio::spawn({
        let path = path.clone();
        async move { super::call::<_, String>(&path, "slow", &()).await }
    });
    server.echo.begun.notified().await;
    server.trigger.soft();
    server.echo.go.notify_one();
    assert_eq!(under_way.await.unwrap().unwrap(), "done");
    server.running.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_hard_stop_does_not_wait_for_calls() {
    let server = start(LIMITS);
    let path = server.path();
    let under_way = tokio::spawn(async move { super::call::<_, String>(&path, "slow", &()).await });
    server.echo.begun.notified().await;
    server.trigger.hard();
    server.running.await.unwrap();
    assert!(matches!(under_way.await.unwrap(), Err(ControlError::Talk { .. })));
}

#[tokio::test]
async fn where_nothing_listens_the_error_asks_for_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aaad.sock");
    let wanted = format!("nothing listens on {}: is aaad running?", path.display());
    let asked = |path: std::path::PathBuf| async move {
        super::call::<_, Value>(&path, "status", &()).await.unwrap_err().to_string()
    };
    assert_eq!(asked(path.clone()).await, wanted);
    // The same where a dead program left its socket.
    drop(bind(&path).unwrap());
    assert!(path.exists());
    assert_eq!(asked(path).await, wanted);
}

#[tokio::test]
async fn a_socket_is_private_and_only_a_dead_one_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aaad.sock");
    let first = bind(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(matches!(bind(&path), Err(ControlError::InUse(_))));
    drop(first);
    drop(bind(&path).unwrap());
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    assert!(matches!(bind(&file), Err(ControlError::NotASocket(_))));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    let nowhere = bind(Path::new("/nowhere/aaad.sock")).unwrap_err();
    assert_eq!(nowhere.to_string(), "could not listen on /nowhere/aaad.sock");
}
