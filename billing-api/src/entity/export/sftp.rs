//! A file goes to an SFTP server, by OpenSSH's own client.
//!
//! `sftp` is started as a process: no shell, no configuration of the machine, an environment of
//! its own, in a process group that ends with its time limit. The server's key is the one that
//! was written down, and no other is ever taken. The name is resolved here and its addresses are
//! checked; the client is given one that was checked. The file arrives under another name and
//! gets its own when it is whole.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use model::Secret;
use outcall::{Guard, Refused};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::config::Exports;
use crate::hook::program::Group;

/// How much of what the client says is kept, octets.
const SAID_OCTETS_MAX: usize = 4096;
/// What the client says to a password prompt with; the password is in a file beside it.
const ASKPASS: &str = "#!/bin/sh\nexec cat \"$LASTMILE_PASSWORD_FILE\"\n";

/// Where a file goes.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: Option<Secret<String>>,
    pub(super) private_key: Option<Secret<String>>,
    /// The kind of the server's key, and its base64.
    pub(super) host_key: (String, String),
    /// Empty: where the account begins.
    pub(super) directory: String,
    /// Whether addresses of our own network may be called.
    pub(super) anywhere: bool,
}

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub(super) enum SftpError {
    /// The client is not there.
    #[error("{0} cannot be started; the package openssh-client brings it")]
    Client(String, #[source] io::Error),
    /// A file for the client could not be written.
    #[error("the files for the SFTP client could not be written")]
    Files(#[source] io::Error),
    /// The name is unknown.
    #[error("the name {0} cannot be resolved")]
    Name(String),
    /// The address may not be called.
    #[error("the SFTP server: {0}")]
    Refused(Refused),
    /// The key cannot be read.
    #[error("the private key cannot be read")]
    Key,
    /// It took too long.
    #[error("the SFTP server took longer than {0} s")]
    TimedOut(u32),
    /// The server has another key than the one written down.
    #[error("the SFTP server shows another key than the one that is written down: {0}")]
    HostKey(String),
    /// The client ended with an error.
    #[error("the SFTP client says: {0}")]
    Failed(String),
}

impl SftpError {
    /// Whether it would be the same the next time.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Key | Self::HostKey(_))
    }
}

/// A user name that means nothing to the client besides itself.
pub(super) fn is_user(user: &str) -> bool {
    !user.starts_with('-')
        && !user.is_empty()
        && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@-".contains(&b))
}

/// A directory that means nothing to the client besides itself.
pub(super) fn is_directory(directory: &str) -> bool {
    directory.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/- ".contains(&b))
        && directory.split('/').all(|part| part != "..")
}

/// A private key as a file has it: a form field may have lost its line ends.
pub(super) fn private_key(text: &str) -> Option<String> {
    let rest = text.trim().strip_prefix("-----BEGIN ")?;
    let (kind, rest) = rest.split_once("-----")?;
    let (body, end) = rest.split_once("-----END ")?;
    let closes = end.trim_end().strip_suffix("-----") == Some(kind);
    let fits = closes && kind.ends_with("PRIVATE KEY") && kind.is_ascii() && kind.len() < 40;
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    if !fits || body.is_empty() || !body.bytes().all(plain) {
        return None;
    }
    let mut key = format!("-----BEGIN {kind}-----\n");
    for line in body.as_bytes().chunks(70) {
        key.push_str(&String::from_utf8_lossy(line));
        key.push('\n');
    }
    key.push_str(&format!("-----END {kind}-----\n"));
    Some(key)
}

/// Puts a file there.
pub(super) async fn put(
    settings: &Exports,
    guard: &Guard,
    target: &Target,
    name: &str,
    content: &[u8],
) -> Result<(), SftpError> {
    let limit = Duration::from_secs(settings.sftp_timeout_s.into());
    let work = async {
        let address = resolve(guard, target).await?;
        let home = tempfile::tempdir().map_err(SftpError::Files)?;
        transfer(settings, target, address, home.path(), name, content).await
    };
    match timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(SftpError::TimedOut(settings.sftp_timeout_s)),
    }
}

async fn resolve(guard: &Guard, target: &Target) -> Result<IpAddr, SftpError> {
    let unknown = || SftpError::Name(target.host.clone());
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let found: Vec<IpAddr> = found.map_err(|_| unknown())?.map(|a: SocketAddr| a.ip()).collect();
    if !target.anywhere {
        guard.addresses(&target.host, &found).map_err(SftpError::Refused)?;
    }
    found.first().copied().ok_or_else(unknown)
}

