"""The Unix socket of an interface: where it is, how it is made, whether it is still there.

Who may reach the socket may configure the interface: the file permissions are the only access control.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import sys
from collections.abc import Iterator

from wgtun.errors import PlatformError

assert sys.platform != "win32"

DIRECTORY = "/var/run/wireguard"
SUFFIX = ".sock"
_BACKLOG = 128


def socket_path(interface: str, directory: str = DIRECTORY) -> str:
    """Where the socket of this interface is. Raises PlatformError when no interface can have this name."""
    if not interface or "/" in interface or "\0" in interface:
        raise PlatformError(f"{interface!r} is not an interface name")
    return f"{directory}/{interface}{SUFFIX}"


class SocketConnection:
    """See `uapi.server.Connection`."""

    def __init__(self, connection: socket.socket) -> None:
        from asyncio import get_running_loop  # there is one by now, so it is loaded

        self._loop = get_running_loop()
        self._connection = connection
        connection.setblocking(False)

    async def receive(self, size: int) -> bytes:
        return await self._loop.sock_recv(self._connection, size)

    async def send(self, data: memoryview) -> None:
        await self._loop.sock_sendall(self._connection, data)

    def close(self) -> None:
        self._connection.close()


class ListeningSocket(socket.socket):
    """A listening Unix socket that knows its file, to tell it from one that took its place."""

    def __init__(self, fileno: int | None = None) -> None:
        if fileno is None:
            super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            super().__init__(fileno=fileno)
        self.path = ""  # empty for a socket without a file
        self._identity: tuple[int, int] | None = None

    async def accept_client(self) -> SocketConnection:
        """See `uapi.server.Listener`."""
        from asyncio import get_running_loop

        self.setblocking(False)
        connection, _ = await get_running_loop().sock_accept(self)
        return SocketConnection(connection)

    def remember_file(self, path: str) -> None:
        """Take what stands there for the file of the socket."""
        self.path = os.path.abspath(path)
        self._identity = self._identity_now()

    def move_file(self, path: str) -> None:
        """Give the file another name. Raises OSError."""
        os.rename(self.path, path)
        self.path = os.path.abspath(path)

    def still_there(self) -> bool:
        """False once the file was removed, renamed or replaced; its mode, owner and times don't matter."""
        return self._identity_now() == self._identity

    def remove_file(self) -> None:
        """Remove the file, unless another one took its place. Call it before `close`: until then nobody else can
        have the file's number.

        It stays, stale, where the directory is no longer ours to write to: not even root's powers last.
        """
        if self.path and self._identity is not None and self.still_there():
            with contextlib.suppress(FileNotFoundError, PermissionError):
                os.unlink(self.path)

    def _identity_now(self) -> tuple[int, int] | None:
        if not self.path:
            return None
        try:
            status = os.lstat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino


def listen(interface: str, directory: str = DIRECTORY) -> ListeningSocket:
    """Make the socket of this interface, mode 0700, in the directory, which is made if missing.

    A socket that nobody serves any more is replaced. Raises PlatformError.
    """
    path = socket_path(interface, directory)
    listener = ListeningSocket()
    try:
        with _umask(0o022):
            os.makedirs(directory, mode=0o755, exist_ok=True)
        with _locked(directory):
            _check_way(path)
            # `wg` removes a socket that it finds and that nobody listens on yet: it may see a finished one only.
            unfinished = f"{directory}/.{interface}"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unfinished)
            with _umask(0o077):
                listener.bind(unfinished)
            listener.listen(_BACKLOG)
            listener.remember_file(unfinished)
            listener.move_file(path)
    except PlatformError:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        raise PlatformError(f"can't make the socket {path}: {error}") from error
    return listener


def adopt(descriptor: int) -> ListeningSocket:
    """Use a listening Unix socket that somebody else made. Raises PlatformError."""
    try:
        listener = ListeningSocket(descriptor)
        if listener.family != socket.AF_UNIX or not _listens(listener):
            listener.detach()
            raise PlatformError(f"descriptor {descriptor} is not a listening Unix socket")
        listener.set_inheritable(False)
        address = listener.getsockname()
        if isinstance(address, str) and address:  # others are unnamed, or in the abstract namespace
            listener.remember_file(address)
    except OSError as error:
        if isinstance(error, PlatformError):
            raise
        raise PlatformError(f"descriptor {descriptor} can't be used as a socket: {error.strerror}") from error
    return listener


def _listens(listener: socket.socket) -> bool:
    """As far as the system tells; macOS does not. Raises OSError."""
    try:
        return bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise
        return True


def is_served(path: str) -> bool:
    """Whether somebody accepts connections there. Raises OSError when that can't be found out."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:  # its queue is full
            return True
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True


def _check_way(path: str) -> None:
    """Nothing may be there but a socket that nobody serves. Raises PlatformError."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise PlatformError(f"{path} is in the way and not a socket; move it")
    if is_served(path):
        raise PlatformError(f"unix socket in use: another daemon serves {path}")


@contextlib.contextmanager
def _locked(directory: str) -> Iterator[None]:
    """One daemon at a time looks and replaces, lest two that start together remove each other's socket."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
