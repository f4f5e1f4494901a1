//! The numbers of the WireGuard paper (section 6.1), as in `wgtun/constants.py`.

pub const KEY_SIZE: usize = 32;
pub const TAG_SIZE: usize = 16;
pub const MAC_SIZE: usize = 16;

// Message types: the first four bytes of a datagram, little endian.
pub const TYPE_INITIATION: u32 = 1;
pub const TYPE_RESPONSE: u32 = 2;
pub const TYPE_COOKIE_REPLY: u32 = 3;
pub const TYPE_TRANSPORT: u32 = 4;

pub const INITIATION_SIZE: usize = 148;
pub const RESPONSE_SIZE: usize = 92;
pub const COOKIE_REPLY_SIZE: usize = 64;
pub const TRANSPORT_HEADER_SIZE: usize = 16;
/// Also the size of a keepalive.
pub const TRANSPORT_OVERHEAD: usize = TRANSPORT_HEADER_SIZE + TAG_SIZE;

pub const REKEY_AFTER_MESSAGES: u64 = 1 << 60;
pub const REJECT_AFTER_MESSAGES: u64 = u64::MAX - (1 << 13);
pub const REPLAY_WINDOW: u64 = 8128;

pub const PADDING: usize = 16;
/// DSCP AF41, as the kernel marks them.
pub const HANDSHAKE_TRAFFIC_CLASS: u8 = 0x88;
pub const DEFAULT_MTU: usize = 1420;

/// Of one peer.
pub const MAX_STAGED_PACKETS: usize = 128;
/// With so many, every further peer stages one.
pub const MAX_STAGED_IN_ALL: usize = 8192;
pub const MAX_QUEUED_HANDSHAKES: usize = 1024;
pub const UNDER_LOAD_HANDSHAKES: usize = MAX_QUEUED_HANDSHAKES / 8;
/// More would only serve whoever floods us with spoofed addresses.
pub const COOKIE_REPLIES_PER_SECOND: u64 = 5000;

/// The intervals that the data path looks at, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub rekey_after: u64,
    pub reject_after: u64,
    pub rekey_on_receive: u64,
    pub rekey_timeout: u64,
    pub cookie_lifetime: u64,
    pub under_load: u64,
}

/// Those of the paper; tests use others.
impl Default for Timing {
    fn default() -> Self {
        const SECOND: u64 = 1_000_000_000;
        Timing {
            rekey_after: 120 * SECOND,
            reject_after: 180 * SECOND,
            rekey_on_receive: 165 * SECOND,
            rekey_timeout: 5 * SECOND,
            cookie_lifetime: 120 * SECOND,
            under_load: SECOND,
        }
    }
}
