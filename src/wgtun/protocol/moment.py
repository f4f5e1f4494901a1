"""The time, as the control plane is told it."""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """One point in time on two clocks, in nanoseconds.

    `now` never steps and counts the time asleep: it drives timers and ages keys. `wall` is Unix
    time, which may step: it goes into handshake timestamps and into what people read.
    """

    now: int
    wall: int
