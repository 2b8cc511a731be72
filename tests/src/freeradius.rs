//! A FreeRADIUS of Debian on this machine, with files of a scenario: the server an ISP comes from.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::waiting::{PATIENCE, eventually};

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct FreeRadius {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl FreeRadius {
    /// Starts one at this address, with these clients and users.
    ///
    /// # Panics
    /// Where it is not installed, or does not answer.
    pub fn start(address: SocketAddr, clients: &str, users: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("freeradius-").tempdir().expect("a folder");
        let file = |name: &str| directory.path().join(name);
        fs::write(file("clients.conf"), clients).expect("write clients.conf");
        fs::write(file("users"), users).expect("write users");
        fs::write(file("radiusd.conf"), configuration(directory.path(), address))
            .expect("write radiusd.conf");
        // Which modules there are is the installation's; the dictionaries are where it put them.
        fs::write(file("dictionary"), "").expect("write dictionary");
        fs::write(file("access_reject"), REFUSAL).expect("write access_reject");
        let log = fs::File::create(file("log")).expect("make a log");
        // Debian puts it where only root looks.
        let child = Command::new("/usr/sbin/freeradius")
            .args(["-f", "-n", "radiusd", "-d"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("freeradius is installed where these tests run (Debian: freeradius)");
        let mut server = Self { child, address, directory };
        eventually("FreeRADIUS is ready", PATIENCE, || {
            if let Some(status) = server.child.try_wait().expect("ask for a child's status") {
                panic!("FreeRADIUS ended: {status}\n{}", server.log());
            }
            server.log().contains("Ready to process requests").then_some(())
        });
        server
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// One of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }
}

impl Drop for FreeRadius {
    fn drop(&mut self) {
        // It may have ended already, and a panic here would hide another.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- FreeRADIUS logged:\n{}", self.log());
        }
    }
}

/// What may be in a refusal, as in the files Debian ships: not what an accept would have given.
const REFUSAL: &str = "DEFAULT
\tEAP-Message =* ANY,
\tState =* ANY,
\tMessage-Authenticator =* ANY,
\tReply-Message =* ANY,
\tMS-CHAP-Error =* ANY,
\tProxy-State =* ANY
";

/// What a login needs, and nothing else.
fn configuration(directory: &Path, address: SocketAddr) -> String {
    let directory = directory.display();
    let (ip, port) = (address.ip(), address.port());
    format!(
        "prefix = /usr
logdir = {directory}
run_dir = {directory}
confdir = {directory}
libdir = /usr/lib/freeradius
name = freeradius
max_request_time = 30
cleanup_delay = 5
log {{
    destination = stdout
}}
security {{
    max_attributes = 200
    reject_delay = 0
    status_server = no
}}
proxy_requests = no
$INCLUDE clients.conf
thread pool {{
    start_servers = 1
    max_servers = 2
    min_spare_servers = 1
    max_spare_servers = 2
}}
modules {{
    files {{
        filename = {directory}/users
    }}
    pap {{
    }}
    chap {{
    }}
    mschap {{
    }}
    expiration {{
    }}
    attr_filter attr_filter.access_reject {{
        key = \"%{{User-Name}}\"
        filename = {directory}/access_reject
    }}
}}
server scenario {{
    listen {{
        type = auth
        ipaddr = {ip}
        port = {port}
    }}
    authorize {{
        chap
        mschap
        files
        expiration
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type CHAP {{
            chap
        }}
        Auth-Type MS-CHAP {{
            mschap
        }}
    }}
    post-auth {{
        Post-Auth-Type REJECT {{
            attr_filter.access_reject
        }}
    }}
}}
"
    )
}
