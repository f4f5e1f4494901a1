//! Datagrams of one size to one peer, built where they are sent from. Only the last may be shorter.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::drops::DropReason;
use crate::heart::{Heart, Outgoing};
use crate::io::sockets::Sockets;
use crate::io::system;
use crate::path::Path;

/// What the kernel takes in one call with UDP_SEGMENT.
const MAX_DATAGRAMS: usize = 64;
/// 65,535 bytes less the headers.
const MAX_SIZE_V4: usize = 65_507;
const MAX_SIZE_V6: usize = 65_527;

pub struct Train {
    heart: Arc<Heart>,
    sockets: Arc<ArcSwapOption<Sockets>>,
    /// Whether to wait for room in the socket's buffer: that is what slows a sender down to the line's speed.
    patient: bool,
    buffer: Vec<u8>,
    size: usize,
    segment: usize,
    is_complete: bool,
    way: Option<(Path, u8)>,
}

impl Train {
    pub fn new(heart: Arc<Heart>, sockets: Arc<ArcSwapOption<Sockets>>, patient: bool) -> Self {
        Train { heart, sockets, patient, buffer: Vec::new(), size: 0, segment: 0, is_complete: false, way: None }
    }

    /// Send what is there.
    pub fn flush(&mut self) {
        let Some((path, traffic_class)) = self.way.take() else { return };
        let datagrams = &self.buffer[..self.size];
        let refused = match self.sockets.load().as_deref() {
            Some(sockets) => {
                let outcome = sockets.send(&path, traffic_class, datagrams, self.segment, self.patient);
                if let Some(mtu) = outcome.path_mtu {
                    self.heart.narrow_path(system::now(), path.address, mtu);
                }
                outcome.refused
            }
            None => self.size.div_ceil(self.segment),
        };
        self.heart.drops.count(DropReason::SendFailed, refused);
        self.size = 0;
    }

    fn takes(&self, path: &Path, traffic_class: u8, size: usize) -> bool {
        let limit = if path.address.is_ipv6() { MAX_SIZE_V6 } else { MAX_SIZE_V4 };
        self.way == Some((*path, traffic_class))
            && !self.is_complete
            && size <= self.segment
            && self.size + size <= limit
            && self.size < MAX_DATAGRAMS * self.segment
    }
}

impl Outgoing for Train {
    fn place(&mut self, path: &Path, traffic_class: u8, size: usize) -> &mut [u8] {
        if !self.takes(path, traffic_class, size) {
            self.flush();
            self.way = Some((*path, traffic_class));
            self.segment = size;
        }
        self.is_complete = size < self.segment;
        let start = self.size;
        self.size += size;
        if self.buffer.len() < self.size {
            self.buffer.resize(self.size, 0);
        }
        &mut self.buffer[start..self.size]
    }
}
