//! `clients.conf`: who may ask, and with which secret.

use std::path::Path;
use std::sync::Arc;

use model::Secret;

use super::pairs::{Place, Scan};
use super::source::{Client, ReadError, Source, included, text_of};

/// Reads a file, and those it includes.
pub(super) fn read(path: &Path, source: &mut Source) -> Result<(), ReadError> {
    let mut reader = Reader { source, open: Vec::new() };
    reader.file(path, 0)?;
    match reader.open.pop() {
        Some(section) => Err(ReadError::line(&section.place, "this section does not end")),
        None => Ok(()),
    }
}

/// A section that has begun.
struct Section {
    place: Place,
    /// The client it is about. Others are passed over.
    client: Option<Draft>,
}

#[derive(Default)]
struct Draft {
    name: String,
    address: Option<String>,
    netmask: Option<String>,
    secret: Option<Secret<String>>,
    short_name: Option<String>,
    kind: Option<String>,
    requires_signature: bool,
}

/// Settings that change nothing about who may ask.
const IDLE: [&str; 11] = [
    "limit_proxy_state",
    "response_window",
    "login",
    "password",
    "coa_server",
    "lifetime",
    "max_connections",
    "idle_timeout",
    "src_ipaddr",
    "add_cui",
    "rate_limit",
];

