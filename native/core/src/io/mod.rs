//! Threads, a TUN and UDP sockets around the heart.
//!
//! One thread per TUN queue and one per socket, each run to completion: it blocks until its descriptor
//! is readable, works through what it reads, writes, and waits again. Nothing is handed from thread
//! to thread, buffers belong to their thread, and a flow stays with one thread, so nothing is
//! reordered. Threads end when their `Signal` is raised; they block nowhere else for long.
//!
//! What differs between the systems is in `system`. Trains are Linux's (UDP_SEGMENT, UDP_GRO) and Windows'
//! (UDP_SEND_MSG_SIZE), virtio headers at the TUN Linux's; elsewhere, and with offloads off, there is one
//! packet per read and write and one datagram per call.

mod ancillary;
mod engine;
mod inbound;
mod outbound;
mod receive;
mod send;
mod sockets;
mod system;
mod train;
mod tunnel;
mod waiter;
mod worker;

pub use engine::Engine;
pub use receive::{Inbox, Received};
pub use sockets::Sockets;
pub use system::{Queue, RawSocket, Signal};
pub use train::Train;
pub use tunnel::{Format, Outbox, Tunnel};
pub use waiter::Waiter;

/// What one system does alone, for whoever compares it with the headers (`tools/platforms/rust_constants.py`).
#[cfg(all(unix, feature = "testing"))]
pub mod own {
    pub use super::ancillary::Ancillary;
    pub use super::system::{Role, local_v4, push_class, push_source_v4, role};
}
