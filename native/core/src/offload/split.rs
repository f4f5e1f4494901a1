//! What a read from the TUN stands for: one packet, or the segments of a big one.
//!
//! All is checked once, in `parse`; whatever the kernel says, nothing is read or written out of bounds.

use super::*;
use crate::checksum::{fold, pseudo_header, sum};
use crate::offload::virtio::*;

/// A header that does not fit its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

pub struct Segments<'a> {
    packet: &'a [u8],
    /// None: the packet is complete as it is.
    cut: Option<Cut>,
}

/// How to cut a packet.
struct Cut {
    is_v6: bool,
    protocol: u8,
    /// Where the transport header begins, and where the payload.
    transport: usize,
    payload: usize,
    /// Payload bytes of each segment but the last.
    size: usize,
    count: usize,
}

impl<'a> Segments<'a> {
    /// Look through a packet; its checksum is completed if the kernel left that to us.
    pub fn parse(header: &VirtioHeader, packet: &'a mut [u8]) -> Result<Self, Malformed> {
        let cut = match header.gso_type & !GSO_ECN {
            GSO_NONE => {
                if header.flags & NEEDS_CSUM != 0 {
                    complete_checksum(header, packet)?;
                }
                None
            }
            GSO_TCPV4 => Some(Cut::new(header, packet, 4, TCP)?),
            GSO_TCPV6 => Some(Cut::new(header, packet, 6, TCP)?),
            GSO_UDP_L4 => Some(Cut::new(header, packet, packet.first().map_or(0, |first| first >> 4), UDP)?),
            _ => return Err(Malformed),
        };
        Ok(Segments { packet, cut })
    }

    pub fn count(&self) -> usize {
        self.cut.as_ref().map_or(1, |cut| cut.count)
    }

    /// Bytes of one segment, headers included.
    pub fn size(&self, number: usize) -> usize {
        match &self.cut {
            None => self.packet.len(),
            Some(cut) => (cut.payload + (number + 1) * cut.size).min(self.packet.len()) - number * cut.size,
        }
    }

    /// The headers of the big packet: those of the first segment but for lengths and checksums.
    pub fn first_header(&self) -> &[u8] {
        self.cut.as_ref().map_or(self.packet, |cut| &self.packet[..cut.payload])
    }

    /// Write one segment into `out`, which has its size.
    pub fn write(&self, number: usize, out: &mut [u8]) {
        match &self.cut {
            None => out.copy_from_slice(self.packet),
            Some(cut) => cut.write(self.packet, number, out),
        }
    }
}

impl Cut {
    fn new(header: &VirtioHeader, packet: &[u8], version: u8, protocol: u8) -> Result<Self, Malformed> {
        let transport = header.csum_start as usize;
        let size = header.gso_size as usize;
        let check = |good: bool| good.then_some(()).ok_or(Malformed);
        check(size > 0 && packet.first().is_some_and(|first| first >> 4 == version))?;
        match version {
            // Options are carried along in every segment.
            4 => {
                check(packet.len() >= IPV4_HEADER && packet[9] == protocol)?;
                check((packet[0] & 15) as usize * 4 == transport && transport >= IPV4_HEADER)?;
            }
            // So are extension headers.
            6 => check(transport >= IPV6_HEADER)?,
            _ => return Err(Malformed),
        }
        let payload = match protocol {
            TCP => {
                check(header.csum_offset as usize == TCP_CHECKSUM && packet.len() >= transport + 20)?;
                let length = (packet[transport + 12] >> 4) as usize * 4;
                check(length >= 20)?;
                transport + length
            }
            _ => {
                check(header.csum_offset as usize == UDP_CHECKSUM)?;
                transport + UDP_HEADER
            }
        };
        check(packet.len() >= payload)?;
        let count = (packet.len() - payload).div_ceil(size).max(1);
        Ok(Cut { is_v6: version == 6, protocol, transport, payload, size, count })
    }

    fn write(&self, packet: &[u8], number: usize, out: &mut [u8]) {
        let Cut { transport, payload, .. } = *self;
        let (start, total) = (payload + number * self.size, out.len());
        out[..payload].copy_from_slice(&packet[..payload]);
        out[payload..].copy_from_slice(&packet[start..start + total - payload]);
        if self.is_v6 {
            write16(out, 4, (total - IPV6_HEADER) as u16);
        } else {
            write16(out, 2, total as u16);
            write16(out, 4, read16(packet, 4).wrapping_add(number as u16));
            complete_ipv4_header(&mut out[..transport]);
        }
        let pseudo = pseudo_header(addresses(packet), self.protocol, total - transport);
        let segment = &mut out[transport..];
        if self.protocol == TCP {
            let sequence = read32(segment, 4).wrapping_add((number * self.size) as u32);
            segment[4..8].copy_from_slice(&sequence.to_be_bytes());
            if number + 1 < self.count {
                segment[TCP_FLAGS] &= !(FIN | PSH);
            }
            if number > 0 {
                segment[TCP_FLAGS] &= !CWR;
            }
            write16(segment, TCP_CHECKSUM, 0);
            let check = !fold(sum(segment, pseudo));
            write16(segment, TCP_CHECKSUM, check);
        } else {
            write16(segment, 4, (total - transport) as u16);
            write16(segment, UDP_CHECKSUM, 0);
            let check = udp_checksum(!fold(sum(segment, pseudo)));
            write16(segment, UDP_CHECKSUM, check);
        }
    }
}

/// The field holds the sum of the pseudo header; add the rest.
fn complete_checksum(header: &VirtioHeader, packet: &mut [u8]) -> Result<(), Malformed> {
    let (start, offset) = (header.csum_start as usize, header.csum_offset as usize);
    let field = start + offset;
    if start >= packet.len() || field + 2 > packet.len() {
        return Err(Malformed);
    }
    let check = !fold(sum(&packet[start..], 0));
    write16(packet, field, if offset == UDP_CHECKSUM { udp_checksum(check) } else { check });
    Ok(())
}
