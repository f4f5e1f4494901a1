//! Control messages of FreeBSD and OpenBSD. Sources: ip(4), ip6(4).
//!
//! An IPv4 datagram brings the bare address that it came to, and the interface in a message of its own.

use std::net::{IpAddr, Ipv4Addr};

use crate::io::ancillary::Ancillary;
use crate::io::system::Role;
use crate::path::Source;

pub use super::no_trains::{path_mtu, push_train};

/// The traffic class of an IPv4 datagram, which OpenBSD does not tell.
#[cfg(target_os = "freebsd")]
const RECEIVED_TOS: i32 = libc::IP_RECVTOS;
#[cfg(not(target_os = "freebsd"))]
const RECEIVED_TOS: i32 = -1;
/// The same number for both directions.
const IP_SENDSRCADDR: i32 = libc::IP_RECVDSTADDR;

pub const fn role(level: i32, kind: i32) -> Role {
    match (level, kind) {
        (libc::IPPROTO_IP, libc::IP_RECVDSTADDR) | (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => Role::Local,
        (libc::IPPROTO_IP, libc::IP_RECVIF) => Role::Interface,
        (libc::IPPROTO_IP, RECEIVED_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => Role::Class,
        _ => Role::Other,
    }
}

/// From an in_addr.
pub const fn local_v4(value: &[u8]) -> Option<Source> {
    let &[a, b, c, d] = value else { return None };
    Some(Source { local: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), interface: 0 })
}

pub const fn push_source_v4(ancillary: &mut Ancillary, local: Ipv4Addr) {
    ancillary.push(libc::IPPROTO_IP, IP_SENDSRCADDR, local.octets());
}
