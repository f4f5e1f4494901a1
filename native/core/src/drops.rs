//! Why packets and datagrams went no further: one counter per reason.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! reasons {
    ($($variant:ident $name:literal,)*) => {
        /// The reasons of `wgtun.dataplane.DropReason`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum DropReason { $($variant,)* }

        impl DropReason {
            pub const ALL: &[DropReason] = &[$(DropReason::$variant,)*];

            pub fn name(self) -> &'static str {
                match self { $(DropReason::$variant => $name,)* }
            }

            pub fn from_name(name: &str) -> Option<DropReason> {
                match name { $($name => Some(DropReason::$variant),)* _ => None }
            }
        }
    };
}

reasons! {
    TunMalformed "tun_malformed",
    NoRoute "no_route",
    InterfaceDown "interface_down",
    StagedOverflow "staged_overflow",
    StagedDiscarded "staged_discarded",
    NoEndpoint "no_endpoint",
    TooBig "too_big",
    SendFailed "send_failed",
    UnknownType "unknown_type",
    BadLength "bad_length",
    UnknownIndex "unknown_index",
    KeyExpired "key_expired",
    Unauthentic "unauthentic",
    Replayed "replayed",
    MalformedInner "malformed_inner",
    DisallowedSource "disallowed_source",
    TunWriteFailed "tun_write_failed",
    ReceiveError "receive_error",
    BadMac1 "bad_mac1",
    UnderLoad "under_load",
    RateLimited "rate_limited",
    HandshakeBacklog "handshake_backlog",
    BadHandshake "bad_handshake",
}

#[derive(Default)]
pub struct Drops([AtomicU64; DropReason::ALL.len()]);

impl Drops {
    pub fn count(&self, reason: DropReason, count: usize) {
        self.0[reason as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How many datagrams were refused that anybody could have sent.
    pub fn of_strangers(&self) -> u64 {
        use DropReason::*;
        let reasons = [
            UnknownType,
            BadLength,
            UnknownIndex,
            KeyExpired,
            Unauthentic,
            BadMac1,
            UnderLoad,
            RateLimited,
            HandshakeBacklog,
        ];
        reasons.map(|reason| self.get(reason)).iter().sum()
    }

    pub fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }
}
