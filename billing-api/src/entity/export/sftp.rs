//! A file goes to an SFTP server, by OpenSSH's own client.
//!
//! `sftp` is started as a process: no shell, no configuration of the machine, an environment of
//! its own, in a process group that ends with its time limit. The server's key is the one that
//! was written down, and no other is ever taken. The name is resolved here and its addresses are
//! checked; the client is given one that was checked. The file arrives under another name and
//! gets its own when it is whole.
//!
//! What the client reads (table, key, password) stands in clear for as long as it runs, in a
//! directory that only this user may enter, and of which the next start takes away whatever a
//! program that was killed has left there.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use model::Secret;
use outcall::{Guard, Refused};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::config::Exports;
use crate::hook::program::Group;

/// How much of what the client says is kept, octets.
const SAID_OCTETS_MAX: usize = 4096;
/// How the directories of files on their way begin.
const HOME_PREFIX: &str = "sftp-";
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

/// Takes away what a program that was killed has left.
pub(crate) fn sweep(settings: &Exports) -> io::Result<()> {
    let found = match std::fs::read_dir(&settings.sftp_directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    for entry in found {
        let entry = entry?;
        let ours = entry.file_name().to_string_lossy().starts_with(HOME_PREFIX);
        if ours && entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// A directory for one file's way, below the one that is ours alone; gone when it is dropped.
fn home(directory: &Path) -> io::Result<TempDir> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(directory)?;
    // It may have been made by hand, for everybody to look into.
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(HOME_PREFIX).permissions(std::fs::Permissions::from_mode(0o700));
    // The client begins elsewhere.
    builder.tempdir_in(directory.canonicalize()?)
}

/// Puts a file there.
pub(super) async fn put(
    settings: &Exports,
    guard: &Guard,
    target: &Target,
    name: &str,
    content: Vec<u8>,
) -> Result<(), SftpError> {
    let limit = Duration::from_secs(settings.sftp_timeout_s.into());
    let work = async {
        let address = resolve(guard, target).await?;
        let (directory, files) = (settings.sftp_directory.clone(), Files::of(target, content)?);
        let home = tokio::task::spawn_blocking(move || files.write(&directory));
        let home = home.await.map_err(|error| SftpError::Files(io::Error::other(error)))??;
        let sent = transfer(settings, target, address, home.path(), name).await;
        // A file of a quarter of a gigabyte takes a while to go.
        let _ = tokio::task::spawn_blocking(move || drop(home)).await;
        sent
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

/// What the client reads, by name, with who may do what with it.
struct Files(Vec<(&'static str, Secret<Vec<u8>>, u32)>);

impl Files {
    fn of(target: &Target, content: Vec<u8>) -> Result<Self, SftpError> {
        let (kind, key) = &target.host_key;
        let known = format!("target {kind} {key}\n").into_bytes();
        let mut files = vec![("known_hosts", known, 0o600), ("file", content, 0o600)];
        match (&target.private_key, &target.password) {
            (Some(key), _) => {
                let key = private_key(key.expose()).ok_or(SftpError::Key)?;
                files.push(("key", key.into_bytes(), 0o600));
            }
            (None, password) => {
                let password = password.as_ref().ok_or(SftpError::Key)?;
                files.push(("password", password.expose().clone().into_bytes(), 0o600));
                files.push(("askpass", ASKPASS.as_bytes().to_vec(), 0o700));
            }
        }
        let secret = |(name, content, mode)| (name, Secret::new(content), mode);
        Ok(Self(files.into_iter().map(secret).collect()))
    }

    /// Writes them into a directory of their own.
    fn write(self, directory: &Path) -> Result<TempDir, SftpError> {
        let home = home(directory).map_err(SftpError::Files)?;
        for (name, content, mode) in &self.0 {
            write(&home.path().join(name), content.expose(), *mode)?;
        }
        Ok(home)
    }
}

async fn transfer(
    settings: &Exports,
    target: &Target,
    address: IpAddr,
    home: &Path,
    name: &str,
) -> Result<(), SftpError> {
    let at = |name: &str| home.join(name);
    let shown = |name: &str| at(name).display().to_string();
    let (kind, _) = &target.host_key;
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
        Some(_) => {
            options.push(format!("IdentityFile={}", shown("key")));
            options.push("PreferredAuthentications=publickey".to_owned());
            options.push("BatchMode=yes".to_owned());
        }
        None => {
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
