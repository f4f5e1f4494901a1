"""Small programs that the kernel runs for us on each datagram of a socket (eBPF).

Source: bpf(2), and the instruction set of RFC 9669.
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import errno
import mmap
import os
import socket
from struct import Struct

from wgtun.platform.linux.libc import address, buffer, call

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, FRAME = range(11)
"""Registers: R0 is the result, R1 to R5 are the arguments of a call, which leaves R6 to R9 alone."""

_CALL_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_MAP_CREATE, _PROG_LOAD = 0, 5
_MAP_TYPE_ARRAY = 2
_F_MMAPABLE = 1 << 10
_PROG_TYPE_SOCKET_FILTER = 1
_SO_ATTACH_BPF = 50
_SKB_LOAD_BYTES = 26  # the helper

_INSTRUCTION = Struct("=BBhi")
_LOAD_32, _STORE_32, _STORE_32_IMMEDIATE, _LOAD_ADDRESS = 0x61, 0x63, 0x62, 0x18
_ATOMIC_64, _CALL, _EXIT, _JUMP = 0xDB, 0x85, 0x95, 0x05
_JUMP_IF_32, _JUMP_UNLESS_32 = 0x16, 0x56
_ALU_32, _BY_REGISTER = 0x04, 0x08
_MAP_VALUE, _SUBPROGRAM = 2, 1  # what a number in the instruction stands for
_OPERATIONS = {"+": 0x00, "|": 0x40, "<<": 0x60, ">>": 0x70, "^": 0xA0, "=": 0xB0, "+64": 0x03, "=64": 0xB3}


class Code:
    """Instructions, one method per kind. Jumps and calls go to labels."""

    def __init__(self) -> None:
        self._instructions: list[tuple[int, int, int, int | str, int | str]] = []
        self._labels: dict[str, int] = {}

    def label(self, name: str) -> None:
        self._labels[name] = len(self._instructions)

    def load(self, target: int, base: int, offset: int) -> None:
        """32 bits from memory."""
        self._add(_LOAD_32, target, base, offset)

    def store(self, base: int, offset: int, source: int) -> None:
        self._add(_STORE_32, base, source, offset)

    def store_number(self, base: int, offset: int, number: int) -> None:
        self._add(_STORE_32_IMMEDIATE, base, 0, offset, number)

    def register(self, target: int, operation: str, source: int) -> None:
        """32 bits, and the upper half becomes zero; with addresses: the operations on 64 bits."""
        self._add(_ALU_32 + _BY_REGISTER + _OPERATIONS[operation], target, source)

    def number(self, target: int, operation: str, number: int) -> None:
        self._add(_ALU_32 + _OPERATIONS[operation], target, 0, 0, number)

    def turn_right(self, target: int, spare: int, bits: int) -> None:
        """Rotate 32 bits."""
        self.register(spare, "=", target)
        self.number(spare, "<<", 32 - bits)
        self.number(target, ">>", bits)
        self.register(target, "|", spare)

    def map_address(self, target: int, descriptor: int) -> None:
        """Where the one value of a map is."""
        self._add(_LOAD_ADDRESS, target, _MAP_VALUE, 0, descriptor)
        self._add(0, 0, 0)

    def count(self, base: int) -> None:
        """Add R1 to the 64 bits there."""
        self._add(_ATOMIC_64, base, R1)

    def load_datagram(self) -> None:
        """R1 the context, R2 the offset, R3 where to, R4 how many bytes; R0 is 0 when all was there."""
        self._add(_CALL, 0, 0, 0, _SKB_LOAD_BYTES)

    def jump(self, label: str) -> None:
        self._add(_JUMP, 0, 0, label)

    def jump_if(self, register: int, number: int, label: str) -> None:
        self._add(_JUMP_IF_32, register, 0, label, number)

    def jump_unless(self, register: int, number: int, label: str) -> None:
        self._add(_JUMP_UNLESS_32, register, 0, label, number)

    def call(self, label: str) -> None:
        self._add(_CALL, 0, _SUBPROGRAM, 0, label)

    def exit(self) -> None:
        self._add(_EXIT, 0)

    def _add(self, code: int, target: int, source: int = 0, offset: int | str = 0, number: int | str = 0) -> None:
        self._instructions.append((code, target, source, offset, number))

    def assemble(self) -> bytes:
        return b"".join(
            _INSTRUCTION.pack(
                code,
                target | source << 4,
                self._resolve(at, offset),
                # Fields are signed, masks are not.
                (self._resolve(at, number) + 0x80000000 & 0xFFFFFFFF) - 0x80000000,
            )
            for at, (code, target, source, offset, number) in enumerate(self._instructions)
        )

    def _resolve(self, at: int, value: int | str) -> int:
        return self._labels[value] - at - 1 if isinstance(value, str) else value


class Array:
    """Memory of one value, which a program and we share: once mapped, no system call is needed. Linux 5.5."""

    def __init__(self, size: int) -> None:
        """Raises OSError."""
        self._size = size
        self.descriptor = _bpf(_MAP_CREATE, "=IIIII", _MAP_TYPE_ARRAY, 4, size, 1, _F_MMAPABLE)
        self._memory = mmap.mmap(self.descriptor, mmap.PAGESIZE)

    def write(self, value: bytes) -> None:
        self._memory[: self._size] = value

    def read(self) -> bytes:
        return self._memory[: self._size]

    def close(self) -> None:
        self._memory.close()
        os.close(self.descriptor)


def load_socket_filter(code: Code) -> int:
    """A descriptor of the program, which returns how many bytes of the datagram to keep."""
    instructions, licence = buffer(code.assemble()), buffer(b"GPL\0")
    count = len(instructions) // _INSTRUCTION.size
    return _bpf(_PROG_LOAD, "=IIQQ", _PROG_TYPE_SOCKET_FILTER, count, address(instructions), address(licence))


def attach(program: int, to: socket.socket) -> None:
    """The socket keeps the program as long as it needs it."""
    to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_BPF, program)


def _bpf(command: int, layout: str, *fields: int) -> int:
    """bpf(2)."""
    number = _CALL_NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    attributes = buffer(Struct(layout).pack(*fields))
    return call("syscall", number, command, attributes, len(attributes))
