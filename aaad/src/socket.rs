//! Batched UDP: `recvmmsg` and `sendmmsg` over a plain socket, with the local address.
//!
//! One [`Batch`] owns every buffer it will ever use, so that a busy shard allocates nothing.
//! Replies leave from the address the request was sent to (RFC 2865 clients check it), which
//! needs `IP_PKTINFO` on a socket bound to the wildcard address.
//!
//! This is the one module of the program with `unsafe`: the two system calls have no safe
//! form in the crates we use, and their structures are full of pointers into our buffers. The
//! rules that keep it sound: buffers live in boxed slices that never move or grow; headers are
//! rebuilt from them before each call; nothing read is used past the length the kernel gave.
#![allow(unsafe_code)]

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Datagrams read or written with one system call.
pub(crate) const BATCH: usize = 64;

/// Octets kept of a datagram: the largest RADIUS packet (RFC 2865 §3). Longer ones are cut by
/// the kernel, and their Length field, larger than what is here, gets them dropped.
pub(crate) const DATAGRAM_OCTETS_MAX: usize = 4096;

/// Room for one control message with a packet's local address.
const CONTROL_OCTETS: usize = 64;

/// What a shard asks of the kernel for bursts: a mass reconnect must wait in the socket, not
/// be lost. The kernel may grant less.
const RECEIVE_BUFFER_OCTETS: usize = 8 << 20;

/// Binds one shard's socket. Every shard binds the same address: the kernel spreads senders
/// over them by source address and port, so that a retransmission meets the same shard.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Not fatal: an unprivileged process gets what net.core.rmem_max allows.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_OCTETS);
    let (level, option) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    let on: libc::c_int = 1;
    // SAFETY: `on` outlives the call and its size is the one passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Whether nothing else is bound to the address. Needed because SO_REUSEPORT lets a second
/// daemon of the same user share the port in silence.
pub(crate) fn is_free(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())
}

/// Waits until one of `sockets` or `stop` can be read, at most `timeout_ms`. Returns a bit per
/// socket and whether `stop` was closed or written to.
pub(crate) fn wait(sockets: &[RawFd], stop: RawFd, timeout_ms: i32) -> io::Result<(u64, bool)> {
    const POLLS_MAX: usize = 17;
    debug_assert!(sockets.len() < POLLS_MAX);
    let mut polls = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; POLLS_MAX];
    let count = sockets.len().min(POLLS_MAX - 1);
    for (poll, fd) in polls.iter_mut().zip(sockets) {
        poll.fd = *fd;
    }
    polls[count].fd = stop;
    // SAFETY: `polls` is a live array and `count + 1` is within it.
    let ready = unsafe { libc::poll(polls.as_mut_ptr(), (count + 1) as libc::nfds_t, timeout_ms) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        if error.kind() == io::ErrorKind::Interrupted {
            return Ok((0, false));
        }
        return Err(error);
    }
    let mut readable = 0;
    for (n, poll) in polls[..count].iter().enumerate() {
        if poll.revents != 0 {
            readable |= 1 << n;
        }
    }
    Ok((readable, polls[count].revents != 0))
}

/// The sockets listened on per shard: bounded by the bits of [`wait`]'s answer.
pub(crate) const SOCKETS_MAX: usize = 16;

/// Where a datagram came from and which of our addresses it was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    /// The sender.
    pub(crate) peer: SocketAddr,
    /// Our address; the wildcard where the kernel did not say.
    pub(crate) local: IpAddr,
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_OCTETS]);

/// One socket with the buffers to read and answer a batch.
pub(crate) struct Batch {
    socket: UdpSocket,
    received: Box<[[u8; DATAGRAM_OCTETS_MAX]]>,
    lengths: [usize; BATCH],
    paths: [Path; BATCH],
    replies: Box<[Vec<u8>]>,
    reply_paths: [Path; BATCH],
    reply_count: usize,
}

