//! Splitting and merging: the rules one by one, and both against each other.

use proptest::prelude::*;
use wgtun_core::offload::split::{Malformed, Segments};
use wgtun_core::offload::testing::{Sender, Shape, check_merge_then_split, cut, merge};
use wgtun_core::offload::virtio::*;

const ACK: u8 = 0x10;
const PSH: u8 = 0x08;
const FIN: u8 = 0x01;
const CWR: u8 = 0x80;

const TCP: Shape = Shape {
    is_v6: false,
    is_tcp: true,
    flow: 0,
    payload: 1380,
    flags: ACK,
    options: 3,
    dont_fragment: true,
    tos: 0,
    gap: 0,
    id_gap: 0,
    bad_checksum: false,
};
const UDP: Shape = Shape { is_tcp: false, payload: 64, ..TCP };

/// How many packets went into each write.
fn sizes(shapes: &[Shape]) -> Vec<usize> {
    let mut sender = Sender::default();
    let packets: Vec<_> = shapes.iter().map(|shape| sender.packet(shape)).collect();
    check_merge_then_split(&packets, true, true);
    merge(&packets, true, true).iter().map(|write| write.parts).collect()
}

fn many(shape: Shape, count: usize) -> Vec<Shape> {
    vec![shape; count]
}

#[test]
fn consecutive_segments_become_one() {
    for is_v6 in [false, true] {
        assert_eq!(sizes(&many(Shape { is_v6, ..TCP }, 40)), [40]);
        assert_eq!(sizes(&many(Shape { is_v6, ..UDP }, 40)), [40]);
    }
}

#[test]
fn at_most_64_and_at_most_64_kib() {
    assert_eq!(sizes(&many(UDP, 100)), [64, 36]);
    assert_eq!(sizes(&many(TCP, 100)), [47, 47, 6]);
}

#[test]
fn a_shorter_one_ends_a_group_and_so_does_psh() {
    let short = Shape { payload: 100, ..TCP };
    assert_eq!(sizes(&[TCP, TCP, short.clone(), TCP, TCP]), [3, 2]);
    assert_eq!(sizes(&[short, TCP]), [1, 1]);
    let push = Shape { flags: ACK | PSH, ..TCP };
    assert_eq!(sizes(&[TCP, push.clone(), TCP, TCP]), [2, 2]);
    assert_eq!(sizes(&[push, TCP, TCP]), [1, 2]);
}

#[test]
fn what_the_kernel_could_not_restore_stays_apart() {
    let others = [
        Shape { gap: 1, ..TCP },
        Shape { flags: ACK | FIN, ..TCP },
        Shape { flags: ACK | CWR, ..TCP },
        Shape { options: 4, ..TCP },
        Shape { tos: 1, ..TCP },
        Shape { payload: 0, ..TCP },
        Shape { bad_checksum: true, ..TCP },
    ];
    for other in others {
        assert_eq!(sizes(&[TCP, TCP, other.clone(), TCP])[0], 2, "{other:?}");
    }
    let without_df = Shape { dont_fragment: false, ..TCP };
    assert_eq!(sizes(&many(without_df.clone(), 5)), [5]);
    assert_eq!(sizes(&[without_df.clone(), Shape { id_gap: 1, ..without_df }]), [1, 1]);
}

#[test]
fn a_bad_first_checksum_is_not_hidden() {
    assert_eq!(sizes(&[Shape { bad_checksum: true, ..TCP }, TCP, TCP]), [1, 2]);
}

#[test]
fn interleaved_flows_are_told_apart() {
    let shapes: Vec<Shape> = (0..40).map(|number| Shape { flow: number % 4, ..TCP }).collect();
    assert_eq!(sizes(&shapes), [10; 4]);
}

#[test]
fn nothing_is_merged_that_was_not_allowed() {
    let mut sender = Sender::default();
    let packets: Vec<_> = [TCP, TCP, UDP, UDP].iter().map(|shape| sender.packet(shape)).collect();
    let parts = |tcp, udp| merge(&packets, tcp, udp).iter().map(|write| write.parts).collect::<Vec<_>>();
    assert_eq!(parts(true, false), [2, 1, 1]);
    assert_eq!(parts(false, true), [1, 1, 2]);
    for write in merge(&packets, false, false) {
        assert_eq!(write.header, VirtioHeader::default());
    }
}

#[test]
fn flags_of_a_big_packet_go_where_they_belong() {
    let mut sender = Sender::default();
    let packets: Vec<_> = many(TCP, 3).iter().map(|shape| sender.packet(shape)).collect();
    let mut write = merge(&packets, true, true).remove(0);
    write.packet[20 + 13] |= FIN | PSH | CWR;
    write.header.gso_type |= GSO_ECN;
    let flags: Vec<u8> = cut(&mut write).iter().map(|packet| packet[33]).collect();
    assert_eq!(flags, [ACK | CWR, ACK, ACK | FIN | PSH]);
}

