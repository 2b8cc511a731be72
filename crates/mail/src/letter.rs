//! A letter becomes a message: headers, text, and perhaps a file.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Part, Mailbox, MultiPart, SinglePart};
use model::Ts;

use crate::Address;

/// Longest subject and longest name, characters.
pub const LINE_CHARACTERS_MAX: usize = 200;
/// Longest text, octets.
pub const TEXT_OCTETS_MAX: usize = 256 << 10;

/// Longest file that goes with a letter, octets.
pub const ATTACHMENT_OCTETS_MAX: usize = 20 << 20;
/// Octets of a message at most: base64 makes four of three and breaks lines (RFC 2045 §6.8),
/// quoted-printable makes three of one, and headers and boundaries take a little.
pub(crate) const MESSAGE_OCTETS_MAX: usize =
    ATTACHMENT_OCTETS_MAX / 3 * 4 / 76 * 78 + TEXT_OCTETS_MAX * 3 + (64 << 10);

/// What is to be sent, to one person.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Who sends it.
    pub from: Address,
    /// What the sender is called.
    pub from_name: Option<String>,
    /// Where answers go, where that is somewhere else.
    pub reply_to: Option<Address>,
    /// Who gets it.
    pub to: Address,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same at every attempt, so that a second copy can be told: what stands before the at
    /// sign of Message-ID.
    pub id: String,
    /// When it was written.
    pub written_at: Ts,
    /// A file that goes with it.
    pub attachment: Option<Attachment>,
}

/// A file that goes with a letter.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// What it is called.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Why a letter cannot be sent as it is.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// A line of a header has a line end or another control character in it.
    #[error("{0} has control characters")]
    Control(&'static str),
    /// Something is too long.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// The media type of the file cannot be read.
    #[error("the media type of the attachment cannot be read")]
    MediaType,
    /// The parts do not make a message.
    #[error("the message cannot be put together")]
    Build(#[from] lettre::error::Error),
}

/// Checks a text that stands in a header.
fn line<'a>(what: &'static str, text: &'a str) -> Result<&'a str, LetterError> {
    if text.chars().any(char::is_control) {
        return Err(LetterError::Control(what));
    }
    if text.chars().count() > LINE_CHARACTERS_MAX {
        return Err(LetterError::TooLong(what));
    }
    Ok(text)
}

impl Letter {
    /// As it goes over the wire, with the envelope.
    pub(crate) fn message(&self) -> Result<(Envelope, Vec<u8>), LetterError> {
        let name = self.from_name.as_deref().map(|name| line("the sender's name", name));
        let name = name.transpose()?.map(str::to_owned);
        let subject = line("the subject", &self.subject)?;
        let id = line("the id", &self.id)?;
        if self.text.len() > TEXT_OCTETS_MAX {
            return Err(LetterError::TooLong("the text"));
        }
        let seconds = u64::try_from(self.written_at.seconds()).unwrap_or(0);
        let mut builder = Message::builder()
            .from(Mailbox::new(name, self.from.inner().clone()))
            .to(Mailbox::new(None, self.to.inner().clone()))
            .subject(subject)
            .message_id(Some(format!("<{id}@{}>", self.from.domain())))
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            // RFC 3834 §5: nobody's holiday notice answers a program.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(Mailbox::new(None, reply_to.inner().clone()));
        }
        // Line ends are made CR LF by the encoder; a bare CR means nothing in a text.
        let text = SinglePart::plain(self.text.replace('\r', ""));
        let message = match &self.attachment {
            None => builder.singlepart(text)?,
            Some(file) => {
                let name = line("the file's name", &file.name)?;
                if file.content.len() > ATTACHMENT_OCTETS_MAX {
                    return Err(LetterError::TooLong("the file"));
                }
                let kind =
                    ContentType::parse(&file.media_type).map_err(|_| LetterError::MediaType)?;
                let part = Part::new(name.to_owned()).body(file.content.clone(), kind);
                builder.multipart(MultiPart::mixed().singlepart(text).singlepart(part))?
            }
        };
        Ok((message.envelope().clone(), message.formatted()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            from: "office@isp.example".parse().unwrap(),
            from_name: Some("My ISP".to_owned()),
            reply_to: Some("help@isp.example".parse().unwrap()),
            to: "asha@example.net".parse().unwrap(),
            subject: "Ihr Export – größer".to_owned(),
            text: "Hello,\n.\nthe file is ready.\n".to_owned(),
            id: "mai_1".to_owned(),
            written_at: "2026-03-01T09:30:00Z".parse().unwrap(),
            attachment: None,
        }
    }

    #[test]
    fn the_message_has_its_headers_and_only_those() {
        let (envelope, message) = letter().message().unwrap();
        let text = String::from_utf8(message).unwrap();
        for part in [
            "From: \"My ISP\" <office@isp.example>\r\n",
            "Reply-To: help@isp.example\r\n",
            "To: asha@example.net\r\n",
            "Message-ID: <mai_1@isp.example>\r\n",
            "Date: Sun, 01 Mar 2026 09:30:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Subject: Ihr Export ",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(text.is_ascii());
        assert_eq!(envelope.to().len(), 1);
        assert_eq!(envelope.from().unwrap().to_string(), "office@isp.example");
    }

    #[test]
    fn nothing_that_people_write_becomes_a_header() {
        let evil = "x\r\nBcc: all@example.net\r\n\r\n<script>";
        let refused = |change: fn(&mut Letter, &str)| {
            let mut letter = letter();
            change(&mut letter, evil);
            matches!(letter.message(), Err(LetterError::Control(_)))
        };
        assert!(refused(|letter, evil| letter.subject = evil.to_owned()));
        assert!(refused(|letter, evil| letter.from_name = Some(evil.to_owned())));
        assert!(refused(|letter, evil| letter.id = evil.to_owned()));
        assert!(refused(|letter, evil| {
            letter.attachment = Some(Attachment {
                name: evil.to_owned(),
                media_type: "text/csv".to_owned(),
                content: Vec::new(),
            });
        }));
        let mut letter = letter();
        letter.text = evil.to_owned();
        let (_, message) = letter.message().unwrap();
        let text = String::from_utf8(message).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("Bcc"), "{head}");
    }

    #[test]
    fn a_file_goes_with_it_whole() {
        let mut letter = letter();
        letter.attachment = Some(Attachment {
            name: "customers-2026-03-01.csv".to_owned(),
            media_type: "text/csv; charset=utf-8".to_owned(),
            content: "id,name\r\n1,Zoë\r\n".into(),
        });
        let (_, message) = letter.message().unwrap();
        let text = String::from_utf8(message).unwrap();
        assert!(text.contains("multipart/mixed"), "{text}");
        assert!(text.contains("filename=\"customers-2026-03-01.csv\""), "{text}");
    }

    #[test]
    fn the_longest_message_is_as_long_as_we_say_and_no_longer() {
        let mut letter = letter();
        letter.text = "ü".repeat(TEXT_OCTETS_MAX / 2);
        let content = vec![0xff; ATTACHMENT_OCTETS_MAX];
        let (name, media_type) = ("a.xlsx".to_owned(), "application/octet-stream".to_owned());
        letter.attachment = Some(Attachment { name, media_type, content });
        let (_, message) = letter.message().unwrap();
        assert!(message.len() <= MESSAGE_OCTETS_MAX, "{}", message.len());
        letter.attachment.as_mut().unwrap().content.push(0);
        assert!(matches!(letter.message(), Err(LetterError::TooLong(_))));
    }
}
