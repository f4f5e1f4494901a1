"""The plan of the house, enforced: who may import whom, and what the package promises to export."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wgtun

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "wgtun"

# From the ground up. A room may import rooms of lower storeys only, and itself.
STOREYS = (
    ("errors", "constants"),
    ("endpoint", "allowed_ip", "keys"),
    ("path",),
    ("dataplane",),
    ("noise", "config", "observe"),
    ("protocol", "engine", "uapi", "platform"),
    ("device",),
    ("cli",),
)
LEVEL = {room: level for level, storey in enumerate(STOREYS) for room in storey}

IO_MODULES = {"asyncio", "io", "logging", "pathlib", "selectors", "socket", "subprocess", "threading", "time"}
HEAVY = {"argparse", "asyncio", "ctypes", "dataclasses", "inspect", "ipaddress", "logging", "ssl", "subprocess"}


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            assert node.module is not None
            if node.module == "wgtun":
                for alias in node.names:
                    yield node.lineno, f"wgtun.{alias.name}"
            else:
                yield node.lineno, node.module


def test_every_room_has_its_storey() -> None:
    rooms = {room_of(name_of(path)) for path in modules()} - {""}
    assert rooms == set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_arrows_point_down(path: Path) -> None:
    room = room_of(name_of(path))
    if not room:  # the package itself only hands names out
        return
    for line, target in imports(ast.parse(path.read_text())):
        other = room_of(target) if target.startswith("wgtun.") else ""
        if other in LEVEL and other != room:
            assert LEVEL[other] < LEVEL[room], f"{path.relative_to(ROOT)}:{line}: {room} imports {other}"


@pytest.mark.parametrize("room", ["noise", "protocol"])
def test_noise_and_protocol_do_no_io(room: str) -> None:
    for path in sorted((SOURCE / room).rglob("*.py")):
        for line, target in imports(ast.parse(path.read_text())):
            if path.name == "macs.py" and target == "socket":
                continue  # inet_pton: text to bytes, no socket
            assert target.split(".")[0] not in IO_MODULES, f"{path.relative_to(ROOT)}:{line}"


def test_the_engine_knows_nothing_of_noise_and_the_platform_nothing_of_peers() -> None:
    for room, forbidden in (("engine", "wgtun.noise"), ("platform", "wgtun.protocol")):
        for path in (SOURCE / room).rglob("*.py"):
            assert forbidden not in path.read_text(), path


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_systems_are_told_apart_by_sys_platform_alone(path: Path) -> None:
    text = path.read_text()
    for other in ("os.name", "platform.system", "sys.platform.startswith"):
        assert other not in text, f"{path.relative_to(ROOT)} uses {other}; mypy follows sys.platform =="


def test_public_names_are_honest() -> None:
    exported = set(wgtun.__all__)
    assert len(exported) == len(wgtun.__all__)
    for name in exported:
        assert getattr(wgtun, name) is not None
    assert exported <= set(dir(wgtun))


def test_importing_the_package_is_light() -> None:
    code = "import sys; before = set(sys.modules); import wgtun; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)
    assert not [name for name in loaded if name.startswith("cryptography")]


def test_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    missing = [room for room in LEVEL if f"`{room}" not in text]
    assert not missing


def test_every_module_imports() -> None:
    for path in modules():
        if "linux" not in path.parts or sys.platform == "linux":
            importlib.import_module(name_of(path))
