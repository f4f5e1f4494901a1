"""Compares the constants and structs that wgtun writes down with the systems' real headers, which zig carries.

Every upper-case number and every `Layout` of a `platform/*/abi.py` becomes static assertions of C, compiled for the
system: a wrong value, size or offset does not compile. Then the compiler fills each struct in, field by field, and
those bytes have to be the ones that `Layout.pack` makes of the same values. Linux's constants are looked up where they
are used; those of the Rust are in `tools/platforms/rust_constants.py`.

    python -m tools.platforms.constants [SYSTEM...]      after tools/platforms/setup
"""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "src"))

from wgtun.platform.layout import Layout, Value

PYTHON = ROOT / ".cross" / "venv" / "bin" / "python"  # where tools/platforms/setup puts ziglang
HEADERS = Path(__file__).parent / "headers"
TARGETS = {
    "linux": ("x86_64-linux-gnu", "aarch64-linux-gnu"),
    "macos": ("aarch64-macos", "x86_64-macos"),
    "freebsd": ("x86_64-freebsd", "aarch64-freebsd"),
    "openbsd": ("x86_64-openbsd", "aarch64-openbsd"),
    "windows": ("x86_64-windows-gnu", "aarch64-windows-gnu"),
}
_NAME_SIZE = 64
_SOCKET_ADDRESSES = {
    *("ifr_addr", "ifra_addr", "ifra_dstaddr", "ifra_broadaddr", "ifra_mask", "ifra_prefixmask"),
    *("Address", "NextHop", "Prefix"),
}

# Linux's modules keep their constants where they use them, under private names.
_LINUX_MODULES = ("tun", "udp", "netlink", "directory_watch")
_LINUX_NAMES = {"LISTEN_ALL_NSID": "NETLINK_LISTEN_ALL_NSID", "NAME_SIZE": "IFNAMSIZ"}
_NOT_OF_HEADERS = {"ANY_ID", "RECEIVE_SIZE", "EVENTS_SIZE", "VIRTIO_HEADER_SIZE", "LINK_GROUP"}


class Definitions(NamedTuple):
    """What one system's modules say."""

    numbers: Mapping[str, int]  # by name in the headers
    layouts: Mapping[str, Layout]  # by name in the module


def definitions(system: str) -> Definitions:
    if system == "linux":
        return Definitions(dict(_linux_numbers()), {})
    found = Definitions({}, {})
    for path in sorted((ROOT / "src" / "wgtun" / "platform" / system).glob("*abi.py")):
        more = of_module(importlib.import_module(f"wgtun.platform.{system}.{path.stem}"))
        found = Definitions({**found.numbers, **more.numbers}, {**found.layouts, **more.layouts})
    return found


def of_module(module: ModuleType) -> Definitions:
    values = vars(module)
    numbers = {name: value for name, value in values.items() if isinstance(value, int) and not name.startswith("_")}
    return Definitions(numbers, {name: value for name, value in values.items() if isinstance(value, Layout)})


def _linux_numbers() -> Iterator[tuple[str, int]]:
    for module in _LINUX_MODULES:
        path = ROOT / "src" / "wgtun" / "platform" / "linux" / f"{module}.py"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, int)
            ):
                name = node.targets[0].id.removeprefix("_")
                if name not in _NOT_OF_HEADERS:
                    yield _LINUX_NAMES.get(name, name), node.value.value


# --- static assertions ---------------------------------------------------------------------------


def assertions(system: str, found: Definitions) -> str:
    """C that compiles only if all is right; each failure says what is wrong."""
    lines = [f'#include "{HEADERS / system}.h"', "#include <stddef.h>"]
    for name, value in found.numbers.items():
        # Headers differ in signs; 32 bits are what a call takes.
        lines.append(_claim(f"(unsigned)({name}) == {value & 0xFFFFFFFF}u", f"{system}: {name} is not {value}"))
    for name, layout in found.layouts.items():
        kind = layout.c_type
        lines.append(_claim(f"sizeof({kind}) == {layout.size}", f"{system}: {name}: size is not {layout.size}"))
        for field, (offset, code) in layout.fields.items():
            where = f"{system}: {name}.{field}"
            lines.append(_claim(f"offsetof({kind}, {field}) == {offset}", f"{where}: offset is not {offset}"))
            size = f"sizeof((({kind} *)0)->{field}) == {code.size}"
            lines.append(_claim(size, f"{where}: size is not {code.size}"))
    return "\n".join(lines) + "\n"


