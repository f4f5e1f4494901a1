"""Compares the control messages that the native engine reads and writes with those of the Python.

Which message tells what, which bytes name a source address or a traffic class: `platform/*/udp.py` says so, in the
numbers of the system's headers, and the header of a message is what the system's compiler makes of its macros. Nothing
of the Rust for these systems runs here, but its functions are constant: a generated crate claims what they return, and
is type-checked for the system. (Windows' run under wine.)

    python -m tools.platforms.rust_messages TARGET...      after tools/platforms/setup
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

from tools.platforms.constants import HEADERS, ROOT, compile_c
from tools.platforms.crates import type_check
from tools.platforms.rust_constants import TARGETS
from wgtun.path import Source
from wgtun.platform.bsd.udp import BsdSockets
from wgtun.platform.freebsd import abi as freebsd
from wgtun.platform.freebsd.udp import UdpSockets as FreeBsdSockets
from wgtun.platform.macos import abi as macos
from wgtun.platform.macos.udp import UdpSockets as MacOsSockets
from wgtun.platform.openbsd import abi as openbsd
from wgtun.platform.openbsd.udp import UdpSockets as OpenBsdSockets
from wgtun.platform.udp import ControlMessage

SYSTEMS: dict[str, tuple[type[BsdSockets], ModuleType]] = {
    "macos": (MacOsSockets, macos),
    "freebsd": (FreeBsdSockets, freebsd),
    "openbsd": (OpenBsdSockets, openbsd),
}
IPPROTO_IP, IP_TOS, IPPROTO_IPV6 = 0, 3, 41  # on all of them
_OPTIONS = 256  # more than there are
_ROLES = {"local": "Local", "interface": "Interface", "class": "Class", "size": "Segment"}
_CLASS = 3
_INTERFACE = 5
_LOCAL = bytes([10, 0, 0, 1])
_START = """\
use std::net::{IpAddr, Ipv4Addr};
use wgtun_core::io::own::{Ancillary, Role, local_v4, push_class, push_source_v4, role};
use wgtun_core::path::Source;

const fn has(message: &Ancillary, bytes: &[u8]) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if message.byte(at) != bytes[at] {
            return false;
        }
        at += 1;
    }
    message.size() == bytes.len()
}

const fn is(source: Option<Source>, local: u32, interface: u32) -> bool {
    match source {
        Some(Source { local: IpAddr::V4(found), interface: by }) => found.to_bits() == local && by == interface,
        _ => false,
    }
}
"""


class Header(NamedTuple):
    """Of a control message, as the system's macros make it."""

    size: int
    data: int  # where the value begins
    alignment: int

    def message(self, message: ControlMessage) -> bytes:
        level, kind, value = message
        numbers = (self.data + len(value), level, kind)
        start = b"".join(number.to_bytes(4, "little") for number in numbers)
        assert len(start) == self.size
        packed = start.ljust(self.data, b"\0") + value
        return packed + bytes(-len(packed) % self.alignment)


def header(system: str, zig_target: str) -> Header:
    """Raises Failure."""
    wanted = ("sizeof(struct cmsghdr)", "CMSG_LEN(0)", "CMSG_SPACE(1)")
    values = ", ".join(f"(long long)({each})" for each in wanted)
    name = "header of a control message."
    filled = f'{{ char name[32]; long long values[3]; }} it = {{ "{name}", {{ {values} }} }};'
    source = f'#include "{HEADERS / system}.h"\nstruct {filled}\n'
    compiled = compile_c(source, zig_target)
    at = compiled.index(name.encode() + b"\0") + 32
    size, data, space = (int.from_bytes(compiled[at + 8 * each : at + 8 * each + 8], "little") for each in range(3))
    return Header(size, data, space - data)


def claims(system: str, known: Header) -> Iterator[str]:
    """Of Rust."""
    sockets, abi = SYSTEMS[system]
    for level in (IPPROTO_IP, IPPROTO_IPV6):
        for kind in range(_OPTIONS):
            role = _ROLES.get(sockets.ROLES.get((level, kind), ""), "Other")
            yield _claim(f"matches!(role({level}, {kind}), Role::{role})", f"the role of {level}, {kind} is not {role}")
    pinned = sockets.pin(Source(_LOCAL, _INTERFACE))
    yield _push(f"push_source_v4(&mut message, Ipv4Addr::new({_numbers(_LOCAL)}))", known.message(pinned))
    tos = (IPPROTO_IP, IP_TOS, sockets.tos(_CLASS))
    yield _push(f"push_class(&mut message, false, {_CLASS})", known.message(tos))
    traffic_class = (IPPROTO_IPV6, abi.IPV6_TCLASS, _CLASS.to_bytes(4, "little"))
    yield _push(f"push_class(&mut message, true, {_CLASS})", known.message(traffic_class))
    told = (
        _LOCAL
        if "IN_PKTINFO" not in vars(abi)
        else abi.IN_PKTINFO.pack({"ipi_addr": _LOCAL, "ipi_ifindex": _INTERFACE})
    )
    source = sockets.source(told, b"")
    assert source is not None
    found = f"is(local_v4(&[{_numbers(told)}]), {int.from_bytes(source.local, 'big')}, {source.interface})"
    yield _claim(found, "local_v4 finds another address or interface")


def _claim(condition: str, text: str) -> str:
    return f'const _: () = assert!({condition}, "{text}");'


def _push(call: str, message: bytes) -> str:
    claim = f'assert!(has(&message, &[{_numbers(message)}]), "{call.partition("(")[0]} makes another message");'
    return f"const _: () = {{ let mut message = Ancillary::new(); {call}; {claim} }};"


def _numbers(data: bytes) -> str:
    return ", ".join(map(str, data))


def check(target: str) -> str:
    """What the compiler says; empty when all is right."""
    system, zig_target = TARGETS[target]
    lines = list(claims(system, header(system, zig_target)))
    dependency = f'wgtun-core = {{ path = "{ROOT / "native" / "core"}", features = ["testing"] }}'
    problem = type_check("messages", dependency, _START + "\n".join(lines) + "\n", target)
    if not problem:
        print(f"{target}: {len(lines)} claims about control messages, as in Python")
    return problem


def main(targets: list[str]) -> int:
    """The exit status."""
    problems = [f"{target}:\n{problem}" for target in targets or TARGETS if (problem := check(target))]
    print("\n".join(problems), end="", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
