//! Longest prefix match over the allowed IPs of all peers (semantics: reference 4.7).
//!
//! One path-compressed binary trie per family. A reader takes a snapshot and walks it without a lock.
//! The one writer changes its own version, copying the nodes that a snapshot still shares, and
//! publishes it: what a bulk change costs does not depend on who reads meanwhile.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use arc_swap::{ArcSwap, Guard};

use crate::peer::Peer;
use crate::sync::lock;

/// An address, left-aligned in 128 bits, and how many of its bits matter. Host bits are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    is_v6: bool,
    bits: u128,
    length: u8,
}

impl Prefix {
    /// None for a length that the family does not have.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let (is_v6, size) = (address.is_ipv6(), if address.is_ipv6() { 128 } else { 32 });
        (length <= size).then(|| Prefix { is_v6, bits: left_aligned(address) & mask(length), length })
    }

    pub fn length(&self) -> u8 {
        self.length
    }

    pub fn address(&self) -> IpAddr {
        if self.is_v6 {
            IpAddr::from(self.bits.to_be_bytes())
        } else {
            IpAddr::from(((self.bits >> 96) as u32).to_be_bytes())
        }
    }
}

fn left_aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn mask(length: u8) -> u128 {
    if length == 0 { 0 } else { !0 << (128 - length) }
}

/// Who has a prefix, and the place in that peer's list.
#[derive(Clone)]
struct Owner {
    peer: Arc<Peer>,
    sequence: u64,
}

#[derive(Clone)]
struct Node {
    bits: u128,
    length: u8,
    owner: Option<Owner>,
    children: [Link; 2],
}

type Link = Option<Arc<Node>>;

impl Node {
    fn new(bits: u128, length: u8, owner: Option<Owner>) -> Self {
        Node { bits, length, owner, children: [None, None] }
    }

    fn contains(&self, bits: u128) -> bool {
        (self.bits ^ bits) & mask(self.length) == 0
    }

    /// The side on which an address continues below this node.
    fn side(&self, bits: u128) -> usize {
        (bits << self.length >> 127) as usize
    }
}

fn find(root: &Link, bits: u128) -> Option<&Arc<Peer>> {
    let mut best = None;
    let mut link = root;
    while let Some(node) = link {
        if !node.contains(bits) {
            break;
        }
        if let Some(owner) = &node.owner {
            best = Some(&owner.peer);
        }
        if node.length == 128 {
            break;
        }
        link = &node.children[node.side(bits)];
    }
    best
}

/// Set the owner of a prefix; returns who had it.
fn insert(link: &mut Link, bits: u128, length: u8, owner: Owner) -> Option<Owner> {
    let Some(node) = link else {
        *link = Some(Arc::new(Node::new(bits, length, Some(owner))));
        return None;
    };
    let common = ((node.bits ^ bits).leading_zeros() as u8).min(node.length).min(length);
    if common == node.length {
        let node = Arc::make_mut(node);
        if common == length {
            return node.owner.replace(owner);
        }
        let side = node.side(bits);
        return insert(&mut node.children[side], bits, length, owner);
    }
    // The two part ways above this node: a new node takes its place.
    let mut fork = Node::new(bits & mask(common), common, None);
    let side = fork.side(node.bits);
    fork.children[side] = link.take();
    if common == length {
        fork.owner = Some(owner);
    } else {
        fork.children[1 - side] = Some(Arc::new(Node::new(bits, length, Some(owner))));
    }
    *link = Some(Arc::new(fork));
    None
}

/// Take a prefix away; `link` has it. Nodes that say nothing any more go too.
fn remove(link: &mut Link, bits: u128, length: u8) {
    let Some(shared) = link else { return };
    let node = Arc::make_mut(shared);
    if node.length == length {
        node.owner = None;
    } else {
        let side = node.side(bits);
        remove(&mut node.children[side], bits, length);
    }
    if node.owner.is_none() {
        match &mut node.children {
            [Some(_), Some(_)] => {}
            [one, other] => *link = one.take().or(other.take()),
        }
    }
}

