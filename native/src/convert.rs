//! Between the types of `wgtun` and those of `wgtun_core`.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyTuple, PyType};
use wgtun_core::allowed_ips::Prefix;
use wgtun_core::constants::Timing;
use wgtun_core::events::Event;
use wgtun_core::heart::{Holdings, PeerStatus, UnknownPeer};
use wgtun_core::path::{Path, Source};

/// A class of wgtun, looked up once.
macro_rules! class {
    ($py:expr, $module:literal, $name:literal) => {{
        static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        CLASS.import($py, $module, $name)
    }};
}

pub fn unknown_peer(error: UnknownPeer) -> PyErr {
    PyKeyError::new_err(format!("there is no peer {}", error.0))
}

/// From a `wgtun.path.Path`.
pub fn to_path(path: &Bound<'_, PyAny>) -> PyResult<Path> {
    let (address, source): (Bound<'_, PyTuple>, Option<(Vec<u8>, u32)>) = path.extract()?;
    let source =
        source.map(|(local, interface)| Ok::<_, PyErr>(Source { local: to_ip(&local)?, interface })).transpose()?;
    Ok(Path { address: to_address(&address)?, source })
}

/// From what `socket` calls take: (host, port) or (host, port, flow label, scope id).
pub fn to_address(address: &Bound<'_, PyTuple>) -> PyResult<SocketAddr> {
    let host: String = address.get_item(0)?.extract()?;
    let port: u16 = address.get_item(1)?.extract()?;
    let numeric = host.split_once('%').map_or(host.as_str(), |(numeric, _)| numeric);
    match numeric.parse().map_err(|_| PyValueError::new_err(format!("not a numeric address: {host:?}")))? {
        IpAddr::V4(v4) => Ok(SocketAddr::from((v4, port))),
        IpAddr::V6(v6) => {
            let scope = if address.len() == 4 { address.get_item(3)?.extract()? } else { 0 };
            Ok(SocketAddr::V6(SocketAddrV6::new(v6, port, 0, scope)))
        }
    }
}

pub fn to_ip(octets: &[u8]) -> PyResult<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Ok(IpAddr::from(v4));
    }
    let v6 = <[u8; 16]>::try_from(octets);
    Ok(IpAddr::from(v6.map_err(|_| PyValueError::new_err("an address has 4 or 16 bytes"))?))
}

pub fn from_ip(py: Python<'_>, address: IpAddr) -> Bound<'_, PyBytes> {
    match address {
        IpAddr::V4(v4) => PyBytes::new(py, &v4.octets()),
        IpAddr::V6(v6) => PyBytes::new(py, &v6.octets()),
    }
}

/// To a `wgtun.path.Path`.
pub fn from_path<'py>(py: Python<'py>, path: &Path) -> PyResult<Bound<'py, PyAny>> {
    let host = path.address.ip().to_string();
    let address = match path.address {
        SocketAddr::V4(v4) => (host, v4.port()).into_pyobject(py)?,
        SocketAddr::V6(v6) => (host, v6.port(), 0, v6.scope_id()).into_pyobject(py)?,
    };
    let source = match path.source {
        Some(source) => Some(class!(py, "wgtun.path", "Source")?.call1((from_ip(py, source.local), source.interface))?),
        None => None,
    };
    class!(py, "wgtun.path", "Path")?.call1((address, source))
}

/// From a `wgtun.allowed_ip.AllowedIP`.
pub fn to_prefix(prefix: &Bound<'_, PyAny>) -> PyResult<Prefix> {
    let (address, length): (Bound<'_, PyBytes>, u8) = prefix.extract()?;
    Prefix::new(to_ip(address.as_bytes())?, length).ok_or_else(|| PyValueError::new_err("a prefix length is too big"))
}

/// To a `wgtun.allowed_ip.AllowedIP`.
pub fn from_prefix<'py>(py: Python<'py>, prefix: &Prefix) -> PyResult<Bound<'py, PyAny>> {
    class!(py, "wgtun.allowed_ip", "AllowedIP")?.call1((from_ip(py, prefix.address()), prefix.length()))
}

/// From a `wgtun.constants.Timing`.
pub fn to_timing(timing: &Bound<'_, PyAny>) -> PyResult<Timing> {
    let get = |name| timing.getattr(name)?.extract();
    Ok(Timing {
        rekey_after: get("rekey_after")?,
        reject_after: get("reject_after")?,
        rekey_on_receive: timing.getattr("rekey_on_receive")?.extract::<i64>()?.max(0) as u64,
        rekey_timeout: get("rekey_timeout")?,
        cookie_lifetime: get("cookie_lifetime")?,
        under_load: get("under_load")?,
    })
}

/// To a `wgtun.dataplane.PeerStatus`.
pub fn from_status<'py>(py: Python<'py>, status: &PeerStatus) -> PyResult<Bound<'py, PyAny>> {
    let path = status.path.map(|path| from_path(py, &path)).transpose()?;
    let refused = status.refused.map(|path| from_path(py, &path)).transpose()?;
    class!(py, "wgtun.dataplane", "PeerStatus")?.call1((path, status.tx_bytes, status.rx_bytes, refused))
}

/// To a `wgtun.dataplane.Holdings`.
pub fn from_holdings<'py>(py: Python<'py>, holdings: &Holdings) -> PyResult<Bound<'py, PyAny>> {
    let Holdings { peers, sessions, staged, events } = *holdings;
    class!(py, "wgtun.dataplane", "Holdings")?.call1((peers, sessions, staged, events))
}

/// To a `wgtun.dataplane.Activity`.
pub fn from_activity<'py>(py: Python<'py>, status: &PeerStatus) -> PyResult<Bound<'py, PyAny>> {
    class!(py, "wgtun.dataplane", "Activity")?.call1((
        status.last_sent,
        status.last_received,
        status.unanswered_since,
        status.unacknowledged_since,
    ))
}

/// To one of `wgtun.dataplane.Event`.
pub fn from_event<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyAny>> {
    match event {
        Event::HandshakeReceived { message, path } => {
            class!(py, "wgtun.dataplane", "HandshakeReceived")?.call1((PyBytes::new(py, message), from_path(py, path)?))
        }
        Event::SessionNeeded { peer } => class!(py, "wgtun.dataplane", "SessionNeeded")?.call1((peer,)),
        Event::SessionAging { peer } => class!(py, "wgtun.dataplane", "SessionAging")?.call1((peer,)),
        Event::SessionConfirmed { peer } => class!(py, "wgtun.dataplane", "SessionConfirmed")?.call1((peer,)),
        Event::DataUnanswered { peer, since } => class!(py, "wgtun.dataplane", "DataUnanswered")?.call1((peer, since)),
        Event::DataUnacknowledged { peer, since } => {
            class!(py, "wgtun.dataplane", "DataUnacknowledged")?.call1((peer, since))
        }
        Event::KeypairRetired { local_index } => class!(py, "wgtun.dataplane", "KeypairRetired")?.call1((local_index,)),
        Event::TunnelRemoved { reason } => class!(py, "wgtun.dataplane", "TunnelRemoved")?.call1((reason,)),
        Event::EngineFailed { reason } => class!(py, "wgtun.dataplane", "EngineFailed")?.call1((reason,)),
    }
}
