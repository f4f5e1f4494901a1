"""The system call filter, run by hand: what it answers on each machine, and that its numbers are the kernel's."""

from __future__ import annotations

import errno
import re
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Linux only", allow_module_level=True)

from wgtun.platform.linux.sandbox import seccomp

HEADERS = (
    "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "/usr/include/asm-generic/unistd.h",
)
ALLOW, KILL = 0x7FFF0000, 0x80000000
SPECIAL = {
    "seccomp": seccomp._SECCOMP,
    "ioctl": seccomp._IOCTL,
    "socket": seccomp._SOCKET,
    "socketpair": seccomp._SOCKETPAIR,
    "clone": seccomp._CLONE,
    "clone3": seccomp._CLONE3,
}


def refuse(number: int) -> int:
    return 0x00050000 | number


def answer(machine: str, call: int, *arguments: int, audit: int | None = None) -> int:
    """What the filter says to this call; the second way to spell seccomp(2)'s machine."""
    known = seccomp._MACHINES[machine]
    data = {0: call, 4: known.audit if audit is None else audit}
    data |= {16 + 8 * number: value for number, value in enumerate(arguments)}
    program = seccomp._program(known)
    loaded = at = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code == 0x06:
            return value
        if code == 0x20:
            loaded = data[value]
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", seccomp._MACHINES)
def test_the_list_is_denied_and_the_rest_allowed(machine: str) -> None:
    column = seccomp._MACHINES[machine].column
    numbers = {numbers[column] for numbers in seccomp._DENIED.values()} - {None}
    special = {numbers[column] for numbers in SPECIAL.values()}
    assert not numbers & special
    for number in range(500):
        if number not in special - {seccomp._SECCOMP[column]}:
            expected = refuse(errno.EPERM) if number in numbers else ALLOW
            assert answer(machine, number) == expected, number


@pytest.mark.parametrize("machine", seccomp._MACHINES)
def test_calls_that_depend_on_their_arguments(machine: str) -> None:
    column = seccomp._MACHINES[machine].column
    thread = 0x3D0F00
    assert answer(machine, seccomp._CLONE[column], thread) == ALLOW
    for flags in (17, 0x1200011, 0x10000000):  # fork, as the C library asks for it; a user namespace
        assert answer(machine, seccomp._CLONE[column], flags) == refuse(errno.EPERM)
    assert answer(machine, seccomp._CLONE3[column]) == refuse(errno.ENOSYS)
    for call in (seccomp._SOCKET, seccomp._SOCKETPAIR):
        for family in (1, 2, 10, 16):  # Unix, IPv4, IPv6, netlink
            assert answer(machine, call[column], family) == ALLOW
        for family in (0, 17, 38, 40, 44):  # none, packets, the kernel's cryptography, virtual machines, XDP
            assert answer(machine, call[column], family) == refuse(errno.EAFNOSUPPORT)
    assert answer(machine, seccomp._IOCTL[column], 0, 0x5412) == refuse(errno.EPERM)
    assert answer(machine, seccomp._IOCTL[column], 0, 0x800454D2) == ALLOW


def test_other_sets_of_numbers_are_no_way_around() -> None:
    i386 = 0x40000003
    assert answer("x86_64", 11, audit=i386) == KILL
    assert answer("x86_64", 0x40000000 | 520) == refuse(errno.EPERM)  # x32's execve
    assert answer("aarch64", 11, audit=0x40000028) == KILL


@pytest.mark.parametrize(("column", "header"), list(enumerate(HEADERS)))
def test_numbers_are_those_of_the_kernel(column: int, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"needs {header}")
    kernel = {name: int(number) for name, number in re.findall(r"__NR_(\w+)\s+(\d+)", Path(header).read_text())}
    ours = {name: numbers[column] for name, numbers in (seccomp._DENIED | SPECIAL).items()}
    for name, number in ours.items():
        if name in kernel or number is None:  # an older header lacks the newest calls
            assert kernel.get(name) == number, name
    assert len(ours.keys() & kernel.keys()) > 40
