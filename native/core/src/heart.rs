//! The data path, without I/O: packets in, sealed datagrams out, and the other way round.
//!
//! `outbound` takes a packet, or the segments of an offloaded one, from the tunnel: it finds the peer by
//! destination, and seals under the peer's current session right where the datagram will be sent from,
//! or stages it and asks the control plane for a session.
//!
//! `inbound` takes the datagrams of one receive call: handshake messages pass admission and go to the
//! control plane; transport data is opened in place, checked against replay, lets the peer roam, is cut
//! to its real length, checked against the sender's allowed IPs, and goes to the tunnel.
//!
//! `wgtun/engine/python/heart.py` is the specification: the same calls give the same bytes and events.
//! What differs is that all datagrams of a run, packets of one peer under one session, pay for the
//! peer's lock once. It is never held while something is sealed, opened or sent.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use crate::admission::{Admission, Verdict};
use crate::allowed_ips::{AllowedIps, Prefix};
use crate::constants::*;
use crate::drops::{DropReason, Drops};
use crate::ecn;
use crate::events::{Event, EventQueue, PeerId, Wake};
use crate::icmp::{IcmpErrors, Problem, may_be_too_big};
use crate::narrow_paths::NarrowPaths;
use crate::path::Path;
use crate::peer::{Peer, PeerState};
use crate::session::{Keypair, Place, Session, Slot, padding_size};
use crate::sync::{lock, read, write};

/// One packet from the tunnel, or the segments that an offloaded one stands for: all of one flow.
pub trait Packets {
    /// At least 1.
    fn count(&self) -> usize;
    /// Bytes of one of them.
    fn size(&self, number: usize) -> usize;
    /// Write one of them into `out`, which has its size.
    fn write(&self, number: usize, out: &mut [u8]);
    /// The first one's IP header, or more.
    fn header(&self) -> &[u8];
}

/// A single packet.
impl Packets for [u8] {
    fn count(&self) -> usize {
        1
    }

    fn size(&self, _: usize) -> usize {
        self.len()
    }

    fn write(&self, _: usize, out: &mut [u8]) {
        out.copy_from_slice(self);
    }

    fn header(&self) -> &[u8] {
        self
    }
}

/// Where datagrams go.
pub trait Outgoing {
    /// Room for a datagram that goes this way. It is complete when the next one is asked for.
    fn place(&mut self, path: &Path, traffic_class: u8, size: usize) -> &mut [u8];
}

/// What of a `PeerState` an operator reads and the timers decide on.
#[derive(Clone, Copy, Debug)]
pub struct PeerStatus {
    pub path: Option<Path>,
    pub refused: Option<Path>,
    pub tx_bytes: u64,
    pub rx_bytes: u64,
    pub last_sent: u64,
    pub last_received: u64,
    pub unanswered_since: u64,
    pub unacknowledged_since: u64,
}

/// How much there is of what must not grow without bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    pub peers: usize,
    pub sessions: usize,
    /// Packets, of all peers.
    pub staged: usize,
    pub events: usize,
}

/// The datagrams that were opened under one session, and not yet accounted for.
#[derive(Default)]
pub struct Run {
    session: Option<Arc<Session>>,
    /// Counter, where the packet is, and the size of the datagram.
    opened: Vec<(u64, Range<usize>, usize)>,
}

pub struct Heart {
    pub drops: Drops,
    pub events: EventQueue,
    pub admission: Admission,
    pub allowed_ips: AllowedIps,
    timing: Timing,
    mtu: AtomicUsize,
    up: AtomicBool,
    peers: Mutex<HashMap<PeerId, Arc<Peer>>>,
    /// Packets of all peers.
    staged: AtomicUsize,
    sessions: RwLock<HashMap<u32, Arc<Session>>>,
    /// Indices of handshakes that a cookie reply may answer.
    awaited: Mutex<HashMap<u32, PeerId>>,
    errors: Mutex<IcmpErrors>,
    paths: NarrowPaths,
}

