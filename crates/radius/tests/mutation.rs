//! Packets with octets changed, cut, repeated and invented: nothing a stranger sends may panic,
//! and whatever parses must read the same again.

use std::fmt::Write;

use radius_wire::auth::{mppe_decrypt, mschap1_matches, mschap2_verify, nt_hash};
use radius_wire::password::unhide;
use radius_wire::write::{Writer, push};
use radius_wire::{
    Attributes, ClientKey, Code, Facts, Packet, attr, dict, vendor, verify_access_request,
    verify_accounting_request, verify_dynamic_request, verify_response,
};

/// How many changed packets must still parse, and so be read to the end.
const PARSED: usize = 300_000;

/// xorshift64*, seeded: a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        // The high half: the low bits of this generator are its weak ones.
        ((self.next() >> 32) as usize) % limit.max(1)
    }
}

fn seeds(key: &ClientKey) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let mut buf = Vec::new();

    let mut writer = Writer::request(Code::ACCESS_REQUEST, 1, &[0x5a; 16], &mut buf);
    writer.text(attr::USER_NAME, "alice@example").unwrap();
    writer.user_password(b"correct horse", key).unwrap();
    writer.attribute_u32(attr::SERVICE_TYPE, 2).unwrap();
    writer.text(attr::CALLING_STATION_ID, "AA:BB:CC:DD:EE:FF").unwrap();
    writer.vendor(vendor::MICROSOFT, attr::microsoft::CHAP2_RESPONSE, &[3; 50]).unwrap();
    writer.attribute(attr::EAP_MESSAGE, &[2, 1, 0, 4]).unwrap();
    writer.message_authenticator().unwrap();
    seeds.push(writer.finish_access_request(key).to_vec());

    let mut writer = Writer::request(Code::ACCOUNTING_REQUEST, 2, &[0; 16], &mut buf);
    for kind in [40, 41, 42, 43, 46, 47, 48, 49, 52, 53, 55] {
        writer.attribute_u32(kind, 3).unwrap();
    }
    writer.text(attr::ACCT_SESSION_ID, "81000001").unwrap();
    writer.attribute(attr::FRAMED_IPV6_PREFIX, &[0, 64, 32, 1, 13, 184, 0, 0, 0, 0]).unwrap();
    writer.attribute(attr::DELEGATED_IPV6_PREFIX, &[0, 56, 32, 1, 13, 184, 0, 0, 0]).unwrap();
    writer.attribute(attr::FRAMED_INTERFACE_ID, &[1; 8]).unwrap();
    writer.attribute(attr::TUNNEL_TYPE, &[1, 0, 0, 13]).unwrap();
    writer.attribute(attr::PROXY_STATE, &[9; 7]).unwrap();
    seeds.push(writer.finish_accounting_request(key).to_vec());

    let mut writer = Writer::request(Code::COA_REQUEST, 3, &[0; 16], &mut buf);
    writer.message_authenticator().unwrap();
    let mut two = vendor::MIKROTIK.to_be_bytes().to_vec();
    push(&mut two, attr::mikrotik::RATE_LIMIT, b"20M/50M").unwrap();
    push(&mut two, attr::mikrotik::ADDRESS_LIST, b"overdue").unwrap();
    writer.attribute(attr::VENDOR_SPECIFIC, &two).unwrap();
    writer.text(attr::REPLY_MESSAGE, "h\u{e9}llo \"there\"\\\n").unwrap();
    seeds.push(writer.finish_dynamic_request(key).to_vec());
    seeds
}

/// Changes a packet in one to four ways. Half of the time the length field is put right
/// afterwards, so that the change reaches what comes after the header.
fn mutate(packet: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(packet.len());
        match random.below(7) {
            0 if !packet.is_empty() => packet[at] = random.next() as u8,
            1 if !packet.is_empty() => packet[at] ^= 1 << random.below(8),
            2 => packet.truncate(at),
            3 => {
                let end = (at + random.below(40)).min(packet.len());
                packet.extend_from_within(at..end);
            }
            4 if at > 20 => packet[at] = [0, 1, 2, 3, 253, 254, 255][random.below(7)],
            5 => packet.insert(at, random.next() as u8),
            6 if !packet.is_empty() => {
                packet.remove(at);
            }
            _ => {}
        }
    }
    if random.below(2) == 0 && packet.len() >= 20 {
        let length = packet.len() as u16;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
    }
}

#[test]
fn no_packet_makes_the_reader_panic() {
    let key = ClientKey::new(b"testing123");
    let seeds = seeds(&key);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut packet, mut text) = (Vec::new(), String::new());
    let (mut parsed, mut refused) = (0, 0);
    while parsed < PARSED {
        let round = parsed + refused;
        packet.clear();
        packet.extend_from_slice(&seeds[round % seeds.len()]);
        mutate(&mut packet, &mut random);

        let Ok(read) = Packet::parse(&packet) else {
            refused += 1;
            continue;
        };
        parsed += 1;
        let attributes = read.attributes();
        assert_eq!(Attributes::parse(attributes.as_bytes()), Ok(attributes));

        // What is read, written again, gives the same octets.
        let mut again = Vec::with_capacity(attributes.as_bytes().len());
        text.clear();
        for attribute in attributes {
            push(&mut again, attribute.kind, attribute.value).unwrap();
            write!(text, "{}", dict::show(&attribute)).unwrap();
        }
        assert_eq!(again, attributes.as_bytes());
        assert!(!text.chars().any(char::is_control), "round {round}: {text:?}");

        let facts = Facts::of(attributes);
        assert!(facts.framed_ipv6_prefix.is_none_or(|(_, length)| length <= 128));

        // These hash, so once in a while is enough.
        if round % 16 == 0 {
            let _ = verify_access_request(&read, &key);
            let _ = verify_accounting_request(&read, &key);
            let _ = verify_dynamic_request(&read, &key);
            let _ = verify_response(&read, &[0; 16], &key);
            let mut clear = [0; 128];
            for attribute in attributes {
                let _ = unhide(attribute.value, &key, read.authenticator(), &mut clear);
            }
            for inside in attributes.vendor_iter() {
                let _ = mppe_decrypt(inside.value, &key, read.authenticator());
                if let Ok(response) = inside.value.try_into() {
                    let name = attributes.first(attr::USER_NAME).unwrap_or_default();
                    let hash = nt_hash(name);
                    assert!(!mschap1_matches(&[0; 8], response, &hash));
                    assert!(mschap2_verify(name, &[0; 16], response, &hash).is_none());
                }
            }
        }
    }
    // Most changes break a packet; were it few, they would be too mild to find anything.
    assert!(refused > PARSED, "only {refused} refused");
}
