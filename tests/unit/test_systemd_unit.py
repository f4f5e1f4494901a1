"""The systemd unit, as systemd's own tool judges it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "contrib" / "systemd" / "wireguard-py@.service"

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


@pytest.fixture
def unit(tmp_path: Path) -> str:
    """The unit with a command that is there, and without the man page that may not be."""
    text = UNIT.read_text(encoding="utf-8")
    assert "ExecStart=wireguard-py %i\n" in text
    text = re.sub("^Documentation=.*\n", "", text.replace("ExecStart=wireguard-py", "ExecStart=/bin/true"), flags=re.M)
    path = tmp_path / UNIT.name.replace("@", "@wg0")
    path.write_text(text)
    return str(path)


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)


def test_every_line_means_something(unit: str) -> None:
    done = analyze("verify", unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_little_is_exposed(unit: str) -> None:
    done = analyze("security", "--offline=true", "--threshold=30", unit)
    if "unrecognized option" in done.stderr:
        pytest.skip("needs systemd 250")
    assert done.returncode == 0, done.stdout + done.stderr
