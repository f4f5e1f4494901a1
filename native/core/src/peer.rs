//! What the engine knows of one peer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, OnceLock};

use crate::allowed_ips::Prefix;
use crate::drops::Drops;
use crate::events::PeerId;
use crate::path::Path;
use crate::session::Slots;

pub struct Peer {
    pub id: PeerId,
    /// Held for a few instructions at a time: never while a packet is sealed, opened or sent.
    pub state: Mutex<PeerState>,
    /// The allowed IPs in the order of insertion. Only the control plane looks.
    pub allowed_ips: Mutex<BTreeMap<u64, Prefix>>,
    /// What was dropped for it or from it; most peers never need the room.
    pub drops: OnceLock<Box<Drops>>,
}

/// Path, sessions, staged packets, counters, and the timestamps of `wgtun.dataplane.Activity` (0: never).
#[derive(Default)]
pub struct PeerState {
    pub path: Option<Path>,
    /// What it may not be, although the peer asks there, and since when; most peers never need the room.
    pub refused: Option<Box<(Path, u64)>>,
    pub slots: Slots,
    pub staged: VecDeque<Vec<u8>>,
    pub session_requested: bool,
    pub tx_bytes: u64,
    pub rx_bytes: u64,
    pub last_sent: u64,
    pub last_received: u64,
    pub unanswered_since: u64,
    pub unanswered_reported: bool,
    pub unacknowledged_since: u64,
    pub unacknowledged_reported: bool,
    /// The sender index of our last handshake message: only it can be answered by a cookie reply.
    pub awaited_index: Option<u32>,
}

impl Peer {
    pub fn new(id: PeerId) -> Self {
        Peer { id, state: Mutex::default(), allowed_ips: Mutex::default(), drops: OnceLock::new() }
    }
}
