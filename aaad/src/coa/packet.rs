//! The request: how a session is named to its NAS, and what is changed.

use std::net::IpAddr;

use dialect::Unfit;
use dialect::attributes::cap_session_timeout;
use model::Ts;
use model::nas::Vendor;
use model::policy::Effective;
use radius_wire::{ClientKey, Code, Writer, attr};

use super::decide::Move;
use crate::engine::Bound;
use crate::sessions::Session;

/// Why a request cannot be composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Uncomposed {
    /// The vendor has no words for what changed.
    #[error("{0}")]
    Policy(#[from] Unfit),
    /// What names the session is too long.
    #[error("{0}")]
    Full(#[from] radius_wire::Full),
}

/// Composes a CoA-Request or Disconnect-Request (RFC 5176).
///
/// The session is named by Acct-Session-Id and User-Name exactly as received, and by its
/// address, which RouterOS needs to find a hotspot session. Each exchange has its own source
/// port, so the identifier can be the same for all.
pub(crate) fn compose(
    now: Ts,
    session: &Session,
    step: Move,
    vendor: Vendor,
    policy: Option<(&Effective<'_>, &Bound<'_>)>,
    key: &ClientKey,
) -> Result<Vec<u8>, Uncomposed> {
    let code = match step {
        Move::Change => Code::COA_REQUEST,
        Move::Disconnect | Move::Stay => Code::DISCONNECT_REQUEST,
    };
    let identifier = (now.0 & 0xff) as u8;
    let mut packet = Vec::with_capacity(256);
    let mut writer = Writer::request(code, identifier, &[0; 16], &mut packet);
    writer.message_authenticator()?;
    if !session.user_name.is_empty() {
        writer.attribute(attr::USER_NAME, &session.user_name)?;
    }
    writer.attribute(attr::ACCT_SESSION_ID, &session.key.acct_session_id)?;
    if let Some(IpAddr::V4(ip)) = session.ip {
        writer.attribute(attr::FRAMED_IP_ADDRESS, &ip.octets())?;
    }
    // RFC 5176 §3.3: lets the NAS refuse a replayed request.
    writer.attribute(attr::EVENT_TIMESTAMP, &(now.seconds() as u32).to_be_bytes())?;
    if let Some((policy, bound)) = policy {
        let from = writer.len();
        dialect::change(vendor, policy, &mut writer)?;
        if bound.adds(policy.access) {
            writer.rewrite(from, |packet| bound.apply_live(vendor, packet, from))?;
        }
        // A timeout that is said anew must not outlive the hours.
        let left = bound.left(now).unwrap_or(u32::MAX);
        let cap = |packet: &mut Vec<u8>| cap_session_timeout(packet, from, left, false);
        writer.rewrite(from, cap)?;
    }
    writer.finish_dynamic_request(key);
    Ok(packet)
}