impl Batch {
    /// Takes a socket from [`bind`].
    pub(crate) fn new(socket: UdpSocket) -> Self {
        let nowhere = Path {
            peer: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        Self {
            socket,
            received: vec![[0; DATAGRAM_OCTETS_MAX]; BATCH].into_boxed_slice(),
            lengths: [0; BATCH],
            paths: [nowhere; BATCH],
            replies: (0..BATCH).map(|_| Vec::with_capacity(DATAGRAM_OCTETS_MAX)).collect(),
            reply_paths: [nowhere; BATCH],
            reply_count: 0,
        }
    }

    /// The socket's descriptor, for [`wait`].
    pub(crate) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Reads what is waiting, up to [`BATCH`] datagrams, without waiting for any.
    pub(crate) fn receive(&mut self) -> io::Result<usize> {
        let mut names: [libc::sockaddr_storage; BATCH] = zeroed_names();
        let mut controls = [Control([0; CONTROL_OCTETS]); BATCH];
        let mut parts: [MaybeUninit<libc::iovec>; BATCH] = [const { MaybeUninit::uninit() }; BATCH];
        let mut headers: [MaybeUninit<libc::mmsghdr>; BATCH] =
            [const { MaybeUninit::uninit() }; BATCH];
        for n in 0..BATCH {
            parts[n].write(libc::iovec {
                iov_base: self.received[n].as_mut_ptr().cast(),
                iov_len: DATAGRAM_OCTETS_MAX,
            });
            headers[n].write(header(
                parts[n].as_mut_ptr(),
                &mut names[n],
                mem::size_of::<libc::sockaddr_storage>(),
                &mut controls[n],
                CONTROL_OCTETS,
            ));
        }
        // SAFETY: every header was written above and points into buffers that outlive the
        // call; MSG_DONTWAIT makes it return at once.
        let count = unsafe {
            libc::recvmmsg(
                self.fd(),
                headers.as_mut_ptr().cast(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if is_broken(&error) { Err(error) } else { Ok(0) };
        }
        let mut kept = 0;
        for n in 0..count as usize {
            // SAFETY: the kernel filled the first `count` headers.
            let header = unsafe { headers[n].assume_init_ref() };
            let Some(peer) = peer_of(&names[n], header.msg_hdr.msg_namelen) else { continue };
            // Slots of unreadable senders are skipped; keep data and path at the same index.
            if kept != n {
                let (low, high) = self.received.split_at_mut(n);
                low[kept].copy_from_slice(&high[0]);
            }
            self.lengths[kept] = (header.msg_len as usize).min(DATAGRAM_OCTETS_MAX);
            self.paths[kept] = Path { peer, local: local_of(&header.msg_hdr, peer) };
            kept += 1;
        }
        Ok(kept)
    }

    /// A datagram together with the empty buffer of the next reply; hand the reply over with
    /// [`Batch::queue`]. At most [`BATCH`] replies fit, one for each datagram.
    pub(crate) fn exchange(&mut self, n: usize) -> (&[u8], Path, &mut Vec<u8>) {
        let reply = &mut self.replies[self.reply_count.min(BATCH - 1)];
        reply.clear();
        (&self.received[n][..self.lengths[n]], self.paths[n], reply)
    }

    /// Sends the buffer last given by [`Batch::exchange`] with the next [`Batch::flush`].
    pub(crate) fn queue(&mut self, path: Path) {
        if self.reply_count < BATCH {
            self.reply_paths[self.reply_count] = path;
            self.reply_count += 1;
        }
    }

    /// What [`Batch::exchange`] last lent, where it was not queued.
    pub(crate) fn unqueued(&self) -> &[u8] {
        &self.replies[self.reply_count.min(BATCH - 1)]
    }

    /// Queues a reply made earlier; returns how many had to be sent to make room for it.
    pub(crate) fn post(&mut self, path: Path, reply: &[u8]) -> io::Result<usize> {
        let sent = if self.reply_count == BATCH { self.flush()? } else { 0 };
        let buffer = &mut self.replies[self.reply_count];
        buffer.clear();
        buffer.extend_from_slice(reply);
        self.queue(path);
        Ok(sent)
    }

    /// Forgets what was queued.
    pub(crate) fn discard(&mut self) {
        self.reply_count = 0;
    }

    /// Sends what was queued; returns how many the kernel took. The rest is lost, which a
    /// RADIUS client answers by asking again.
    pub(crate) fn flush(&mut self) -> io::Result<usize> {
        let total = mem::take(&mut self.reply_count);
        if total == 0 {
            return Ok(0);
        }
        let mut names: [libc::sockaddr_storage; BATCH] = zeroed_names();
        let mut controls = [Control([0; CONTROL_OCTETS]); BATCH];
        let mut parts: [MaybeUninit<libc::iovec>; BATCH] = [const { MaybeUninit::uninit() }; BATCH];
        let mut headers: [MaybeUninit<libc::mmsghdr>; BATCH] =
            [const { MaybeUninit::uninit() }; BATCH];
        for n in 0..total {
            let path = self.reply_paths[n];
            parts[n].write(libc::iovec {
                iov_base: self.replies[n].as_mut_ptr().cast(),
                iov_len: self.replies[n].len(),
            });
            let name_len = write_name(path.peer, &mut names[n]);
            let control_len = write_local(path.local, &mut controls[n]);
            headers[n].write(header(
                parts[n].as_mut_ptr(),
                &mut names[n],
                name_len,
                &mut controls[n],
                control_len,
            ));
        }
        let mut sent = 0;
        while sent < total {
            // SAFETY: headers `sent..total` were written above and point into buffers that
            // outlive the call.
            let count = unsafe {
                libc::sendmmsg(
                    self.fd(),
                    headers.as_mut_ptr().add(sent).cast(),
                    (total - sent) as libc::c_uint,
                    0,
                )
            };
            if count > 0 {
                sent += count as usize;
                continue;
            }
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            // The kernel names the error of the first unsent datagram: a refused port, a
            // network that is down, a full queue. It is that datagram's alone: its sender asks
            // again. Only a broken socket is ours.
            sent += 1;
            if is_broken(&error) {
                return Err(error);
            }
        }
        Ok(sent)
    }
}

/// Whether the socket itself can never work again.
fn is_broken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK | libc::EFAULT))
}

