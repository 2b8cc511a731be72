//! Mail: what people are told by letter.
//!
//! A letter is written in the transaction of what it tells about, and waits as a row until a
//! mail server has taken it. In the order a letter meets the modules:
//!
//! - [`letters`]: the texts, in the language of whoever reads them.
//! - [`queue`]: letters that wait, and those that were sent; sending one again.
//! - [`server`]: whose mail server sends them.
//! - [`sender`]: the task that sends.
//!
//! Each letter goes out at least once: a process that dies between sending and writing down that
//! it sent sends again, under the same Message-ID.

pub(crate) mod letters;
pub(crate) mod queue;
pub(crate) mod sender;
pub(crate) mod server;

#[cfg(test)]
mod sink_tests;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ::mail::Client;
use daemon::exit::chain;
use model::OrganisationId;
use outcall::Guard;
use tokio::sync::Notify;

use crate::config::{self, Config};
use crate::domain::{Fault, Office};

/// What mail needs at hand. Part of the office.
pub(crate) struct Mail {
    pub(crate) client: Client,
    pub(crate) settings: config::Mail,
    /// What links in letters begin with, without the slash at the end.
    pub(crate) public_url: Option<String>,
    /// Letters were queued: the sender should look.
    pub(crate) woken: Notify,
}

impl Mail {
    /// Reads what is configured.
    pub(crate) fn open(config: &Config) -> Result<Self, String> {
        let settings = config.mail.clone();
        settings.check()?;
        let authorities = match &settings.authorities_file {
            None => None,
            Some(path) => Some(std::fs::read(path).map_err(|error| {
                format!("mail.authorities_file: cannot read {}: {error}", path.display())
            })?),
        };
        let step = Duration::from_secs(settings.timeout_s.into());
        let client = Client::new(Guard::new(&config.calls), step, authorities.as_deref())
            .map_err(|error| format!("mail.authorities_file: {}", chain(&error)))?;
        let public_url = match config.http.public_url.trim_end_matches('/') {
            "" => None,
            url if url.starts_with("https://") || url.starts_with("http://") => {
                Some(url.to_owned())
            }
            _ => return Err("http.public_url begins with https:// or http://".to_owned()),
        };
        Ok(Self { client, settings, public_url, woken: Notify::new() })
    }

    /// A page of the console as an address in a letter; nothing where nobody said how the
    /// console is reached. A request's own words are never believed: a link with a secret in it
    /// would go where whoever asked wants it to.
    pub(crate) fn link(&self, path: &str) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{url}{path}"))
    }
}

/// Whether letters with links in them reach anybody from here.
pub(crate) async fn is_ready(office: &Office, organisation: OrganisationId) -> Result<bool, Fault> {
    let found = server::of(office, organisation).await?;
    Ok(found.is_some() && office.mail.public_url.is_some())
}
