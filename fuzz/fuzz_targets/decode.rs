//! A datagram from a stranger: whatever it is, it is read or refused, and what is read is written
//! again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use radius_wire::auth::{mppe_decrypt, mschap1_matches, mschap2_verify, nt_hash};
use radius_wire::write::push;
use radius_wire::{
    Attributes, ClientKey, Facts, Line, Packet, Writer, attr, dict, password, tunnel,
    verify_access_request, verify_accounting_request, verify_dynamic_request, verify_response,
};

fuzz_target!(|datagram: &[u8]| {
    let Ok(packet) = Packet::parse(datagram) else { return };
    let key = ClientKey::new(b"testing123");
    let attributes = packet.attributes();
    assert_eq!(Attributes::parse(attributes.as_bytes()), Ok(attributes));

    let mut again = Vec::new();
    for attribute in attributes {
        push(&mut again, attribute.kind, attribute.value).expect("it was in a packet");
        let shown = dict::show(&attribute).to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        // Octets of a stranger mean nothing under our secret: only that they are taken counts,
        // here and below.
        let mut clear = [0; password::OCTETS_MAX];
        let _ = password::unhide(attribute.value, &key, packet.authenticator(), &mut clear);
        let _ = tunnel::tagged_text(attribute.value);
        let _ = tunnel::tagged_integer(attribute.value);
    }
    assert_eq!(again, attributes.as_bytes());
    for inside in attributes.vendor_iter() {
        let _ = mppe_decrypt(inside.value, &key, packet.authenticator());
        if let Ok(response) = inside.value.try_into() {
            let name = attributes.first(attr::USER_NAME).unwrap_or_default();
            let hash = nt_hash(name);
            let _ = mschap1_matches(&[0; 8], response, &hash);
            let _ = mschap2_verify(name, &[0; 16], response, &hash);
        }
    }

    let facts = Facts::of(attributes);
    assert!(facts.framed_ipv6_prefix.is_none_or(|(_, length)| length <= 128));
    let _ = Line::of(attributes);

    // What is proven by chance is no mistake.
    let _ = verify_accounting_request(&packet, &key);
    let _ = verify_dynamic_request(&packet, &key);
    let _ = verify_response(&packet, &[0; 16], &key);
    // Where it proves itself, it is answered: with what it brought along, in order, and whole.
    if let Ok(request) = verify_access_request(&packet, &key) {
        let mut reply = Vec::new();
        let code = radius_wire::Code::ACCESS_REJECT;
        let mut writer = Writer::response(code, &request, &mut reply, true);
        if writer.proxy_states_of(&packet).is_ok() {
            let reply = writer.finish_response(&key, packet.authenticator());
            let reply = Packet::parse(reply).expect("what is written reads");
            assert!(verify_response(&reply, packet.authenticator(), &key).expect("ours").signed());
            assert!(reply.attributes().all(attr::PROXY_STATE).eq(attributes.all(attr::PROXY_STATE)));
        }
    }
});
