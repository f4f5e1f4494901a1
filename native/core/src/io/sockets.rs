//! The outer side: one UDP socket per family, opened and configured by the platform layer in Python.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, SockRef};
#[cfg(target_os = "linux")]
use socket2::{Socket, Type};

use crate::io::clock;
use crate::path::Source;
use crate::sync::lock;

/// Nanoseconds until what was refused is tried again: paths and routes change.
const RELEARN: u64 = 60_000_000_000;
const MAX_LEARNED: usize = 1024;
const UDP_HEADER: usize = 8;

pub struct Sockets {
    v4: Option<OwnedFd>,
    v6: Option<OwnedFd>,
    /// Whether trains of datagrams may leave in one call (UDP_SEGMENT).
    trains: AtomicBool,
    /// Whether datagrams of IPv4, of IPv6, go nowhere, as if sent.
    blackholes: [AtomicBool; 2],
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
        let has_learned = AtomicBool::new(false);
        Ok(Sockets { v4, v6, trains, blackholes: Default::default(), has_learned, learned: Mutex::default() })
    }

    /// The socket for an address of this family.
    pub fn for_family(&self, is_v6: bool) -> Option<BorrowedFd<'_>> {
        if is_v6 { &self.v6 } else { &self.v4 }.as_ref().map(AsFd::as_fd)
    }

    pub fn all(&self) -> impl Iterator<Item = (&'static str, BorrowedFd<'_>)> {
        [("v4", &self.v4), ("v6", &self.v6)].into_iter().filter_map(|(name, fd)| Some((name, fd.as_ref()?.as_fd())))
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
        match error.raw_os_error() {
            // The device can't, for any destination.
            Some(libc::EIO | libc::EOPNOTSUPP) => self.trains.store(false, Ordering::Relaxed),
            Some(libc::EMSGSIZE | libc::EINVAL) => {
                let mtu = self.for_family(address.is_ipv6()).and_then(|socket| path_mtu(socket, address).ok());
                self.learn(|learned| &mut learned.narrow, *address, (clock::now(), mtu.unwrap_or(0)));
                return mtu;
            }
            _ => {}
        }
        None
    }

    pub(super) fn learn_dead(&self, source: Source) {
        self.learn(|learned| &mut learned.dead_sources, source, clock::now());
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
    learned_at.is_some_and(|at| clock::now().saturating_sub(*at) < RELEARN)
}

/// Bytes before the payload of a datagram.
fn headers(address: &SocketAddr) -> usize {
    UDP_HEADER + if address.is_ipv6() { 40 } else { 20 }
}

/// What the kernel knows about the way that a datagram of this socket to this address takes.
#[cfg(target_os = "linux")]
fn path_mtu(socket: BorrowedFd<'_>, address: &SocketAddr) -> io::Result<usize> {
    use std::os::fd::AsRawFd;

    let probe = Socket::new(Domain::for_address(*address), Type::DGRAM.cloexec(), None)?;
    probe.set_mark(SockRef::from(&socket).mark()?).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Ok(()), // then ours has none either
        _ => Err(error),
    })?;
    probe.connect(&(*address).into())?; // sends nothing
    let (level, name) =
        if address.is_ipv6() { (libc::IPPROTO_IPV6, libc::IPV6_MTU) } else { (libc::IPPROTO_IP, libc::IP_MTU) };
    let mut mtu: libc::c_int = 0;
    let mut size = std::mem::size_of_val(&mtu) as libc::socklen_t;
    // SAFETY: writes at most `size` bytes to an integer that has them.
    let status = unsafe { libc::getsockopt(probe.as_raw_fd(), level, name, (&raw mut mtu).cast(), &mut size) };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(usize::try_from(mtu).unwrap_or(0)) }
}

#[cfg(not(target_os = "linux"))]
fn path_mtu(_: BorrowedFd<'_>, _: &SocketAddr) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into()) // trains are Linux's
}
