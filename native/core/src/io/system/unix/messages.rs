//! Messages: several per receive call where the system can do that, one per send call.

#![allow(clippy::unnecessary_cast)] // the types of lengths differ from system to system

use std::io;
use std::mem::{replace, size_of, zeroed};
use std::os::fd::AsRawFd;

use socket2::{SockAddr, SockAddrStorage, Socket};

use crate::io::ancillary::Ancillary;
use crate::io::receive::{Inbox, MESSAGE_SIZE, MESSAGES};

pub const IPPROTO_IPV6: i32 = libc::IPPROTO_IPV6;
pub const IPV6_PKTINFO: i32 = libc::IPV6_PKTINFO;

/// Say which traffic class a datagram is to have.
pub const fn push_class(ancillary: &mut Ancillary, is_ipv6: bool, class: u8) {
    if is_ipv6 {
        ancillary.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, class as libc::c_int);
    } else if cfg!(target_os = "freebsd") {
        ancillary.push(libc::IPPROTO_IP, libc::IP_TOS, class);
    } else {
        ancillary.push(libc::IPPROTO_IP, libc::IP_TOS, class as libc::c_int);
    }
}

/// One call.
pub fn send_message(socket: &Socket, address: &SockAddr, bytes: &[u8], ancillary: &mut Ancillary) -> io::Result<()> {
    let mut part = libc::iovec { iov_base: bytes.as_ptr() as *mut _, iov_len: bytes.len() };
    // SAFETY: a msghdr of zeros is a valid one.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_name = address.as_ptr() as *mut _;
    message.msg_namelen = address.len();
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if ancillary.size() > 0 {
        message.msg_control = ancillary.as_mut_ptr();
        message.msg_controllen = ancillary.size() as _;
    }
    // SAFETY: all that the message points to lives until the call returns; sendmsg only reads it.
    if unsafe { libc::sendmsg(socket.as_raw_fd(), &message, 0) } >= 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

impl Inbox {
    /// Take in what waits, as far as there is room. An error of the kind WouldBlock says that nothing waits.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<()> {
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
            self.push(start..start + size, address, number);
        }
        Ok(())
    }
}

#[cfg(not(target_os = "macos"))]
#[repr(transparent)]
struct Message(libc::mmsghdr);

#[cfg(not(target_os = "macos"))]
impl Message {
    fn header(&mut self) -> &mut libc::msghdr {
        &mut self.0.msg_hdr
    }

    fn size(&self) -> usize {
        self.0.msg_len as usize
    }
}

#[cfg(not(target_os = "macos"))]
fn receive_messages(socket: &Socket, messages: &mut [Message]) -> io::Result<usize> {
    // SAFETY: as many messages as the length says; all they point to is exclusively the caller's.
    let count = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr().cast(),
            messages.len() as _,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    };
    usize::try_from(count as isize).map_err(|_| io::Error::last_os_error())
}

/// Elsewhere: one message per call.
#[cfg(target_os = "macos")]
struct Message {
    header: libc::msghdr,
    size: usize,
}

#[cfg(target_os = "macos")]
impl Message {
    fn header(&mut self) -> &mut libc::msghdr {
        &mut self.header
    }

    fn size(&self) -> usize {
        self.size
    }
}

#[cfg(target_os = "macos")]
fn receive_messages(socket: &Socket, messages: &mut [Message]) -> io::Result<usize> {
    // SAFETY: all that the message points to is exclusively the caller's.
    let size = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut messages[0].header, libc::MSG_DONTWAIT) };
    messages[0].size = usize::try_from(size).map_err(|_| io::Error::last_os_error())?;
    Ok(1)
}
