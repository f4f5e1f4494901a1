"""The outer side on Linux: one UDP socket per family on the same port.

Offloads: datagrams of one size leave as one train (UDP_SEGMENT), and arrive as one (UDP_GRO).
Traffic classes come with each datagram (IP_TOS, IPV6_TCLASS), for congestion marks.
Source addresses: the address that a peer sent to is remembered with its path and used for the
answers (IP_PKTINFO, IPV6_PKTINFO). Sources: udp(7), ip(7), ipv6(7).
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import errno
import socket
import time
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import TYPE_CHECKING, TypeVar

from wgtun.endpoint import SocketAddress
from wgtun.path import Path, Source
from wgtun.platform.linux.offload import allowed, missing

if TYPE_CHECKING:
    from wgtun.platform.linux.mac1_filter import Mac1Filter

_BUFFER_SIZE = 7 << 20
_PORT_TRIES = 100
_DATAGRAM_SIZE = 65535
_ANCILLARY_SIZE = 160  # PKTINFO, UDP_GRO and the traffic class, with room to spare
_MAX_SEGMENTS = 64
_MAX_TRAIN = {socket.AF_INET: 65507, socket.AF_INET6: 65527}
_MAX_REMEMBERED = 1024
_RELEARN = 60.0  # seconds until what was refused is tried again: paths change
_HEADERS = (28, 48)  # bytes of IP and UDP, of the two families

# Not in Python's socket module.
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_SOL_UDP = 17
_UDP_SEGMENT = 103
_UDP_GRO = 104
_IP_PKTINFO = 8
_IP_RECVTOS = 13
_IP_MTU = 14
_IPV6_MTU = 24

_SEGMENT_SIZE = Struct("=H")
_PKTINFO4 = Struct("=I4s4s")  # interface index, local address, destination address
_PKTINFO6 = Struct("=16sI")  # local address, interface index
_INT = Struct("=i")

_FAMILY_MISSING = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
_NO_TRAINS = {errno.EIO, errno.EOPNOTSUPP}  # the device can't, for any destination
_NO_TRAIN_HERE = {errno.EMSGSIZE, errno.EINVAL}  # segments don't fit this path
_SOURCE_GONE = {errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENODEV}

Buffer = bytes | memoryview
Ancillary = list[tuple[int, int, bytes]]
_T = TypeVar("_T")


class UdpSockets:
    """The sockets of one device; see `dataplane.OuterSide`."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.port: int = sockets[0].getsockname()[1]
        self._by_family = {each.family: each for each in sockets}
        self._by_fileno = {each.fileno(): each for each in sockets}
        self._paths: dict[tuple[SocketAddress, bytes], Path] = {}
        self.offloads = _offloads(sockets)
        self.missing = missing({"gso", "gro"}, self.offloads, "the kernel does not have it")
        self._trains = "gso" in self.offloads
        self._path_mtus: dict[SocketAddress, tuple[int, float]] = {}  # too narrow for a big segment, and until when
        self._narrow: list[tuple[SocketAddress, int]] = []
        self._dead_sources: set[Source] = set()

    @classmethod
    def open(cls, port: int, mark: int) -> UdpSockets:
        """Bind both families to `port` (0: any that is free in both). A family that the host lacks is left out.

        Raises OSError; nothing stays open then.
        """
        for attempt in range(_PORT_TRIES):
            try:
                return cls(_open_families(port, mark))
            except OSError as error:
                if port or error.errno != errno.EADDRINUSE or attempt == _PORT_TRIES - 1:
                    raise
        raise AssertionError  # the last attempt raises

    def attach(self, mac1_filter: Mac1Filter) -> None:
        """Refuse other people's handshake messages in the kernel."""
        for each in self._by_fileno.values():
            mac1_filter.attach(each)
        self.offloads |= {"mac1"}

    def filenos(self) -> Sequence[int]:
        return list(self._by_fileno)

    # --- receiving -------------------------------------------------------------------------------

    def receive(self, fileno: int) -> list[tuple[Buffer, Path, int]]:
        """The datagrams of one receive call; see `dataplane.OuterSide`."""
        try:
            data, ancillary, _, address = self._by_fileno[fileno].recvmsg(_DATAGRAM_SIZE, _ANCILLARY_SIZE)
        except BlockingIOError:
            return []
        size = traffic_class = 0
        information = b""
        for level, kind, value in ancillary:
            if level == _SOL_UDP and kind == _UDP_GRO:
                size = int.from_bytes(value[:4], sys.byteorder)
            elif (level, kind) in ((socket.IPPROTO_IP, _IP_PKTINFO), (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)):
                information = value
            elif (level, kind) in ((socket.IPPROTO_IP, socket.IP_TOS), (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)):
                traffic_class = value[0] if sys.byteorder == "little" else value[-1]  # one byte, or an int
        # A bulk flow repeats one path; the same object makes comparing it cheap.
        path = self._paths.get((address, information)) or self._remember_path(address, information)
        if not 0 < size < len(data):
            return [(data, path, traffic_class)]
        view = memoryview(data)
        return [(view[start : start + size], path, traffic_class) for start in range(0, len(data), size)]

    def _remember_path(self, address: SocketAddress, information: bytes) -> Path:
        if len(self._paths) >= _MAX_REMEMBERED:
            self._paths.clear()
        path = self._paths[address, information] = Path(address, _source(information))
        if path.source is not None:  # it is ours: the datagram came to it
            self._dead_sources.discard(path.source)
        return path

    # --- sending ---------------------------------------------------------------------------------

    def send(self, datagrams: Sequence[bytes], path: Path, traffic_class: int) -> int:
        """See `dataplane.OuterSide`. A local address that is gone is given up by itself."""
        address, source = path
        family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
        out = self._by_family.get(family)
        if out is None:  # the host does not have this family
            return len(datagrams)
        if source in self._dead_sources:
            source = None
        marks = _traffic_class(family, traffic_class)
        refused = 0
        for train in _trains(datagrams, _MAX_TRAIN[family]):
            if len(train) > 1 and self._trains and self._fits(train[0], address):
                segment = (_SOL_UDP, _UDP_SEGMENT, _SEGMENT_SIZE.pack(len(train[0])))
                pinned = [] if source is None else [_pin(source)]
                try:
                    out.sendmsg(train, [*pinned, *marks, segment], 0, address)
                except OSError as error:
                    refused += self._send_singly(out, train, address, source, marks)
                    if source not in self._dead_sources:
                        self._learn_from(error, address)
            else:
                refused += self._send_singly(out, train, address, source, marks)
        return refused

    def take_narrow(self) -> list[tuple[SocketAddress, int]]:
        """See `dataplane.OuterSide`."""
        taken, self._narrow = self._narrow, []
        return taken

    def _fits(self, datagram: bytes, address: SocketAddress) -> bool:
        mtu, until = self._path_mtus.get(address, (0, 0.0))
        return time.monotonic() >= until or len(datagram) + _HEADERS[len(address) == 4] <= mtu

    def _send_singly(
        self,
        out: socket.socket,
        datagrams: Sequence[bytes],
        address: SocketAddress,
        source: Source | None,
        marks: Ancillary,
    ) -> int:
        refused = 0
        for datagram in datagrams:
            try:
                self._send_one(out, datagram, address, source, marks)
            except OSError:
                refused += 1
        return refused

    def _send_one(
        self, out: socket.socket, datagram: bytes, address: SocketAddress, source: Source | None, marks: Ancillary
    ) -> None:
        if source is not None and source not in self._dead_sources:
            try:
                out.sendmsg([datagram], [_pin(source), *marks], 0, address)
            except OSError as error:
                if error.errno not in _SOURCE_GONE:
                    raise
            else:
                return
            out.sendmsg([datagram], marks, 0, address)
            _remember(self._dead_sources, source)  # it was the source: without it the datagram leaves
            self._paths.clear()  # so that a datagram to this address brings it back
        else:
            out.sendmsg([datagram], marks, 0, address)

    def _learn_from(self, error: OSError, address: SocketAddress) -> None:
        """A train was refused: remember whether to try one again."""
        if error.errno in _NO_TRAINS:
            self._trains = False
            self.offloads -= {"gso"}
            self.missing["gso"] = f"a network device refused it: {error.strerror}"
        elif error.errno in _NO_TRAIN_HERE:
            mtu = self._path_mtu(address)
            if len(self._path_mtus) >= _MAX_REMEMBERED:
                self._path_mtus.clear()
            self._path_mtus[address] = (mtu, time.monotonic() + _RELEARN)
            if mtu:
                self._narrow.append((address, mtu))

    def _path_mtu(self, address: SocketAddress) -> int:
        """What the kernel knows about the way that our datagrams take; 0 for nothing."""
        family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
        option = (socket.IPPROTO_IPV6, _IPV6_MTU) if family == socket.AF_INET6 else (socket.IPPROTO_IP, _IP_MTU)
        try:
            mark = self._by_family[family].getsockopt(socket.SOL_SOCKET, socket.SO_MARK)
            with connected(address, mark) as probe:
                return probe.getsockopt(*option)
        except OSError:
            return 0

    # --- the rest --------------------------------------------------------------------------------

    def set_mark(self, mark: int) -> None:
        """Set the fwmark of both sockets. Raises OSError; both keep the old one then."""
        old = next(iter(self._by_fileno.values())).getsockopt(socket.SOL_SOCKET, socket.SO_MARK)
        try:
            for each in self._by_fileno.values():
                each.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        except OSError:
            for each in self._by_fileno.values():
                if each.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) != old:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, old)
            raise

    def close(self) -> None:
        for each in self._by_fileno.values():
            each.close()


