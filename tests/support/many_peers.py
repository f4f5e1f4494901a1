"""The other ends of many peers in one process: each makes a session and sends a ping through it.

``python -m tests.support.many_peers ADDRESS PORT PUBLIC_KEY TUNNEL_ADDRESS COUNT`` prints how many were answered.
Peer N has the private key `private_key(N)` and the tunnel address 11.0.0.0 + N.
"""

from __future__ import annotations

import socket
import sys
import time
from hashlib import blake2s
from ipaddress import IPv4Address
from struct import Struct

from wgtun.constants import TYPE_RESPONSE, TYPE_TRANSPORT
from wgtun.engine.python.checksum import checksum
from wgtun.noise import tai64n
from wgtun.noise.handshake import InitiatorHandshake
from wgtun.noise.macs import MacGenerator
from wgtun.noise.pyca import PycaProvider

_WINDOW = 32  # sessions in the making: fewer than would put the responder under load
_HEADER = Struct("<IIQ")  # of transport data: type, receiver index, counter
_NONCE = Struct("<4xQ")
_IP = Struct(">BBHHHBBH4s4s")


def private_key(number: int) -> bytes:
    return blake2s(number.to_bytes(4, "big"), person=b"peers").digest()


def tunnel_address(number: int) -> IPv4Address:
    return IPv4Address("11.0.0.0") + number


class Peer:
    """One of them; its number is its receiver index too."""

    def __init__(self, provider: PycaProvider, number: int, responder: bytes) -> None:
        self._number = number
        static = provider.load_private(private_key(number))
        self._handshake, message = InitiatorHandshake.start(
            provider,
            static,
            responder,
            static.exchange(responder),
            ephemeral=provider.generate_private(),
            sender_index=number,
            timestamp=tai64n.stamp(time.time_ns()),
        )
        self.initiation = MacGenerator(responder).append_macs(0, message, 0)

    def ping(self, response: bytes, destination: IPv4Address) -> bytes:
        """The first datagram of the session that the response makes: an echo request."""
        keys = self._handshake.consume_response(response, bytes(32))
        self._receive = keys.receive
        echo = b"\x08\0\0\0" + self._number.to_bytes(4, "big")
        echo = echo[:2] + checksum(echo).to_bytes(2, "big") + echo[4:]
        fields = (0x45, 0, 28, 0, 0, 64, 1, 0, tunnel_address(self._number).packed, destination.packed)
        header = _IP.pack(*fields)
        header = header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
        sealed = keys.send.encrypt(_NONCE.pack(0), (header + echo).ljust(32, b"\0"), None)
        return _HEADER.pack(TYPE_TRANSPORT, int.from_bytes(response[4:8], "little"), 0) + sealed

    def is_answer(self, datagram: bytes) -> bool:
        """Whether this is the echo reply."""
        _, _, counter = _HEADER.unpack_from(datagram)
        packet = self._receive.decrypt(_NONCE.pack(counter), datagram[_HEADER.size :], None)
        return packet[20:21] == b"\0" and packet[24:28] == self._number.to_bytes(4, "big")


def main() -> None:
    address, port, key, destination, count = sys.argv[1:]
    provider, responder = PycaProvider(), bytes.fromhex(key)
    peers: dict[int, Peer] = {}
    answered: set[int] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, int(port)))
        sock.settimeout(5)
        for number in range(int(count)):
            peers[number] = Peer(provider, number, responder)
            sock.send(peers[number].initiation)
            while len(peers) - len(answered) >= (_WINDOW if number + 1 < int(count) else 1):
                datagram = sock.recv(2048)
                peer = peers[
                    int.from_bytes(datagram[8:12] if datagram[0] == TYPE_RESPONSE else datagram[4:8], "little")
                ]
                if datagram[0] == TYPE_RESPONSE:
                    sock.send(peer.ping(datagram, IPv4Address(destination)))
                elif peer.is_answer(datagram):
                    answered.add(peer._number)
    print(len(answered))


if __name__ == "__main__":
    main()
