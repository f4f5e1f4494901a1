//! Threads, a TUN and UDP sockets around the heart.
//!
//! One thread per TUN queue and one per socket, each run to completion: it blocks until its descriptor
//! is readable, works through what it reads, writes, and waits again. Nothing is handed from thread
//! to thread, buffers belong to their thread, and a flow stays with one thread, so nothing is
//! reordered. Threads end when their `Signal` is raised; they block nowhere else for long.
//!
//! What a system lacks is left out where it is used: `offload` of trains (UDP_SEGMENT, UDP_GRO),
//! virtio headers at the TUN, pinned source addresses and batches of messages are Linux's; elsewhere,
//! and with offloads off, there is one packet per read and write and one datagram per call.

mod ancillary;
mod clock;
mod engine;
mod inbound;
mod outbound;
mod receive;
mod send;
mod signal;
mod sockets;
mod train;
mod tunnel;
mod waiter;
mod worker;

pub use engine::Engine;
pub use receive::{Inbox, Received};
pub use signal::Signal;
pub use sockets::Sockets;
pub use train::Train;
pub use tunnel::{Format, Outbox, Tunnel};
pub use waiter::Waiter;
