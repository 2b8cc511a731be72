//! The requests that are replayed: from a list, or from a capture.
//!
//! A list is in radclient's format: `Name = value` a line, or several with commas between them;
//! an empty line ends a request. Passwords are given in clear and proven as their attribute says:
//! User-Password, CHAP-Password, MS-CHAP-Password and, besides radclient's, MS-CHAP2-Password.

use std::path::{Path, PathBuf};

use model::Secret;
use radius_wire::attr::{self, microsoft};
use radius_wire::auth::mschap::challenge_response;
use radius_wire::auth::{chap_response, mschap2_response, mschap2_value, nt_hash};
use radius_wire::dictionary::{Dictionary, TextError};
use radius_wire::{ClientKey, Code, Full, Packet, Writer, password, vendor};

/// Largest list, octets.
const LIST_OCTETS_MAX: u64 = 64 * 1024 * 1024;
/// Most requests of a run: their answers are compared one after the other.
pub(super) const REQUESTS_MAX: usize = 1_000_000;

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    /// Where it comes from.
    pub(super) place: String,
    /// Who it is about.
    pub(super) user: String,
    code: Code,
    parts: Vec<Part>,
    /// Of a captured request, whose proofs were made with it.
    authenticator: Option<[u8; 16]>,
    signed: bool,
}

