//! A form with a file (multipart/form-data, RFC 7578), read whole: a picture, or a file of
//! records, each up to its own size.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};

use super::failure::Failure;
use super::guard::{self, Fields, Signed};
use crate::domain::Fault;
use crate::domain::branding::LOGO_OCTETS_MAX;
use crate::entity::import::FILE_OCTETS_MAX;
use crate::http;

/// Parts of a form at most.
const PARTS_MAX: usize = 32;
/// Octets of the fields around a file of records.
const FIELDS_OCTETS_MAX: usize = 16 * 1024;
/// Characters of a file's name that are kept.
const NAME_CHARACTERS_MAX: usize = 200;

/// A file that was chosen.
#[derive(Debug, PartialEq)]
pub(super) struct File {
    /// As it is called where it comes from.
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) content: Bytes,
}

/// As [`guard::Post`], for a form with a file.
pub(super) struct PostFile {
    pub(super) signed: Signed,
    pub(super) fields: Fields,
    /// Absent where none was chosen.
    pub(super) file: Option<File>,
}

impl FromRequest for PostFile {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Bytes::from_request(request, payload);
        let signed = Signed::from_request(request, &mut Payload::None);
        let request = request.clone();
        Box::pin(async move {
            let signed = signed.await?;
            let body = body.await.map_err(|error| {
                let fault = match error.as_response_error().status_code() {
                    StatusCode::PAYLOAD_TOO_LARGE => Fault::TooLong(LOGO_OCTETS_MAX),
                    _ => Fault::field("", "the form does not read"),
                };
                Failure::new(&request, fault)
            })?;
            let (fields, file) = proven(&request, body).await?;
            Ok(Self { signed, fields, file })
        })
    }
}

/// As [`PostFile`], for a file as large as an import may be. What is too large, or did not come
/// whole, is for the page to tell.
pub(super) struct PostImport {
    pub(super) signed: Signed,
    pub(super) sent: Result<(Fields, Option<File>), Fault>,
}

impl FromRequest for PostImport {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signed = Signed::from_request(request, &mut Payload::None);
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            // Before the file is taken into memory.
            let signed = signed.await?;
            if !guard::is_own_origin(&request) {
                return Err(Failure::foreign(&request));
            }
            let payload = web::Payload::from_request(&request, &mut payload).await;
            let payload = payload.map_err(|_| unreadable(&request))?;
            let most = FILE_OCTETS_MAX + FIELDS_OCTETS_MAX;
            let sent = match http::receive(&signed.actor, payload, most).await {
                Ok(body) => Ok(proven(&request, body).await?),
                Err(Fault::TooLong(_)) => Err(Fault::TooLong(FILE_OCTETS_MAX)),
                Err(fault) => Err(fault),
            };
            Ok(Self { signed, sent })
        })
    }
}

fn unreadable(request: &HttpRequest) -> Failure {
    Failure::new(request, Fault::field("", "the form does not read"))
}

/// What a form has, if it comes from one of our pages.
async fn proven(request: &HttpRequest, body: Bytes) -> Result<(Fields, Option<File>), Failure> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = boundary(kind.unwrap_or("")).ok_or_else(|| unreadable(request))?;
    // A large one takes a while to look through.
    let form = web::block(move || parse(&body, &boundary)).await.ok().flatten();
    let (fields, file) = form.ok_or_else(|| unreadable(request))?;
    if !guard::is_proven(request, &fields) {
        return Err(Failure::foreign(request));
    }
    Ok((fields, file))
}

