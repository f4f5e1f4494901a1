"""TUN interfaces: made by name, or adopted as an open descriptor.

Packets are read and written on the descriptor itself, one per call, without packet information.
Source: Linux, Documentation/networking/tuntap.rst.
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

_DEVICE = "/dev/net/tun"
_NAME_SIZE = 16  # IFNAMSIZ, with the terminating zero

# linux/if_tun.h
_TUNSETIFF = 0x400454CA
_TUNGETIFF = 0x800454D2
_TUNGETDEVNETNS = 0x54E3
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
# linux/sockios.h
_SIOCSIFMTU = 0x8922

_IFREQ_FLAGS = Struct("16sH22x")  # struct ifreq with ifr_flags
_IFREQ_INT = Struct("16si20x")  # struct ifreq with ifr_mtu

_EXPLANATIONS = {
    errno.EPERM: "not permitted; run as root or with CAP_NET_ADMIN",
    errno.EBUSY: "another program uses the interface",
    errno.EINVAL: "the name is not possible, or belongs to an interface that is not a TUN",
}


class Tun:
    """One TUN interface, in non-blocking mode."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def create(cls, name: str) -> Tun:
        """Make an interface of this name, or of a template such as ``wg%d``. Raises PlatformError."""
        encoded = name.encode()
        if len(encoded) >= _NAME_SIZE:
            raise PlatformError(f"interface name {name!r} is too long: at most {_NAME_SIZE - 1} bytes")
        try:
            descriptor = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise PlatformError(f"can't open {_DEVICE}: {error.strerror}") from error
        tun = cls(descriptor)
        try:
            fcntl.ioctl(descriptor, _TUNSETIFF, _IFREQ_FLAGS.pack(encoded, _IFF_TUN | _IFF_NO_PI))
            tun.set_mtu(DEFAULT_MTU)
        except OSError as error:
            tun.close()
            reason = _EXPLANATIONS.get(error.errno or 0, error.strerror)
            raise PlatformError(f"can't create the TUN interface {name}: {reason}") from error
        return tun

    @classmethod
    def adopt(cls, descriptor: int) -> Tun:
        """Use a TUN that somebody else opened; its MTU is left alone. Raises PlatformError."""
        tun = cls(descriptor)
        try:
            flags = tun._interface()[1]
            os.set_blocking(descriptor, False)
            os.set_inheritable(descriptor, False)
        except OSError as error:
            raise PlatformError(f"descriptor {descriptor} is not a TUN interface: {error.strerror}") from error
        if flags & _IFF_VNET_HDR or not flags & _IFF_NO_PI or not flags & _IFF_TUN:
            raise PlatformError(
                f"descriptor {descriptor}: the Python engine needs a TUN with IFF_TUN and IFF_NO_PI and without "
                "IFF_VNET_HDR"
            )
        return tun

    @property
    def name(self) -> str:
        """The interface's present name. Raises TunnelGone."""
        try:
            return self._interface()[0]
        except OSError as error:
            raise TunnelGone("the TUN interface was removed") from error

    def fileno(self) -> int:
        return self._descriptor

    def set_mtu(self, mtu: int) -> None:
        """Set the interface's MTU, within its namespace. Raises OSError."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SIOCSIFMTU, _IFREQ_INT.pack(self.name.encode(), mtu))

    def open_namespace(self) -> int:
        """A descriptor of the network namespace that the interface is in. Raises TunnelGone, OSError."""
        try:
            return fcntl.ioctl(self._descriptor, _TUNGETDEVNETNS)
        except OSError as error:
            if error.errno == errno.EBADFD:
                raise TunnelGone("the TUN interface was removed") from error
            raise

    def _interface(self) -> tuple[str, int]:
        answer = fcntl.ioctl(self._descriptor, _TUNGETIFF, bytes(_IFREQ_FLAGS.size))
        name, flags = _IFREQ_FLAGS.unpack(answer)
        return name.rstrip(b"\0").decode(), flags

    def close(self) -> None:
        """Give up the descriptor; an interface that nobody else holds disappears."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
