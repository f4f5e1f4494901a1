//! Makes big packets of consecutive ones of a flow, for one write to the TUN each.
//!
//! No payload is copied: a merged packet is the first one, with its headers changed in place, and the
//! payloads of the others. What the kernel makes of it when it cuts it again must be what was there: all
//! header fields that it derives or repeats have to agree. Packets of one flow keep their order; what
//! can't be merged closes its flow's group, so that nothing later goes before it.

use std::ops::Range;

use super::*;
use crate::checksum::{fold, pseudo_header, sum};
use crate::offload::virtio::*;

/// Kernels since 6.6.44 refuse more segments of UDP.
pub const MAX_PARTS: usize = 64;
const MAX_SIZE: usize = 65_535;
/// Flows that are looked for at the same time.
const MAX_OPEN: usize = 16;

/// Packets that go as one, and what the next one must be like.
struct Group {
    /// The first packet, then payloads.
    parts: Vec<Range<usize>>,
    /// Where headers end in the first packet; 0: this packet is alone.
    transport: usize,
    payload: usize,
    /// Payload bytes of every part but the last, and of all together.
    segment: usize,
    total: usize,
    is_open: bool,
    is_verified: bool,
}

/// Where a TCP or UDP packet has what.
struct Layout {
    is_tcp: bool,
    transport: usize,
    payload: usize,
    /// Whether it could go with others.
    is_mergeable: bool,
}

#[derive(Default)]
pub struct Merger {
    groups: Vec<Group>,
    /// How many of them are in use; the others are kept for their memory.
    used: usize,
    tcp: bool,
    udp: bool,
}

impl Merger {
    /// What the kernel takes merged.
    pub fn allow(&mut self, tcp: bool, udp: bool) {
        (self.tcp, self.udp) = (tcp, udp);
    }

    /// The next packet of a batch, an IP packet of at least header size.
    pub fn push(&mut self, buffer: &mut [u8], at: Range<usize>) {
        let packet = &buffer[at.clone()];
        let Some(layout) = Layout::of(packet) else {
            // A fragment, or something else that may belong to any flow.
            self.groups[..self.used].iter_mut().rev().take(MAX_OPEN).for_each(|group| group.is_open = false);
            return self.begin(at, None);
        };
        let allowed = if layout.is_tcp { self.tcp } else { self.udp };
        let newest_first = self.groups[..self.used].iter_mut().rev().take(MAX_OPEN);
        for group in newest_first {
            if group.is_open && group.is_same_flow(buffer, packet, &layout) {
                if layout.is_mergeable && allowed && group.takes(buffer, packet, &layout) {
                    return group.append(packet, &layout, at);
                }
                group.is_open = false;
                break;
            }
        }
        self.begin(at, (layout.is_mergeable && allowed).then_some(layout));
    }

    fn begin(&mut self, at: Range<usize>, layout: Option<Layout>) {
        if self.used == self.groups.len() {
            self.groups.push(Group {
                parts: Vec::new(),
                transport: 0,
                payload: 0,
                segment: 0,
                total: 0,
                is_open: false,
                is_verified: false,
            });
        }
        let group = &mut self.groups[self.used];
        self.used += 1;
        group.parts.clear();
        group.is_verified = false;
        group.is_open = layout.is_some();
        if let Some(layout) = layout {
            group.transport = layout.transport;
            group.payload = layout.payload;
            group.segment = at.len() - layout.payload;
            group.total = group.segment;
        }
        group.parts.push(at);
    }

    /// Hand over what was pushed: for each write the header, and the places of its parts in the buffer.
    pub fn drain(&mut self, buffer: &mut [u8], mut write: impl FnMut(&[u8], &VirtioHeader, &[Range<usize>])) {
        for group in &self.groups[..self.used] {
            let header = if group.parts.len() > 1 { group.finish(buffer) } else { VirtioHeader::default() };
            write(buffer, &header, &group.parts);
        }
        self.used = 0;
    }
}

impl Layout {
    /// None for what has no ports, or hides them.
    fn of(packet: &[u8]) -> Option<Self> {
        let (transport, protocol, length) = match packet[0] >> 4 {
            4 if packet[0] & 15 == 5 && read16(packet, 6) & 0x3fff == 0 => {
                (IPV4_HEADER, packet[9], read16(packet, 2) as usize)
            }
            6 => (IPV6_HEADER, packet[6], read16(packet, 4) as usize + IPV6_HEADER),
            _ => return None,
        };
        let (is_tcp, payload) = match protocol {
            TCP if packet.len() >= transport + 20 => (true, transport + (packet[transport + 12] >> 4) as usize * 4),
            UDP if packet.len() >= transport + UDP_HEADER => (false, transport + UDP_HEADER),
            _ => return None,
        };
        let is_plain = if is_tcp {
            payload >= transport + 20
                && packet[transport + TCP_FLAGS] & !PSH == ACK
                && read16(packet, transport + 18) == 0 // no urgent data
        } else {
            // Zero says that there is no checksum; merged, it would get one.
            read16(packet, transport + UDP_CHECKSUM) != 0
                && read16(packet, transport + 4) as usize == packet.len() - transport
        };
        let is_mergeable = is_plain && packet.len() > payload && packet.len() == length;
        Some(Layout { is_tcp, transport, payload, is_mergeable })
    }
}

