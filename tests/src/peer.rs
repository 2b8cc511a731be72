//! The CoA port of a NAS (RFC 5176): a real UDP peer that reads requests with the `radius`
//! crate, so that our codec is not its own judge, and answers as it is told.
//!
//! Its answers carry no Message-Authenticator: RFC 5176 leaves that open, and NAS omit it.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use radius::core::code::Code;
use radius::core::packet::Packet;
use radius::core::{rfc2865, rfc2866, rfc3576};

use crate::waiting::{SECOND, eventually};
use crate::wire::mikrotik_rate_limit_of;

/// How the peer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// ACK.
    Acknowledge,
    /// NAK with this Error-Cause.
    Refuse(u32),
    /// Not at all.
    Silent,
}

/// What a request was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Disconnect-Request.
    Disconnect,
    /// CoA-Request.
    Change,
}

/// A request the peer got. A retransmission is one of its own.
#[derive(Debug, Clone)]
pub struct CoaRequest {
    /// What it was.
    pub kind: Kind,
    /// Where it came from.
    pub from: SocketAddr,
    /// User-Name.
    pub user_name: Option<String>,
    /// Acct-Session-Id.
    pub acct_session_id: Option<String>,
    /// Mikrotik-Rate-Limit.
    pub rate_limit: Option<String>,
    /// The whole packet.
    pub packet: Vec<u8>,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    requests: Vec<CoaRequest>,
    /// What came and was no authentic request.
    faults: Vec<String>,
    stopped: bool,
}

/// The peer; ends when dropped.
#[derive(Debug)]
pub struct CoaPeer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl CoaPeer {
    /// Listens on a free port of `address`; acknowledges everything.
    pub fn start(address: Ipv4Addr, secret: &str) -> Self {
        let socket = UdpSocket::bind((address, 0)).expect("bind the CoA port");
        let address = socket.local_addr().expect("the address of a socket");
        let state = Arc::new(Mutex::new(State {
            manner: Manner::Acknowledge,
            requests: Vec::new(),
            faults: Vec::new(),
            stopped: false,
        }));
        let (shared, secret) = (state.clone(), secret.as_bytes().to_vec());
        let thread = std::thread::spawn(move || serve(&socket, &secret, &shared));
        Self { address, state, thread: Some(thread) }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How it answers from now on.
    pub fn answers(&self, manner: Manner) {
        lock(&self.state).manner = manner;
    }

    /// What it got so far.
    #[track_caller]
    pub fn requests(&self) -> Vec<CoaRequest> {
        let state = lock(&self.state);
        assert!(state.faults.is_empty(), "{:?}", state.faults);
        state.requests.clone()
    }

    /// The first request of this kind for this session, which must come within a second.
    #[track_caller]
    pub fn expect(&self, kind: Kind, acct_session_id: &str) -> CoaRequest {
        eventually(&format!("a {kind:?} for {acct_session_id}"), SECOND, || {
            let wanted = |request: &CoaRequest| {
                request.kind == kind && request.acct_session_id.as_deref() == Some(acct_session_id)
            };
            self.requests().into_iter().find(wanted)
        })
    }
}

impl Drop for CoaPeer {
    fn drop(&mut self) {
        lock(&self.state).stopped = true;
        // Any datagram wakes the thread; should this one be lost, it stays until the process
        // ends, which harms nobody.
        let woken = UdpSocket::bind((self.address.ip(), 0))
            .and_then(|socket| socket.send_to(&[0], self.address));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(socket: &UdpSocket, secret: &[u8], state: &Mutex<State>) {
    let mut buffer = [0; 4096];
    loop {
        let received = socket.recv_from(&mut buffer);
        let mut state = lock(state);
        if state.stopped {
            return;
        }
        let (octets, from) = match received {
            Ok(received) => received,
            // What an earlier answer met, or a signal.
            Err(error) if error.kind() != ErrorKind::InvalidInput => continue,
            Err(error) => {
                state.faults.push(error.to_string());
                return;
            }
        };
        match read(&buffer[..octets], from, secret) {
            Ok((request, packet)) => {
                if let Some(answer) = answer(&packet, request.kind, state.manner) {
                    // Lost where the other side has gone.
                    let _ = socket.send_to(&answer, from);
                }
                state.requests.push(request);
            }
            Err(fault) => state.faults.push(fault),
        }
    }
}

fn read(datagram: &[u8], from: SocketAddr, secret: &[u8]) -> Result<(CoaRequest, Packet), String> {
    let packet = Packet::decode(datagram, secret).map_err(|error| error.to_string())?;
    let kind = match packet.get_code() {
        Code::DisconnectRequest => Kind::Disconnect,
        Code::CoARequest => Kind::Change,
        other => return Err(format!("{} on the CoA port", other.string())),
    };
    if !Packet::is_authentic_request(datagram, secret) {
        return Err(format!("a {kind:?} whose authenticator is wrong"));
    }
    let text = |value: Option<Result<String, _>>| {
        value.transpose().map_err(|error: radius::core::avp::AVPError| error.to_string())
    };
    let request = CoaRequest {
        kind,
        from,
        user_name: text(rfc2865::lookup_user_name(&packet))?,
        acct_session_id: text(rfc2866::lookup_acct_session_id(&packet))?,
        // The crate writes vendor attributes but cannot read them.
        rate_limit: mikrotik_rate_limit_of(datagram),
        packet: datagram.to_vec(),
    };
    Ok((request, packet))
}

fn answer(request: &Packet, kind: Kind, manner: Manner) -> Option<Vec<u8>> {
    let (code, cause) = match (manner, kind) {
        (Manner::Silent, _) => return None,
        (Manner::Acknowledge, Kind::Disconnect) => (Code::DisconnectACK, None),
        (Manner::Acknowledge, Kind::Change) => (Code::CoAACK, None),
        (Manner::Refuse(cause), Kind::Disconnect) => (Code::DisconnectNAK, Some(cause)),
        (Manner::Refuse(cause), Kind::Change) => (Code::CoANAK, Some(cause)),
    };
    let mut answer = request.make_response_packet(code);
    if let Some(cause) = cause {
        rfc3576::add_error_cause(&mut answer, cause);
    }
    Some(answer.encode().expect("a packet that short encodes"))
}
