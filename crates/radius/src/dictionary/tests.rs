use std::error::Error;
use std::io;

use super::*;
use crate::Attributes;
use crate::attributes::Attribute;
use crate::dict::{self, Data, table};

fn load(text: &str) -> Result<Dictionary, DictionaryError> {
    load_files(&[("main", text)])
}

/// The first file includes the others.
fn load_files(files: &[(&str, &str)]) -> Result<Dictionary, DictionaryError> {
    let mut builder = Builder::new();
    let mut resolve = |_: &str, name: &str| match files.iter().find(|(known, _)| *known == name) {
        Some((name, text)) => Ok(Found { name: (*name).to_owned(), text: (*text).into() }),
        None => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    };
    builder.file(files[0].0, files[0].1, &mut resolve)?;
    builder.finish()
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn refused(text: &str) -> String {
    chain(&load(text).expect_err(text))
}

const SAMPLE: &str = "
# A comment.
ATTRIBUTE User-Name 1 string        # and one behind
ATTRIBUTE Vendor-Specific 26 vsa
attribute\tAccess-Type 0x32 INTEGER
VALUE Access-Type DSL 1
VALUE Access-Type Fibre 0x02
ATTRIBUTE Tunnel-Name 66 string has_tag
ATTRIBUTE Tunnel-Kind 64 integer has_tag
VALUE Tunnel-Kind L2TP 3
ATTRIBUTE Tunnel-Password 69 octets has_tag,encrypt=2
ATTRIBUTE Space 241 extended
ATTRIBUTE Space-Vendors 241.26 evs
ATTRIBUTE Long 245 long-extended
ATTRIBUTE Long-Text 245.7 string
ATTRIBUTE Ports 241.5 tlv
BEGIN-TLV Ports
ATTRIBUTE Port-First 9 short
ATTRIBUTE Port-Last 10 short
END-TLV Ports
ATTRIBUTE Port-Deep 241.5.11.3 byte
ATTRIBUTE Server-Note 1080 string
VENDOR Acme 4242
BEGIN-VENDOR Acme
ATTRIBUTE Acme-Rate 8 string
ATTRIBUTE Acme-Group 26 tlv
ATTRIBUTE Acme-Member 26.2 ipaddr
END-VENDOR Acme
BEGIN-VENDOR Acme parent=Space-Vendors
ATTRIBUTE Acme-Extra 88 string
END-VENDOR Acme
VENDOR Wide 5000 format=2,1
VENDOR Bare 5001 format=4,0
VENDOR Wave 5002 format=1,1,c
ATTRIBUTE Wide-Thing 300 integer Wide
ATTRIBUTE Bare-Thing 26.5001.70000 string
ATTRIBUTE Wave-Thing 26.5002.1 string
ALIAS Rate Speed
ALIAS Speed Acme-Rate
";

/// `SAMPLE` with its one deep attribute given a holder.
fn sample() -> Dictionary {
    load(
        &SAMPLE
            .replace("ATTRIBUTE Port-Deep", "ATTRIBUTE Port-Box 241.5.11 tlv\nATTRIBUTE Port-Deep"),
    )
    .unwrap()
}

#[test]
fn a_file_is_read_into_attributes_by_number_and_by_name() {
    let dictionary = sample();
    assert!(dictionary.notes().is_empty(), "{:?}", dictionary.notes());
    let number = |name: &str| dictionary.find(name).unwrap().number.to_string();
    assert_eq!(number("USER-NAME"), "1");
    assert_eq!(number("access-type"), "50");
    assert_eq!(number("Port-Last"), "241.5.10");
    assert_eq!(number("Port-Deep"), "241.5.11.3");
    assert_eq!(number("Acme-Rate"), "26.4242.8");
    assert_eq!(number("Acme-Member"), "26.4242.26.2");
    assert_eq!(number("Acme-Extra"), "241.26.4242.88");
    assert_eq!(number("Wide-Thing"), "26.5000.300");
    assert_eq!(number("rate"), "26.4242.8");
    let rate = dictionary.get(4242, &[8]).unwrap();
    assert_eq!((&*rate.name, rate.vendor()), ("Acme-Rate", 4242));
    assert_eq!(dictionary.find("Acme-Extra").unwrap().vendor(), 4242);
    let access = dictionary.get(0, &[50]).unwrap();
    assert_eq!(access.values().collect::<Vec<_>>(), [(1, "DSL"), (2, "Fibre")]);
    assert_eq!(access.value_of("FIBRE"), Some(2));
    assert_eq!(access.source.to_string(), "main:5");
    assert!(!dictionary.find("Server-Note").unwrap().is_sent());
    assert_eq!(dictionary.vendor_named("acme").unwrap().id, 4242);
    assert_eq!(dictionary.len(), dictionary.iter().count());
}

#[test]
fn errors_name_the_line_and_what_was_expected() {
    for (text, wanted) in [
        ("\nATTRIBUTE A 1", "main:2: expected `ATTRIBUTE NAME NUMBER TYPE [FLAGS]`, but TYPE"),
        ("ATRIBUTE A 1 string", "main:1: \"ATRIBUTE\" is no statement; did you mean ATTRIBUTE?"),
        ("ATTRIBUTE A 1 strng", "\"strng\" is no type; did you mean string?"),
        ("ATTRIBUTE A 1 octets[0]", "\"octets[0]\" is no type"),
        ("ATTRIBUTE A 1 octets has_tags", "\"has_tags\" is no flag; did you mean has_tag?"),
        ("ATTRIBUTE A 1 string encrypt=9", "\"encrypt=9\" is no flag; did you mean encrypt="),
        ("ATTRIBUTE A 1 ipaddr has_tag", "an attribute of type ipaddr cannot be has_tag"),
        ("ATTRIBUTE A +1 string", "\"+1\" is not a number such as 8"),
        ("ATTRIBUTE A 1..2 string", "\"1..2\" is not a number such as 8"),
        ("ATTRIBUTE A 4294967296 string", "is not a number such as 8"),
        ("ATTRIBUTE A,B 1 string", "\"A,B\" cannot be a name"),
        ("ATTRIBUTE A 1 tlv\nATTRIBUTE B 1.256 byte", "main:2: \"1.256\" is not possible"),
        ("ATTRIBUTE A 1 string\nATTRIBUTE B 1.1 byte", "1 (string) cannot hold attributes"),
        ("ATTRIBUTE B 9.1 byte", "9, which is not defined, cannot hold attributes"),
        ("ATTRIBUTE B 26.1 byte", "\"26.1\" is not VENDOR.NUMBER at its end"),
        (
            "VENDOR V 1\nBEGIN-VENDOR V\nATTRIBUTE B 256 byte",
            "main:3: \"26.1.256\" is not possible",
        ),
        ("VENDOR V 0", "\"0\" is not a vendor's number"),
        ("VENDOR V 1 format=3,1", "\"format=3,1\" is not format=TYPE,LENGTH"),
        ("VENDOR V 1 format=2,1,c", "the one format with a continuation"),
        (
            "VENDOR Acme 1\nBEGIN-VENDOR Acne",
            "main:2: there is no vendor \"Acne\"; did you mean Acme?",
        ),
        ("VENDOR V 1\nBEGIN-VENDOR V", "main:2: BEGIN-VENDOR V is not ended in this file"),
        ("VENDOR V 1\nEND-VENDOR V", "END-VENDOR V here, but nothing is open"),
        ("VENDOR V 1\nBEGIN-VENDOR V\nEND-TLV V", "END-TLV V here, but BEGIN-VENDOR V is open"),
        ("VENDOR V 1\nBEGIN-VENDOR V x", "and not \"x\" after the name"),
        ("VALUE A B 1\nATTRIBUTE AA 1 byte", "main:1: there is no attribute \"A\""),
        ("ATTRIBUTE A 1 string\nVALUE A B 1", "main:2: A is of type string: only integers"),
        ("ATTRIBUTE A 1 byte\nVALUE A B 256", "main:2: \"256\" is not within 0 to 255"),
        ("ATTRIBUTE A 1 byte\nVALUE A B x", "main:2: \"x\" is not a whole number"),
        ("ATTRIBUTE A 1 byte\nVALUE A B 1 2", "and nothing more, but there is \"2\""),
        ("ALIAS A B\nALIAS B A", "main:1: there is no attribute \"B\""),
        ("$INCLUDE none", "main:1: could not include \"none\": no such file"),
        ("$INCLUDE main", "main:1: main is being read already"),
    ] {
        let found = refused(text);
        assert!(found.contains(wanted), "{text:?}\n  {found}\n  {wanted}");
    }
}

#[test]
fn includes_are_resolved_and_bounded() {
    let dictionary = load_files(&[
        ("main", "VENDOR V 1\n$INCLUDE a\n$INCLUDE a\n$INCLUDE- missing\nVALUE A X 1"),
        ("a", "$INCLUDE b"),
        ("b", "ATTRIBUTE A 1 byte"),
    ])
    .unwrap();
    assert_eq!(dictionary.find("A").unwrap().source.to_string(), "b:1");
    assert!(dictionary.notes().is_empty(), "the same again is no news");

    let cycle = load_files(&[("a", "$INCLUDE b"), ("b", "\n$INCLUDE a")]).unwrap_err();
    assert!(chain(&cycle).starts_with("b:2: a is being read already"), "{}", chain(&cycle));

    // Every file is new, without an end.
    let mut files = 0;
    let mut deeper = |_: &str, _: &str| {
        files += 1;
        Ok(Found { name: files.to_string(), text: "$INCLUDE more".into() })
    };
    let deep = Builder::new().file("0", "$INCLUDE more", &mut deeper).unwrap_err();
    assert!(chain(&deep).contains("more than 16 files that include each other"));

    let mut wider = |_: &str, name: &str| Ok(Found { name: name.to_owned(), text: "".into() });
    let wide = "$INCLUDE x\n".repeat(2_000);
    let wide = Builder::new().file("0", &wide, &mut wider).unwrap_err();
    assert!(chain(&wide).contains("more than 1000 files"), "{}", chain(&wide));
}

#[test]
fn sizes_are_bounded() {
    let long = "#".repeat(builder::FILE_OCTETS_MAX + 1);
    assert!(refused(&long).starts_with("main:1: the file has 1048577 octets"));
    assert!(load(&long[1..]).unwrap().is_empty());
    let mut builder = Builder::new();
    let many = "ATTRIBUTE A 1 byte\n".repeat(50_000);
    let mut none = |_: &str, _: &str| Err(io::Error::other("none"));
    builder.file("a", &many, &mut none).unwrap();
    builder.file("b", &many, &mut none).unwrap();
    let full = builder.file("c", "ATTRIBUTE A 1 byte", &mut none).unwrap_err();
    assert_eq!(chain(&full), "c:1: more than 100000 attributes");
}

#[test]
fn a_later_definition_of_a_number_holds_and_leaves_a_note() {
    let dictionary = load(
        "ATTRIBUTE Old 5 byte\nVALUE Old X 1\nATTRIBUTE New 5 integer\n\
         ATTRIBUTE Other 6 byte\nATTRIBUTE New 6 byte\nVALUE New Y 1\nVALUE New Y 2",
    )
    .unwrap();
    let notes: Vec<String> =
        (dictionary.notes().iter()).map(|note| format!("{}: {}", note.source, note.text)).collect();
    assert_eq!(
        notes,
        [
            "main:3: New (integer) replaces Old (byte) of main:1 as 5",
            "main:5: New (byte) replaces Other (byte) of main:4 as 6",
            "main:5: New was the name of 5, now of 6",
            "main:7: Y of New was 1, now 2",
        ]
    );
    assert_eq!(dictionary.find("Old").unwrap().kind, Type::Integer, "the name leads to the number");
    assert_eq!(dictionary.at(&[5]).unwrap().values().count(), 0, "values of another type");
    assert_eq!(dictionary.find("New").unwrap().values().collect::<Vec<_>>(), [(2, "Y")]);
}

#[test]
fn values_of_octets_are_passed_over_with_a_note() {
    let dictionary = load("ATTRIBUTE A 5 octets\nVALUE A X 1").unwrap();
    assert_eq!(dictionary.find("A").unwrap().values().count(), 0);
    assert_eq!(dictionary.notes()[0].text, "X of A is passed over: octets");
}

#[test]
fn a_redefinition_that_is_the_same_keeps_its_values() {
    let dictionary =
        load("ATTRIBUTE A 5 byte\nVALUE A X 1\nATTRIBUTE a 5 byte secret\nVALUE A Z 2").unwrap();
    let found: Vec<(i64, &str)> = dictionary.find("A").unwrap().values().collect();
    assert_eq!(found, [(1, "X"), (2, "Z")]);
    assert_eq!(dictionary.notes().len(), 1, "the flags are other ones");
}

/// Reads a text, puts it into octets, shows those, and reads that again.
fn through(dictionary: &Dictionary, text: &str) -> String {
    let parsed = dictionary.parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let octets = dictionary.encode(&parsed).unwrap_or_else(|error| panic!("{text}: {error}"));
    let attributes = Attributes::parse(&octets).unwrap();
    let all: Vec<Attribute<'_>> = attributes.iter().collect();
    assert_eq!(all.len(), 1, "{text}");
    let shown = dictionary.show(&all[0]);
    let again = dictionary.parse(&shown).unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(dictionary.encode(&again).unwrap(), octets, "{text} -> {shown}");
    shown
}

#[test]
fn a_value_of_every_type_reads_as_it_shows() {
    let types = "string octets octets[3] integer integer64 byte short signed ipaddr ipv6addr \
                 ipv4prefix ipv6prefix date time_delta ifid ether abinary combo-ip struct uint32";
    let text: String = (types.split_whitespace().zip(1..))
        .map(|(kind, n)| format!("ATTRIBUTE T-{kind} {n} {kind}\n").replace(['[', ']'], ""))
        .map(|line| line.replace("octets3\n", "octets[3]\n"))
        .collect();
    let dictionary = load(&(text + "VALUE T-signed Less -7\nVALUE T-integer64 Big 99\n")).unwrap();
    for same in [
        r#"T-string = """#,
        r#"T-string = "a\"b\\c\n\r\t\001\377 é = 1, x""#,
        "T-octets = 0x",
        "T-octets = 0x00ff",
        "T-octets3 = 0x010203",
        "T-integer = 4294967295",
        "T-integer64 = 18446744073709551615",
        "T-integer64 = Big",
        "T-byte = 255",
        "T-short = 65535",
        "T-signed = -2147483648",
        "T-signed = Less",
        "T-ipaddr = 192.0.2.1",
        "T-ipv6addr = 2001:db8::1",
        "T-ipv4prefix = 192.0.2.0/24",
        "T-ipv4prefix = 0.0.0.0/0",
        "T-ipv4prefix = 192.0.2.1/32",
        "T-ipv6prefix = 2001:db8::/33",
        "T-ipv6prefix = ::/0",
        "T-ipv6prefix = 2001:db8::1/128",
        r#"T-date = "1970-01-01T00:00:00Z""#,
        r#"T-date = "2000-02-29T23:59:59Z""#,
        r#"T-date = "2100-03-01T00:00:00Z""#,
        r#"T-date = "2106-02-07T06:28:15Z""#,
        "T-time_delta = 86400",
        "T-ifid = 0:1:ffff:abcd",
        "T-ether = 00:11:22:aa:bb:ff",
        "T-abinary = 0x0101",
        "T-combo-ip = 192.0.2.1",
        "T-combo-ip = 2001:db8::1",
        "T-struct = 0x01",
        "raw.T-integer = 0x01",
        "raw.T-octets3 = 0x01",
        "raw.T-ipv4prefix = 0x002100000000",
        "Attr-250 = 0xff",
    ] {
        assert_eq!(through(&dictionary, same), same);
    }
    for (written, shown) in [
        ("t-STRING = bare words", r#"T-string = "bare words""#),
        ("T-octets = \"ab\"", "T-octets = 0x6162"),
        ("T-integer=0x10", "T-integer = 16"),
        ("T-date = 1700000000", r#"T-date = "2023-11-14T22:13:20Z""#),
        ("T-date = 2023-11-14T22:13:20Z", r#"T-date = "2023-11-14T22:13:20Z""#),
        ("T-time_delta = 90s", "T-time_delta = 90"),
        ("T-ether = 00-11-22-AA-BB-FF", "T-ether = 00:11:22:aa:bb:ff"),
        ("T-signed = less", "T-signed = Less"),
        ("Attr-6 = 0xff", "T-byte = 255"),
    ] {
        assert_eq!(through(&dictionary, written), shown);
    }
    for wrong in [
        "T-string = \"open",
        "T-string = \"a\"b\"",
        r#"T-string = "\400""#,
        "T-octets = 0x0",
        "T-octets3 = 0x01",
        "T-integer = 4294967296",
        "T-integer = -1",
        "T-integer = Nobody",
        "T-integer64 = 18446744073709551616",
        "T-byte = 256",
        "T-short = 65536",
        "T-signed = 2147483648",
        "T-ipaddr = ::1",
        "T-ipv6addr = 10.0.0.1",
        "T-ipv4prefix = 192.0.2.1/24",
        "T-ipv4prefix = 192.0.2.0/33",
        "T-ipv6prefix = 2001:db8::1/64",
        "T-ipv6prefix = ::/129",
        "T-date = 2023-02-29T00:00:00Z",
        "T-date = 2106-02-07T06:28:16Z",
        "T-date = 1969-12-31T23:59:59Z",
        "T-date = 2023-1-01T00:00:00Z",
        "T-time_delta = 1 h",
        "T-ifid = 1:2:3",
        "T-ifid = 1:2:3:10000",
        "T-ether = 00:11:22:aa:bb",
        "T-ether = 00:11:22:aa:bb:+f",
        "T-combo-ip = x",
        "T-struct = 1",
        "raw.T-byte = 1",
        "Attr-250 = 1",
        "T-byte:1 = 1",
    ] {
        let found = dictionary.parse(wrong);
        let wants = matches!(found, Err(TextError::Value { .. } | TextError::Tag { .. }));
        assert!(wants, "{wrong}: {found:?}");
    }
    assert_eq!(dictionary.parse("T-byte"), Err(TextError::Form));
    let unknown = dictionary.parse("T-bite = 1").unwrap_err().to_string();
    assert_eq!(unknown, "no attribute has the name \"T-bite\"; did you mean T-byte?");
}

#[test]
fn attributes_inside_others_read_as_they_show() {
    let dictionary = sample();
    for same in [
        r#"Acme-Rate = "2M/5M""#,
        "Acme-Member = 192.0.2.1",
        r#"Acme-Extra = "x""#,
        "Wide-Thing = 7",
        r#"Bare-Thing = "x""#,
        r#"Wave-Thing = "x""#,
        "Port-First = 1024",
        "Port-Deep = 3",
        r#"Long-Text = "x""#,
        "Access-Type = Fibre",
        "Tunnel-Kind = L2TP",
        "Tunnel-Kind:1 = 77",
        r#"Tunnel-Name = "a""#,
        r#"Tunnel-Name:31 = "a""#,
        r#"Tunnel-Name:0 = "\001""#,
        "Attr-26.4242.99 = 0x01",
        "Attr-26.77.1 = 0x",
        "Attr-241.99 = 0xff",
    ] {
        assert_eq!(through(&dictionary, same), same);
    }
    assert_eq!(through(&dictionary, r#"Tunnel-Name = "\001""#), r#"Tunnel-Name:0 = "\001""#);
    // RFC 2865 §5.26, RFC 6929 §2.
    let octets = |text: &str| dictionary.encode(&dictionary.parse(text).unwrap()).unwrap();
    assert_eq!(octets("Acme-Rate = x"), [26, 9, 0, 0, 0x10, 0x92, 8, 3, b'x']);
    assert_eq!(octets("Wide-Thing = 7"), [26, 13, 0, 0, 0x13, 0x88, 1, 44, 7, 0, 0, 0, 7]);
    assert_eq!(octets("Bare-Thing = x"), [26, 11, 0, 0, 0x13, 0x89, 0, 1, 0x11, 0x70, b'x']);
    assert_eq!(octets("Wave-Thing = x"), [26, 10, 0, 0, 0x13, 0x8a, 1, 4, 0, b'x']);
    assert_eq!(octets("Port-First = 1"), [241, 7, 5, 9, 4, 0, 1]);
    assert_eq!(octets("Long-Text = x"), [245, 5, 7, 0, b'x']);
    assert_eq!(octets("Acme-Extra = x"), [241, 9, 26, 0, 0, 0x10, 0x92, 88, b'x']);
}

#[test]
fn several_inside_one_are_shown_side_by_side_and_lies_as_octets() {
    let dictionary = sample();
    let show = |kind, value: &[u8]| dictionary.show(&Attribute { kind, value });
    let two = [5, 9, 4, 0, 1, 10, 4, 0, 2];
    assert_eq!(show(241, &two), "Port-First = 1, Port-Last = 2");
    assert_eq!(show(241, &[5, 9, 9, 0]), "Ports = 0x090900");
    assert_eq!(show(26, &[0, 0, 0x10, 0x92, 8, 9]), "Vendor-Specific = 0x000010920809");
    assert_eq!(show(26, &[0, 0]), "Vendor-Specific = 0x0000");
    assert_eq!(show(245, &[7, 0x80, b'x']), "Long = 0x078078");
    assert_eq!(show(241, &[]), "Space = 0x");
    assert_eq!(show(64, &[1, 2]), "raw.Tunnel-Kind = 0x0102");
    assert_eq!(show(64, &[0x20, 0, 0, 1]), "raw.Tunnel-Kind = 0x20000001");
}

#[test]
fn secrets_neither_print_nor_go_out_in_the_clear() {
    let dictionary = builtin().unwrap();
    let shown = dictionary.show(&Attribute { kind: 2, value: b"0123456789abcdef" });
    assert_eq!(shown, "User-Password = <hidden>");
    let value = [0, 0, 0x3a, 0x8c, 16, 4, b'p', b'w'];
    let shown = dictionary.show(&Attribute { kind: 26, value: &value });
    assert_eq!(shown, "Mikrotik-Wireless-PSK = <hidden>");
    let parsed = dictionary.parse("User-Password = topsecret").unwrap();
    assert!(!format!("{parsed:?}").contains("746f70"), "{parsed:?}");
    let refused = dictionary.encode(&parsed).unwrap_err();
    assert_eq!(refused, TextError::Encrypted("User-Password".to_owned()));
    assert!(dictionary.parse("User-Password = <hidden>").is_err());
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let dictionary = sample();
    let encode = |text: &str| dictionary.encode(&dictionary.parse(text).unwrap());
    let not_sent = encode("Server-Note = x").unwrap_err();
    assert_eq!(not_sent.to_string(), "Server-Note is never sent in a packet");
    let fits = "x".repeat(247);
    assert_eq!(encode(&format!("Acme-Rate = {fits}")).unwrap().len(), 255);
    let long = encode(&format!("Acme-Rate = x{fits}")).unwrap_err();
    assert_eq!(long, TextError::TooLong("Acme-Rate".to_owned()));
    let long = encode(&format!("Attr-241.5.9 = 0x{}", "00".repeat(400))).unwrap_err();
    assert!(matches!(long, TextError::TooLong(_)), "{long}");
    assert!(encode("Attr-1.2 = 0x00").is_err(), "nothing lies in a text");
    assert!(encode("Attr-26.4242 = 0x00").is_err(), "a vendor is no attribute");
    assert!(encode("Attr-26.4242.256 = 0x00").is_err());
}

#[test]
fn every_shipped_file_is_included_once_and_says_nothing_twice() {
    let dictionary = builtin().unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert!(dictionary.notes().is_empty(), "{:#?}", dictionary.notes());
    let (root, text) = dictionaries()[0];
    assert_eq!(root, shipped::ROOT);
    for (name, _) in &dictionaries()[1..] {
        let includes = text.lines().filter(|line| *line == format!("$INCLUDE {name}")).count();
        assert_eq!(includes, 1, "{name}");
    }
    assert!(dictionary.len() > 900, "{}", dictionary.len());
    // No name stands for two attributes, not even of two vendors.
    for definition in dictionary.iter() {
        let found = dictionary.find(&definition.name).unwrap();
        assert_eq!(found.number, definition.number, "{}", definition.name);
    }
}

#[test]
fn every_file_in_the_folder_is_shipped() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/dictionaries");
    let mut files: Vec<String> = (std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut shipped: Vec<&str> = dictionaries().iter().map(|(name, _)| *name).collect();
    shipped.sort();
    assert_eq!(files, shipped);
}

#[test]
fn values_of_shipped_attributes_have_one_name_each() {
    for (file, text) in dictionaries() {
        let mut seen = std::collections::HashSet::new();
        for line in text.lines().filter(|line| line.starts_with("VALUE")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert!(seen.insert((words[1], words[3])), "{file}: {line}");
        }
    }
}

#[test]
fn the_table_in_the_program_agrees_with_the_files() {
    let dictionary = builtin().unwrap();
    for entry in table::STANDARD.iter().chain(table::VENDORS) {
        let found = dictionary.get(entry.vendor, &[entry.kind.into()]);
        let found = found.unwrap_or_else(|| panic!("{} is missing", entry.name));
        assert_eq!(&*found.name, entry.name);
        assert_eq!(found.is_secret(), entry.secret, "{}", entry.name);
        let data = match (found.kind, found.flags.has_tag) {
            // Hidden, it is octets on the wire.
            _ if found.flags.encrypt.is_some() => Data::Octets,
            (Type::String, false) => Data::Text,
            (Type::String, true) => Data::TaggedText,
            (Type::Integer, false) => Data::Integer,
            (Type::Integer, true) => Data::TaggedInteger,
            (Type::Octets | Type::OctetsOf(_) | Type::Vsa, _) => Data::Octets,
            (Type::Ipv4, _) => Data::Ipv4,
            (Type::Ipv6, _) => Data::Ipv6,
            (Type::Ipv6Prefix, _) => Data::Ipv6Prefix,
            (Type::InterfaceId, _) => Data::InterfaceId,
            (Type::Date, _) => Data::Date,
            (kind, _) => panic!("{} is of type {kind}", entry.name),
        };
        assert_eq!(data, entry.data, "{}", entry.name);
        for (value, name) in entry.values {
            let known = found.value_name((*value).into());
            assert_eq!(known, Some(*name), "{} {value}", entry.name);
        }
        // A table that knows some values knows all but those later RFCs added to the files.
        if !entry.values.is_empty() {
            assert!(found.values().count() >= entry.values.len());
        }
        assert_eq!(dict::name(found.vendor(), entry.kind), Some(entry.name));
    }
}

#[test]
fn vendors_have_the_numbers_the_program_uses() {
    let dictionary = builtin().unwrap();
    for (name, id) in [
        ("Cisco", crate::vendor::CISCO),
        ("Microsoft", crate::vendor::MICROSOFT),
        ("Ascend", crate::vendor::ASCEND),
        ("Redback", crate::vendor::REDBACK),
        ("ADSL-Forum", crate::vendor::ADSL_FORUM),
        ("WISPr", crate::vendor::WISPR),
        ("Mikrotik", crate::vendor::MIKROTIK),
    ] {
        assert_eq!(dictionary.vendor_named(name).unwrap().id, id, "{name}");
    }
}

/// xorshift64*, seeded: a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as usize) % limit.max(1)
    }
}

#[test]
fn garbled_files_never_panic() {
    let sample = SAMPLE.replace("ATTRIBUTE Port-Deep", "ATTRIBUTE Box 241.5.11 tlv\nATTRIBUTE D");
    let lines: Vec<&str> = sample.lines().filter(|line| !line.is_empty()).collect();
    let odd = ["4294967295", "0x", ".", "26.0.1", "-9223372036854775808", "é", "#", "octets[999]"];
    let mut random = Random(0x1af3_0a1e);
    let (mut read, mut shown) = (0, 0);
    for _ in 0..200_000 {
        // A few lines of the sample in their order, then some words and octets of them changed.
        let (first, count) = (random.below(lines.len()), 1 + random.below(8));
        let mut text = "VENDOR Acme 4242\nATTRIBUTE Space 241 extended\n".to_owned();
        for line in lines.iter().skip(first).take(count) {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            match random.below(16) {
                0 => words.swap(0, random.below(lines.len()) % line.split_whitespace().count()),
                1 => words[random.below(line.split_whitespace().count())] = odd[random.below(8)],
                2 => {
                    words.pop();
                }
                _ => {}
            }
            text.push_str(&words.join(" "));
            text.push('\n');
        }
        let mut octets = text.into_bytes();
        if random.below(4) == 0 {
            let place = random.below(octets.len());
            octets[place] = random.below(256) as u8;
        }
        let text = String::from_utf8_lossy(&octets);
        let mut builder = Builder::new();
        let mut none = |_: &str, _: &str| Err(io::Error::other("none"));
        if builder.file("garbled", &text, &mut none).is_err() {
            continue;
        }
        let Ok(dictionary) = builder.finish() else { continue };
        read += 1;
        // Whatever it describes shows without a panic, and what shows reads as the same.
        let value: Vec<u8> = (0..random.below(12)).map(|_| random.below(30) as u8).collect();
        let kind = [1, 26, 50, 64, 66, 69, 241, 245][random.below(8)];
        let text = dictionary.show(&Attribute { kind, value: &value });
        let one = !text.contains(", ") && !text.contains("<hidden>");
        if one && let Ok(octets) = dictionary.parse(&text).and_then(|p| dictionary.encode(&p)) {
            // An untagged integer and one with the tag zero are one.
            assert_eq!(octets[2..], value, "{text}");
            shown += 1;
        }
    }
    assert!(read > 20_000 && shown > 10_000, "too few were worth the while: {read}, {shown}");
}
