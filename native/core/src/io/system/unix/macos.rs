//! Control messages of macOS. Sources: ip(4), ip6(4), netinet/in.h.

use crate::io::system::Role;

pub use super::in_pktinfo::{local_v4, push_source_v4};
pub use super::no_trains::{path_mtu, push_train};

pub fn role(level: i32, kind: i32) -> Role {
    match (level, kind) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) | (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => Role::Local,
        (libc::IPPROTO_IP, libc::IP_RECVTOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => Role::Class,
        _ => Role::Other,
    }
}
