//! Packets of any shape, merged and cut again: each flow's packets must be the same, in the same order.

use arbitrary::Arbitrary;
use wgtun_core::offload::testing::{Sender, Shape, check_merge_then_split};

#[derive(Arbitrary, Debug)]
pub struct Input {
    tcp: bool,
    udp: bool,
    packets: Vec<Packet>,
}

#[derive(Arbitrary, Debug)]
enum Packet {
    /// The same as before: what can be merged.
    Again,
    Shaped(Fields),
    /// With one byte changed.
    Spoilt(Fields, u16, u8),
}

#[derive(Arbitrary, Clone, Debug)]
struct Fields {
    is_v6: bool,
    is_tcp: bool,
    flow: u8,
    payload: u16,
    flags: u8,
    options: u8,
    dont_fragment: bool,
    tos: u8,
    gap: u8,
    id_gap: u8,
    bad_checksum: bool,
}

fn shape(fields: &Fields) -> Shape {
    let Fields { is_v6, is_tcp, flow, payload, flags, options, dont_fragment, tos, gap, id_gap, bad_checksum } =
        fields.clone();
    // A flow has one protocol; small payloads, so that many fit an input.
    let flow = flow % 4 + 4 * u8::from(is_v6) + 8 * u8::from(is_tcp);
    Shape {
        is_v6,
        is_tcp,
        flow,
        payload: payload % 2000,
        flags,
        options,
        dont_fragment,
        tos,
        gap,
        id_gap,
        bad_checksum,
    }
}

pub fn run(input: Input) {
    let mut sender = Sender::default();
    let mut last = Shape {
        is_v6: false,
        is_tcp: true,
        flow: 8,
        payload: 500,
        flags: 0x10,
        options: 3,
        dont_fragment: true,
        tos: 0,
        gap: 0,
        id_gap: 0,
        bad_checksum: false,
    };
    let mut packets = Vec::new();
    for packet in input.packets.iter().take(200) {
        let mut spoil = None;
        match packet {
            Packet::Again => {}
            Packet::Shaped(fields) => last = shape(fields),
            Packet::Spoilt(fields, at, bits) => {
                last = shape(fields);
                spoil = Some((*at, *bits));
            }
        }
        let mut packet = sender.packet(&last);
        if let Some((at, bits)) = spoil {
            // The version and the length say what a packet is; the heart has checked them.
            let protected = if last.is_v6 { 6 } else { 4 };
            let at = protected + at as usize % (packet.len() - protected);
            packet[at] ^= bits;
        }
        packets.push(packet);
    }
    check_merge_then_split(&packets, input.tcp, input.udp);
}
