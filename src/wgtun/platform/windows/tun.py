"""A Wintun adapter: a ring of packets for each direction, in memory that is shared with the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wgtun.constants import DEFAULT_MTU
from wgtun.dataplane import Ring
from wgtun.errors import PlatformError, TunnelGone
from wgtun.platform.windows import abi

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

TUNNEL_TYPE = "WireGuard"
RING_CAPACITY = 0x800000  # bytes
_MAX_NAME = 127  # characters
_EXPLANATIONS = {
    abi.ERROR_ACCESS_DENIED: "not permitted; run as administrator",
    abi.ERROR_ALREADY_EXISTS: "another program uses the adapter",
}


class Library(Protocol):
    """wintun.dll. What can fail raises OSError with `winerror`."""

    def create_adapter(self, name: str, tunnel_type: str, guid: bytes | None) -> int: ...
    def close_adapter(self, adapter: int) -> None: ...
    def luid(self, adapter: int) -> int: ...
    def driver_version(self) -> int: ...
    def start_session(self, adapter: int, capacity: int) -> int: ...
    def end_session(self, session: int) -> None: ...
    def read_wait_event(self, session: int) -> int: ...
    def receive(self, session: int) -> bytes: ...
    def send(self, session: int, packet: bytes) -> None: ...
    def ring_functions(self) -> tuple[int, int, int, int, int]: ...


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Tun:
    """One adapter with a session; see `dataplane.RingDevice` and `platform.interface.Tun`."""

    def __init__(
        self,
        library: Library,
        name: str,
        wait: Callable[[AbstractEventLoop, int, Callable[[], None]], Cancellable],
        guid: bytes | None = None,
    ) -> None:
        """Make the adapter, or take one of this name that nobody uses. Raises PlatformError.

        `wait` calls back once on a loop when a handle is signalled. `guid` has 16 bytes; the same one gives the same
        adapter to the system's settings each time.
        """
        if not 0 < len(name) <= _MAX_NAME:
            raise PlatformError(f"adapter name {name!r}: it has 1 to {_MAX_NAME} characters")
        self._library = library
        self._name = name
        self._wait = wait
        self._waiting: Cancellable | None = None
        self._watched = False
        self._drained = False
        self._session = 0
        self.mtu = DEFAULT_MTU
        self._adapter = 0
        try:
            self._adapter = library.create_adapter(name, TUNNEL_TYPE, guid)
            self.luid = library.luid(self._adapter)
            self._session = library.start_session(self._adapter, RING_CAPACITY)
            self._event = library.read_wait_event(self._session)
        except OSError as error:
            self.close()
            reason = _EXPLANATIONS.get(getattr(error, "winerror", 0), error.strerror)
            raise PlatformError(f"can't create the adapter {name}: {reason}") from error

    @property
    def name(self) -> str:
        return self._name

    @property
    def ring(self) -> Ring:
        return Ring(self._session, self._library.ring_functions())

    @property
    def driver_version(self) -> str:
        version = self._library.driver_version()
        return f"{version >> 16}.{version & 0xFFFF}"

    def take_over(self) -> None:
        """Nothing to do: there is no fork."""

    def read(self) -> bytes:
        """See `dataplane.RingDevice`."""
        try:
            return self._library.receive(self._session)
        except OSError as error:
            reason = getattr(error, "winerror", 0)
            if reason == abi.ERROR_NO_MORE_ITEMS:
                self._drained = True
                raise BlockingIOError from None
            if reason == abi.ERROR_HANDLE_EOF:
                raise TunnelGone("the adapter was removed") from error
            if reason == abi.ERROR_INVALID_DATA:
                raise TunnelGone("the adapter's ring is corrupt") from error
            raise

    def write(self, packet: bytes | memoryview) -> None:
        self._library.send(self._session, bytes(packet))

    def watch(self, loop: AbstractEventLoop, ready: Callable[[], None]) -> None:
        """See `dataplane.RingDevice`. The event is signalled only after the ring was found empty."""

        def look() -> None:
            if not self._watched:
                return
            self._waiting, self._drained = None, False
            ready()
            if self._watched and self._drained:
                self._waiting = self._wait(loop, self._event, look)
            elif self._watched:
                loop.call_soon(look)

        self._watched = True
        loop.call_soon(look)

    def unwatch(self) -> None:
        self._watched = False
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def close(self) -> None:
        """End the session and remove the adapter."""
        self.unwatch()
        if self._session:
            self._library.end_session(self._session)
            self._session = 0
        if self._adapter:
            self._library.close_adapter(self._adapter)
            self._adapter = 0
