//! Logging a subscriber in.

use std::net::Ipv4Addr;
use std::time::Duration;

use model::Secret;
use radius_wire::auth::chap_response;
use radius_wire::{Attributes, ClientKey, Code, Full, Writer, attr};
use tokio::sync::watch;
use tokio::time::Instant;

use super::exchange::ExchangeError;
use super::rate::Rates;
use super::session::{Session, SessionHandle};
use super::{NasSim, Shared, SimError, accounting, count};

/// Who logs in.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// User-Name.
    pub login: String,
    /// The password.
    pub password: Secret<String>,
    /// How it is proven.
    pub method: Method,
    /// Calling-Station-Id: the MAC of the subscriber's router.
    pub station: String,
}

/// How a password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// User-Password (RFC 2865 §5.2).
    Pap,
    /// CHAP-Password (RFC 2865 §5.3).
    Chap,
}

/// How a login went.
#[derive(Debug)]
pub enum Login {
    /// The subscriber is in.
    Accepted(SessionHandle),
    /// The subscriber is not, for the reason the server gave, if any.
    Rejected(Option<String>),
}

impl NasSim {
    /// Asks the server, and opens a session with an Accounting-Start if it may.
    ///
    /// A Start that nobody answers does not end the session: RouterOS lets it go on, too.
    pub async fn login(&self, subscriber: &Subscriber) -> Result<Login, SimError> {
        let shared = &self.shared;
        let (id, port) = shared.table().mint();
        let asked = shared.auth.request(|identifier, key, buf| {
            access_request(shared, subscriber, &id, port, identifier, key, buf)
        });
        let answer = asked.await.map_err(|source| {
            if matches!(source, ExchangeError::Unanswered { .. }) {
                count(&shared.counters.unanswered);
            }
            SimError::Exchange { what: "an Access-Request", source }
        })?;
        if answer.code != Code::ACCESS_ACCEPT {
            count(&shared.counters.rejects);
            let message = answer.attributes().text(attr::REPLY_MESSAGE).map(str::to_owned);
            return Ok(Login::Rejected(message));
        }
        count(&shared.counters.accepts);
        let handle = {
            let mut table = shared.table();
            let address = table.address();
            let session = session(subscriber, id, port, address, answer.attributes());
            let handle = SessionHandle::of(&session);
            table.insert(session);
            handle
        };
        let _counted = accounting::start(shared, &handle.id).await;
        Ok(Login::Accepted(handle))
    }
}

/// Writes the request as RouterOS does for PPPoE.
fn access_request(
    shared: &Shared,
    subscriber: &Subscriber,
    id: &str,
    port: u32,
    identifier: u8,
    key: &ClientKey,
    buf: &mut Vec<u8>,
) -> Result<(), Full> {
    let authenticator = daemon::secrets::random();
    let mut writer = Writer::request(Code::ACCESS_REQUEST, identifier, &authenticator, buf);
    writer.message_authenticator()?;
    writer.attribute_u32(attr::SERVICE_TYPE, 2)?;
    writer.attribute_u32(attr::FRAMED_PROTOCOL, 1)?;
    writer.attribute_u32(attr::NAS_PORT, port)?;
    writer.attribute_u32(attr::NAS_PORT_TYPE, 15)?;
    writer.text(attr::USER_NAME, &subscriber.login)?;
    writer.text(attr::CALLING_STATION_ID, &subscriber.station)?;
    writer.text(attr::CALLED_STATION_ID, "pppoe")?;
    writer.text(attr::NAS_PORT_ID, "ether1")?;
    writer.text(attr::ACCT_SESSION_ID, id)?;
    let password = subscriber.password.expose().as_bytes();
    match subscriber.method {
        Method::Pap => writer.user_password(password, key)?,
        Method::Chap => {
            let challenge: [u8; 16] = daemon::secrets::random();
            let [ident] = daemon::secrets::random();
            writer.attribute(attr::CHAP_CHALLENGE, &challenge)?;
            let response = chap_response(ident, &challenge, password);
            writer.attribute(attr::CHAP_PASSWORD, &response)?;
        }
    }
    accounting::who_asks(shared, &mut writer)?;
    writer.finish_access_request(key);
    Ok(())
}

/// The session an Access-Accept opens.
fn session(
    subscriber: &Subscriber,
    id: String,
    port: u32,
    pool: Ipv4Addr,
    accept: Attributes<'_>,
) -> Session {
    // RFC 2865 §5.8: these two leave the choice to the user or the NAS.
    let named = accept.ipv4(attr::FRAMED_IP_ADDRESS);
    let named = named.filter(|ip| !matches!(ip.octets(), [255, 255, 255, 254 | 255]));
    Session {
        id,
        login: subscriber.login.clone(),
        station: subscriber.station.clone(),
        ip: named.unwrap_or(pool),
        port,
        class: accept.all(attr::CLASS).map(<[u8]>::to_vec).collect(),
        rates: Rates::of(accept).unwrap_or_default(),
        interim: accept
            .u32(attr::ACCT_INTERIM_INTERVAL)
            .map(|seconds| Duration::from_secs(u64::from(seconds))),
        started: Instant::now(),
        download_octets: 0,
        upload_octets: 0,
        changes: 0,
        ended: watch::Sender::new(false),
    }
}