/// The boundary of a content type (RFC 2046 §5.1.1: 1 to 70 characters).
fn boundary(content_type: &str) -> Option<String> {
    let mut parts = content_type.split(';');
    if !parts.next()?.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (1..=70).contains(&boundary.len()).then(|| boundary.to_owned())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut at = 0;
    loop {
        at += text.get(at..)?.iter().position(|byte| byte == first)?;
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

/// The fields, and the one file.
fn parse(body: &Bytes, boundary: &str) -> Option<(Fields, Option<File>)> {
    let first = format!("--{boundary}");
    let delimiter = format!("\r\n--{boundary}");
    let mut at = find(body, first.as_bytes())? + first.len();
    let (mut fields, mut file) = (BTreeMap::new(), None);
    for _ in 0..PARTS_MAX {
        let rest = body.get(at..)?;
        if rest.starts_with(b"--") {
            return Some((Fields(fields), file));
        }
        let rest = rest.strip_prefix(b"\r\n")?;
        at += 2;
        let head_end = find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        let from = at + head_end + 4;
        let length = find(body.get(from..)?, delimiter.as_bytes())?;
        let content = body.slice(from..from + length);
        at = from + length + delimiter.len();

        let header = |wanted: &str| {
            head.split("\r\n").find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
            })
        };
        let disposition = header("content-disposition")?;
        let name = parameter(disposition, "name")?;
        let Some(called) = parameter(disposition, "filename") else {
            fields.insert(name, String::from_utf8(content.to_vec()).ok()?);
            continue;
        };
        // A file without a name is none; one with a name may be empty.
        if !called.is_empty() || !content.is_empty() {
            let content_type = header("content-type").unwrap_or("").to_owned();
            file = Some(File { name: base_name(&called), content_type, content });
        }
    }
    None
}

/// A parameter, quoted or not. Browsers write a quote inside a quoted one as %22 (HTML,
/// "multipart/form-data encoding algorithm").
fn parameter(disposition: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = disposition.split_once(';')?;
    loop {
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (value[..end].trim_end(), &value[end..])
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.replace("%22", "\""));
        }
        rest = after.trim_start().strip_prefix(';')?;
    }
}

/// The name of a file without the way to it, and without what no list could show.
fn base_name(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(parts: &[&str]) -> Bytes {
        let mut text = String::new();
        for part in parts {
            text.push_str(&format!("--b0\r\n{part}\r\n"));
        }
        Bytes::from(format!("{text}--b0--\r\n"))
    }

    const CSRF: &str = "Content-Disposition: form-data; name=\"csrf\"\r\n\r\nc5rf";
    const FILE: &str = "content-disposition: form-data; name=\"logo\"; filename=\"a.png\"\r\n\
        Content-Type: image/png\r\n\r\n\u{1}\r\n--b1\r\n";

    #[test]
    fn fields_and_a_file_are_read() {
        let kind = "multipart/form-data; charset=utf-8; boundary=\"b0\"";
        assert_eq!(boundary(kind).as_deref(), Some("b0"));
        let (fields, file) = parse(&form(&[CSRF, FILE]), "b0").unwrap();
        assert_eq!(fields.raw("csrf"), "c5rf");
        let file = file.unwrap();
        assert_eq!(
            (file.content_type.as_str(), &file.content[..]),
            ("image/png", &b"\x01\r\n--b1\r\n"[..])
        );
        assert_eq!(file.name, "a.png");
        let none = "Content-Disposition: form-data; name=\"logo\"; filename=\"\"\r\n\r\n";
        assert_eq!(parse(&form(&[none]), "b0").unwrap().1, None);
        let empty = "Content-Disposition: form-data; name=\"file\"; \
            filename=\"C:\\a; b %22c%22.csv\"\r\n\r\n";
        let file = parse(&form(&[empty]), "b0").unwrap().1.unwrap();
        assert_eq!((file.name.as_str(), file.content.len()), ("a; b \"c\".csv", 0));
    }

    #[test]
    fn what_does_not_read_is_nothing() {
        assert_eq!(boundary("application/x-www-form-urlencoded"), None);
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary("multipart/form-data; boundary="), None);
        let whole = form(&[CSRF, FILE]);
        for end in 0..whole.len() - 4 {
            assert!(parse(&whole.slice(..end), "b0").is_none(), "{end}");
        }
        assert!(parse(&whole, "b1").is_none());
        assert!(parse(&form(&["\r\n\r\nx"]), "b0").is_none(), "a part needs a name");
        assert!(parse(&form(&vec![CSRF; PARTS_MAX + 1]), "b0").is_none());
    }
}
