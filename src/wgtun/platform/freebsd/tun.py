"""TUN interfaces of FreeBSD: cloned from /dev/tun and renamed, or adopted as an open descriptor. Source: tun(4)."""

from __future__ import annotations

import errno

from wgtun.errors import PlatformError, TunnelGone
from wgtun.platform.bsd import links
from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.tun import Tun
from wgtun.platform.freebsd import abi

_DEVICE = "/dev/tun"
_ON = (1).to_bytes(4, "little")
# Neither is point-to-point: addresses have a prefix and no other end, as with any WireGuard interface.
_MODE = abi.IFF_BROADCAST | abi.IFF_MULTICAST
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
_EXPLANATIONS = {
    errno.EPERM: "not permitted; run as root",
    errno.EACCES: "not permitted; run as root",
    errno.ENOENT: f"there is no {_DEVICE}; load the module if_tuntap",
}


class FreeBsdTun(Tun):
    """One that is destroyed when it is closed, which the system leaves to us. Others may rename it meanwhile."""

    @property
    def name(self) -> str:
        """See `platform.interface.Tun`."""
        try:
            return _name_of(self._calls, self.fileno())
        except OSError as error:
            raise TunnelGone("the TUN interface was closed or removed") from error

    def take_over(self) -> None:
        """See `platform.interface.Tun`."""
        try:
            self._calls.ioctl(self.fileno(), abi.TUNSIFPID, b"")
        except OSError as error:
            raise PlatformError(f"can't control {self._name}: {error.strerror}") from error

    def close(self) -> None:
        """Give up the descriptor, and destroy the interface."""
        if self.fileno() < 0:
            return
        try:
            name = self.name
        except TunnelGone:
            super().close()
        else:
            super().close()
            _destroy(self._calls, name)


def create(calls: Calls, name: str) -> FreeBsdTun:
    """Make an interface of this name. Raises PlatformError."""
    if not 0 < len(name.encode()) < abi.IFNAMSIZ:
        raise PlatformError(f"interface name {name!r}: it has 1 to {abi.IFNAMSIZ - 1} bytes")
    if _exists(calls, name):
        raise PlatformError(f"interface {name} already exists")
    descriptor, present = -1, ""
    try:
        descriptor = calls.open(_DEVICE, abi.O_RDWR)
        present = _name_of(calls, descriptor)
        calls.ioctl(descriptor, abi.TUNSIFHEAD, _ON)
        calls.ioctl(descriptor, abi.TUNSIFMODE, _MODE.to_bytes(4, "little"))
        _set_ipv6_flags(calls, present)
        _rename(calls, present, name)
        present = name
        calls.set_nonblocking(descriptor)
        tun = FreeBsdTun(calls, abi, descriptor, name)
        tun.set_default_mtu()
    except OSError as error:
        if descriptor >= 0:
            calls.close(descriptor)
        if present:
            _destroy(calls, present)
        if isinstance(error, PlatformError):
            raise
        reason = _EXPLANATIONS.get(error.errno or 0, error.strerror)
        raise PlatformError(f"can't create the TUN interface {name}: {reason}") from error
    return tun


def adopt(calls: Calls, descriptor: int) -> FreeBsdTun:
    """Use a TUN that somebody else opened; its MTU is left alone. Raises PlatformError."""
    try:
        tun = FreeBsdTun(calls, abi, descriptor, _name_of(calls, descriptor))
        calls.ioctl(descriptor, abi.TUNSIFHEAD, _ON)
        calls.set_nonblocking(descriptor)
    except OSError as error:
        raise PlatformError(f"descriptor {descriptor} is not a TUN interface: {error.strerror}") from error
    tun.take_over()
    return tun


def _exists(calls: Calls, name: str) -> bool:
    try:
        calls.interface_index(name)
    except OSError:
        return False
    return True


def _name_of(calls: Calls, descriptor: int) -> str:
    answer = calls.ioctl(descriptor, abi.TUNGIFNAME, bytes(abi.IFREQ.size))
    return abi.IFREQ.read_bytes(answer, "ifr_name").rstrip(b"\0").decode()


def _set_ipv6_flags(calls: Calls, name: str) -> None:
    """No link-local address by itself, and no search for duplicates, which nobody would answer."""
    layout = abi.IN6_NDIREQ
    try:
        with links.control_socket(calls, abi, abi.AF_INET6) as control:
            answer = calls.ioctl(control, abi.SIOCGIFINFO_IN6, layout.pack({"ifname": name.encode()}))
            flags = layout.read(answer, "ndi.flags") & ~abi.ND6_IFF_AUTO_LINKLOCAL | abi.ND6_IFF_NO_DAD
            offset, field = layout.fields["ndi.flags"]
            changed = answer[:offset] + field.pack(flags) + answer[offset + field.size :]
            calls.ioctl(control, abi.SIOCSIFINFO_IN6, changed)
    except OSError as error:
        if error.errno not in _NO_IPV6:
            raise


def _rename(calls: Calls, present: str, name: str) -> None:
    with links.control_socket(calls, abi) as control:
        request = abi.IFREQ.pack({"ifr_name": present.encode()})
        offset, _ = abi.IFREQ.fields["ifr_data"]
        calls.ioctl_address(control, abi.SIOCSIFNAME, request, offset, name.encode().ljust(abi.IFNAMSIZ, b"\0"))


def _destroy(calls: Calls, name: str) -> None:
    try:
        with links.control_socket(calls, abi) as control:
            calls.ioctl(control, abi.SIOCIFDESTROY, abi.IFREQ.pack({"ifr_name": name.encode()}))
    except OSError:  # somebody else was faster
        pass
