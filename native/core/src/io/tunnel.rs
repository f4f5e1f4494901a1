//! The tunnel side: a TUN, with one or more queues, opened and configured by the platform layer in
//! Python; or anything else that keeps packets apart, such as a pair of sockets within a program.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::drops::{DropReason, Drops};
use crate::heart::Packets;
use crate::io::system::{self, Queue};
use crate::offload::merge::{MAX_PARTS, Merger, flow_number};
use crate::offload::split::Segments;
use crate::offload::virtio::{GSO_UDP_L4, HEADER_SIZE, VirtioHeader};

/// What stands before each packet.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    Plain,
    /// Four bytes that name the address family, as on macOS and the BSDs: for IPv4 and for IPv6.
    Family([u8; 4], [u8; 4]),
    /// A virtio header (Linux, IFF_VNET_HDR), with what may be merged.
    Virtio {
        tso: bool,
        uso: bool,
    },
}

pub struct Tunnel {
    queues: Vec<Queue>,
    format: Format,
    /// What the kernel takes; a refusal of merged packets whose parts it takes switches merging off.
    merges_tcp: AtomicBool,
    merges_udp: AtomicBool,
}

/// What a thread needs to write packets.
#[derive(Default)]
pub struct Outbox {
    merger: Merger,
    assembled: Vec<u8>,
    single: Vec<u8>,
}

impl Tunnel {
    pub fn new(queues: Vec<Queue>, format: Format) -> Self {
        let (tso, uso) = match format {
            Format::Virtio { tso, uso } => (tso, uso),
            _ => (false, false),
        };
        Tunnel { queues, format, merges_tcp: AtomicBool::new(tso), merges_udp: AtomicBool::new(uso) }
    }

    pub fn queues(&self) -> usize {
        self.queues.len()
    }

    pub fn queue(&self, number: usize) -> &Queue {
        &self.queues[number]
    }

    /// Where a packet is written. Answers to a flow are read from the queue that it was last written to, so this
    /// also says which thread has them: always the same for a flow, and different ones for many.
    fn queue_for(&self, packet: &[u8]) -> &Queue {
        match &self.queues[..] {
            [only] => only,
            queues => &queues[usize::from(flow_number(packet)) % queues.len()],
        }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Write the packets that are at these places in the buffer, merged where that is possible.
    pub fn write(&self, buffer: &mut [u8], packets: &[Range<usize>], outbox: &mut Outbox, drops: &Drops) {
        let mut failed = 0;
        match self.format {
            Format::Virtio { .. } => {
                let Outbox { merger, assembled, single } = outbox;
                merger.allow(self.merges_tcp.load(Ordering::Relaxed), self.merges_udp.load(Ordering::Relaxed));
                for packet in packets {
                    merger.push(buffer, packet.clone());
                }
                merger.drain(buffer, |buffer, header, parts| {
                    let out = self.queue_for(&buffer[parts[0].clone()]);
                    let written = write_parts(out, &header.to_bytes(), parts.iter().map(|part| &buffer[part.clone()]));
                    let Err(error) = written else { return };
                    failed += if parts.len() == 1 {
                        1
                    } else {
                        assembled.clear();
                        parts.iter().for_each(|part| assembled.extend_from_slice(&buffer[part.clone()]));
                        self.write_apart(out, &error, header, assembled, single)
                    };
                });
            }
            Format::Family(v4, v6) => {
                for packet in packets {
                    let packet = &buffer[packet.clone()];
                    let family = if packet[0] >> 4 == 4 { v4 } else { v6 };
                    failed += usize::from(write_parts(self.queue_for(packet), &family, [packet].into_iter()).is_err());
                }
            }
            Format::Plain => {
                for packet in packets {
                    let packet = &buffer[packet.clone()];
                    failed += usize::from(write_parts(self.queue_for(packet), &[], [packet].into_iter()).is_err());
                }
            }
        }
        drops.count(DropReason::TunWriteFailed, failed);
    }

    /// Write one packet that is not part of a buffer.
    pub fn write_one(&self, packet: &[u8], drops: &Drops) {
        let header: &[u8] = match &self.format {
            Format::Plain => &[],
            Format::Family(v4, v6) => {
                if packet[0] >> 4 == 4 {
                    v4
                } else {
                    v6
                }
            }
            Format::Virtio { .. } => &[0; HEADER_SIZE],
        };
        let failed = write_parts(self.queue_for(packet), header, [packet].into_iter()).is_err();
        drops.count(DropReason::TunWriteFailed, failed.into());
    }

    /// A merged packet was refused: write what it was made of, and learn. Returns how many were refused.
    fn write_apart(
        &self,
        out: &Queue,
        error: &io::Error,
        header: &VirtioHeader,
        merged: &mut [u8],
        single: &mut Vec<u8>,
    ) -> usize {
        let Ok(segments) = Segments::parse(header, merged) else { return 1 };
        let mut refused = 0;
        for number in 0..segments.count() {
            single.resize(segments.size(number), 0);
            segments.write(number, single);
            refused += usize::from(write_parts(out, &[0; HEADER_SIZE], [&single[..]].into_iter()).is_err());
        }
        if refused == 0 && system::refuses_merged(error) {
            let switch = if header.gso_type == GSO_UDP_L4 { &self.merges_udp } else { &self.merges_tcp };
            switch.store(false, Ordering::Relaxed);
        }
        refused
    }
}

fn write_parts<'a>(out: &Queue, header: &'a [u8], parts: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
    let mut slices = [IoSlice::new(&[]); MAX_PARTS + 1];
    let mut count = 0;
    for part in std::iter::once(header).chain(parts) {
        slices[count] = IoSlice::new(part);
        count += 1;
    }
    out.write(&slices[..count])
}

impl Packets for Segments<'_> {
    fn count(&self) -> usize {
        Segments::count(self)
    }

    fn size(&self, number: usize) -> usize {
        Segments::size(self, number)
    }

    fn write(&self, number: usize, out: &mut [u8]) {
        Segments::write(self, number, out);
    }

    fn header(&self) -> &[u8] {
        self.first_header()
    }
}
