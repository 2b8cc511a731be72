//! From a stranger's word to a client's: what the shared secret proves about a packet.
//!
//! | packet | Authenticator | Message-Authenticator is made over |
//! |---|---|---|
//! | Access-Request, Status-Server | random, proves nothing | the packet's own authenticator |
//! | Accounting-, CoA-, Disconnect-Request | MD5 over the packet and the secret | sixteen zeros |
//! | every answer | MD5, with the request's authenticator in its place | the request's authenticator |
//!
//! RFC 2865 §3, RFC 2866 §3, RFC 3579 §3.2, RFC 5176 §2.3 and §3.4. All comparisons take the
//! same time wherever values differ.

use std::ops::Deref;

use crate::hash::same;
use crate::key::ClientKey;
use crate::packet::{Code, HEADER_OCTETS, MessageAuthenticator, Packet};

/// Why a packet is not proven. What a stranger can cause: count it, do not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Another kind of packet than this check is for.
    #[error("unexpected {0}")]
    Code(Code),
    /// The Request or Response Authenticator is wrong: another secret, or a forgery.
    #[error("authenticator is wrong: is the shared secret the same on both sides?")]
    Authenticator,
    /// The Message-Authenticator is wrong: another secret, or a forgery.
    #[error("Message-Authenticator is wrong: is the shared secret the same on both sides?")]
    MessageAuthenticator,
    /// It is not sixteen octets, or there is more than one.
    #[error("Message-Authenticator is malformed or repeated")]
    MessageAuthenticatorMalformed,
    /// It is missing where a packet must carry one (EAP: RFC 3579 §3.2; Status-Server: RFC 5997 §3).
    #[error("Message-Authenticator is missing where it must be")]
    MessageAuthenticatorMissing,
}

/// A packet checked against the client's secret. Reads as the [`Packet`] it is.
///
/// An Access-Request without Message-Authenticator passes with nothing proven, since old NAS
/// send such: see [`Verified::signed`].
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    packet: Packet<'a>,
    signed: bool,
}

impl<'a> Verified<'a> {
    /// The packet.
    pub fn packet(&self) -> Packet<'a> {
        self.packet
    }

    /// Whether it carried a Message-Authenticator, which then was right.
    pub fn signed(&self) -> bool {
        self.signed
    }
}

impl<'a> Deref for Verified<'a> {
    type Target = Packet<'a>;

    fn deref(&self) -> &Packet<'a> {
        &self.packet
    }
}

/// Checks an Access-Request or a Status-Server: its Message-Authenticator must be right where
/// there is one. There must be one beside an EAP-Message (RFC 3579 §3.2), and in a
/// Status-Server, which has no other proof (RFC 5997 §3).
pub fn verify_access_request<'a>(
    packet: &Packet<'a>,
    key: &ClientKey,
) -> Result<Verified<'a>, VerifyError> {
    let must_be_signed = match packet.code() {
        Code::ACCESS_REQUEST => packet.has_eap(),
        Code::STATUS_SERVER => true,
        other => return Err(VerifyError::Code(other)),
    };
    let signed = check_message(packet, packet.authenticator(), key)?;
    if must_be_signed && !signed {
        return Err(VerifyError::MessageAuthenticatorMissing);
    }
    Ok(Verified { packet: *packet, signed })
}

/// Checks an Accounting-Request (RFC 2866 §3).
pub fn verify_accounting_request<'a>(
    packet: &Packet<'a>,
    key: &ClientKey,
) -> Result<Verified<'a>, VerifyError> {
    match packet.code() {
        Code::ACCOUNTING_REQUEST => check_whole(packet, &[0; 16], key),
        other => Err(VerifyError::Code(other)),
    }
}

/// Checks a CoA-Request or Disconnect-Request (RFC 5176 §2.3).
pub fn verify_dynamic_request<'a>(
    packet: &Packet<'a>,
    key: &ClientKey,
) -> Result<Verified<'a>, VerifyError> {
    match packet.code() {
        Code::COA_REQUEST | Code::DISCONNECT_REQUEST => check_whole(packet, &[0; 16], key),
        other => Err(VerifyError::Code(other)),
    }
}

/// Checks an answer against the authenticator its request was sent with. That the identifiers
/// agree is for the caller, who found the request by it.
pub fn verify_response<'a>(
    response: &Packet<'a>,
    request_authenticator: &[u8; 16],
    key: &ClientKey,
) -> Result<Verified<'a>, VerifyError> {
    match response.code() {
        Code::ACCESS_ACCEPT | Code::ACCESS_REJECT | Code::ACCESS_CHALLENGE => {
            check_whole(response, request_authenticator, key)
        }
        Code::ACCOUNTING_RESPONSE
        | Code::COA_ACK
        | Code::COA_NAK
        | Code::DISCONNECT_ACK
        | Code::DISCONNECT_NAK => match check_whole(response, request_authenticator, key) {
            // FreeRADIUS 3.0 makes these over sixteen zeros. The Response Authenticator, which
            // covers the attribute, has been right by then, so nothing is given away.
            Err(VerifyError::MessageAuthenticator) => {
                let signed = check_message(response, &[0; 16], key)?;
                Ok(Verified { packet: *response, signed })
            }
            result => result,
        },
        other => Err(VerifyError::Code(other)),
    }
}

