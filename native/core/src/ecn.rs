//! Congestion marks through the tunnel, as the kernel's WireGuard has them (RFC 6040).
//!
//! Going out, the outer header takes the inner ECN field, but never "congestion experienced", which is
//! for routers to say. Coming in, "congestion experienced" on the outer header is carried over to an
//! inner packet that can express it.

use crate::checksum;

const MASK: u8 = 3;
const ECT0: u8 = 2;
const CE: u8 = 3;

/// The traffic class of the datagram that carries this IP packet.
pub fn outer_class(packet: &[u8]) -> u8 {
    let ecn = if packet[0] >> 4 == 4 { packet[1] } else { packet[1] >> 4 } & MASK;
    if ecn == CE { ECT0 } else { ecn }
}

/// Mark an IP packet of at least header size that came in a datagram of this traffic class.
pub fn mark_inner(outer: u8, packet: &mut [u8]) {
    if outer & MASK != CE {
        return;
    }
    if packet[0] >> 4 == 6 {
        if !matches!(packet[1] >> 4 & MASK, 0 | CE) {
            packet[1] |= CE << 4;
        }
    } else if !matches!(packet[1] & MASK, 0 | CE) {
        let size = (packet[0] & 15) as usize * 4;
        if !(20..=packet.len()).contains(&size) {
            return;
        }
        packet[1] |= CE;
        packet[10..12].fill(0);
        let check = !checksum::fold(checksum::sum(&packet[..size], 0));
        packet[10..12].copy_from_slice(&check.to_be_bytes());
    }
}
