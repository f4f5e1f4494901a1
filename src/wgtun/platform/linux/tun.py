"""TUN interfaces: made by name, or adopted as an open descriptor.

Packets are read and written on the descriptors themselves, one per call, without packet information.
With offloads a virtio header stands before each (`dataplane.TunDevice`). Source: Linux,
Documentation/networking/tuntap.rst.
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import errno
import fcntl
import os
import socket
from struct import Struct

from wgtun.constants import DEFAULT_MTU
from wgtun.errors import PlatformError, TunnelGone
from wgtun.platform.linux.offload import allowed, missing

_DEVICE = "/dev/net/tun"
_NAME_SIZE = 16  # IFNAMSIZ, with the terminating zero

# linux/if_tun.h
_TUNSETIFF = 0x400454CA
_TUNGETIFF = 0x800454D2
_TUNSETOFFLOAD = 0x400454D0
_TUNGETVNETHDRSZ = 0x800454D7
_TUNGETDEVNETNS = 0x54E3
_IFF_TUN = 0x0001
_IFF_MULTI_QUEUE = 0x0100
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_IFF_TUN_EXCL = 0x8000
_VIRTIO_HEADER_SIZE = 10
_TUN_F_CSUM = 0x01
_TUN_F_TSO = 0x02 | 0x04  # for IPv4 and IPv6
_TUN_F_USO = 0x20 | 0x40
# linux/sockios.h
_SIOCSIFMTU = 0x8922

_IFREQ_FLAGS = Struct("16sH22x")  # struct ifreq with ifr_flags
_IFREQ_INT = Struct("16si20x")  # struct ifreq with ifr_mtu
_INT = Struct("i")

_OFFLOADS = frozenset({"tso", "uso"})
_NOT_THERE = "the kernel does not have it"
_SINGLE_PACKETS = "the Python engine takes single packets"
_EXPLANATIONS = {
    errno.EPERM: "not permitted; run as root or with CAP_NET_ADMIN",
    errno.EBUSY: "another program uses the interface",
    errno.EINVAL: "the name is not possible, or belongs to an interface that is not a TUN or that another program uses",
}


class Tun:
    """One TUN interface, in non-blocking mode; see `dataplane.TunDevice`."""

    family: tuple[bytes, bytes] | None = None

    def __init__(self, descriptors: list[int], virtio: frozenset[str] | None = None) -> None:
        self._descriptors = descriptors
        self.virtio = virtio
        self.missing: dict[str, str] = {}

    @classmethod
    def create(cls, name: str, *, offload: bool = False, queues: int = 1) -> Tun:
        """Make an interface of this name, or of a template such as ``wg%d``. Raises PlatformError.

        With `offload` a virtio header stands before each packet, unless WGTUN_OFFLOAD is off.
        """
        encoded = os.fsencode(name)
        if len(encoded) >= _NAME_SIZE:
            raise PlatformError(f"interface name {name!r} is too long: at most {_NAME_SIZE - 1} bytes")
        virtio = offload and bool(allowed() & _OFFLOADS)
        flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if virtio else 0)
        tun = cls([])
        try:
            tun._descriptors.append(_open_device())
            encoded, queues = _make(tun.fileno(), encoded, flags, queues)
            for _ in range(1, queues):
                tun._descriptors.append(_open_device())
                _attach(tun._descriptors[-1], encoded, flags | _IFF_MULTI_QUEUE)
            if virtio:
                tun.virtio = _switch_on_offloads(tun.fileno())
            tun.missing = missing(_OFFLOADS, tun.virtio or frozenset(), _NOT_THERE if offload else _SINGLE_PACKETS)
            tun.set_mtu(DEFAULT_MTU)
        except OSError as error:
            tun.close()
            if isinstance(error, PlatformError):
                raise
            reason = _EXPLANATIONS.get(error.errno or 0, error.strerror)
            raise PlatformError(f"can't create the TUN interface {name}: {reason}") from error
        return tun

    @classmethod
    def adopt(cls, descriptor: int, *, offload: bool = False) -> Tun:
        """Use a TUN that somebody else opened; its MTU is left alone. Raises PlatformError.

        A virtio header before each packet is accepted with `offload` only.
        """
        tun = cls([descriptor])
        try:
            flags = tun._interface()[1]
            os.set_blocking(descriptor, False)
            os.set_inheritable(descriptor, False)
            header = _INT.unpack(fcntl.ioctl(descriptor, _TUNGETVNETHDRSZ, bytes(_INT.size)))[0]
        except OSError as error:
            raise PlatformError(f"descriptor {descriptor} is not a TUN interface: {error.strerror}") from error
        if not flags & _IFF_NO_PI or not flags & _IFF_TUN:
            raise PlatformError(f"descriptor {descriptor}: the TUN needs IFF_TUN and IFF_NO_PI")
        if flags & _IFF_VNET_HDR:
            if not offload:
                raise PlatformError(f"descriptor {descriptor}: the Python engine needs a TUN without IFF_VNET_HDR")
            if header != _VIRTIO_HEADER_SIZE:
                raise PlatformError(f"descriptor {descriptor}: the virtio header must have 10 bytes, not {header}")
            tun.virtio = _switch_on_offloads(descriptor)
        why = (
            _NOT_THERE
            if tun.virtio is not None
            else "the adopted TUN has no virtio header"
            if offload
            else _SINGLE_PACKETS
        )
        tun.missing = missing(_OFFLOADS, tun.virtio or frozenset(), why)
        return tun

    @property
    def name(self) -> str:
        """The interface's present name. Raises TunnelGone."""
        try:
            return self._interface()[0]
        except OSError as error:
            raise TunnelGone("the TUN interface was removed") from error

    def fileno(self) -> int:
        return self._descriptors[0] if self._descriptors else -1

    def filenos(self) -> list[int]:
        return self._descriptors

    def take_over(self) -> None:
        """Nothing to do: whoever has the descriptor may use it."""

    def set_mtu(self, mtu: int) -> None:
        """Set the interface's MTU, within its namespace. Raises OSError."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SIOCSIFMTU, _IFREQ_INT.pack(os.fsencode(self.name), mtu))

    def open_namespace(self) -> int:
        """A descriptor of the network namespace that the interface is in. Raises TunnelGone, OSError."""
        try:
            return fcntl.ioctl(self.fileno(), _TUNGETDEVNETNS)
        except OSError as error:
            if error.errno == errno.EBADFD:
                raise TunnelGone("the TUN interface was removed") from error
            raise

    def _interface(self) -> tuple[str, int]:
        answer = fcntl.ioctl(self.fileno(), _TUNGETIFF, bytes(_IFREQ_FLAGS.size))
        name, flags = _IFREQ_FLAGS.unpack(answer)
        return os.fsdecode(name.rstrip(b"\0")), flags

    def close(self) -> None:
        """Give up the descriptors; an interface that nobody else holds disappears."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def _open_device() -> int:
    try:
        return os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PlatformError(f"can't open {_DEVICE}: {error.strerror}") from error


