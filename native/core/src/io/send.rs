//! Sending: a train in one call where that works, else its datagrams one by one, none lost.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{SockAddr, Socket};

use crate::io::ancillary::Ancillary;
use crate::io::sockets::Sockets;
use crate::io::system;
use crate::path::{Path, Source};

/// Milliseconds to wait for room in the socket's buffer before a datagram counts as refused.
const PATIENCE: i32 = 100;

pub struct Outcome {
    /// How many datagrams the system refused.
    pub refused: usize,
    /// Learned because they are too big for the path: they went as fragments.
    pub path_mtu: Option<usize>,
}

impl Sockets {
    /// Send datagrams of `segment` bytes, the last perhaps shorter, in order.
    pub fn send(&self, path: &Path, traffic_class: u8, datagrams: &[u8], segment: usize, patient: bool) -> Outcome {
        let Some(socket) = self.for_family(path.address.is_ipv6()) else {
            // The host does not have this family.
            return Outcome { refused: datagrams.len().div_ceil(segment), path_mtu: None };
        };
        if self.is_blackhole(path.address.is_ipv6()) {
            return Outcome { refused: 0, path_mtu: None };
        }
        let call = Call { sockets: self, socket, address: path.address, traffic_class, patient: Cell::new(patient) };
        let source = path.source.filter(|source| !self.is_dead(source));
        if datagrams.len() > segment && self.may_send_train(&path.address, segment) {
            match call.send(datagrams, source.as_ref(), Some(segment)) {
                Ok(()) => return Outcome { refused: 0, path_mtu: None },
                Err(error) => {
                    let refused = call.send_singly(datagrams, segment, source.as_ref());
                    let was_the_source = source.is_some_and(|source| self.is_dead(&source));
                    let path_mtu = if was_the_source { None } else { self.learn_from_train(&error, &path.address) };
                    return Outcome { refused, path_mtu };
                }
            }
        }
        Outcome { refused: call.send_singly(datagrams, segment, source.as_ref()), path_mtu: None }
    }
}

/// What one train has in common.
struct Call<'a> {
    sockets: &'a Sockets,
    socket: &'a Socket,
    address: SocketAddr,
    traffic_class: u8,
    patient: Cell<bool>,
}

impl Call<'_> {
    fn send_singly(&self, datagrams: &[u8], segment: usize, source: Option<&Source>) -> usize {
        datagrams.chunks(segment).filter(|datagram| self.send_one(datagram, source).is_err()).count()
    }

    /// A local address that is gone is given up: without it the datagram leaves.
    fn send_one(&self, datagram: &[u8], source: Option<&Source>) -> io::Result<()> {
        let Some(source) = source.filter(|source| !self.sockets.is_dead(source)) else {
            return self.send(datagram, None, None);
        };
        let outcome = self.send(datagram, Some(source), None);
        if !outcome.as_ref().is_err_and(system::is_about_the_source) {
            return outcome;
        }
        self.send(datagram, None, None)?;
        self.sockets.learn_dead(*source);
        Ok(())
    }

    /// One call; with a `segment` size the system cuts the bytes into datagrams.
    fn send(&self, bytes: &[u8], source: Option<&Source>, segment: Option<usize>) -> io::Result<()> {
        let class = if self.sockets.takes_classes() { self.traffic_class } else { 0 };
        let outcome = self.send_with(class, bytes, source, segment);
        // Linux and Windows take a class; the others may not, and then all goes without.
        if cfg!(any(target_os = "linux", windows)) || class == 0 {
            return outcome;
        }
        match outcome {
            Err(error) if system::is_unknown_control(&error) => {
                self.send_with(0, bytes, source, segment)?;
                self.sockets.refuse_classes();
                Ok(())
            }
            other => other,
        }
    }

    fn send_with(&self, class: u8, bytes: &[u8], source: Option<&Source>, segment: Option<usize>) -> io::Result<()> {
        let address = SockAddr::from(self.address);
        let mut ancillary = Ancillary::new();
        if let Some(source) = source {
            push_source(&mut ancillary, source);
        }
        if class != 0 {
            system::push_class(&mut ancillary, self.address.is_ipv6(), class);
        }
        if let Some(segment) = segment {
            system::push_train(&mut ancillary, segment);
        }
        loop {
            let Err(error) = system::send_message(self.socket, &address, bytes, &mut ancillary) else { return Ok(()) };
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock if self.patient.get() && self.has_room() => {}
                _ => return Err(error),
            }
        }
    }

    /// Wait for room in the socket's buffer: a bounded time, and once in vain is enough.
    fn has_room(&self) -> bool {
        self.patient.set(system::has_room(self.socket, PATIENCE));
        self.patient.get()
    }
}

/// Make the datagram leave from this local address.
///
/// The interface is left open, or a changed route could never take effect; a link-local address means
/// nothing without it.
fn push_source(ancillary: &mut Ancillary, source: &Source) {
    match source.local {
        IpAddr::V4(local) => system::push_source_v4(ancillary, local),
        IpAddr::V6(local) => {
            let mut information = [0; 20]; // an in6_pktinfo, which is the same everywhere
            information[..16].copy_from_slice(&local.octets());
            if local.is_unicast_link_local() {
                information[16..].copy_from_slice(&source.interface.to_ne_bytes());
            }
            ancillary.push(system::IPPROTO_IPV6, system::IPV6_PKTINFO, information);
        }
    }
}
