//! Writing packets: answers, and requests of our own (CoA, tests, the load generator).
//!
//! A [`Writer`] fills the caller's buffer, which is cleared first and keeps its capacity: after
//! the first few packets nothing allocates. What does not fit is an error, never cut short.

use std::net::Ipv4Addr;

use crate::attr;
use crate::key::ClientKey;
use crate::packet::{Code, HEADER_OCTETS, PACKET_OCTETS_MAX, Packet};
use crate::password;

/// The longest value of an attribute (RFC 2865 §5).
pub const VALUE_OCTETS_MAX: usize = 253;

/// The longest value of a vendor sub-attribute that has a Vendor-Specific to itself.
pub const VENDOR_VALUE_OCTETS_MAX: usize = VALUE_OCTETS_MAX - 4 - 2;

/// Where the value of our Message-Authenticator lies: it is always the first attribute.
const MESSAGE_AUTHENTICATOR_AT: std::ops::Range<usize> = HEADER_OCTETS + 2..HEADER_OCTETS + 18;

/// It does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The value is longer than its attribute can hold.
    #[error("attribute {kind}: a value of {octets} octets is longer than {octets_max}")]
    Value {
        /// The attribute, or the vendor's sub-attribute.
        kind: u8,
        /// How long the value is.
        octets: usize,
        /// How long it may be.
        octets_max: usize,
    },
    /// The packet would be longer than 4096 octets.
    #[error("packet would be longer than {PACKET_OCTETS_MAX} octets")]
    Packet,
}

/// Appends one attribute to bare attribute bytes, such as those a profile is compiled to.
pub fn push(out: &mut Vec<u8>, kind: u8, value: &[u8]) -> Result<(), Full> {
    let octets = value.len();
    if octets > VALUE_OCTETS_MAX {
        return Err(Full::Value { kind, octets, octets_max: VALUE_OCTETS_MAX });
    }
    out.extend_from_slice(&[kind, octets as u8 + 2]);
    out.extend_from_slice(value);
    Ok(())
}

/// Appends one vendor sub-attribute, in a Vendor-Specific of its own: several NAS read only the
/// first of many.
pub fn push_vendor(out: &mut Vec<u8>, vendor: u32, kind: u8, value: &[u8]) -> Result<(), Full> {
    let octets = value.len();
    if octets > VENDOR_VALUE_OCTETS_MAX {
        return Err(Full::Value { kind, octets, octets_max: VENDOR_VALUE_OCTETS_MAX });
    }
    out.extend_from_slice(&[attr::VENDOR_SPECIFIC, octets as u8 + 8]);
    out.extend_from_slice(&vendor.to_be_bytes());
    out.extend_from_slice(&[kind, octets as u8 + 2]);
    out.extend_from_slice(value);
    Ok(())
}

/// A packet being written. It becomes valid with one of the `finish_` functions; dropped before
/// that, the buffer holds a length of zero, which nobody accepts.
#[derive(Debug)]
pub struct Writer<'b> {
    buf: &'b mut Vec<u8>,
    message_authenticator: bool,
}

impl<'b> Writer<'b> {
    /// Begins the answer to a request.
    ///
    /// `message_authenticator` asks for one, as the first attribute: what an attacker can
    /// append to an answer then comes after it (CVE-2024-3596). Give it to every answer to an
    /// Access-Request. Leave it out of an Accounting-Response: no RFC defines it there, and
    /// clients differ in what they compute.
    pub fn response(
        code: Code,
        request: &Packet<'_>,
        buf: &'b mut Vec<u8>,
        message_authenticator: bool,
    ) -> Self {
        let mut writer = Self::request(code, request.identifier(), request.authenticator(), buf);
        if message_authenticator {
            writer.insert_message_authenticator();
        }
        writer
    }

