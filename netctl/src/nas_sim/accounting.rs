//! Telling the server what the sessions use (RFC 2866, RFC 2869 §5.1).
//!
//! A request carries Event-Timestamp and no Acct-Delay-Time, so that a retransmission is the
//! same octets again and the server's duplicate detection works (RFC 5080 §2.2.1).

use std::net::IpAddr;

use model::{Clock, SystemClock};
use radius_wire::{ClientKey, Code, Full, Status, Writer, attr};

use super::session::Session;
use super::{NasSim, Shared, SimError, count};

/// Why a session ends: Acct-Terminate-Cause (RFC 2866 §5.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The subscriber hung up.
    UserRequest,
    /// The line is gone.
    LostCarrier,
    /// Nothing was sent for too long.
    IdleTimeout,
    /// The time is over.
    SessionTimeout,
    /// Somebody ended it: a Disconnect-Request does.
    AdminReset,
    /// The NAS is being restarted.
    AdminReboot,
}

impl Cause {
    const fn code(self) -> u32 {
        match self {
            Self::UserRequest => 1,
            Self::LostCarrier => 2,
            Self::IdleTimeout => 4,
            Self::SessionTimeout => 5,
            Self::AdminReset => 6,
            Self::AdminReboot => 7,
        }
    }
}

impl NasSim {
    /// Reports what a session has used so far.
    pub async fn interim(&self, id: &str) -> Result<(), SimError> {
        let session = self.session(id).ok_or_else(|| SimError::NoSession(id.to_owned()))?;
        report(&self.shared, &session, Status::Interim, None).await
    }

    /// Ends a session and reports what it has used.
    pub async fn logout(&self, id: &str, cause: Cause) -> Result<(), SimError> {
        stop(&self.shared, id, cause).await
    }

    /// Says that the NAS has started: whatever the server thinks is open, is not.
    pub async fn accounting_on(&self) -> Result<(), SimError> {
        whole(&self.shared, Status::On).await
    }
}

/// Reports the beginning of a session.
pub(super) async fn start(shared: &Shared, id: &str) -> Result<(), SimError> {
    let session = shared.table().get(id).cloned();
    let session = session.ok_or_else(|| SimError::NoSession(id.to_owned()))?;
    report(shared, &session, Status::Start, None).await
}

/// Ends a session and reports it.
pub(super) async fn stop(shared: &Shared, id: &str, cause: Cause) -> Result<(), SimError> {
    let session = shared.table().remove(id);
    let session = session.ok_or_else(|| SimError::NoSession(id.to_owned()))?;
    report(shared, &session, Status::Stop, Some(cause)).await
}

/// Reports the NAS's own start or end.
pub(super) async fn whole(shared: &Shared, status: Status) -> Result<(), SimError> {
    send(shared, |identifier, key, buf| {
        let mut writer = begin(status, identifier, buf)?;
        writer.text(attr::ACCT_SESSION_ID, "00000000")?;
        who_asks(shared, &mut writer)?;
        writer.finish_accounting_request(key);
        Ok(())
    })
    .await
}

async fn report(
    shared: &Shared,
    session: &Session,
    status: Status,
    cause: Option<Cause>,
) -> Result<(), SimError> {
    send(shared, |identifier, key, buf| {
        let mut writer = begin(status, identifier, buf)?;
        writer.attribute_u32(attr::SERVICE_TYPE, 2)?;
        writer.attribute_u32(attr::FRAMED_PROTOCOL, 1)?;
        writer.attribute_u32(attr::NAS_PORT, session.port)?;
        writer.attribute_u32(attr::NAS_PORT_TYPE, 15)?;
        writer.text(attr::USER_NAME, &session.login)?;
        writer.text(attr::CALLING_STATION_ID, &session.station)?;
        writer.text(attr::CALLED_STATION_ID, "pppoe")?;
        writer.text(attr::NAS_PORT_ID, "ether1")?;
        writer.text(attr::ACCT_SESSION_ID, &session.id)?;
        writer.attribute_ipv4(attr::FRAMED_IP_ADDRESS, session.ip)?;
        writer.attribute_u32(attr::ACCT_AUTHENTIC, 1)?;
        for class in &session.class {
            writer.attribute(attr::CLASS, class)?;
        }
        if status != Status::Start {
            usage(session, &mut writer)?;
        }
        if let Some(cause) = cause {
            writer.attribute_u32(attr::ACCT_TERMINATE_CAUSE, cause.code())?;
        }
        who_asks(shared, &mut writer)?;
        writer.finish_accounting_request(key);
        Ok(())
    })
    .await
}

/// The counters. Input is what came from the subscriber; the halves of 64 bits are two
/// attributes (RFC 2866 §5.3, RFC 2869 §5.1).
fn usage(session: &Session, writer: &mut Writer<'_>) -> Result<(), Full> {
    let seconds = u32::try_from(session.started.elapsed().as_secs()).unwrap_or(u32::MAX);
    writer.attribute_u32(attr::ACCT_SESSION_TIME, seconds)?;
    for (octets, low, high, packets) in [
        (
            session.upload_octets,
            attr::ACCT_INPUT_OCTETS,
            attr::ACCT_INPUT_GIGAWORDS,
            attr::ACCT_INPUT_PACKETS,
        ),
        (
            session.download_octets,
            attr::ACCT_OUTPUT_OCTETS,
            attr::ACCT_OUTPUT_GIGAWORDS,
            attr::ACCT_OUTPUT_PACKETS,
        ),
    ] {
        writer.attribute_u32(low, octets as u32)?;
        writer.attribute_u32(high, (octets >> 32) as u32)?;
        // An ordinary mix of large and small packets; this counter goes round, too.
        writer.attribute_u32(packets, octets.div_ceil(900) as u32)?;
    }
    Ok(())
}

fn begin(status: Status, identifier: u8, buf: &mut Vec<u8>) -> Result<Writer<'_>, Full> {
    let mut writer = Writer::request(Code::ACCOUNTING_REQUEST, identifier, &[0; 16], buf);
    writer.attribute_u32(attr::ACCT_STATUS_TYPE, status.into())?;
    writer.attribute_u32(attr::EVENT_TIMESTAMP, SystemClock.now().seconds() as u32)?;
    Ok(writer)
}

/// Says which NAS this is.
pub(super) fn who_asks(shared: &Shared, writer: &mut Writer<'_>) -> Result<(), Full> {
    writer.text(attr::NAS_IDENTIFIER, &shared.name)?;
    match shared.address {
        IpAddr::V4(address) => writer.attribute_ipv4(attr::NAS_IP_ADDRESS, address),
        IpAddr::V6(address) => writer.attribute(attr::NAS_IPV6_ADDRESS, &address.octets()),
    }
}

async fn send(
    shared: &Shared,
    write: impl FnOnce(u8, &ClientKey, &mut Vec<u8>) -> Result<(), Full>,
) -> Result<(), SimError> {
    match shared.acct.request(write).await {
        Ok(_) => Ok(()),
        Err(source) => {
            count(&shared.counters.unanswered);
            Err(SimError::Exchange { what: "an Accounting-Request", source })
        }
    }
}
