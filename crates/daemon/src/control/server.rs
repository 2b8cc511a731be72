//! The answering side.

use std::fs::{self, Permissions};
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tracing::{debug, error, warn};

use super::frame::{self, Frame};
use super::{ANSWER_OCTETS_MAX, ControlError, REQUEST_OCTETS_MAX, Refusal, VERSION};
use crate::lifecycle::Shutdown;

/// The future of an answer.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Value, ControlError>> + Send + 'a>>;

/// Answers the calls of a program.
pub trait Handler: Send + Sync {
    /// Answers one call. A call it does not know is [`ControlError::UnknownCall`]; see
    /// [`super::parse_args`] for the arguments.
    fn call(
        &self,
        call: &str,
        args: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, ControlError>> + Send + '_>>;
}

#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once; one more is told so and closed.
    pub(super) connections: usize,
    /// Time a request may take to arrive, and a silent connection to stay.
    pub(super) read: Duration,
    /// Time for a call.
    pub(super) call: Duration,
    /// Time an answer may take to be fetched.
    pub(super) write: Duration,
}

const LIMITS: Limits = Limits {
    connections: 16,
    read: Duration::from_secs(10),
    call: Duration::from_secs(30),
    write: Duration::from_secs(10),
};

/// Pause when the system refuses to accept: no event tells when it will again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Makes the socket, mode 0660. A socket that nobody answers on any more is replaced.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn bind(path: &Path) -> Result<UnixListener, ControlError> {
    let failed = |source| ControlError::Bind { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(ControlError::NotASocket(path.to_owned()));
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            // Refused: its program is gone, and left it behind.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(failed(error));
            }
            // Also when it is too busy to accept.
            Ok(_) | Err(_) => return Err(ControlError::InUse(path.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(|source| match source.kind() {
        // Another daemon was faster.
        io::ErrorKind::AddrInUse => ControlError::InUse(path.to_owned()),
        _ => failed(source),
    })?;
    fs::set_permissions(path, Permissions::from_mode(0o660)).map_err(failed)?;
    Ok(listener)
}

/// Answers until the soft stop, then lets the calls under way finish and removes the socket.
pub async fn serve(
    listener: UnixListener,
    handler: Arc<dyn Handler>,
    shutdown: Shutdown,
) -> Result<(), ControlError> {
    serve_within(listener, handler, shutdown, LIMITS).await;
    Ok(())
}

pub(super) async fn serve_within(
    listener: UnixListener,
    handler: Arc<dyn Handler>,
    shutdown: Shutdown,
    limits: Limits,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.soft() => break,
            accepted = listener.accept() => accepted,
            Some(ended) = connections.join_next() => {
                note_panic(ended);
                continue;
            }
        };
        match accepted {
            Ok((stream, _)) if connections.len() >= limits.connections => {
                debug!("control connection refused: too many");
                turn_away(&stream);
            }
            Ok((stream, _)) => {
                let (handler, shutdown) = (handler.clone(), shutdown.clone());
                connections.spawn(async move {
                    if let Err(error) = converse(stream, &*handler, &shutdown, limits).await {
                        debug!(%error, "control connection broke");
                    }
                });
            }
            Err(error) => {
                warn!(%error, "could not accept a control connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    remove(&listener);
    drop(listener);
    tokio::select! {
        () = shutdown.hard() => {}
        () = async {
            while let Some(ended) = connections.join_next().await {
                note_panic(ended);
            }
        } => {}
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "a control call panicked");
    }
}

/// Removes the socket while it is still ours: before it is closed nobody else can take it over.
fn remove(listener: &UnixListener) {
    let path: Option<PathBuf> =
        listener.local_addr().ok().and_then(|own| own.as_pathname().map(Path::to_owned));
    if let Some(path) = path
        && let Err(error) = fs::remove_file(&path)
    {
        debug!(%error, path = %path.display(), "could not remove the control socket");
    }
}

/// Says why before closing, if the other side takes it at once.
fn turn_away(stream: &UnixStream) {
    let text = "too many control connections at once: try again";
    let answer = refuse(ControlError::Failed(text.to_owned()));
    let mut message = (answer.len() as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&answer);
    // A fresh socket takes so little whole; if not, closing is answer enough.
    let _ = stream.try_write(&message);
}

async fn converse(
    mut stream: UnixStream,
    handler: &dyn Handler,
    shutdown: &Shutdown,
    limits: Limits,
) -> io::Result<()> {
    loop {
        let request = tokio::select! {
            // Only between calls: one that has begun is answered.
            () = shutdown.soft() => return Ok(()),
            request = within(limits.read, frame::read(&mut stream, REQUEST_OCTETS_MAX)) => request?,
        };
        let (answer, go_on) = match request {
            Frame::Closed => return Ok(()),
            Frame::Message(request) => (answer(&request, handler, limits.call).await, true),
            Frame::TooLong(octets) => {
                let text = format!("a request of {octets} octets, at most {REQUEST_OCTETS_MAX}");
                (refuse(ControlError::BadArgs(text)), false)
            }
        };
        within(limits.write, frame::write(&mut stream, &answer)).await?;
        if !go_on {
            return Ok(());
        }
    }
}

async fn within<T>(limit: Duration, io: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, io).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn answer(request: &[u8], handler: &dyn Handler, limit: Duration) -> Vec<u8> {
    let answer = match read_request(request) {
        Ok(Request { call, args }) => {
            let late = || {
                let text = format!("`{call}` took longer than {} s", limit.as_secs_f32());
                Err(ControlError::Failed(text))
            };
            tokio::time::timeout(limit, handler.call(&call, args)).await.unwrap_or_else(|_| late())
        }
        Err(error) => Err(error),
    };
    match answer {
        Ok(value) => accept(&value),
        Err(error) => refuse(error),
    }
}

struct Request {
    call: String,
    args: Value,
}

fn read_request(request: &[u8]) -> Result<Request, ControlError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        #[serde(rename = "v")]
        _v: u32,
        call: String,
        #[serde(default)]
        args: Value,
    }

    let bad = |error: serde_json::Error| ControlError::BadArgs(error.to_string());
    let Version { v } = serde_json::from_slice(request).map_err(bad)?;
    if v != VERSION {
        let text = format!("the request has version {v}, this daemon speaks {VERSION}");
        return Err(ControlError::BadArgs(text));
    }
    let Raw { call, args, .. } = serde_json::from_slice(request).map_err(bad)?;
    Ok(Request { call, args })
}

fn accept(value: &Value) -> Vec<u8> {
    #[derive(Serialize)]
    struct Accepted<'a> {
        v: u32,
        ok: &'a Value,
    }

    match serde_json::to_vec(&Accepted { v: VERSION, ok: value }) {
        Ok(answer) if answer.len() <= ANSWER_OCTETS_MAX => answer,
        Ok(answer) => {
            let octets = answer.len();
            let text = format!(
                "the answer has {octets} octets, at most {ANSWER_OCTETS_MAX}: ask for less"
            );
            refuse(ControlError::Failed(text))
        }
        Err(error) => refuse(ControlError::failed(&error)),
    }
}

fn refuse(error: ControlError) -> Vec<u8> {
    let refusal = Refusal::from(error);
    let answer = serde_json::json!({
        "v": VERSION,
        "error": { "code": refusal.code, "message": refusal.message },
    });
    answer.to_string().into_bytes()
}
