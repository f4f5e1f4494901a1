//! Control messages of Linux. Sources: ip(7), ipv6(7), udp(7).

use std::io;
use std::mem::offset_of;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use socket2::{Domain, Socket, Type};

use super::in_pktinfo;
use crate::io::ancillary::Ancillary;
use crate::io::system::Role;
use crate::path::Source;

pub use super::in_pktinfo::push_source_v4;

pub const fn role(level: i32, kind: i32) -> Role {
    match (level, kind) {
        (libc::SOL_UDP, libc::UDP_GRO) => Role::Segment,
        (libc::IPPROTO_IP, libc::IP_PKTINFO) | (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => Role::Local,
        (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => Role::Class,
        _ => Role::Other,
    }
}

/// ipi_spec_dst is an address of ours even where the datagram went to a broadcast address.
pub const fn local_v4(value: &[u8]) -> Option<Source> {
    in_pktinfo::local_v4(value, offset_of!(libc::in_pktinfo, ipi_spec_dst))
}

/// Have the kernel cut the bytes into datagrams of this size.
pub fn push_train(ancillary: &mut Ancillary, segment: usize) {
    ancillary.push(libc::SOL_UDP, libc::UDP_SEGMENT, segment as u16);
}

/// What the kernel knows about the way that a datagram of this socket to this address takes.
pub fn path_mtu(socket: &Socket, address: &SocketAddr) -> io::Result<usize> {
    let probe = Socket::new(Domain::for_address(*address), Type::DGRAM.cloexec(), None)?;
    probe.set_mark(socket.mark()?).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Ok(()), // then ours has none either
        _ => Err(error),
    })?;
    probe.connect(&(*address).into())?; // sends nothing
    let (level, name) =
        if address.is_ipv6() { (libc::IPPROTO_IPV6, libc::IPV6_MTU) } else { (libc::IPPROTO_IP, libc::IP_MTU) };
    let mut mtu: libc::c_int = 0;
    let mut size = size_of_val(&mtu) as libc::socklen_t;
    // SAFETY: writes at most `size` bytes to an integer that has them.
    let status = unsafe { libc::getsockopt(probe.as_raw_fd(), level, name, (&raw mut mtu).cast(), &mut size) };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(usize::try_from(mtu).unwrap_or(0)) }
}
