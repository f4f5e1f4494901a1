"""Congestion marks through the tunnel, as the kernel's WireGuard has them. Source: RFC 6040.

Going out, the outer header takes the inner ECN field, but never "congestion experienced", which
is for routers to say; the rest of the traffic class stays inside. Coming in, "congestion
experienced" on the outer header is carried over to an inner packet that can express it.
"""

from __future__ import annotations

from wgtun.engine.python.checksum import checksum

_MASK = 3
_ECT0 = 2
_CE = 3


def outer_class(packet: bytes) -> int:
    """The traffic class of the datagram that carries this IP packet."""
    ecn = packet[1] & _MASK if packet[0] >> 4 == 4 else packet[1] >> 4 & _MASK
    return _ECT0 if ecn == _CE else ecn


def mark_inner(outer: int, packet: bytes) -> bytes:
    """The IP packet after it came in a datagram of this traffic class."""
    if outer & _MASK != _CE:
        return packet
    if packet[0] >> 4 == 4:
        if packet[1] & _MASK in (0, _CE):
            return packet
        size = (packet[0] & 15) * 4
        if not 20 <= size <= len(packet):
            return packet
        header = bytearray(packet[:size])
        header[1] |= _CE
        header[10:12] = bytes(2)
        header[10:12] = checksum(header).to_bytes(2, "big")
        return bytes(header) + packet[size:]
    if packet[1] >> 4 & _MASK in (0, _CE):
        return packet
    return packet[:1] + bytes((packet[1] | _CE << 4,)) + packet[2:]
