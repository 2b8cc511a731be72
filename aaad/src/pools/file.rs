//! What is known of the pools, on disk.
//!
//! A framed file (see `journal::framing`) of kind `POOL`, written whole beside the old one,
//! synced and renamed: each minute together with the session checkpoint, and at the stop.
//!
//! | frame | holds |
//! |---|---|
//! | `O` | pool (16), part (1), then units opened of each stripe (4 each) |
//! | `L` | part (1), then leases of 45 octets: address (16), service (16), station (4), session (4), since (4), state (1) |
//! | `E` | 1: written at the stop, so that nothing happened since |
//!
//! Leases are kept by address, so that they outlive a change of their pool. After a start that
//! followed no stop, the file is up to a minute old. What became of sessions since is in the
//! journal; what was offered and not begun is nowhere. So what is not known to be in use rests
//! for one interim: only who had it last is offered it. What was never opened is free: the file
//! says a block more than was opened, and is written anew before that is used up.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use journal::framing;
use model::pool::Part;
use model::{PoolId, ServiceId, Ts};
use uuid::Uuid;

use super::stripe::BLOCK;
use super::{Pools, Slot, State, seconds};

const KIND: [u8; 4] = *b"POOL";
const FORMAT: u8 = 1;
const LEASE_OCTETS: usize = 16 + 16 + 4 + 4 + 4 + 1;
/// Leases of one frame.
const FRAME_LEASES: usize = 4096;

/// Why the file was not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("could not write the leases of the address pools")]
    Write(#[source] io::Error),
    #[error("could not read the leases of the address pools")]
    Read(#[source] io::Error),
    #[error("the file of leases is not one")]
    Header(#[source] framing::FrameError),
    #[error("the file of leases is cut short or damaged")]
    Damaged,
}

impl Pools {
    /// Everything that is known, as the file has it. `stopped`: nothing happens any more.
    pub(crate) fn encode(&self, stopped: bool) -> Vec<u8> {
        let mut out = Vec::new();
        framing::write_header(&mut out, KIND, FORMAT);
        let mut frame = Vec::new();
        for entry in &self.table().all {
            for part in Part::ALL {
                let Some(space) = entry.space(part) else { continue };
                let mut leases = Vec::new();
                space.for_each(|unit, slot| {
                    if slot.service != ServiceId::NONE && slot.state != State::Fixed
                        || slot.state == State::Resting
                    {
                        leases.push((unit, *slot));
                    }
                });
                frame.clear();
                frame.push(b'O');
                frame.extend_from_slice(entry.pool.id.0.as_bytes());
                frame.push(part as u8);
                for opened in space.announce(if stopped { 0 } else { BLOCK }) {
                    frame.extend_from_slice(&opened.to_be_bytes());
                }
                framing::write_frame(&mut out, &frame);
                for leases in leases.chunks(FRAME_LEASES) {
                    frame.clear();
                    frame.extend_from_slice(&[b'L', part as u8]);
                    for (unit, slot) in leases {
                        let Some(address) = entry.pool.at(part, *unit) else { continue };
                        write_lease(address, slot, &mut frame);
                    }
                    framing::write_frame(&mut out, &frame);
                }
            }
        }
        framing::write_frame(&mut out, &[b'E', u8::from(stopped)]);
        out
    }
}

fn write_lease(address: IpAddr, slot: &Slot, out: &mut Vec<u8>) {
    let v6 = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    out.extend_from_slice(&v6.octets());
    out.extend_from_slice(slot.service.0.as_bytes());
    for number in [slot.station, slot.session, slot.at] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.push(slot.state as u8);
}

/// Writes the file.
pub(crate) fn save(path: &Path, encoded: &[u8]) -> Result<(), FileError> {
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
    write().map_err(FileError::Write)
}

/// Reads the file into the pools in force; true where it was written at a stop, or where there
/// is none because nothing was ever leased.
pub(crate) fn restore(path: &Path, pools: &Pools) -> Result<bool, FileError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(FileError::Read(error)),
    };
    let frames = framing::open(&bytes, KIND, FORMAT).map_err(FileError::Header)?;
    let mut opened: Vec<(PoolId, Part, Vec<u32>)> = Vec::new();
    let mut leases: Vec<(Part, IpAddr, Slot)> = Vec::new();
    let mut stopped = None;
    for frame in frames {
        let frame = frame.map_err(FileError::Header)?;
        let read = match frame.split_first() {
            Some((b'O', rest)) => read_opened(rest).map(|one| opened.push(one)),
            Some((b'L', rest)) => read_leases(rest, &mut leases),
            Some((b'E', [flag])) => {
                stopped = Some(*flag == 1);
                Some(())
            }
            _ => None,
        };
        read.ok_or(FileError::Damaged)?;
    }
    let stopped = stopped.ok_or(FileError::Damaged)?;
    let table = pools.table();
    for (id, part, units) in opened {
        let entry = table.all.iter().find(|entry| entry.pool.id == id);
        if let Some(space) = entry.and_then(|entry| entry.space(part)) {
            space.open_units(&units);
        }
    }
    // Lists are in the order of time.
    leases.sort_by_key(|(_, _, slot)| slot.at);
    for (part, address, slot) in leases {
        if let Some((entry, unit)) = table.find(part, address) {
            entry.spaces[part as usize].put(unit, &slot);
        }
    }
    Ok(stopped)
}