fn zeroed_names() -> [libc::sockaddr_storage; BATCH] {
    // SAFETY: sockaddr_storage is plain data for which all zeroes is valid (AF_UNSPEC).
    unsafe { mem::zeroed() }
}

fn header(
    part: *mut libc::iovec,
    name: &mut libc::sockaddr_storage,
    name_len: usize,
    control: &mut Control,
    control_len: usize,
) -> libc::mmsghdr {
    // SAFETY: all zeroes is a valid msghdr (null pointers, zero lengths); some targets have
    // padding fields that cannot be named.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_name = std::ptr::from_mut(name).cast();
    message.msg_namelen = name_len as libc::socklen_t;
    message.msg_iov = part;
    message.msg_iovlen = 1;
    if control_len > 0 {
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control_len as _;
    }
    libc::mmsghdr { msg_hdr: message, msg_len: 0 }
}

fn peer_of(name: &libc::sockaddr_storage, len: libc::socklen_t) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET if len as usize >= mem::size_of::<libc::sockaddr_in>() => {
            // SAFETY: family and length say that a sockaddr_in is stored here; the storage
            // type is aligned for every socket address.
            let v4 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::from((ip, u16::from_be(v4.sin_port))))
        }
        libc::AF_INET6 if len as usize >= mem::size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above, for sockaddr_in6.
            let v6 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(std::net::SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn local_of(message: &libc::msghdr, peer: SocketAddr) -> IpAddr {
    // SAFETY: the header is one the kernel filled; the CMSG macros stay within msg_controllen.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !control.is_null() {
        // SAFETY: a non-null result points at a complete header inside the control buffer.
        let head = unsafe { &*control };
        // SAFETY: the level and type say which structure the data is.
        let data = unsafe { libc::CMSG_DATA(control) };
        match (head.cmsg_level, head.cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: IP_PKTINFO carries an in_pktinfo; read unaligned to be sure.
                let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
                return Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)).into();
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: IPV6_PKTINFO carries an in6_pktinfo.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                return Ipv6Addr::from(info.ipi6_addr.s6_addr).into();
            }
            _ => {}
        }
        // SAFETY: as for CMSG_FIRSTHDR.
        control = unsafe { libc::CMSG_NXTHDR(message, control) };
    }
    match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn write_name(peer: SocketAddr, name: &mut libc::sockaddr_storage) -> usize {
    let address = SockAddr::from(peer);
    // SAFETY: a SockAddr is at most as long as the storage, and is copied byte for byte.
    unsafe {
        std::ptr::copy_nonoverlapping(
            address.as_ptr().cast::<u8>(),
            std::ptr::from_mut(name).cast::<u8>(),
            address.len() as usize,
        );
    }
    address.len() as usize
}

