//! Time-based one-time passwords: RFC 6238 with SHA-1, six digits and steps of 30 seconds,
//! which is what every authenticator app does without being told.

use daemon::secrets::{constant_time_eq, random};
use model::{Secret, Ts};
use ring::hmac;

/// Octets of a key: those of SHA-1's output (RFC 4226 §4, R6).
pub(crate) const KEY_OCTETS: usize = 20;
/// Seconds of a step.
const STEP_S: i64 = 30;
/// Steps a clock may be off, either way.
const DRIFT: i64 = 1;
/// The alphabet of base 32 (RFC 4648 §6).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new key.
pub(crate) fn new_key() -> Secret<Vec<u8>> {
    Secret::new(random::<KEY_OCTETS>().to_vec())
}

/// The step a code belongs to, if it is right about now and of a later step than `last`.
pub(crate) fn find_step(key: &Secret<Vec<u8>>, typed: &str, last: i64, now: Ts) -> Option<i64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let at = now.seconds().div_euclid(STEP_S);
    let mut found = None;
    // Every step is compared, whichever is right.
    for step in at - DRIFT..=at + DRIFT {
        if constant_time_eq(code(key, step).as_bytes(), typed.as_bytes()) && step > last {
            found = Some(step);
        }
    }
    found
}

/// The code of a step (RFC 4226 §5.3).
pub(crate) fn code(key: &Secret<Vec<u8>>, step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.expose());
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    // SHA-1 gives 20 octets, and the offset is at most 15.
    let offset = usize::from(tag.last().copied().unwrap_or(0) & 15);
    let number = tag[offset..offset + 4].iter().fold(0_u32, |n, byte| n << 8 | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// The step of an instant, for those who show codes.
#[cfg(test)]
pub(crate) fn step_at(now: Ts) -> i64 {
    now.seconds().div_euclid(STEP_S)
}

/// A key as people type it: base 32 without padding.
pub(crate) fn base32(octets: &[u8]) -> String {
    let mut text = String::new();
    for group in octets.chunks(5) {
        let mut bits = [0; 8];
        bits[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(bits);
        // Five bits a character; a group that is not full has fewer.
        for n in 0..(group.len() * 8).div_ceil(5) {
            text.push(char::from(BASE32[(bits >> (35 - 5 * n) & 31) as usize]));
        }
    }
    text
}

/// What an authenticator app reads, in the form of its Key URI.
pub(crate) fn uri(key: &Secret<Vec<u8>>, issuer: &str, account: &str) -> Secret<String> {
    let (issuer, account) = (encode(issuer), encode(account));
    let key = base32(key.expose());
    Secret::new(format!("otpauth://totp/{issuer}:{account}?secret={key}&issuer={issuer}"))
}

fn encode(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~@".contains(byte);
    let show = |byte: u8| {
        if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc_key() -> Secret<Vec<u8>> {
        Secret::new(b"12345678901234567890".to_vec())
    }

    #[test]
    fn the_codes_are_those_of_rfc_6238_appendix_b() {
        let vectors = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, expected) in vectors {
            let now = Ts::from_seconds(seconds);
            assert_eq!(code(&rfc_key(), step_at(now)), expected, "{seconds}");
            assert_eq!(find_step(&rfc_key(), expected, 0, now), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_is_right_a_step_early_or_late_and_never_after_it_was_used() {
        let now = Ts::from_seconds(1_111_111_111);
        let step = step_at(now);
        for near in [step - 1, step, step + 1] {
            let typed = code(&rfc_key(), near);
            assert_eq!(find_step(&rfc_key(), &typed, near - 1, now), Some(near));
            assert_eq!(find_step(&rfc_key(), &typed, near, now), None, "used before");
        }
        for far in [step - 2, step + 2] {
            assert_eq!(find_step(&rfc_key(), &code(&rfc_key(), far), 0, now), None);
        }
        let spaced = format!(" {} {} ", &code(&rfc_key(), step)[..3], &code(&rfc_key(), step)[3..]);
        assert_eq!(find_step(&rfc_key(), &spaced, 0, now), Some(step));
        for bad in ["", "0", "abcdef", "0504711", "٠٥٠٤٧١"] {
            assert_eq!(find_step(&rfc_key(), bad, 0, now), None, "{bad}");
        }
    }

    #[test]
    fn base_32_is_that_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (plain, text) in vectors {
            assert_eq!(base32(plain.as_bytes()), text);
        }
        let uri = uri(&rfc_key(), "My ISP", "a&b@example.net");
        assert_eq!(
            uri.expose(),
            "otpauth://totp/My%20ISP:a%26b@example.net?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=My%20ISP"
        );
    }
}
