//! Segmentation and merging of packets at the TUN, as the kernel speaks of it in virtio headers.
//!
//! The kernel hands us TCP and UDP packets of up to 64 KiB with the size of their segments; `split` makes
//! the segments. It takes such packets too; `merge` makes them of consecutive packets of a flow.

pub mod merge;
pub mod split;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod virtio;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Within a TCP header.
const TCP_FLAGS: usize = 13;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const CWR: u8 = 0x80;
/// Where the checksum is within the transport header.
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;

fn read16(packet: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([packet[at], packet[at + 1]])
}

fn write16(packet: &mut [u8], at: usize, value: u16) {
    packet[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

fn read32(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
}

/// The addresses of an IP header of full length.
fn addresses(packet: &[u8]) -> &[u8] {
    if packet[0] >> 4 == 4 { &packet[12..20] } else { &packet[8..40] }
}

/// Put the right checksum into an IPv4 header.
fn complete_ipv4_header(header: &mut [u8]) {
    write16(header, 10, 0);
    let check = !crate::checksum::fold(crate::checksum::sum(header, 0));
    write16(header, 10, check);
}

/// A UDP checksum of zero would say that there is none.
fn udp_checksum(check: u16) -> u16 {
    if check == 0 { 0xffff } else { check }
}
