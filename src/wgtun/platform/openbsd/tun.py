"""TUN interfaces of OpenBSD: opened as a device file, or adopted as an open descriptor. Source: tun(4)."""

from __future__ import annotations

import errno
import os
import re

from wgtun.errors import PlatformError
from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.tun import Tun, write_name_file
from wgtun.platform.openbsd import abi

_NAME = re.compile(r"tun(0|[1-9][0-9]{0,2})?", re.ASCII)
_UNITS = 256
_EXPLANATIONS = {
    errno.EPERM: "not permitted; run as root",
    errno.EACCES: "not permitted; run as root",
    errno.EBUSY: "another program uses the interface",
    errno.ENOENT: "there is no such device file; make it with /dev/MAKEDEV",
    errno.ENXIO: "the system has no such interface",
}


def create(calls: Calls, name: str) -> Tun:
    """Make `tun7`; with `tun` the first free one, whose name goes to WG_TUN_NAME_FILE. Raises PlatformError."""
    match = _NAME.fullmatch(name)
    if match is None or (match[1] is not None and int(match[1]) >= _UNITS):
        raise PlatformError(f"can't create the TUN interface {name!r}: on OpenBSD it is called tun, or tun0 to tun255")
    descriptor = -1
    try:
        descriptor = _open_first_free(calls) if match[1] is None else _open(calls, int(match[1]))
        tun = _wrap(calls, descriptor)
        if match[1] is None:
            write_name_file(os.environ.get("WG_TUN_NAME_FILE"), tun.name)
        tun.set_default_mtu()
    except OSError as error:
        if descriptor >= 0:
            calls.close(descriptor)
        if isinstance(error, PlatformError):
            raise
        reason = _EXPLANATIONS.get(error.errno or 0, error.strerror)
        raise PlatformError(f"can't create the TUN interface {name}: {reason}") from error
    return tun


def adopt(calls: Calls, descriptor: int) -> Tun:
    """Use a TUN that somebody else opened; its MTU is left alone. Raises PlatformError."""
    try:
        tun = _wrap(calls, descriptor)
        calls.interface_index(tun.name)
    except OSError as error:
        raise PlatformError(f"descriptor {descriptor} is not a TUN interface: {error.strerror}") from error
    return tun


def _open(calls: Calls, unit: int) -> int:
    return calls.open(f"/dev/tun{unit}", abi.O_RDWR | abi.O_NONBLOCK)


def _open_first_free(calls: Calls) -> int:
    for unit in range(_UNITS):
        try:
            return _open(calls, unit)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
    raise PlatformError("can't create a TUN interface: all of tun0 to tun255 are in use")


def _wrap(calls: Calls, descriptor: int) -> Tun:
    unit = calls.device_number(descriptor) % _UNITS  # the minor number, whose upper bits lie elsewhere
    calls.set_nonblocking(descriptor)
    return Tun(calls, abi, descriptor, f"tun{unit}")
