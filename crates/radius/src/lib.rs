//! RADIUS on the wire: the packet format and the rules that prove, answer and explain packets.
//!
//! Nothing here does IO, reads a clock or allocates per packet: decoding borrows from the
//! datagram, writing goes into the caller's buffer, random octets are arguments.
//!
//! In the order a datagram meets the modules:
//!
//! - [`packet`]: a datagram becomes a [`Packet`], every length in it checked once.
//! - [`attributes`]: the view over its attributes, vendor attributes included.
//! - [`verify`]: the shared secret ([`ClientKey`]) turns a packet into a [`Verified`] one.
//! - [`extended`]: attributes of RFC 6929, fragments put together.
//! - [`password`]: User-Password, hidden and unhidden; [`tunnel`]: tags and Tunnel-Password.
//! - [`auth`]: PAP, CHAP, MS-CHAP, MS-CHAPv2 and the MPPE keys that follow from it.
//! - [`line`]: the access line a request came over, as access nodes name it.
//! - [`accounting`]: what an accounting request says, read once into [`Facts`].
//! - [`rate`]: speeds in the vendors' own notations.
//! - [`mod@write`]: the [`Writer`] for answers, and for requests of our own.
//! - [`dict`]: names for everything above, and text for logs and command lines.
//! - [`dictionary`]: dictionary files, ours and those of operators.
//!
//! Below them: [`key`], [`hash`] and [`value`], and the numbers in [`attr`] and [`vendor`].

pub mod attributes;
pub mod extended;
pub mod packet;

pub mod key;
pub mod verify;

pub mod auth;
pub mod password;
pub mod tunnel;

pub mod accounting;
pub mod line;
pub mod rate;
pub mod write;

pub mod dict;
pub mod dictionary;

pub mod attr;
pub mod hash;
pub mod value;
pub mod vendor;

pub use accounting::{Facts, Status};
pub use attributes::{Attribute, Attributes, VendorAttribute};
pub use hash::{hmac_md5, md5};
pub use key::ClientKey;
pub use line::Line;
pub use packet::{Code, PACKET_OCTETS_MAX, Packet, ParseError};
pub use verify::{
    Verified, VerifyError, verify_access_request, verify_accounting_request,
    verify_dynamic_request, verify_response,
};
pub use write::{Full, Writer};
