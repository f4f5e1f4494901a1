"""What an attacker sends to a daemon, and the host that it sends from."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import NamedTuple

from tests.support.namespaces import Host, Tunnel
from tests.support.wire import caught
from wgtun.noise.macs import MacGenerator

NETWORK = "198.18.0.0/16"  # addresses that the attacker invents
_DISTINCT = 1000


class Flood(NamedTuple):
    """Datagrams of `size` bytes, one after the other; from one address, or from one of `NETWORK` each."""

    size: int
    datagrams: bytes
    is_spoofed: bool = False


def attacker_of(victim: Host, net: int) -> Host:
    """A host beside the victim, which has a way back to all of `NETWORK`."""
    lab = victim.lab
    attacker = lab.host()
    lab.join(attacker, victim, net=net)
    attacker.ip("route", "add", "local", NETWORK, "dev", "lo")
    victim.ip("route", "add", NETWORK, "via", f"192.0.{net}.{attacker.number}")
    for host in (attacker, victim):
        host.run("sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done")
    return attacker


def _random_bytes(_victim: Tunnel, _peer: Tunnel) -> Flood:
    return Flood(148, os.urandom(148 * _DISTINCT))


def _headed(kind: int, size: int) -> Flood:
    return Flood(size, b"".join(bytes((kind, 0, 0, 0)) + os.urandom(size - 4) for _ in range(_DISTINCT)))


def _junk_initiations(_victim: Tunnel, _peer: Tunnel) -> Flood:
    return _headed(1, 148)


def _cookie_replies(_victim: Tunnel, _peer: Tunnel) -> Flood:
    return _headed(3, 64)


def _data_for_nobody(_victim: Tunnel, _peer: Tunnel) -> Flood:
    return _headed(4, 1040)


def _valid_mac1(victim: Tunnel, _peer: Tunnel) -> Flood:
    macs = MacGenerator(base64.b64decode(victim.public_key))
    messages = [macs.append_macs(0, b"\1\0\0\0" + os.urandom(112), 0) for _ in range(_DISTINCT)]
    return Flood(148, b"".join(messages), is_spoofed=True)


def _replayed_initiations(victim: Tunnel, peer: Tunnel) -> Flood:
    message = caught(victim.host, 1, lambda: peer.ping(victim))
    return Flood(len(message), message * _DISTINCT, is_spoofed=True)


def _replayed_data(victim: Tunnel, peer: Tunnel) -> Flood:
    peer.ping(victim)
    message = caught(victim.host, 4, lambda: peer.ping(victim, size=1000))
    return Flood(len(message), message * _DISTINCT)


# By name, from the victim and a peer of it that has no session yet.
FLOODS: dict[str, Callable[[Tunnel, Tunnel], Flood]] = {
    "replayed initiations": _replayed_initiations,
    "replayed data": _replayed_data,
    "valid mac1": _valid_mac1,
    "junk initiations": _junk_initiations,
    "cookie replies": _cookie_replies,
    "data for nobody": _data_for_nobody,
    "random bytes": _random_bytes,
}
