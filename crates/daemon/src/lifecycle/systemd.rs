//! Tells systemd how the program is (sd_notify(3), `Type=notify`).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What systemd is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemdState {
    /// The program does its work.
    Ready,
    /// The program is stopping.
    Stopping,
}

/// Tells systemd, if it started this program and wants to know; true if it was told.
pub fn notify_systemd(state: SystemdState) -> io::Result<bool> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(socket) if !socket.is_empty() => notify(&socket, state).map(|()| true),
        _ => Ok(false),
    }
}

fn notify(socket: &OsStr, state: SystemdState) -> io::Result<()> {
    let text = match state {
        SystemdState::Ready => "READY=1",
        SystemdState::Stopping => "STOPPING=1",
    };
    let address = match socket.as_bytes() {
        // A name outside the file system, written with `@`.
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut text = [0; 64];
        let len = socket.recv(&mut text).unwrap();
        String::from_utf8(text[..len].to_vec()).unwrap()
    }

    #[test]
    fn systemd_hears_on_a_path_and_on_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        notify(path.as_os_str(), SystemdState::Ready).unwrap();
        assert_eq!(heard(&socket), "READY=1");

        let name = format!("lastmile-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        notify(OsStr::new(&format!("@{name}")), SystemdState::Stopping).unwrap();
        assert_eq!(heard(&socket), "STOPPING=1");

        assert!(notify(OsStr::new("/nowhere/socket"), SystemdState::Ready).is_err());
    }
}