struct Reader<'s> {
    source: &'s mut Source,
    open: Vec<Section>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), ReadError> {
        let text = text_of(path)?;
        let name: Arc<str> = path.display().to_string().into();
        for (line, number) in text.lines().zip(1..) {
            let place = Place { file: name.clone(), line: number };
            self.line(line, &place, depth)?;
        }
        Ok(())
    }

    /// A line may open and close sections and set values: `client a { secret = b }`.
    fn line(&mut self, line: &str, place: &Place, depth: usize) -> Result<(), ReadError> {
        let wrong = |problem: &str| ReadError::line(place, problem);
        let mut scan = Scan::new(line);
        while !scan.is_at_end() {
            if scan.takes('}') {
                let section = self.open.pop().ok_or_else(|| wrong("there is nothing to close"))?;
                if let Some(draft) = section.client {
                    self.client(draft, &section.place)?;
                }
                continue;
            }
            let key = scan.word(&['=', '{', '}']).map_err(wrong)?.value;
            if key == "$INCLUDE" || key == "$-INCLUDE" {
                let path = scan.word(&[]).map_err(wrong)?.value;
                for path in included(place, &path, key == "$-INCLUDE", depth)? {
                    self.file(&path, depth + 1)?;
                }
            } else if scan.takes('=') {
                let value = scan.word(&[]).map_err(wrong)?.value;
                self.setting(&key, value, place)?;
            } else {
                let name = match scan.takes('{') {
                    true => None,
                    false => {
                        let name = scan.word(&['{']).map_err(wrong)?.value;
                        if !scan.takes('{') {
                            return Err(wrong("neither a section nor a value: { or = is missing"));
                        }
                        Some(name)
                    }
                };
                let is_client = key == "client";
                if is_client && name.is_none() {
                    return Err(wrong("the client has no name"));
                }
                let draft = Draft { name: name.unwrap_or_default(), ..Draft::default() };
                let client = is_client.then_some(draft);
                self.open.push(Section { place: place.clone(), client });
            }
        }
        Ok(())
    }

    fn setting(&mut self, key: &str, value: String, place: &Place) -> Result<(), ReadError> {
        let Some(Section { client: Some(draft), .. }) = self.open.last_mut() else {
            return Ok(());
        };
        if value.contains("${") {
            let problem = format!("{key} names a setting of radiusd.conf: write the value itself");
            return Err(ReadError::line(place, problem));
        }
        match key {
            "ipaddr" | "ipv4addr" | "ipv6addr" => draft.address = Some(value),
            "netmask" => draft.netmask = Some(value),
            "secret" => draft.secret = Some(Secret::new(value)),
            "shortname" => draft.short_name = Some(value),
            "nas_type" | "nastype" => draft.kind = Some(value),
            "require_message_authenticator" => {
                let yes = ["yes", "on", "true", "1"];
                draft.requires_signature = yes.iter().any(|word| value.eq_ignore_ascii_case(word));
            }
            "proto" if value == "udp" || value == "*" => {}
            "proto" => {
                let text = format!("client {}: {value} is not spoken here, UDP is", draft.name);
                self.source.note(place, text);
            }
            "virtual_server" => {
                let text = format!(
                    "client {}: virtual_server {value} is passed over; every NAS gets the same",
                    draft.name
                );
                self.source.note(place, text);
            }
            _ if IDLE.contains(&key) => {}
            _ => {
                let text = format!("client {}: {key} means nothing here", draft.name);
                self.source.note(place, text);
            }
        }
        Ok(())
    }

    fn client(&mut self, draft: Draft, place: &Place) -> Result<(), ReadError> {
        // Until FreeRADIUS 2 the section's name was the address.
        let mut address = draft.address.unwrap_or_else(|| draft.name.clone());
        if address == "*" {
            address = "0.0.0.0/0".to_owned();
        }
        if let Some(length) = draft.netmask
            && !address.contains('/')
        {
            address = format!("{address}/{length}");
        }
        let name = draft.short_name.unwrap_or(draft.name);
        self.source.clients.push(Client {
            name,
            address,
            secret: draft.secret,
            kind: draft.kind,
            requires_signature: draft.requires_signature,
            place: place.clone(),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Source, ReadError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("clients.conf");
        std::fs::write(&path, text).unwrap();
        std::fs::create_dir(directory.path().join("more")).unwrap();
        let more =
            [("b.conf", "client b { secret = b }"), ("c.conf~", "client c { x"), (".d", "}")];
        for (name, text) in more {
            std::fs::write(directory.path().join("more").join(name), text).unwrap();
        }
        let mut source = Source::default();
        read(&path, &mut source).map(|()| source)
    }

    #[test]
    fn clients_are_read_with_sections_inside_and_files_included() {
        let source = parse(
            "client bng1 {\n\
             \tipaddr = 192.0.2.1 # not a secret\n\
             \tsecret = \"s3 cret#1\"\n\
             \tshortname = tower\n\
             \tnas_type = mikrotik\n\
             \trequire_message_authenticator = yes\n\
             \tvirtual_server = pppoe\n\
             \tcolour = red\n\
             \tlimit {\n\t\tmax_connections = 16\n\t}\n\
             }\n\
             client old { ipaddr = 10.0.0.0\n netmask = 8\n secret = x#y }\n\
             client 2001:db8::1 { secret = 'z' }\n\
             $INCLUDE more/\n\
             $-INCLUDE none\n\
             home_server h { ipaddr = 192.0.2.9\n secret = other }\n",
        )
        .unwrap();
        let shown: Vec<_> = source
            .clients
            .iter()
            .map(|c| {
                let secret = c.secret.as_ref().map(|secret| secret.expose().as_str());
                (c.name.as_str(), c.address.as_str(), secret.unwrap_or(""))
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("tower", "192.0.2.1", "s3 cret#1"),
                ("old", "10.0.0.0/8", "x#y"),
                ("2001:db8::1", "2001:db8::1", "z"),
                ("b", "b", "b"),
            ]
        );
        assert!(source.clients[0].requires_signature && !source.clients[1].requires_signature);
        let notes: Vec<&str> = source.notes.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains("virtual_server pppoe is passed over"), "{notes:?}");
        assert!(notes[1].contains("colour means nothing here"), "{notes:?}");
        assert!(!format!("{source:?}").contains("s3 cret"), "secrets do not print");
    }

    #[test]
    fn a_line_that_does_not_read_is_named() {
        for (text, words) in [
            ("}\n", "clients.conf:1: there is nothing to close"),
            ("client a {\nsecret = x\n", "clients.conf:1: this section does not end"),
            ("client {\n}\n", "clients.conf:1: the client has no name"),
            ("client a b\n", "{ or = is missing"),
            ("client a {\n secret = ${x}\n}\n", "clients.conf:2: secret names a setting"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
