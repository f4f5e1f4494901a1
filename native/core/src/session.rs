//! A peer's keypairs as the packets see them: counters, replay window, age, and the three slots.

use std::sync::Arc;

use crate::constants::{PADDING, REJECT_AFTER_MESSAGES};
use crate::crypto::aead::Key;
use crate::peer::Peer;
use crate::replay::ReplayWindow;

/// The result of a handshake, to be installed.
pub struct Keypair {
    pub send: Arc<Key>,
    pub receive: Arc<Key>,
    pub local_index: u32,
    pub remote_index: u32,
    pub initiator: bool,
}

/// What of an installed keypair never changes, and what threads share.
pub struct Session {
    pub peer: Arc<Peer>,
    pub keys: Keypair,
    pub created: u64,
}

/// An installed keypair with what changes; owned by its peer's state.
pub struct Slot {
    pub session: Arc<Session>,
    pub send_counter: u64,
    pub replay: ReplayWindow,
    pub aging_reported_on_send: bool,
    pub aging_reported_on_receive: bool,
}

impl Slot {
    pub fn new(session: Arc<Session>) -> Box<Self> {
        Box::new(Slot {
            session,
            send_counter: 0,
            replay: ReplayWindow::default(),
            aging_reported_on_send: false,
            aging_reported_on_receive: false,
        })
    }

    /// Send nothing more; receiving goes on until the key is too old.
    pub fn exhaust(&mut self) {
        self.send_counter = REJECT_AFTER_MESSAGES;
    }
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Previous,
    Current,
    Next,
}

/// The previous, current and next session of a peer (reference 3.9).
///
/// Each change returns the local indices of the sessions that fell out.
#[derive(Default)]
pub struct Slots {
    pub previous: Option<Box<Slot>>,
    pub current: Option<Box<Slot>>,
    pub next: Option<Box<Slot>>,
}

fn indices(dropped: impl IntoIterator<Item = Option<Box<Slot>>>) -> Vec<u32> {
    dropped.into_iter().flatten().map(|slot| slot.session.keys.local_index).collect()
}

impl Slots {
    /// The response proved that the other side has the key: use it at once.
    pub fn install_as_initiator(&mut self, slot: Box<Slot>) -> Vec<u32> {
        let dropped = if self.next.is_some() {
            let dropped = [self.previous.take(), self.current.take()];
            self.previous = self.next.take();
            dropped
        } else {
            let dropped = [self.previous.take(), None];
            self.previous = self.current.take();
            dropped
        };
        self.current = Some(slot);
        indices(dropped)
    }

    /// Nothing proves yet that the initiator got our response: wait for its first packet.
    pub fn install_as_responder(&mut self, slot: Box<Slot>) -> Vec<u32> {
        let dropped = [self.next.take(), self.previous.take()];
        self.next = Some(slot);
        indices(dropped)
    }

    /// The first packet under the next session came in.
    pub fn confirm_next(&mut self) -> Vec<u32> {
        let dropped = self.previous.take();
        self.previous = self.current.take();
        self.current = self.next.take();
        indices([dropped])
    }

    pub fn clear(&mut self) -> Vec<u32> {
        indices([self.previous.take(), self.current.take(), self.next.take()])
    }

    /// The slot of a session, unless it was dropped meanwhile.
    pub fn find(&mut self, session: &Arc<Session>) -> Option<(Place, &mut Slot)> {
        [(Place::Current, &mut self.current), (Place::Next, &mut self.next), (Place::Previous, &mut self.previous)]
            .into_iter()
            .filter_map(|(place, slot)| Some((place, slot.as_deref_mut()?)))
            .find(|(_, slot)| Arc::ptr_eq(&slot.session, session))
    }
}

/// How many zero bytes a packet of `size` bytes gets: to a multiple of 16, but not past the MTU.
pub fn padding_size(size: usize, mtu: usize) -> usize {
    if mtu == 0 {
        return size.next_multiple_of(PADDING) - size;
    }
    let last = if size <= mtu { size } else { size % mtu };
    last.next_multiple_of(PADDING).min(mtu) - last
}
