"""Compares the constants of the crate `libc` that the native engine uses with the systems' real headers.

The compiler of zig says what each is in the headers; a generated crate asserts that `libc` says the same, and is
type-checked for the system. Windows' come from Microsoft's own metadata (the crate `windows-sys`). Numbers that we
write down ourselves, under their names in the headers, are compared too, on every system whose headers have them.

    python -m tools.platforms.rust_constants TARGET...      after tools/platforms/setup
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

from tools.platforms.constants import HEADERS, ROOT, Failure, compile_c
from tools.platforms.constants import TARGETS as SYSTEMS
from tools.platforms.crates import type_check

# By the target's name in Rust: the system, and the target's name for zig.
TARGETS = {
    "aarch64-apple-darwin": ("macos", "aarch64-macos"),
    "x86_64-apple-darwin": ("macos", "x86_64-macos"),
    "x86_64-unknown-freebsd": ("freebsd", "x86_64-freebsd"),
    "x86_64-unknown-openbsd": ("openbsd", "x86_64-openbsd"),
}
_SOURCES = ROOT / "native" / "core" / "src"
# What one system alone has is behind a `cfg` of its own there.
_ELSEWHERE = ("linux.rs",)
_NOT_COMPARED = {
    "CLOCK_BOOTTIME",  # Linux's alone, behind a `cfg`
    "MAP_FAILED",  # an address
}
_NUMBER = re.compile(r"const ([A-Z][A-Z0-9_]+): [\w:]+ = (-?[0-9][0-9a-fx_]*);")
_OURS = {"RECEIVED_TOS", "ECN"}
_MORE = ("errno.h", "poll.h", "signal.h", "sys/mman.h", "time.h")


def names() -> list[str]:
    """The constants of `libc` that the sources use."""
    found: set[str] = set()
    for path in _SOURCES.rglob("*.rs"):
        if path.name not in _ELSEWHERE and "windows" not in path.parts:
            found |= set(re.findall(r"libc::([A-Z][A-Z0-9_]+)\b(?!\()", path.read_text(encoding="utf-8")))
    return sorted(found - _NOT_COMPARED)


def header_values(system: str, target: str) -> Mapping[str, int]:
    """Those that the system's headers define."""
    lines = [f'#include "{HEADERS / system}.h"', *(f"#include <{header}>" for header in _MORE)]
    for name in names():
        lines += [
            f"#ifdef {name}",
            f'struct {{ char name[64]; long long value; }} the_{name} = {{ "value of {name}.", (long long)({name}) }};',
            "#endif",
        ]
    return dict(_read(compile_c("\n".join(lines) + "\n", target)))


def _read(compiled: bytes) -> Iterator[tuple[str, int]]:
    for name in names():
        at = compiled.find(f"value of {name}.".encode() + b"\0")
        if at >= 0:
            yield name, int.from_bytes(compiled[at + 64 : at + 72], "little", signed=True)


def check(target: str) -> str:
    """What the compiler says; empty when all is right."""
    system, zig_target = TARGETS[target]
    values = header_values(system, zig_target)
    version = re.search(r'name = "libc"\nversion = "([^"]+)"', (ROOT / "native" / "Cargo.lock").read_text("utf-8"))
    assert version is not None
    # 32 bits: headers and libc differ in signs.
    claims = [f"const _: () = assert!(libc::{name} as u32 == {value & 0xFFFFFFFF});" for name, value in values.items()]
    problem = type_check("constants", f'libc = "={version[1]}"', "\n".join(claims) + "\n", target)
    if not problem:
        print(f"{target}: {len(values)} constants of libc, as in the headers")
    return problem


def written_down(system: str) -> Mapping[str, int]:
    """Numbers with a name of the headers that the sources for this system write down themselves."""
    found: dict[str, int] = {}
    for path in [*(_SOURCES / "io" / "system").rglob("*.rs"), _SOURCES / "crypto" / "pages.rs"]:
        if (system == "windows" and "unix" in path.parts) or (system != "windows" and "windows" in path.parts):
            continue
        for name, number in _NUMBER.findall(path.read_text(encoding="utf-8")):
            if name not in _OURS:
                found.setdefault(name, int(number.replace("_", ""), 0))
    return found


def wrong_numbers(system: str) -> str:
    """What the compiler says of those; empty when all is right."""
    lines = [f'#include "{HEADERS / system}.h"']
    lines += [f"#include <{header}>" for header in _MORE if system != "windows"]
    for name, value in written_down(system).items():
        lines += [
            f"#ifdef {name}",
            f'_Static_assert((unsigned)({name}) == {value}u, "{name} is not {value}");',
            "#endif",
        ]
    try:
        compile_c("\n".join(lines) + "\n", SYSTEMS[system][0])
    except Failure as failure:
        return str(failure)
    return ""


def main(targets: list[str]) -> int:
    """The exit status."""
    problems = [f"{system}: {problem}\n" for system in SYSTEMS if (problem := wrong_numbers(system))]
    problems += [f"{target}:\n{problem}" for target in targets or TARGETS if (problem := check(target))]
    print("\n".join(problems), end="", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
