//! Our codec against the `radius` crate, which shares nothing with it: what one writes the other
//! must read, and each must prove the other's packets.
//!
//! Only kinds of attributes that crate gets right are compared. It writes tagged integers in five
//! octets, prefixes with a wrong length and Tunnel-Password without its length, cannot read vendor
//! attributes, and computes no Message-Authenticator; there our own vectors from the RFCs decide.

use std::net::{Ipv4Addr, Ipv6Addr};

use lab::wire::mikrotik_rate_limit_of;
use radius::core::code::Code as TheirCode;
use radius::core::packet::Packet as Theirs;
use radius::core::{rfc2865, rfc2866, rfc2869, rfc3162, rfc6911};
use radius_wire::{
    ClientKey, Code, Facts, Packet, Status, Writer, attr, password, vendor,
    verify_accounting_request, verify_dynamic_request, verify_response,
};

const SECRET: &[u8] = b"testing123";
/// Packets of each kind.
const ROUNDS: u64 = 500;

/// Values that differ from round to round: SplitMix64, so that a failure can be repeated.
struct Values(u64);

impl Values {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn u32(&mut self) -> u32 {
        self.bits() as u32
    }

    fn ipv4(&mut self) -> Ipv4Addr {
        self.u32().into()
    }

    fn ipv6(&mut self) -> Ipv6Addr {
        (u128::from(self.bits()) << 64 | u128::from(self.bits())).into()
    }

    /// Letters and digits, 1 to `max` of them.
    fn text(&mut self, max: u64) -> String {
        let octets = 1 + self.bits() % max;
        let letter = |values: &mut Self| char::from(b'0' + (values.bits() % 75) as u8);
        (0..octets).map(|_| letter(self)).collect()
    }

    fn octets(&mut self, max: u64) -> Vec<u8> {
        let octets = 1 + self.bits() % max;
        (0..octets).map(|_| self.bits() as u8).collect()
    }

    fn authenticator(&mut self) -> [u8; 16] {
        self.ipv6().octets()
    }
}

/// A value of theirs that must be there and must read.
fn read<T, E: std::fmt::Debug>(value: Option<Result<T, E>>) -> T {
    value.expect("it is there").expect("it reads")
}

#[test]
fn they_read_the_access_requests_we_write() {
    let key = ClientKey::new(SECRET);
    for round in 0..ROUNDS {
        let mut values = Values(round);
        let (name, secret) = (values.text(253), values.text(128));
        let (nas, port, station) = (values.ipv4(), values.u32(), values.text(253));
        let (state, nas6, framed6) = (values.octets(253), values.ipv6(), values.ipv6());
        let authenticator = values.authenticator();
        let mut bytes = Vec::new();
        let mut writer =
            Writer::request(Code::ACCESS_REQUEST, round as u8, &authenticator, &mut bytes);
        writer.message_authenticator().unwrap();
        writer.text(attr::USER_NAME, &name).unwrap();
        writer.user_password(secret.as_bytes(), &key).unwrap();
        writer.attribute_ipv4(attr::NAS_IP_ADDRESS, nas).unwrap();
        writer.attribute_u32(attr::NAS_PORT, port).unwrap();
        writer.text(attr::CALLING_STATION_ID, &station).unwrap();
        writer.attribute(attr::STATE, &state).unwrap();
        writer.attribute(attr::NAS_IPV6_ADDRESS, &nas6.octets()).unwrap();
        writer.attribute(attr::FRAMED_IPV6_ADDRESS, &framed6.octets()).unwrap();
        writer.finish_access_request(&key);

        let theirs = Theirs::decode(&bytes, SECRET).unwrap();
        assert_eq!(theirs.get_code(), TheirCode::AccessRequest);
        assert_eq!(theirs.get_identifier(), round as u8);
        assert_eq!(theirs.get_authenticator()[..], authenticator);
        assert_eq!(read(rfc2865::lookup_user_name(&theirs)), name);
        assert_eq!(read(rfc2865::lookup_user_password(&theirs)), secret.as_bytes());
        assert_eq!(read(rfc2865::lookup_nas_ip_address(&theirs)), nas);
        assert_eq!(read(rfc2865::lookup_nas_port(&theirs)), port);
        assert_eq!(read(rfc2865::lookup_calling_station_id(&theirs)), station);
        assert_eq!(rfc2865::lookup_state(&theirs).as_deref(), Some(&state[..]));
        assert_eq!(read(rfc3162::lookup_nas_ipv6_address(&theirs)), nas6);
        assert_eq!(read(rfc6911::lookup_framed_ipv6_address(&theirs)), framed6);
    }
}

