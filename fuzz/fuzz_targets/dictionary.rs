//! A dictionary file of an operator, and values under it: read or refused with a line, never a
//! panic; and what is shown reads back as the same octets.
#![no_main]

use std::io;

use libfuzzer_sys::fuzz_target;
use radius_wire::Attribute;
use radius_wire::dictionary::Builder;

fuzz_target!(|input: &[u8]| {
    // What follows the first NUL is attributes to show under the dictionary that comes before it.
    let end = input.iter().position(|octet| *octet == 0).unwrap_or(input.len());
    let Ok(text) = std::str::from_utf8(&input[..end]) else { return };
    let mut builder = Builder::new();
    let none = &mut |_: &str, _: &str| Err(io::Error::from(io::ErrorKind::NotFound));
    if let Err(error) = builder.file("fuzz", text, none) {
        assert!(!error.to_string().is_empty());
        return;
    }
    let Ok(dictionary) = builder.finish() else { return };
    for definition in dictionary.iter() {
        let found = dictionary.find(&definition.name).expect("a name leads to its attribute");
        assert_eq!(found.number.components(), definition.number.components());
    }
    let rest = input.get(end + 1..).unwrap_or_default();
    for chunk in rest.split(|octet| *octet == 0) {
        let Some((kind, value)) = chunk.split_first() else { continue };
        let value = &value[..value.len().min(253)];
        let shown = dictionary.show(&Attribute { kind: *kind, value });
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        // One attribute alone, not hidden: it reads back.
        let Ok(parsed) = dictionary.parse(&shown) else { continue };
        if let Ok(octets) = dictionary.encode(&parsed) {
            assert_eq!(octets[0], *kind, "{shown}");
            assert!(octets.len() >= 2 && usize::from(octets[1]) == octets.len(), "{shown}");
        }
    }
});
