//! The address that an IPv4 datagram came to, or is to leave from, where that is an in_pktinfo: Linux and macOS.

use std::net::{IpAddr, Ipv4Addr};

use crate::io::ancillary::Ancillary;
use crate::path::Source;

/// From an in_pktinfo, which starts with the interface; the system puts the local address `at` this place.
pub const fn local_v4(value: &[u8], at: usize) -> Option<Source> {
    if value.len() < at + size_of::<Ipv4Addr>() {
        return None;
    }
    let local = Ipv4Addr::new(value[at], value[at + 1], value[at + 2], value[at + 3]);
    let interface = u32::from_ne_bytes([value[0], value[1], value[2], value[3]]);
    Some(Source { local: IpAddr::V4(local), interface })
}

pub const fn push_source_v4(ancillary: &mut Ancillary, local: Ipv4Addr) {
    let information = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    ancillary.push(libc::IPPROTO_IP, libc::IP_PKTINFO, information);
}