#[test]
fn a_udp_checksum_of_zero_becomes_ffff() {
    // Payload bytes that make the sum 0xffff, found by trying.
    for is_v6 in [false, true] {
        let mut packet = Sender::default().packet(&Shape { is_v6, payload: 2, ..UDP });
        let transport = if is_v6 { 40 } else { 20 };
        let header = VirtioHeader {
            flags: NEEDS_CSUM,
            gso_type: GSO_UDP_L4,
            gso_size: 100,
            csum_start: transport as u16,
            csum_offset: 6,
            ..VirtioHeader::default()
        };
        let mut found = false;
        for word in 0..=u16::MAX {
            packet[transport + 8..].copy_from_slice(&word.to_be_bytes());
            let segments = Segments::parse(&header, &mut packet).unwrap();
            let mut out = vec![0; segments.size(0)];
            segments.write(0, &mut out);
            let check = u16::from_be_bytes([out[transport + 6], out[transport + 7]]);
            assert_ne!(check, 0);
            found |= check == 0xffff;
        }
        assert!(found);
    }
}

#[test]
fn headers_that_do_not_fit_are_malformed() {
    let packet = Sender::default().packet(&TCP);
    let good = VirtioHeader {
        flags: NEEDS_CSUM,
        gso_type: GSO_TCPV4,
        header_length: 52,
        gso_size: 500,
        csum_start: 20,
        csum_offset: 16,
    };
    assert_eq!(Segments::parse(&good, &mut packet.clone()).map(|segments| segments.count()), Ok(3));
    let bad = [
        VirtioHeader { gso_type: 2, ..good },
        VirtioHeader { gso_type: GSO_TCPV6, ..good },
        VirtioHeader { gso_type: GSO_UDP_L4, ..good },
        VirtioHeader { gso_size: 0, ..good },
        VirtioHeader { csum_start: 24, ..good },
        VirtioHeader { csum_start: 60000, ..good },
        VirtioHeader { csum_offset: 6, ..good },
        VirtioHeader { gso_type: GSO_NONE, csum_start: 2000, ..good },
        VirtioHeader { gso_type: GSO_NONE, csum_start: 20, csum_offset: 60000, ..good },
    ];
    for header in bad {
        let result = Segments::parse(&header, &mut packet.clone()).map(|segments| segments.count());
        assert_eq!(result, Err(Malformed), "{header:?}");
    }
    for size in 0..60 {
        let result = Segments::parse(&good, &mut packet[..size].to_vec()).map(|segments| segments.count());
        assert_eq!(result.is_ok(), size >= 52, "{size}");
    }
}

prop_compose! {
    fn shape()(
        (is_v6, is_tcp, flow) in (any::<bool>(), prop::bool::weighted(0.7), 0..3u8),
        payload in prop_oneof![4 => Just(1000u16), 1 => 0..1500u16],
        flags in prop_oneof![6 => Just(ACK), 1 => Just(ACK | PSH), 1 => any::<u8>()],
        options in prop_oneof![6 => Just(3u8), 1 => 0..11u8],
        dont_fragment in prop::bool::weighted(0.8),
        (tos, gap, id_gap) in prop_oneof![6 => Just((0u8, 0u8, 0u8)), 1 => (0..4u8, 0..2u8, 0..2u8)],
        bad_checksum in prop::bool::weighted(0.05),
    ) -> Shape {
        Shape { is_v6, is_tcp, flow: flow + 3 * u8::from(is_v6) + 6 * u8::from(is_tcp), payload, flags, options,
                dont_fragment, tos, gap, id_gap, bad_checksum }
    }
}

proptest! {
    #[test]
    fn merged_and_cut_again_flows_are_the_same(shapes in prop::collection::vec(shape(), 1..100)) {
        let mut sender = Sender::default();
        let packets: Vec<_> = shapes.iter().map(|shape| sender.packet(shape)).collect();
        check_merge_then_split(&packets, true, true);
    }

    #[test]
    fn no_header_breaks_the_splitting(
        header in any::<[u8; HEADER_SIZE]>(),
        gso_type in prop::sample::select(vec![0u8, 1, 4, 5, 0x81]),
        mut packet in prop::collection::vec(any::<u8>(), 0..300),
        first in prop::sample::select(vec![0x45u8, 0x4f, 0x60, 0]),
        sizes in (0..80u16, 0..80u16, prop::sample::select(vec![6u16, 16])),
    ) {
        let mut header = VirtioHeader::from_bytes(&header);
        header.gso_type = gso_type;
        (header.gso_size, header.csum_start, header.csum_offset) = sizes;
        if let Some(byte) = packet.first_mut() {
            *byte = first;
        }
        if let Ok(segments) = Segments::parse(&header, &mut packet) {
            for number in 0..segments.count() {
                segments.write(number, &mut vec![0; segments.size(number)]);
            }
        }
    }
}
