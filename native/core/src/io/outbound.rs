//! From a TUN queue to the peers.
//!
//! Packets are read until none waits, and sealed straight into a train, which leaves when it is full,
//! when the next packet does not fit it, or when the queue is empty.

use std::io;
use std::sync::Arc;

use crate::drops::DropReason;
use crate::events::Event;
use crate::heart::Heart;
use crate::io::system::{self, Signal};
use crate::io::train::Train;
use crate::io::tunnel::{Format, Tunnel};
use crate::io::waiter::Waiter;
use crate::offload::split::Segments;
use crate::offload::virtio::{HEADER_SIZE, VirtioHeader};

/// The biggest packet, with what stands before it.
const BUFFER_SIZE: usize = 65_535 + HEADER_SIZE;
/// Reads between two looks at the clock and the stop signal.
const BATCH: usize = 256;
/// Milliseconds; a descriptor in error must not spin.
const BACK_OFF: u16 = 333;

pub fn run(stop: &Signal, heart: &Arc<Heart>, tunnel: &Tunnel, queue: usize, mut train: Train) {
    let mut buffer = vec![0; BUFFER_SIZE];
    let mut replies = Vec::new();
    let source = tunnel.queue(queue);
    let mut waiter = Waiter::default();
    // After a whole batch more may be there, of which Wintun does not tell again.
    let mut was_whole = false;
    loop {
        let goes_on = if was_whole { !stop.is_raised() } else { waiter.wait(stop, source.waitable()) };
        if !goes_on {
            return;
        }
        was_whole = true;
        let now = system::now();
        for _ in 0..BATCH {
            let size = match source.read(&mut buffer) {
                Ok(0) => return removed(heart, "the program closed its end of the tunnel"),
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    was_whole = false;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    if let Some(reason) = system::removal(&error) {
                        return removed(heart, reason);
                    }
                    was_whole = false;
                    heart.drops.count(DropReason::ReceiveError, 1);
                    train.flush();
                    stop.pause(BACK_OFF);
                    break;
                }
            };
            take(now, heart, tunnel.format(), &mut buffer[..size], &mut train, &mut replies);
        }
        train.flush();
        for reply in replies.drain(..) {
            tunnel.write_one(&reply, &heart.drops);
        }
    }
}

fn take(now: u64, heart: &Heart, format: Format, read: &mut [u8], train: &mut Train, replies: &mut Vec<Vec<u8>>) {
    match format {
        Format::Plain => heart.outbound(now, &*read, train, replies),
        Format::Family(..) => heart.outbound(now, read.get(4..).unwrap_or_default(), train, replies),
        Format::Virtio { .. } => {
            let segments = read
                .split_first_chunk_mut()
                .and_then(|(header, packet)| Segments::parse(&VirtioHeader::from_bytes(header), packet).ok());
            match segments {
                Some(segments) => heart.outbound(now, &segments, train, replies),
                None => heart.drops.count(DropReason::TunMalformed, 1),
            }
        }
    }
}

fn removed(heart: &Heart, reason: &str) {
    heart.events.push(Event::TunnelRemoved { reason: reason.into() });
}
