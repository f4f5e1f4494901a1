"""Engines move packets. `make_engine` makes the one that `backend` chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wgtun.backend import backend

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from wgtun.constants import Timing
    from wgtun.dataplane import AttachedEngine, Clock, HandshakeFilter


def make_engine(
    loop: asyncio.AbstractEventLoop,
    clock: Clock,
    notify: Callable[[], None],
    handshake_filter: HandshakeFilter,
    invalid_tag: type[Exception],
    timing: Timing,
) -> AttachedEngine:
    """An engine on this loop; `notify` is called when events wait.

    The native engine has its own clock, the same as `platform.clock`, and its own handshake filter.
    """
    if backend() == "native":
        from wgtun.engine.native import NativeEngine

        return NativeEngine(loop, notify, timing)
    from wgtun.engine.python.pump import PythonEngine

    return PythonEngine(loop, clock, notify, handshake_filter, invalid_tag, timing)
