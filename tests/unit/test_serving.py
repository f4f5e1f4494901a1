"""The order in which a daemon is put together and taken apart."""

from __future__ import annotations

from typing import Any

import pytest

from wgtun import platform
from wgtun.cli import serving
from wgtun.errors import PlatformError


class Part:
    """Whatever is opened; tells when that is, and when it is closed."""

    name = "wg0"
    path = "/nowhere/wg0.sock"

    def __init__(self, told: list[str], what: str) -> None:
        self._told = told
        self._what = what
        told.append(what)

    def close(self) -> None:
        self._told.append(f"no {self._what}")

    remove_file = close


def test_what_a_sandbox_may_refuse_is_opened_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenBSD's pledge lets nobody make a routing socket."""
    told: list[str] = []

    def restrict(directory: str | None) -> str:
        told.append(f"restricted to {directory}")
        raise PlatformError("as far as this test goes")

    monkeypatch.setattr(platform, "monitor_link", lambda tun: Part(told, "link"))
    monkeypatch.setattr(platform, "monitor_routes", lambda: Part(told, "routes"))
    monkeypatch.setattr(platform, "open_underlay", lambda tun: Part(told, "underlay"))
    monkeypatch.setattr(platform, "restrict", restrict)
    tun: Any = Part(told, "tun")
    listener: Any = Part(told, "file")
    with pytest.raises(PlatformError, match="as far as"):
        serving.run(tun, listener, lambda loop, stop: None, syslog=False)
    opened = ["tun", "file", "link", "routes", "underlay"]
    assert told == [*opened, "restricted to /nowhere", "no routes", "no link", "no file", "no tun"]
