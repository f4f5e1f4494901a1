"""Adapters of the stand-in wintun.dll, as the platform opens them."""

from __future__ import annotations

import asyncio
import sys

import pytest

if sys.platform != "win32":
    pytest.skip("Windows only", allow_module_level=True)
assert sys.platform == "win32"  # mypy goes by this

from tests.windows import stand_in
from wgtun import platform
from wgtun.errors import PlatformError, TunnelGone
from wgtun.platform.windows import wintun
from wgtun.platform.windows.tun import Tun

PACKET = bytes.fromhex("45000014") + bytes(16)


@pytest.fixture
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)[:100]


def test_packets_both_ways(adapter: str) -> None:
    tun = platform.open_tun(adapter)
    assert isinstance(tun, Tun)
    try:
        assert (tun.name, tun.mtu) == (adapter, 1420)
        assert tun.luid
        assert tun.driver_version.startswith("0.")
        with pytest.raises(BlockingIOError):
            tun.read()
        for number in range(3):
            stand_in.inject(adapter, PACKET + bytes([number]))
        assert [tun.read()[-1] for _ in range(3)] == [0, 1, 2]
        with pytest.raises(BlockingIOError):
            tun.read()
        tun.write(memoryview(PACKET))
        assert stand_in.take(adapter, 1000) == PACKET
    finally:
        tun.close()
        tun.close()


def test_a_full_ring_is_an_error_and_no_more(adapter: str) -> None:
    tun = platform.open_tun(adapter)
    packet = PACKET.ljust(60000, b"x")
    try:
        full = None
        for _ in range(1000):
            try:
                tun.write(packet)
            except OSError as error:
                full = error
                break
        assert full is not None
        assert full.winerror == 111  # ERROR_BUFFER_OVERFLOW
        assert stand_in.take(adapter) == packet
        tun.write(packet)
    finally:
        tun.close()


def test_an_adapter_that_is_removed(adapter: str) -> None:
    tun = platform.open_tun(adapter)
    try:
        stand_in.inject(adapter, PACKET)
        stand_in.remove(adapter)
        assert tun.read() == PACKET
        with pytest.raises(TunnelGone, match="removed"):
            tun.read()
    finally:
        tun.close()


def test_a_corrupt_ring(adapter: str) -> None:
    tun = platform.open_tun(adapter)
    try:
        stand_in.corrupt(adapter)
        with pytest.raises(TunnelGone, match="corrupt"):
            tun.read()
    finally:
        tun.close()


def test_refusals() -> None:
    with pytest.raises(PlatformError, match="run as administrator"):
        platform.open_tun("deny this")
    for name in ("", "x" * 128):
        with pytest.raises(PlatformError, match="1 to 127 characters"):
            platform.open_tun(name)
    with pytest.raises(PlatformError, match="no descriptors of adapters"):
        platform.adopt_tun(3)


def test_two_programs_want_one_adapter(adapter: str) -> None:
    tun = platform.open_tun(adapter)
    try:
        with pytest.raises(PlatformError, match="another program uses the adapter"):
            platform.open_tun(adapter)
    finally:
        tun.close()


def test_a_missing_dll_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wintun, "NAME", "no-such-wintun.dll")
    with pytest.raises(PlatformError, match=r"download it from https://www\.wintun\.net and put the one"):
        platform.open_tun("missing")


def test_a_dll_that_is_not_wintun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wintun, "NAME", "version.dll")
    with pytest.raises(PlatformError, match=r"is no wintun\.dll: it lacks WintunCreateAdapter"):
        platform.open_tun("other")


def test_it_is_watched_without_a_busy_loop(adapter: str) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        tun = platform.open_tun(adapter)
        assert isinstance(tun, Tun)
        taken: list[bytes] = []
        calls = 0
        arrived = asyncio.Event()

        def ready() -> None:
            nonlocal calls
            calls += 1
            try:
                for _ in range(2):
                    taken.append(tun.read())
                    arrived.set()
            except BlockingIOError:
                pass

        try:
            stand_in.inject(adapter, PACKET)  # before anybody watched
            tun.watch(loop, ready)
            for count in (1, 5, 1):
                already = len(taken)
                for _ in range(count):
                    stand_in.inject(adapter, PACKET)
                async with asyncio.timeout(5):
                    while len(taken) < already + count:
                        arrived.clear()
                        await arrived.wait()
                before = calls
                await asyncio.sleep(0.3)
                assert calls - before <= 3
            tun.unwatch()
            stand_in.inject(adapter, PACKET)
            await asyncio.sleep(0.1)
            assert len(taken) == 8
        finally:
            tun.close()

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(scenario())
