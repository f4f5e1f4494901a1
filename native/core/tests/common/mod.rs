//! Two hearts with a session, and packets for them.

use std::sync::Arc;

use wgtun_core::allowed_ips::Prefix;
use wgtun_core::crypto::aead::Key;
use wgtun_core::heart::Heart;
use wgtun_core::path::Path;
use wgtun_core::session::Keypair;

pub const PEER: u64 = 7;

pub fn path(text: &str) -> Path {
    Path { address: text.parse().unwrap(), source: None }
}

/// Know the peer behind 10.0.0.`other`.
pub fn configure(heart: &Heart, other: u8, at: Path) {
    heart.add_peer(PEER);
    heart.set_path(PEER, at).unwrap();
    heart.insert_allowed_ip(PEER, Prefix::new([10, 0, 0, other].into(), 32).unwrap()).unwrap();
    heart.allowed_ips.publish();
    heart.set_up(true);
}

pub fn install(heart: &Heart, now: u64, initiator: bool) {
    let (one, two) = (Arc::new(Key::new(&[1; 32])), Arc::new(Key::new(&[2; 32])));
    let (send, receive) = if initiator { (one, two) } else { (two, one) };
    let (local_index, remote_index) = if initiator { (1, 2) } else { (2, 1) };
    heart.install_keypair(now, PEER, Keypair { send, receive, local_index, remote_index, initiator }).unwrap();
}

/// An IPv4 packet from 10.0.0.`from` to 10.0.0.`to`.
pub fn packet(from: u8, to: u8, size: usize, fill: u8) -> Vec<u8> {
    let mut packet = vec![fill; size];
    packet[..20].fill(0);
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(size as u16).to_be_bytes());
    packet[8] = 64;
    packet[12..20].copy_from_slice(&[10, 0, 0, from, 10, 0, 0, to]);
    packet
}
