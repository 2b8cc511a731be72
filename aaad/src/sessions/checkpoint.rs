//! The checkpoint: the session table on disk, so that a restart reads only the journal's tail.
//!
//! A framed file (see `journal::framing`) of kind `SESS`: first the journal sequence it is
//! true for and an incarnation of that journal, then one frame a session, then an end frame
//! with their count. It is written beside the old one, synced and renamed: a crash leaves the
//! old one. In another journal the sequence would mean something else: its checkpoint is
//! refused.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use journal::framing;
use model::{ClientId, CustomerId, NasId, OrganisationId, PlanVersionId, ServiceId, Ts};
use uuid::Uuid;

use crate::presence::Place;

use super::{CoaState, Session, SessionKey, Sessions};

const KIND: [u8; 4] = *b"SESS";
const FORMAT: u8 = 3;

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error("could not write the session checkpoint")]
    Write(#[source] io::Error),
    #[error("could not read the session checkpoint")]
    Read(#[source] io::Error),
    #[error("the session checkpoint is not one")]
    Header(#[source] framing::FrameError),
    #[error("the session checkpoint is cut short or damaged")]
    Damaged,
    #[error("the session checkpoint has the older format {0}, which is no longer read")]
    Older(u8),
    #[error("the session checkpoint is another journal's")]
    OtherJournal,
}

/// Writes the table; returns the sequence it is true for.
pub(crate) fn save(path: &Path, encoded: &[u8]) -> Result<(), CheckpointError> {
    let beside = path.with_extension("new");
    let write = || -> io::Result<()> {
        fs::write(&beside, encoded)?;
        fs::File::open(&beside)?.sync_all()?;
        fs::rename(&beside, path)?;
        if let Some(dir) = path.parent() {
            fs::File::open(dir)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(CheckpointError::Write)
}

/// Reads a checkpoint into an empty table; nothing where there is none. `knows` says whether an
/// incarnation is one of the journal at hand.
pub(crate) fn load(
    path: &Path,
    knows: impl Fn(u128) -> bool,
    sessions: &mut Sessions,
) -> Result<(), CheckpointError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CheckpointError::Read(error)),
    };
    let frames = framing::open(&bytes, KIND, FORMAT).map_err(CheckpointError::Header)?;
    if frames.format() < FORMAT {
        return Err(CheckpointError::Older(frames.format()));
    }
    let mut read = Vec::new();
    let mut applied = None;
    let mut complete = false;
    for frame in frames {
        let frame = frame.map_err(CheckpointError::Header)?;
        match (frame.split_first(), applied) {
            (Some((b'A', rest)), None) => {
                let mut fields = Fields(rest);
                let place = fields.number().zip(fields.uuid());
                let (sequence, journal) = place.ok_or(CheckpointError::Damaged)?;
                if !knows(journal.as_u128()) {
                    return Err(CheckpointError::OtherJournal);
                }
                applied = Some(sequence);
            }
            (Some((b'S', rest)), Some(_)) => {
                read.push(decode(rest).ok_or(CheckpointError::Damaged)?);
            }
            (Some((b'E', rest)), Some(_)) => {
                let count = rest.try_into().ok().map(u64::from_be_bytes);
                complete = count == Some(read.len() as u64);
            }
            _ => return Err(CheckpointError::Damaged),
        }
    }
    match (applied, complete) {
        (Some(applied), true) => {
            for session in read {
                sessions.insert(session);
            }
            sessions.applied = applied;
            Ok(())
        }
        _ => Err(CheckpointError::Damaged),
    }
}

impl Sessions {
    /// The table as a checkpoint's bytes, and the sequence it is true for.
    pub(crate) fn encode(&self) -> (Vec<u8>, u64) {
        let mut out = Vec::with_capacity(64 + self.len() * 320);
        framing::write_header(&mut out, KIND, FORMAT);
        let mut frame = Vec::with_capacity(512);
        frame.push(b'A');
        frame.extend_from_slice(&self.applied.to_be_bytes());
        frame.extend_from_slice(&self.journal.to_be_bytes());
        framing::write_frame(&mut out, &frame);
        for session in self.iter() {
            frame.clear();
            frame.push(b'S');
            encode(session, &mut frame);
            framing::write_frame(&mut out, &frame);
        }
        frame.clear();
        frame.push(b'E');
        frame.extend_from_slice(&(self.len() as u64).to_be_bytes());
        framing::write_frame(&mut out, &frame);
        (out, self.applied)
    }
}

fn encode(session: &Session, out: &mut Vec<u8>) {
    for id in [
        session.key.nas.0,
        session.client.0,
        session.organisation.0,
        session.customer.0,
        session.service.0,
        session.plan_version.0,
    ] {
        out.extend_from_slice(id.as_bytes());
    }
    for number in [
        session.given,
        session.started.0 as u64,
        session.updated.0 as u64,
        session.download_octets,
        session.upload_octets,
        session.download_bps,
        session.upload_bps,
        session.place.0.into(),
    ] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    for address in [Some(session.source), session.ip] {
        let v6 = match address {
            Some(IpAddr::V4(v4)) => v4.to_ipv6_mapped(),
            Some(IpAddr::V6(v6)) => v6,
            None => Ipv6Addr::UNSPECIFIED,
        };
        out.extend_from_slice(&v6.octets());
    }
    for text in [&session.key.acct_session_id, &session.user_name, &session.calling_station] {
        // Attribute values have at most 253 octets.
        out.push(text.len() as u8);
        out.extend_from_slice(text);
    }
}

/// Reads fields one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn uuid(&mut self) -> Option<Uuid> {
        Uuid::from_slice(self.take(16)?).ok()
    }

    fn number(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    fn address(&mut self) -> Option<Option<IpAddr>> {
        let octets: [u8; 16] = self.take(16)?.try_into().ok()?;
        let v6 = Ipv6Addr::from(octets);
        Some((!v6.is_unspecified()).then(|| v6.to_canonical()))
    }

    fn text(&mut self) -> Option<Box<[u8]>> {
        let len = *self.take(1)?.first()?;
        Some(self.take(len.into())?.into())
    }
}

