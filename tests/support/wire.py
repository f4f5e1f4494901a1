"""Takes a datagram off the wire, as an attacker beside it would: ``python -m tests.support.wire DEVICE TYPE``."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable

from tests.support.namespaces import Host

_ETHERNET, _IPV4, _UDP = 14, 20, 8
_ALL = 3  # ETH_P_ALL


def caught(host: Host, kind: int, action: Callable[[], object]) -> bytes:
    """The first WireGuard message of this type that passes the host's device, over IPv4, during the action."""
    words = [sys.executable, "-m", "tests.support.wire", host.device, str(kind)]
    process = host.popen(*words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    action()
    return bytes.fromhex(process.communicate(timeout=10)[0])


def main() -> None:
    device, kind = sys.argv[1], int(sys.argv[2])
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)) as wire:
        wire.bind((device, 0))
        wire.settimeout(10)
        print("ready", flush=True)
        while True:
            frame = wire.recv(65535)
            message = frame[_ETHERNET + _IPV4 + _UDP :]
            if frame[12:14] == b"\x08\x00" and frame[_ETHERNET + 9] == socket.IPPROTO_UDP and message[0] == kind:
                print(message.hex())
                return


if __name__ == "__main__":
    main()
