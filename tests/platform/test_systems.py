"""How the parts of macOS, FreeBSD and OpenBSD are put together: `system.py` of each, on recorded calls."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from tests.platform import test_freebsd, test_macos, test_openbsd
from tests.platform.interface_requests import ask
from tests.platform.other_systems import PLATFORMS, imported
from tests.support.call_script import Script, Step, call
from wgtun.path import Path, Source
from wgtun.platform.bsd.calls import Kevent

if sys.platform == "win32":
    pytest.skip("Unix only", allow_module_level=True)

OPENING: dict[str, tuple[str, list[Step], list[Step]]] = {
    "macos": ("utun7", test_macos.opening(8, "utun7"), []),
    "freebsd": ("wg0", test_freebsd.OPENING, [test_freebsd.named("wg0")]),
    "openbsd": ("tun7", test_openbsd.opening(7), []),
}
ROUTING = [call("socket", 17, 3, 0, answer=5), call("set_nonblocking", 5)]
NOTHING = call("read", 5, 4096, error=errno.EAGAIN)


@contextmanager
def recorded(system: str) -> Iterator[tuple[Any, Script]]:
    """The system's platform interface, and the calls that it makes."""
    script = Script()
    with imported(system, "wgtun.platform.bsd.system_calls") as calls:
        calls.__dict__["SystemCalls"] = lambda: script
        with imported(system, f"wgtun.platform.{system}.system") as module:
            yield module, script
    script.finished()


@pytest.fixture(params=PLATFORMS)
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def open_tun(system: str, module: ModuleType, script: Script) -> Any:
    name, steps, asked = OPENING[system]
    script.then(*steps)
    tun = module.open_tun(name)
    script.then(*asked)
    assert tun.name == name
    return tun


def test_the_interface(system: str) -> None:
    with recorded(system) as (module, script):
        tun = open_tun(system, module, script)
        name, _, asked = OPENING[system]
        gone = ask(test_freebsd.SIOCIFDESTROY, name) if system == "freebsd" else []
        script.then(*asked, call("close", 4), *gone)
        tun.close()


def test_its_link(system: str) -> None:
    """Where the system announces what comes and goes, and what was lost, that is heard."""
    with recorded(system) as (module, script):
        tun = open_tun(system, module, script)
        name, _, asked = OPENING[system]
        tests: Any = {"macos": test_macos, "freebsd": test_freebsd, "openbsd": test_openbsd}[system]
        watched = [*ask(tests.SIOCGIFMTU, name, 1420), *ask(tests.SIOCGIFFLAGS, name, 1)]
        script.then(*asked, call("interface_index", name, answer=12), *ROUTING, *watched)
        link = module.monitor_link(tun)
        script.then(call("read", 5, 4096, answer=tests.information(12, 0, 1300)), NOTHING)
        assert link.read() == (1300, False, False)
        if system == "openbsd":
            again = [*ask(tests.SIOCGIFFLAGS, name, 1), *ask(tests.SIOCGIFMTU, name, 1400)]
            script.then(call("read", 5, 4096, answer=b"\x60\0\x05\x10\x60\0" + bytes(90)), *again, NOTHING)
            assert link.read() == (1400, True, False)
        if system != "macos":
            absent = call("interface_name", 12, error=errno.ENXIO)
            script.then(call("read", 5, 4096, answer=tests.announcement(12, 1)), absent, NOTHING)
            assert link.read().gone
        script.then(call("close", 5))
        link.close()


def test_its_routes(system: str) -> None:
    """Addresses in a message are aligned as the system has them; 28 bytes of IPv6 show it."""
    with recorded(system) as (module, script):
        script.then(*ROUTING, *[step._replace(answer=6) for step in ROUTING[:1]], call("set_nonblocking", 6))
        routes = module.monitor_routes()
        sent: list[bytes] = []

        def write(descriptor: int, data: bytes) -> int:
            sent.append(data)
            raise OSError(errno.ESRCH, "no route")

        vars(script)["write"] = write
        script.then(call("read", 6, 4096, error=errno.EAGAIN))
        routes.source_state(Path(("2001:db8::1", 1, 0, 0), Source(bytes(16), 3)), 7)
        size, end = {"macos": (92, 28), "freebsd": (152, 32), "openbsd": (96, 32)}[system]
        (question,) = sent
        assert len(question) == int.from_bytes(question[:2], "little") == size + end
        if system == "openbsd":
            assert question[8:10] == b"\x07\0"  # the routing table
        script.then(call("close", 5), call("close", 6))
        routes.close()


def test_its_directory_of_sockets(system: str) -> None:
    with recorded(system) as (module, script):
        script.then(
            call("kqueue", answer=7),
            call("open", "/var/run/wireguard", 0, answer=8),
            call("kevent", 7, [Kevent(8, -4, 0x21, 0x63)], 0, answer=[]),
        )
        watch = module.watch_directory("/var/run/wireguard")
        script.then(call("close", 8), call("close", 7))
        watch.close()


def test_the_network_under_it(system: str) -> None:
    with recorded(system) as (module, script):
        tun = open_tun(system, module, script)
        asked = [call("interface_index", "utun7", answer=12), *ROUTING] if system == "macos" else []
        script.then(*asked)
        underlay = module.open_underlay(tun)
        script.then()
        assert bool(underlay.refuses_mark(1)) is (system == "macos")
        assert underlay._sockets.__module__ == f"wgtun.platform.{system}.udp"


def test_its_clock_and_its_sandbox(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WGTUN_SANDBOX", "off")
    with recorded(system) as (module, _):
        assert module.restrict(None) == "off (WGTUN_SANDBOX)"
        before = module.clock()
        assert before <= module.clock() < before + 10**9
