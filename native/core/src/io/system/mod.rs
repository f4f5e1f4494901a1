//! What differs from system to system: descriptors and handles, control messages, waiting, clocks.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
pub use windows::*;

/// What a received control message tells. Not every system tells all.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// The size of the datagrams that came as one.
    Segment,
    /// The address that a datagram came to, perhaps with the interface.
    Local,
    /// The interface that it came by.
    Interface,
    /// Its traffic class.
    Class,
    Other,
}
