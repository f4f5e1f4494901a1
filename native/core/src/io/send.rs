//! Sending: a train in one call where that works, else its datagrams one by one, none lost.

use std::cell::Cell;
use std::io;
#[cfg(target_os = "linux")]
use std::net::IpAddr;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::SockAddr;

use crate::io::ancillary::Ancillary;
use crate::io::sockets::Sockets;
use crate::path::{Path, Source};

/// Milliseconds to wait for room in the socket's buffer before a datagram counts as refused.
const PATIENCE: i32 = 100;

pub struct Outcome {
    /// How many datagrams the system refused.
    pub refused: usize,
    /// Learned because they are too big for the path: they went as fragments.
    pub path_mtu: Option<usize>,
}

impl Sockets {
    /// Send datagrams of `segment` bytes, the last perhaps shorter, in order.
    pub fn send(&self, path: &Path, traffic_class: u8, datagrams: &[u8], segment: usize, patient: bool) -> Outcome {
        let Some(socket) = self.for_family(path.address.is_ipv6()) else {
            // The host does not have this family.
            return Outcome { refused: datagrams.len().div_ceil(segment), path_mtu: None };
        };
        if self.is_blackhole(path.address.is_ipv6()) {
            return Outcome { refused: 0, path_mtu: None };
        }
        let call = Call { sockets: self, socket, address: path.address, traffic_class, patient: Cell::new(patient) };
        let source = path.source.filter(|source| !self.is_dead(source));
        if datagrams.len() > segment && self.may_send_train(&path.address, segment) {
            match call.send(datagrams, source.as_ref(), Some(segment)) {
                Ok(()) => return Outcome { refused: 0, path_mtu: None },
                Err(error) => {
                    let refused = call.send_singly(datagrams, segment, source.as_ref());
                    let was_the_source = source.is_some_and(|source| self.is_dead(&source));
                    let path_mtu = if was_the_source { None } else { self.learn_from_train(&error, &path.address) };
                    return Outcome { refused, path_mtu };
                }
            }
        }
        Outcome { refused: call.send_singly(datagrams, segment, source.as_ref()), path_mtu: None }
    }
}

/// What one train has in common.
struct Call<'a> {
    sockets: &'a Sockets,
    socket: BorrowedFd<'a>,
    address: SocketAddr,
    traffic_class: u8,
    patient: Cell<bool>,
}

impl Call<'_> {
    fn send_singly(&self, datagrams: &[u8], segment: usize, source: Option<&Source>) -> usize {
        datagrams.chunks(segment).filter(|datagram| self.send_one(datagram, source).is_err()).count()
    }

    /// A local address that is gone is given up: without it the datagram leaves.
    fn send_one(&self, datagram: &[u8], source: Option<&Source>) -> io::Result<()> {
        let Some(source) = source.filter(|source| !self.sockets.is_dead(source)) else {
            return self.send(datagram, None, None);
        };
        let outcome = self.send(datagram, Some(source), None);
        if !outcome.as_ref().is_err_and(is_about_the_source) {
            return outcome;
        }
        self.send(datagram, None, None)?;
        self.sockets.learn_dead(*source);
        Ok(())
    }

    /// One call; with a `segment` size the kernel cuts the bytes into datagrams.
    fn send(&self, bytes: &[u8], source: Option<&Source>, segment: Option<usize>) -> io::Result<()> {
        let address = SockAddr::from(self.address);
        let mut ancillary = Ancillary::new();
        if let Some(source) = source {
            push_source(&mut ancillary, source);
        }
        if self.traffic_class != 0 {
            let (level, kind) = if self.address.is_ipv6() {
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS)
            } else {
                (libc::IPPROTO_IP, libc::IP_TOS)
            };
            ancillary.push(level, kind, libc::c_int::from(self.traffic_class));
        }
        #[cfg(target_os = "linux")]
        if let Some(segment) = segment {
            ancillary.push(libc::SOL_UDP, libc::UDP_SEGMENT, segment as u16);
        }
        #[cfg(not(target_os = "linux"))]
        debug_assert!(segment.is_none(), "trains are Linux's");
        let mut part = libc::iovec { iov_base: bytes.as_ptr() as *mut _, iov_len: bytes.len() };
        // SAFETY: a msghdr of zeros is a valid one.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_name = address.as_ptr() as *mut _;
        message.msg_namelen = address.len();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        if ancillary.size() > 0 {
            message.msg_control = ancillary.as_mut_ptr();
            message.msg_controllen = ancillary.size() as _;
        }
        loop {
            // SAFETY: all that the message points to lives until the call returns; sendmsg only reads it.
            if unsafe { libc::sendmsg(self.socket.as_raw_fd(), &message, 0) } >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock if self.patient.get() && self.has_room() => {}
                _ => return Err(error),
            }
        }
    }

    /// Wait for room in the socket's buffer: a bounded time, and once in vain is enough.
    fn has_room(&self) -> bool {
        let mut set = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: one pollfd, which lives during the call.
        self.patient.set(unsafe { libc::poll(&mut set, 1, PATIENCE) } > 0);
        self.patient.get()
    }
}

/// Make the datagram leave from this local address.
///
/// The interface is left open, or a changed route could never take effect; a link-local address means
/// nothing without it.
fn push_source(ancillary: &mut Ancillary, source: &Source) {
    #[cfg(target_os = "linux")]
    match source.local {
        IpAddr::V4(local) => {
            let s_addr = u32::from_ne_bytes(local.octets());
            let information = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            ancillary.push(libc::IPPROTO_IP, libc::IP_PKTINFO, information);
        }
        IpAddr::V6(local) => {
            let information = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: local.octets() },
                ipi6_ifindex: if local.is_unicast_link_local() { source.interface } else { 0 },
            };
            ancillary.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, information);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (ancillary, source); // nothing receives one
}

fn is_about_the_source(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EADDRNOTAVAIL | libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENODEV)
    )
}