/// A peer that the control plane does not have: a mistake of the caller.
#[derive(Debug)]
pub struct UnknownPeer(pub PeerId);

impl Heart {
    pub fn new(timing: Timing, wake: Wake) -> Self {
        Heart {
            drops: Drops::default(),
            events: EventQueue::new(wake),
            admission: Admission::new(timing),
            allowed_ips: AllowedIps::default(),
            timing,
            mtu: AtomicUsize::new(DEFAULT_MTU),
            up: AtomicBool::new(false),
            peers: Mutex::default(),
            staged: AtomicUsize::new(0),
            sessions: RwLock::default(),
            awaited: Mutex::default(),
            errors: Mutex::default(),
            paths: NarrowPaths::default(),
        }
    }

    // --- from the tunnel to a peer ---------------------------------------------------------------

    /// What the system sent into the tunnel. Answers for the sender are left in `replies`.
    pub fn outbound<P: Packets + ?Sized>(
        &self,
        now: u64,
        packets: &P,
        out: &mut impl Outgoing,
        replies: &mut Vec<Vec<u8>>,
    ) {
        let count = packets.count();
        let header = packets.header();
        let table = self.allowed_ips.snapshot();
        let peer = match header.first().map(|first| first >> 4) {
            Some(4) if header.len() >= 20 => table.find_v4(header[16..20].try_into().unwrap()),
            Some(6) if header.len() >= 40 => table.find_v6(header[24..40].try_into().unwrap()),
            _ => return self.drops.count(DropReason::TunMalformed, count),
        };
        if !self.up.load(Ordering::Relaxed) {
            return self.drops.count(DropReason::InterfaceDown, count);
        }
        let Some(peer) = peer else {
            self.drops.count(DropReason::NoRoute, count);
            return self.refuse(now, packets, Problem::Unreachable, replies);
        };
        let mut next = 0;
        while next < count {
            let mut state = lock(&peer.state);
            let Some(path) = state.path else {
                drop(state);
                self.count(peer, DropReason::NoEndpoint, count - next);
                return self.refuse(now, packets, Problem::Unreachable, replies);
            };
            if let Some(limit) = self.paths.limit(now, &path.address) {
                if packets.size(0) > limit && may_be_too_big(header, limit) {
                    drop(state);
                    self.count(peer, DropReason::TooBig, count - next);
                    return self.refuse(now, packets, Problem::TooBig(limit), replies);
                }
            }
            if !self.is_usable(now, &state) {
                // Once more, now that nobody can discard what is staged meanwhile: what was staged after the
                // interface went down would wait for a session that nobody makes.
                if !self.up.load(Ordering::Relaxed) {
                    return self.drops.count(DropReason::InterfaceDown, count - next);
                }
                for number in next..count {
                    let mut packet = vec![0; packets.size(number)];
                    packets.write(number, &mut packet);
                    self.stage(peer, &mut state, packet);
                }
                drop(state);
                return self.send_staged(now, peer, out); // asks for a session
            }
            if !state.staged.is_empty() {
                drop(state);
                self.send_staged(now, peer, out);
                continue;
            }
            let mtu = self.mtu.load(Ordering::Relaxed);
            let datagram_size = |number| datagram_size(packets.size(number), mtu);
            let (session, first, end) = self.reserve(now, peer.id, state, next..count, datagram_size, true);
            let traffic_class = ecn::outer_class(header);
            for number in next..end {
                let counter = first + (number - next) as u64;
                let size = packets.size(number);
                let datagram = out.place(&path, traffic_class, datagram_size(number));
                seal(&session, counter, datagram, size, |room| packets.write(number, room));
            }
            next = end;
        }
    }

    /// Tell their sender why nobody gets these packets.
    fn refuse<P: Packets + ?Sized>(&self, now: u64, packets: &P, problem: Problem, replies: &mut Vec<Vec<u8>>) {
        let mut packet = vec![0; packets.size(0)];
        packets.write(0, &mut packet);
        replies.extend(lock(&self.errors).answer(now, &packet, problem));
    }