/// A file only this user may read.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), SftpError> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(SftpError::Files)?;
    file.write_all(content).map_err(SftpError::Files)?;
    let permissions = std::fs::Permissions::from_mode(mode);
    file.set_permissions(permissions).map_err(SftpError::Files)
}

async fn transfer(
    settings: &Exports,
    target: &Target,
    address: IpAddr,
    home: &Path,
    name: &str,
    content: &[u8],
) -> Result<(), SftpError> {
    let at = |name: &str| home.join(name);
    let shown = |name: &str| at(name).display().to_string();
    let (kind, key) = &target.host_key;
    write(&at("known_hosts"), format!("target {kind} {key}\n").as_bytes(), 0o600)?;
    write(&at("file"), content, 0o600)?;
    // RFC 8332: an RSA key signs with SHA-2.
    let algorithms = match kind.as_str() {
        "ssh-rsa" => "rsa-sha2-512,rsa-sha2-256",
        other => other,
    };
    let mut options = vec![
        format!("Hostname={address}"),
        format!("Port={}", target.port),
        format!("User={}", target.user),
        format!("UserKnownHostsFile={}", shown("known_hosts")),
        format!("HostKeyAlgorithms={algorithms}"),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        "HostKeyAlias=target".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "CheckHostIP=no".to_owned(),
        "UpdateHostKeys=no".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "IdentityAgent=none".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "ProxyCommand=none".to_owned(),
        "NumberOfPasswordPrompts=1".to_owned(),
        "ConnectTimeout=20".to_owned(),
        "ServerAliveInterval=15".to_owned(),
        "ServerAliveCountMax=4".to_owned(),
        "LogLevel=ERROR".to_owned(),
    ];
    let mut command = Command::new(&settings.sftp);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", home);
    match &target.private_key {
        Some(key) => {
            let key = Secret::new(private_key(key.expose()).ok_or(SftpError::Key)?);
            write(&at("key"), key.expose().as_bytes(), 0o600)?;
            options.push(format!("IdentityFile={}", shown("key")));
            options.push("PreferredAuthentications=publickey".to_owned());
            options.push("BatchMode=yes".to_owned());
        }
        None => {
            let password = target.password.as_ref().ok_or(SftpError::Key)?;
            write(&at("password"), password.expose().as_bytes(), 0o600)?;
            write(&at("askpass"), ASKPASS.as_bytes(), 0o700)?;
            command.env("SSH_ASKPASS", at("askpass")).env("SSH_ASKPASS_REQUIRE", "force");
            command.env("LASTMILE_PASSWORD_FILE", at("password"));
            options.push("IdentityFile=none".to_owned());
            options.push("PreferredAuthentications=password,keyboard-interactive".to_owned());
            // The client's own batch mode would refuse to ask for one; what is said first counts.
            options.push("BatchMode=no".to_owned());
        }
    }
    // Not -q, which would take the reason of a failure away.
    command.args(["-F", "/dev/null"]);
    for option in &options {
        command.arg(format!("-o{option}"));
    }
    command.args(["-b", "-", "--", "target"]);
    let directory = target.directory.trim_end_matches('/');
    let place = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
    let batch = format!(
        "put \"{}\" \"{place}.part\"\nrename \"{place}.part\" \"{place}\"\n",
        shown("file")
    );
    run(command, &batch, &settings.sftp.display().to_string()).await
}

async fn run(mut command: Command, batch: &str, program: &str) -> Result<(), SftpError> {
    let failed = |source| SftpError::Client(program.to_owned(), source);
    command
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    // Ends what the client started as well, wherever this is left.
    let mut group = Group::of(&child);
    let (input, complaints) = (child.stdin.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // It may end before it has read all of it, and says why.
            let _ = input.write_all(batch.as_bytes()).await;
        }
    };
    let ((), said) = tokio::join!(feed, listen(complaints));
    let status = child.wait().await.map_err(failed)?;
    group.ended();
    if status.success() {
        return Ok(());
    }
    let said: String = said.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match said.contains("REMOTE HOST IDENTIFICATION") || said.contains("Host key verification") {
        true => Err(SftpError::HostKey(said)),
        false => Err(SftpError::Failed(said)),
    }
}

/// The beginning of what the client says; the rest is read all the same, so that it is not held
/// up.
async fn listen(source: Option<impl AsyncRead + Unpin>) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    let Some(mut source) = source else { return String::new() };
    while let Ok(read @ 1..) = source.read(&mut buffer).await {
        let room = SAID_OCTETS_MAX - kept.len();
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
#[path = "sftp_tests.rs"]
mod tests;
