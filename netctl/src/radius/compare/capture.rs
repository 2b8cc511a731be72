//! Captures of `tcpdump` and Wireshark: classic pcap and pcapng, read a block at a time.
//!
//! Taken are Access-Requests to the given ports, each once however often it was sent again.
//! What is in pieces (IP fragments) or cut short by the capture is counted and passed over.
//!
//! Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; link types: tcpdump.org/linktypes.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use radius_wire::{ClientKey, Code, Packet};

use super::requests::{REQUESTS_MAX, Request};

/// Longest block or packet; tcpdump keeps at most 256 KiB of a packet.
const BLOCK_OCTETS_MAX: usize = 1024 * 1024;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub(super) requests: Vec<Request>,
    /// Sent again.
    pub(super) repeated: usize,
    /// In pieces, cut short, or no RADIUS.
    pub(super) passed_over: usize,
}

/// Why a capture cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no capture in pcap or pcapng", .0.display())]
    Format(PathBuf),
    #[error("{} is damaged: {problem} in packet {packet}", path.display())]
    Damaged { path: PathBuf, packet: usize, problem: &'static str },
    #[error("{} has packets of link type {link}, which is not known here", path.display())]
    Link { path: PathBuf, link: u32 },
    #[error("{} has no Access-Request to port {ports}", path.display())]
    Empty { path: PathBuf, ports: String },
    #[error("{} has more than {REQUESTS_MAX} requests", .0.display())]
    Many(PathBuf),
}

/// Reads a capture.
pub(super) fn read(path: &Path, ports: &[u16], key: &ClientKey) -> Result<Captured, CaptureError> {
    let failed = |source| CaptureError::Read { path: path.to_owned(), source };
    let input = BufReader::new(File::open(path).map_err(failed)?);
    let mut reader = Reader {
        input,
        path,
        ports,
        key,
        packet: 0,
        seen: HashSet::new(),
        captured: Captured::default(),
    };
    let Some(magic) = reader.fill::<4>()? else {
        return Err(CaptureError::Format(path.to_owned()));
    };
    match magic {
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => reader.classic(false)?,
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => reader.classic(true)?,
        [0x0a, 0x0d, 0x0d, 0x0a] => reader.blocks()?,
        _ => return Err(CaptureError::Format(path.to_owned())),
    }
    if reader.captured.requests.is_empty() {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        return Err(CaptureError::Empty { path: path.to_owned(), ports: ports.join(" or ") });
    }
    Ok(reader.captured)
}

struct Reader<'a, R> {
    input: R,
    path: &'a Path,
    ports: &'a [u16],
    key: &'a ClientKey,
    packet: usize,
    /// What a request is known by (RFC 5080 §2.2.2); its authenticator is random.
    seen: HashSet<(Vec<u8>, u8, [u8; 16])>,
    captured: Captured,
}

fn number(octets: [u8; 4], little: bool) -> u32 {
    if little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) }
}

fn four(octets: &[u8], at: usize) -> Option<[u8; 4]> {
    octets.get(at..at + 4)?.try_into().ok()
}