    /// Begins a request. The authenticator is random for an Access-Request and a Status-Server;
    /// for other requests it is computed at the end and may be anything here.
    pub fn request(
        code: Code,
        identifier: u8,
        authenticator: &[u8; 16],
        buf: &'b mut Vec<u8>,
    ) -> Self {
        buf.clear();
        buf.extend_from_slice(&[code.0, identifier, 0, 0]);
        buf.extend_from_slice(authenticator);
        Self { buf, message_authenticator: false }
    }

    /// Asks for a Message-Authenticator, as the first attribute whatever has been written yet.
    pub fn message_authenticator(&mut self) -> Result<(), Full> {
        if !self.message_authenticator {
            self.room(18)?;
            self.insert_message_authenticator();
        }
        Ok(())
    }

    fn insert_message_authenticator(&mut self) {
        let mut placeholder = [0; 18];
        placeholder[..2].copy_from_slice(&[attr::MESSAGE_AUTHENTICATOR, 18]);
        self.buf.splice(HEADER_OCTETS..HEADER_OCTETS, placeholder);
        self.message_authenticator = true;
    }

    fn room(&self, octets: usize) -> Result<(), Full> {
        if self.buf.len() + octets > PACKET_OCTETS_MAX { Err(Full::Packet) } else { Ok(()) }
    }

    /// Adds an attribute.
    pub fn attribute(&mut self, kind: u8, value: &[u8]) -> Result<(), Full> {
        self.room(2 + value.len().min(VALUE_OCTETS_MAX))?;
        push(self.buf, kind, value)
    }

    /// Adds an integer.
    pub fn attribute_u32(&mut self, kind: u8, value: u32) -> Result<(), Full> {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// Adds an IPv4 address.
    pub fn attribute_ipv4(&mut self, kind: u8, value: Ipv4Addr) -> Result<(), Full> {
        self.attribute(kind, &value.octets())
    }

    /// Adds text.
    pub fn text(&mut self, kind: u8, value: &str) -> Result<(), Full> {
        self.attribute(kind, value.as_bytes())
    }

    /// Adds a vendor sub-attribute, in a Vendor-Specific of its own.
    pub fn vendor(&mut self, vendor: u32, kind: u8, value: &[u8]) -> Result<(), Full> {
        self.room(8 + value.len().min(VENDOR_VALUE_OCTETS_MAX))?;
        push_vendor(self.buf, vendor, kind, value)
    }

    /// Adds User-Password, hidden under the authenticator the request was begun with
    /// (RFC 2865 §5.2).
    pub fn user_password(&mut self, password: &[u8], key: &ClientKey) -> Result<(), Full> {
        let mut authenticator = [0; 16];
        authenticator.copy_from_slice(&self.buf[4..HEADER_OCTETS]);
        let mut hidden = [0; password::OCTETS_MAX];
        let octets =
            password::hide(password, key, &authenticator, &mut hidden).ok_or(Full::Value {
                kind: attr::USER_PASSWORD,
                octets: password.len(),
                octets_max: password::OCTETS_MAX,
            })?;
        self.attribute(attr::USER_PASSWORD, &hidden[..octets])
    }

    /// Adds attributes compiled in advance with [`push`] and [`push_vendor`], which must not
    /// hold a Message-Authenticator.
    pub fn raw(&mut self, attributes: &[u8]) -> Result<(), Full> {
        debug_assert!(crate::Attributes::parse(attributes).is_ok(), "raw bytes are attributes");
        self.room(attributes.len())?;
        self.buf.extend_from_slice(attributes);
        Ok(())
    }

    /// Lets `change` rewrite the attributes written since the packet was `from` octets long: it
    /// gets the octets of the whole packet, of which those before `from` must stay. They are
    /// attributes afterwards, too, and no Message-Authenticator is among them.
    pub fn rewrite(
        &mut self,
        from: usize,
        change: impl FnOnce(&mut Vec<u8>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        change(self.buf)?;
        debug_assert!(
            self.buf.get(from..).is_some_and(|own| crate::Attributes::parse(own).is_ok()),
            "rewritten bytes are attributes"
        );
        self.room(0)
    }

    /// The attributes written since the packet was `from` octets long.
    pub fn written(&self, from: usize) -> crate::Attributes<'_> {
        crate::Attributes::of_checked(self.buf.get(from..).unwrap_or_default())
    }

    /// Copies the request's Proxy-State attributes, in order and unchanged (RFC 2865 §5.33).
    pub fn proxy_states_of(&mut self, request: &Packet<'_>) -> Result<(), Full> {
        for state in request.attributes().all(attr::PROXY_STATE) {
            self.attribute(attr::PROXY_STATE, state)?;
        }
        Ok(())
    }

    /// Octets written so far, header included.
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether there is no attribute yet.
    pub fn is_empty(&self) -> bool {
        self.buf.len() == HEADER_OCTETS
    }

    /// Finishes an answer: Message-Authenticator, then Response Authenticator (RFC 2865 §3).
    pub fn finish_response(self, key: &ClientKey, request_authenticator: &[u8; 16]) -> &'b [u8] {
        self.finish_hashed(key, request_authenticator)
    }

