//! How datagrams reach a peer: its address, and the local address that it knows us by.

use std::net::{IpAddr, SocketAddr};

/// The local address that a peer addressed, so that answers leave from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    pub local: IpAddr,
    /// Index of the interface that the peer's datagrams came in by.
    pub interface: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub address: SocketAddr,
    pub source: Option<Source>,
}
