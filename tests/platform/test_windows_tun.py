"""Windows: a Wintun adapter from its making to its end, as calls of wintun.dll."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.call_script import Script, Step, call
from wgtun.dataplane import Ring
from wgtun.errors import PlatformError, TunnelGone
from wgtun.platform.windows.tun import Tun

ACCESS_DENIED, ALREADY_EXISTS, INVALID_DATA, HANDLE_EOF, BUFFER_OVERFLOW, NO_MORE_ITEMS = 5, 183, 13, 38, 111, 259
CREATE, START, EVENT = (
    call("create_adapter", "wg0", "WireGuard", None, answer=7),
    call("start_session", 7, 8 << 20, answer=8),
    call("read_wait_event", 8, answer=9),
)
OPENING = [CREATE, call("luid", 7, answer=0x35 << 48), START, EVENT]
CLOSING = [call("end_session", 8), call("close_adapter", 7)]
FUNCTIONS = (1, 2, 3, 4, 5)


def refused(code: int) -> OSError:
    """As Windows says it; elsewhere an OSError has no `winerror`."""
    error: Any = OSError(errno.EINVAL, "refused")
    error.winerror = code
    return error  # type: ignore[no-any-return]


class Loop:
    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def run(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Wait:
    """Stands for `handles.Wait`."""

    made: list[Wait] = []  # noqa: RUF012

    def __init__(self, loop: object, handle: int, callback: Callable[[], None]) -> None:
        assert handle == 9
        self.signalled = callback
        self.is_over = False
        Wait.made.append(self)

    def cancel(self) -> None:
        self.is_over = True


def opened(*more: Step, guid: bytes | None = None) -> tuple[Tun, Script]:
    recorded: Any = Script(*OPENING, *more)
    return Tun(recorded, "wg0", Wait, guid), recorded


def test_from_its_making_to_its_end() -> None:
    tun, recorded = opened()
    recorded.then(call("ring_functions", answer=FUNCTIONS), call("driver_version", answer=14 << 16 | 1))
    assert tun.ring == Ring(8, FUNCTIONS)
    assert (tun.name, tun.mtu, tun.luid, tun.driver_version) == ("wg0", 1420, 0x35 << 48, "14.1")
    recorded.then(*CLOSING)
    tun.close()
    tun.close()
    recorded.finished()


def test_a_guid_of_its_own() -> None:
    recorded: Any = Script(call("create_adapter", "wg0", "WireGuard", b"g" * 16, answer=7), *OPENING[1:])
    Tun(recorded, "wg0", Wait, b"g" * 16)
    recorded.finished()


@pytest.mark.parametrize(
    ("steps", "closing", "text"),
    [
        ([CREATE._replace(error=refused(ACCESS_DENIED))], [], "run as administrator"),
        ([CREATE._replace(error=refused(ALREADY_EXISTS))], [], "another program uses the adapter"),
        ([*OPENING[:2], START._replace(error=refused(ALREADY_EXISTS))], CLOSING[1:], "another program"),
        ([*OPENING[:3], EVENT._replace(error=refused(1))], CLOSING, "refused"),
    ],
)
def test_whatever_fails_leaves_nothing_behind(steps: list[Step], closing: list[Step], text: str) -> None:
    recorded: Any = Script(*steps, *closing)
    with pytest.raises(PlatformError, match=f"can't create the adapter wg0: .*{text}"):
        Tun(recorded, "wg0", Wait)
    recorded.finished()


def test_packets() -> None:
    tun, recorded = opened(call("receive", 8, answer=b"packet"), call("send", 8, b"packet"))
    assert tun.read() == b"packet"
    tun.write(memoryview(b"packet"))
    for code, kind, text in (
        (NO_MORE_ITEMS, BlockingIOError, None),
        (HANDLE_EOF, TunnelGone, "removed"),
        (INVALID_DATA, TunnelGone, "corrupt"),
        (1, OSError, "refused"),
    ):
        recorded.then(call("receive", 8, error=refused(code)))
        with pytest.raises(kind, match=text):
            tun.read()
    recorded.then(call("send", 8, b"x", error=refused(BUFFER_OVERFLOW)))
    with pytest.raises(OSError, match="refused"):
        tun.write(b"x")


def test_it_waits_for_the_event_only_when_nothing_is_left() -> None:
    """Of what was in the ring before, the event does not tell."""
    tun, recorded = opened()
    loop: Any = Loop()
    Wait.made.clear()
    reads = 0

    def ready() -> None:
        nonlocal reads
        try:
            for _ in range(2):
                tun.read()
                reads += 1
        except BlockingIOError:
            pass

    some, nothing = call("receive", 8, answer=b"packet"), call("receive", 8, error=refused(NO_MORE_ITEMS))
    tun.watch(loop, ready)
    recorded.then(some, some)
    loop.run()
    assert (reads, Wait.made) == (2, [])  # more may be there
    recorded.then(some, nothing)
    loop.run()
    assert (reads, loop.soon, len(Wait.made)) == (3, [], 1)
    recorded.then(nothing)
    Wait.made[0].signalled()
    assert len(Wait.made) == 2
    recorded.then(*CLOSING)
    tun.close()
    assert Wait.made[1].is_over


@pytest.mark.parametrize("name", ["", "x" * 128])
def test_names_that_no_adapter_has(name: str) -> None:
    recorded: Any = Script()
    with pytest.raises(PlatformError, match="1 to 127 characters"):
        Tun(recorded, name, Wait)
