//! Outgoing mail: a letter, and the way it goes to a mail server.
//!
//! - [`address`]: what is an address, and what only looks like one.
//! - [`letter`]: a letter becomes a message (RFC 5322, MIME); nothing in it can become a header.
//! - [`server`]: the SMTP dialogue (RFC 5321) with one server, and what its answer means.
//! - `stream`: the connection under it, bounded in what it takes in.
//!
//! No queue here: whoever sends keeps the letter until the server has taken it.

pub mod address;
pub mod letter;
pub mod server;
mod stream;

pub use address::{Address, AddressError};
pub use letter::{ATTACHMENT_OCTETS_MAX, Attachment, Letter, LetterError};
pub use server::{Client, Failure, Reach, Security, Server, SetupError};