def connected(address: SocketAddress, mark: int) -> socket.socket:
    """A socket that knows the way there, as datagrams with this fwmark go; it sends nothing. Raises OSError."""
    probe = socket.socket(socket.AF_INET6 if len(address) == 4 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if mark:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        probe.connect(address)
    except OSError:
        probe.close()
        raise
    return probe


def _open_families(port: int, mark: int) -> list[socket.socket]:
    """IPv4, then IPv6 on the same port."""
    opened: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104
            try:
                opened.append(_open_one(family, any_address, port, mark))
            except OSError as error:
                if error.errno not in _FAMILY_MISSING:
                    raise
                missing = error
            else:
                port = opened[0].getsockname()[1]
    except BaseException:
        for each in opened:
            each.close()
        raise
    if missing is not None and not opened:
        raise missing
    return opened


def _open_one(family: socket.AddressFamily, address: str, port: int, mark: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            opened.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
        if mark:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        for force, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                opened.setsockopt(socket.SOL_SOCKET, force, _BUFFER_SIZE)
            except OSError:  # not permitted: as much as the system allows
                opened.setsockopt(socket.SOL_SOCKET, plain, _BUFFER_SIZE)
        if "gro" in allowed():
            try:
                opened.setsockopt(_SOL_UDP, _UDP_GRO, 1)
            except OSError:  # Linux before 5.0
                pass
        opened.bind((address, port))
    except BaseException:
        opened.close()
        raise
    return opened


def _offloads(sockets: list[socket.socket]) -> frozenset[str]:
    """What the system has, and what was switched on."""
    try:
        for each in sockets:
            each.getsockopt(_SOL_UDP, _UDP_SEGMENT)
        gro = all(each.getsockopt(_SOL_UDP, _UDP_GRO) for each in sockets)
    except OSError:  # Linux before 4.18, before 5.0
        return frozenset()
    return allowed() & ({"gso", "gro"} if gro else {"gso"})


def _remember(known: set[_T], value: _T) -> None:
    """Add to a set that may forget but not grow without bound."""
    if len(known) >= _MAX_REMEMBERED:
        known.clear()
    known.add(value)


def _source(information: bytes) -> Source | None:
    """The local address that a datagram came to."""
    if len(information) == _PKTINFO4.size:
        index, local, _ = _PKTINFO4.unpack(information)
        return Source(local, index)
    if len(information) == _PKTINFO6.size:
        return Source(*_PKTINFO6.unpack(information))
    return None


def _pin(source: Source) -> tuple[int, int, bytes]:
    """The control message that makes a datagram leave from this address.

    The interface is left open, or a changed route could never take effect; a link-local address
    means nothing without it.
    """
    local, index = source
    if len(local) == 4:
        return socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO4.pack(0, local, bytes(4))
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO6.pack(local, index if is_link_local(local) else 0)


def is_link_local(address: bytes) -> bool:
    """Whether this is fe80::/10."""
    return len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0x80


def _traffic_class(family: socket.AddressFamily, value: int) -> Ancillary:
    """The control message that sets the traffic class; none for the usual one."""
    if not value:
        return []
    if family == socket.AF_INET6:
        return [(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _INT.pack(value))]
    return [(socket.IPPROTO_IP, socket.IP_TOS, _INT.pack(value))]


def _trains(datagrams: Sequence[bytes], limit: int) -> Iterator[Sequence[bytes]]:
    """Runs of datagrams of one size, of which only the last may be shorter."""
    start = 0
    while start < len(datagrams):
        size = len(datagrams[start])
        end = start + 1
        most = min(start + _MAX_SEGMENTS, start + max(1, limit // max(1, size)), len(datagrams))
        while end < most and len(datagrams[end - 1]) == size and 0 < len(datagrams[end]) <= size:
            end += 1
        yield datagrams[start:end]
        start = end
