//! What the comparison with the Python heart does not reach: segments, runs, and sessions that go while
//! packets are under way.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use common::*;
use wgtun_core::constants::{REJECT_AFTER_MESSAGES, Timing};
use wgtun_core::crypto::aead::Key;
use wgtun_core::drops::DropReason;
use wgtun_core::events::Event;
use wgtun_core::heart::{Heart, Outgoing, Packets, Run};
use wgtun_core::path::Path;
use wgtun_core::session::Keypair;

const NOW: u64 = 1_000_000_000_000;

#[derive(Default)]
struct Collector(Vec<Vec<u8>>);

impl Outgoing for Collector {
    fn place(&mut self, _: &Path, _: u8, size: usize) -> &mut [u8] {
        self.0.push(vec![0; size]);
        self.0.last_mut().unwrap()
    }
}

/// The segments of an offloaded packet.
struct Segments(Vec<Vec<u8>>);

impl Packets for Segments {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn size(&self, number: usize) -> usize {
        self.0[number].len()
    }

    fn write(&self, number: usize, out: &mut [u8]) {
        out.copy_from_slice(&self.0[number]);
    }

    fn header(&self) -> &[u8] {
        &self.0[0]
    }
}

fn new_heart(other: u8) -> Heart {
    let heart = Heart::new(Timing::default(), Box::new(|| {}));
    configure(&heart, other, path("192.0.2.1:51820"));
    heart
}

fn pair() -> (Heart, Heart) {
    let (first, second) = (new_heart(2), new_heart(1));
    install(&first, NOW, true);
    install(&second, NOW, false);
    (first, second)
}

fn send(heart: &Heart, packets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut out = Collector::default();
    heart.outbound(NOW, &Segments(packets), &mut out, &mut Vec::new());
    out.0
}

/// Receive datagrams of one size as one train.
fn receive(heart: &Heart, datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut buffer = datagrams.concat();
    let (at, mut packets) = (0..buffer.len(), Vec::new());
    let (mut out, mut run) = (Collector::default(), Run::default());
    let way = path("192.0.2.9:1");
    heart.inbound(NOW, &mut buffer, at, datagrams[0].len(), &way, 0, &mut run, &mut out, &mut packets);
    packets.into_iter().map(|at| buffer[at].to_vec()).collect()
}

fn events(heart: &Heart) -> Vec<Event> {
    std::iter::from_fn(|| heart.events.poll()).collect()
}

#[test]
fn a_train_crosses_whole() {
    let (first, second) = pair();
    let packets: Vec<_> = (0..45).map(|number| packet(1, 2, 1420, number)).collect();
    let datagrams = send(&first, packets.clone());
    assert_eq!(datagrams.len(), 45);
    assert_eq!(receive(&second, &datagrams), packets);
    assert_eq!(events(&first), [Event::DataUnanswered { peer: PEER, since: NOW }]);
    assert_eq!(
        events(&second),
        [Event::SessionConfirmed { peer: PEER }, Event::DataUnacknowledged { peer: PEER, since: NOW }]
    );
    assert_eq!(second.status(PEER).unwrap().rx_bytes, 45 * 1452);
    assert_eq!(second.status(PEER).unwrap().path, Some(path("192.0.2.9:1")));
}

#[test]
fn a_train_with_replays_and_forgeries_gives_the_rest() {
    let (first, second) = pair();
    let mut datagrams = send(&first, (0..6).map(|number| packet(1, 2, 100, number)).collect());
    datagrams[2][40] ^= 1;
    datagrams[4] = datagrams[3].clone();
    let fills: Vec<u8> = receive(&second, &datagrams).iter().map(|packet| packet[99]).collect();
    assert_eq!(fills, [0, 1, 3, 5]);
    assert_eq!(second.drops.get(DropReason::Unauthentic), 1);
    assert_eq!(second.drops.get(DropReason::Replayed), 1);
    assert!(receive(&second, &datagrams).is_empty());
}

