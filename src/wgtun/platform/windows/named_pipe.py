r"""The configuration pipe of an interface: \\.\pipe\ProtectedPrefix\Administrators\WireGuard\NAME.

Only the system and administrators may open it, and only programs of high integrity: the security descriptor is that of
every WireGuard on Windows. The first instance is made as the first of all, so that nobody else can be listening.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import _winapi
import ctypes
from typing import Any

from wgtun.errors import PlatformError
from wgtun.platform.windows import abi
from wgtun.platform.windows.handles import signalled
from wgtun.platform.windows.library import check, library
from wgtun.platform.windows.privileges import GIVE_AWAY, switched_on

PREFIX = "\\\\.\\pipe\\ProtectedPrefix\\Administrators\\WireGuard\\"
SECURITY = "O:SYD:P(A;;GA;;;SY)(A;;GA;;;BA)S:(ML;;NWNRNX;;;HI)"
_BUFFER_SIZE = 64 * 1024
_TIMEOUT = 50  # milliseconds; what clients that wait for a free instance are told
_ENDED = {abi.ERROR_BROKEN_PIPE, abi.ERROR_NO_DATA, abi.ERROR_OPERATION_ABORTED}
_EXPLANATIONS = {
    abi.ERROR_ACCESS_DENIED: "another program serves it, or we are not run as administrator",
    abi.ERROR_INVALID_OWNER: "not permitted; run as administrator",
}


class PipeConnection:
    """See `uapi.server.Connection`."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    async def receive(self, size: int) -> bytes:
        try:
            overlapped, _ = _winapi.ReadFile(self._handle, size, True)
            count = await _finish(overlapped)
        except OSError as error:
            if error.winerror in _ENDED:
                return b""
            raise
        return bytes(overlapped.getbuffer() or b"")[:count]

    async def send(self, data: memoryview) -> None:
        try:
            while data:
                overlapped, _ = _winapi.WriteFile(self._handle, bytes(data), True)
                data = data[await _finish(overlapped) :]
        except OSError as error:
            if error.winerror in _ENDED:
                raise BrokenPipeError(error.errno, "the client went away") from error
            raise

    def close(self) -> None:
        """What was sent stays readable for the client."""
        if self._handle:
            _winapi.CloseHandle(self._handle)
            self._handle = 0


class PipeListener:
    """See `uapi.server.Listener`."""

    path = ""  # no file whose removal could be watched

    def __init__(self, interface: str, prefix: str = PREFIX, security: str = SECURITY) -> None:
        """Raises PlatformError when somebody serves this name already."""
        if not interface or "\\" in interface or "\0" in interface:
            raise PlatformError(f"{interface!r} is not an interface name")
        self._name = prefix + interface
        self._security = _SecurityDescriptor(security)
        if _exists(self._name):  # the flag below says so too, but not on wine
            raise PlatformError(f"can't make the pipe {self._name}: another program serves it")
        try:
            self._next = self._make_instance(abi.FILE_FLAG_FIRST_PIPE_INSTANCE)
        except OSError as error:
            reason = _EXPLANATIONS.get(error.winerror or 0, error.strerror)
            raise PlatformError(f"can't make the pipe {self._name}: {reason}") from error

    async def accept_client(self) -> PipeConnection:
        """See `uapi.server.Listener`."""
        while True:
            try:
                await _finish(_winapi.ConnectNamedPipe(self._next, True))
            except OSError as error:
                if error.winerror != abi.ERROR_NO_DATA:
                    raise
            else:
                break
            self._take_instance().close()  # whoever came has gone again
        return self._take_instance()

    def close(self) -> None:
        if self._next:
            _winapi.CloseHandle(self._next)
            self._next = 0

    def still_there(self) -> bool:
        """Always: nobody can take the name away."""
        return True

    def remove_file(self) -> None:
        """Nothing to do: the name goes with its last instance."""

    def _take_instance(self) -> PipeConnection:
        """The present instance; another one takes its place, so that the name stays ours."""
        taken, self._next = self._next, self._make_instance(0)
        return PipeConnection(taken)

    def _make_instance(self, first: int) -> int:
        with switched_on(GIVE_AWAY):  # the system owns it: an administrator's program, in a console, does not do so
            return _winapi.CreateNamedPipe(
                self._name,
                abi.PIPE_ACCESS_DUPLEX | abi.FILE_FLAG_OVERLAPPED | first,
                abi.PIPE_TYPE_BYTE | abi.PIPE_READMODE_BYTE | abi.PIPE_WAIT | abi.PIPE_REJECT_REMOTE_CLIENTS,
                abi.PIPE_UNLIMITED_INSTANCES,
                _BUFFER_SIZE,
                _BUFFER_SIZE,
                _TIMEOUT,
                self._security.attributes,
            )


def _exists(name: str) -> bool:
    try:
        _winapi.WaitNamedPipe(name, 1)
    except FileNotFoundError:
        return False
    except OSError:  # all of its instances are busy
        return True
    return True


async def _finish(overlapped: Any) -> int:
    """Wait for an operation; returns how many bytes it moved. One that is given up is over when this returns."""
    try:
        await signalled(overlapped.event)
    except BaseException:
        overlapped.cancel()
        try:
            overlapped.GetOverlappedResult(True)
        except OSError:
            pass
        raise
    count: int = overlapped.GetOverlappedResult(False)[0]
    return count


class _SecurityDescriptor:
    """Who may open a pipe, from its text."""

    def __init__(self, text: str) -> None:
        """Raises OSError."""
        descriptor = ctypes.c_void_p()
        check(
            "advapi32",
            "ConvertStringSecurityDescriptorToSecurityDescriptorW",
            ctypes.c_wchar_p(text),
            abi.SDDL_REVISION_1,
            ctypes.byref(descriptor),
            None,
        )
        layout = abi.SECURITY_ATTRIBUTES
        fields = {"nLength": layout.size, "lpSecurityDescriptor": descriptor.value or 0}
        self._descriptor = descriptor
        self._memory = ctypes.create_string_buffer(layout.pack(fields), layout.size)

    @property
    def attributes(self) -> int:
        """The address of the SECURITY_ATTRIBUTES."""
        return ctypes.addressof(self._memory)

    def __del__(self) -> None:
        library("kernel32").LocalFree(self._descriptor)
