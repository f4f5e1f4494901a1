"""Handshake messages that are not for our key are refused before they reach the socket.

A flood of junk then costs neither room in the socket's buffer, nor a wake-up, nor a copy: what is
left is the check of mac1, half a microsecond, on the processor that takes in the network's packets.

Only what arrives as a single datagram of the right type and length is looked at here; the engine
checks mac1 in any case. Needs CAP_BPF to be set up, and nothing to be used later.
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import errno
import os
import socket
from struct import Struct

from wgtun.constants import INITIATION_SIZE, MAC_SIZE, RESPONSE_SIZE, TYPE_INITIATION, TYPE_RESPONSE
from wgtun.noise.blake2s import BLOCK_SIZE, IV, LANES, SIGMA, TURNS, keyed_state
from wgtun.noise.macs import mac1_key
from wgtun.platform.linux.bpf import FRAME, R0, R1, R2, R3, R4, R5, R6, R7, R8, Array, Code, attach, load_socket_filter

_UDP_HEADER = 8
_KEEP_ALL = -1
_MASK = -1
_WORD = 4
_STATE_WORDS = 8
_MAC_WORDS = MAC_SIZE // _WORD
_KEY = Struct("<I8I")  # whether there is a key, and the state after its block
_COUNT = Struct("=Q")

# The frame of the program: two blocks and a mac that begins within the second, the state, the mac.
_MESSAGE = -2 * BLOCK_SIZE - MAC_SIZE
_STATE = _MESSAGE - _STATE_WORDS * _WORD
_MAC = _STATE - MAC_SIZE
# The frame of the function that works in a block.
_WORK = -16 * _WORD


class Mac1Filter:
    """One program, for all sockets of a device."""

    def __init__(self) -> None:
        """Raises OSError where the system or its owner does not let us."""
        if sys.byteorder == "big":
            raise OSError(errno.ENOTSUP, "only little-endian machines")
        self._key = Array(_KEY.size)
        self._count = Array(_COUNT.size)
        self._program = load_socket_filter(_code(self._key.descriptor, self._count.descriptor))

    def attach(self, to: socket.socket) -> None:
        attach(self._program, to)

    def set_public_key(self, public_key: bytes | None) -> None:
        """Refuse what is for another key; without one, nothing."""
        if public_key is None:
            self._key.write(bytes(_KEY.size))
        else:
            self._key.write(_KEY.pack(1, *keyed_state(mac1_key(public_key), MAC_SIZE)))

    def refused(self) -> int:
        """How many datagrams, until now."""
        count: int = _COUNT.unpack(self._count.read())[0]
        return count

    def close(self) -> None:
        os.close(self._program)
        self._key.close()
        self._count.close()


def _code(key: int, count: int) -> Code:
    """The program; its arguments are the descriptors of the shared memory."""
    code = Code()
    code.register(R6, "=64", R1)
    code.load(R7, R6, 0)  # the length
    code.jump_if(R7, _UDP_HEADER + INITIATION_SIZE, "initiation")
    code.jump_if(R7, _UDP_HEADER + RESPONSE_SIZE, "response")
    code.label("keep")
    code.number(R0, "=", _KEEP_ALL)
    code.exit()
    code.label("initiation")
    _check(code, TYPE_INITIATION, INITIATION_SIZE - 2 * MAC_SIZE, key)
    code.label("response")
    _check(code, TYPE_RESPONSE, RESPONSE_SIZE - 2 * MAC_SIZE, key)
    code.label("compare")
    code.number(R0, "=", 0)
    for number in range(_MAC_WORDS):
        code.load(R1, FRAME, _STATE + number * _WORD)
        code.load(R2, FRAME, _MAC + number * _WORD)
        code.register(R1, "^", R2)
        code.register(R0, "|", R1)
    code.jump_if(R0, 0, "keep")
    code.map_address(R2, count)
    code.number(R1, "=", 1)
    code.count(R2)
    code.number(R0, "=", 0)
    code.exit()
    code.label("compress")
    _compress(code)
    return code


def _check(code: Code, kind: int, covered: int, key: int) -> None:
    """Compute the mac of a message, of which so many bytes are covered, into _STATE; its own is in _MAC then."""
    code.register(R1, "=64", R6)
    code.number(R2, "=", _UDP_HEADER)
    code.register(R3, "=64", FRAME)
    code.number(R3, "+64", _MESSAGE)
    code.number(R4, "=", covered + MAC_SIZE)
    code.load_datagram()
    code.jump_unless(R0, 0, "keep")
    code.load(R1, FRAME, _MESSAGE)
    code.jump_unless(R1, kind, "keep")
    code.map_address(R8, key)
    code.load(R1, R8, 0)
    code.jump_if(R1, 0, "keep")
    for number in range(_STATE_WORDS):
        code.load(R1, R8, (1 + number) * _WORD)
        code.store(FRAME, _STATE + number * _WORD, R1)
    for number in range(_MAC_WORDS):
        code.load(R1, FRAME, _MESSAGE + covered + number * _WORD)
        code.store(FRAME, _MAC + number * _WORD, R1)
    blocks = -(-covered // BLOCK_SIZE)
    for offset in range(covered, blocks * BLOCK_SIZE, _WORD):
        code.store_number(FRAME, _MESSAGE + offset, 0)
    for number in range(blocks):
        is_last = number == blocks - 1
        code.register(R1, "=64", FRAME)
        code.number(R1, "+64", _MESSAGE + number * BLOCK_SIZE)
        code.register(R2, "=64", FRAME)
        code.number(R2, "+64", _STATE)
        code.number(R3, "=", BLOCK_SIZE + (covered if is_last else (number + 1) * BLOCK_SIZE))  # the key's block counts
        code.number(R4, "=", _MASK if is_last else 0)
        code.call("compress")
    code.jump("compare")


def _compress(code: Code) -> None:
    """R1 the block, R2 the state, R3 the bytes counted, R4 the mask of the last block; see `noise.blake2s.compress`."""
    block, state, spare = R6, R7, R5
    code.register(block, "=64", R1)
    code.register(state, "=64", R2)
    for number in range(_STATE_WORDS):
        code.load(R1, state, number * _WORD)
        code.store(FRAME, _WORK + number * _WORD, R1)
    for number, word in enumerate(IV, start=_STATE_WORDS):
        code.number(R1, "=", word)
        if number in (12, 14):
            code.register(R1, "^", R3 if number == 12 else R4)
        code.store(FRAME, _WORK + number * _WORD, R1)
    for order in SIGMA:
        for lane, *taken in zip(LANES, order[::2], order[1::2], strict=True):
            a, b, c, d = registers = (R0, R1, R2, R3)
            for register, number in zip(registers, lane, strict=True):
                code.load(register, FRAME, _WORK + number * _WORD)
            for word, (turn_d, turn_b) in zip(taken, TURNS, strict=True):
                code.load(spare, block, word * _WORD)
                code.register(a, "+", b)
                code.register(a, "+", spare)
                code.register(d, "^", a)
                code.turn_right(d, spare, turn_d)
                code.register(c, "+", d)
                code.register(b, "^", c)
                code.turn_right(b, spare, turn_b)
            for register, number in zip(registers, lane, strict=True):
                code.store(FRAME, _WORK + number * _WORD, register)
    for number in range(_STATE_WORDS):
        code.load(R1, state, number * _WORD)
        for half in (number, number + _STATE_WORDS):
            code.load(R2, FRAME, _WORK + half * _WORD)
            code.register(R1, "^", R2)
        code.store(state, number * _WORD, R1)
    code.exit()
