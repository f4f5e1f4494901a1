"""The promises of the files around the code."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

import wgtun
from wgtun.cli.main import _VERBS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["runtime", "build", "dev"])
def test_lock_files_pin_every_package_with_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    packages = [line for line in text.splitlines() if line and line[0] not in " #-"]
    assert packages
    assert all(re.match(r"[a-z0-9-]+==\S+ \\$", line) for line in packages), packages
    assert text.count("--hash=sha256:") >= len(packages)


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def test_lock_files_contain_each_other() -> None:
    """So that `make demo` after `make test` has nothing to install, and the two never fight."""
    assert pins("runtime").items() <= pins("build").items() <= pins("dev").items()


def test_locked_packages_fit_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["build-system"]["requires"] == [f"hatchling=={pins('build')['hatchling']}"]
    assert {re.split(r"[<>=~]", each)[0] for each in project["project"]["dependencies"]} <= set(pins("runtime"))


def test_readme_commands_are_make_targets() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = set(re.findall(r"^\s*make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= commands <= targets


def test_makefile_prepares_before_it_uses() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target, recipe in re.findall(r"^(\w+):[^\n]*\n((?:\t[^\n]*\n)+)", text, re.MULTILINE):
        if ".venv/bin/" in recipe and f"{target}: lint" not in text:
            assert recipe.startswith("\t@tools/bootstrap "), target


@pytest.mark.parametrize("name", ["README.md", "docs/man/wireguard-py.8", "docs/man/wgtun.1"])
def test_documents_have_the_trademark_line(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "WireGuard is a registered trademark of Jason A. Donenfeld" in text
    assert "not affiliated with him" in text


def environment_variables() -> set[str]:
    """What the code reads, apart from what the daemon tells its second process."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "wgtun").rglob("*.py"))
    read = set(re.findall(r"""(?:environ\.(?:get|pop)\(|environ\[|getenv\(|_descriptor\()"([A-Z_]+)""", text))
    return read - {"WGTUN_READY_FD"}


@pytest.mark.parametrize("where", ["README.md", "docs/man", "src/wgtun/cli/daemon.py"])
def test_every_environment_variable_is_documented(where: str) -> None:
    path = ROOT / where
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    variables = environment_variables()
    assert {"LOG_LEVEL", "WG_TUN_FD", "WGTUN_KEY_LOG"} <= variables
    if path.is_file():  # about the daemon
        variables -= {"WG_COLOR_MODE", "WG_HIDE_KEYS"}
    assert not [name for name in sorted(variables) if name not in text]


@pytest.mark.parametrize("where", ["README.md", "docs/man/wgtun.1"])
def test_every_verb_is_documented(where: str) -> None:
    text = (ROOT / where).read_text(encoding="utf-8")
    assert not [verb for verb in _VERBS if not re.search(rf"\b{verb}\b", text)]


def test_license_has_the_trademark_line() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "MIT License" in text
    assert "WireGuard is a registered trademark of Jason A. Donenfeld" in text
    assert "not\naffiliated" in text


def test_changelog_knows_the_version() -> None:
    assert f"[{wgtun.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_ci_calls_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8")
