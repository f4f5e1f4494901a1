"""The routing sockets of a system, as far as one asks them for routes: every socket hears of every question."""

from __future__ import annotations

import os
import select
import socket
import threading
from types import ModuleType
from typing import Any

from wgtun.platform.layout import Layout

PROCESS = 77


class RoutingDomain:
    """Stands in for `bsd.calls.Calls`. Its answers come after a `delay` in seconds, as by FreeBSD's queue."""

    def __init__(self, abi: ModuleType, delay: float = 0) -> None:
        self._abi: Any = abi
        self._delay = delay
        self._sockets: dict[int, socket.socket] = {}
        self._on_the_way: list[threading.Timer] = []
        self.routes: dict[bytes, int] = {}  # interface by destination
        self.questions = 0

    def socket(self, family: int, kind: int, protocol: int) -> int:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sockets[ours.detach()] = theirs
        return next(reversed(self._sockets))

    def close(self, descriptor: int) -> None:
        while self._on_the_way:
            self._on_the_way.pop().join()
        self._sockets.pop(descriptor).close()
        os.close(descriptor)

    def set_nonblocking(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)

    def read(self, descriptor: int, size: int) -> bytes:
        return os.read(descriptor, size)

    def wait_readable(self, descriptor: int, seconds: float) -> bool:
        return bool(select.select([descriptor], [], [], seconds)[0])

    def process(self) -> int:
        return PROCESS

    def write(self, descriptor: int, data: bytes) -> int:
        """A question."""
        self.questions += 1
        layout: Layout = self._abi.RT_MSGHDR
        address: Layout = self._abi.SOCKADDR_IN
        destination = address.read_bytes(data[layout.size :], "sin_addr")
        answer = {"rtm_index": self.routes.get(destination, 0), "rtm_pid": PROCESS}
        message = layout.change(data[: layout.size], {**answer, "rtm_msglen": layout.size})
        if self._delay:
            self._on_the_way.append(threading.Timer(self._delay, self._tell_all, [message]))
            self._on_the_way[-1].start()
        else:
            self._tell_all(message)
        return len(data)

    def tell(self, kind: int) -> None:
        """Something of this kind happens to a route."""
        layout: Layout = self._abi.RT_MSGHDR
        header = {"rtm_msglen": layout.size, "rtm_version": self._abi.RTM_VERSION, "rtm_type": kind}
        self._tell_all(layout.pack(header))

    def _tell_all(self, message: bytes) -> None:
        for each in self._sockets.values():
            each.send(message)
