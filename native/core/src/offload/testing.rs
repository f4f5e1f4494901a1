//! For tests and fuzz targets: packets that a host might send, and what must hold when they are merged and cut.

use std::collections::HashMap;
use std::ops::Range;

use super::*;
use crate::checksum::{fold, pseudo_header, sum};
use crate::offload::merge::{MAX_PARTS, Merger};
use crate::offload::split::Segments;

/// What one packet is like. Any values are allowed; those of usual flows can be merged.
#[derive(Clone, Debug)]
pub struct Shape {
    pub is_v6: bool,
    pub is_tcp: bool,
    /// Picks ports.
    pub flow: u8,
    pub payload: u16,
    pub flags: u8,
    /// Of TCP, in words.
    pub options: u8,
    pub dont_fragment: bool,
    pub tos: u8,
    /// Added to the sequence number that would continue the flow, and to the id.
    pub gap: u8,
    pub id_gap: u8,
    pub bad_checksum: bool,
}

/// Makes the packets of several flows, each continuing where it was.
#[derive(Default)]
pub struct Sender {
    sequences: HashMap<u8, u32>,
    id: u16,
}

impl Sender {
    pub fn packet(&mut self, shape: &Shape) -> Vec<u8> {
        let payload: Vec<u8> = (0..shape.payload).map(|number| (number as u8).wrapping_mul(31) ^ shape.flow).collect();
        let options = usize::from(shape.options % 11) * 4;
        let header = if shape.is_tcp { 20 + options } else { UDP_HEADER };
        let transport = if shape.is_v6 { IPV6_HEADER } else { IPV4_HEADER };
        let mut packet = vec![0; transport + header];
        packet.extend(&payload);
        let total = packet.len();
        let protocol = if shape.is_tcp { TCP } else { UDP };
        self.id = self.id.wrapping_add(1 + u16::from(shape.id_gap));
        if shape.is_v6 {
            packet[0] = 0x60 | shape.tos >> 4;
            packet[1] = shape.tos << 4;
            write16(&mut packet, 4, (total - IPV6_HEADER) as u16);
            packet[6..8].copy_from_slice(&[protocol, 64]);
            packet[8] = 0xfd;
            packet[24] = 0xfd;
        } else {
            packet[..2].copy_from_slice(&[0x45, shape.tos]);
            write16(&mut packet, 2, total as u16);
            write16(&mut packet, 4, self.id);
            packet[6] = if shape.dont_fragment { 0x40 } else { 0 };
            packet[8..10].copy_from_slice(&[64, protocol]);
            packet[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
            complete_ipv4_header(&mut packet[..IPV4_HEADER]);
        }
        let pseudo = pseudo_header(addresses(&packet), protocol, total - transport);
        let segment = &mut packet[transport..];
        write16(segment, 0, 1000 + u16::from(shape.flow));
        write16(segment, 2, 443);
        let field = if shape.is_tcp {
            let sequence = self.sequences.entry(shape.flow).or_insert(u32::MAX - 5000);
            *sequence = sequence.wrapping_add(u32::from(shape.gap));
            segment[4..8].copy_from_slice(&sequence.to_be_bytes());
            *sequence = sequence.wrapping_add(u32::from(shape.payload));
            segment[12] = (header as u8 / 4) << 4;
            segment[TCP_FLAGS] = shape.flags;
            write16(segment, 14, 512);
            segment[20..20 + options].fill(1);
            TCP_CHECKSUM
        } else {
            write16(segment, 4, (total - transport) as u16);
            UDP_CHECKSUM
        };
        let check = !fold(sum(segment, pseudo)) ^ u16::from(shape.bad_checksum);
        write16(segment, field, if shape.is_tcp { check } else { udp_checksum(check) });
        packet
    }
}

/// One write to the TUN.
pub struct Write {
    pub header: virtio::VirtioHeader,
    pub packet: Vec<u8>,
    pub parts: usize,
}

/// Push packets as one batch; returns what would be written.
pub fn merge(packets: &[Vec<u8>], tcp: bool, udp: bool) -> Vec<Write> {
    let mut buffer = Vec::new();
    let mut places: Vec<Range<usize>> = Vec::new();
    for packet in packets {
        buffer.extend([0xee; 16]); // where a header was
        places.push(buffer.len()..buffer.len() + packet.len());
        buffer.extend(packet);
    }
    let mut merger = Merger::default();
    merger.allow(tcp, udp);
    places.into_iter().for_each(|place| merger.push(&mut buffer, place));
    let mut writes = Vec::new();
    merger.drain(&mut buffer, |buffer, header, parts| {
        let packet = parts.iter().flat_map(|part| buffer[part.clone()].to_vec()).collect();
        writes.push(Write { header: *header, packet, parts: parts.len() });
    });
    writes
}

/// As the kernel does.
pub fn cut(write: &mut Write) -> Vec<Vec<u8>> {
    let segments = Segments::parse(&write.header, &mut write.packet).expect("our own header is right");
    (0..segments.count())
        .map(|number| {
            let mut out = vec![0; segments.size(number)];
            segments.write(number, &mut out);
            out
        })
        .collect()
}

/// Merged and cut again, the packets of each flow must be the same and in the same order. Returns how
/// many writes it took.
pub fn check_merge_then_split(packets: &[Vec<u8>], tcp: bool, udp: bool) -> usize {
    let mut writes = merge(packets, tcp, udp);
    let mut seen: HashMap<Vec<u8>, Vec<Vec<u8>>> = HashMap::new();
    for write in &mut writes {
        assert!(write.parts <= MAX_PARTS && write.packet.len() <= 65_535);
        for packet in cut(write) {
            seen.entry(flow_of(&packet)).or_default().push(comparable(packet));
        }
    }
    let mut expected: HashMap<Vec<u8>, Vec<Vec<u8>>> = HashMap::new();
    for packet in packets {
        expected.entry(flow_of(packet)).or_default().push(comparable(packet.clone()));
    }
    assert_eq!(seen, expected);
    writes.len()
}

/// Version, addresses and ports.
fn flow_of(packet: &[u8]) -> Vec<u8> {
    let transport = if packet[0] >> 4 == 4 { IPV4_HEADER } else { IPV6_HEADER };
    [&packet[..1], addresses(packet), packet.get(transport..transport + 4).unwrap_or_default()].concat()
}

/// With DF the id means nothing, and nobody keeps it.
fn comparable(mut packet: Vec<u8>) -> Vec<u8> {
    if packet[0] >> 4 == 4 && packet[6] & 0x40 != 0 {
        packet[4..6].fill(0);
        packet[10..12].fill(0);
    }
    packet
}
