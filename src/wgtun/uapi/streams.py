"""How a client reaches the daemon of an interface: a Unix socket, on Windows a named pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Protocol

from wgtun.errors import PlatformError


class Stream(Protocol):
    """A connection of a blocking client. Its methods raise OSError."""

    def sendall(self, data: bytes) -> None: ...
    def recv(self, size: int) -> bytes: ...
    def close(self) -> None: ...


if sys.platform == "win32":
    import _winapi
    import msvcrt
    import time

    DIRECTORY = "\\\\.\\pipe\\ProtectedPrefix\\Administrators\\WireGuard\\"
    """What stands before an interface's name."""

    _PATIENCE = 2.0  # seconds
    _RETRY = 0.01
    _ROOT = "\\\\.\\pipe\\"

    class _Pipe:
        """A named pipe, used like a file."""

        def __init__(self, path: str) -> None:
            """One that has no instance free at the moment is waited for."""
            give_up = time.monotonic() + _PATIENCE
            while True:
                try:
                    access = _winapi.GENERIC_READ | _winapi.GENERIC_WRITE
                    handle = _winapi.CreateFile(path, access, 0, 0, _winapi.OPEN_EXISTING, 0, 0)
                    break
                except OSError as error:
                    if error.winerror != _winapi.ERROR_PIPE_BUSY or time.monotonic() > give_up:
                        raise
                    time.sleep(_RETRY)
            descriptor = msvcrt.open_osfhandle(handle, os.O_RDWR | os.O_BINARY)
            self._file = open(descriptor, "r+b", buffering=0)  # noqa: SIM115  # closed by `close`

        def sendall(self, data: bytes) -> None:
            while data:
                data = data[self._file.write(data) or 0 :]

        def recv(self, size: int) -> bytes:
            return self._file.read(size) or b""

        def close(self) -> None:
            self._file.close()

    def path_of(interface: str, directory: str = DIRECTORY) -> str:
        """Raises PlatformError when no interface can have this name."""
        if not interface or "\\" in interface or "\0" in interface:
            raise PlatformError(f"{interface!r} is not an interface name")
        return directory + interface

    def connect(path: str, _timeout: float) -> Stream:
        return _Pipe(path)

    def served(directory: str = DIRECTORY) -> Iterator[str]:
        """The names of interfaces that a daemon serves. Raises OSError."""
        prefix = directory.removeprefix(_ROOT)
        for name in os.listdir(_ROOT):
            if name.startswith(prefix):
                yield name.removeprefix(prefix)

else:
    import socket
    import stat

    from wgtun.uapi.unix_socket import DIRECTORY as DIRECTORY
    from wgtun.uapi.unix_socket import SUFFIX, is_served, socket_path

    path_of = socket_path

    def connect(path: str, timeout: float) -> Stream:
        """`timeout` is in seconds without a byte."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection

    def served(directory: str = DIRECTORY) -> Iterator[str]:
        """The names of interfaces that a daemon serves, as `wg` lists them: also those that are not ours to look at.

        Raises OSError.
        """
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            return
        for name in names:
            if name.endswith(SUFFIX) and name != SUFFIX and _is_interface(f"{directory}/{name}"):
                yield name.removesuffix(SUFFIX)

    def _is_interface(path: str) -> bool:
        try:
            return stat.S_ISSOCK(os.lstat(path).st_mode) and is_served(path)
        except PermissionError:  # it has a daemon, or had; whoever connects hears that it is not theirs
            return True
        except OSError:  # gone again
            return False
