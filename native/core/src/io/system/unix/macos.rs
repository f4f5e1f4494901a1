//! Control messages of macOS. Sources: ip(4), ip6(4), netinet/in.h.

use std::mem::offset_of;

use super::in_pktinfo;
use crate::io::system::Role;
use crate::path::Source;

pub use super::in_pktinfo::push_source_v4;
pub use super::no_trains::{path_mtu, push_train};

pub const fn role(level: i32, kind: i32) -> Role {
    match (level, kind) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) | (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => Role::Local,
        (libc::IPPROTO_IP, libc::IP_RECVTOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => Role::Class,
        _ => Role::Other,
    }
}

/// ipi_spec_dst, which names the source when sending, is zero in what comes.
pub const fn local_v4(value: &[u8]) -> Option<Source> {
    in_pktinfo::local_v4(value, offset_of!(libc::in_pktinfo, ipi_addr))
}
