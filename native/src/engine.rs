//! The engine: see `wgtun.dataplane.Engine` for the interface.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use wgtun_core::drops::DropReason;
use wgtun_core::events::PeerId;
use wgtun_core::heart::{Heart, Outgoing, Run};
use wgtun_core::io::{self, Format, Queue, RawSocket, Signal, Sockets, Train, Tunnel};
use wgtun_core::path::Path;
use wgtun_core::session::Keypair;

use crate::convert::*;
use crate::provider::TransportKey;

/// What tests take instead of sending it.
#[derive(Default)]
struct Collector {
    datagrams: Vec<(Vec<u8>, Path, u8)>,
    packets: Vec<Vec<u8>>,
    run: Run,
}

impl Outgoing for Collector {
    fn place(&mut self, path: &Path, traffic_class: u8, size: usize) -> &mut [u8] {
        self.datagrams.push((vec![0; size], *path, traffic_class));
        &mut self.datagrams.last_mut().expect("just pushed").0
    }
}

/// See `wgtun.dataplane.Engine`. With `sans_io`, what is to be sent is left for `take`.
#[pyclass(frozen, subclass)]
pub struct Engine {
    engine: io::Engine,
    wake: Arc<Signal>,
    collector: Option<Mutex<Collector>>,
}

/// Where the control plane's datagrams go.
enum Control<'a> {
    Train(MutexGuard<'a, Train>),
    Collector(MutexGuard<'a, Collector>),
}

impl Outgoing for Control<'_> {
    fn place(&mut self, path: &Path, traffic_class: u8, size: usize) -> &mut [u8] {
        match self {
            Control::Train(train) => train.place(path, traffic_class, size),
            Control::Collector(collector) => collector.place(path, traffic_class, size),
        }
    }
}

impl Engine {
    fn heart(&self) -> &Heart {
        &self.engine.heart
    }

