//! The engine with its threads: packets through two socket pairs and UDP over loopback.
#![cfg(unix)]

mod common;

use std::collections::{HashMap, HashSet};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::*;
use wgtun_core::constants::Timing;
use wgtun_core::drops::{DropReason, Drops};
use wgtun_core::events::Event;
use wgtun_core::io::{Engine, Format, Outbox, Queue, Sockets, Tunnel};
use wgtun_core::offload::testing::{Sender, Shape};

const SEGMENT: Shape = Shape {
    is_v6: false,
    is_tcp: true,
    flow: 0,
    payload: 1380,
    flags: 0x10,
    options: 3,
    dont_fragment: true,
    tos: 0,
    gap: 0,
    id_gap: 0,
    bad_checksum: false,
};
const FAMILY: ([u8; 4], [u8; 4]) = ([0, 0, 0, 2], [0, 0, 0, 30]);

struct End {
    engine: Engine,
    program: UnixDatagram,
    socket: UdpSocket,
    _tunnel: UnixDatagram,
}

fn ends(format: Format) -> (End, End) {
    let [first, second] = [(); 2].map(|()| {
        let (tunnel, program) = UnixDatagram::pair().unwrap();
        tunnel.set_nonblocking(true).unwrap();
        program.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let engine = Engine::new(Timing::default(), Box::new(|| {}));
        engine.attach_tunnel(Tunnel::new(vec![Queue::of_descriptor(tunnel.as_raw_fd()).unwrap()], format)).unwrap();
        engine.attach_sockets(Sockets::new(&[socket.as_raw_fd()], true).unwrap()).unwrap();
        End { engine, program, socket, _tunnel: tunnel }
    });
    for (one, two, other, initiator) in [(&first, &second, 2, true), (&second, &first, 1, false)] {
        let address = two.socket.local_addr().unwrap().to_string();
        configure(&one.engine.heart, other, path(&address));
        install(&one.engine.heart, now(), initiator);
        one.engine.flush();
    }
    (first, second)
}

/// The clock of the workers.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the timespec lives during the call.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[test]
fn packets_cross_both_ways() {
    for (format, before) in [(Format::Plain, &[][..]), (Format::Family(FAMILY.0, FAMILY.1), &FAMILY.0[..])] {
        let (first, second) = ends(format);
        for (from, to, sender, receiver) in [(1, 2, &first, &second), (2, 1, &second, &first)] {
            for number in 0..20 {
                let sent = [before, &packet(from, to, 500, number)].concat();
                sender.program.send(&sent).unwrap();
                let mut received = [0; 2000];
                let size = receiver.program.recv(&mut received).unwrap();
                assert_eq!(&received[..size], sent);
            }
        }
    }
}

/// Packets into its tunnel without pause, until what is returned is set.
fn load(end: &End) -> (Arc<AtomicBool>, JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (busy, program) = (stop.clone(), end.program.try_clone().unwrap());
    program.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let sender = std::thread::spawn(move || {
        while !busy.load(Ordering::Relaxed) {
            let _ = program.send(&packet(1, 2, 1400, 0));
        }
    });
    (stop, sender)
}

#[test]
fn sockets_are_replaced_without_a_moment_that_has_none() {
    let (first, _second) = ends(Format::Plain);
    let (stop, sender) = load(&first);
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(1));
        first.engine.attach_sockets(Sockets::new(&[first.socket.as_raw_fd()], true).unwrap()).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    sender.join().unwrap();
    assert_eq!(first.engine.heart.drops.get(DropReason::SendFailed), 0);
}

#[test]
fn shutdown_ends_under_load() {
    let (first, second) = ends(Format::Plain);
    let (stop, sender) = load(&first);
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(5));
        let begin = Instant::now();
        first.engine.attach_sockets(Sockets::new(&[first.socket.as_raw_fd()], true).unwrap()).unwrap();
        second.engine.detach_sockets();
        second.engine.attach_sockets(Sockets::new(&[second.socket.as_raw_fd()], false).unwrap()).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(1));
    }
    let begin = Instant::now();
    drop((first, second));
    assert!(begin.elapsed() < Duration::from_secs(1));
    stop.store(true, Ordering::Relaxed);
    sender.join().unwrap();
}

