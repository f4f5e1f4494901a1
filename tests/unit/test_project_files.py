"""The promises of the files around the code."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import wgtun

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["runtime", "build", "dev"])
def test_lock_files_pin_every_package_with_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    packages = [line for line in text.splitlines() if line and line[0] not in " #-"]
    assert packages
    assert all(re.match(r"[a-z0-9-]+==\S+ \\$", line) for line in packages), packages
    assert text.count("--hash=sha256:") >= len(packages)


def test_readme_commands_are_make_targets() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = set(re.findall(r"^\s*make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= commands <= targets


def test_license_has_the_trademark_line() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "MIT License" in text
    assert "WireGuard is a registered trademark of Jason A. Donenfeld" in text
    assert "not\naffiliated" in text


def test_changelog_knows_the_version() -> None:
    assert f"[{wgtun.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_ci_calls_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()
