"""Says when something in a directory was made, removed or renamed (kqueue)."""

from __future__ import annotations

from wgtun.errors import PlatformError
from wgtun.platform.bsd.calls import Calls, Kevent
from wgtun.platform.bsd.interface import Abi
from wgtun.platform.readable import Readable

_ROOM = 16  # events taken in one call


class DirectoryWatch(Readable):
    """See `platform.interface.DirectoryWatch`. A kqueue is itself something that an event loop can wait for."""

    def __init__(self, calls: Calls, abi: Abi, directory: str) -> None:
        """Raises PlatformError."""
        self._calls = calls
        self._descriptors: list[int] = []
        changes = abi.NOTE_WRITE | abi.NOTE_DELETE | abi.NOTE_RENAME | abi.NOTE_REVOKE
        try:
            self._descriptors.append(calls.kqueue())
            self._descriptors.append(calls.open(directory, abi.O_RDONLY))
            watch = Kevent(self._descriptors[1], abi.EVFILT_VNODE, abi.EV_ADD | abi.EV_CLEAR, changes)
            calls.kevent(self._descriptors[0], [watch], 0)
        except OSError as error:
            self.close()
            raise PlatformError(f"can't watch {directory}: {error.strerror}") from error

    def fileno(self) -> int:
        """For the event loop: readable after a change."""
        return self._descriptors[0]

    def drain(self) -> None:
        """Forget the changes up to now."""
        while self._calls.kevent(self._descriptors[0], [], _ROOM):
            pass

    def close(self) -> None:
        """Stop watching."""
        self.unwatch()
        while self._descriptors:
            self._calls.close(self._descriptors.pop())
