//! What the engine tells the control plane: edges, never one per packet.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::constants::MAX_QUEUED_HANDSHAKES;
use crate::path::Path;
use crate::sync::lock;

pub type PeerId = u64;

/// See `wgtun.dataplane` for what each means. Times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    HandshakeReceived { message: Vec<u8>, path: Path },
    SessionNeeded { peer: PeerId },
    SessionAging { peer: PeerId },
    SessionConfirmed { peer: PeerId },
    DataUnanswered { peer: PeerId, since: u64 },
    DataUnacknowledged { peer: PeerId, since: u64 },
    KeypairRetired { local_index: u32 },
    TunnelRemoved { reason: String },
    EngineFailed { reason: String },
}

/// Wakes the control plane; called by any thread, once until the queue was found empty.
pub type Wake = Box<dyn Fn() + Send + Sync>;

pub struct EventQueue {
    events: Mutex<VecDeque<Event>>,
    handshakes: Mutex<VecDeque<Event>>,
    backlog: AtomicUsize,
    awake: AtomicBool,
    wake: Wake,
}

impl EventQueue {
    pub fn new(wake: Wake) -> Self {
        EventQueue {
            events: Mutex::default(),
            handshakes: Mutex::default(),
            backlog: AtomicUsize::new(0),
            awake: AtomicBool::new(false),
            wake,
        }
    }

    pub fn push(&self, event: Event) {
        lock(&self.events).push_back(event);
        self.signal();
    }

    /// Queue a handshake message; false when too many wait.
    pub fn push_handshake(&self, message: &[u8], path: &Path) -> bool {
        let mut handshakes = lock(&self.handshakes);
        if handshakes.len() >= MAX_QUEUED_HANDSHAKES {
            return false;
        }
        handshakes.push_back(Event::HandshakeReceived { message: message.to_vec(), path: *path });
        self.backlog.store(handshakes.len(), Ordering::Relaxed);
        drop(handshakes);
        self.signal();
        true
    }

    /// How many handshake messages wait.
    pub fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    /// The next event; handshake messages come last, so that a flood of them delays nothing else.
    pub fn poll(&self) -> Option<Event> {
        if let Some(event) = lock(&self.events).pop_front() {
            return Some(event);
        }
        let mut handshakes = lock(&self.handshakes);
        let event = handshakes.pop_front();
        self.backlog.store(handshakes.len(), Ordering::Relaxed);
        event
    }

    /// Before looking for events: whatever comes from now on wakes again.
    pub fn rearm(&self) {
        self.awake.store(false, Ordering::SeqCst);
    }

    pub fn len(&self) -> usize {
        lock(&self.events).len() + self.backlog()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn signal(&self) {
        if !self.awake.swap(true, Ordering::SeqCst) {
            (self.wake)();
        }
    }
}
