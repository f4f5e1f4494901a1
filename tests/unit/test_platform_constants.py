"""The checker of constants and structs itself: it has to find what is planted."""

from __future__ import annotations

import sys

import pytest

from tools.platforms.constants import PYTHON, Definitions, check, definitions, sample
from wgtun.platform.layout import Layout
from wgtun.platform.macos import abi

needs_zig = pytest.mark.skipif(
    sys.platform == "win32" or not PYTHON.exists(), reason="no compiler for other systems; see tools/platforms/setup"
)


@pytest.mark.parametrize("system", ["linux", "macos", "freebsd", "openbsd", "windows"])
def test_every_system_has_something_to_check(system: str) -> None:
    found = definitions(system)
    assert len(found.numbers) > 40
    assert found.layouts or system == "linux"


def test_a_sample_fills_fields_that_do_not_overlap() -> None:
    values = sample(abi.IFREQ)
    assert "ifr_flags" in values
    assert "ifr_mtu" not in values  # shares its place
    assert abi.IFREQ.pack(values).startswith(bytes(values["ifr_name"]))


PLANTED = {
    "a constant": (Definitions({"AF_INET6": 24}, {}), "AF_INET6 is not 24"),
    "a name": (Definitions({"AF_NO_SUCH": 1}, {}), "AF_NO_SUCH"),
    "a size": (Definitions({}, {"IFREQ": Layout("struct ifreq", 40, {})}), "IFREQ: size is not 40"),
    "an offset": (
        Definitions({}, {"IFREQ": Layout("struct ifreq", 32, {"ifr_mtu": (20, "i")})}),
        "IFREQ.ifr_mtu: offset is not 20",
    ),
    "the size of a field": (
        Definitions({}, {"IFREQ": Layout("struct ifreq", 32, {"ifr_mtu": (16, "q")})}),
        "IFREQ.ifr_mtu: size is not 8",
    ),
}


@needs_zig
@pytest.mark.parametrize("what", PLANTED)
def test_planted_mistakes_are_found(what: str) -> None:
    found, problem = PLANTED[what]
    assert problem in "\n".join(check("macos", "aarch64-macos", found))


@needs_zig
def test_other_bytes_are_found() -> None:
    class Swapped(Layout):
        def pack(self, values: object) -> bytes:
            return super().pack(values)[::-1]  # type: ignore[arg-type]

    wrong = Swapped("struct sockaddr_in", 16, {"sin_len": (0, "B"), "sin_family": (1, "B")})
    assert "C has " in "\n".join(check("macos", "aarch64-macos", Definitions({}, {"SOCKADDR_IN": wrong})))
    right = Definitions({}, {"SOCKADDR_IN": abi.SOCKADDR_IN})
    assert check("macos", "aarch64-macos", right) == []
