"""Says when something in a directory was made, removed or renamed (inotify)."""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import os

from wgtun.errors import PlatformError
from wgtun.platform.linux.libc import call
from wgtun.platform.readable import Readable

# linux/inotify.h
_IN_MOVED_FROM = 0x40
_IN_MOVED_TO = 0x80
_IN_CREATE = 0x100
_IN_DELETE = 0x200
_IN_DELETE_SELF = 0x400
_IN_MOVE_SELF = 0x800
_IN_ONLYDIR = 0x01000000
_MASK = _IN_MOVED_FROM | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE | _IN_DELETE_SELF | _IN_MOVE_SELF | _IN_ONLYDIR

_EVENTS_SIZE = 64 * 1024


class DirectoryWatch(Readable):
    """Readable when the directory's entries changed. It tells that, not what: look, after `drain`."""

    def __init__(self, directory: str) -> None:
        """Raises PlatformError."""
        self._descriptor = -1
        try:
            self._descriptor = call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
            call("inotify_add_watch", self._descriptor, os.fsencode(directory), _MASK)
        except OSError as error:
            self.close()
            raise PlatformError(f"can't watch {directory}: {error.strerror}") from error

    def fileno(self) -> int:
        """For the event loop: readable after a change."""
        return self._descriptor

    def drain(self) -> None:
        """Forget the changes up to now."""
        try:
            while os.read(self._descriptor, _EVENTS_SIZE):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Stop watching."""
        self.unwatch()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