    /// A drop that is somebody's.
    fn count(&self, peer: &Peer, reason: DropReason, count: usize) {
        if count > 0 {
            self.drops.count(reason, count);
            peer.drops.get_or_init(Box::default).count(reason, count);
        }
    }

    fn is_usable(&self, now: u64, state: &PeerState) -> bool {
        state.path.is_some()
            && state.slots.current.as_ref().is_some_and(|slot| {
                slot.send_counter < REJECT_AFTER_MESSAGES
                    && now.saturating_sub(slot.session.created) < self.timing.reject_after
            })
    }

    fn stage(&self, peer: &Peer, state: &mut PeerState, packet: Vec<u8>) {
        let is_full = self.staged.load(Ordering::Relaxed) >= MAX_STAGED_IN_ALL;
        if state.staged.len() >= (if is_full { 1 } else { MAX_STAGED_PACKETS }) {
            self.unstage(state);
            self.count(peer, DropReason::StagedOverflow, 1);
        }
        self.staged.fetch_add(1, Ordering::Relaxed);
        state.staged.push_back(packet);
    }

    /// The oldest packet.
    fn unstage(&self, state: &mut PeerState) -> Option<Vec<u8>> {
        let packet = state.staged.pop_front()?;
        self.staged.fetch_sub(1, Ordering::Relaxed);
        Some(packet)
    }

    fn send_staged(&self, now: u64, peer: &Arc<Peer>, out: &mut impl Outgoing) {
        loop {
            let mut state = lock(&peer.state);
            if state.staged.is_empty() {
                return;
            }
            if !self.is_usable(now, &state) {
                if !state.session_requested {
                    state.session_requested = true;
                    self.events.push(Event::SessionNeeded { peer: peer.id });
                }
                return;
            }
            let (Some(path), Some(packet)) = (state.path, self.unstage(&mut state)) else { return };
            let size = datagram_size(packet.len(), self.mtu.load(Ordering::Relaxed));
            let is_data = !packet.is_empty();
            let (session, counter, _) = self.reserve(now, peer.id, state, 0..1, |_| size, is_data);
            let traffic_class = if is_data { ecn::outer_class(&packet) } else { 0 };
            let datagram = out.place(&path, traffic_class, size);
            seal(&session, counter, datagram, packet.len(), |room| room.copy_from_slice(&packet));
        }
    }

