"""The inside of BLAKE2s, for who has to begin in the middle: `hashlib` has all the rest.

Source: RFC 7693.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
# In which order the ten rounds take the words of a block.
SIGMA = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
# The words of the state that a round mixes: columns, then diagonals.
LANES = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
# How far the second and fourth word of a lane are turned, in each half of the mixing.
TURNS = ((16, 12), (8, 7))

BLOCK_SIZE = 64
_BLOCK = Struct("<16I")
_MASK = 0xFFFFFFFF


def keyed_state(key: bytes, digest_size: int) -> tuple[int, ...]:
    """The state after the block that holds the key, 1 to 32 bytes: eight words."""
    parameters = 0x01010000 | len(key) << 8 | digest_size
    return compress((IV[0] ^ parameters, *IV[1:]), key.ljust(BLOCK_SIZE, b"\0"), BLOCK_SIZE)


def compress(state: Sequence[int], block: bytes, counted: int, *, is_last: bool = False) -> tuple[int, ...]:
    """The state after one more block; `counted` bytes were worked in with it."""
    words = _BLOCK.unpack(block)
    v = [*state, *IV]
    v[12] ^= counted & _MASK
    v[13] ^= counted >> 32
    if is_last:
        v[14] ^= _MASK
    for order in SIGMA:
        for (a, b, c, d), *taken in zip(LANES, order[::2], order[1::2], strict=True):
            for word, (turn_d, turn_b) in zip(taken, TURNS, strict=True):
                v[a] = (v[a] + v[b] + words[word]) & _MASK
                v[d] = _turn(v[d] ^ v[a], turn_d)
                v[c] = (v[c] + v[d]) & _MASK
                v[b] = _turn(v[b] ^ v[c], turn_b)
    return tuple(old ^ low ^ high for old, low, high in zip(state, v[:8], v[8:], strict=True))


def _turn(word: int, right: int) -> int:
    return (word >> right | word << (32 - right)) & _MASK
