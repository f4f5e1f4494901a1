//! Receiving: several messages per call, each of which may be a train of datagrams (UDP_GRO).

#![allow(clippy::unnecessary_cast)] // the types of lengths differ from system to system

use std::io;
use std::mem::{replace, size_of, zeroed};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{SockAddr, SockAddrStorage};

use crate::io::ancillary::Ancillary;
use crate::path::{Path, Source};

/// Bytes of the biggest message: a datagram, or a train.
const MESSAGE_SIZE: usize = 65_536;
/// Messages per call. Enough that a flood of small ones costs few calls; trains come in ones and twos,
/// and a bulk transfer stays within the processor's cache.
const MESSAGES: usize = 16;

/// One receive call: datagrams that came together by one path.
pub struct Received {
    /// Where in `Inbox::buffer`.
    pub at: Range<usize>,
    /// Bytes of each datagram; the last may be shorter.
    pub segment: usize,
    pub path: Path,
    pub traffic_class: u8,
}

/// The buffers that a thread receives into.
pub struct Inbox {
    pub buffer: Vec<u8>,
    names: [SockAddrStorage; MESSAGES],
    ancillary: [Ancillary; MESSAGES],
    pub received: Vec<Received>,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox {
            buffer: vec![0; MESSAGES * MESSAGE_SIZE], // untouched pages cost nothing
            names: std::array::from_fn(|_| SockAddrStorage::zeroed()),
            ancillary: std::array::from_fn(|_| Ancillary::new()),
            received: Vec::with_capacity(MESSAGES),
        }
    }
}

impl Inbox {
    /// Take in what waits, as far as there is room. An error of the kind WouldBlock says that nothing waits.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.received.clear();
        let mut parts: [libc::iovec; MESSAGES] = std::array::from_fn(|number| libc::iovec {
            iov_base: self.buffer[number * MESSAGE_SIZE..].as_mut_ptr().cast(),
            iov_len: MESSAGE_SIZE,
        });
        let mut messages: [Message; MESSAGES] = std::array::from_fn(|number| {
            // SAFETY: a message header of zeros is a valid one.
            let mut message: Message = unsafe { zeroed() };
            let header = message.header();
            header.msg_name = (&raw mut self.names[number]).cast();
            header.msg_namelen = size_of::<SockAddrStorage>() as _;
            header.msg_iov = &mut parts[number];
            header.msg_iovlen = 1;
            header.msg_control = self.ancillary[number].as_mut_ptr();
            header.msg_controllen = Ancillary::CAPACITY as _;
            message
        });
        let count = receive_messages(socket, &mut messages)?;
        for (number, message) in messages[..count].iter_mut().enumerate() {
            let (size, header) = (message.size(), message.header());
            self.ancillary[number].set_size(header.msg_controllen as usize);
            let name = replace(&mut self.names[number], SockAddrStorage::zeroed());
            // SAFETY: the kernel wrote an address of this length.
            let name = unsafe { SockAddr::new(name, header.msg_namelen) };
            let Some(address) = name.as_socket() else { continue };
            let start = number * MESSAGE_SIZE;
            self.received.push(interpret(start..start + size, address, &self.ancillary[number]));
        }
        Ok(())
    }
}

fn interpret(at: Range<usize>, mut address: SocketAddr, ancillary: &Ancillary) -> Received {
    if let SocketAddr::V6(v6) = &mut address {
        v6.set_flowinfo(0); // says nothing about where the sender is
    }
    let (mut segment, mut source, mut traffic_class) = (at.len(), None, 0);
    for (level, kind, value) in ancillary.iter() {
        match (level, kind) {
            #[cfg(target_os = "linux")]
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let size = value.first_chunk().map_or(0, |size| i32::from_ne_bytes(*size));
                segment = usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(segment);
            }
            #[cfg(target_os = "linux")]
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => source = source_v4(value),
            #[cfg(target_os = "linux")]
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => source = source_v6(value),
            (libc::IPPROTO_IP, libc::IP_TOS) => traffic_class = value.first().copied().unwrap_or(0), // one byte
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                traffic_class = value.first_chunk().map_or(0, |class| i32::from_ne_bytes(*class) as u8);
            }
            _ => {}
        }
    }
    Received { at, segment, path: Path { address, source }, traffic_class }
}

/// From an in_pktinfo: interface, local address, destination address.
#[cfg(target_os = "linux")]
fn source_v4(value: &[u8]) -> Option<Source> {
    let interface = i32::from_ne_bytes(*value.first_chunk()?) as u32;
    let local: [u8; 4] = value.get(4..8)?.try_into().ok()?;
    Some(Source { local: IpAddr::from(local), interface })
}

/// From an in6_pktinfo: local address, interface.
#[cfg(target_os = "linux")]
fn source_v6(value: &[u8]) -> Option<Source> {
    let local: [u8; 16] = *value.first_chunk()?;
    let interface = u32::from_ne_bytes(value.get(16..20)?.try_into().ok()?);
    Some(Source { local: IpAddr::from(local), interface })
}

#[cfg(target_os = "linux")]
#[repr(transparent)]
struct Message(libc::mmsghdr);

#[cfg(target_os = "linux")]
impl Message {
    fn header(&mut self) -> &mut libc::msghdr {
        &mut self.0.msg_hdr
    }

    fn size(&self) -> usize {
        self.0.msg_len as usize
    }
}

#[cfg(target_os = "linux")]
fn receive_messages(socket: BorrowedFd<'_>, messages: &mut [Message]) -> io::Result<usize> {
    // SAFETY: as many messages as the length says; all they point to is exclusively the caller's.
    let count = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr().cast(),
            messages.len() as libc::c_uint,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Elsewhere: one message per call.
#[cfg(not(target_os = "linux"))]
struct Message {
    header: libc::msghdr,
    size: usize,
}

#[cfg(not(target_os = "linux"))]
impl Message {
    fn header(&mut self) -> &mut libc::msghdr {
        &mut self.header
    }

    fn size(&self) -> usize {
        self.size
    }
}

#[cfg(not(target_os = "linux"))]
fn receive_messages(socket: BorrowedFd<'_>, messages: &mut [Message]) -> io::Result<usize> {
    // SAFETY: all that the message points to is exclusively the caller's.
    let size = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut messages[0].header, libc::MSG_DONTWAIT) };
    messages[0].size = usize::try_from(size).map_err(|_| io::Error::last_os_error())?;
    Ok(1)
}
