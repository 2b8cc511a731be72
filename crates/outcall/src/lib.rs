//! Calls to the outside: HTTP with a guard against our own network, and signed webhooks.
//!
//! Whoever may enter a URL in the console makes this program call it, from inside the
//! provider's network. In the order a call meets the modules:
//!
//! - [`config`]: what the installation allows.
//! - [`guard`]: which URLs and addresses may be called.
//! - [`signing`]: Standard Webhooks 1.0 signatures.
//! - [`caller`]: the call itself: limits on time and size, no redirect, no proxy, no cookie.
//! - [`retry_after`]: when the other side wants to be asked again.

pub mod config;

pub mod guard;

pub mod signing;

pub mod caller;
pub mod retry_after;

pub use caller::{Answer, CallError, Caller, Request, Resolver};
pub use config::Config;
pub use guard::{Guard, Refused};
pub use reqwest::Method;
pub use signing::{SigningError, SigningSecret};
