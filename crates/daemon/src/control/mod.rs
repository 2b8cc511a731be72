//! The control socket: how `netctl` asks a daemon on the same machine.
//!
//! A unix socket, mode 0660: whoever may open it may ask anything. Each message is a length
//! (4 octets, big-endian) and that many octets of JSON; requests are at most 64 KiB, answers
//! 16 MiB. Several requests may follow each other on a connection.
//!
//! ```text
//! {"v":1,"call":"sessions","args":{…}}
//! {"v":1,"ok":…}   or   {"v":1,"error":{"code":"failed","message":"…"}}
//! ```
//!
//! Codes: `unknown_call`, `bad_args`, `failed`. A change that old readers cannot follow raises
//! `v`, and a newer `v` is refused in words.

mod client;
mod frame;
mod server;

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use client::call;
pub use server::{Answering, Handler, bind, serve};

/// The version of the messages.
const VERSION: u32 = 1;
/// Longest request, octets.
pub const REQUEST_OCTETS_MAX: usize = 64 * 1024;
/// Longest answer, octets.
pub const ANSWER_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Why a call, or the socket, did not work out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The daemon knows no such call. The text is the call, or what the daemon says of it.
    #[error("unknown call: {0}")]
    UnknownCall(String),
    /// The arguments do not fit the call.
    #[error("bad arguments: {0}")]
    BadArgs(String),
    /// The daemon tried, and could not.
    #[error("{0}")]
    Failed(String),
    /// Nobody answers on the socket.
    #[error("nothing listens on {}: is {program} running?", path.display())]
    NotListening {
        /// The socket.
        path: PathBuf,
        /// The program that should listen.
        program: String,
        /// What connecting said.
        source: io::Error,
    },
    /// The socket cannot be used, for want of permission for example.
    #[error("could not connect to {}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("could not talk over {}", path.display())]
    Talk {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No answer in time.
    #[error("no answer from {} within {seconds} s", path.display())]
    TimedOut {
        /// The socket.
        path: PathBuf,
        /// How long it was waited.
        seconds: u64,
    },
    /// The arguments cannot be sent.
    #[error("the request does not fit: {octets} octets, at most {REQUEST_OCTETS_MAX}")]
    RequestTooLong {
        /// Its length.
        octets: usize,
    },
    /// The arguments cannot be written as JSON.
    #[error("could not write the arguments as JSON")]
    Arguments {
        /// Why.
        source: serde_json::Error,
    },
    /// The answer does not read: the programs' versions differ too much.
    #[error("the answer from {} does not read", path.display())]
    Answer {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The daemon speaks a newer version.
    #[error("{} speaks version {version} of the control protocol, this program {VERSION}: upgrade it", path.display())]
    NewerVersion {
        /// The socket.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Another daemon has the socket.
    #[error("{} is in use: another daemon answers on it", .0.display())]
    InUse(PathBuf),
    /// Something else than a socket has the name.
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The socket cannot be made.
    #[error("could not listen on {}", path.display())]
    Bind {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ControlError {
    /// A handler's failure, with its causes in one line.
    pub fn failed(error: &dyn std::error::Error) -> Self {
        Self::Failed(crate::exit::chain(error))
    }
}

/// A handler's arguments as their type; what does not fit is [`ControlError::BadArgs`].
pub fn parse_args<A: serde::de::DeserializeOwned>(
    args: serde_json::Value,
) -> Result<A, ControlError> {
    // A call without arguments may leave them out, and still be one with all defaults.
    let args = if args.is_null() { serde_json::Value::Object(Default::default()) } else { args };
    serde_json::from_value(args).map_err(|error| ControlError::BadArgs(error.to_string()))
}

/// A request.
#[derive(Serialize)]
struct Request<'a, A> {
    v: u32,
    call: &'a str,
    args: &'a A,
}

/// An error as it travels.
#[derive(Serialize, Deserialize)]
struct Refusal {
    code: String,
    message: String,
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        let (code, message) = match error {
            ControlError::UnknownCall(message) => ("unknown_call", message),
            ControlError::BadArgs(message) => ("bad_args", message),
            ControlError::Failed(message) => ("failed", message),
            other => ("failed", crate::exit::chain(&other)),
        };
        Self { code: code.to_owned(), message }
    }
}

impl From<Refusal> for ControlError {
    fn from(Refusal { code, message }: Refusal) -> Self {
        match code.as_str() {
            "unknown_call" => Self::UnknownCall(message),
            "bad_args" => Self::BadArgs(message),
            _ => Self::Failed(message),
        }
    }
}

#[cfg(test)]
mod tests;
