"""The plan of the house, enforced: who may import whom, and what the package promises to export."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import wgtun
from wgtun import errors

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "wgtun"

# From the ground up. A room may import rooms of lower storeys only, and itself.
STOREYS = (
    ("errors", "constants"),
    ("endpoint", "allowed_ip", "keys", "backend", "allowance"),
    ("path",),
    ("dataplane",),
    ("noise", "config", "observe"),
    ("protocol", "engine", "uapi", "platform"),
    ("device",),
    ("cli",),
)
LEVEL = {room: level for level, storey in enumerate(STOREYS) for room in storey}

IO_MODULES = {"asyncio", "io", "logging", "pathlib", "selectors", "socket", "subprocess", "threading", "time"}
IO_BUILTINS = {"open", "print", "input"}
HEAVY = {"argparse", "asyncio", "ctypes", "dataclasses", "inspect", "ipaddress", "logging", "ssl", "subprocess"}
# What loads a heavy module at once needs it in any case, and is itself loaded only when needed.
MAY_BE_HEAVY = {
    "argparse": ("wgtun.cli.",),
    "asyncio": ("wgtun.uapi.server", "wgtun.cli.demo.", "wgtun.cli.serving", "wgtun.platform.windows."),
    "ctypes": ("wgtun.platform.windows.",),
    "dataclasses": ("wgtun.config.", "wgtun.uapi.", "wgtun.platform.network."),
    "logging": ("wgtun.observe.logs", "wgtun.cli.demo."),
    "subprocess": ("wgtun.cli.demo.",),
}


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


def loaded_at_once(body: list[ast.stmt]) -> Iterator[str]:
    """The modules that importing runs through: neither those of functions nor those for the type checker."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from loaded_at_once(node.orelse)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (target for _, target in imports(node))
        else:
            for part in ("body", "orelse", "finalbody"):
                yield from loaded_at_once(getattr(node, part, []))


def test_every_room_has_its_storey() -> None:
    rooms = {room_of(name_of(path)) for path in modules()} - {""}
    assert rooms == set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_arrows_point_down(path: Path) -> None:
    room = room_of(name_of(path))
    if not room:  # the package itself only hands names out
        return
    for line, target in imports(ast.parse(path.read_text(encoding="utf-8"))):
        other = room_of(target) if target.startswith("wgtun.") else ""
        if other in ("", room, "__version__"):
            continue
        assert other in LEVEL, f"{path.relative_to(ROOT)}:{line}: import {other} from its home, not from the package"
        assert LEVEL[other] < LEVEL[room], f"{path.relative_to(ROOT)}:{line}: {room} imports {other}"


@pytest.mark.parametrize("room", ["noise", "protocol"])
def test_noise_and_protocol_do_no_io(room: str) -> None:
    for path in sorted((SOURCE / room).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, target in imports(tree):
            if path.name == "macs.py" and target == "socket":
                continue  # inet_pton: text to bytes, no socket
            assert target.split(".")[0] not in IO_MODULES, f"{path.relative_to(ROOT)}:{line}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
                assert node.attr == "urandom", f"{path.relative_to(ROOT)}:{node.lineno}: os.{node.attr}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in IO_BUILTINS, f"{path.relative_to(ROOT)}:{node.lineno}: {node.func.id}()"


def test_the_native_half_is_used_in_two_places() -> None:
    users = [
        name_of(path)
        for path in modules()
        if any(
            target.split(".")[0] == "wgtun_native" for _, target in imports(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    assert users == ["wgtun.engine.native", "wgtun.noise.providers"]


def test_the_engine_knows_nothing_of_noise() -> None:
    for path in sorted((SOURCE / "engine").rglob("*.py")):
        for line, target in imports(ast.parse(path.read_text(encoding="utf-8"))):
            assert not f"{target}.".startswith("wgtun.noise."), f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_heavy_modules_are_loaded_only_where_nothing_waits_for_them(path: Path) -> None:
    name = name_of(path) + ("." if path.name == "__init__.py" else "")
    for target in loaded_at_once(ast.parse(path.read_text(encoding="utf-8")).body):
        heavy = target.split(".")[0]
        assert heavy not in HEAVY or name.startswith(MAY_BE_HEAVY.get(heavy, ())), (
            f"{name} imports {heavy}; do it in the function that needs it"
        )


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_systems_are_told_apart_by_sys_platform_alone(path: Path) -> None:
    """With `==`, `!=`, or `startswith` where the name ends in a version: the forms that mypy follows."""
    tree = ast.parse(path.read_text())
    assert "platform" not in [target for _, target in imports(tree)], f"{path}: the standard module `platform`"
    for node in ast.walk(tree):
        where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            assert text not in ("os.name", "os.uname().sysname"), f"{where}: {text}"
            assert ast.unparse(node.value) != "sys.platform" or node.attr == "startswith", f"{where}: {text}"
        if isinstance(node, ast.Compare) and "sys.platform" in ast.unparse(node):
            assert isinstance(node.ops[0], ast.Eq | ast.NotEq), f"{where}: {ast.unparse(node)}"


def test_public_names_are_honest() -> None:
    exported = set(wgtun.__all__)
    assert len(exported) == len(wgtun.__all__)
    for name in exported:
        assert getattr(wgtun, name) is not None
    assert exported <= set(dir(wgtun))


def test_what_the_package_hands_out_is_in_all() -> None:
    """The type checker, `__getattr__` and `__all__` know the same names."""
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    for_type_checker = {
        alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert for_type_checker == set(wgtun.__all__) == set(wgtun._HOME)


def test_every_exception_that_leaves_the_package_is_public() -> None:
    internal = {"HandshakeError"}  # becomes a counter within `protocol`
    raised = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert raised - internal <= set(wgtun.__all__)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Tunnle'"):
        getattr(wgtun, "Tunnle")  # noqa: B009  # what a typo does


@pytest.mark.parametrize("module", ["wgtun", "wgtun.cli.daemon"])
def test_importing_is_light(module: str) -> None:
    code = f"import sys; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)
    assert not [name for name in loaded if name.startswith("cryptography")]


def test_architecture_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = [room for room in LEVEL if f"`{room}" not in text]
    packages = {path.parent.relative_to(SOURCE).as_posix() for path in modules()} - {"."}
    missing += [package for package in sorted(packages) if f"`{package}" not in text]
    assert not missing


def test_architecture_names_no_file_that_does_not_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    known = [f"/{path.relative_to(ROOT).as_posix()}" for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
    named = re.findall(r"`([\w/]+\.py)`", text)
    assert named
    assert not [name for name in named if not any(path.endswith(f"/{name}") for path in known)]


def test_every_module_imports() -> None:
    for path in modules():
        if path.stem == "native" and find_spec("wgtun_native") is None:
            continue
        if is_for_this_system(path):
            importlib.import_module(name_of(path))


def is_for_this_system(path: Path) -> bool:
    """Whether the assertions about the system hold that a module, or its package, begins with."""
    for each in (path, path.parent / "__init__.py"):
        for node in ast.parse(each.read_text()).body:
            if isinstance(node, ast.Assert) and ast.unparse(node.test).startswith("sys.platform"):
                condition = compile(ast.Expression(node.test), str(each), "eval")
                if not eval(condition, {"sys": sys}):
                    return False
    return True
