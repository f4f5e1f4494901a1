"""The platform interface of a system that wgtun does not run on yet: every call says so."""

from __future__ import annotations

import sys
from typing import NoReturn

from wgtun.dataplane import Underlay
from wgtun.errors import PlatformError
from wgtun.platform.interface import DirectoryWatch, LinkMonitor, RouteMonitor, Tun


def _refuse() -> NoReturn:
    raise PlatformError(f"wgtun does not run on {sys.platform} yet")


def open_tun(name: str, *, offload: bool = False, queues: int = 1) -> Tun:
    _refuse()


def adopt_tun(descriptor: int, *, offload: bool = False) -> Tun:
    _refuse()


def open_underlay(tun: Tun | None = None) -> Underlay:
    _refuse()


def monitor_link(tun: Tun) -> LinkMonitor:
    _refuse()


def monitor_routes() -> RouteMonitor:
    _refuse()


def watch_directory(path: str) -> DirectoryWatch:
    _refuse()


def restrict(socket_directory: str | None) -> str:
    return f"none on {sys.platform} yet"


def clock() -> int:
    _refuse()