fn owner_of(root: &Link, prefix: &Prefix) -> Option<Owner> {
    let mut link = root;
    while let Some(node) = link {
        if !node.contains(prefix.bits) || node.length > prefix.length {
            return None;
        }
        if node.length == prefix.length {
            return node.owner.clone();
        }
        link = &node.children[node.side(prefix.bits)];
    }
    None
}

/// The tries of both families, as they were at one moment.
#[derive(Clone, Default)]
pub struct Snapshot {
    v4: Link,
    v6: Link,
}

impl Snapshot {
    pub fn find_v4(&self, address: [u8; 4]) -> Option<&Arc<Peer>> {
        find(&self.v4, left_aligned(IpAddr::from(address)))
    }

    pub fn find_v6(&self, address: [u8; 16]) -> Option<&Arc<Peer>> {
        find(&self.v6, u128::from_be_bytes(address))
    }

    fn root(&mut self, prefix: &Prefix) -> &mut Link {
        if prefix.is_v6 { &mut self.v6 } else { &mut self.v4 }
    }
}

#[derive(Default)]
struct Draft {
    tries: Snapshot,
    sequence: u64,
    changed: bool,
}

/// The published snapshot, and the version that the control plane works on.
#[derive(Default)]
pub struct AllowedIps {
    published: ArcSwap<Snapshot>,
    draft: Mutex<Draft>,
}

