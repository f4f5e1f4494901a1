"""50,000 peers: what they cost, and that those who talk don't notice the rest."""

from __future__ import annotations

import base64
import os
import re
import signal
import statistics
import subprocess
import sys
import time

import pytest

from benchmarks.process import resident_memory
from tests.support.many_peers import private_key, tunnel_address
from tests.support.namespaces import Lab, Tunnel, needs_namespaces, pair
from tests.support.uapi import SUCCESS, talk
from wgtun.keys import PrivateKey

pytestmark = [pytest.mark.netns, needs_namespaces]

PEERS, TALKING = 50_000, 2_000
BYTES_PER_PEER = 5_000  # at most; what it is, the test prints


def configuration() -> bytes:
    """All peers, of which the first `TALKING` have keys that `tests.support.many_peers` knows."""
    keys = [bytes(PrivateKey(private_key(number)).public_key()) for number in range(TALKING)]
    keys += [os.urandom(32) for _ in range(PEERS - TALKING)]
    return b"set=1\n" + b"".join(
        b"public_key=%s\nallowed_ip=%s/32\n" % (key.hex().encode(), str(tunnel_address(number)).encode())
        for number, key in enumerate(keys)
    ) + b"\n"  # fmt: skip


def test_two_thousand_of_fifty_thousand_talk() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        before = resident_memory(one.pid)
        assert talk(one.socket, configuration()) == SUCCESS
        each = (resident_memory(one.pid) - before) * 1e6 / PEERS
        print(f"{each:.0f} bytes per peer")
        assert each < BYTES_PER_PEER
        one.host.ip("route", "add", "11.0.0.0/8", "dev", one.interface)

        steady = two.host.popen("ping", "-n", "-q", "-i", "0.005", one.address, stdout=subprocess.PIPE)
        key = base64.b64decode(one.public_key).hex()
        words = [one.host.outer, str(one.port), key, one.address, str(TALKING)]
        out = two.host.run(sys.executable, "-m", "tests.support.many_peers", *words)
        assert int(out) == TALKING
        begin = time.monotonic()
        assert talk(one.socket, b"get=1\n\n").count(b"public_key=") == PEERS + 1
        print(f"{time.monotonic() - begin:.2f} s for a get")
        for number in range(20):
            assert add_one(one, number) > 0
        assert talk(one.socket, b"get=1\n\n").count(b"last_handshake_time_sec=0\n") == PEERS - TALKING + 20
        steady.send_signal(signal.SIGINT)  # the last one may be on its way
        report, _ = steady.communicate(timeout=60)
        sent, received = map(int, re.findall(r"(\d+) packets transmitted, (\d+) received", report)[0])
        assert received >= sent - 1 > 200, "configuring and asking cost no packet"


def add_one(tunnel: Tunnel, number: int) -> float:
    """Seconds that it takes to add a peer."""
    key = os.urandom(32).hex().encode()
    begin = time.perf_counter()
    assert talk(tunnel.socket, b"set=1\npublic_key=%s\nallowed_ip=12.0.0.%d/32\n\n" % (key, number)) == SUCCESS
    return time.perf_counter() - begin


def test_adding_a_peer_to_many_takes_no_longer_than_to_few() -> None:
    with Lab() as lab:
        few, many = pair(lab)
        assert talk(many.socket, configuration()) == SUCCESS
        pairs = [(add_one(few, number), add_one(many, number)) for number in range(100)]  # in turns
        to_few, to_many = (statistics.median(times) for times in zip(*pairs, strict=True))
        print(f"{to_few * 1e6:.0f} us, to {PEERS} peers {to_many * 1e6:.0f} us")
        assert to_many < 2 * to_few