    /// Take counters under the current, usable session, as many as it has, and account for the packets:
    /// data, or a keepalive. Returns the session, the first counter, and the end of the numbers that got one.
    fn reserve(
        &self,
        now: u64,
        peer: PeerId,
        mut state: MutexGuard<'_, PeerState>,
        numbers: Range<usize>,
        datagram_size: impl Fn(usize) -> usize,
        is_data: bool,
    ) -> (Arc<Session>, u64, usize) {
        let slot = state.slots.current.as_deref_mut().expect("the session is usable");
        let left = REJECT_AFTER_MESSAGES - slot.send_counter;
        let end = numbers.end.min(numbers.start.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
        let bytes = (numbers.start..end).map(datagram_size).sum();
        let (session, first) = (slot.session.clone(), slot.send_counter);
        slot.send_counter += (end - numbers.start) as u64;
        note_sent(now, &mut state, bytes);
        if is_data && state.unanswered_since == 0 {
            state.unanswered_since = now;
            if !state.unanswered_reported {
                state.unanswered_reported = true;
                self.events.push(Event::DataUnanswered { peer, since: now });
            }
        }
        self.look_at_age(now, peer, &mut state);
        (session, first, end)
    }

    fn look_at_age(&self, now: u64, peer: PeerId, state: &mut PeerState) {
        let Some(slot) = state.slots.current.as_deref_mut() else { return };
        let is_old = slot.session.keys.initiator && now.saturating_sub(slot.session.created) > self.timing.rekey_after;
        if !slot.aging_reported_on_send && (is_old || slot.send_counter > REKEY_AFTER_MESSAGES) {
            slot.aging_reported_on_send = true;
            self.events.push(Event::SessionAging { peer });
        }
    }

    // --- from outside to the tunnel --------------------------------------------------------------

    /// Datagrams that came together by one path: `buffer[received]`, each of `segment` bytes, the last
    /// perhaps shorter. Where the packets for the tunnel are within the buffer is left in `packets`.
    #[allow(clippy::too_many_arguments)] // they describe one receive call
    pub fn inbound(
        &self,
        now: u64,
        buffer: &mut [u8],
        received: Range<usize>,
        segment: usize,
        path: &Path,
        traffic_class: u8,
        run: &mut Run,
        out: &mut impl Outgoing,
        packets: &mut Vec<Range<usize>>,
    ) {
        let mut start = received.start;
        // At least once: an empty datagram counts as a malformed one.
        loop {
            let end = received.end.min(start + segment.max(1));
            let datagram = &mut buffer[start..end];
            let kind = message_type(datagram);
            match (kind, datagram.len()) {
                (TYPE_TRANSPORT, TRANSPORT_OVERHEAD..) => {
                    self.open(now, buffer, start..end, path, traffic_class, run, out, packets);
                }
                (TYPE_INITIATION, INITIATION_SIZE)
                | (TYPE_RESPONSE, RESPONSE_SIZE)
                | (TYPE_COOKIE_REPLY, COOKIE_REPLY_SIZE) => self.take_handshake(now, kind, datagram, path, out),
                (TYPE_INITIATION..=TYPE_TRANSPORT, _) => self.drops.count(DropReason::BadLength, 1),
                _ => self.drops.count(DropReason::UnknownType, 1),
            }
            start = end;
            if start >= received.end {
                break;
            }
        }
        self.finish_run(now, buffer, path, traffic_class, run, out, packets);
    }

    fn take_handshake(&self, now: u64, kind: u32, message: &[u8], path: &Path, out: &mut impl Outgoing) {
        let backlog = self.events.backlog();
        let verdict = if backlog >= MAX_QUEUED_HANDSHAKES {
            Verdict::Drop(DropReason::HandshakeBacklog)
        } else if kind == TYPE_COOKIE_REPLY {
            self.admit_cookie_reply(message)
        } else {
            self.admission.admit(now, message, &path.address, backlog)
        };
        match verdict {
            Verdict::Pass if self.events.push_handshake(message, path) => {}
            Verdict::Pass => self.drops.count(DropReason::HandshakeBacklog, 1),
            Verdict::Drop(reason) => self.drops.count(reason, 1),
            Verdict::Answer(reply) => {
                self.drops.count(DropReason::UnderLoad, 1);
                out.place(path, HANDSHAKE_TRAFFIC_CLASS, reply.len()).copy_from_slice(&reply);
            }
        }
    }

    /// A cookie reply has no macs; it is authenticated by whoever awaits it.
    fn admit_cookie_reply(&self, message: &[u8]) -> Verdict {
        let index = u32::from_le_bytes(message[4..8].try_into().unwrap());
        if lock(&self.awaited).contains_key(&index) { Verdict::Pass } else { Verdict::Drop(DropReason::UnknownIndex) }
    }

    #[allow(clippy::too_many_arguments)]
    fn open(
        &self,
        now: u64,
        buffer: &mut [u8],
        at: Range<usize>,
        path: &Path,
        traffic_class: u8,
        run: &mut Run,
        out: &mut impl Outgoing,
        packets: &mut Vec<Range<usize>>,
    ) {
        let datagram = &buffer[at.clone()];
        let index = u32::from_le_bytes(datagram[4..8].try_into().unwrap());
        let counter = u64::from_le_bytes(datagram[8..16].try_into().unwrap());
        if run.session.as_ref().is_none_or(|session| session.keys.local_index != index) {
            self.finish_run(now, buffer, path, traffic_class, run, out, packets);
            run.session = read(&self.sessions).get(&index).cloned();
        }
        let Some(session) = &run.session else {
            return self.drops.count(DropReason::UnknownIndex, 1);
        };
        if now.saturating_sub(session.created) >= self.timing.reject_after {
            return self.count(&session.peer, DropReason::KeyExpired, 1);
        }
        let sealed = &mut buffer[at.start + TRANSPORT_HEADER_SIZE..at.end];
        match session.keys.receive.open(counter, sealed) {
            Some(packet) => {
                let start = at.start + TRANSPORT_HEADER_SIZE;
                let packet = start..start + packet.len();
                run.opened.push((counter, packet, at.len()));
            }
            None => self.count(&session.peer, DropReason::Unauthentic, 1),
        }
    }

    /// Something authentic came from the peer.
    fn note_received(&self, now: u64, state: &mut PeerState, path: &Path, bytes: usize) {
        state.path = Some(self.unless_refused(now, state, *path));
        state.rx_bytes += bytes as u64;
        state.last_received = now;
        state.unanswered_since = 0;
    }

    fn unless_refused(&self, now: u64, state: &mut PeerState, path: Path) -> Path {
        match state.refused.as_deref() {
            Some((_, since)) if state.last_sent > *since && now.saturating_sub(*since) >= self.timing.rekey_timeout => {
                state.refused = None;
                path
            }
            Some((refused, _)) if *refused == path => Path { source: None, ..path },
            _ => path,
        }
    }

    /// Account for what was opened: replay, roaming, confirmation; then hand over the packets.
    #[allow(clippy::too_many_arguments)]
    fn finish_run(
        &self,
        now: u64,
        buffer: &mut [u8],
        path: &Path,
        traffic_class: u8,
        run: &mut Run,
        out: &mut impl Outgoing,
        packets: &mut Vec<Range<usize>>,
    ) {
        // A worker keeps no session between two receive calls, or an erased key would live on in it.
        let Some(session) = run.session.take() else { return };
        let opened = &mut run.opened;
        if opened.is_empty() {
            return;
        }
        let peer = &session.peer;
        let mut state = lock(&peer.state);
        let Some((place, slot)) = state.slots.find(&session) else {
            self.count(peer, DropReason::UnknownIndex, opened.len());
            return opened.clear();
        };
        let before = opened.len();
        opened.retain(|(counter, ..)| slot.replay.accept(*counter));
        self.count(peer, DropReason::Replayed, before - opened.len());
        if opened.is_empty() {
            return;
        }
        self.note_received(now, &mut state, path, opened.iter().map(|(_, _, size)| size).sum());
        let mut is_current = place == Place::Current;
        if place == Place::Next {
            let dropped = state.slots.confirm_next();
            self.retire(dropped);
            state.session_requested = false;
            self.events.push(Event::SessionConfirmed { peer: peer.id });
            drop(state);
            self.send_staged(now, peer, out);
            state = lock(&peer.state);
            is_current = true;
            if opened.len() > 1 {
                state.unanswered_since = 0; // the packets after the first answer what was sent just now
            }
        }
        if is_current && session.keys.initiator && now.saturating_sub(session.created) > self.timing.rekey_on_receive {
            if let Some((_, slot)) = state.slots.find(&session) {
                if !slot.aging_reported_on_receive {
                    slot.aging_reported_on_receive = true;
                    self.events.push(Event::SessionAging { peer: peer.id });
                }
            }
        }
        opened.retain(|(_, packet, _)| !packet.is_empty()); // the rest are keepalives
        if !opened.is_empty() && state.unacknowledged_since == 0 {
            state.unacknowledged_since = now;
            if !state.unacknowledged_reported {
                state.unacknowledged_reported = true;
                self.events.push(Event::DataUnacknowledged { peer: peer.id, since: now });
            }
        }
        drop(state);
        let table = self.allowed_ips.snapshot();
        for (_, at, _) in opened.drain(..) {
            let packet = &mut buffer[at.clone()];
            let (length, header, owner) = match packet[0] >> 4 {
                4 if packet.len() >= 20 => {
                    let length = u16::from_be_bytes([packet[2], packet[3]]) as usize;
                    (length, 20, table.find_v4(packet[12..16].try_into().unwrap()))
                }
                6 if packet.len() >= 40 => {
                    let length = u16::from_be_bytes([packet[4], packet[5]]) as usize + 40;
                    (length, 40, table.find_v6(packet[8..24].try_into().unwrap()))
                }
                _ => (0, 1, None),
            };
            if !(header..=packet.len()).contains(&length) {
                self.count(peer, DropReason::MalformedInner, 1);
            } else if !owner.is_some_and(|owner| Arc::ptr_eq(owner, peer)) {
                self.count(peer, DropReason::DisallowedSource, 1);
            } else {
                ecn::mark_inner(traffic_class, packet);
                packets.push(at.start..at.start + length);
            }
        }
    }

    // --- what the control plane says: peers and their addresses ----------------------------------

    pub fn add_peer(&self, peer: PeerId) {
        lock(&self.peers).insert(peer, Arc::new(Peer::new(peer)));
    }

    pub fn remove_peer(&self, peer: PeerId) -> Result<(), UnknownPeer> {
        self.erase_keypairs(peer)?;
        self.drop_staged(peer)?;
        if let Some(removed) = lock(&self.peers).remove(&peer) {
            self.allowed_ips.clear(&removed);
            let mut state = lock(&removed.state);
            state.path = None; // a worker that has found it before must not stage for it any more
            self.await_cookie(&mut state, peer, None);
        }
        Ok(())
    }

    pub fn set_path(&self, peer: PeerId, path: Path) -> Result<(), UnknownPeer> {
        lock(&self.peer(peer)?.state).path = Some(path);
        Ok(())
    }

    /// The way to this address takes packets of so many bytes, headers of IP included.
    pub fn narrow_path(&self, now: u64, address: SocketAddr, mtu: usize) {
        self.paths.learn(now, address, mtu);
    }

    pub fn forget_source(&self, peer: PeerId) -> Result<(), UnknownPeer> {
        if let Some(path) = &mut lock(&self.peer(peer)?.state).path {
            path.source = None;
        }
        Ok(())
    }

    /// The same, but what the peer has sent before it hears of it must not bring this very path back. That
    /// lasts until something was sent from elsewhere and `Timing::rekey_timeout` has passed.
    pub fn refuse_source(&self, now: u64, peer: PeerId) -> Result<(), UnknownPeer> {
        let peer = self.peer(peer)?;
        let mut state = lock(&peer.state);
        if let Some(path @ Path { source: Some(_), .. }) = state.path {
            state.refused = Some(Box::new((path, now)));
            state.path = Some(Path { source: None, ..path });
        }
        Ok(())
    }

    pub fn allow_source(&self, peer: PeerId) -> Result<(), UnknownPeer> {
        lock(&self.peer(peer)?.state).refused = None;
        Ok(())
    }

    pub fn insert_allowed_ip(&self, peer: PeerId, prefix: Prefix) -> Result<(), UnknownPeer> {
        self.allowed_ips.insert(&self.peer(peer)?, prefix);
        Ok(())
    }

    pub fn remove_allowed_ip(&self, peer: PeerId, prefix: Prefix) -> Result<(), UnknownPeer> {
        self.allowed_ips.remove(&self.peer(peer)?, prefix);
        Ok(())
    }

    pub fn clear_allowed_ips(&self, peer: PeerId) -> Result<(), UnknownPeer> {
        self.allowed_ips.clear(&self.peer(peer)?);
        Ok(())
    }

    pub fn allowed_ips(&self, peer: PeerId) -> Result<Vec<Prefix>, UnknownPeer> {
        Ok(self.allowed_ips.of(&*self.peer(peer)?))
    }

    fn peer(&self, peer: PeerId) -> Result<Arc<Peer>, UnknownPeer> {
        lock(&self.peers).get(&peer).cloned().ok_or(UnknownPeer(peer))
    }

    // --- sessions --------------------------------------------------------------------------------

    pub fn install_keypair(&self, now: u64, peer: PeerId, keys: Keypair) -> Result<(), UnknownPeer> {
        let peer = self.peer(peer)?;
        let (local_index, initiator) = (keys.local_index, keys.initiator);
        let session = Arc::new(Session { peer: peer.clone(), keys, created: now });
        write(&self.sessions).insert(local_index, session.clone());
        let mut state = lock(&peer.state);
        let slot = Slot::new(session);
        let dropped = if initiator {
            state.session_requested = false;
            state.slots.install_as_initiator(slot)
        } else {
            state.slots.install_as_responder(slot)
        };
        self.retire(dropped);
        Ok(())
    }

    pub fn exhaust_keypairs(&self, peer: PeerId) -> Result<(), UnknownPeer> {
        let peer = self.peer(peer)?;
        let slots = &mut lock(&peer.state).slots;
        for slot in [&mut slots.current, &mut slots.next].into_iter().flatten() {
            slot.exhaust();
        }
        Ok(())
    }

    pub fn erase_keypairs(&self, peer: PeerId) -> Result<(), UnknownPeer> {
        let known = self.peer(peer)?;
        let dropped = lock(&known.state).slots.clear();
        self.retire(dropped);
        self.rearm_unanswered(peer)?;
        self.rearm_unacknowledged(peer)
    }

    fn retire(&self, dropped: Vec<u32>) {
        for local_index in dropped {
            write(&self.sessions).remove(&local_index);
            self.events.push(Event::KeypairRetired { local_index });
        }
    }

    pub fn has_session(&self, now: u64, peer: PeerId) -> Result<bool, UnknownPeer> {
        Ok(self.is_usable(now, &lock(&self.peer(peer)?.state)))
    }

    // --- things to send --------------------------------------------------------------------------

    pub fn send_handshake(
        &self,
        now: u64,
        peer: PeerId,
        message: &[u8],
        out: &mut impl Outgoing,
    ) -> Result<(), UnknownPeer> {
        let known = self.peer(peer)?;
        let mut state = lock(&known.state);
        let index = message.get(4..8).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
        self.await_cookie(&mut state, peer, index);
        let Some(path) = state.path else {
            self.count(&known, DropReason::NoEndpoint, 1);
            return Ok(());
        };
        note_sent(now, &mut state, message.len());
        drop(state);
        out.place(&path, HANDSHAKE_TRAFFIC_CLASS, message.len()).copy_from_slice(message);
        Ok(())
    }

    fn await_cookie(&self, state: &mut PeerState, peer: PeerId, index: Option<u32>) {
        let mut awaited = lock(&self.awaited);
        if let Some(before) = std::mem::replace(&mut state.awaited_index, index) {
            awaited.remove(&before);
        }
        awaited.extend(index.map(|index| (index, peer)));
    }

    pub fn handshake_authenticated(&self, now: u64, peer: PeerId, path: Path, size: usize) -> Result<(), UnknownPeer> {
        self.note_received(now, &mut lock(&self.peer(peer)?.state), &path, size);
        Ok(())
    }

    pub fn send_keepalive(&self, now: u64, peer: PeerId, out: &mut impl Outgoing) -> Result<(), UnknownPeer> {
        let peer = self.peer(peer)?;
        if self.up.load(Ordering::Relaxed) {
            let mut state = lock(&peer.state);
            if state.staged.is_empty() {
                self.stage(&peer, &mut state, Vec::new());
            }
            drop(state);
            self.send_staged(now, &peer, out);
        }
        Ok(())
    }

    pub fn drop_staged(&self, peer: PeerId) -> Result<(), UnknownPeer> {
        let peer = self.peer(peer)?;
        let mut state = lock(&peer.state);
        let data = state.staged.iter().filter(|packet| !packet.is_empty()).count();
        self.count(&peer, DropReason::StagedDiscarded, data);
        self.staged.fetch_sub(state.staged.len(), Ordering::Relaxed);
        state.staged = Default::default(); // its memory too
        state.session_requested = false;
        Ok(())
    }

    // --- read-out --------------------------------------------------------------------------------

    pub fn status(&self, peer: PeerId) -> Result<PeerStatus, UnknownPeer> {
        let peer = self.peer(peer)?;
        let state = lock(&peer.state);
        Ok(PeerStatus {
            path: state.path,
            refused: state.refused.as_ref().map(|refused| refused.0),
            tx_bytes: state.tx_bytes,
            rx_bytes: state.rx_bytes,
            last_sent: state.last_sent,
            last_received: state.last_received,
            unanswered_since: state.unanswered_since,
            unacknowledged_since: state.unacknowledged_since,
        })
    }

    /// How many drops for this reason were the peer's.
    pub fn drops_of(&self, peer: PeerId, reason: DropReason) -> Result<u64, UnknownPeer> {
        Ok(self.peer(peer)?.drops.get().map_or(0, |drops| drops.get(reason)))
    }

    /// A drop that the control plane decided on.
    pub fn count_drop(&self, reason: DropReason, count: usize, peer: Option<PeerId>) -> Result<(), UnknownPeer> {
        match peer {
            Some(peer) => self.count(&*self.peer(peer)?, reason, count),
            None => self.drops.count(reason, count),
        }
        Ok(())
    }

    pub fn holdings(&self) -> Holdings {
        Holdings {
            peers: lock(&self.peers).len(),
            sessions: read(&self.sessions).len(),
            staged: self.staged.load(Ordering::Relaxed),
            events: self.events.len(),
        }
    }

    pub fn rearm_unanswered(&self, peer: PeerId) -> Result<(), UnknownPeer> {
        let peer = self.peer(peer)?;
        let mut state = lock(&peer.state);
        state.unanswered_since = 0;
        state.unanswered_reported = false;
        Ok(())
    }

    pub fn rearm_unacknowledged(&self, peer: PeerId) -> Result<(), UnknownPeer> {
        let peer = self.peer(peer)?;
        let mut state = lock(&peer.state);
        state.unacknowledged_since = 0;
        state.unacknowledged_reported = false;
        Ok(())
    }

    pub fn set_mtu(&self, mtu: usize) {
        self.mtu.store(mtu, Ordering::Relaxed);
    }

    pub fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }
}

