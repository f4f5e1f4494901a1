"""Engines move packets. `make_engine` takes the fastest one that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from wgtun.constants import Timing
    from wgtun.dataplane import Clock, HandshakeFilter
    from wgtun.engine.python.pump import PythonEngine

ENGINE = "python"


def make_engine(
    loop: asyncio.AbstractEventLoop,
    clock: Clock,
    notify: Callable[[], None],
    handshake_filter: HandshakeFilter,
    invalid_tag: type[Exception],
    timing: Timing,
) -> PythonEngine:
    """An engine on this loop; `notify` is called when events wait."""
    from wgtun.engine.python.pump import PythonEngine

    return PythonEngine(loop, clock, notify, handshake_filter, invalid_tag, timing)
