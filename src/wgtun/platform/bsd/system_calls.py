"""`bsd.calls` on the system that we run on."""

from __future__ import annotations

import sys

assert sys.platform != "win32"
assert sys.platform != "linux"

import errno
import fcntl
import os
import select
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wgtun.platform.bsd.calls import Kevent


class SystemCalls:
    """See `bsd.calls.Calls`."""

    def __init__(self) -> None:
        self._kqueues: dict[int, select.kqueue] = {}

    def open(self, path: str, flags: int) -> int:
        return os.open(path, flags)

    def close(self, descriptor: int) -> None:
        kqueue = self._kqueues.pop(descriptor, None)
        if kqueue is not None:
            kqueue.close()
        else:
            os.close(descriptor)

    def read(self, descriptor: int, size: int) -> bytes:
        return os.read(descriptor, size)

    def write(self, descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data)

    def set_nonblocking(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)

    def wait_readable(self, descriptor: int, seconds: float) -> bool:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))

    def device_number(self, descriptor: int) -> int:
        return os.fstat(descriptor).st_rdev

    def ioctl(self, descriptor: int, request: int, argument: bytes) -> bytes:
        return fcntl.ioctl(descriptor, request, argument)

    def ioctl_address(self, descriptor: int, request: int, argument: bytes, offset: int, data: bytes) -> None:
        import ctypes  # only a daemon needs it, here and below

        memory = ctypes.create_string_buffer(data)
        address = ctypes.addressof(memory).to_bytes(ctypes.sizeof(ctypes.c_void_p), sys.byteorder)
        fcntl.ioctl(descriptor, request, argument[:offset] + address + argument[offset + len(address) :])

    def socket(self, family: int, kind: int, protocol: int) -> int:
        return socket.socket(family, kind, protocol).detach()

    def connect(self, descriptor: int, address: bytes) -> None:
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        if library.connect(descriptor, address, len(address)) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def getsockopt(self, descriptor: int, level: int, option: int, size: int) -> bytes:
        with _borrowed(descriptor) as borrowed:
            return borrowed.getsockopt(level, option, size)

    def setsockopt(self, descriptor: int, level: int, option: int, value: bytes) -> None:
        with _borrowed(descriptor) as borrowed:
            borrowed.setsockopt(level, option, value)

    def interface_index(self, name: str) -> int:
        try:
            return socket.if_nametoindex(name)
        except OSError as error:  # Python does not say why, but there is only this reason
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO)) from error

    def interface_name(self, index: int) -> str:
        return socket.if_indextoname(index)

    def process(self) -> int:
        return os.getpid()

    def kqueue(self) -> int:
        kqueue = select.kqueue()
        self._kqueues[kqueue.fileno()] = kqueue
        return kqueue.fileno()

    def kevent(self, kqueue: int, changes: Sequence[Kevent], room: int) -> list[Kevent]:
        made = [select.kevent(each.ident, each.filter, each.flags, each.fflags) for each in changes]
        events = self._kqueues[kqueue].control(made, room, 0)
        return [Kevent(each.ident, each.filter, each.flags, each.fflags) for each in events]


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """A socket object around a descriptor that stays its owner's."""
    # With the family given nothing is asked of the system, which knows no name of a control socket.
    borrowed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 0, descriptor)
    try:
        yield borrowed
    finally:
        borrowed.detach()