/// Writes the control message that makes a datagram leave from `local`; nothing for the
/// wildcard. Returns the control length.
fn write_local(local: IpAddr, control: &mut Control) -> usize {
    if local.is_unspecified() {
        return 0;
    }
    // SAFETY: a zeroed msghdr is valid; it only serves to address the buffer through the CMSG
    // macros, whose space is checked against the buffer's size below.
    unsafe {
        let mut message: libc::msghdr = mem::zeroed();
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = CONTROL_OCTETS as _;
        let head = libc::CMSG_FIRSTHDR(&message);
        match local {
            IpAddr::V4(ip) => {
                let mut info: libc::in_pktinfo = mem::zeroed();
                info.ipi_spec_dst.s_addr = u32::from(ip).to_be();
                let size = mem::size_of::<libc::in_pktinfo>();
                (*head).cmsg_level = libc::IPPROTO_IP;
                (*head).cmsg_type = libc::IP_PKTINFO;
                (*head).cmsg_len = libc::CMSG_LEN(size as u32) as _;
                libc::CMSG_DATA(head).cast::<libc::in_pktinfo>().write_unaligned(info);
                libc::CMSG_SPACE(size as u32) as usize
            }
            IpAddr::V6(ip) => {
                let mut info: libc::in6_pktinfo = mem::zeroed();
                info.ipi6_addr.s6_addr = ip.octets();
                let size = mem::size_of::<libc::in6_pktinfo>();
                (*head).cmsg_level = libc::IPPROTO_IPV6;
                (*head).cmsg_type = libc::IPV6_PKTINFO;
                (*head).cmsg_len = libc::CMSG_LEN(size as u32) as _;
                libc::CMSG_DATA(head).cast::<libc::in6_pktinfo>().write_unaligned(info);
                libc::CMSG_SPACE(size as u32) as usize
            }
        }
    }
}

const _: () = {
    // Both control messages fit their buffer (RFC 3542 §6.1; ip(7)), with the header and
    // alignment of a 64-bit kernel.
    assert!(CONTROL_OCTETS >= 16 + mem::size_of::<libc::in6_pktinfo>() + 8);
    assert!(CONTROL_OCTETS >= 16 + mem::size_of::<libc::in_pktinfo>() + 8);
    assert!(SOCKETS_MAX < 64);
};

#[cfg(test)]
mod tests {
    use super::*;

    fn answered_from(listen: &str, send_to: IpAddr) {
        let socket = bind(listen.parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        let mut batch = Batch::new(socket);
        let client = UdpSocket::bind((send_to, 0)).unwrap();
        for n in 0..3u8 {
            client.send_to(&[n, 7], (send_to, port)).unwrap();
        }
        let (_keep, stop) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut got = 0;
        while got < 3 {
            wait(&[batch.fd()], stop.as_raw_fd(), 1000).unwrap();
            let count = batch.receive().unwrap();
            for n in 0..count {
                let (data, path, reply) = batch.exchange(n);
                assert_eq!(path.local, send_to);
                assert_eq!(path.peer, client.local_addr().unwrap());
                reply.extend_from_slice(data);
                reply.push(99);
                batch.queue(path);
            }
            batch.flush().unwrap();
            got += count;
        }
        let mut buffer = [0; 16];
        for n in 0..3u8 {
            let (len, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], &[n, 7, 99]);
            assert_eq!(from, SocketAddr::from((send_to, port)));
        }
    }

    #[test]
    fn a_reply_leaves_from_the_address_that_was_asked() {
        answered_from("0.0.0.0:0", [127, 0, 0, 5].into());
        answered_from("[::]:0", Ipv6Addr::LOCALHOST.into());
    }

    #[test]
    fn a_port_in_use_is_noticed_although_shards_share_it() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        assert!(bind(address).is_ok());
        assert_eq!(is_free(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
