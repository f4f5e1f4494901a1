"""Large configurations, over the configuration socket itself: `wg` would add the same time of its own to all."""

from __future__ import annotations

import time

from benchmarks.contenders import Daemon
from benchmarks.measure import DaemonMeasure, Figure, MeasureError, Values
from benchmarks.process import resident_memory
from tests.support import large_configuration
from tests.support.namespaces import Lab, Tunnel
from tests.support.uapi import SUCCESS, talk


def peers(daemon: Daemon, _seconds: float) -> Values:
    """10,000 peers with an endpoint and an allowed IP each, in one set, with the interface up."""
    with Lab() as lab:
        tunnel = daemon.start(lab.host())
        tunnel.up()
        seconds = _timed_set(tunnel, large_configuration.peers())
        return {"peers": seconds, "peers-memory": resident_memory(tunnel.pid)}


def allowed_ips(daemon: Daemon, _seconds: float) -> Values:
    """131,072 allowed IPs of one peer, in one set; then all of it shown."""
    message = large_configuration.allowed_ips()
    with Lab() as lab:
        tunnel = daemon.start(lab.host())
        tunnel.up()
        seconds = _timed_set(tunnel, message)
        begin = time.perf_counter()
        answer = talk(tunnel.socket, b"get=1\n\n")
        values = {"allowed-ips": seconds, "allowed-ips-shown": time.perf_counter() - begin}
    if answer.count(b"\nallowed_ip=") != message.count(b"\nallowed_ip="):
        raise MeasureError("not every allowed IP is shown")
    return values


def _timed_set(tunnel: Tunnel, message: bytes) -> float:
    """Seconds until the answer."""
    begin = time.perf_counter()
    answer = talk(tunnel.socket, message)
    seconds = time.perf_counter() - begin
    if answer != SUCCESS:
        raise MeasureError(f"refused: {answer.decode().strip()}")
    return seconds


MEASURES = (
    DaemonMeasure(
        "peers",
        (
            Figure("peers", "10,000 peers set", "s", "lower"),
            Figure("peers-memory", "memory with them", "MB", "lower"),
        ),
        peers,
    ),
    DaemonMeasure(
        "allowed-ips",
        (
            Figure("allowed-ips", "131,072 allowed IPs set", "s", "lower"),
            Figure("allowed-ips-shown", "all of them shown", "s", "lower"),
        ),
        allowed_ips,
    ),
)
