"""Everything at once, for as long as wanted: traffic, rekeys, changes, restarts, bad networks.

WGTEST_SOAK says how many seconds, `make soak MINUTES=n` how many minutes. WGTUN_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pytest

from benchmarks.process import resident_memory
from tests.support.forwarder import Forwarder
from tests.support.namespaces import Lab, Tunnel, needs_namespaces, run, wait_for
from tests.support.quick_daemon import QUICK
from tests.support.read_out import document
from tests.support.transfer import Transfer
from wgtun.constants import SECOND

pytestmark = [pytest.mark.netns, needs_namespaces]

SECONDS = float(os.environ.get("WGTEST_SOAK", "25"))
SEED = int(os.environ.get("WGTUN_SEED", time.time_ns() // SECOND))
TIMING = "rekey_after=1 reject_after=6 keepalive_timeout=0.5 rekey_timeout=0.5 rekey_attempt=20 jitter=0.05"
NET = 3
SIZE = 3_000_000


class Holdings(NamedTuple):
    """What of a daemon must not grow."""

    memory: float
    descriptors: int
    threads: int
    tasks: int

    @classmethod
    def of(cls, tunnel: Tunnel) -> Holdings:
        process = f"/proc/{tunnel.pid}"
        # The connection of a client that has just gone may still count.
        tasks = min(document(tunnel)["holdings"]["tasks"] for _ in range(5))
        return cls(
            resident_memory(tunnel.pid), len(os.listdir(f"{process}/fd")), len(os.listdir(f"{process}/task")), tasks
        )


class Soak:
    """Two tunnels, the forwarder between them, and what may happen to them."""

    def __init__(self, lab: Lab, rng: random.Random) -> None:
        self.rng = rng
        left, right = lab.joined_hosts()
        router = lab.host()
        lab.join(left, router, NET)
        lab.join(router, right, NET + 1)
        self.network = Forwarder(
            router, f"192.0.{NET}.{router.number}", f"192.0.{NET + 1}.{right.number}", seed=rng.randrange(1000)
        )
        # The first one reaches the second over the forwarder, which it may lose and find again.
        self.one, self.two = (self.started(host) for host in (left, right))
        self.introduce()
        self.actions: list[Callable[[], None]] = [
            self.transfer, self.transfer, self.transfer_back, self.bad_network, self.good_network, self.rebind,
            self.new_preshared_key, self.move_allowed_ips, self.keepalive, self.listen_port, self.fwmark,
            self.new_private_key, self.down_and_up, self.restart_two,
        ]  # fmt: skip

    def started(self, host: object) -> Tunnel:
        tunnel: Tunnel = host.start(QUICK, env={"WGTEST_TIMING": TIMING})  # type: ignore[attr-defined]
        tunnel.up()
        return tunnel

    def introduce(self) -> None:
        self.one.add_peer(self.two, self.network.endpoint)
        self.two.add_peer(self.one)

    def set(self, tunnel: Tunnel, *words: str, text: str | None = None) -> None:
        tunnel.wg("set", tunnel.interface, *words, text=text)

    def is_alive(self) -> bool:
        self.one.host.run("ping", "-n", "-c", "1", "-W", "1", self.two.address, check=False)
        return "1 received" in self.one.host.run("ping", "-n", "-c", "1", "-W", "1", self.two.address, check=False)

    # --- what may happen ---------------------------------------------------------------------------

    def transfer(self) -> None:
        Transfer(self.one, self.two, SIZE, seed=self.rng.randrange(100), ipv6=self.rng.random() < 0.5).finish()

    def transfer_back(self) -> None:
        Transfer(self.two, self.one, SIZE, seed=self.rng.randrange(100)).finish()

    def bad_network(self) -> None:
        self.network.network(drop=0.02, duplicate=0.02, reorder=0.05, hold=0.005)

    def good_network(self) -> None:
        self.network.network()

    def rebind(self) -> None:
        self.network.rebind()

    def new_preshared_key(self) -> None:
        key = run("wg", "genpsk").strip()
        self.set(self.one, "peer", self.two.public_key, "preshared-key", "/dev/stdin", text=key)
        self.set(self.two, "peer", self.one.public_key, "preshared-key", "/dev/stdin", text=key)

    def move_allowed_ips(self) -> None:
        self.set(self.two, "peer", self.one.public_key, "allowed-ips", "10.99.0.0/16")
        self.set(self.two, "peer", self.one.public_key, "allowed-ips", f"{self.one.address}/32,{self.one.address6}/128")

    def keepalive(self) -> None:
        self.set(self.one, "peer", self.two.public_key, "persistent-keepalive", self.rng.choice(("1", "25", "off")))

    def listen_port(self) -> None:
        self.set(self.one, "listen-port", str(self.rng.randrange(40000, 50000)))

    def fwmark(self) -> None:
        self.set(self.one, "fwmark", self.rng.choice(("0", "77")))

    def new_private_key(self) -> None:
        """For the second; the first learns of it as of another peer."""
        key = run("wg", "genkey").strip()
        self.set(self.two, "private-key", "/dev/stdin", text=key)
        self.set(self.one, "peer", self.two.public_key, "remove")
        self.two.public_key = run("wg", "pubkey", text=key).strip()
        self.one.add_peer(self.two, self.network.endpoint)
        self.set(self.two, "peer", self.one.public_key, "preshared-key", "/dev/null")

    def down_and_up(self) -> None:
        tunnel = self.rng.choice((self.one, self.two))
        tunnel.host.ip("link", "set", tunnel.interface, "down")
        tunnel.host.ip("link", "set", tunnel.interface, "up")
        tunnel.host.ip("address", "replace", f"{tunnel.address6}/64", "dev", tunnel.interface, "nodad")

    def restart_one(self) -> None:
        self.one = self.restarted(self.one)

    def restart_two(self) -> None:
        self.two = self.restarted(self.two)

    def restarted(self, tunnel: Tunnel) -> Tunnel:
        (tunnel.process.terminate if self.rng.random() < 0.5 else tunnel.process.kill)()
        tunnel.process.wait(10)
        other = self.two if tunnel is self.one else self.one
        self.set(other, "peer", tunnel.public_key, "remove")
        fresh = self.started(tunnel.host)
        if other is self.two:
            fresh.add_peer(other, self.network.endpoint)
            other.add_peer(fresh)
        else:
            other.add_peer(fresh, self.network.endpoint)
            fresh.add_peer(other)
        self.set(other, "peer", fresh.public_key, "preshared-key", "/dev/null")
        return fresh


def bytes_of(tunnel: Tunnel) -> tuple[int, int]:
    """Received and sent."""
    _, received, sent = tunnel.show("transfer").split()
    return int(received), int(sent)


@pytest.mark.timeout(SECONDS + 300)
def test_soak() -> None:
    print(f"WGTUN_SEED={SEED}")
    rng = random.Random(SEED)
    with Lab() as lab:
        soak = Soak(lab, rng)
        soak.restart_one()
        for action in soak.actions:  # each once, so that all that is loaded late is there
            action()
            wait_for(soak.is_alive, 20, f"traffic after {action.__name__} (WGTUN_SEED={SEED})")
        before = Holdings.of(soak.one)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            action = rng.choice(soak.actions)
            action()
            wait_for(soak.is_alive, 20, f"traffic after {action.__name__} (WGTUN_SEED={SEED})")
        after = Holdings.of(soak.one)
        assert after.memory - before.memory < 5 + 0.01 * SECONDS / 60, (before, after)
        assert after.descriptors <= before.descriptors + 1, (before, after)
        assert after[2:] == before[2:], (before, after)
        every_byte_is_accounted_for(soak)
        every_packet_is_accounted_for(soak)


def drops_of(tunnel: Tunnel) -> dict[str, int]:
    """By reason. The system itself sends to multicast groups now and then, which are no peer's."""
    drops: dict[str, int] = document(tunnel)["drops"]
    return {reason: count for reason, count in drops.items() if reason != "no_route"}