impl Group {
    fn head<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        &buffer[self.parts[0].clone()]
    }

    /// Same protocol, addresses and ports.
    fn is_same_flow(&self, buffer: &[u8], packet: &[u8], layout: &Layout) -> bool {
        let (head, transport) = (self.head(buffer), self.transport);
        let ports = transport..transport + 4;
        // With the transport's place the version agrees.
        transport == layout.transport
            && head[ports.clone()] == packet[ports]
            && addresses(head) == addresses(packet)
            && protocol(head) == protocol(packet)
    }

    /// Whether a packet of the same flow, mergeable by itself, continues this group.
    fn takes(&mut self, buffer: &[u8], packet: &[u8], layout: &Layout) -> bool {
        let (head, transport) = (self.head(buffer), self.transport);
        let size = packet.len() - layout.payload;
        let is_next = self.payload == layout.payload
            && size <= self.segment
            && self.total % self.segment == 0 // no short one yet
            && self.payload + self.total + size <= MAX_SIZE
            && self.parts.len() < MAX_PARTS
            && self.agrees_in_ip(head, packet)
            && (!layout.is_tcp || self.agrees_in_tcp(&head[transport..], &packet[transport..]));
        if !is_next {
            return false;
        }
        if !self.is_verified {
            if !is_verified(head, transport) {
                return false;
            }
            self.is_verified = true;
        }
        is_verified(packet, transport)
    }

    fn agrees_in_ip(&self, head: &[u8], packet: &[u8]) -> bool {
        if self.transport == IPV6_HEADER {
            return head[..4] == packet[..4] && head[7] == packet[7]; // traffic class, flow label; hop limit
        }
        const DONT_FRAGMENT: u8 = 0x40;
        let is_next_id = read16(head, 4).wrapping_add(self.parts.len() as u16) == read16(packet, 4);
        head[1] == packet[1] // type of service
            && head[6] == packet[6] // flags
            && head[8] == packet[8] // time to live
            && (is_next_id || head[6] & DONT_FRAGMENT != 0)
    }

    fn agrees_in_tcp(&self, head: &[u8], packet: &[u8]) -> bool {
        let header = self.payload - self.transport;
        head[TCP_FLAGS] & PSH == 0
            && read32(head, 4).wrapping_add(self.total as u32) == read32(packet, 4)
            && head[8..12] == packet[8..12] // acknowledgement
            && head[12] == packet[12] // length of the header
            && head[14..16] == packet[14..16] // window
            && head[20..header] == packet[20..header] // options
    }

    fn append(&mut self, packet: &[u8], layout: &Layout, at: Range<usize>) {
        self.total += at.len() - layout.payload;
        // PSH ends a group; the flag itself is taken over when the group is finished.
        self.is_open = !(layout.is_tcp && packet[layout.transport + TCP_FLAGS] & PSH != 0);
        self.parts.push(at.start + layout.payload..at.end);
    }

    /// Make the first packet's headers those of the whole.
    fn finish(&self, buffer: &mut [u8]) -> VirtioHeader {
        let Group { transport, payload, .. } = *self;
        let size = payload + self.total;
        let protocol = protocol(self.head(buffer));
        let push = if protocol == TCP { self.last_flags(buffer) & PSH } else { 0 };
        let head = &mut buffer[self.parts[0].clone()];
        let is_v6 = transport == IPV6_HEADER;
        if is_v6 {
            write16(head, 4, (size - IPV6_HEADER) as u16);
        } else {
            write16(head, 2, size as u16);
            complete_ipv4_header(&mut head[..transport]);
        }
        let pseudo = fold(pseudo_header(addresses(head), protocol, size - transport));
        let (gso_type, offset) = if protocol == TCP {
            head[transport + TCP_FLAGS] |= push;
            (if is_v6 { GSO_TCPV6 } else { GSO_TCPV4 }, TCP_CHECKSUM)
        } else {
            write16(head, transport + 4, (size - transport) as u16);
            (GSO_UDP_L4, UDP_CHECKSUM)
        };
        write16(head, transport + offset, pseudo);
        VirtioHeader {
            flags: NEEDS_CSUM,
            gso_type,
            header_length: payload as u16,
            gso_size: self.segment as u16,
            csum_start: transport as u16,
            csum_offset: offset as u16,
        }
    }

    /// The TCP flags of the last packet, whose headers lie before its payload.
    fn last_flags(&self, buffer: &[u8]) -> u8 {
        let start = self.parts[self.parts.len() - 1].start - (self.payload - self.transport);
        buffer[start + TCP_FLAGS]
    }
}

/// A number that all packets of a flow have, of at least header size; many flows have different ones.
pub fn flow_number(packet: &[u8]) -> u16 {
    let ports = Layout::of(packet).map_or(0..0, |layout| layout.transport..layout.transport + 4);
    fold(sum(&packet[ports], sum(addresses(packet), 0)))
}

fn protocol(packet: &[u8]) -> u8 {
    if packet[0] >> 4 == 4 { packet[9] } else { packet[6] }
}

/// Whether all checksums are right: merged, nobody would ever look at them again.
fn is_verified(packet: &[u8], transport: usize) -> bool {
    if transport == IPV4_HEADER && fold(sum(&packet[..transport], 0)) != 0xffff {
        return false;
    }
    let pseudo = pseudo_header(addresses(packet), protocol(packet), packet.len() - transport);
    fold(sum(&packet[transport..], pseudo)) == 0xffff
}