def _make(descriptor: int, name: bytes, flags: int, queues: int) -> tuple[bytes, int]:
    """Make the interface, or take one that was made for us; returns its name, and how many queues it can have."""
    if queues > 1:
        try:
            # Only a new one: else we would join the queues of a daemon that runs, and take packets away from it.
            return _attach(descriptor, name, flags | _IFF_MULTI_QUEUE | _IFF_TUN_EXCL), queues
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
    return _attach(descriptor, name, flags), 1


def _attach(descriptor: int, name: bytes, flags: int) -> bytes:
    """Make the descriptor one of the interface of this name; returns the name that it got."""
    return fcntl.ioctl(descriptor, _TUNSETIFF, _IFREQ_FLAGS.pack(name, flags))[:_NAME_SIZE]


def _switch_on_offloads(descriptor: int) -> frozenset[str]:
    """Take and give merged packets, as far as kernel and WGTUN_OFFLOAD allow; returns what is on."""
    wanted = (allowed() & _OFFLOADS, allowed() & {"tso"}, frozenset[str]())  # uso is from Linux 6.2
    for offloads in wanted:
        flags = _TUN_F_TSO * ("tso" in offloads) | _TUN_F_USO * ("uso" in offloads)
        try:
            fcntl.ioctl(descriptor, _TUNSETOFFLOAD, flags | _TUN_F_CSUM * bool(flags))
        except OSError as error:
            if error.errno != errno.EINVAL or not offloads:
                raise
        else:
            return offloads
    raise AssertionError  # the last one returns or raises
