"""What the peers of one device share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wgtun.protocol.indices import IndexTable
from wgtun.protocol.schedule import Schedule

if TYPE_CHECKING:
    from random import Random

    from wgtun.constants import Timing
    from wgtun.dataplane import Engine
    from wgtun.noise.provider import CryptoProvider, PrivateHandle
    from wgtun.protocol.peer import Peer

PeerLog = Callable[["Peer", str], None]
EphemeralSource = Callable[["Peer"], "PrivateHandle"]


class Context:
    """The device's key, its index table, its engine, its schedule, and the sources of randomness."""

    def __init__(
        self,
        engine: Engine,
        provider: CryptoProvider,
        timing: Timing,
        rng: Random,
        log: PeerLog,
        new_ephemeral: EphemeralSource | None,
    ) -> None:
        self.engine = engine
        self.provider = provider
        self.timing = timing
        self.log = log
        self.indices = IndexTable(rng)
        self.schedule = Schedule()
        self.new_ephemeral = new_ephemeral or (lambda _peer: provider.generate_private())
        self.static: PrivateHandle | None = None
        self._rng = rng

    def jitter(self) -> int:
        return self._rng.randrange(self.timing.jitter + 1)
