"""With two implementations in Rust: boringtun and GotaTun."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.peers.virtual_machine import FILES
from tests.support.namespaces import OURS, Lab, needs_namespaces, pair, run
from tests.support.transfer import Transfer

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(300),
    needs_namespaces,
    pytest.mark.skipif(not (FILES / "bin/gotatun").exists(), reason="needs tools/peers/setup"),
]

THEIRS = {
    "boringtun": (str(FILES / "bin/boringtun-cli"), "--foreground", "--disable-drop-privileges"),
    "gotatun": (str(FILES / "bin/gotatun"), "--foreground", "--disable-drop-privileges"),
}
PAIRS: dict[str, tuple[Sequence[str], Sequence[str]]] = {}
for name, theirs in THEIRS.items():
    PAIRS |= {f"ours-{name}": (OURS, theirs), f"{name}-ours": (theirs, OURS)}

every_pair = pytest.mark.parametrize(("first", "second"), PAIRS.values(), ids=PAIRS)


@pytest.mark.parametrize("psk", [False, True], ids=["plain", "psk"])
@pytest.mark.parametrize("outer6", [False, True], ids=["outer4", "outer6"])
@every_pair
def test_traffic_of_every_kind(first: Sequence[str], second: Sequence[str], outer6: bool, psk: bool) -> None:
    with Lab() as lab:
        one, two = pair(lab, first, second, ipv6=outer6, preshared_key=run("wg", "genpsk").strip() if psk else "")
        one.ping(two)  # the first of the pair starts the handshake
        for ipv6 in (False, True):
            largest = 1420 - (48 if ipv6 else 28)
            for size in (0, 1, 15, 16, 17, 1000, largest - 1, largest):
                one.ping(two, ipv6=ipv6, size=size)
                two.ping(one, ipv6=ipv6, size=size)
        Transfer(one, two, 30_000_000).finish()
        Transfer(two, one, 30_000_000, ipv6=True).finish()


@every_pair
def test_the_other_side_follows_when_we_move(first: Sequence[str], second: Sequence[str]) -> None:
    with Lab() as lab:
        one, two = pair(lab, first, second)
        one.ping(two)
        ours, theirs = (one, two) if first is OURS else (two, one)
        ours.wg("set", ours.interface, "listen-port", "50001")
        ours.ping(theirs)
        theirs.ping(ours)
        assert theirs.show("endpoints").endswith(f"{ours.host.outer}:50001")


def test_sessions_are_renewed_after_two_minutes_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at the same time; whoever began a session renews it."""
    with Lab() as lab:
        pings, logs = [], []
        for name, sides in PAIRS.items():
            logs.append(tmp_path / name)
            monkeypatch.setenv("WGTUN_KEY_LOG", str(logs[-1]))
            one, two = pair(lab, *sides, preshared_key=run("wg", "genpsk").strip())
            one.ping(two)
            words = ["ping", "-q", "-n", "-i", "0.05", "-c", "2700", "-W", "5", two.address]
            pings.append(one.host.popen(*words, stdout=subprocess.PIPE))
        for ping, log in zip(pings, logs, strict=True):
            said = ping.communicate(timeout=200)[0]
            assert ", 0% packet loss" in said, said
            assert log.read_text().count("LOCAL_EPHEMERAL_PRIVATE_KEY") == 2, log.name
