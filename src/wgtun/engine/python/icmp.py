"""Errors for a local sender whose packet has nowhere to go, or is too big for the way there.

As the kernel's WireGuard does, so that a program sees "host unreachable" at once instead of
waiting for a timeout. Sources: RFC 792, RFC 1191, RFC 4443 (2.4, 3.1, 3.2), RFC 1812 (4.3.2.7).
"""

from __future__ import annotations

from struct import Struct

from wgtun.allowance import Allowance
from wgtun.engine.python.checksum import checksum

_PER_SECOND = 100
_BURST = 20

_HEADER4 = Struct(">BBHHHBBH4s4s")
_HEADER6 = Struct(">IHBB16s16s")
_ICMP = Struct(">BBHI")  # type, code, checksum, MTU

_QUOTE4 = 576 - _HEADER4.size - _ICMP.size  # errors stay within what every host takes
_QUOTE6 = 1280 - _HEADER6.size - _ICMP.size
_ICMPV4, _ICMPV6 = 1, 58
_QUERIES4 = {0, 8, 13, 14}  # echo and timestamp: ICMP messages that are no errors


def may_be_too_big(packet: bytes, limit: int) -> bool:
    """Whether the sender wants to hear that this packet is too big, and can do something about it.

    Below its minimum MTU IPv6 does not go.
    """
    return bool(packet[6] & 0x40) if packet[0] >> 4 == 4 else limit >= 1280


class IcmpErrors:
    """Makes errors, at a bounded rate."""

    def __init__(self) -> None:
        self._allowance = Allowance(_PER_SECOND, _BURST)

    def answer(self, now: int, packet: bytes, limit: int = 0) -> bytes | None:
        """The error for a packet of at least header size; None where there must be none.

        With a `limit`: the packet has more bytes than that. Else: its destination is unreachable.
        """
        version = packet[0] >> 4
        if not (_may_answer4(packet) if version == 4 else _may_answer6(packet)):
            return None
        if not self._allowance.take(now):
            return None
        return _error4(packet, limit) if version == 4 else _error6(packet, limit)


def _may_answer4(packet: bytes) -> bool:
    if int.from_bytes(packet[6:8], "big") & 0x1FFF:  # not the first fragment
        return False
    if packet[12] >= 224 or packet[16] >= 224 or not any(packet[12:16]):  # multicast, broadcast, no sender
        return False
    header = (packet[0] & 15) * 4
    return packet[9] != _ICMPV4 or (len(packet) > header and packet[header] in _QUERIES4)


def _may_answer6(packet: bytes) -> bool:
    if packet[8] == 0xFF or packet[24] == 0xFF or not any(packet[8:24]):
        return False
    return packet[6] != _ICMPV6 or (len(packet) > 40 and packet[40] >= 128)  # below are errors


def _error4(packet: bytes, limit: int) -> bytes:
    """Host unreachable or fragmentation needed, in the name of the host that can't be reached."""
    quote = packet[:_QUOTE4]
    code = 4 if limit else 1
    check = checksum(_ICMP.pack(3, code, 0, limit) + quote)
    body = _ICMP.pack(3, code, check, limit) + quote
    fields = (0x45, 0xC0, _HEADER4.size + len(body), 0, 0, 64, _ICMPV4, 0, packet[16:20], packet[12:16])
    header = _HEADER4.pack(*fields)
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + body


def _error6(packet: bytes, limit: int) -> bytes:
    """Address unreachable or packet too big, in the name of the host that can't be reached."""
    quote = packet[:_QUOTE6]
    length = _ICMP.size + len(quote)
    addresses = packet[24:40] + packet[8:24]
    pseudo = addresses + length.to_bytes(4, "big") + _ICMPV6.to_bytes(4, "big")
    kind, code = (2, 0) if limit else (1, 3)
    check = checksum(pseudo + _ICMP.pack(kind, code, 0, limit) + quote)
    header = _HEADER6.pack(6 << 28, length, _ICMPV6, 64, addresses[:16], addresses[16:])
    return header + _ICMP.pack(kind, code, check, limit) + quote
