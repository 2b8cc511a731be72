//! The example packets of RFC 2865 §7 and RFC 5997 §6, octet for octet.

use radius_wire::attr;
use radius_wire::auth::pap_matches;
use radius_wire::password::unhide;
use radius_wire::{ClientKey, Code, Packet, Writer, verify_access_request, verify_response};

/// The secret of the examples.
const SECRET: &[u8] = b"xyzzy5461";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// §7.1: nemo logs in for Telnet.
const NEMO_REQUEST: &str = "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb
    98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be 70 8d
    93 d4 13 ce 31 96 e4 3f 78 2a 0a ee 04 06 c0 a8
    01 10 05 06 00 00 00 03";
const NEMO_ACCEPT: &str = "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf
    9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00
    0e 06 c0 a8 01 03";

/// §7.2: flopsy logs in for PPP with CHAP.
const FLOPSY_REQUEST: &str = "01 01 00 47 2a ee 86 f0 8d 0d 55 96 9c a5 97 8e
    0d 33 67 a2 01 08 66 6c 6f 70 73 79 03 13 16 e9
    75 57 c3 16 18 58 95 f2 93 ff 63 44 07 72 75 04
    06 c0 a8 01 10 05 06 00 00 00 14 06 06 00 00 00
    02 07 06 00 00 00 01";

/// §7.3: mopsy is asked something more.
const MOPSY_REQUEST: &str = "01 02 00 39 f3 a4 7a 1f 6a 6d 76 71 0b 94 7a b9
    30 41 a0 39 01 07 6d 6f 70 73 79 02 12 33 65 75
    73 77 82 89 b5 70 88 5e 15 08 48 25 c5 04 06 c0
    a8 01 10 05 06 00 00 00 07";
const MOPSY_CHALLENGE: &str = "0b 02 00 4e 36 f3 c8 76 4a e8 c7 11 57 40 3c 0c
    71 ff 9c 45 12 30 43 68 61 6c 6c 65 6e 67 65 20
    33 32 37 36 39 34 33 30 2e 20 20 45 6e 74 65 72
    20 72 65 73 70 6f 6e 73 65 20 61 74 20 70 72 6f
    6d 70 74 2e 18 0a 33 32 37 36 39 34 33 30";

#[test]
fn nemo_is_read_and_proven() {
    let bytes = hex(NEMO_REQUEST);
    let request = Packet::parse(&bytes).unwrap();
    let verified = verify_access_request(&request, &ClientKey::new(SECRET)).unwrap();
    assert!(!verified.signed());
    assert_eq!((verified.code(), verified.identifier()), (Code::ACCESS_REQUEST, 0));
    let attributes = verified.attributes();
    assert_eq!(attributes.text(attr::USER_NAME), Some("nemo"));
    assert_eq!(attributes.ipv4(attr::NAS_IP_ADDRESS), Some([192, 168, 1, 16].into()));
    assert_eq!(attributes.u32(attr::NAS_PORT), Some(3));
    let hidden = attributes.first(attr::USER_PASSWORD).unwrap();
    let mut clear = [0; 128];
    let octets =
        unhide(hidden, &ClientKey::new(SECRET), verified.authenticator(), &mut clear).unwrap();
    assert!(pap_matches(&clear[..octets], b"arctangent"));
}

#[test]
fn nemos_request_and_answer_are_written_octet_for_octet() {
    let key = ClientKey::new(SECRET);
    let (expected_request, expected_answer) = (hex(NEMO_REQUEST), hex(NEMO_ACCEPT));
    let expected = Packet::parse(&expected_request).unwrap();

    let mut buf = Vec::new();
    let mut writer = Writer::request(Code::ACCESS_REQUEST, 0, expected.authenticator(), &mut buf);
    writer.text(attr::USER_NAME, "nemo").unwrap();
    writer.user_password(b"arctangent", &key).unwrap();
    writer.attribute_ipv4(attr::NAS_IP_ADDRESS, [192, 168, 1, 16].into()).unwrap();
    writer.attribute_u32(attr::NAS_PORT, 3).unwrap();
    assert_eq!(writer.finish_access_request(&key), expected_request);

    let mut buf = Vec::new();
    let mut writer = Writer::response(Code::ACCESS_ACCEPT, &expected, &mut buf, false);
    writer.attribute_u32(attr::SERVICE_TYPE, 1).unwrap();
    writer.attribute_u32(15, 0).unwrap();
    writer.attribute_ipv4(14, [192, 168, 1, 3].into()).unwrap();
    assert_eq!(writer.finish_response(&key, expected.authenticator()), expected_answer);
}