/// A session knows its peer, and the peer its sessions: neither goes, and no key is wiped, before they part.
impl Drop for Heart {
    fn drop(&mut self) {
        for peer in lock(&self.peers).values() {
            lock(&peer.state).slots.clear();
        }
    }
}

/// The first four bytes, as far as they are there.
fn message_type(datagram: &[u8]) -> u32 {
    let mut first = [0; 4];
    let size = datagram.len().min(4);
    first[..size].copy_from_slice(&datagram[..size]);
    u32::from_le_bytes(first)
}

/// Bytes of the datagram for a packet.
fn datagram_size(packet: usize, mtu: usize) -> usize {
    TRANSPORT_OVERHEAD + packet + padding_size(packet, mtu)
}

/// Something authentic goes to the peer.
fn note_sent(now: u64, state: &mut PeerState, bytes: usize) {
    state.tx_bytes += bytes as u64;
    state.last_sent = now;
    state.unacknowledged_since = 0;
}

/// Make a transport data message in `datagram`: header, packet of `size` bytes, zero padding, tag.
fn seal(session: &Session, counter: u64, datagram: &mut [u8], size: usize, write: impl FnOnce(&mut [u8])) {
    let (header, body) = datagram.split_at_mut(TRANSPORT_HEADER_SIZE);
    header[..4].copy_from_slice(&TYPE_TRANSPORT.to_le_bytes());
    header[4..8].copy_from_slice(&session.keys.remote_index.to_le_bytes());
    header[8..].copy_from_slice(&counter.to_le_bytes());
    let (packet, rest) = body.split_at_mut(size);
    write(packet);
    let padding = rest.len() - TAG_SIZE;
    rest[..padding].fill(0);
    session.keys.send.seal(counter, body);
}