impl AllowedIps {
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.published.load()
    }

    /// Let the readers see all changes so far.
    pub fn publish(&self) {
        let mut draft = lock(&self.draft);
        if std::mem::take(&mut draft.changed) {
            self.published.store(Arc::new(draft.tries.clone()));
        }
    }

    /// Add the prefix at the end of the peer's list; it leaves whoever had it.
    pub fn insert(&self, peer: &Arc<Peer>, prefix: Prefix) {
        let mut draft = lock(&self.draft);
        draft.changed = true;
        draft.sequence += 1;
        let sequence = draft.sequence;
        let owner = Owner { peer: peer.clone(), sequence };
        let before = insert(draft.tries.root(&prefix), prefix.bits, prefix.length, owner);
        if let Some(before) = before {
            lock(&before.peer.allowed_ips).remove(&before.sequence);
        }
        lock(&peer.allowed_ips).insert(sequence, prefix);
    }

    /// Remove exactly this prefix, and only if it belongs to this peer.
    pub fn remove(&self, peer: &Arc<Peer>, prefix: Prefix) {
        let mut draft = lock(&self.draft);
        let root = draft.tries.root(&prefix);
        if let Some(owner) = owner_of(root, &prefix).filter(|owner| Arc::ptr_eq(&owner.peer, peer)) {
            remove(root, prefix.bits, prefix.length);
            lock(&peer.allowed_ips).remove(&owner.sequence);
            draft.changed = true;
        }
    }

    /// Remove all prefixes of the peer.
    pub fn clear(&self, peer: &Arc<Peer>) {
        let mut draft = lock(&self.draft);
        for prefix in std::mem::take(&mut *lock(&peer.allowed_ips)).into_values() {
            remove(draft.tries.root(&prefix), prefix.bits, prefix.length);
            draft.changed = true;
        }
    }

    /// The peer's prefixes in the order of insertion.
    pub fn of(&self, peer: &Peer) -> Vec<Prefix> {
        lock(&peer.allowed_ips).values().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    fn peer(id: u64) -> Arc<Peer> {
        Arc::new(Peer::new(id))
    }

    fn lookup(table: &AllowedIps, address: &str) -> Option<u64> {
        table.publish();
        let snapshot = table.snapshot();
        match address.parse().unwrap() {
            IpAddr::V4(v4) => snapshot.find_v4(v4.octets()),
            IpAddr::V6(v6) => snapshot.find_v6(v6.octets()),
        }
        .map(|peer| peer.id)
    }

    #[test]
    fn the_longest_prefix_wins_and_moves_between_peers() {
        let (table, one, two) = (AllowedIps::default(), peer(1), peer(2));
        table.insert(&one, prefix("0.0.0.0/0"));
        table.insert(&two, prefix("10.1.2.3/8"));
        table.insert(&one, prefix("10.1.0.0/16"));
        table.insert(&two, prefix("2001:db8::1/128"));
        assert_eq!(lookup(&table, "10.1.9.9"), Some(1));
        assert_eq!(lookup(&table, "10.2.9.9"), Some(2));
        assert_eq!(lookup(&table, "192.0.2.1"), Some(1));
        assert_eq!(lookup(&table, "2001:db8::1"), Some(2));
        assert_eq!(lookup(&table, "2001:db8::2"), None);
        table.insert(&two, prefix("10.1.0.0/16"));
        assert_eq!(table.of(&one), [prefix("0.0.0.0/0")]);
        table.remove(&one, prefix("10.1.0.0/16"));
        assert_eq!(lookup(&table, "10.1.9.9"), Some(2));
        table.clear(&two);
        assert_eq!(lookup(&table, "10.1.9.9"), Some(1));
        assert_eq!(lookup(&table, "2001:db8::1"), None);
    }

    #[test]
    fn a_reader_keeps_its_snapshot() {
        let (table, one) = (AllowedIps::default(), peer(1));
        table.insert(&one, prefix("10.0.0.0/8"));
        table.publish();
        let before = table.snapshot();
        table.clear(&one);
        table.publish();
        assert!(before.find_v4([10, 0, 0, 1]).is_some());
        assert!(table.snapshot().find_v4([10, 0, 0, 1]).is_none());
    }

    proptest! {
        /// Against the plainest table there is.
        #[test]
        fn agrees_with_a_list(
            steps in prop::collection::vec((0..4u8, 0..3u64, any::<u16>(), 0..=32u8, any::<bool>()), 1..60),
            probes in prop::collection::vec((any::<u16>(), any::<bool>()), 20),
        ) {
            let (table, peers) = (AllowedIps::default(), [peer(0), peer(1), peer(2)]);
            let mut list: Vec<(Prefix, u64)> = Vec::new();
            // Few distinct bits, at the top, so that prefixes nest and meet.
            let address = |number: u16, is_v6: bool| if is_v6 {
                IpAddr::from((u128::from(number) << 112).to_be_bytes())
            } else {
                IpAddr::from((u32::from(number) << 16).to_be_bytes())
            };
            for (action, who, number, length, is_v6) in steps {
                let prefix = Prefix::new(address(number, is_v6), length).unwrap();
                match action {
                    0 | 1 => {
                        list.retain(|(known, _)| *known != prefix);
                        list.push((prefix, who));
                        table.insert(&peers[who as usize], prefix);
                    }
                    2 => {
                        list.retain(|entry| *entry != (prefix, who));
                        table.remove(&peers[who as usize], prefix);
                    }
                    _ => {
                        list.retain(|(_, owner)| *owner != who);
                        table.clear(&peers[who as usize]);
                    }
                }
                if number % 4 == 0 {
                    table.publish(); // so that later changes meet shared nodes
                }
            }
            table.publish();
            for who in 0..3 {
                let expected: Vec<Prefix> = list.iter().filter(|(_, owner)| *owner == who).map(|(p, _)| *p).collect();
                prop_assert_eq!(table.of(&peers[who as usize]), expected);
            }
            for (number, is_v6) in probes {
                let bits = left_aligned(address(number, is_v6));
                let expected = list
                    .iter()
                    .filter(|(p, _)| p.is_v6 == is_v6 && bits & mask(p.length) == p.bits)
                    .max_by_key(|(p, _)| p.length)
                    .map(|(_, who)| *who);
                let text = address(number, is_v6).to_string();
                prop_assert_eq!(lookup(&table, &text), expected);
            }
        }
    }
}