    /// Finishes an Access-Request or a Status-Server: its authenticator stays what it was
    /// begun with.
    pub fn finish_access_request(mut self, key: &ClientKey) -> &'b [u8] {
        self.sign(key);
        self.buf
    }

    /// Finishes an Accounting-Request (RFC 2866 §3).
    pub fn finish_accounting_request(self, key: &ClientKey) -> &'b [u8] {
        self.finish_hashed(key, &[0; 16])
    }

    /// Finishes a CoA-Request or Disconnect-Request. The Message-Authenticator is made over
    /// sixteen zeros, and is in its place when the authenticator is made (RFC 5176 §3.4).
    pub fn finish_dynamic_request(self, key: &ClientKey) -> &'b [u8] {
        self.finish_hashed(key, &[0; 16])
    }

    fn finish_hashed(mut self, key: &ClientKey, stand_in: &[u8; 16]) -> &'b [u8] {
        self.buf[4..HEADER_OCTETS].copy_from_slice(stand_in);
        self.sign(key);
        let authenticator = key.md5_after(self.buf, &[], &[]);
        self.buf[4..HEADER_OCTETS].copy_from_slice(&authenticator);
        self.buf
    }

    /// Sets the length, then the Message-Authenticator where one was asked for.
    fn sign(&mut self, key: &ClientKey) {
        // `room` has kept it within 4096.
        let length = self.buf.len() as u16;
        self.buf[2..4].copy_from_slice(&length.to_be_bytes());
        if self.message_authenticator {
            let mac = key.hmac(&[self.buf]);
            self.buf[MESSAGE_AUTHENTICATOR_AT].copy_from_slice(&mac);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor;

    fn key() -> ClientKey {
        ClientKey::new(b"testing123")
    }

    #[test]
    fn the_message_authenticator_is_the_first_attribute_whenever_it_is_asked_for() {
        let mut buf = Vec::new();
        let mut writer = Writer::request(Code::ACCESS_REQUEST, 1, &[1; 16], &mut buf);
        writer.text(attr::USER_NAME, "alice").unwrap();
        writer.message_authenticator().unwrap();
        writer.message_authenticator().unwrap();
        writer.finish_access_request(&key());
        let request = Packet::parse(&buf).unwrap();
        let kinds: Vec<u8> = request.attributes().iter().map(|a| a.kind).collect();
        assert_eq!(kinds, [attr::MESSAGE_AUTHENTICATOR, attr::USER_NAME]);

        let mut answer = Vec::new();
        let mut writer = Writer::response(Code::ACCESS_REJECT, &request, &mut answer, true);
        writer.text(attr::REPLY_MESSAGE, "no").unwrap();
        writer.finish_response(&key(), request.authenticator());
        assert_eq!(answer[20], attr::MESSAGE_AUTHENTICATOR);
    }

    #[test]
    fn proxy_states_come_back_in_order() {
        let mut buf = Vec::new();
        let mut writer = Writer::request(Code::ACCOUNTING_REQUEST, 1, &[0; 16], &mut buf);
        for state in [&[1u8, 2][..], &[], &[3]] {
            writer.attribute(attr::PROXY_STATE, state).unwrap();
            writer.text(attr::USER_NAME, "between").unwrap();
        }
        writer.finish_accounting_request(&key());
        let request = Packet::parse(&buf).unwrap();
        let mut answer = Vec::new();
        let mut writer = Writer::response(Code::ACCOUNTING_RESPONSE, &request, &mut answer, false);
        writer.proxy_states_of(&request).unwrap();
        writer.finish_response(&key(), request.authenticator());
        assert_eq!(answer[20..], [33, 4, 1, 2, 33, 2, 33, 3, 3]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_no_trace() {
        let mut buf = Vec::new();
        let mut writer = Writer::request(Code::ACCESS_ACCEPT, 1, &[0; 16], &mut buf);
        writer.attribute(attr::REPLY_MESSAGE, &[b'x'; 253]).unwrap();
        writer.vendor(vendor::MIKROTIK, 8, &[b'x'; 247]).unwrap();
        let before = writer.len();
        let too_long = Full::Value { kind: 18, octets: 254, octets_max: 253 };
        assert_eq!(writer.attribute(attr::REPLY_MESSAGE, &[b'x'; 254]), Err(too_long));
        let too_long = Full::Value { kind: 8, octets: 248, octets_max: 247 };
        assert_eq!(writer.vendor(vendor::MIKROTIK, 8, &[b'x'; 248]), Err(too_long));
        assert_eq!(writer.len(), before);
    }

    #[test]
    fn a_packet_grows_to_exactly_4096_octets() {
        let mut buf = Vec::new();
        let mut writer = Writer::request(Code::ACCOUNTING_REQUEST, 1, &[0; 16], &mut buf);
        while writer.len() < 3840 {
            writer.attribute(attr::CLASS, &[7; 253]).unwrap();
        }
        let rest = PACKET_OCTETS_MAX - writer.len();
        assert_eq!(writer.raw(&[attr::CLASS, 2].repeat(rest)), Err(Full::Packet));
        writer.attribute(attr::CLASS, &vec![7; rest - 2]).unwrap();
        assert_eq!(writer.attribute(attr::CLASS, &[]), Err(Full::Packet));
        assert_eq!(writer.vendor(1, 1, &[]), Err(Full::Packet));
        assert_eq!(writer.message_authenticator(), Err(Full::Packet));
        assert_eq!(writer.finish_accounting_request(&key()).len(), 4096);
        let packet = Packet::parse(&buf).unwrap();
        assert!(crate::verify_accounting_request(&packet, &key()).is_ok());
    }

    #[test]
    fn a_buffer_is_cleared_and_its_capacity_kept() {
        let mut buf = Vec::with_capacity(PACKET_OCTETS_MAX);
        buf.extend([9; 100]);
        let before = (buf.as_ptr(), buf.capacity());
        let mut writer = Writer::request(Code::ACCESS_REQUEST, 1, &[0; 16], &mut buf);
        writer.text(attr::USER_NAME, "alice").unwrap();
        writer.message_authenticator().unwrap();
        writer.finish_access_request(&key());
        assert_eq!((buf.as_ptr(), buf.capacity()), before);
        assert_eq!(buf.len(), 20 + 18 + 7);
    }

    #[test]
    fn an_unfinished_packet_is_not_a_packet() {
        let mut buf = Vec::new();
        Writer::request(Code::ACCESS_REQUEST, 1, &[0; 16], &mut buf)
            .text(attr::USER_NAME, "alice")
            .unwrap();
        assert!(Packet::parse(&buf).is_err());
    }
}
