"""What a change shows on: a descriptor that becomes readable."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable


class Readable:
    """Half of a `platform.interface.ChangeSource`."""

    _loop: AbstractEventLoop | None = None

    @abstractmethod
    def fileno(self) -> int: ...

    def watch(self, loop: AbstractEventLoop, changed: Callable[[], None]) -> None:
        """See `platform.interface.ChangeSource`."""
        self._loop = loop
        loop.add_reader(self.fileno(), changed)

    def unwatch(self) -> None:
        """Before `fileno` is closed."""
        if self._loop is not None:
            self._loop.remove_reader(self.fileno())
            self._loop = None
