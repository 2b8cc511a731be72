//! The asking side.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

use super::frame::{self, Frame};
use super::{ANSWER_OCTETS_MAX, ControlError, REQUEST_OCTETS_MAX, Refusal, Request, VERSION};

/// Longer than the daemon gives itself for a call, so that its own words arrive.
const TIMEOUT: Duration = Duration::from_secs(35);

/// Asks the daemon behind the socket.
pub async fn call<A, R>(path: &Path, call: &str, args: &A) -> Result<R, ControlError>
where
    A: Serialize,
    R: DeserializeOwned,
{
    let request = serde_json::to_vec(&Request { v: VERSION, call, args })
        .map_err(|source| ControlError::Arguments { source })?;
    if request.len() > REQUEST_OCTETS_MAX {
        return Err(ControlError::RequestTooLong { octets: request.len() });
    }
    match tokio::time::timeout(TIMEOUT, exchange(path, &request)).await {
        Ok(answer) => read_answer(path, &answer?),
        Err(_) => Err(ControlError::TimedOut { path: path.to_owned(), seconds: TIMEOUT.as_secs() }),
    }
}

async fn exchange(path: &Path, request: &[u8]) -> Result<Vec<u8>, ControlError> {
    let mut stream =
        UnixStream::connect(path).await.map_err(|source| connect_error(path, source))?;
    let talk = |source| ControlError::Talk { path: path.to_owned(), source };
    // A daemon that refuses the connection may close it before it has read the request: its
    // answer says why, so it is read even if writing failed.
    let written = frame::write(&mut stream, request).await;
    let read = frame::read(&mut stream, ANSWER_OCTETS_MAX).await;
    match (written, read) {
        (_, Ok(Frame::Message(answer))) => Ok(answer),
        (Err(error), _) | (_, Err(error)) => Err(talk(error)),
        (_, Ok(Frame::Closed)) => Err(talk(io::Error::other("closed without an answer"))),
        (_, Ok(Frame::TooLong(octets))) => {
            let text = format!("an answer of {octets} octets, at most {ANSWER_OCTETS_MAX}");
            Err(talk(io::Error::other(text)))
        }
    }
}

fn connect_error(path: &Path, source: io::Error) -> ControlError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            // Sockets are named after their programs: `aaad.sock`.
            let program = path.file_stem().unwrap_or(path.as_os_str());
            let program = program.to_string_lossy().into_owned();
            ControlError::NotListening { path, program, source }
        }
        _ => ControlError::Connect { path, source },
    }
}

fn read_answer<R: DeserializeOwned>(path: &Path, answer: &[u8]) -> Result<R, ControlError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Outcome<R> {
        Ok(R),
        Error(Refusal),
    }

    #[derive(Deserialize)]
    struct Answer<R> {
        #[serde(flatten)]
        outcome: Outcome<R>,
    }

    let unreadable = |source| ControlError::Answer { path: path.to_owned(), source };
    let Version { v: version } = serde_json::from_slice(answer).map_err(unreadable)?;
    if version > VERSION {
        return Err(ControlError::NewerVersion { path: path.to_owned(), version });
    }
    let answer: Answer<R> = serde_json::from_slice(answer).map_err(unreadable)?;
    match answer.outcome {
        Outcome::Ok(answer) => Ok(answer),
        Outcome::Error(refusal) => Err(refusal.into()),
    }
}