def every_byte_is_accounted_for(soak: Soak) -> None:
    """On a network that loses nothing, what one side sent is what the other received."""
    soak.good_network()
    one, two = soak.one, soak.two
    soak.set(one, "peer", two.public_key, "persistent-keepalive", "off")
    wait_for(soak.is_alive, 20)

    def counts() -> tuple[list[tuple[int, int]], list[dict[str, int]]]:
        time.sleep(2)  # passive keepalives are over
        return [bytes_of(tunnel) for tunnel in (one, two)], [drops_of(tunnel) for tunnel in (one, two)]

    # A handshake that was late on a busy machine leaves an answer that nobody waits for: then once more.
    for _ in range(5):
        before, dropped = counts()
        one.ping(two, count=20)
        two.ping(one, count=20)
        after, dropped_then = counts()
        if dropped_then == dropped:
            break
    (got_one, sent_one), (got_two, sent_two) = (
        (then[0] - now[0], then[1] - now[1]) for now, then in zip(before, after, strict=True)
    )
    assert sent_one == got_two > 20 * 128
    assert sent_two == got_one > 20 * 128
    assert dropped_then == dropped


# Why a packet of the system does not leave, and why one that came does not get to the system.
KEPT = {
    "tun_malformed", "no_route", "interface_down", "staged_overflow", "staged_discarded", "no_endpoint", "too_big",
    "send_failed",
}  # fmt: skip
REFUSED = {
    "unknown_index", "key_expired", "unauthentic", "replayed", "malformed_inner", "disallowed_source",
    "tun_write_failed",
}  # fmt: skip


def every_packet_is_accounted_for(soak: Soak) -> None:
    """What the system sends into one tunnel comes out of the other, or is counted where it was dropped."""
    one, two = soak.one, soak.two

    def counts() -> Counter[str]:
        counted = Counter(sent=system_counter(one, "tx"), received=system_counter(two, "rx"))
        for tunnel, reasons in ((one, KEPT), (two, REFUSED)):
            drops = document(tunnel)["drops"]
            counted.update({reason: drops.get(reason, 0) for reason in reasons})
        return counted

    before = counts()
    one.ping(two, count=20)
    soak.set(two, "peer", one.public_key, "allowed-ips", "10.99.0.0/16")
    for address in (two.address, "10.0.0.250"):  # refused there; nobody's here
        one.host.run("ping", "-n", "-c", "5", "-i", "0.2", "-W", "1", address, check=False)
    soak.set(two, "peer", one.public_key, "allowed-ips", f"{one.address}/32,{one.address6}/128")
    one.ping(two)

    def since() -> Counter[str]:
        after = counts()
        after.subtract(before)
        return after

    wait_for(lambda: (now := since())["sent"] * 2 == now.total(), 5, "sent = received + dropped by reason")
    counted = since()
    assert counted["disallowed_source"] == 5
    assert counted["no_route"] >= 5
    assert counted["received"] >= 21


def system_counter(tunnel: Tunnel, direction: str) -> int:
    """Packets that the system has sent into the tunnel (tx), or got from it (rx)."""
    (link,) = json.loads(tunnel.host.ip("-j", "-s", "link", "show", "dev", tunnel.interface))
    return int(link["stats64"][direction]["packets"])