    fn control(&self) -> Control<'_> {
        match &self.collector {
            Some(collector) => Control::Collector(collector.lock().unwrap_or_else(PoisonError::into_inner)),
            None => Control::Train(self.engine.control()),
        }
    }

    fn collector(&self) -> PyResult<MutexGuard<'_, Collector>> {
        match self.control() {
            Control::Collector(collector) => Ok(collector),
            Control::Train(_) => Err(PyValueError::new_err("this engine does its own I/O")),
        }
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (timing, *, sans_io = false))]
    fn new(timing: &Bound<'_, PyAny>, sans_io: bool) -> PyResult<Self> {
        let wake = Arc::new(Signal::new()?);
        let raise = wake.clone();
        let engine = io::Engine::new(to_timing(timing)?, Box::new(move || raise.raise()));
        Ok(Engine { engine, wake, collector: sans_io.then(Mutex::default) })
    }

    // --- events ----------------------------------------------------------------------------------

    /// Readable when events wait.
    fn fileno(&self) -> RawSocket {
        self.wake.raw()
    }

    /// The descriptor was readable: make it unreadable until further events come.
    fn acknowledge(&self) {
        self.wake.clear();
        self.heart().events.rearm();
    }

    fn has_events(&self) -> bool {
        !self.heart().events.is_empty()
    }

    fn poll_event<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.heart().events.poll().map(|event| from_event(py, &event)).transpose()
    }

    // --- the two sides ---------------------------------------------------------------------------

    /// Read from and write to a plain descriptor, or one with the family before each packet.
    #[pyo3(signature = (queues, family = None))]
    fn attach_plain(&self, py: Python<'_>, queues: Vec<RawSocket>, family: Option<([u8; 4], [u8; 4])>) -> PyResult<()> {
        let format = family.map_or(Format::Plain, |(v4, v6)| Format::Family(v4, v6));
        self.attach(py, &queues, format)
    }

    /// Read from and write to a Linux TUN with virtio headers, whose kernel takes these merged packets.
    fn attach_virtio(&self, py: Python<'_>, queues: Vec<RawSocket>, tso: bool, uso: bool) -> PyResult<()> {
        self.attach(py, &queues, Format::Virtio { tso, uso })
    }

    /// Read from and write to a Wintun session, with the addresses of the functions of wintun.dll that do it.
    ///
    /// The caller keeps both as long as it is attached.
    #[cfg(windows)]
    fn attach_ring(&self, py: Python<'_>, session: usize, functions: [usize; 5]) -> PyResult<()> {
        // SAFETY: the caller vouches for session and functions, which come from wintun.dll.
        let queue = unsafe { Queue::of_ring(session, functions) };
        py.detach(|| self.engine.attach_tunnel(Tunnel::new(vec![queue], Format::Plain)))?;
        Ok(())
    }

    /// Windows' alone.
    #[cfg(not(windows))]
    fn attach_ring(&self, session: usize, functions: [usize; 5]) -> PyResult<()> {
        let _ = (session, functions);
        Err(PyOSError::new_err("only Windows has rings"))
    }

    fn detach_tunnel(&self, py: Python<'_>) {
        py.detach(|| self.engine.detach_tunnel());
    }

    /// Send and receive on UDP sockets, at most one of each family; `trains` allows UDP_SEGMENT.
    fn attach_sockets(&self, py: Python<'_>, descriptors: Vec<RawSocket>, trains: bool) -> PyResult<()> {
        let sockets = Sockets::new(&descriptors, trains)?;
        py.detach(|| self.engine.attach_sockets(sockets))?;
        Ok(())
    }

    fn detach_sockets(&self, py: Python<'_>) {
        py.detach(|| self.engine.detach_sockets());
    }

    /// Datagrams of these families go nowhere, as if sent, until other sockets are attached.
    fn set_blackhole(&self, v4: bool, v6: bool) {
        self.engine.set_blackhole(v4, v6);
    }

    /// Whether trains of datagrams leave in one call: a network device may have refused them.
    fn sends_trains(&self) -> bool {
        self.engine.sends_trains()
    }

    /// Let the workers see the changes so far, and send what the control plane sent.
    fn flush(&self) {
        self.engine.flush();
    }

    // --- without I/O -----------------------------------------------------------------------------

    /// A packet that the system sent into the tunnel.
    fn outbound(&self, now: u64, packet: &[u8]) -> PyResult<()> {
        self.heart().allowed_ips.publish();
        let mut collector = self.collector()?;
        let mut replies = Vec::new();
        self.heart().outbound(now, packet, &mut *collector, &mut replies);
        collector.packets.append(&mut replies);
        Ok(())
    }

    /// Datagrams of `segment` bytes, the last perhaps shorter, that arrived in one call.
    fn inbound(
        &self,
        now: u64,
        datagrams: &[u8],
        segment: usize,
        path: &Bound<'_, PyAny>,
        traffic_class: u8,
    ) -> PyResult<()> {
        self.heart().allowed_ips.publish();
        let (mut buffer, mut packets) = (datagrams.to_vec(), Vec::new());
        let at = 0..buffer.len();
        let mut collector = self.collector()?;
        let mut run = std::mem::take(&mut collector.run);
        let path = to_path(path)?;
        let heart = self.heart();
        heart.inbound(now, &mut buffer, at, segment, &path, traffic_class, &mut run, &mut *collector, &mut packets);
        collector.run = run;
        collector.packets.extend(packets.into_iter().map(|at| buffer[at].to_vec()));
        Ok(())
    }

    /// What came of it: datagrams with path and traffic class, and packets for the tunnel.
    #[allow(clippy::type_complexity)]
    fn take<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Vec<(Bound<'py, PyBytes>, Bound<'py, PyAny>, u8)>, Vec<Bound<'py, PyBytes>>)> {
        let (datagrams, packets) = {
            let mut collector = self.collector()?;
            (std::mem::take(&mut collector.datagrams), std::mem::take(&mut collector.packets))
        };
        let datagrams = datagrams
            .iter()
            .map(|(bytes, path, class)| Ok((PyBytes::new(py, bytes), from_path(py, path)?, *class)))
            .collect::<PyResult<_>>()?;
        Ok((datagrams, packets.iter().map(|packet| PyBytes::new(py, packet)).collect()))
    }

    // --- peers and their addresses ---------------------------------------------------------------

    fn set_public_key(&self, public_key: Option<[u8; 32]>) {
        self.heart().admission.set_public_key(public_key.as_ref());
    }

    fn add_peer(&self, peer: PeerId) {
        self.heart().add_peer(peer);
    }

    fn remove_peer(&self, peer: PeerId) -> PyResult<()> {
        self.heart().remove_peer(peer).map_err(unknown_peer)
    }

    fn set_path(&self, peer: PeerId, path: &Bound<'_, PyAny>) -> PyResult<()> {
        self.heart().set_path(peer, to_path(path)?).map_err(unknown_peer)
    }

    fn narrow_path(&self, now: u64, address: &Bound<'_, PyTuple>, mtu: usize) -> PyResult<()> {
        self.heart().narrow_path(now, to_address(address)?, mtu);
        Ok(())
    }

    fn forget_source(&self, peer: PeerId) -> PyResult<()> {
        self.heart().forget_source(peer).map_err(unknown_peer)
    }

    fn refuse_source(&self, now: u64, peer: PeerId) -> PyResult<()> {
        self.heart().refuse_source(now, peer).map_err(unknown_peer)
    }

    fn allow_source(&self, peer: PeerId) -> PyResult<()> {
        self.heart().allow_source(peer).map_err(unknown_peer)
    }

    fn insert_allowed_ip(&self, peer: PeerId, prefix: &Bound<'_, PyAny>) -> PyResult<()> {
        self.heart().insert_allowed_ip(peer, to_prefix(prefix)?).map_err(unknown_peer)
    }

    fn remove_allowed_ip(&self, peer: PeerId, prefix: &Bound<'_, PyAny>) -> PyResult<()> {
        self.heart().remove_allowed_ip(peer, to_prefix(prefix)?).map_err(unknown_peer)
    }

    fn clear_allowed_ips(&self, peer: PeerId) -> PyResult<()> {
        self.heart().clear_allowed_ips(peer).map_err(unknown_peer)
    }

    fn allowed_ips<'py>(&self, py: Python<'py>, peer: PeerId) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let prefixes = self.heart().allowed_ips(peer).map_err(unknown_peer)?;
        prefixes.iter().map(|prefix| from_prefix(py, prefix)).collect()
    }

    // --- sessions --------------------------------------------------------------------------------

    #[allow(clippy::type_complexity)]
    fn install_keypair(
        &self,
        now: u64,
        peer: PeerId,
        keypair: (PyRef<'_, TransportKey>, PyRef<'_, TransportKey>, u32, u32, bool),
    ) -> PyResult<()> {
        let (send, receive, local_index, remote_index, initiator) = keypair;
        let keys = Keypair { send: send.key(), receive: receive.key(), local_index, remote_index, initiator };
        self.heart().install_keypair(now, peer, keys).map_err(unknown_peer)
    }

    fn exhaust_keypairs(&self, peer: PeerId) -> PyResult<()> {
        self.heart().exhaust_keypairs(peer).map_err(unknown_peer)
    }

    fn erase_keypairs(&self, peer: PeerId) -> PyResult<()> {
        self.heart().erase_keypairs(peer).map_err(unknown_peer)
    }

    fn has_session(&self, now: u64, peer: PeerId) -> PyResult<bool> {
        self.heart().has_session(now, peer).map_err(unknown_peer)
    }

    // --- things to send --------------------------------------------------------------------------

    fn send_handshake(&self, now: u64, peer: PeerId, message: &[u8]) -> PyResult<()> {
        self.heart().send_handshake(now, peer, message, &mut self.control()).map_err(unknown_peer)
    }

    fn handshake_authenticated(&self, now: u64, peer: PeerId, path: &Bound<'_, PyAny>, size: usize) -> PyResult<()> {
        self.heart().handshake_authenticated(now, peer, to_path(path)?, size).map_err(unknown_peer)
    }

    fn send_keepalive(&self, now: u64, peer: PeerId) -> PyResult<()> {
        self.heart().send_keepalive(now, peer, &mut self.control()).map_err(unknown_peer)
    }

    fn drop_staged(&self, peer: PeerId) -> PyResult<()> {
        self.heart().drop_staged(peer).map_err(unknown_peer)
    }

    // --- read-out --------------------------------------------------------------------------------

    fn activity<'py>(&self, py: Python<'py>, peer: PeerId) -> PyResult<Bound<'py, PyAny>> {
        from_activity(py, &self.heart().status(peer).map_err(unknown_peer)?)
    }

    fn peer_status<'py>(&self, py: Python<'py>, peer: PeerId) -> PyResult<Bound<'py, PyAny>> {
        from_status(py, &self.heart().status(peer).map_err(unknown_peer)?)
    }

    fn rearm_unanswered(&self, peer: PeerId) -> PyResult<()> {
        self.heart().rearm_unanswered(peer).map_err(unknown_peer)
    }

    fn rearm_unacknowledged(&self, peer: PeerId) -> PyResult<()> {
        self.heart().rearm_unacknowledged(peer).map_err(unknown_peer)
    }

    fn holdings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        from_holdings(py, &self.heart().holdings())
    }

    /// Of the device, or those of one peer.
    #[pyo3(signature = (peer = None))]
    fn drops<'py>(&self, py: Python<'py>, peer: Option<PeerId>) -> PyResult<Bound<'py, PyDict>> {
        let counts = PyDict::new(py);
        for reason in DropReason::ALL {
            let count = match peer {
                Some(peer) => self.heart().drops_of(peer, *reason).map_err(unknown_peer)?,
                None => self.heart().drops.get(*reason),
            };
            counts.set_item(reason.name(), count)?;
        }
        Ok(counts)
    }

    #[pyo3(signature = (reason, count = 1, peer = None))]
    fn count_drop(&self, reason: &str, count: usize, peer: Option<PeerId>) -> PyResult<()> {
        let known = DropReason::from_name(reason);
        let reason = known.ok_or_else(|| PyValueError::new_err(format!("no reason to drop: {reason:?}")))?;
        self.heart().count_drop(reason, count, peer).map_err(unknown_peer)
    }

    fn set_mtu(&self, mtu: usize) {
        self.heart().set_mtu(mtu);
    }

    fn set_up(&self, up: bool) {
        self.heart().set_up(up);
    }
}

impl Engine {
    #[cfg(unix)]
    fn attach(&self, py: Python<'_>, queues: &[RawSocket], format: Format) -> PyResult<()> {
        if queues.is_empty() {
            return Err(PyOSError::new_err("a tunnel has at least one descriptor"));
        }
        let queues = queues.iter().map(|raw| Queue::of_descriptor(*raw)).collect::<Result<_, _>>()?;
        py.detach(|| self.engine.attach_tunnel(Tunnel::new(queues, format)))?;
        Ok(())
    }

    #[cfg(not(unix))]
    fn attach(&self, _: Python<'_>, _: &[RawSocket], _: Format) -> PyResult<()> {
        Err(PyOSError::new_err("this system has no descriptors of TUNs"))
    }
}