fn decode(bytes: &[u8]) -> Option<Session> {
    let mut fields = Fields(bytes);
    let nas = NasId(fields.uuid()?);
    let client = ClientId(fields.uuid()?);
    let organisation = OrganisationId(fields.uuid()?);
    let customer = CustomerId(fields.uuid()?);
    let service = ServiceId(fields.uuid()?);
    let plan_version = PlanVersionId(fields.uuid()?);
    let given = fields.number()?;
    let started = Ts(fields.number()? as i64);
    let updated = Ts(fields.number()? as i64);
    let download_octets = fields.number()?;
    let upload_octets = fields.number()?;
    let download_bps = fields.number()?;
    let upload_bps = fields.number()?;
    let place = Place(u32::try_from(fields.number()?).ok()?);
    let source = fields.address()??;
    let ip = fields.address()?;
    let acct_session_id = fields.text()?;
    let user_name = fields.text()?;
    let calling_station = fields.text()?;
    fields.0.is_empty().then_some(Session {
        key: SessionKey { nas, acct_session_id },
        user_name,
        calling_station,
        place,
        client,
        source,
        organisation,
        customer,
        service,
        plan_version,
        given,
        ip,
        started,
        updated,
        download_octets,
        upload_octets,
        download_bps,
        upload_bps,
        coa: CoaState::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(n: u32) -> Session {
        Session {
            key: SessionKey {
                nas: NasId::generate(),
                acct_session_id: format!("8{n:07x}").into_bytes().into(),
            },
            user_name: format!("Login{n}").into_bytes().into(),
            calling_station: (*b"AA:BB:CC:DD:EE:FF").into(),
            place: Place(n),
            client: ClientId::generate(),
            source: IpAddr::from([192, 0, 2, 9]),
            organisation: OrganisationId::generate(),
            customer: CustomerId::generate(),
            service: ServiceId::generate(),
            plan_version: PlanVersionId::generate(),
            given: 77,
            ip: n.is_multiple_of(2).then(|| IpAddr::from([100, 64, 0, 1])),
            started: Ts::from_seconds(5),
            updated: Ts::from_seconds(9),
            download_octets: 1 << 40,
            upload_octets: 2,
            download_bps: 3,
            upload_bps: 4,
            coa: CoaState::default(),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_and_a_cut_one_is_refused() {
        let mut sessions = Sessions::new(true);
        (0..20).for_each(|n| sessions.insert(sample(n)));
        sessions.applied = 4711;
        sessions.name_journal(8);
        let dir = std::env::temp_dir().join(format!("lastmile-checkpoint-{}", Uuid::now_v7()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("sessions");
        let (bytes, applied) = sessions.encode();
        assert_eq!(applied, 4711);
        save(&path, &bytes).unwrap();

        let mut again = Sessions::new(true);
        load(&path, |journal| journal == 8, &mut again).unwrap();
        assert_eq!(again.applied(), 4711);
        assert_eq!(again.len(), 20);
        for session in sessions.iter() {
            assert_eq!(again.get(&session.key), Some(session));
        }

        for cut in [bytes.len() - 1, bytes.len() / 2, 3] {
            fs::write(&path, &bytes[..cut]).unwrap();
            let mut empty = Sessions::new(true);
            assert!(load(&path, |_| true, &mut empty).is_err());
            assert_eq!(empty.len(), 0);
        }
        fs::write(&path, &bytes).unwrap();
        let mut empty = Sessions::new(true);
        let other = load(&path, |journal| journal == 9, &mut empty);
        assert!(matches!(other, Err(CheckpointError::OtherJournal)));
        assert_eq!((empty.len(), empty.applied()), (0, 0));
        fs::remove_dir_all(&dir).unwrap();
    }
}