#[test]
fn we_read_the_access_requests_they_write() {
    let key = ClientKey::new(SECRET);
    for round in 0..ROUNDS {
        let mut values = Values(round);
        let (name, secret) = (values.text(253), values.text(128));
        let (nas, timeout, class) = (values.ipv4(), values.u32(), values.octets(253));
        let mut theirs = Theirs::new_with_identifier(TheirCode::AccessRequest, SECRET, round as u8);
        rfc2865::add_user_name(&mut theirs, &name);
        rfc2865::add_user_password(&mut theirs, secret.as_bytes()).unwrap();
        rfc2865::add_nas_ip_address(&mut theirs, &nas);
        rfc2865::add_session_timeout(&mut theirs, timeout);
        rfc2865::add_class(&mut theirs, &class);
        let bytes = theirs.encode().unwrap();

        let ours = Packet::parse(&bytes).unwrap();
        assert_eq!((ours.code(), ours.identifier()), (Code::ACCESS_REQUEST, round as u8));
        let attributes = ours.attributes();
        assert_eq!(attributes.text(attr::USER_NAME), Some(&name[..]));
        assert_eq!(attributes.ipv4(attr::NAS_IP_ADDRESS), Some(nas));
        assert_eq!(attributes.u32(attr::SESSION_TIMEOUT), Some(timeout));
        assert_eq!(attributes.first(attr::CLASS), Some(&class[..]));
        let hidden = attributes.first(attr::USER_PASSWORD).unwrap();
        let mut clear = [0; password::OCTETS_MAX];
        let octets = password::unhide(hidden, &key, ours.authenticator(), &mut clear).unwrap();
        assert_eq!(&clear[..octets], secret.as_bytes());
    }
}

#[test]
fn we_prove_and_read_the_accounting_requests_they_write() {
    let key = ClientKey::new(SECRET);
    for round in 0..ROUNDS {
        let mut values = Values(round);
        let (name, session, ip) = (values.text(253), values.text(253), values.ipv4());
        let [up, up_rounds, down, down_rounds, time] = [(); 5].map(|()| values.u32());
        let mut theirs = Theirs::new(TheirCode::AccountingRequest, SECRET);
        rfc2866::add_acct_status_type(&mut theirs, 3);
        rfc2865::add_user_name(&mut theirs, &name);
        rfc2866::add_acct_session_id(&mut theirs, &session);
        rfc2865::add_framed_ip_address(&mut theirs, &ip);
        rfc2866::add_acct_session_time(&mut theirs, time);
        rfc2866::add_acct_input_octets(&mut theirs, up);
        rfc2869::add_acct_input_gigawords(&mut theirs, up_rounds);
        rfc2866::add_acct_output_octets(&mut theirs, down);
        rfc2869::add_acct_output_gigawords(&mut theirs, down_rounds);
        let bytes = theirs.encode().unwrap();

        let ours = Packet::parse(&bytes).unwrap();
        verify_accounting_request(&ours, &key).unwrap();
        assert!(verify_accounting_request(&ours, &ClientKey::new(b"another")).is_err());
        let facts = Facts::of(ours.attributes());
        assert_eq!(facts.status, Status::Interim);
        assert_eq!(facts.user_name, Some(name.as_bytes()));
        assert_eq!(facts.acct_session_id, Some(session.as_bytes()));
        assert_eq!(facts.framed_ip, Some(ip));
        assert_eq!(facts.session_time_s, time);
        assert_eq!(facts.input_octets, u64::from(up_rounds) << 32 | u64::from(up));
        assert_eq!(facts.output_octets, u64::from(down_rounds) << 32 | u64::from(down));
        assert_eq!(facts.malformed, 0);
    }
}

