//! The outer side: one UDP socket per family, opened and configured by the platform layer in Python.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, Socket};

use crate::io::system::{self, RawSocket};
use crate::path::Source;
use crate::sync::lock;

/// Nanoseconds until what was refused is tried again: paths and routes change.
const RELEARN: u64 = 60_000_000_000;
const MAX_LEARNED: usize = 1024;
const UDP_HEADER: usize = 8;

pub struct Sockets {
    v4: Option<Socket>,
    v6: Option<Socket>,
    /// Whether trains of datagrams may leave in one call (UDP_SEGMENT).
    trains: AtomicBool,
    /// Whether datagrams of IPv4, of IPv6, go nowhere, as if sent.
    blackholes: [AtomicBool; 2],
    /// Whether the system takes a traffic class with a datagram.
    takes_classes: AtomicBool,
    /// Keeps the usual way free of the lock below.
    has_learned: AtomicBool,
    learned: Mutex<Learned>,
}

/// What the system refused, and when.
#[derive(Default)]
struct Learned {
    /// The path MTU of destinations whose path is too narrow for a segment: single datagrams are
    /// fragmented by the kernel, a train is refused (EMSGSIZE; EINVAL before Linux 6.14).
    narrow: HashMap<SocketAddr, (u64, usize)>,
    /// Local addresses that are gone.
    dead_sources: HashMap<Source, u64>,
}

impl Sockets {
    /// `descriptors` are UDP sockets in non-blocking mode, at most one of each family. They are duplicated.
    pub fn new(descriptors: &[RawSocket], trains: bool) -> io::Result<Self> {
        let (mut v4, mut v6) = (None, None);
        for descriptor in descriptors {
            let socket = system::duplicate_socket(*descriptor)?;
            match socket.local_addr()?.domain() {
                Domain::IPV6 => v6 = Some(socket),
                _ => v4 = Some(socket),
            }
        }
        let trains = AtomicBool::new(trains && cfg!(any(target_os = "linux", windows)));
        let has_learned = AtomicBool::new(false);
        let takes_classes = AtomicBool::new(true);
        let (blackholes, learned) = Default::default();
        Ok(Sockets { v4, v6, trains, blackholes, takes_classes, has_learned, learned })
    }

    /// The socket for an address of this family.
    pub fn for_family(&self, is_v6: bool) -> Option<&Socket> {
        if is_v6 { &self.v6 } else { &self.v4 }.as_ref()
    }

    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Socket)> {
        [("v4", &self.v4), ("v6", &self.v6)].into_iter().filter_map(|(name, socket)| Some((name, socket.as_ref()?)))
    }

    pub(super) fn takes_classes(&self) -> bool {
        self.takes_classes.load(Ordering::Relaxed)
    }

    /// Datagrams go without traffic class from now on.
    pub(super) fn refuse_classes(&self) {
        self.takes_classes.store(false, Ordering::Relaxed);
    }

    pub fn set_blackhole(&self, v4: bool, v6: bool) {
        self.blackholes[0].store(v4, Ordering::Relaxed);
        self.blackholes[1].store(v6, Ordering::Relaxed);
    }

    pub(super) fn is_blackhole(&self, is_v6: bool) -> bool {
        self.blackholes[usize::from(is_v6)].load(Ordering::Relaxed)
    }

    pub fn sends_trains(&self) -> bool {
        self.trains.load(Ordering::Relaxed)
    }

    pub(super) fn may_send_train(&self, address: &SocketAddr, segment: usize) -> bool {
        if !self.sends_trains() || !self.has_learned() {
            return self.sends_trains();
        }
        match lock(&self.learned).narrow.get(address) {
            Some((at, mtu)) => !is_recent(Some(at)) || segment + headers(address) <= *mtu,
            None => true,
        }
    }

    pub(super) fn is_dead(&self, source: &Source) -> bool {
        self.has_learned() && is_recent(lock(&self.learned).dead_sources.get(source))
    }

    /// A train was refused, though not each of its datagrams. Returns the path MTU if that was the reason.
    pub(super) fn learn_from_train(&self, error: &io::Error, address: &SocketAddr) -> Option<usize> {
        if system::refuses_trains(error) {
            self.trains.store(false, Ordering::Relaxed);
        } else if system::is_too_big(error) {
            let mtu = self.for_family(address.is_ipv6()).and_then(|socket| system::path_mtu(socket, address).ok());
            self.learn(|learned| &mut learned.narrow, *address, (system::now(), mtu.unwrap_or(0)));
            return mtu;
        }
        None
    }

    pub(super) fn learn_dead(&self, source: Source) {
        self.learn(|learned| &mut learned.dead_sources, source, system::now());
    }

    /// A datagram came to this address: it is ours.
    pub(super) fn revive(&self, source: &Source) {
        if self.has_learned() {
            lock(&self.learned).dead_sources.remove(source);
        }
    }

    fn has_learned(&self) -> bool {
        self.has_learned.load(Ordering::Relaxed)
    }

    fn learn<K: Eq + std::hash::Hash, V>(
        &self,
        choose: impl FnOnce(&mut Learned) -> &mut HashMap<K, V>,
        key: K,
        value: V,
    ) {
        let mut learned = lock(&self.learned);
        let known = choose(&mut learned);
        if known.len() >= MAX_LEARNED {
            known.clear();
        }
        known.insert(key, value);
        self.has_learned.store(true, Ordering::Relaxed);
    }
}

fn is_recent(learned_at: Option<&u64>) -> bool {
    learned_at.is_some_and(|at| system::now().saturating_sub(*at) < RELEARN)
}

/// Bytes before the payload of a datagram.
fn headers(address: &SocketAddr) -> usize {
    UDP_HEADER + if address.is_ipv6() { 40 } else { 20 }
}
