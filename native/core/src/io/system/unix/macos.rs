//! Control messages of macOS. Sources: ip(4), ip6(4), netinet/in.h.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::Socket;

use crate::io::ancillary::Ancillary;
use crate::io::system::Role;
use crate::path::Source;

pub fn role(level: i32, kind: i32) -> Role {
    match (level, kind) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) | (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => Role::Local,
        (libc::IPPROTO_IP, libc::IP_RECVTOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => Role::Class,
        _ => Role::Other,
    }
}

/// From an in_pktinfo: interface, local address, destination address.
pub fn local_v4(value: &[u8]) -> Option<Source> {
    let interface = u32::from_ne_bytes(*value.first_chunk()?);
    let local: [u8; 4] = value.get(4..8)?.try_into().ok()?;
    Some(Source { local: IpAddr::from(local), interface })
}

pub fn push_source_v4(ancillary: &mut Ancillary, local: Ipv4Addr) {
    let information = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    ancillary.push(libc::IPPROTO_IP, libc::IP_PKTINFO, information);
}

pub fn push_train(_: &mut Ancillary, _: usize) {
    unreachable!("there are no trains here");
}

pub fn path_mtu(_: &Socket, _: &SocketAddr) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into()) // nothing is refused for its size here
}
