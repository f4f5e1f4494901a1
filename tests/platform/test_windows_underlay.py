"""Which interface the sockets are bound to on Windows, by the routes that there are."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import pytest

from tests.support.call_script import ScriptedSocket
from wgtun.path import Path
from wgtun.platform.underlay import Uplink, UplinkSockets
from wgtun.platform.windows.underlay import DefaultRoute, Underlay

TUNNEL, CABLE, WIFI = 100, 200, 300  # LUIDs
PEER = Path(("192.0.2.9", 51820))


class Routes:
    def __init__(self) -> None:
        self.present: dict[int, list[DefaultRoute]] = {socket.AF_INET: [], socket.AF_INET6: []}

    def defaults(self, family: socket.AddressFamily) -> Iterable[DefaultRoute]:
        return self.present[family]


class Sockets(UplinkSockets):
    new_socket = ScriptedSocket
    bound: list[tuple[socket.AddressFamily, int]] = []  # noqa: RUF012

    @classmethod
    def configure(cls, opened: socket.socket) -> None:
        pass

    @staticmethod
    def bind_to_interface(used: socket.socket, interface: int) -> None:
        Sockets.bound.append((used.family, interface))


@pytest.mark.parametrize(
    ("routes", "uplink"),
    [
        ([], Uplink()),
        ([DefaultRoute(CABLE, 2, 25)], Uplink()),  # the tunnel takes nothing over: peers may be anywhere
        ([DefaultRoute(CABLE, 2, 25), DefaultRoute(TUNNEL, 9, 0)], Uplink(2)),
        ([DefaultRoute(CABLE, 2, 25), DefaultRoute(WIFI, 3, 20), DefaultRoute(TUNNEL, 9, 0)], Uplink(3)),
        ([DefaultRoute(CABLE, 2, 25), DefaultRoute(TUNNEL, 9, 5, is_half=True)], Uplink(2)),
        ([DefaultRoute(WIFI, 3, 1, is_half=True), DefaultRoute(TUNNEL, 9, 5)], Uplink(0, blackhole=True)),
        ([DefaultRoute(TUNNEL, 9, 0)], Uplink(0, blackhole=True)),
    ],
)
def test_the_choice(routes: list[DefaultRoute], uplink: Uplink) -> None:
    known = Routes()
    known.present[socket.AF_INET] = routes
    assert Underlay(Sockets, known, TUNNEL).choose(socket.AF_INET) == uplink
    assert Underlay(Sockets, known, 0).choose(socket.AF_INET) == Uplink()  # no tunnel of ours
    assert Underlay(Sockets, known, TUNNEL).choose(socket.AF_INET6) == Uplink()


def test_sockets_follow_the_routes() -> None:
    routes = Routes()
    underlay = Underlay(Sockets, routes, TUNNEL)
    Sockets.bound.clear()
    sockets = underlay.open(0, 0)
    assert Sockets.bound == []
    routes.present[socket.AF_INET] = [DefaultRoute(CABLE, 2, 25), DefaultRoute(TUNNEL, 9, 0)]
    underlay.routes_changed()
    underlay.routes_changed()
    assert Sockets.bound == [(socket.AF_INET, 2)]
    routes.present[socket.AF_INET] = [DefaultRoute(TUNNEL, 9, 0)]
    underlay.routes_changed()
    assert sockets.blackholes == {socket.AF_INET}
    assert sockets.send([b"x"], PEER, 0) == 0
    routes.present[socket.AF_INET] = []
    underlay.routes_changed()
    assert Sockets.bound[-1] == (socket.AF_INET, 0)
    assert sockets.blackholes == frozenset()
    # New sockets start with nothing, and are bound at once.
    sockets.close()
    routes.present[socket.AF_INET6] = [DefaultRoute(WIFI, 3, 1), DefaultRoute(TUNNEL, 9, 0)]
    Sockets.bound.clear()
    underlay.open(0, 0).close()
    assert Sockets.bound == [(socket.AF_INET6, 3)]


def test_there_is_no_fwmark() -> None:
    underlay = Underlay(Sockets, Routes(), TUNNEL)
    assert underlay.refuses_mark(0) == ""
    assert "Windows has no fwmark" in underlay.refuses_mark(1)
