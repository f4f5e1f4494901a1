//! Receiving: several messages per call, each of which may be a train of datagrams (UDP_GRO).

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use socket2::SockAddrStorage;

use crate::io::ancillary::Ancillary;
use crate::io::system::{self, Role};
use crate::path::{Path, Source};

/// Bytes of the biggest message: a datagram, or a train.
pub(super) const MESSAGE_SIZE: usize = 65_536;
/// Messages per call. Enough that a flood of small ones costs few calls; trains come in ones and twos,
/// and a bulk transfer stays within the processor's cache.
pub(super) const MESSAGES: usize = 16;

/// One receive call: datagrams that came together by one path.
pub struct Received {
    /// Where in `Inbox::buffer`.
    pub at: Range<usize>,
    /// Bytes of each datagram; the last may be shorter.
    pub segment: usize,
    pub path: Path,
    pub traffic_class: u8,
}

/// The buffers that a thread receives into.
pub struct Inbox {
    pub buffer: Vec<u8>,
    pub(super) names: [SockAddrStorage; MESSAGES],
    pub(super) ancillary: [Ancillary; MESSAGES],
    pub received: Vec<Received>,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox {
            buffer: vec![0; MESSAGES * MESSAGE_SIZE], // untouched pages cost nothing
            names: std::array::from_fn(|_| SockAddrStorage::zeroed()),
            ancillary: std::array::from_fn(|_| Ancillary::new()),
            received: Vec::with_capacity(MESSAGES),
        }
    }
}

impl Inbox {
    /// A message is in the buffer; `receive` of the system calls this for each.
    pub(super) fn push(&mut self, at: Range<usize>, address: SocketAddr, number: usize) {
        self.received.push(interpret(at, address, &self.ancillary[number]));
    }
}

fn interpret(at: Range<usize>, mut address: SocketAddr, ancillary: &Ancillary) -> Received {
    if let SocketAddr::V6(v6) = &mut address {
        v6.set_flowinfo(0); // says nothing about where the sender is
    }
    let (mut segment, mut source, mut traffic_class) = (at.len(), None, 0);
    let mut interface = None;
    for (level, kind, value) in ancillary.iter() {
        match system::role(level, kind) {
            Role::Segment => {
                let size = value.first_chunk().map_or(0, |size| i32::from_ne_bytes(*size));
                segment = usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(segment);
            }
            Role::Local if level == system::IPPROTO_IPV6 => source = local_v6(value),
            Role::Local => source = system::local_v4(value),
            Role::Interface => interface = interface_of(value),
            // One byte, or an int.
            Role::Class => {
                let first = value.first().copied().unwrap_or(0);
                traffic_class = value.first_chunk().map_or(first, |class| i32::from_ne_bytes(*class) as u8);
            }
            Role::Other => {}
        }
    }
    if let (Some(source), Some(interface)) = (&mut source, interface) {
        source.interface = interface;
    }
    Received { at, segment, path: Path { address, source }, traffic_class }
}

/// From an in6_pktinfo: local address, interface.
fn local_v6(value: &[u8]) -> Option<Source> {
    let local: [u8; 16] = *value.first_chunk()?;
    let interface = u32::from_ne_bytes(value.get(16..20)?.try_into().ok()?);
    Some(Source { local: IpAddr::from(local), interface })
}

/// From a sockaddr_dl.
fn interface_of(value: &[u8]) -> Option<u32> {
    Some(u16::from_ne_bytes(value.get(2..4)?.try_into().ok()?).into())
}
