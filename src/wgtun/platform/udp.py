"""The outer side: one UDP socket per family on the same port, one datagram per call.

What every system has in common; its own module says which options and control messages it has. Source addresses: the
address that a peer sent to is remembered with its path and used for the answers. Traffic classes come with each
datagram, for congestion marks.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import ClassVar, Literal, Self, TypeVar

from wgtun.endpoint import SocketAddress
from wgtun.path import Path, Source

BUFFER_SIZE = 7 << 20
DATAGRAM_SIZE = 65535
MAX_REMEMBERED = 1024
_ANCILLARY_SIZE = 256  # source address, interface, segment size and traffic class, with room to spare
_PORT_TRIES = 100
_INT = Struct("=i")
_MARK = Struct("=I")  # as bytes: for Python, a socket option that is a number has a sign
_PKTINFO6 = Struct("=16sI")  # local address, interface index

_FAMILY_MISSING = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
SOURCE_GONE = {errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENODEV}

Buffer = bytes | memoryview
ControlMessage = tuple[int, int, bytes]
Role = Literal["local", "interface", "class", "size"]
_T = TypeVar("_T")


class UdpSockets:
    """The sockets of one device; see `dataplane.OuterSide`. One class per system fills in the rest."""

    MARK: ClassVar[int | None] = None
    """The option of level SOL_SOCKET that takes the fwmark."""

    ROLES: ClassVar[Mapping[tuple[int, int], Role]]
    """What received control messages tell, by level and type."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.port: int = sockets[0].getsockname()[1]
        self._by_family = {each.family: each for each in sockets}
        self._by_fileno = {each.fileno(): each for each in sockets}
        self._paths: dict[tuple[SocketAddress, bytes, bytes], Path] = {}
        self._dead_sources: set[Source] = set()
        self._takes_classes = True
        self.blackholes: frozenset[int] = frozenset()
        self.offloads: frozenset[str] = frozenset()
        self.missing: dict[str, str] = {}

    # --- what differs from system to system ------------------------------------------------------

    @staticmethod
    def new_socket(family: socket.AddressFamily) -> socket.socket:
        """A UDP socket in non-blocking mode that no child inherits. Raises OSError."""
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        return opened

    @classmethod
    def configure(cls, opened: socket.socket) -> None:
        """Set the options of a socket that is not bound yet. Raises OSError."""
        raise NotImplementedError

    @staticmethod
    def source(local: bytes, interface: bytes) -> Source | None:
        """The local address that a datagram came to, from the control messages of these roles (empty: none came)."""
        raise NotImplementedError

    @staticmethod
    def pin(source: Source) -> ControlMessage:
        """What makes a datagram leave from this address.

        The interface is left open, or a changed route could never take effect; a link-local address means nothing
        without it.
        """
        raise NotImplementedError

    def receive_message(self, receiver: socket.socket) -> tuple[bytes, list[ControlMessage], SocketAddress]:
        """Raises OSError."""
        if sys.platform == "win32":
            raise NotImplementedError
        data, ancillary, _, address = receiver.recvmsg(DATAGRAM_SIZE, _ANCILLARY_SIZE)
        return data, ancillary, address

    def send_message(
        self, sender: socket.socket, parts: Sequence[bytes], control: list[ControlMessage], address: SocketAddress
    ) -> None:
        """Raises OSError."""
        if sys.platform == "win32":
            raise NotImplementedError
        sender.sendmsg(parts, control, 0, address)

    # --- opening ---------------------------------------------------------------------------------

    @classmethod
    def open(cls, port: int, mark: int) -> Self:
        """Bind both families to `port` (0: any that is free in both). A family that the host lacks is left out.

        Raises OSError; nothing stays open then.
        """
        for attempt in range(_PORT_TRIES):
            try:
                return cls(cls._open_families(port, mark))
            except OSError as error:
                if port or error.errno != errno.EADDRINUSE or attempt == _PORT_TRIES - 1:
                    raise
        raise AssertionError  # the last attempt raises

    @classmethod
    def _open_families(cls, port: int, mark: int) -> list[socket.socket]:
        """IPv4, then IPv6 on the same port."""
        opened: list[socket.socket] = []
        missing: OSError | None = None
        try:
            for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104
                try:
                    opened.append(cls._open_one(family, any_address, port, mark))
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

    @classmethod
    def _open_one(cls, family: socket.AddressFamily, address: str, port: int, mark: int) -> socket.socket:
        opened = cls.new_socket(family)
        try:
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            cls.configure(opened)
            cls.mark(opened, mark)
            opened.bind((address, port))
        except BaseException:
            opened.close()
            raise
        return opened

    @classmethod
    def connected(cls, address: SocketAddress, mark: int) -> socket.socket:
        """A socket that knows the way there, as datagrams with this fwmark go; it sends nothing. Raises OSError."""
        probe = cls.new_socket(socket.AF_INET6 if len(address) == 4 else socket.AF_INET)
        try:
            cls.mark(probe, mark)
            probe.connect(address)
        except BaseException:
            probe.close()
            raise
        return probe

    @classmethod
    def mark(cls, opened: socket.socket, mark: int) -> None:
        """Give a new socket this fwmark, 32 bits; 0 needs nothing. Raises OSError."""
        if mark and cls.MARK is not None:
            opened.setsockopt(socket.SOL_SOCKET, cls.MARK, _MARK.pack(mark))

    def filenos(self) -> Sequence[int]:
        return list(self._by_fileno)

    # --- receiving -------------------------------------------------------------------------------

    def receive(self, fileno: int) -> list[tuple[Buffer, Path, int]]:
        """The datagrams of one receive call; see `dataplane.OuterSide`."""
        try:
            data, ancillary, address = self.receive_message(self._by_fileno[fileno])
        except BlockingIOError:
            return []
        size = traffic_class = 0
        local = interface = b""
        roles = self.ROLES
        for level, kind, value in ancillary:
            role = roles.get((level, kind))
            if role == "local":
                local = value
            elif role == "class" and value:
                traffic_class = value[0] if sys.byteorder == "little" else value[-1]  # one byte, or an int
            elif role == "size":
                size = int.from_bytes(value[:4], sys.byteorder)
            elif role == "interface":
                interface = value
        # A bulk flow repeats one path; the same object makes comparing it cheap.
        path = self._paths.get((address, local, interface)) or self._remember_path(address, local, interface)
        if not 0 < size < len(data):
            return [(data, path, traffic_class)]
        view = memoryview(data)
        return [(view[start : start + size], path, traffic_class) for start in range(0, len(data), size)]

    def _remember_path(self, address: SocketAddress, local: bytes, interface: bytes) -> Path:
        if len(self._paths) >= MAX_REMEMBERED:
            self._paths.clear()
        path = self._paths[address, local, interface] = Path(address, self.source(local, interface))
        if path.source is not None:  # it is ours: the datagram came to it
            self._dead_sources.discard(path.source)
        return path

    # --- sending ---------------------------------------------------------------------------------

    def send(self, datagrams: Sequence[bytes], path: Path, traffic_class: int) -> int:
        """See `dataplane.OuterSide`. A local address that is gone is given up by itself."""
        sender = self.for_address(path.address)
        if sender is None:  # the host does not have this family
            return len(datagrams)
        if sender.family in self.blackholes:
            return 0
        return self.send_singly(sender, datagrams, path, self.class_of(sender, traffic_class))

    def for_address(self, address: SocketAddress) -> socket.socket | None:
        return self._by_family.get(socket.AF_INET6 if len(address) == 4 else socket.AF_INET)

    def class_of(self, sender: socket.socket, traffic_class: int) -> list[ControlMessage]:
        """The control message that sets the traffic class; none for the usual one."""
        if not traffic_class or not self._takes_classes:
            return []
        if sender.family == socket.AF_INET6:
            return [(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _INT.pack(traffic_class))]
        return [(socket.IPPROTO_IP, socket.IP_TOS, self.tos(traffic_class))]

    @staticmethod
    def tos(traffic_class: int) -> bytes:
        """The value of a control message IP_TOS."""
        return _INT.pack(traffic_class)

    def send_singly(
        self, sender: socket.socket, datagrams: Sequence[bytes], path: Path, control: list[ControlMessage]
    ) -> int:
        """One by one; returns how many the system refused."""
        refused = 0
        for datagram in datagrams:
            try:
                self._send_one(sender, datagram, path, control)
            except OSError:
                refused += 1
        return refused

    def is_alive(self, source: Source | None) -> bool:
        """Whether there is a source that is not known to be gone."""
        return source is not None and source not in self._dead_sources

    def _send_one(self, sender: socket.socket, datagram: bytes, path: Path, control: list[ControlMessage]) -> None:
        address, source = path
        if source is not None and source not in self._dead_sources:
            try:
                self._send_marked(sender, datagram, [self.pin(source)], control, address)
            except OSError as error:
                if error.errno not in SOURCE_GONE:
                    raise
            else:
                return
            self._send_marked(sender, datagram, [], control, address)
            remember(self._dead_sources, source)  # it was the source: without it the datagram leaves
            self._paths.clear()  # so that a datagram to this address brings it back
        else:
            self._send_marked(sender, datagram, [], control, address)

    def _send_marked(
        self,
        sender: socket.socket,
        datagram: bytes,
        pinned: list[ControlMessage],
        control: list[ControlMessage],
        address: SocketAddress,
    ) -> None:
        """Some systems take no traffic class with a datagram; then it goes without, as all that follow."""
        if not self._takes_classes:
            control = []
        try:
            self.send_message(sender, [datagram], pinned + control, address)
        except OSError as error:
            if not control or error.errno != errno.EINVAL:
                raise
            self.send_message(sender, [datagram], pinned, address)
            self._takes_classes = False

    def take_narrow(self) -> list[tuple[SocketAddress, int]]:
        """See `dataplane.OuterSide`. A single datagram is cut into fragments wherever it has to be."""
        return []

    # --- the rest --------------------------------------------------------------------------------

    def set_mark(self, mark: int) -> None:
        """Set the fwmark of both sockets. Raises OSError; both keep the old one then."""
        if self.MARK is None:
            return
        sockets = list(self._by_fileno.values())
        old = sockets[0].getsockopt(socket.SOL_SOCKET, self.MARK, _MARK.size)
        try:
            for each in sockets:
                each.setsockopt(socket.SOL_SOCKET, self.MARK, _MARK.pack(mark))
        except OSError:
            for each in sockets:
                if each.getsockopt(socket.SOL_SOCKET, self.MARK, _MARK.size) != old:
                    each.setsockopt(socket.SOL_SOCKET, self.MARK, old)
            raise

    def close(self) -> None:
        for each in self._by_fileno.values():
            each.close()


def remember(known: set[_T], value: _T) -> None:
    """Add to a set that may forget but not grow without bound."""
    if len(known) >= MAX_REMEMBERED:
        known.clear()
    known.add(value)


def is_link_local(address: bytes) -> bool:
    """Whether this is fe80::/10."""
    return len(address) == 16 and address[0] == 0xFE and address[1] & 0xC0 == 0x80


def source_of_pktinfo6(information: bytes) -> Source | None:
    """From a struct in6_pktinfo, which is the same everywhere."""
    return Source(*_PKTINFO6.unpack(information)) if len(information) == _PKTINFO6.size else None


def pktinfo6(source: Source) -> bytes:
    """A struct in6_pktinfo that names this address; see `UdpSockets.pin`."""
    return _PKTINFO6.pack(source.local, source.interface if is_link_local(source.local) else 0)
