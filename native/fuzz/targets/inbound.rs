//! Any datagrams and packets at a heart with a session: no panic, nothing out that was not let in.

use std::sync::Arc;

use arbitrary::Arbitrary;
use wgtun_core::allowed_ips::Prefix;
use wgtun_core::constants::Timing;
use wgtun_core::crypto::aead::Key;
use wgtun_core::heart::{Heart, Outgoing, Run};
use wgtun_core::path::Path;
use wgtun_core::session::Keypair;

const PEER: u64 = 1;

#[derive(Arbitrary, Debug)]
pub enum Step {
    Raw {
        bytes: Vec<u8>,
        segment: u16,
        class: u8,
    },
    /// Sealed by the peer: what an insider can send.
    Sealed {
        index: u8,
        counter: u64,
        packet: Vec<u8>,
        class: u8,
    },
    Outbound(Vec<u8>),
    Install {
        index: u8,
        initiator: bool,
    },
    Erase,
    Keepalive,
    Later(u32),
}

/// Takes one datagram at a time.
#[derive(Default)]
struct Sink(Vec<u8>);

impl Outgoing for Sink {
    fn place(&mut self, _: &Path, _: u8, size: usize) -> &mut [u8] {
        assert!(size < 70_000);
        self.0 = vec![0; size];
        &mut self.0
    }
}

pub type Input = Vec<Step>;

pub fn run(steps: Input) {
    let heart = Heart::new(Timing::default(), Box::new(|| {}));
    let path = Path { address: "192.0.2.1:5".parse().unwrap(), source: None };
    heart.add_peer(PEER);
    heart.set_path(PEER, path).unwrap();
    for (address, length) in [("10.0.0.0", 8), ("fd00::", 16)] {
        heart.insert_allowed_ip(PEER, Prefix::new(address.parse().unwrap(), length).unwrap()).unwrap();
    }
    heart.allowed_ips.publish();
    heart.set_up(true);
    heart.admission.set_public_key(Some(&[7; 32]));
    let key = Arc::new(Key::new(&[1; 32]));
    let (mut now, mut run) = (1u64 << 40, Run::default());
    let mut receive = |now, mut buffer: Vec<u8>, segment: usize, class| {
        let (at, mut packets) = (0..buffer.len(), Vec::new());
        heart.inbound(now, &mut buffer, at, segment, &path, class, &mut run, &mut Sink::default(), &mut packets);
        for at in packets {
            let packet = &buffer[at];
            match packet[0] >> 4 {
                4 => assert!(packet.len() >= 20 && packet[12] == 10),
                6 => assert!(packet.len() >= 40 && packet[8] == 0xfd),
                _ => panic!("not an IP packet"),
            }
        }
    };
    for step in steps.into_iter().take(100) {
        match step {
            Step::Raw { bytes, segment, class } => receive(now, bytes, segment as usize, class),
            Step::Sealed { index, counter, packet, class } => {
                let mut datagram = [4, 0, 0, 0, index, 0, 0, 0].to_vec();
                datagram.extend(counter.to_le_bytes());
                datagram.extend(packet);
                datagram.extend([0; 16]);
                key.seal(counter, &mut datagram[16..]);
                let size = datagram.len();
                receive(now, datagram, size, class);
            }
            Step::Outbound(packet) => heart.outbound(now, &packet[..], &mut Sink::default(), &mut Vec::new()),
            Step::Install { index, initiator } => {
                let keys = Keypair {
                    send: key.clone(),
                    receive: key.clone(),
                    local_index: index.into(),
                    remote_index: 9,
                    initiator,
                };
                heart.install_keypair(now, PEER, keys).unwrap();
            }
            Step::Erase => heart.erase_keypairs(PEER).unwrap(),
            Step::Keepalive => heart.send_keepalive(now, PEER, &mut Sink::default()).unwrap(),
            Step::Later(nanoseconds) => now += u64::from(nanoseconds) << 4,
        }
        while heart.events.poll().is_some() {}
    }
}
