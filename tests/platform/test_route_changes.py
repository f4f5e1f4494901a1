"""Routes that change under a daemon on macOS, FreeBSD and OpenBSD: what it is told, what it asks, and when it rests."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.platform.routing_domain import RoutingDomain
from wgtun.cli import serving
from wgtun.path import Path, Source, SourceState
from wgtun.platform.bsd.route_monitor import RouteMonitor
from wgtun.platform.freebsd import abi as freebsd
from wgtun.platform.macos import abi as macos
from wgtun.platform.openbsd import abi as openbsd

if sys.platform == "win32":
    pytest.skip("Unix only", allow_module_level=True)

PEER = socket.inet_aton("192.0.2.9")
OURS = socket.inet_aton("10.0.0.1")
RTM_ADD, RTM_GET, RTM_MISS = 1, 4, 7
MANY_SETTLINGS = 0.25  # seconds; `serving` waits a fifth of it


@pytest.fixture(params=[(macos, 4, 0.0), (freebsd, 8, 0.02), (openbsd, 8, 0.0)], ids=["macos", "freebsd", "openbsd"])
def system(request: pytest.FixtureRequest) -> tuple[RoutingDomain, RouteMonitor]:
    abi, alignment, delay = request.param
    domain = RoutingDomain(abi, delay)
    calls: Any = domain
    return domain, RouteMonitor(calls, abi, alignment)


def test_an_answer_is_waited_for(system: tuple[RoutingDomain, RouteMonitor]) -> None:
    domain, monitor = system
    domain.routes[PEER] = 3
    assert monitor.source_state(Path(("192.0.2.9", 51820), Source(OURS, 3)), 0) is SourceState.CURRENT
    assert monitor.source_state(Path(("192.0.2.9", 51820), Source(OURS, 4)), 0) is SourceState.ELSEWHERE
    monitor.close()


def test_a_source_without_interface_is_on_that_of_its_address(system: tuple[RoutingDomain, RouteMonitor]) -> None:
    domain, monitor = system
    path = Path(("192.0.2.9", 51820), Source(OURS, 0))
    domain.routes |= {PEER: 3, OURS: 3}
    assert monitor.source_state(path, 0) is SourceState.CURRENT
    domain.routes[PEER] = 4
    assert monitor.source_state(path, 0) is SourceState.ELSEWHERE
    monitor.close()


def test_questions_are_no_changes(system: tuple[RoutingDomain, RouteMonitor]) -> None:
    """Or each change would be followed by another, for ever."""
    domain, monitor = system
    path = Path(("192.0.2.9", 51820), Source(OURS, 3))
    looks = 0

    class Device:
        def routes_changed(self, source_state: Callable[[Path, int], SourceState]) -> None:
            nonlocal looks
            looks += 1
            source_state(path, 0)

    async def scenario() -> None:
        device: Any = Device()
        serving._follow_routes(asyncio.get_running_loop(), monitor, device)
        for number, kind in enumerate((RTM_ADD, RTM_ADD), 1):
            domain.tell(RTM_GET)  # somebody else asks
            domain.tell(RTM_MISS)
            domain.tell(kind)
            await asyncio.sleep(MANY_SETTLINGS)
            assert (looks, domain.questions) == (number, number)
        domain.tell(RTM_GET)
        domain.tell(RTM_MISS)
        await asyncio.sleep(MANY_SETTLINGS)
        assert looks == 2
        monitor.close()

    asyncio.run(scenario())


def test_nothing_stays_open_when_the_second_socket_is_refused() -> None:
    class Refusing(RoutingDomain):
        def socket(self, family: int, kind: int, protocol: int) -> int:
            if self._sockets:
                raise PermissionError
            return super().socket(family, kind, protocol)

    abi: ModuleType = macos
    domain = Refusing(abi)
    calls: Any = domain
    with pytest.raises(PermissionError):
        RouteMonitor(calls, macos, 4)
    assert domain._sockets == {}