#[test]
fn each_proves_the_others_answers() {
    let key = ClientKey::new(SECRET);
    for round in 0..ROUNDS {
        let mut values = Values(round);
        let mut request = Theirs::new(TheirCode::AccessRequest, SECRET);
        rfc2865::add_user_name(&mut request, &values.text(253));
        let request_bytes = request.encode().unwrap();
        let seen = Packet::parse(&request_bytes).unwrap();

        let (rate, interval) = (format!("{}M/{}M", values.u32(), values.u32()), values.u32());
        let mut bytes = Vec::new();
        let mut writer = Writer::response(Code::ACCESS_ACCEPT, &seen, &mut bytes, true);
        writer.vendor(vendor::MIKROTIK, attr::mikrotik::RATE_LIMIT, rate.as_bytes()).unwrap();
        writer.attribute_u32(attr::ACCT_INTERIM_INTERVAL, interval).unwrap();
        writer.finish_response(&key, seen.authenticator());
        assert!(Theirs::is_authentic_response(&bytes, &request_bytes, SECRET));
        assert!(!Theirs::is_authentic_response(&bytes, &request_bytes, b"another"));
        let theirs = Theirs::decode(&bytes, SECRET).unwrap();
        assert_eq!(theirs.get_code(), TheirCode::AccessAccept);
        assert_eq!(read(rfc2869::lookup_acct_interim_interval(&theirs)), interval);
        assert_eq!(mikrotik_rate_limit_of(&bytes), Some(rate));

        let mut answer = request.make_response_packet(TheirCode::AccessReject);
        let message = values.text(253);
        rfc2865::add_reply_message(&mut answer, &message);
        let answer = answer.encode().unwrap();
        let ours = Packet::parse(&answer).unwrap();
        verify_response(&ours, seen.authenticator(), &key).unwrap();
        assert_eq!(ours.code(), Code::ACCESS_REJECT);
        assert_eq!(ours.attributes().text(attr::REPLY_MESSAGE), Some(&message[..]));
    }
}

#[test]
fn each_proves_the_others_requests_to_change_a_session() {
    let key = ClientKey::new(SECRET);
    for round in 0..ROUNDS {
        let mut values = Values(round);
        let session = values.text(253);
        for (code, their_code) in [
            (Code::DISCONNECT_REQUEST, TheirCode::DisconnectRequest),
            (Code::COA_REQUEST, TheirCode::CoARequest),
        ] {
            let mut bytes = Vec::new();
            let mut writer = Writer::request(code, round as u8, &[0; 16], &mut bytes);
            writer.message_authenticator().unwrap();
            writer.text(attr::ACCT_SESSION_ID, &session).unwrap();
            writer.finish_dynamic_request(&key);
            assert!(Theirs::is_authentic_request(&bytes, SECRET));
            let theirs = Theirs::decode(&bytes, SECRET).unwrap();
            assert_eq!(theirs.get_code(), their_code);
            assert_eq!(read(rfc2866::lookup_acct_session_id(&theirs)), session);

            let mut theirs = Theirs::new(their_code, SECRET);
            rfc2866::add_acct_session_id(&mut theirs, &session);
            let bytes = theirs.encode().unwrap();
            let ours = Packet::parse(&bytes).unwrap();
            verify_dynamic_request(&ours, &key).unwrap();
            assert_eq!(ours.attributes().text(attr::ACCT_SESSION_ID), Some(&session[..]));
        }
    }
}
