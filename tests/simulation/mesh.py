"""Some devices, a bad network, and random events; and what must hold all the time."""

from __future__ import annotations

import random

from tests.simulation.world import Device, Link, World
from wgtun.constants import DEFAULT_TIMING, MILLISECOND, SECOND
from wgtun.endpoint import Endpoint


class Mesh:
    """Some devices, all peers of each other, and a record of what each was sent."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.world = World(
            seed=rng.randrange(1 << 32),
            link=Link(
                delay=self.rng.choice((1, 20, 150)) * MILLISECOND,
                jitter=self.rng.choice((0, 5, 100)) * MILLISECOND,
                loss=self.rng.choice((0, 0.02, 0.2)),
                duplicate=self.rng.choice((0, 0.1)),
            ),
        )
        self.devices = [self.world.add_device() for _ in range(self.rng.randint(2, 5))]
        self.sent: dict[bytes, Device] = {}
        for device in self.devices:
            self.introduce(device)

    def introduce(self, device: Device) -> None:
        for other in self.devices:
            if other is not device:
                device.add_peer(other, keepalive=self.rng.choice((0, 0, 10)))

    def two(self) -> tuple[Device, Device]:
        first, second = self.rng.sample(self.devices, 2)
        return first, second

    def step(self) -> list[Device]:
        """One random event, then some time. Returns the devices that forgot when they last began a handshake."""
        fresh = []
        event = self.rng.random()
        first, second = self.two()
        if event < 0.75:
            for _ in range(self.rng.choice((1, 1, 3, 30))):
                self.sent[first.send_to(second)] = second
        elif event < 0.80:
            first.address = (f"198.51.100.{first.number}", self.rng.randint(1024, 65535))
        elif event < 0.84:
            self.world.link.up = not self.world.link.up
        elif event < 0.87:
            first.boot()
            self.introduce(first)
            fresh = [first]
        elif event < 0.90:
            first.wall_offset += self.rng.choice((-1, 1)) * self.rng.randrange(60) * SECOND
        elif event < 0.93:
            first.sleep(self.rng.choice((1, 100, 1000)))
        elif event < 0.96:
            first.control.set_up(first.moment(), False)
            first.settle()
            first.control.set_up(first.moment(), True)
            first.settle()
            fresh = [first]
        else:
            second.peer(first).set_persistent_keepalive(second.moment(), self.rng.choice((0, 5, 25)))
            second.settle()
        self.world.run(self.rng.choice((0.01, 0.3, 2, 30, 130)))
        return fresh

    def check_invariants(self) -> None:
        seen: set[tuple[int, bytes]] = set()
        for device in self.devices:
            for _, packet in device.received:
                assert self.sent.get(packet) is device, "a packet came out elsewhere or changed"
                assert (device.number, packet) not in seen, "a packet was accepted twice"
                seen.add((device.number, packet))
            peers = len(device.control.peers)
            assert device.heart.holdings().sessions <= 3 * peers
            assert len(device.control._context.indices) <= 4 * peers, "indices leak"

    def check_recovery(self) -> None:
        """On a network that works again, everyone reaches everyone within the time the timers allow.

        A restart may have lost a clock that stepped back, so the clocks are set right first.
        """
        world = self.world
        world.link = Link()
        for device in self.devices:
            device.wall_offset = max(other.wall_offset for other in self.devices) + SECOND
            for other in self.devices:  # whoever moved while nobody could hear it is told anew
                if other is not device:
                    host, port = other.address[:2]
                    device.control.set_endpoint(device.moment(), device.peer(other), Endpoint(host, port))
        allowed = (DEFAULT_TIMING.new_handshake + 2 * DEFAULT_TIMING.rekey_timeout) / SECOND + 2
        for first in self.devices:
            for second in self.devices:
                if first is not second:
                    packets: list[bytes] = []
                    waited = 0.0
                    while not any(second.got(packet) for packet in packets):
                        assert waited < allowed, f"{first.number} -> {second.number}: nothing for {waited} s"
                        packet = first.send_to(second)
                        self.sent[packet] = second
                        packets.append(packet)
                        world.run(0.5)
                        waited += 0.5
