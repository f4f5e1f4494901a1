"""The numbers of the WireGuard paper (section 6.1) and of its reference implementations.

Times are integer nanoseconds. `Timing` gathers those that a test may shorten.
"""

from __future__ import annotations

from typing import NamedTuple

SECOND = 1_000_000_000
MILLISECOND = 1_000_000

KEY_SIZE = 32
TAG_SIZE = 16

# Message types: the first four bytes of a datagram, little endian.
TYPE_INITIATION = 1
TYPE_RESPONSE = 2
TYPE_COOKIE_REPLY = 3
TYPE_TRANSPORT = 4

INITIATION_SIZE = 148
RESPONSE_SIZE = 92
COOKIE_REPLY_SIZE = 64
TRANSPORT_HEADER_SIZE = 16
TRANSPORT_OVERHEAD = TRANSPORT_HEADER_SIZE + TAG_SIZE  # also the size of a keepalive
MAC_SIZE = 16

REKEY_AFTER_MESSAGES = 2**60
REJECT_AFTER_MESSAGES = 2**64 - 2**13 - 1
REPLAY_WINDOW = 8128

PADDING = 16
HANDSHAKE_TRAFFIC_CLASS = 0x88  # DSCP AF41, as the kernel marks them
DEFAULT_MTU = 1420
MAX_MTU = 65535 - TRANSPORT_OVERHEAD

MAX_STAGED_PACKETS = 128  # of one peer
MAX_STAGED_IN_ALL = 8192  # with so many, every further peer stages one
MAX_PEERS = 65536
MAX_QUEUED_HANDSHAKES = 1024
UNDER_LOAD_HANDSHAKES = MAX_QUEUED_HANDSHAKES // 8
COOKIE_REPLIES_PER_SECOND = 5000  # more would only serve whoever floods us with spoofed addresses


class Timing(NamedTuple):
    """The intervals of a device, in nanoseconds. Source: WireGuard paper, 6.1 to 6.5."""

    rekey_after: int = 120 * SECOND
    reject_after: int = 180 * SECOND
    rekey_attempt: int = 90 * SECOND
    rekey_timeout: int = 5 * SECOND
    keepalive_timeout: int = 10 * SECOND
    jitter: int = 333 * MILLISECOND
    cookie_lifetime: int = 120 * SECOND
    initiation_interval: int = SECOND // 50  # per peer, between two accepted initiations
    under_load: int = SECOND  # how long a device stays under load after the last observation

    @property
    def rekey_on_receive(self) -> int:
        """Age at which an initiator that only receives renews the session (165 s)."""
        return self.reject_after - self.keepalive_timeout - self.rekey_timeout

    @property
    def new_handshake(self) -> int:
        """Silence after sent data that means the session is dead (15 s)."""
        return self.keepalive_timeout + self.rekey_timeout

    @property
    def zero_keys(self) -> int:
        """Age at which unused key material is erased (540 s)."""
        return 3 * self.reject_after

    @property
    def max_retries(self) -> int:
        """Compared with "greater than" before it counts, so a try makes two more (20 in all)."""
        return self.rekey_attempt // self.rekey_timeout


DEFAULT_TIMING = Timing()
