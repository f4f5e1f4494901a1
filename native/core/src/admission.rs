//! What a handshake message must show before any state or expensive work is spent on it.
//!
//! mac1 proves that the sender knows our public key. Under load, mac2 proves that it receives at the
//! address it sends from, and a bucket bounds what one source may ask. Source: WireGuard paper, 5.3,
//! 5.4.4 to 5.4.7; the same rules in Python: `wgtun/protocol/admission.py`, `wgtun/noise/macs.py`.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use subtle::ConstantTimeEq;

use crate::allowance::Allowance;
use crate::constants::{
    COOKIE_REPLIES_PER_SECOND, COOKIE_REPLY_SIZE, KEY_SIZE, MAC_SIZE, TYPE_COOKIE_REPLY, Timing, UNDER_LOAD_HANDSHAKES,
};
use crate::crypto::blake2s::{MacKey, hash};
use crate::crypto::{random, xchacha};
use crate::drops::DropReason;
use crate::rate_limiter::RateLimiter;
use crate::sync::lock;

pub enum Verdict {
    /// Hand it on.
    Pass,
    Drop(DropReason),
    /// Drop it and answer with this.
    Answer([u8; COOKIE_REPLY_SIZE]),
}

pub struct Admission {
    timing: Timing,
    checker: ArcSwapOption<Checker>,
    load: Mutex<Load>,
}

#[derive(Default)]
struct Load {
    until: u64,
    limiter: RateLimiter,
    replies: Allowance<COOKIE_REPLIES_PER_SECOND, { COOKIE_REPLIES_PER_SECOND / 10 }>,
}

impl Admission {
    pub fn new(timing: Timing) -> Self {
        Admission { timing, checker: ArcSwapOption::default(), load: Mutex::default() }
    }

    /// The key that messages must be addressed to; None refuses all.
    pub fn set_public_key(&self, public_key: Option<&[u8; KEY_SIZE]>) {
        self.checker.store(public_key.map(|key| Arc::new(Checker::new(key))));
    }

    /// An initiation or response of the right length; `backlog` is the count of messages not yet worked on.
    pub fn admit(&self, now: u64, message: &[u8], address: &SocketAddr, backlog: usize) -> Verdict {
        let checker = self.checker.load();
        let Some(checker) = checker.as_deref().filter(|checker| checker.has_mac1(message)) else {
            return Verdict::Drop(DropReason::BadMac1);
        };
        let mut load = lock(&self.load);
        if backlog >= UNDER_LOAD_HANDSHAKES {
            load.until = now + self.timing.under_load;
        }
        if now >= load.until {
            return Verdict::Pass;
        }
        let lifetime = self.timing.cookie_lifetime;
        if !checker.has_mac2(now, message, address, lifetime) {
            if !load.replies.take(now) {
                return Verdict::Drop(DropReason::UnderLoad);
            }
            return Verdict::Answer(checker.cookie_reply(now, message, address, lifetime));
        }
        if load.limiter.allow(now, address.ip()) { Verdict::Pass } else { Verdict::Drop(DropReason::RateLimited) }
    }
}

/// Checks the macs of messages to one public key, and makes cookies.
///
/// The secret behind the cookies changes when it is older than the cookie lifetime at the moment a
/// cookie is made. The one before it stays good for as long again, so that a cookie is worth its
/// whole lifetime to whoever got it just before the change.
struct Checker {
    mac1_key: MacKey,
    cookie_key: [u8; KEY_SIZE],
    /// The newest first, and when each was made.
    secrets: Mutex<Vec<(MacKey, u64)>>,
}

impl Checker {
    fn new(public_key: &[u8; KEY_SIZE]) -> Self {
        Checker {
            mac1_key: MacKey::new(&hash(&[b"mac1----", public_key])),
            cookie_key: hash(&[b"cookie--", public_key]),
            secrets: Mutex::default(),
        }
    }

    fn has_mac1(&self, message: &[u8]) -> bool {
        let (covered, macs) = message.split_at(message.len() - 2 * MAC_SIZE);
        self.mac1_key.mac(&[covered]).ct_eq(&macs[..MAC_SIZE]).into()
    }

    fn has_mac2(&self, now: u64, message: &[u8], address: &SocketAddr, lifetime: u64) -> bool {
        let (covered, mac2) = message.split_at(message.len() - MAC_SIZE);
        if mac2 == [0; MAC_SIZE] {
            return false; // says so itself; in a flood that is what most cost us
        }
        let mut good = false;
        for (secret, made) in lock(&self.secrets).iter() {
            if now.saturating_sub(*made) < 2 * lifetime {
                let expected = MacKey::new(&cookie(secret, address)).mac(&[covered]);
                good |= bool::from(expected.ct_eq(mac2));
            }
        }
        good
    }

    fn cookie_reply(&self, now: u64, message: &[u8], address: &SocketAddr, lifetime: u64) -> [u8; COOKIE_REPLY_SIZE] {
        let mut secrets = lock(&self.secrets);
        if secrets.first().is_none_or(|(_, made)| now.saturating_sub(*made) >= lifetime) {
            secrets.truncate(1);
            secrets.insert(0, (MacKey::new(&random::<KEY_SIZE>()), now));
        }
        let cookie = cookie(&secrets[0].0, address);
        drop(secrets);
        let nonce = random::<24>();
        let mac1 = &message[message.len() - 2 * MAC_SIZE..message.len() - MAC_SIZE];
        let mut reply = [0; COOKIE_REPLY_SIZE];
        reply[..4].copy_from_slice(&TYPE_COOKIE_REPLY.to_le_bytes());
        reply[4..8].copy_from_slice(&message[4..8]);
        reply[8..32].copy_from_slice(&nonce);
        reply[32..].copy_from_slice(&xchacha::seal(&self.cookie_key, &nonce, &cookie, mac1));
        reply
    }
}

/// The cookie of a source: bound to its address, 4 or 16 bytes, and port.
fn cookie(secret: &MacKey, source: &SocketAddr) -> [u8; MAC_SIZE] {
    let port = source.port().to_le_bytes();
    match source.ip() {
        IpAddr::V4(v4) => secret.mac(&[&v4.octets(), &port]),
        IpAddr::V6(v6) => secret.mac(&[&v6.octets(), &port]),
    }
}