/// Both checks, with `stand_in` where the packet has its authenticator.
fn check_whole<'a>(
    packet: &Packet<'a>,
    stand_in: &[u8; 16],
    key: &ClientKey,
) -> Result<Verified<'a>, VerifyError> {
    let bytes = packet.bytes();
    let expected = key.md5_after(&bytes[..4], stand_in, &bytes[HEADER_OCTETS..]);
    if !same(&expected, packet.authenticator()) {
        return Err(VerifyError::Authenticator);
    }
    let signed = check_message(packet, stand_in, key)?;
    Ok(Verified { packet: *packet, signed })
}

/// Checks the Message-Authenticator; `false` where there is none.
fn check_message(
    packet: &Packet<'_>,
    stand_in: &[u8; 16],
    key: &ClientKey,
) -> Result<bool, VerifyError> {
    let at = match packet.message_authenticator() {
        MessageAuthenticator::Absent => return Ok(false),
        MessageAuthenticator::Malformed => return Err(VerifyError::MessageAuthenticatorMalformed),
        MessageAuthenticator::At(at) => at,
    };
    let bytes = packet.bytes();
    // Its own value counts as sixteen zeros (RFC 3579 §3.2).
    let expected =
        key.hmac(&[&bytes[..4], stand_in, &bytes[HEADER_OCTETS..at], &[0; 16], &bytes[at + 16..]]);
    if same(&expected, &bytes[at..at + 16]) {
        Ok(true)
    } else {
        Err(VerifyError::MessageAuthenticator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr;
    use crate::write::Writer;

    const REQUEST_AUTHENTICATOR: [u8; 16] = [0x5a; 16];

    fn key() -> ClientKey {
        ClientKey::new(b"testing123")
    }

    fn access_request(message_authenticator: bool, eap: bool) -> Vec<u8> {
        let mut buf = Vec::new();
        let mut writer = Writer::request(Code::ACCESS_REQUEST, 1, &REQUEST_AUTHENTICATOR, &mut buf);
        writer.text(attr::USER_NAME, "alice").unwrap();
        if eap {
            writer.attribute(attr::EAP_MESSAGE, &[2, 1, 0, 4]).unwrap();
        }
        if message_authenticator {
            writer.message_authenticator().unwrap();
        }
        writer.finish_access_request(&key());
        buf
    }

    #[test]
    fn an_access_request_reports_its_message_authenticator() {
        let with = access_request(true, false);
        let verified = verify_access_request(&Packet::parse(&with).unwrap(), &key()).unwrap();
        assert!(verified.signed());
        let without = access_request(false, false);
        let verified = verify_access_request(&Packet::parse(&without).unwrap(), &key()).unwrap();
        assert!(!verified.signed());
    }

    #[test]
    fn an_access_request_changed_on_the_way_is_refused() {
        let good = access_request(true, false);
        // Code and length have their own errors; everything else is covered.
        for at in (1..good.len()).filter(|at| !(2..4).contains(at)) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let Ok(packet) = Packet::parse(&bad) else { continue };
            let result = verify_access_request(&packet, &key());
            // Turning the attribute's type into another hides it, which is the known weakness
            // that requiring a Message-Authenticator closes.
            let hidden = packet.message_authenticator() == MessageAuthenticator::Absent;
            assert_eq!(result.is_err(), !hidden, "octet {at}");
        }
    }

    #[test]
    fn eap_without_message_authenticator_is_refused() {
        let request = access_request(false, true);
        let error = verify_access_request(&Packet::parse(&request).unwrap(), &key()).unwrap_err();
        assert_eq!(error, VerifyError::MessageAuthenticatorMissing);
        let request = access_request(true, true);
        assert!(verify_access_request(&Packet::parse(&request).unwrap(), &key()).is_ok());
    }

    #[test]
    fn a_second_or_short_message_authenticator_is_refused() {
        let mut twice = access_request(true, false);
        let copy = twice[20..38].to_vec();
        twice.extend(copy);
        twice[3] += 18;
        let mut short = access_request(false, false);
        short.extend([attr::MESSAGE_AUTHENTICATOR, 3, 0]);
        short[3] += 3;
        for bad in [twice, short] {
            let error = verify_access_request(&Packet::parse(&bad).unwrap(), &key()).unwrap_err();
            assert_eq!(error, VerifyError::MessageAuthenticatorMalformed);
        }
    }

    #[test]
    fn accounting_and_dynamic_requests_are_proven_or_refused() {
        type Verify = for<'a> fn(&Packet<'a>, &ClientKey) -> Result<Verified<'a>, VerifyError>;
        let kinds: [(Code, Verify); 3] = [
            (Code::ACCOUNTING_REQUEST, verify_accounting_request),
            (Code::COA_REQUEST, verify_dynamic_request),
            (Code::DISCONNECT_REQUEST, verify_dynamic_request),
        ];
        for (code, verify) in kinds {
            for message_authenticator in [false, true] {
                let mut buf = Vec::new();
                let mut writer = Writer::request(code, 9, &[0; 16], &mut buf);
                if message_authenticator {
                    writer.message_authenticator().unwrap();
                }
                writer.text(attr::ACCT_SESSION_ID, "81000001").unwrap();
                if code == Code::ACCOUNTING_REQUEST {
                    writer.finish_accounting_request(&key());
                } else {
                    writer.finish_dynamic_request(&key());
                }
                let verified = verify(&Packet::parse(&buf).unwrap(), &key()).unwrap();
                assert_eq!(verified.signed(), message_authenticator);
                let other = ClientKey::new(b"testing124");
                let error = verify(&Packet::parse(&buf).unwrap(), &other).unwrap_err();
                assert_eq!(error, VerifyError::Authenticator);
                *buf.last_mut().unwrap() ^= 1;
                let error = verify(&Packet::parse(&buf).unwrap(), &key()).unwrap_err();
                assert_eq!(error, VerifyError::Authenticator);
            }
        }
    }

    #[test]
    fn a_wrong_message_authenticator_under_a_right_authenticator_is_refused() {
        let mut buf = vec![4, 1, 0, 38];
        buf.extend([0; 16]);
        buf.extend([attr::MESSAGE_AUTHENTICATOR, 18]);
        buf.extend([7; 16]);
        let authenticator = key().md5_after(&buf[..4], &[0; 16], &buf[20..]);
        buf[4..20].copy_from_slice(&authenticator);
        let error = verify_accounting_request(&Packet::parse(&buf).unwrap(), &key()).unwrap_err();
        assert_eq!(error, VerifyError::MessageAuthenticator);
    }

    #[test]
    fn an_answer_is_bound_to_its_request() {
        let request = access_request(true, false);
        let request = Packet::parse(&request).unwrap();
        for message_authenticator in [false, true] {
            let mut buf = Vec::new();
            let mut writer =
                Writer::response(Code::ACCESS_ACCEPT, &request, &mut buf, message_authenticator);
            writer.attribute_u32(attr::SESSION_TIMEOUT, 3600).unwrap();
            writer.finish_response(&key(), request.authenticator());
            let answer = Packet::parse(&buf).unwrap();
            let verified = verify_response(&answer, request.authenticator(), &key()).unwrap();
            assert_eq!(verified.signed(), message_authenticator);
            let error = verify_response(&answer, &[0; 16], &key()).unwrap_err();
            assert_eq!(error, VerifyError::Authenticator);
        }
    }

    #[test]
    fn a_coa_answer_signed_over_zeros_is_accepted_and_an_access_answer_is_not() {
        for (code, accepted) in [(44, true), (41, true), (5, true), (2, false)] {
            let mut buf = vec![code, 1, 0, 38];
            buf.extend([0; 16]);
            buf.extend([attr::MESSAGE_AUTHENTICATOR, 18]);
            buf.extend([0; 16]);
            let mac = key().hmac(&[&buf]);
            buf[22..38].copy_from_slice(&mac);
            let authenticator = key().md5_after(&buf[..4], &REQUEST_AUTHENTICATOR, &buf[20..]);
            buf[4..20].copy_from_slice(&authenticator);
            let packet = Packet::parse(&buf).unwrap();
            let result = verify_response(&packet, &REQUEST_AUTHENTICATOR, &key());
            assert_eq!(result.is_ok(), accepted, "code {code}");
        }
    }

    #[test]
    fn each_check_refuses_the_other_kinds_of_packet() {
        let request = access_request(true, false);
        let packet = Packet::parse(&request).unwrap();
        let wrong = VerifyError::Code(Code::ACCESS_REQUEST);
        assert_eq!(verify_accounting_request(&packet, &key()).unwrap_err(), wrong);
        assert_eq!(verify_dynamic_request(&packet, &key()).unwrap_err(), wrong);
        assert_eq!(verify_response(&packet, &[0; 16], &key()).unwrap_err(), wrong);
    }

    #[test]
    fn a_status_request_must_be_signed() {
        let mut buf = Vec::new();
        Writer::request(Code::STATUS_SERVER, 3, &REQUEST_AUTHENTICATOR, &mut buf)
            .finish_access_request(&key());
        let error = verify_access_request(&Packet::parse(&buf).unwrap(), &key()).unwrap_err();
        assert_eq!(error, VerifyError::MessageAuthenticatorMissing);
        let mut writer = Writer::request(Code::STATUS_SERVER, 3, &REQUEST_AUTHENTICATOR, &mut buf);
        writer.message_authenticator().unwrap();
        writer.finish_access_request(&key());
        assert!(verify_access_request(&Packet::parse(&buf).unwrap(), &key()).is_ok());
    }
}