#[derive(Debug)]
enum Part {
    /// An attribute as it lies in a packet.
    Octets(Vec<u8>),
    UserPassword(Secret<Vec<u8>>),
    Chap(Secret<String>),
    MsChap(Secret<String>),
    MsChap2(Secret<String>),
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is larger than 64 MiB", .0.display())]
    Large(PathBuf),
    #[error("{place}: {problem}")]
    Line { place: String, problem: &'static str },
    #[error("{place}")]
    Attribute { place: String, source: TextError },
    #[error("{} has no request", .0.display())]
    Empty(PathBuf),
    #[error("there are more than {REQUESTS_MAX} requests")]
    Many,
}

/// Reads a list.
pub(super) fn list(path: &Path, dictionary: &Dictionary) -> Result<Vec<Request>, ListError> {
    let failed = |source| ListError::Read { path: path.to_owned(), source };
    let octets = std::fs::metadata(path).map_err(failed)?.len();
    if octets > LIST_OCTETS_MAX {
        return Err(ListError::Large(path.to_owned()));
    }
    let text = Secret::new(std::fs::read_to_string(path).map_err(failed)?);
    let name = path.display().to_string();
    let requests = parse(&name, text.expose(), dictionary)?;
    if requests.is_empty() { Err(ListError::Empty(path.to_owned())) } else { Ok(requests) }
}

fn parse(name: &str, text: &str, dictionary: &Dictionary) -> Result<Vec<Request>, ListError> {
    let mut requests = Vec::new();
    let mut open: Option<Request> = None;
    for (line, number) in text.lines().zip(1_usize..) {
        let place = format!("{name}:{number}");
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if line.is_empty() {
            requests.extend(open.take());
            continue;
        }
        if requests.len() >= REQUESTS_MAX {
            return Err(ListError::Many);
        }
        let request = open.get_or_insert_with(|| Request {
            place: place.clone(),
            user: String::new(),
            code: Code::ACCESS_REQUEST,
            parts: Vec::new(),
            authenticator: None,
            signed: true,
        });
        for item in split(line).ok_or_else(|| ListError::Line {
            place: place.clone(),
            problem: "a quote does not end",
        })? {
            request.item(item, &place, dictionary)?;
        }
    }
    requests.extend(open);
    Ok(requests)
}

/// The items of a line; `None` where a quote is open at its end.
fn split(line: &str) -> Option<Vec<&str>> {
    let (mut items, mut from, mut quote, mut escaped) = (Vec::new(), 0, None, false);
    for (at, character) in line.char_indices() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, ',') => {
                items.push(&line[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    items.push(&line[from..]);
    items.retain(|item| !item.trim().is_empty());
    quote.is_none().then_some(items)
}

impl Request {
    fn item(&mut self, item: &str, place: &str, dictionary: &Dictionary) -> Result<(), ListError> {
        let line = |problem| ListError::Line { place: place.to_owned(), problem };
        let (name, value) = item.split_once('=').ok_or_else(|| line("is not NAME = VALUE"))?;
        // radclient takes any operator, and reads each as =.
        let name = name.trim_end_matches([':', '+', '=', ' ', '\t']).trim();
        let value = value.trim_start_matches('=').trim();
        let clear = || Secret::new(unquoted(value));
        match name.to_ascii_lowercase().as_str() {
            "user-password" | "cleartext-password" => {
                let octets = Secret::new(unquoted(value).into_bytes());
                self.parts.push(Part::UserPassword(octets));
            }
            "chap-password" if !value.starts_with("0x") => self.parts.push(Part::Chap(clear())),
            "ms-chap-password" => self.parts.push(Part::MsChap(clear())),
            "ms-chap2-password" => self.parts.push(Part::MsChap2(clear())),
            // It is signed in any case.
            "message-authenticator" => {}
            "packet-type"
            | "response-packet-type"
            | "packet-dst-port"
            | "packet-dst-ip-address" => {
                let is_type = name.eq_ignore_ascii_case("packet-type");
                match unquoted(value).to_ascii_lowercase().as_str() {
                    _ if !is_type => {}
                    "access-request" | "1" => {}
                    "status-server" | "12" => self.code = Code::STATUS_SERVER,
                    _ => return Err(line("only Access-Request and Status-Server are replayed")),
                }
            }
            lower => {
                let text = format!("{name} = {value}");
                let failed = |source| ListError::Attribute { place: place.to_owned(), source };
                let parsed = dictionary.parse(&text).map_err(failed)?;
                let octets = dictionary.encode(&parsed).map_err(failed)?;
                if lower == "user-name" {
                    self.user = String::from_utf8_lossy(&parsed.value).into_owned();
                }
                self.parts.push(Part::Octets(octets));
            }
        }
        Ok(())
    }

    /// A captured request. Its password is taken out from under the secret it was captured with.
    pub(super) fn captured(place: String, packet: &Packet<'_>, key: &ClientKey) -> Self {
        let mut parts = Vec::new();
        let mut signed = false;
        for attribute in packet.attributes() {
            match attribute.kind {
                attr::MESSAGE_AUTHENTICATOR => signed = true,
                attr::USER_PASSWORD => {
                    let mut clear = [0; password::OCTETS_MAX];
                    let authenticator = packet.authenticator();
                    let read = password::unhide(attribute.value, key, authenticator, &mut clear);
                    match read {
                        Some(octets) => {
                            let octets = Secret::new(clear[..octets].to_vec());
                            parts.push(Part::UserPassword(octets));
                        }
                        None => parts.push(Part::Octets(whole(attribute.kind, attribute.value))),
                    }
                }
                kind => parts.push(Part::Octets(whole(kind, attribute.value))),
            }
        }
        let user = packet.attributes().first(attr::USER_NAME).unwrap_or_default();
        Self {
            place,
            user: String::from_utf8_lossy(user).into_owned(),
            code: packet.code(),
            parts,
            authenticator: Some(*packet.authenticator()),
            signed,
        }
    }

    /// Writes it for one server; returns its authenticator. Both servers get the same, so that
    /// they have the same challenges to answer.
    pub(super) fn write(
        &self,
        identifier: u8,
        chance: &Chance,
        key: &ClientKey,
        buf: &mut Vec<u8>,
    ) -> Result<[u8; 16], Full> {
        let authenticator = self.authenticator.unwrap_or(chance.authenticator);
        let mut writer = Writer::request(self.code, identifier, &authenticator, buf);
        if self.signed {
            writer.message_authenticator()?;
        }
        for part in &self.parts {
            match part {
                Part::Octets(octets) => writer.raw(octets)?,
                Part::UserPassword(clear) => writer.user_password(clear.expose(), key)?,
                Part::Chap(clear) => {
                    let challenge = &chance.challenge;
                    let response =
                        chap_response(chance.identifier, challenge, clear.expose().as_bytes());
                    writer.attribute(attr::CHAP_CHALLENGE, challenge)?;
                    writer.attribute(attr::CHAP_PASSWORD, &response)?;
                }
                Part::MsChap(clear) => {
                    let [challenge, _] = halves(&chance.challenge);
                    // RFC 2548 §2.1.3: identifier, flags (1: the NT part counts), LM, NT.
                    let mut response = [0; 50];
                    (response[0], response[1]) = (chance.identifier, 1);
                    let proof = challenge_response(&challenge, &nt_hash(clear.expose()));
                    response[26..].copy_from_slice(&proof);
                    writer.vendor(vendor::MICROSOFT, microsoft::CHAP_CHALLENGE, &challenge)?;
                    writer.vendor(vendor::MICROSOFT, microsoft::CHAP_RESPONSE, &response)?;
                }
                Part::MsChap2(clear) => {
                    let (own, peers) = (&chance.challenge, &chance.peer_challenge);
                    let hash = nt_hash(clear.expose());
                    let proof = mschap2_response(self.user.as_bytes(), own, peers, &hash);
                    let response = mschap2_value(chance.identifier, peers, &proof);
                    writer.vendor(vendor::MICROSOFT, microsoft::CHAP_CHALLENGE, own)?;
                    writer.vendor(vendor::MICROSOFT, microsoft::CHAP2_RESPONSE, &response)?;
                }
            }
        }
        writer.finish_access_request(key);
        Ok(authenticator)
    }
}

/// What is random in a request, the same for both servers.
#[derive(Debug)]
pub(super) struct Chance {
    pub(super) authenticator: [u8; 16],
    challenge: [u8; 16],
    peer_challenge: [u8; 16],
    identifier: u8,
}

impl Chance {
    pub(super) fn new() -> Self {
        let [identifier] = daemon::secrets::random();
        Self {
            authenticator: daemon::secrets::random(),
            challenge: daemon::secrets::random(),
            peer_challenge: daemon::secrets::random(),
            identifier,
        }
    }
}

fn halves(octets: &[u8; 16]) -> [[u8; 8]; 2] {
    let mut halves = [[0; 8]; 2];
    halves[0].copy_from_slice(&octets[..8]);
    halves[1].copy_from_slice(&octets[8..]);
    halves
}

fn whole(kind: u8, value: &[u8]) -> Vec<u8> {
    // Read from a packet, where no value is longer.
    let mut octets = vec![kind, value.len() as u8 + 2];
    octets.extend_from_slice(value);
    octets
}

/// A value without its quotes.
fn unquoted(value: &str) -> String {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    let inside = quote.and_then(|quote| value[1..].strip_suffix(quote));
    let Some(inside) = inside else { return value.to_owned() };
    let (mut out, mut characters) = (String::with_capacity(inside.len()), inside.chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use radius_wire::dictionary::builtin;
    use radius_wire::verify_access_request;

    use super::*;

    fn read(text: &str) -> Result<Vec<Request>, ListError> {
        parse("list", text, &builtin().unwrap())
    }

    #[test]
    fn radclients_format_is_read() {
        let requests = read(
            "# comment\nUser-Name = \"bob, the first\"\nUser-Password = \"a\\\"b\", NAS-Port = 3\n\
             \n\n  User-Name := zoe\nChap-Password = x\nMessage-Authenticator = 0x00\n",
        )
        .unwrap();
        assert_eq!(requests.len(), 2);
        assert_eq!(
            (requests[0].user.as_str(), requests[0].place.as_str()),
            ("bob, the first", "list:2")
        );
        let key = ClientKey::new(b"s");
        let (chance, mut buf) = (Chance::new(), Vec::new());
        requests[0].write(7, &chance, &key, &mut buf).unwrap();
        let packet = Packet::parse(&buf).unwrap();
        assert!(verify_access_request(&packet, &key).unwrap().signed());
        assert_eq!(packet.attributes().u32(attr::NAS_PORT), Some(3));
        let mut clear = [0; password::OCTETS_MAX];
        let hidden = packet.attributes().first(attr::USER_PASSWORD).unwrap();
        let octets = password::unhide(hidden, &key, packet.authenticator(), &mut clear).unwrap();
        assert_eq!(&clear[..octets], b"a\"b");
        assert!(!format!("{requests:?}").contains("a\"b"), "passwords do not print");
        requests[1].write(8, &chance, &key, &mut buf).unwrap();
        let packet = Packet::parse(&buf).unwrap();
        let response = packet.attributes().first(attr::CHAP_PASSWORD).unwrap();
        let challenge = packet.attributes().first(attr::CHAP_CHALLENGE).unwrap();
        let given: &[u8; 17] = response.try_into().unwrap();
        assert!(radius_wire::auth::chap_matches(given, challenge, b"x"));
    }

    #[test]
    fn a_captured_request_is_written_under_another_secret() {
        let (one, other) = (ClientKey::new(b"one"), ClientKey::new(b"other"));
        let mut buf = Vec::new();
        let mut writer = Writer::request(Code::ACCESS_REQUEST, 1, &[9; 16], &mut buf);
        writer.text(attr::USER_NAME, "bob").unwrap();
        writer.user_password(b"pw", &one).unwrap();
        writer.finish_access_request(&one);
        let request = Request::captured("c".to_owned(), &Packet::parse(&buf).unwrap(), &one);
        let mut again = Vec::new();
        let authenticator = request.write(2, &Chance::new(), &other, &mut again).unwrap();
        assert_eq!(authenticator, [9; 16], "a CHAP response would be made with it");
        let packet = Packet::parse(&again).unwrap();
        let hidden = packet.attributes().first(attr::USER_PASSWORD).unwrap();
        let mut clear = [0; password::OCTETS_MAX];
        let octets = password::unhide(hidden, &other, &[9; 16], &mut clear).unwrap();
        assert_eq!(&clear[..octets], b"pw");
        assert!(!verify_access_request(&packet, &other).unwrap().signed(), "as it was captured");
    }

    #[test]
    fn a_line_that_is_no_attribute_is_named() {
        for (text, words) in [
            ("User-Name", "list:1: is not NAME = VALUE"),
            ("\nShoe-Size = 3", "list:2"),
            ("User-Name = \"x", "list:1: a quote does not end"),
            ("Packet-Type = Accounting-Request", "only Access-Request"),
        ] {
            let error = daemon::exit::chain(&read(text).unwrap_err());
            assert!(error.contains(words), "{error}");
        }
    }
}
