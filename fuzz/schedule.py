"""Random events in the life of devices, decided by bytes, against a small model of what must hold."""

from __future__ import annotations

import random

from tests.simulation.mesh import Mesh
from tests.simulation.world import Device
from wgtun.constants import DEFAULT_TIMING, TYPE_INITIATION

_STEPS = 40


class BytesRandom(random.Random):
    """Random choices that follow the bytes, and are all the first when there are no more."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data = iter(data)

    def random(self) -> float:
        return next(self._data, 0) / 256

    def getrandbits(self, count: int) -> int:
        taken = bytes(next(self._data, 0) for _ in range(-(-count // 8)))
        return int.from_bytes(taken, "little") & ((1 << count) - 1)


class Schedule:
    """A mesh of peers, and when each last began a handshake with each, by its own clock."""

    def __init__(self, data: bytes) -> None:
        self._mesh = Mesh(BytesRandom(data))
        self._began: dict[tuple[Device, object], int] = {}
        self._seen = 0
        self._check_pace()  # of what being introduced caused

    def run(self) -> None:
        for _ in range(_STEPS):
            for device in self._mesh.step():  # it started afresh, and may begin at once
                self._began = {key: when for key, when in self._began.items() if key[0] is not device}
            self._mesh.check_invariants()
            self._check_pace()

    def _check_pace(self) -> None:
        """No more than an initiation in five seconds to each peer."""
        log = self._mesh.world.log
        for sent in log[self._seen :]:
            if sent.kind == TYPE_INITIATION:
                key, now = (sent.sender, sent.path.address), sent.time + sent.sender.asleep
                assert now - self._began.get(key, -(10**18)) >= DEFAULT_TIMING.rekey_timeout, "initiations too quickly"
                self._began[key] = now
        self._seen = len(log)