impl<R: Read> Reader<'_, R> {
    /// The next octets; `None` at the end of the file.
    fn fill<const N: usize>(&mut self) -> Result<Option<[u8; N]>, CaptureError> {
        let mut octets = [0; N];
        match self.input.read_exact(&mut octets) {
            Ok(()) => Ok(Some(octets)),
            // A capture may end anywhere: tcpdump was stopped.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(source) => Err(CaptureError::Read { path: self.path.to_owned(), source }),
        }
    }

    fn take(&mut self, octets: usize) -> Result<Option<Vec<u8>>, CaptureError> {
        if octets > BLOCK_OCTETS_MAX {
            return Err(self.damaged("a length is beyond all reason"));
        }
        let mut taken = vec![0; octets];
        match self.input.read_exact(&mut taken) {
            Ok(()) => Ok(Some(taken)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(source) => Err(CaptureError::Read { path: self.path.to_owned(), source }),
        }
    }

    fn damaged(&self, problem: &'static str) -> CaptureError {
        CaptureError::Damaged { path: self.path.to_owned(), packet: self.packet, problem }
    }

    fn classic(&mut self, little: bool) -> Result<(), CaptureError> {
        let Some(head) = self.fill::<20>()? else {
            return Err(CaptureError::Format(self.path.to_owned()));
        };
        let link = four(&head, 16).map_or(0, |octets| number(octets, little)) & 0x0fff_ffff;
        loop {
            let Some(head) = self.fill::<16>()? else { return Ok(()) };
            self.packet += 1;
            let octets = four(&head, 8).map_or(0, |octets| number(octets, little));
            let Some(frame) = self.take(octets as usize)? else { return Ok(()) };
            self.frame(link, &frame)?;
        }
    }

    /// pcapng. The type of the first block has been read.
    fn blocks(&mut self) -> Result<(), CaptureError> {
        let (mut kind, mut little) = ([0x0a, 0x0d, 0x0d, 0x0a], false);
        let mut links: Vec<u32> = Vec::new();
        loop {
            let Some(length) = self.fill::<4>()? else { return Ok(()) };
            let is_section = kind == [0x0a, 0x0d, 0x0d, 0x0a];
            let mut body = Vec::new();
            if is_section {
                let Some(order) = self.fill::<4>()? else { return Ok(()) };
                little = match order {
                    [0x1a, 0x2b, 0x3c, 0x4d] => false,
                    [0x4d, 0x3c, 0x2b, 0x1a] => true,
                    _ => return Err(self.damaged("a section has no byte order")),
                };
                body.extend_from_slice(&order);
                links.clear();
            }
            let length = number(length, little) as usize;
            // Type and length before the body, the length again after it.
            let rest = length.checked_sub(12 + body.len());
            let rest = rest.ok_or_else(|| self.damaged("a block is shorter than its frame"))?;
            let Some(more) = self.take(rest)? else { return Ok(()) };
            body.extend_from_slice(&more);
            if self.fill::<4>()?.is_none() {
                return Ok(());
            }
            let word = |at: usize| four(&body, at).map(|octets| number(octets, little));
            match number(kind, little) {
                // Interface Description Block.
                1 => {
                    let pair = body.get(..2).and_then(|octets| <[u8; 2]>::try_from(octets).ok());
                    let pair = pair.unwrap_or_default();
                    let link =
                        if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
                    if links.len() < 1024 {
                        links.push(link.into());
                    }
                }
                // Enhanced Packet Block, and the Packet Block before it.
                block @ (2 | 6) => {
                    self.packet += 1;
                    let interface = match (block, word(0)) {
                        (6, Some(interface)) => interface,
                        (_, Some(both)) if little => both & 0xffff,
                        (_, Some(both)) => both >> 16,
                        (_, None) => return Err(self.damaged("a block is too short")),
                    };
                    let octets = word(12).unwrap_or(0) as usize;
                    let frame = body.get(20..).and_then(|rest| rest.get(..octets));
                    let frame = frame.ok_or_else(|| self.damaged("a packet leaves its block"))?;
                    let link = links.get(interface as usize).copied();
                    let link = link.ok_or_else(|| self.damaged("no interface is described"))?;
                    self.frame(link, frame)?;
                }
                // Simple Packet Block: as long as the block, if the capture cut nothing off.
                3 => {
                    self.packet += 1;
                    let octets = word(0).unwrap_or(0) as usize;
                    let frame = body.get(4..).unwrap_or_default();
                    let frame = &frame[..octets.min(frame.len())];
                    let link = links.first().copied();
                    let link = link.ok_or_else(|| self.damaged("no interface is described"))?;
                    self.frame(link, frame)?;
                }
                _ => {}
            }
            kind = match self.fill::<4>()? {
                Some(kind) => kind,
                None => return Ok(()),
            };
        }
    }

    fn frame(&mut self, link: u32, frame: &[u8]) -> Result<(), CaptureError> {
        let packet = match link {
            // BSD loopback: the family before it, in the order of the machine.
            0 => frame.get(4..),
            1 => ethernet(frame, 12),
            // IP alone.
            12 | 14 | 101 | 228 | 229 => Some(frame),
            // Linux's "any" interface, and its second form.
            113 => ethernet(frame, 14),
            276 => {
                let kind = frame.first_chunk::<2>().map(|kind| u16::from_be_bytes(*kind));
                kind.filter(|kind| matches!(kind, 0x0800 | 0x86dd)).and_then(|_| frame.get(20..))
            }
            link => return Err(CaptureError::Link { path: self.path.to_owned(), link }),
        };
        match packet.map_or(Udp::Other, |packet| udp(packet, self.ports)) {
            Udp::Other => Ok(()),
            Udp::Pieces => {
                self.captured.passed_over += 1;
                Ok(())
            }
            Udp::Datagram { from, payload } => self.datagram(from, payload),
        }
    }

    fn datagram(&mut self, from: Vec<u8>, payload: &[u8]) -> Result<(), CaptureError> {
        let Ok(packet) = Packet::parse(payload) else {
            self.captured.passed_over += 1;
            return Ok(());
        };
        if packet.code() != Code::ACCESS_REQUEST {
            return Ok(());
        }
        if !self.seen.insert((from, packet.identifier(), *packet.authenticator())) {
            self.captured.repeated += 1;
            return Ok(());
        }
        if self.captured.requests.len() >= REQUESTS_MAX {
            return Err(CaptureError::Many(self.path.to_owned()));
        }
        let place = format!("packet {}", self.packet);
        self.captured.requests.push(Request::captured(place, &packet, self.key));
        Ok(())
    }
}