#[test]
fn the_answers_to_nemo_and_mopsy_are_proven() {
    let key = ClientKey::new(SECRET);
    for (request, answer) in [(NEMO_REQUEST, NEMO_ACCEPT), (MOPSY_REQUEST, MOPSY_CHALLENGE)] {
        let (request, answer) = (hex(request), hex(answer));
        let request = Packet::parse(&request).unwrap();
        let answer = Packet::parse(&answer).unwrap();
        assert!(verify_response(&answer, request.authenticator(), &key).is_ok());
        assert_eq!(answer.identifier(), request.identifier());
    }
    let bytes = hex(MOPSY_REQUEST);
    let request = Packet::parse(&bytes).unwrap();
    let hidden = request.attributes().first(attr::USER_PASSWORD).unwrap();
    let mut clear = [0; 128];
    let octets = unhide(hidden, &key, request.authenticator(), &mut clear).unwrap();
    assert_eq!(&clear[..octets], b"challenge");
}

#[test]
fn flopsy_is_read() {
    let bytes = hex(FLOPSY_REQUEST);
    let request = Packet::parse(&bytes).unwrap();
    let attributes = request.attributes();
    assert_eq!(attributes.text(attr::USER_NAME), Some("flopsy"));
    let chap = attributes.first(attr::CHAP_PASSWORD).unwrap();
    assert_eq!((chap.len(), chap[0]), (17, 22));
    assert_eq!(attributes.u32(attr::FRAMED_PROTOCOL), Some(1));
}

/// RFC 5997 §6.1: a sign of life is asked for at the port for authentication, §6.2: at the one
/// for accounting. The secret is that of RFC 2865's examples.
const STATUS: [(&str, &str, Code); 2] = [
    (
        "0c da 00 26 8a 54 f4 68 6f b3 94 c5 28 66 e3 02 18 5d 06 23
         50 12 5a 66 5e 2e 1e 84 11 f3 e2 43 82 20 97 c8 4f a3",
        "02 da 00 14 ef 0d 55 2a 4b f2 d6 93 ec 2b 6f e8 b5 41 1d 66",
        Code::ACCESS_ACCEPT,
    ),
    (
        "0c b3 00 26 92 5f 6b 66 dd 5f ed 57 1f cb 1d b7 ad 38 82 60
         50 12 e8 d6 ea bd a9 10 87 5c d9 1f da de 26 36 78 58",
        "05 b3 00 14 0f 6f 92 14 5f 10 7e 2f 50 4e 86 0a 48 60 66 9c",
        Code::ACCOUNTING_RESPONSE,
    ),
];

#[test]
fn a_status_server_is_proven_and_answered_octet_for_octet() {
    let key = ClientKey::new(SECRET);
    for (request, answer, code) in STATUS {
        let (request, answer) = (hex(request), hex(answer));
        let asked = Packet::parse(&request).unwrap();
        assert_eq!(asked.code(), Code::STATUS_SERVER);
        assert!(verify_access_request(&asked, &key).unwrap().signed());

        let mut buf = Vec::new();
        let id = asked.identifier();
        let mut writer = Writer::request(Code::STATUS_SERVER, id, asked.authenticator(), &mut buf);
        writer.message_authenticator().unwrap();
        assert_eq!(writer.finish_access_request(&key), request);

        // The RFC's answers are unsigned; ours begin with a Message-Authenticator.
        let mut buf = Vec::new();
        let writer = Writer::response(code, &asked, &mut buf, false);
        assert_eq!(writer.finish_response(&key, asked.authenticator()), answer);
        let answer = Packet::parse(&answer).unwrap();
        assert!(verify_response(&answer, asked.authenticator(), &key).is_ok());

        // Without the signature, or with another, it is no Status-Server (§3).
        let mut forged = request.clone();
        forged[30] ^= 1;
        assert!(verify_access_request(&Packet::parse(&forged).unwrap(), &key).is_err());
        forged.truncate(20);
        forged[3] = 20;
        assert!(verify_access_request(&Packet::parse(&forged).unwrap(), &key).is_err());
    }
}
