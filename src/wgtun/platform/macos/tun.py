"""utun interfaces: made through a kernel control socket, or adopted as an open descriptor.

Source: net/if_utun.h, sys/kern_control.h.
"""

from __future__ import annotations

import errno
import os
import re

from wgtun.errors import PlatformError
from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.tun import Tun, write_name_file
from wgtun.platform.macos import abi

_CONTROL_NAME = b"com.apple.net.utun_control"
_NAME = re.compile(r"utun(0|[1-9][0-9]{0,8})?", re.ASCII)
_EXPLANATIONS = {
    errno.EPERM: "not permitted; run as root",
    errno.EBUSY: "another program uses the interface",
}


def create(calls: Calls, name: str) -> Tun:
    """Make `utun7`, or with `utun` any, and write its name to WG_TUN_NAME_FILE. Raises PlatformError."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise PlatformError(f"can't create the TUN interface {name!r}: on macOS it is called utun or utun[0-9]*")
    unit = 0 if match[1] is None else int(match[1]) + 1
    descriptor = -1
    try:
        descriptor = calls.socket(abi.AF_SYSTEM, abi.SOCK_DGRAM, abi.SYSPROTO_CONTROL)
        answer = calls.ioctl(descriptor, abi.CTLIOCGINFO, abi.CTL_INFO.pack({"ctl_name": _CONTROL_NAME}))
        address = {
            "sc_len": abi.SOCKADDR_CTL.size,
            "sc_family": abi.AF_SYSTEM,
            "ss_sysaddr": abi.AF_SYS_CONTROL,
            "sc_id": abi.CTL_INFO.read(answer, "ctl_id"),
            "sc_unit": unit,
        }
        calls.connect(descriptor, abi.SOCKADDR_CTL.pack(address))
        tun = _wrap(calls, descriptor)
        if not unit:
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
    """Use a utun that somebody else opened; its MTU is left alone. Raises PlatformError."""
    try:
        return _wrap(calls, descriptor)
    except OSError as error:
        raise PlatformError(f"descriptor {descriptor} is not a utun interface: {error.strerror}") from error


def _wrap(calls: Calls, descriptor: int) -> Tun:
    name = calls.getsockopt(descriptor, abi.SYSPROTO_CONTROL, abi.UTUN_OPT_IFNAME, abi.IFNAMSIZ)
    calls.set_nonblocking(descriptor)
    return Tun(calls, abi, descriptor, name.partition(b"\0")[0].decode())