/// The system reads a flow's packets from the queue that its answers were written to.
#[test]
fn flows_are_spread_over_the_queues_and_each_stays_on_one() {
    let pairs = [(); 3].map(|()| UnixDatagram::pair().unwrap());
    let queues = pairs.iter().map(|(out, _)| Queue::of_descriptor(out.as_raw_fd()).unwrap()).collect();
    let tunnel = Tunnel::new(queues, Format::Plain);
    let (mut outbox, drops, mut sender) = (Outbox::default(), Drops::default(), Sender::default());
    let mut seen = HashMap::new();
    for flow in (0..12).cycle().take(120) {
        let shape = Shape { flow, is_tcp: flow % 2 == 0, is_v6: flow % 3 == 0, payload: 100, ..SEGMENT };
        let mut packet = sender.packet(&shape);
        let place = 0..packet.len();
        tunnel.write(&mut packet, &[place], &mut outbox, &drops);
        let arrived = pairs.each_ref().map(|(_, program)| {
            program.set_nonblocking(true).unwrap();
            program.recv(&mut [0; 2000]).is_ok()
        });
        let queue = arrived.iter().position(|arrived| *arrived).unwrap();
        assert_eq!(*seen.entry(flow).or_insert(queue), queue);
    }
    assert_eq!(seen.into_values().collect::<HashSet<_>>().len(), 3);
    assert_eq!(drops.get(DropReason::TunWriteFailed), 0);
}

/// A kernel may refuse merged packets and take single ones; here a small buffer does so.
#[test]
fn refused_merged_packets_are_written_apart_and_lost_are_none() {
    let (out, program) = UnixDatagram::pair().unwrap();
    program.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket2::SockRef::from(&out).set_send_buffer_size(10_000).unwrap();
    let tunnel =
        Tunnel::new(vec![Queue::of_descriptor(out.as_raw_fd()).unwrap()], Format::Virtio { tso: true, uso: true });
    let (mut outbox, drops) = (Outbox::default(), Drops::default());
    let mut sender = Sender::default();
    // The second time merging would work, but it was learned that it may not.
    for count in [40, 5] {
        let packets: Vec<_> = (0..count).map(|_| sender.packet(&SEGMENT)).collect();
        let size = packets[0].len();
        let places: Vec<_> = (0..count).map(|number| number * size..(number + 1) * size).collect();
        let reader = program.try_clone().unwrap();
        let received = std::thread::spawn(move || -> Vec<Vec<u8>> {
            let mut buffer = [0; 70_000];
            let mut receive = |_| reader.recv(&mut buffer).map(|size| buffer[..size].to_vec()).unwrap();
            (0..count).map(&mut receive).collect()
        });
        tunnel.write(&mut packets.concat(), &places, &mut outbox, &drops);
        for (received, sent) in received.join().unwrap().iter().zip(&packets) {
            assert_eq!(received[10 + 12..], sent[12..]); // ids and header checksums aside
        }
        assert_eq!(drops.get(DropReason::TunWriteFailed), 0);
    }
}

#[test]
fn a_closed_tunnel_is_reported_once() {
    let (tunnel, program) = std::os::unix::net::UnixStream::pair().unwrap();
    tunnel.set_nonblocking(true).unwrap();
    let engine = Engine::new(Timing::default(), Box::new(|| {}));
    engine.attach_tunnel(Tunnel::new(vec![Queue::of_descriptor(tunnel.as_raw_fd()).unwrap()], Format::Plain)).unwrap();
    drop(program);
    let give_up = Instant::now() + Duration::from_secs(5);
    let event = loop {
        if let Some(event) = engine.heart.events.poll() {
            break event;
        }
        assert!(Instant::now() < give_up);
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(matches!(event, Event::TunnelRemoved { .. }));
    engine.detach_tunnel();
    assert_eq!(engine.heart.events.poll(), None);
    assert_eq!(engine.heart.drops.get(DropReason::ReceiveError), 0);
}