impl Pools {
    /// After the sessions are restored. `live`: whether a session of that name is online.
    /// Whatever is taken for used and has no session rests; after a start that followed no stop,
    /// so does everything that was ever opened and is free.
    pub(crate) fn settle(&self, stopped: bool, live: impl Fn(ServiceId, u32) -> bool, now: Ts) {
        let at = seconds(now);
        for entry in &self.table().all {
            for part in Part::ALL {
                let Some(space) = entry.space(part) else { continue };
                space.rest_where(at, |slot| match slot.state {
                    State::Used => !live(slot.service, slot.session),
                    State::Idle => !stopped,
                    State::Offered | State::Resting | State::Fixed => false,
                });
            }
        }
    }

    /// Whether more was opened than the file says.
    pub(crate) fn outgrew_the_file(&self) -> bool {
        let table = self.table();
        let mut spaces = table
            .all
            .iter()
            .flat_map(|entry| Part::ALL.into_iter().filter_map(|part| entry.space(part)));
        spaces.any(|space| space.outgrew())
    }
}

fn part_of(number: u8) -> Option<Part> {
    Part::ALL.into_iter().find(|part| *part as u8 == number)
}

fn read_opened(rest: &[u8]) -> Option<(PoolId, Part, Vec<u32>)> {
    let (id, rest) = rest.split_at_checked(16)?;
    let (part, rest) = rest.split_first()?;
    let (numbers, []) = rest.as_chunks::<4>() else { return None };
    let units = numbers.iter().map(|number| u32::from_be_bytes(*number)).collect();
    Some((PoolId(Uuid::from_slice(id).ok()?), part_of(*part)?, units))
}

fn read_leases(rest: &[u8], leases: &mut Vec<(Part, IpAddr, Slot)>) -> Option<()> {
    let (part, rest) = rest.split_first()?;
    let part = part_of(*part)?;
    let (records, []) = rest.as_chunks::<LEASE_OCTETS>() else { return None };
    for record in records {
        let address: [u8; 16] = record.get(..16)?.try_into().ok()?;
        let service = ServiceId(Uuid::from_slice(record.get(16..32)?).ok()?);
        let number = |at: usize| Some(u32::from_be_bytes(record.get(at..at + 4)?.try_into().ok()?));
        let state = State::from_number(*record.get(44)?)?;
        let slot = Slot::kept(service, (number(32)?, number(36)?), number(40)?, state);
        let address = Ipv6Addr::from(address);
        let address = match part {
            Part::Ipv4 => address.to_canonical(),
            Part::Ipv6 | Part::Delegated => IpAddr::V6(address),
        };
        leases.push((part, address, slot));
    }
    Some(())
}
