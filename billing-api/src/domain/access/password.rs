//! Passwords: what is accepted, and how they are kept.
//!
//! Kept as argon2id (RFC 9106) with the library's recommended cost. Accepted by length and by
//! not being among the first that are guessed, as NIST SP 800-63B §5.1.1.2 has it: no rules of
//! composition, no expiry.

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};
use model::Secret;

use crate::domain::{Fault, Office};

/// Longest password, octets: hashing more is work for nothing.
pub(crate) const OCTETS_MAX: usize = 256;
/// How long a sign-in waits for its turn to hash before it is sent away.
const HASH_WAIT: Duration = Duration::from_secs(5);

/// A well-formed hash nothing matches, so that an unknown address costs the same.
pub(crate) const DUMMY_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bGFzdG1pbGUtbm9ib2R5$\
                                     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The words passwords are most often made of.
static WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_words.txt").split_ascii_whitespace().collect());
/// The longest of them, and of what one may be made of several.
const WORD_OCTETS_MAX: usize = 30;

/// What is wrong with a new password. `about` are its owner's e-mail address and name.
pub(crate) fn fault(password: &str, min: usize, about: &[&str]) -> Option<String> {
    if password.chars().count() < min {
        return Some(format!("has fewer than {min} characters"));
    }
    if password.len() > OCTETS_MAX {
        return Some(format!("has more than {OCTETS_MAX} octets"));
    }
    let folded = password.to_lowercase();
    let mut own = folded.clone();
    let split = |c: char| !c.is_alphanumeric();
    for word in about.iter().flat_map(|text| text.split(split)).filter(|word| word.len() >= 3) {
        own = own.replace(&word.to_lowercase(), "");
    }
    if own != folded && own.chars().count() < 8 {
        return Some("is the e-mail address or the name with little added".to_owned());
    }
    if is_common(&folded) {
        return Some("is among the first that are guessed".to_owned());
    }
    None
}

/// Whether a password in lower case is nothing but common words, sequences and repetitions,
/// with digits and signs around or for letters.
fn is_common(folded: &str) -> bool {
    let distinct: HashSet<char> = folded.chars().collect();
    if distinct.len() < 5 || is_sequence(folded) {
        return true;
    }
    // Digits and signs at the ends are the usual decoration.
    let bare = folded.trim_matches(|c: char| !c.is_alphabetic());
    let as_letters = |text: &str| -> String {
        let letter = |c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            c => c,
        };
        text.chars().map(letter).filter(|c| c.is_alphabetic()).collect()
    };
    let decoration = folded.chars().count() - bare.chars().count();
    // Much decoration is no decoration: eight characters that are no words are a password.
    (decoration < 8 || is_sequence(&folded.replace(bare, "")))
        && (is_made_of_words(&as_letters(bare)) || is_made_of_words(&as_letters(folded)))
}

/// Whether every character follows the one before in the alphabet, the digits or a row of keys,
/// or repeats it.
fn is_sequence(text: &str) -> bool {
    const ROWS: [&str; 5] =
        ["01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let chars: Vec<char> = text.chars().collect();
    let follows = |pair: &[char]| {
        let (ahead, back) = (format!("{}{}", pair[0], pair[1]), format!("{}{}", pair[1], pair[0]));
        pair[0] == pair[1] || ROWS.iter().any(|row| row.contains(&ahead) || row.contains(&back))
    };
    // One step out of line is allowed, or joining two rows would be enough.
    chars.len() > 1 && chars.windows(2).filter(|pair| !follows(pair)).count() <= 1
}

/// Whether a text is at most three common words, any of them as often as it likes.
fn is_made_of_words(text: &str) -> bool {
    // The fewest different words each prefix is made of; the words are few and short.
    fn made(rest: &str, used: &mut Vec<String>) -> bool {
        if rest.is_empty() {
            return true;
        }
        let ends = rest.char_indices().map(|(n, c)| n + c.len_utf8());
        let ends: Vec<usize> = ends.take_while(|end| *end <= WORD_OCTETS_MAX).collect();
        for end in ends.into_iter().rev() {
            let word = &rest[..end];
            let again = used.iter().any(|own| own == word);
            if again && made(&rest[end..], used) {
                return true;
            }
            if !again && used.len() < 3 && WORDS.contains(word) {
                used.push(word.to_owned());
                if made(&rest[end..], used) {
                    return true;
                }
                used.pop();
            }
        }
        false
    }
    text.len() <= 60 && made(text, &mut Vec::new())
}

/// Hashes a password, when it is its turn.
pub(crate) async fn hash(office: &Office, password: Secret<String>) -> Result<String, Fault> {
    let _turn = turn(office).await?;
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.expose().as_bytes())
            .map(|hash| hash.to_string())
            .map_err(|error| error.to_string())
    });
    hashed.await.map_err(|e| Fault::Internal(Box::new(e)))?.map_err(|e| Fault::Internal(e.into()))
}

/// Whether a password is the one of a hash, when it is its turn. Where there is no hash yet,
/// none is, and finding that out takes as long.
pub(crate) async fn verify(
    office: &Office,
    password: Secret<String>,
    hash: String,
) -> Result<bool, Fault> {
    let _turn = turn(office).await?;
    let verified = tokio::task::spawn_blocking(move || {
        let none = hash.is_empty() || password.expose().len() > OCTETS_MAX;
        let hash = if none { DUMMY_HASH } else { hash.as_str() };
        let password = if none { "" } else { password.expose().as_str() };
        let Ok(hash) = PasswordHash::new(hash) else { return false };
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && !none
    });
    verified.await.map_err(|e| Fault::Internal(Box::new(e)))
}

/// Few passwords are hashed at once, so that a flood of sign-ins cannot take the machine.
async fn turn(office: &Office) -> Result<tokio::sync::SemaphorePermit<'_>, Fault> {
    match tokio::time::timeout(HASH_WAIT, office.hashing.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(Fault::TooMany(HASH_WAIT.as_secs() as u32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(password: &str) -> Option<String> {
        fault(password, 12, &["asha.rai@example.net", "Asha Rai"])
    }

    #[test]
    fn what_everybody_chooses_is_refused() {
        let bad = [
            "short",
            "password1234",
            "Password123!",
            "P@ssw0rd1234",
            "passwordpassword",
            "qwertyuiop123",
            "123456789012",
            "abcdefghijkl",
            "aaaaaaaaaaaaaa",
            "abababababab",
            "Welcome2026!!",
            "changeme-changeme",
            "letmein12345",
            "correcthorsebatterystaple",
            "iloveyou12345678",
            "asha.rai12345",
            "AshaRai-2026",
            "12345qwerty67",
        ];
        for password in bad {
            assert!(refused(password).is_some(), "{password}");
        }
        assert!(fault(&"x".repeat(300), 12, &[]).is_some());
    }

    #[test]
    fn what_nobody_guesses_is_taken() {
        let good = [
            "tracing kettles on thin ice",
            "m3Z!kq8-Wv2t",
            "गोठालो बिहानको घाम",
            "correct horse gravel umbrella",
            "pw_Jx81hq0vVt2cW9aa",
            "asha keeps seven grey geese",
        ];
        for password in good {
            assert_eq!(refused(password), None, "{password}");
        }
    }

    #[test]
    fn a_text_that_could_be_split_in_many_ways_is_judged_quickly() {
        let started = std::time::Instant::now();
        for text in
            ["aaaabaaaabaaaabaaaabaaaabaaaabaaaab", &"pwpwiwip".repeat(7), &"abcdx".repeat(12)]
        {
            is_made_of_words(text);
        }
        assert!(started.elapsed().as_millis() < 500);
    }
}