#[test]
fn segments_wait_for_a_session_and_the_oldest_give_way() {
    let first = new_heart(2);
    let packets: Vec<_> = (0..150).map(|number| packet(1, 2, 100, number)).collect();
    assert!(send(&first, packets).is_empty());
    assert_eq!(events(&first), [Event::SessionNeeded { peer: PEER }]);
    assert_eq!(first.drops.get(DropReason::StagedOverflow), 22);
    install(&first, NOW, true);
    let mut out = Collector::default();
    first.send_keepalive(NOW, PEER, &mut out).unwrap();
    assert_eq!(out.0.len(), 128);
    let second = new_heart(1);
    install(&second, NOW, false);
    assert_eq!(receive(&second, &out.0)[0][99], 22);
}

#[test]
fn counters_end_within_a_train() {
    let (first, _) = pair();
    first.exhaust_keypairs(PEER).unwrap();
    assert!(send(&first, vec![packet(1, 2, 100, 0)]).is_empty());
    assert_eq!(events(&first), [Event::SessionNeeded { peer: PEER }]);
    const { assert!(REJECT_AFTER_MESSAGES == u64::MAX - 8192) };
}

#[test]
fn nothing_comes_in_under_an_erased_session_or_from_a_removed_peer() {
    let (first, second) = pair();
    let datagrams = send(&first, vec![packet(1, 2, 100, 0)]);
    second.erase_keypairs(PEER).unwrap();
    assert!(receive(&second, &datagrams).is_empty());
    assert_eq!(second.drops.get(DropReason::UnknownIndex), 1);
    first.remove_peer(PEER).unwrap();
    // The workers' view of the allowed IPs is not yet published.
    assert!(send(&first, vec![packet(1, 2, 100, 0)]).is_empty());
    assert_eq!(first.drops.get(DropReason::NoEndpoint), 1);
    first.allowed_ips.publish();
    assert!(send(&first, vec![packet(1, 2, 100, 0)]).is_empty());
    assert_eq!(first.drops.get(DropReason::NoRoute), 1);
    assert!(first.status(PEER).is_err());
}

/// Who saw that the interface is up, and then went on after it went down, must not leave anything behind: with a
/// session asked for once, and nobody who makes it, the peer would be mute from then on.
#[test]
fn nothing_is_staged_any_more_when_the_interface_is_down() {
    let heart = new_heart(2);
    let (calls, stop) = ([const { AtomicUsize::new(0) }; 3], AtomicBool::new(false));
    thread::scope(|scope| {
        for calls in &calls {
            let (heart, stop) = (&heart, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    heart.outbound(NOW, &packet(1, 2, 100, 0)[..], &mut Collector::default(), &mut Vec::new());
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut left = 0;
        for _ in 0..100 {
            heart.set_up(true);
            while heart.holdings().staged == 0 {
                thread::yield_now();
            }
            heart.set_up(false);
            heart.drop_staged(PEER).unwrap();
            let before = calls.each_ref().map(|calls| calls.load(Ordering::SeqCst));
            // So that the calls that were under way have ended.
            while calls.iter().zip(before).any(|(calls, before)| calls.load(Ordering::SeqCst) == before) {
                thread::yield_now();
            }
            left += heart.holdings().staged;
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(left, 0);
    });
}

#[test]
fn keys_are_gone_when_a_session_is() {
    let (first, _) = pair();
    let probe = Arc::new(Key::new(&[3; 32]));
    let install = || {
        let (send, receive) = (probe.clone(), probe.clone());
        let keys = Keypair { send, receive, local_index: 9, remote_index: 9, initiator: true };
        first.install_keypair(NOW, PEER, keys).unwrap();
        assert_eq!(Arc::strong_count(&probe), 3);
    };
    install();
    first.erase_keypairs(PEER).unwrap();
    assert_eq!(Arc::strong_count(&probe), 1);
    install();
    drop(first);
    assert_eq!(Arc::strong_count(&probe), 1);
}
