"""A capture of the outer datagrams, decrypted by tshark on its own, shows what was sent."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.namespaces import OURS, WIREGUARD_GO, Lab, end, needs_namespaces, pair, run, wait_for

pytestmark = [
    pytest.mark.netns,
    needs_namespaces,
    pytest.mark.skipif(not shutil.which("tshark") or not shutil.which("tcpdump"), reason="needs tshark and tcpdump"),
]
OTHER = WIREGUARD_GO if shutil.which("wireguard-go") else OURS


@pytest.mark.parametrize("psk", [False, True], ids=["plain", "psk"])
@pytest.mark.parametrize("initiator", [True, False], ids=["initiator", "responder"])
def test_tshark_decrypts_what_we_sent(tmp_path: Path, initiator: bool, psk: bool) -> None:
    key_log, capture = tmp_path / "keys", tmp_path / "outer.pcap"
    with Lab() as lab:
        psk_text = run("wg", "genpsk").strip() if psk else ""
        ours, other = pair(lab, OURS, OTHER, preshared_key=psk_text, env={"WGTUN_KEY_LOG": str(key_log)})
        dump = ours.host.tcpdump(ours.host.device, "-U", "-w", str(capture), "udp port 51820")
        first, second = (ours, other) if initiator else (other, ours)
        pattern = "c0ffee5eed"
        first.host.run("ping", "-n", "-c", "3", "-i", "0.2", "-p", pattern, "-s", "200", "-e", "4660", second.address)
        wait_for(lambda: capture.stat().st_size > 2200, what="tcpdump wrote the packets")
        end(dump)

    assert stat.S_IMODE(os.stat(key_log).st_mode) == 0o600
    fields = ["wg.type", "icmp.type", "icmp.ident", "icmp.seq", "ip.src", "ip.dst", "data.data"]
    out = run(
        "tshark", "-r", str(capture), "-o", f"wg.keylog_file:{key_log}", "-T", "fields", "-E", "occurrence=l",
        *(word for field in fields for word in ("-e", field)),
    )  # fmt: skip
    rows = [dict(zip(fields, line.split("\t"), strict=False)) for line in out.splitlines()]
    assert [row["wg.type"] for row in rows[:2]] == ["1", "2"]
    inner = [row for row in rows if row.get("icmp.type")]
    assert [(row["icmp.type"], row["icmp.ident"], row["icmp.seq"]) for row in inner] == [
        (kind, "4660", str(number)) for number in (1, 2, 3) for kind in ("8", "0")
    ]
    for row in inner:
        assert {row["ip.src"], row["ip.dst"]} == {first.address, second.address}
        assert pattern * 20 in row["data.data"]


def test_no_key_log_unless_asked_for_and_loud_when_on(tmp_path: Path) -> None:
    key_log = tmp_path / "keys"

    def first_lines(env: dict[str, str]) -> str:
        with Lab() as lab:
            host = lab.host()
            daemon = host.popen(
                *OURS, "-f", f"wkl{os.getpid()}", env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            wait_for(lambda: Path(f"/var/run/wireguard/wkl{os.getpid()}.sock").exists())
            daemon.terminate()
            return daemon.communicate(timeout=10)[0]

    assert first_lines({}) == ""
    assert not key_log.exists()
    key_log.touch(0o644)
    loud = first_lines({"WGTUN_KEY_LOG": str(key_log)})
    assert stat.S_IMODE(key_log.stat().st_mode) == 0o600, "even if the file was there before"
    assert loud.startswith("ERROR: ")
    assert "DANGER" in loud
    assert str(key_log) in loud


def test_a_key_log_that_cannot_be_written_is_a_failed_start(tmp_path: Path) -> None:
    name = f"wkm{os.getpid()}"
    with Lab() as lab:
        host = lab.host()
        done = subprocess.run(
            host.words(*OURS, "-f", name),
            env=os.environ | {"WGTUN_KEY_LOG": str(tmp_path / "no" / "where")},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 1
        assert "WGTUN_KEY_LOG" in done.stderr
        assert name not in host.ip("link")
        assert not Path(f"/var/run/wireguard/{name}.sock").exists()
