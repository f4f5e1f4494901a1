"""What every system's package offers to the device and the daemon. Sockets come from a `dataplane.Underlay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from wgtun.dataplane import RingDevice, TunDevice

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from wgtun.path import Path, SourceState


class _Interface(Protocol):
    """What the owner of a TUN has to do with it."""

    @property
    def name(self) -> str:
        """The interface's present name. Raises TunnelGone."""

    def take_over(self) -> None:
        """This process uses it from now on, as a fork of the one that opened it. Raises PlatformError."""


class DescriptorTun(_Interface, TunDevice, Protocol):
    """A TUN of descriptors: they read and write one packet per call and never block."""


class RingTun(_Interface, RingDevice, Protocol):
    """A TUN without descriptors."""


Tun = DescriptorTun | RingTun


class LinkState(NamedTuple):
    """A link as it is now. When it is `gone` the rest is what it was last."""

    mtu: int
    up: bool
    gone: bool = False


class ChangeSource(Protocol):
    """Something that changes from outside."""

    def watch(self, loop: AbstractEventLoop, changed: Callable[[], None]) -> None:
        """Call `changed` on the loop when it may have changed, until `close`."""

    def close(self) -> None: ...


class LinkMonitor(ChangeSource, Protocol):
    """The link state of one TUN."""

    def read(self) -> LinkState:
        """Take in what has happened; returns the present state."""


class RouteMonitor(ChangeSource, Protocol):
    """Routes and addresses of the host. It tells that they changed, not what: look, after `drain`."""

    def drain(self) -> None: ...

    def source_state(self, path: Path, mark: int) -> SourceState:
        """What datagrams to this path, with this fwmark, can do with its source; it is current when there is none."""


class DirectoryWatch(ChangeSource, Protocol):
    """The entries of a directory. It tells that they changed, not what: look, after `drain`."""

    def drain(self) -> None: ...
