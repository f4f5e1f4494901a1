//! Ways to peers that are too narrow for a packet of the tunnel's MTU, as ICMP told the kernel.
//!
//! What is too big is fragmented outside, which works but is slow. Who sends it is told, and sends less.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::constants::{PADDING, TRANSPORT_OVERHEAD};
use crate::sync::lock;

/// Nanoseconds until what was learned is forgotten: paths change.
const LIFETIME: u64 = 60_000_000_000;
const MAX_LEARNED: usize = 1024;
/// Of IPv4: nobody can send less.
const MIN_MTU: usize = 68;
const UDP_HEADER: usize = 8;

#[derive(Default)]
pub struct NarrowPaths {
    /// Keeps the usual way free of the lock below.
    any: AtomicBool,
    /// Bytes of the biggest packet, and until when that is so.
    limits: Mutex<HashMap<SocketAddr, (usize, u64)>>,
}

impl NarrowPaths {
    /// The MTU of the way to this address, for the packets outside.
    pub fn learn(&self, now: u64, address: SocketAddr, mtu: usize) {
        let limit = biggest_packet(&address, mtu);
        if limit < MIN_MTU {
            return;
        }
        let mut limits = lock(&self.limits);
        if limits.len() >= MAX_LEARNED {
            limits.clear();
        }
        limits.insert(address, (limit, now + LIFETIME));
        self.any.store(true, Ordering::Relaxed);
    }

    /// How many bytes a packet for this address may have.
    pub fn limit(&self, now: u64, address: &SocketAddr) -> Option<usize> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let (limit, until) = *lock(&self.limits).get(address)?;
        (now < until).then_some(limit)
    }
}

/// That fits with its padding.
fn biggest_packet(address: &SocketAddr, mtu: usize) -> usize {
    let ip_header = if address.is_ipv6() { 40 } else { 20 };
    mtu.saturating_sub(ip_header + UDP_HEADER + TRANSPORT_OVERHEAD) / PADDING * PADDING
}
