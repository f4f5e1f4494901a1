//! The outer side: one UDP socket per family, opened and configured by the platform layer in Python.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, SockRef};

use crate::io::clock;
use crate::path::Source;
use crate::sync::lock;

/// Nanoseconds until what was refused is tried again: paths and routes change.
const RELEARN: u64 = 60_000_000_000;
const MAX_LEARNED: usize = 1024;

pub struct Sockets {
    v4: Option<OwnedFd>,
    v6: Option<OwnedFd>,
    /// Whether trains of datagrams may leave in one call (UDP_SEGMENT).
    trains: AtomicBool,
    /// Keeps the usual way free of the lock below.
    has_learned: AtomicBool,
    learned: Mutex<Learned>,
}

/// What the system refused, and when.
#[derive(Default)]
struct Learned {
    /// Destinations whose path is too narrow for a segment: single datagrams are fragmented by the
    /// kernel, a train is refused (EMSGSIZE; EINVAL before Linux 6.14).
    no_trains: HashMap<SocketAddr, u64>,
    /// Local addresses that are gone.
    dead_sources: HashMap<Source, u64>,
}

impl Sockets {
    /// `descriptors` are UDP sockets in non-blocking mode, at most one of each family. They are duplicated.
    pub fn new(descriptors: &[BorrowedFd<'_>], trains: bool) -> io::Result<Self> {
        let (mut v4, mut v6) = (None, None);
        for descriptor in descriptors {
            let socket = descriptor.try_clone_to_owned()?;
            match SockRef::from(&socket).local_addr()?.domain() {
                Domain::IPV6 => v6 = Some(socket),
                _ => v4 = Some(socket),
            }
        }
        let trains = AtomicBool::new(trains && cfg!(target_os = "linux"));
        Ok(Sockets { v4, v6, trains, has_learned: AtomicBool::new(false), learned: Mutex::default() })
    }

    /// The socket for an address of this family.
    pub fn for_family(&self, is_v6: bool) -> Option<BorrowedFd<'_>> {
        if is_v6 { &self.v6 } else { &self.v4 }.as_ref().map(AsFd::as_fd)
    }

    pub fn all(&self) -> impl Iterator<Item = (&'static str, BorrowedFd<'_>)> {
        [("v4", &self.v4), ("v6", &self.v6)].into_iter().filter_map(|(name, fd)| Some((name, fd.as_ref()?.as_fd())))
    }

    pub fn sends_trains(&self) -> bool {
        self.trains.load(Ordering::Relaxed)
    }

    pub(super) fn may_send_train(&self, address: &SocketAddr) -> bool {
        self.sends_trains() && !(self.has_learned() && is_recent(lock(&self.learned).no_trains.get(address)))
    }

    pub(super) fn is_dead(&self, source: &Source) -> bool {
        self.has_learned() && is_recent(lock(&self.learned).dead_sources.get(source))
    }

    /// A train was refused, though not each of its datagrams.
    pub(super) fn learn_from_train(&self, error: &io::Error, address: &SocketAddr) {
        match error.raw_os_error() {
            // The device can't, for any destination.
            Some(libc::EIO | libc::EOPNOTSUPP) => self.trains.store(false, Ordering::Relaxed),
            Some(libc::EMSGSIZE | libc::EINVAL) => self.learn(|learned| &mut learned.no_trains, *address),
            _ => {}
        }
    }

    pub(super) fn learn_dead(&self, source: Source) {
        self.learn(|learned| &mut learned.dead_sources, source);
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

    fn learn<K: Eq + std::hash::Hash>(&self, choose: impl FnOnce(&mut Learned) -> &mut HashMap<K, u64>, key: K) {
        let mut learned = lock(&self.learned);
        let known = choose(&mut learned);
        if known.len() >= MAX_LEARNED {
            known.clear();
        }
        known.insert(key, clock::now());
        self.has_learned.store(true, Ordering::Relaxed);
    }
}

fn is_recent(learned_at: Option<&u64>) -> bool {
    learned_at.is_some_and(|at| clock::now().saturating_sub(*at) < RELEARN)
}