/// What is in a frame, past VLAN tags; `at` is where its type stands.
fn ethernet(frame: &[u8], mut at: usize) -> Option<&[u8]> {
    // Two tags are common, more are not.
    for _ in 0..4 {
        let kind = u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?);
        match kind {
            0x8100 | 0x88a8 | 0x9100 => at += 4,
            0x0800 | 0x86dd => return frame.get(at + 2..),
            _ => return None,
        }
    }
    None
}

enum Udp<'p> {
    Datagram {
        from: Vec<u8>,
        payload: &'p [u8],
    },
    /// Of ours, but not whole.
    Pieces,
    Other,
}

/// The datagram in an IP packet, if it goes to one of the ports.
fn udp<'p>(packet: &'p [u8], ports: &[u16]) -> Udp<'p> {
    const UDP: u8 = 17;
    let (address, rest) = match packet.first().map(|first| first >> 4) {
        Some(4) => {
            let header = usize::from(packet[0] & 15) * 4;
            let Some(fields) = packet.get(..20).filter(|_| header >= 20) else {
                return Udp::Other;
            };
            if fields[9] != UDP {
                return Udp::Other;
            }
            // More fragments, or not the first: RFC 791 §3.1.
            let fragment = u16::from_be_bytes([fields[6], fields[7]]) & 0x3fff;
            if fragment & 0x1fff != 0 {
                return Udp::Other;
            }
            let rest = packet.get(header..).unwrap_or_default();
            if fragment != 0 {
                return match to_ours(rest, ports) {
                    true => Udp::Pieces,
                    false => Udp::Other,
                };
            }
            (fields[12..16].to_vec(), rest)
        }
        // Requests do not carry extension headers, fragments apart, which are pieces.
        Some(6) => match packet.get(..40) {
            Some(fields) if fields[6] == UDP => (fields[8..24].to_vec(), &packet[40..]),
            _ => return Udp::Other,
        },
        _ => return Udp::Other,
    };
    if !to_ours(rest, ports) {
        return Udp::Other;
    }
    let length = usize::from(u16::from_be_bytes([rest[4], rest[5]]));
    match rest.get(8..length) {
        Some(payload) => {
            let mut from = address;
            from.extend_from_slice(&rest[..2]);
            Udp::Datagram { from, payload }
        }
        None => Udp::Pieces,
    }
}

fn to_ours(datagram: &[u8], ports: &[u16]) -> bool {
    datagram.len() >= 8 && ports.contains(&u16::from_be_bytes([datagram[2], datagram[3]]))
}

#[cfg(test)]
mod tests {
    use radius_wire::{Writer, attr};

    use super::*;

    fn request(identifier: u8) -> Vec<u8> {
        let mut buf = Vec::new();
        let mut writer = Writer::request(Code::ACCESS_REQUEST, identifier, &[7; 16], &mut buf);
        writer.text(attr::USER_NAME, "bob").unwrap();
        writer.finish_access_request(&ClientKey::new(b"s"));
        buf
    }

    fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0x30, 0x39];
        out.extend(port.to_be_bytes());
        out.extend((payload.len() as u16 + 8).to_be_bytes());
        out.extend([0, 0]);
        out.extend(payload);
        out
    }

    fn ipv4(port: u16, payload: &[u8], fragment: u16) -> Vec<u8> {
        let mut out = vec![0x45, 0, 0, 0, 0, 0];
        out.extend(fragment.to_be_bytes());
        out.extend([64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        out.extend(datagram(port, payload));
        out
    }

    fn ipv6(port: u16, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0x60, 0, 0, 0, 0, 0, 17, 64];
        out.extend([1; 32]);
        out.extend(datagram(port, payload));
        out
    }

    fn framed(kind: [u8; 2], tags: &[[u8; 4]], packet: &[u8]) -> Vec<u8> {
        let mut out = vec![2; 12];
        out.extend(tags.as_flattened());
        out.extend(kind);
        out.extend(packet);
        out
    }

    fn classic(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
        let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        out.extend([0; 8]);
        out.extend(0x40000_u32.to_le_bytes());
        out.extend(link.to_le_bytes());
        for frame in frames {
            out.extend([0; 8]);
            out.extend((frame.len() as u32).to_le_bytes());
            out.extend((frame.len() as u32).to_le_bytes());
            out.extend(frame);
        }
        out
    }

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = (body.len() as u32 + 12).to_be_bytes();
        [&kind.to_be_bytes()[..], &length, &body, &length].concat()
    }

    fn read_octets(octets: &[u8]) -> Result<Captured, CaptureError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), octets).unwrap();
        read(file.path(), &[1812], &ClientKey::new(b"s"))
    }

    #[test]
    fn requests_are_found_once_in_either_format() {
        let frames = [
            framed([8, 0], &[], &ipv4(1812, &request(1), 0)),
            framed([8, 0], &[[0x88, 0xa8, 0, 1], [0x81, 0, 0, 2]], &ipv4(1812, &request(2), 0)),
            framed([8, 0], &[], &ipv4(1812, &request(1), 0)),
            framed([0x86, 0xdd], &[], &ipv6(1812, &request(1))),
            framed([8, 0], &[], &ipv4(53, &request(3), 0)),
            framed([8, 0], &[], &ipv4(1812, &request(4), 0x2000)),
            framed([8, 0], &[], &ipv4(1812, b"no RADIUS", 0)),
            framed([8, 6], &[], b"arp"),
        ];
        let found = read_octets(&classic(1, &frames)).unwrap();
        assert_eq!((found.requests.len(), found.repeated, found.passed_over), (3, 1, 2));
        assert_eq!(
            (found.requests[1].user.as_str(), &*found.requests[1].place),
            ("bob", "packet 2")
        );

        let mut next = block(0x0a0d_0d0a, &[0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0]);
        next.extend(block(1, &[0, 101, 0, 0, 0, 0, 0, 0]));
        let packet = ipv4(1812, &request(9), 0);
        let length = (packet.len() as u32).to_be_bytes();
        let head = [&[0; 12][..], &length, &length, &packet].concat();
        next.extend(block(6, &head));
        next.extend(block(5, b"statistics"));
        next.extend(block(3, &[&length[..], &ipv6(1812, &request(8))].concat()));
        let found = read_octets(&next).unwrap();
        // The second is cut off at the length it tells, which is shorter than what it has.
        assert_eq!((found.requests.len(), found.passed_over), (1, 1));
    }

    #[test]
    fn what_is_no_capture_or_damaged_is_named() {
        for (octets, words) in [
            (b"GET ".to_vec(), "is no capture"),
            (Vec::new(), "is no capture"),
            (classic(1, &[]), "has no Access-Request to port 1812"),
            (classic(147, &[vec![0; 60]]), "link type 147"),
            (block(0x0a0d_0d0a, &[0; 8]), "no byte order"),
        ] {
            let error = read_octets(&octets).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let mut long = classic(1, &[]);
        long.extend([0; 8]);
        long.extend([0xff; 8]);
        assert!(read_octets(&long).unwrap_err().to_string().contains("beyond all reason"));
        // Cut off anywhere, it is read as far as it goes, without a panic.
        let whole = classic(1, &[framed([8, 0], &[], &ipv4(1812, &request(1), 0))]);
        for end in 0..whole.len() {
            assert!(read_octets(&whole[..end]).is_err());
        }
    }
}
