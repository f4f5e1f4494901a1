"""Handshakes per second as responder, on one core.

The initiations are valid and made before the clock starts, with our own Noise code. Each peer sends from an address
of its own, as peers do, so that no limit per source address is met.
"""

from __future__ import annotations

import functools
import tempfile
import time
from typing import NamedTuple

from benchmarks.contenders import Daemon
from benchmarks.measure import DaemonMeasure, Figure, MeasureError, Values
from benchmarks.process import DAEMON_CPU, LOAD_CPU, cpu_seconds, pinned
from benchmarks.program import running
from tests.support.large_configuration import allowed_ip
from tests.support.namespaces import Lab
from tests.support.uapi import SUCCESS, talk
from wgtun.constants import SECOND
from wgtun.noise import tai64n
from wgtun.noise.handshake import InitiatorHandshake
from wgtun.noise.macs import MacGenerator
from wgtun.noise.pyca import PycaProvider

_PEERS = 2000
_EACH = 15  # initiations of a peer; together enough for some seconds
_NETWORK = "198.18.0.0/16"  # where the peers are
_PORT = 51820
_TOLERATED_COOKIES = 0.01  # of the responses


class _Prepared(NamedTuple):
    configuration: bytes  # of the responder
    initiations: bytes


def responder(daemon: Daemon, seconds: float) -> Values:
    """Responses per second from a daemon on one CPU; the initiators are on another, where there is one."""
    prepared = _prepare()
    with Lab() as lab, tempfile.NamedTemporaryFile() as file:
        file.write(prepared.initiations)
        file.flush()
        initiators, host = lab.joined_hosts()
        initiators.ip("route", "add", "local", _NETWORK, "dev", "lo")
        host.ip("route", "add", _NETWORK, "via", initiators.outer)
        tunnel = daemon.start(host, under=pinned(DAEMON_CPU))
        tunnel.up()
        if (answer := talk(tunnel.socket, prepared.configuration)) != SUCCESS:
            raise MeasureError(f"refused: {answer.decode().strip()}")
        initiators.run("ping", "-n", "-q", "-c", "1", host.outer)  # so that the neighbours know each other
        with running(
            initiators, "initiator", file.name, _NETWORK, _PEERS, host.outer, _PORT, seconds, under=pinned(LOAD_CPU)
        ) as initiator:
            before, begin = cpu_seconds(tunnel.pid), time.perf_counter()
            counted = initiator.report()
            busy = (cpu_seconds(tunnel.pid) - before) / (time.perf_counter() - begin)
    if not counted["responses"]:
        raise MeasureError("no initiation was answered")
    if counted["cookies"] > counted["responses"] * _TOLERATED_COOKIES:
        raise MeasureError(f"{counted['cookies']} cookie replies: it was under load")
    return {"handshakes": counted["responses"] / counted["seconds"], "handshakes-busy": 100 * busy}


@functools.cache
def _prepare() -> _Prepared:
    """Made once: each daemon gets the same key and peers, and has never seen the messages."""
    provider = PycaProvider()
    key = bytes(range(32))
    public = provider.load_private(key).public
    macs = MacGenerator(public)
    statics = [provider.generate_private() for _ in range(_PEERS)]
    secrets = [static.exchange(public) for static in statics]
    now = time.time_ns()
    initiations = bytearray()
    for number in range(_PEERS * _EACH):
        turn, peer = divmod(number, _PEERS)
        _, message = InitiatorHandshake.start(
            provider,
            statics[peer],
            public,
            secrets[peer],
            ephemeral=provider.generate_private(),
            sender_index=number,
            timestamp=tai64n.stamp(now + turn * SECOND),
        )
        initiations += macs.append_macs(now, message, cookie_lifetime=0)
    peers = b"".join(
        b"public_key=%s\n%s" % (static.public.hex().encode(), allowed_ip(number))
        for number, static in enumerate(statics)
    )
    configuration = b"set=1\nprivate_key=%s\nlisten_port=%d\nreplace_peers=true\n%s\n" % (
        key.hex().encode(), _PORT, peers,
    )  # fmt: skip
    return _Prepared(configuration, bytes(initiations))


MEASURES = (
    DaemonMeasure(
        "handshakes",
        (
            Figure("handshakes", "handshakes answered, one core", "/s", "higher"),
            Figure("handshakes-busy", "that core busy", "%", None),
        ),
        responder,
    ),
)
