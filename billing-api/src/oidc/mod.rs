//! Signing in through another's directory: OpenID Connect Core 1.0, the authorization code flow
//! with PKCE (RFC 7636), for Entra, Google, Keycloak and whoever else publishes what they offer.
//!
//! In the order a sign-in meets the modules:
//!
//! - [`provider`]: the providers an organisation has set, and who may set one.
//! - [`sign_in`]: to the provider and back: what binds the answer to the browser that asked.
//! - [`fetch`]: what is asked of a provider directly, and what is kept of it.
//! - [`document`], [`algorithm`], [`token`]: what it says, read and checked. No IO, no clock.
//! - [`person`]: which member of staff that is.
//!
//! A provider is believed for the staff of its organisation and of those below, and for nobody
//! else: below the root, whoever runs a provider may be anybody.

pub(crate) mod provider;

pub(crate) mod sign_in;

pub(crate) mod fetch;

mod algorithm;
mod document;
mod token;

mod person;

pub(crate) use fetch::Providers;
