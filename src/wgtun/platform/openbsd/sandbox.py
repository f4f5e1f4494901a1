"""What a daemon gives up on OpenBSD once it is set up. Sources: pledge(2), unveil(2).

========  =====================================================================
unveil    no files but Python's own and the configuration socket's end
pledge    no system calls but for sockets, routes to look at, and descriptors
========  =====================================================================
"""

from __future__ import annotations

import os
from typing import Protocol

from wgtun.platform.module_directories import module_directories
from wgtun.platform.switches import left_on

# error: what is not promised fails, instead of ending the program. wroute is for SO_RTABLE, the fwmark.
_PROMISES = "stdio rpath cpath inet unix dns route wroute error"
_TIME_ZONES = ("/etc/localtime", "/usr/share/zoneinfo")  # for the dates of log lines


class Library(Protocol):
    """The two functions of libc. Each raises OSError."""

    def unveil(self, path: str | None, permissions: str | None) -> None: ...
    def pledge(self, promises: str) -> None: ...


class SystemLibrary:
    """See `Library`."""

    def unveil(self, path: str | None, permissions: str | None) -> None:
        self._call(
            "unveil", None if path is None else os.fsencode(path), None if permissions is None else permissions.encode()
        )

    def pledge(self, promises: str) -> None:
        self._call("pledge", promises.encode(), None)

    def _call(self, function: str, *arguments: bytes | None) -> None:
        import ctypes

        if getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def restrict(library: Library, socket_directory: str | None) -> str:
    """Give up what is not needed from now on; returns what is on, and what is off and why.

    Files of `socket_directory` may still be removed. Raises PlatformError for an unknown word in WGTUN_SANDBOX.
    """
    wanted = left_on({"unveil", "pledge"}, "WGTUN_SANDBOX", os.environ.get("WGTUN_SANDBOX", ""))
    if not wanted:
        return "off (WGTUN_SANDBOX)"
    on, off = [], []
    for name in ("unveil", "pledge"):
        if name not in wanted:
            off.append(f"{name} (WGTUN_SANDBOX)")
            continue
        try:
            if name == "unveil":
                _unveil(library, socket_directory)
            else:
                library.pledge(_PROMISES)
        except OSError as error:
            off.append(f"{name} ({error.strerror})")
        else:
            on.append(name)
    return ", ".join(on) + ("; off: " + ", ".join(off) if off else "")


def _unveil(library: Library, socket_directory: str | None) -> None:
    for directory in sorted(module_directories()):
        library.unveil(directory, "r")
    for path in _TIME_ZONES:
        try:
            library.unveil(path, "r")
        except FileNotFoundError:
            continue
    if socket_directory is not None:
        library.unveil(socket_directory, "rc")
    library.unveil(None, None)  # from now on no more
