//! Base64 (RFC 4648): the standard alphabet with padding (§4), and the one for URLs and file
//! names without (§5).
//!
//! Decoding is strict: one text for one value. Wrong padding, foreign characters and left-over
//! bits that are not zero are refused (RFC 4648 §3.5), so that a changed text never passes for
//! the original.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Standard base64, padded with `=`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = text_of(STANDARD, bytes);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Base64 for URLs, without padding.
pub fn encode_url(bytes: &[u8]) -> String {
    text_of(URL, bytes)
}

/// Reads standard base64; nothing if it is not.
pub fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let text = text.as_ref();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let bare = match text {
        [bare @ .., b'=', b'='] | [bare @ .., b'='] => bare,
        bare => bare,
    };
    octets_of(b"+/", bare)
}

/// Reads base64 for URLs; nothing if it is not.
pub fn decode_url(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    octets_of(b"-_", text.as_ref())
}

/// Like [`encode_url`], into a buffer; returns the length of the text.
///
/// # Panics
///
/// If the buffer is shorter than [`url_len`] of the bytes.
pub fn encode_url_into(bytes: &[u8], out: &mut [u8]) -> usize {
    let len = url_len(bytes.len());
    write_text(URL, bytes, &mut out[..len]);
    len
}

/// Like [`decode_url`], into a buffer; returns how many octets it wrote, or nothing if the text
/// is not base64 or the buffer too short for it.
pub fn decode_url_into(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let len = octets_len(text.len())?;
    write_octets(b"-_", text, out.get_mut(..len)?)?;
    Some(len)
}

/// How long the unpadded text of so many octets is.
pub const fn url_len(octets: usize) -> usize {
    octets / 3 * 4 + [0, 2, 3][octets % 3]
}

/// How many octets an unpadded text of this length holds; nothing where no text is so long.
const fn octets_len(text: usize) -> Option<usize> {
    match text % 4 {
        0 => Some(text / 4 * 3),
        2 => Some(text / 4 * 3 + 1),
        3 => Some(text / 4 * 3 + 2),
        _ => None,
    }
}

fn text_of(alphabet: &[u8; 64], bytes: &[u8]) -> String {
    let mut text = vec![0; url_len(bytes.len())];
    write_text(alphabet, bytes, &mut text);
    text.into_iter().map(char::from).collect()
}

fn octets_of(last_two: &[u8; 2], text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; octets_len(text.len())?];
    write_octets(last_two, text, &mut bytes)?;
    Some(bytes)
}

/// `out` is exactly as long as the text.
fn write_text(alphabet: &[u8; 64], bytes: &[u8], out: &mut [u8]) {
    for (three, four) in bytes.chunks(3).zip(out.chunks_mut(4)) {
        let bits = (0..3).fold(0u32, |bits, n| bits << 8 | u32::from(*three.get(n).unwrap_or(&0)));
        for (n, character) in four.iter_mut().enumerate() {
            *character = alphabet[(bits >> (18 - 6 * n) & 63) as usize];
        }
    }
}

/// `out` is exactly as long as the octets.
fn write_octets(last_two: &[u8; 2], text: &[u8], out: &mut [u8]) -> Option<()> {
    for (four, three) in text.chunks(4).zip(out.chunks_mut(3)) {
        let mut bits = 0u32;
        for n in 0..4 {
            let six = match four.get(n) {
                Some(character) => six_bits(last_two, *character)?,
                None => 0,
            };
            bits = bits << 6 | six;
        }
        let octets = [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8];
        if octets[three.len()..].iter().any(|left_over| *left_over != 0) {
            return None;
        }
        three.copy_from_slice(&octets[..three.len()]);
    }
    Some(())
}

fn six_bits(last_two: &[u8; 2], character: u8) -> Option<u32> {
    let value = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        _ if character == last_two[0] => 62,
        _ if character == last_two[1] => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 §10.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn the_vectors_of_the_rfc_read_and_write() {
        for (plain, text) in VECTORS {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
            let bare = text.trim_end_matches('=');
            assert_eq!(encode_url(plain.as_bytes()), bare);
            assert_eq!(decode_url(bare).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn every_octet_survives_both_alphabets() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert!(encode(&bytes).contains(['+', '/']));
        assert_eq!(decode(encode(&bytes)).as_ref(), Some(&bytes));
        assert!(!encode_url(&bytes).contains(['+', '/', '=']));
        assert_eq!(decode_url(encode_url(&bytes)).as_ref(), Some(&bytes));
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in
            ["Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v=", "Zm 9", "Zm-_", "Zh==", "Zm9="]
        {
            assert_eq!(decode(text), None, "{text}");
        }
        for text in ["Z", "Zg==", "Zm+/", "Zh", "Zm9v\n"] {
            assert_eq!(decode_url(text), None, "{text}");
        }
    }

    #[test]
    fn buffers_are_filled_and_short_ones_refused_when_reading() {
        let mut text = [0; 8];
        assert_eq!(encode_url_into(b"fooba", &mut text), 7);
        assert_eq!(&text[..7], b"Zm9vYmE");
        let mut bytes = [0; 6];
        assert_eq!(decode_url_into(b"Zm9vYmE", &mut bytes), Some(5));
        assert_eq!(&bytes[..5], b"fooba");
        assert_eq!(decode_url_into(b"Zm9vYmE", &mut bytes[..4]), None);
    }
}
