//! Where datagrams leave one by one, cut into fragments if they have to be.

use std::io;
use std::net::SocketAddr;

use socket2::Socket;

use crate::io::ancillary::Ancillary;

pub fn push_train(_: &mut Ancillary, _: usize) {
    unreachable!("there are no trains here");
}

pub fn path_mtu(_: &Socket, _: &SocketAddr) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into()) // nothing is refused for its size here
}