def _claim(condition: str, text: str) -> str:
    return f'_Static_assert({condition}, "{text}");'


# --- golden bytes --------------------------------------------------------------------------------


def sample(layout: Layout) -> dict[str, Value]:
    """Values for the fields, all different; of those that share a place, the first.

    Whole socket addresses have their own layouts: where they are and how big is asserted, what is in them is not here.
    """
    values: dict[str, Value] = {}
    taken: set[int] = set()
    for number, (field, (offset, code)) in enumerate(layout.fields.items(), 1):
        places = set(range(offset, offset + code.size))
        if places & taken or field.rpartition(".")[2] in _SOCKET_ADDRESSES:
            continue
        taken |= places
        content = bytes((16 * number + at) % 127 + 1 for at in range(code.size))
        values[field] = content if code.format.endswith("s") else int.from_bytes(content, "little")
    return values


def golden_source(system: str, layouts: Mapping[str, Layout]) -> str:
    """C with one filled struct for each layout, behind words to find it by."""
    lines = [f'#include "{HEADERS / system}.h"']
    for name, layout in layouts.items():
        fields = sample(layout).items()
        filled = ", ".join(f".{field} = {_literal(system, field, value)}" for field, value in fields)
        lines += [
            f"struct golden_{name} {{ char name[{_NAME_SIZE}]; {layout.c_type} value; }} __attribute__((aligned(16)));",
            f'struct golden_{name} the_{name} = {{ "{_words(name)}", {{ {filled} }} }};',
        ]
    return "\n".join(lines) + "\n"


def _words(name: str) -> str:
    return f"golden bytes of {name}."


def _literal(system: str, field: str, value: Value) -> str:
    """Of C, in as many braces as the field's type has structs and arrays."""
    if isinstance(value, int):
        return f"{{{value}}}"
    numbers = ", ".join(map(str, value))
    if not field.endswith(("addr", "spec_dst")):
        return f"{{{int.from_bytes(value, 'little')}}}" if len(value) == 2 else f"{{{numbers}}}"
    if len(value) == 4 and system != "windows":  # a struct in_addr is one number
        return f"{{{int.from_bytes(value, 'little')}}}"
    return f"{{{{{{{numbers}}}}}}}"


def differences(system: str, found: Definitions, compiled: bytes) -> Iterator[str]:
    """Which structs have other bytes in this object file."""
    for name, layout in found.layouts.items():
        start = compiled.index(_words(name).encode() + b"\0") + _NAME_SIZE
        bytes_of_c, ours = compiled[start : start + layout.size], layout.pack(sample(layout))
        if bytes_of_c != ours:
            yield f"{system}: {name}: C has {bytes_of_c.hex()}, we have {ours.hex()}"


# --- the compiler --------------------------------------------------------------------------------


class Failure(Exception):
    """What the compiler said."""


def compile_c(source: str, target: str) -> bytes:
    """The object file. Raises Failure."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "check.c").write_text(source, encoding="utf-8")
        words = ["-target", target, "-Wno-everything", "-c", "check.c", "-o", "check.o"]
        done = subprocess.run(
            [str(PYTHON), "-m", "ziglang", "cc", *words],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=directory,
        )
        if done.returncode:
            told = [line for line in done.stderr.splitlines() if "error:" in line]
            raise Failure("\n".join(told[:40]) or done.stderr)
        return (Path(directory) / "check.o").read_bytes()


def check(system: str, target: str, found: Definitions) -> list[str]:
    """What is wrong."""
    try:
        compile_c(assertions(system, found), target)
        return list(differences(system, found, compile_c(golden_source(system, found.layouts), target)))
    except Failure as failure:
        return str(failure).splitlines()


def main(systems: list[str]) -> int:
    """The exit status."""
    failed = False
    for system in systems or TARGETS:
        found = definitions(system)
        fields = sum(len(layout.fields) for layout in found.layouts.values())
        for target in TARGETS[system]:
            wrong = check(system, target, found)
            failed = failed or bool(wrong)
            text = f"{len(found.numbers)} constants and {len(found.layouts)} structs with {fields} fields"
            print("\n".join(f"{target}: {line}" for line in wrong) or f"{target}: {text}, as in its headers")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
