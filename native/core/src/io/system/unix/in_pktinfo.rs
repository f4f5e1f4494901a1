//! The address that an IPv4 datagram came to, or is to leave from, where that is an in_pktinfo: Linux and macOS.

use std::net::{IpAddr, Ipv4Addr};

use crate::io::ancillary::Ancillary;
use crate::path::Source;

/// From an in_pktinfo, which starts with the interface; the system puts the local address `at` this place.
pub fn local_v4(value: &[u8], at: usize) -> Option<Source> {
    let interface = u32::from_ne_bytes(*value.first_chunk()?);
    let local: [u8; 4] = *value.get(at..)?.first_chunk()?;
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
