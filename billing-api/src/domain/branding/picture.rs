//! Whether octets are a picture that a browser may be given, without decoding it.
//!
//! PNG, JPEG and WebP are told by their structure: the signature, the first parts, the size in
//! pixels, and that the file ends where the format says. SVG is refused: it is a document with
//! scripts, styles and references of its own, and making one safe means understanding all of
//! it. What passes is served as exactly the type found here, and browsers are told not to guess.

/// Largest width and height, pixels.
const PIXELS_MAX: u32 = 4096;

/// A format we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// ISO/IEC 15948.
    Png,
    /// ITU-T T.81.
    Jpeg,
    /// RFC 9649.
    Webp,
}

impl Format {
    /// Its media type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

/// What the picture is, or why it is not taken. `declared`: what the sender says it is.
pub(crate) fn check(content: &[u8], declared: Option<&str>) -> Result<Format, String> {
    if content.is_empty() {
        return Err("is empty".to_owned());
    }
    let declared = declared.map(|text| text.split(';').next().unwrap_or("").trim());
    let known = measure(content);
    let Some((format, size)) = known else {
        let svg = declared.is_some_and(|text| text.eq_ignore_ascii_case("image/svg+xml"))
            || content.windows(4).take(1024).any(|window| window.eq_ignore_ascii_case(b"<svg"));
        return Err(if svg {
            "is an SVG, which can carry scripts; send a PNG, JPEG or WebP".to_owned()
        } else {
            "is not a PNG, JPEG or WebP picture".to_owned()
        });
    };
    if let Some(declared) = declared.filter(|text| !is_neutral(text))
        && !declared.eq_ignore_ascii_case(format.content_type())
    {
        return Err(format!("is {}, and was sent as {declared}", format.content_type()));
    }
    let Some((width, height)) = size else {
        return Err("is damaged, or has something else in it".to_owned());
    };
    if !(1..=PIXELS_MAX).contains(&width) || !(1..=PIXELS_MAX).contains(&height) {
        return Err(format!("has {width} × {height} pixels; 1 to {PIXELS_MAX} each way are taken"));
    }
    Ok(format)
}

/// A type that says nothing: what clients send that do not know better.
fn is_neutral(declared: &str) -> bool {
    declared.is_empty() || declared.eq_ignore_ascii_case("application/octet-stream")
}

/// The format by its signature, and the size where all of the structure is right.
fn measure(content: &[u8]) -> Option<(Format, Option<(u32, u32)>)> {
    if let Some(rest) = content.strip_prefix(b"\x89PNG\r\n\x1a\n") {
        Some((Format::Png, png(rest)))
    } else if content.starts_with(&[0xff, 0xd8, 0xff]) {
        Some((Format::Jpeg, jpeg(&content[2..])))
    } else if content.starts_with(b"RIFF") && content.get(8..12) == Some(b"WEBP") {
        Some((Format::Webp, webp(content)))
    } else {
        None
    }
}

fn big_endian(octets: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(octets.get(..4)?.try_into().ok()?))
}

/// Chunks from IHDR to IEND, nothing behind (ISO/IEC 15948 §5).
fn png(mut rest: &[u8]) -> Option<(u32, u32)> {
    let mut size = None;
    let mut data = false;
    loop {
        let length = usize::try_from(big_endian(rest)?).ok()?;
        let kind = rest.get(4..8)?;
        let body = rest.get(8..8usize.checked_add(length)?)?;
        // The checksum follows.
        rest = rest.get(length.checked_add(12)?..)?;
        match (kind, size) {
            (b"IHDR", None) if length == 13 => {
                size = Some((big_endian(body)?, big_endian(&body[4..])?));
            }
            (b"IHDR", _) | (_, None) => return None,
            (b"IDAT", _) => data = true,
            (b"IEND", size) => {
                return size.filter(|_| data && length == 0 && rest.is_empty());
            }
            _ => {}
        }
    }
}

/// Segments up to the frame header, and an end-of-image marker at the end (ITU-T T.81 §B).
fn jpeg(mut rest: &[u8]) -> Option<(u32, u32)> {
    if !rest.ends_with(&[0xff, 0xd9]) {
        return None;
    }
    loop {
        // A marker may be preceded by fill octets.
        let [0xff, marker] = *rest.get(..2)? else { return None };
        if marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        let length = usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?));
        let body = rest.get(4..2usize.checked_add(length)?)?;
        match marker {
            // Baseline, extended and progressive frames; browsers draw no others.
            0xc0..=0xc2 => {
                let number = |at: usize| {
                    let octets: [u8; 2] = body.get(at..at + 2)?.try_into().ok()?;
                    Some(u32::from(u16::from_be_bytes(octets)))
                };
                return Some((number(3)?, number(1)?));
            }
            // Tables, comments, application data.
            0xc4 | 0xdb | 0xdd | 0xfe | 0xe0..=0xef => rest = &rest[2 + length..],
            _ => return None,
        }
    }
}

