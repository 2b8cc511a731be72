//! What a process has used, from `/proc`.

use std::fs;
use std::io;
use std::time::Duration;

/// A tick of `/proc/PID/stat`: Linux counts a hundred a second for programs, on every machine.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    /// CPU time of all its threads, the ended ones too.
    pub(super) cpu: Duration,
    /// Memory it holds now.
    pub(super) rss_octets: u64,
}

impl Usage {
    /// Reads it.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "not as proc(5) describes it");
        let cpu = cpu(&stat).ok_or_else(odd)?;
        Ok(Self { cpu, rss_octets: rss_octets(&status).ok_or_else(odd)? })
    }
}

/// Fields 14 and 15. The second one is the program's name, which may hold blanks and brackets.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user.checked_add(system)?)
}

fn rss_octets(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 4 0 99";
        assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!(cpu("7 (a) S 1"), None);
        assert_eq!(rss_octets("VmPeak:\t 9 kB\nVmRSS:\t   12 kB\n"), Some(12 * 1024));
        assert_eq!(rss_octets("VmPeak:\t 9 kB\n"), None);
    }

    #[test]
    fn our_own_process_uses_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.rss_octets > 100_000);
        assert!(Usage::of(u32::MAX).is_err());
    }
}
