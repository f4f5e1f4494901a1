//! A token bucket per source address, for handshake messages of a device under load.
//!
//! 20 messages a second with a burst of 5 (reference 3.13). IPv4 counts by address, IPv6 by /64,
//! since whoever has one IPv6 address has a /64 of them.

use std::collections::HashMap;
use std::net::IpAddr;

const COST: u64 = 1_000_000_000 / 20;
const CAPACITY: u64 = 5 * COST;
const FORGET_AFTER: u64 = 1_000_000_000;
const MAX_SOURCES: usize = 65536;

struct Bucket {
    tokens: u64,
    last: u64,
}

/// Buckets of the sources seen during the last second; at most `MAX_SOURCES` of them.
#[derive(Default)]
pub struct RateLimiter {
    buckets: HashMap<(bool, u64), Bucket>,
    swept: u64,
}

impl RateLimiter {
    /// Whether one more message from this address may pass.
    pub fn allow(&mut self, now: u64, address: IpAddr) -> bool {
        if now.saturating_sub(self.swept) > FORGET_AFTER {
            self.swept = now;
            // Buckets of the sources that were silent for a second are full again.
            self.buckets.retain(|_, bucket| now.saturating_sub(bucket.last) <= FORGET_AFTER);
        }
        let source = match address {
            IpAddr::V4(v4) => (false, u64::from(u32::from(v4))),
            IpAddr::V6(v6) => (true, (u128::from(v6) >> 64) as u64),
        };
        if self.buckets.len() >= MAX_SOURCES && !self.buckets.contains_key(&source) {
            return false;
        }
        let bucket = self.buckets.entry(source).or_insert(Bucket { tokens: CAPACITY, last: now });
        bucket.tokens = CAPACITY.min(bucket.tokens + now.saturating_sub(bucket.last));
        bucket.last = now;
        let allowed = bucket.tokens >= COST;
        if allowed {
            bucket.tokens -= COST;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_twenty_a_second_by_address_or_net() {
        let (mut limiter, second) = (RateLimiter::default(), 1_000_000_000);
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!((0..10).filter(|_| limiter.allow(second, v4)).count(), 5);
        assert!(limiter.allow(second, "192.0.2.2".parse().unwrap()));
        assert_eq!((1..=100).filter(|step| limiter.allow(second + step * 10_000_000, v4)).count(), 20);
        let net = |host: u128| IpAddr::from((0x2001_0db8 << 96 | host).to_be_bytes());
        assert_eq!((0..10).filter(|host| limiter.allow(3 * second, net(*host))).count(), 5);
        assert!(limiter.allow(3 * second, net(1 << 64)));
    }

    #[test]
    fn a_flood_of_sources_does_not_grow_it() {
        let mut limiter = RateLimiter::default();
        for number in 0..100_000u32 {
            limiter.allow(1, IpAddr::from(number.to_be_bytes()));
        }
        assert_eq!(limiter.buckets.len(), MAX_SOURCES);
        limiter.allow(3_000_000_000, IpAddr::from([1, 2, 3, 4]));
        assert_eq!(limiter.buckets.len(), 1);
    }
}
