"""A UDP forwarder between two hosts: a NAT that can forget its mappings, on a network that can be bad.

forwarder = Forwarder(router, "192.0.3.7", "192.0.2.9", seed=1)   # port 51820 on either side
forwarder.network(drop=0.1, delay=0.005)     # both ways, from now on
forwarder.rebind("192.0.2.254")              # another outgoing port, and here address too

Each sender gets an outgoing socket of its own. Which datagrams are dropped, sent twice or held
back depends on the seed and on how many came before in that direction, never on time.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.support.namespaces import Host
    from wgtun.endpoint import SocketAddress

_BATCH = 64
_BUFFER_SIZE = 4 << 20


class Network(NamedTuple):
    """Chances from 0 to 1, times in seconds."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # the chance of being held back, so that others overtake
    hold: float = 0.02  # for how long
    delay: float = 0.0  # of every datagram

    def fate(self, rng: random.Random) -> list[float]:
        """After which delay each copy of the next datagram arrives; none when it is lost."""
        dropped, duplicated, reordered = (rng.random() for _ in range(3))  # always as many, whatever the settings
        if dropped < self.drop:
            return []
        delay = self.delay + self.hold * (reordered < self.reorder)
        return [delay] * (1 + (duplicated < self.duplicate))


class Forwarder:
    """The forwarder as a test sees it: a program in the namespace of `host`."""

    def __init__(self, host: Host, listen: str, target: str, *, port: int = 51820, seed: int = 1) -> None:
        self.endpoint = f"[{listen}]:{port}" if ":" in listen else f"{listen}:{port}"
        self._process = host.popen(
            sys.executable, "-m", "tests.support.forwarder", listen, target, str(port), str(seed),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._answer()

    def network(self, **settings: float) -> None:
        """Fields of `Network`; those not named are back at their defaults."""
        self._ask({"network": settings})

    def rebind(self, address: str = "") -> None:
        """Forget all mappings. The next datagrams leave from other ports, and from `address` if it is given."""
        self._ask({"rebind": address})

    def replay(self, on: bool) -> None:
        """Whether everything that goes to the target is sent there once more, from a place of its own."""
        self._ask({"replay": on})

    def counts(self) -> dict[str, int]:
        """How many datagrams were `carried`, `dropped`, `duplicated`, `held` and `replayed`."""
        return self._ask({})

    def _ask(self, command: dict[str, object]) -> dict[str, int]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the forwarder ended"
        counts: dict[str, int] = json.loads(line)
        return counts


# --- the program -------------------------------------------------------------------------------------


class _Program:
    def __init__(self, loop: asyncio.AbstractEventLoop, listen: str, target: str, port: int, seed: int) -> None:
        self._loop = loop
        self._family = socket.AF_INET6 if ":" in listen else socket.AF_INET
        self._target = (target, port)
        self._source = ""
        self._network = Network()
        self._to_target, self._to_client = (random.Random(f"{seed} {way}") for way in ("target", "client"))
        self._counts = dict.fromkeys(("carried", "dropped", "duplicated", "held", "replayed"), 0)
        self._mappings: dict[SocketAddress, socket.socket] = {}
        self._elsewhere: socket.socket | None = None
        self._inside = self._open(listen, port)
        loop.add_reader(self._inside, self._read_inside)

    def command(self, words: dict[str, object]) -> dict[str, int]:
        if isinstance(settings := words.get("network"), dict):
            self._network = Network(**settings)
        if "rebind" in words:
            self._source = str(words["rebind"] or self._source)
            old, self._mappings = self._mappings, {}
            # The old ports stay taken until each client has a new one, or the system might give the same again.
            for client in old:
                self._mapping(client)
            for outside in old.values():
                self._loop.remove_reader(outside)
                outside.close()
        if "replay" in words:
            self._elsewhere = self._open("", 0) if words["replay"] else None
        return self._counts

    def _open(self, address: str, port: int) -> socket.socket:
        opened = socket.socket(self._family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            opened.setsockopt(socket.SOL_SOCKET, option, _BUFFER_SIZE)
        opened.bind((address, port))
        return opened

    def _mapping(self, client: SocketAddress) -> socket.socket:
        outside = self._mappings.get(client)
        if outside is None:
            outside = self._mappings[client] = self._open(self._source, 0)
            self._loop.add_reader(outside, self._read_outside, outside, client)
        return outside

    def _read_inside(self) -> None:
        for data, client in _waiting(self._inside):
            self._carry(self._to_target, self._send_to_target, data, client)

    def _read_outside(self, outside: socket.socket, client: SocketAddress) -> None:
        for data, _ in _waiting(outside):
            self._carry(self._to_client, self._send_to_client, data, client)

    def _carry(
        self, rng: random.Random, send: Callable[[bytes, SocketAddress], None], data: bytes, client: SocketAddress
    ) -> None:
        network = self._network
        delays = network.fate(rng)
        self._counts["carried" if delays else "dropped"] += 1
        self._counts["duplicated"] += len(delays) > 1
        self._counts["held"] += bool(delays) and delays[0] > network.delay
        for delay in delays:
            if delay:
                self._loop.call_later(delay, send, data, client)
            else:
                send(data, client)

    def _send_to_target(self, data: bytes, client: SocketAddress) -> None:
        _send(self._mapping(client), data, self._target)
        if self._elsewhere is not None:
            self._counts["replayed"] += 1
            _send(self._elsewhere, data, self._target)

    def _send_to_client(self, data: bytes, client: SocketAddress) -> None:
        _send(self._inside, data, client)


def _waiting(source: socket.socket) -> Iterator[tuple[bytes, SocketAddress]]:
    try:
        for _ in range(_BATCH):
            yield source.recvfrom(65535)
    except OSError:  # nothing more, or an ICMP error
        pass


def _send(by: socket.socket, data: bytes, address: SocketAddress) -> None:
    try:
        by.sendto(data, address)
    except OSError:  # lost, as on any network
        pass


async def _main(listen: str, target: str, port: int, seed: int) -> None:
    loop = asyncio.get_running_loop()
    program = _Program(loop, listen, target, port, seed)
    ended = asyncio.Event()

    def read_command() -> None:
        line = sys.stdin.readline()  # whole lines only, and each is answered before the next comes
        if line:
            print(json.dumps(program.command(json.loads(line))), flush=True)
        else:
            loop.remove_reader(sys.stdin)
            ended.set()

    loop.add_reader(sys.stdin, read_command)
    print("{}", flush=True)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
