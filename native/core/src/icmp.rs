//! Errors for a local sender whose packet has nowhere to go, or is too big for the way there.
//!
//! As the kernel's WireGuard does, so that a program sees "host unreachable" at once instead of
//! waiting for a timeout. Sources: RFC 792, RFC 1191, RFC 4443 (2.4, 3.1, 3.2), RFC 1812 (4.3.2.7).

use crate::allowance::Allowance;
use crate::checksum;

const HEADER4: usize = 20;
const HEADER6: usize = 40;
const ICMP_HEADER: usize = 8;
// Errors stay within what every host takes.
const QUOTE4: usize = 576 - HEADER4 - ICMP_HEADER;
const QUOTE6: usize = 1280 - HEADER6 - ICMP_HEADER;
const ICMPV4: u8 = 1;
const ICMPV6: u8 = 58;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    Unreachable,
    /// Of more bytes than this.
    TooBig(usize),
}

/// Whether the sender wants to hear that this packet is too big, and can do something about it: below
/// its minimum MTU IPv6 does not go.
pub fn may_be_too_big(header: &[u8], limit: usize) -> bool {
    if header[0] >> 4 == 4 { header[6] & 0x40 != 0 } else { limit >= 1280 }
}

/// Makes errors, at a bounded rate.
#[derive(Default)]
pub struct IcmpErrors {
    allowance: Allowance<100, 20>,
}

impl IcmpErrors {
    /// The error for a packet of at least header size; None where there must be none.
    pub fn answer(&mut self, now: u64, packet: &[u8], problem: Problem) -> Option<Vec<u8>> {
        let is_v4 = packet[0] >> 4 == 4;
        if !(if is_v4 { may_answer4(packet) } else { may_answer6(packet) }) {
            return None;
        }
        if !self.allowance.take(now) {
            return None;
        }
        Some(if is_v4 { error4(packet, problem) } else { error6(packet, problem) })
    }
}

fn may_answer4(packet: &[u8]) -> bool {
    let is_first_fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff == 0;
    // No error to multicast, broadcast or nobody.
    if !is_first_fragment || packet[12] >= 224 || packet[16] >= 224 || packet[12..16] == [0; 4] {
        return false;
    }
    // Echo and timestamp are ICMP messages that are no errors.
    let header = (packet[0] & 15) as usize * 4;
    packet[9] != ICMPV4 || packet.get(header).is_some_and(|kind| matches!(kind, 0 | 8 | 13 | 14))
}

fn may_answer6(packet: &[u8]) -> bool {
    if packet[8] == 0xff || packet[24] == 0xff || packet[8..24] == [0; 16] {
        return false;
    }
    packet[6] != ICMPV6 || packet.get(40).is_some_and(|kind| *kind >= 128) // below are errors
}

fn checksum_of(parts: &[&[u8]]) -> [u8; 2] {
    (!checksum::fold(parts.iter().fold(0, |sum, part| checksum::sum(part, sum)))).to_be_bytes()
}

/// Host unreachable or fragmentation needed, in the name of the host that can't be reached.
fn error4(packet: &[u8], problem: Problem) -> Vec<u8> {
    let quote = &packet[..packet.len().min(QUOTE4)];
    let mut icmp = [3, 1, 0, 0, 0, 0, 0, 0];
    if let Problem::TooBig(limit) = problem {
        icmp[1] = 4;
        icmp[6..].copy_from_slice(&(limit as u16).to_be_bytes());
    }
    let check = checksum_of(&[&icmp, quote]);
    icmp[2..4].copy_from_slice(&check);
    let size = (HEADER4 + ICMP_HEADER + quote.len()) as u16;
    let mut header = [0; HEADER4];
    header[..2].copy_from_slice(&[0x45, 0xc0]);
    header[2..4].copy_from_slice(&size.to_be_bytes());
    header[8..10].copy_from_slice(&[64, ICMPV4]);
    header[12..16].copy_from_slice(&packet[16..20]);
    header[16..20].copy_from_slice(&packet[12..16]);
    let check = checksum_of(&[&header]);
    header[10..12].copy_from_slice(&check);
    [&header[..], &icmp, quote].concat()
}

/// Address unreachable or packet too big, in the name of the host that can't be reached.
fn error6(packet: &[u8], problem: Problem) -> Vec<u8> {
    let quote = &packet[..packet.len().min(QUOTE6)];
    let length = (ICMP_HEADER + quote.len()) as u16;
    let mut header = [0; HEADER6];
    header[0] = 0x60;
    header[4..6].copy_from_slice(&length.to_be_bytes());
    header[6..8].copy_from_slice(&[ICMPV6, 64]);
    header[8..24].copy_from_slice(&packet[24..40]);
    header[24..40].copy_from_slice(&packet[8..24]);
    let mut icmp = [1, 3, 0, 0, 0, 0, 0, 0];
    if let Problem::TooBig(limit) = problem {
        icmp[..2].copy_from_slice(&[2, 0]);
        icmp[4..].copy_from_slice(&(limit as u32).to_be_bytes());
    }
    let pseudo = u32::from(length).to_be_bytes();
    let check = checksum_of(&[&header[8..], &pseudo, &u32::from(ICMPV6).to_be_bytes(), &icmp, quote]);
    icmp[2..4].copy_from_slice(&check);
    [&header[..], &icmp, quote].concat()
}
