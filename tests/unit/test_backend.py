"""Which half is chosen, and which offloads are tried."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from wgtun.backend import backend
from wgtun.errors import PlatformError

INSTALLED = find_spec("wgtun_native") is not None


def test_the_native_half_is_the_default_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WGTUN_ENGINE", raising=False)
    assert backend() == ("native" if INSTALLED else "python")


@pytest.mark.parametrize("wanted", ["python", *(["native"] if INSTALLED else [])])
def test_the_environment_overrides(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("WGTUN_ENGINE", wanted)
    assert backend() == wanted


def test_what_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WGTUN_ENGINE", "fast")
    with pytest.raises(PlatformError, match="python or native, not 'fast'"):
        backend()
    monkeypatch.setenv("WGTUN_ENGINE", "native")
    monkeypatch.setattr("wgtun.backend.find_spec", lambda _name: None)
    with pytest.raises(PlatformError, match="not installed"):
        backend()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's offloads")
@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("", {"tso", "uso", "gso", "gro", "mac1"}),
        ("off", set()),
        ("no-tso,no-gro", {"uso", "gso", "mac1"}),
        ("no-tso,off", set()),
    ],
)
def test_offloads_are_switched_off_by_name(monkeypatch: pytest.MonkeyPatch, words: str, left: set[str]) -> None:
    from wgtun.platform.linux.offload import allowed

    monkeypatch.setenv("WGTUN_OFFLOAD", words)
    assert allowed() == left


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's offloads")
def test_an_unknown_offload_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from wgtun.platform.linux.offload import allowed

    monkeypatch.setenv("WGTUN_OFFLOAD", "no-tso,no-such")
    with pytest.raises(PlatformError, match="no-such: known are off, no-gro"):
        allowed()