/// A RIFF file of exactly its length whose first chunk has the size (RFC 9649 §2).
fn webp(content: &[u8]) -> Option<(u32, u32)> {
    let length = u32::from_le_bytes(content.get(4..8)?.try_into().ok()?);
    if usize::try_from(length).ok()?.checked_add(8)? != content.len() {
        return None;
    }
    let chunk = content.get(12..)?;
    let length = u32::from_le_bytes(chunk.get(4..8)?.try_into().ok()?);
    let body = chunk.get(8..8usize.checked_add(usize::try_from(length).ok()?)?)?;
    let short = |octets: &[u8]| Some(u32::from(u16::from_le_bytes(octets.try_into().ok()?)));
    let three = |o: &[u8]| Some(u32::from_le_bytes([*o.first()?, *o.get(1)?, *o.get(2)?, 0]));
    match chunk.get(..4)? {
        b"VP8X" => Some((three(body.get(4..7)?)? + 1, three(body.get(7..10)?)? + 1)),
        b"VP8L" if body.first() == Some(&0x2f) => {
            let bits = u32::from_le_bytes(body.get(1..5)?.try_into().ok()?);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8 " if body.get(3..6) == Some(&[0x9d, 0x01, 0x2a]) => {
            Some((short(body.get(6..8)?)? & 0x3fff, short(body.get(8..10)?)? & 0x3fff))
        }
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A PNG of one colour, of which only the structure matters here.
    pub(crate) fn png_file(width: u32, height: u32) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut chunk = |kind: &[u8], body: &[u8]| {
            file.extend((body.len() as u32).to_be_bytes());
            file.extend([kind, body, &[0; 4]].concat());
        };
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        chunk(b"IHDR", &[size.as_slice(), &[8, 2, 0, 0, 0]].concat());
        chunk(b"IDAT", &[1, 2, 3]);
        chunk(b"IEND", &[]);
        file
    }

    fn jpeg_file() -> Vec<u8> {
        let mut file = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff];
        file.extend([0xff, 0xc2, 0, 11, 8, 0, 20, 0, 30, 1, 1, 0x11, 0]);
        file.extend([0xff, 0xda, 0, 2, 9, 9, 0xff, 0xd9]);
        file
    }

    fn webp_file(kind: &[u8], body: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF".to_vec();
        file.extend((body.len() as u32 + 12).to_le_bytes());
        file.extend([b"WEBP", kind, &(body.len() as u32).to_le_bytes(), body].concat());
        file
    }

    #[test]
    fn pictures_are_told_by_their_structure() {
        assert_eq!(check(&png_file(30, 20), Some("image/png")), Ok(Format::Png));
        assert_eq!(check(&jpeg_file(), None), Ok(Format::Jpeg));
        assert_eq!(measure(&jpeg_file()).unwrap().1, Some((30, 20)));
        let lossless = webp_file(b"VP8L", &[0x2f, 29, 0xc0, 0x04, 0, 0]);
        assert_eq!(measure(&lossless), Some((Format::Webp, Some((30, 20)))));
        let lossy = webp_file(b"VP8 ", &[0, 0, 0, 0x9d, 0x01, 0x2a, 30, 0, 20, 0]);
        assert_eq!(measure(&lossy), Some((Format::Webp, Some((30, 20)))));
        let extended = webp_file(b"VP8X", &[0, 0, 0, 0, 29, 0, 0, 19, 0, 0]);
        assert_eq!(check(&extended, Some("application/octet-stream")), Ok(Format::Webp));
        assert_eq!(measure(&extended).unwrap().1, Some((30, 20)));
    }

    #[test]
    fn a_file_that_is_not_what_it_says_is_refused() {
        let refused = |content: &[u8], declared, part: &str| {
            let detail = check(content, declared).unwrap_err();
            assert!(detail.contains(part), "{detail}");
        };
        refused(&png_file(1, 1), Some("image/jpeg"), "is image/png, and was sent as image/jpeg");
        refused(b"<html><script>", Some("image/png"), "not a PNG");
        refused(b"<?xml version='1.0'?><SVG onload=", Some("image/png"), "SVG");
        refused(b"anything", Some("image/svg+xml; charset=utf-8"), "SVG");
        refused(b"", Some("image/png"), "empty");
        refused(&png_file(0, 1), None, "0 × 1 pixels");
        refused(&png_file(5000, 1), None, "5000 × 1 pixels");
        let with_tail = |mut file: Vec<u8>| {
            file.extend(b"<script>alert(1)</script>");
            file
        };
        refused(&with_tail(png_file(1, 1)), None, "damaged");
        refused(&with_tail(jpeg_file()), None, "damaged");
        refused(&with_tail(webp_file(b"VP8X", &[0; 10])), None, "damaged");
    }

    #[test]
    fn no_part_of_a_file_reads_beyond_its_end() {
        for file in [png_file(3, 3), jpeg_file(), webp_file(b"VP8X", &[0; 10])] {
            for end in 0..file.len() {
                assert!(check(&file[..end], None).is_err(), "{end}");
            }
            for at in 0..file.len() {
                for octet in [0, 0x7f, 0xff] {
                    let mut broken = file.clone();
                    broken[at] = octet;
                    let _ = check(&broken, None);
                }
            }
        }
    }
}
