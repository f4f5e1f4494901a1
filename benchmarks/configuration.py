"""Measurements of one daemon's control side: big configurations, and handshakes as responder."""

from __future__ import annotations

import os
import random
import select
import socket
import time

from benchmarks.lab import PORT, Contender, Failed, Host, made_daemon, made_pair
from wgtun.keys import PrivateKey, PublicKey
from wgtun.noise import tai64n
from wgtun.noise.handshake import InitiatorHandshake
from wgtun.noise.macs import MacGenerator
from wgtun.noise.providers import make_provider

PEERS = 10_000
ALLOWED_IPS = 131_072
_HANDSHAKES = 6_000
_WINDOW = 32  # handshakes under way; 128 waiting ones would put the daemon under load, where it asks for cookies


def uapi(host: Host, request: str) -> tuple[float, str]:
    """Seconds from the first byte of the request to the last of the answer, and the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(host.socket))
        begin = time.perf_counter()
        connection.sendall(request.encode())
        answer = bytearray()
        while not answer.endswith(b"\n\n"):
            chunk = connection.recv(1 << 20)
            if not chunk:
                raise Failed("the daemon closed the connection")
            answer += chunk
        took = time.perf_counter() - begin
    text = answer.decode()
    if "errno=0" not in text[-30:]:
        raise Failed(text[-60:])
    return took, text


def peers(contender: Contender) -> dict[str, float]:
    """10,000 peers with an endpoint and an allowed IP each, in one set."""
    rng = random.Random(1)
    lines = [f"set=1\nprivate_key={PrivateKey.generate().hex()}\nlisten_port={PORT}"]
    lines += [
        f"public_key={rng.randbytes(32).hex()}\nendpoint=192.0.2.7:{1000 + number}\n"
        f"allowed_ip=10.{number >> 16}.{number >> 8 & 255}.{number & 255}/32"
        for number in range(PEERS)
    ]
    with made_daemon(contender) as host:
        took, _ = uapi(host, "\n".join(lines) + "\n\n")
        return {"peers": took, "peers_memory": host.memory("VmRSS")}


def allowed_ips(contender: Contender) -> dict[str, float]:
    """131,072 allowed IPs of one peer in one set, and in one get."""
    lines = [f"set=1\npublic_key={bytes(range(32)).hex()}"]
    lines += [f"allowed_ip=10.{n >> 16}.{n >> 8 & 255}.{n & 255}/32" for n in range(ALLOWED_IPS)]
    with made_daemon(contender) as host:
        set_took, _ = uapi(host, "\n".join(lines) + "\n\n")
        get_took, answer = uapi(host, "get=1\n\n")
        if answer.count("allowed_ip=") != ALLOWED_IPS:
            raise Failed("allowed IPs are missing")
        return {"allowed_set": set_took, "allowed_get": get_took}


def handshakes(contender: Contender) -> dict[str, float]:
    """Initiations of as many peers, made before the clock starts, answered by a daemon on one processor."""
    daemon_cpu, our_cpu = 0, (os.cpu_count() or 1) - 1
    with made_pair(Contender("plain")) as pair:
        host = pair.right
        host.start(contender, cpu=daemon_cpu)
        keys = [PrivateKey.generate() for _ in range(_HANDSHAKES)]
        lines = [f"set=1\nprivate_key={PrivateKey.from_base64(host.private_key).hex()}\nlisten_port={PORT}"]
        lines += [f"public_key={key.public_key().hex()}" for key in keys]
        uapi(host, "\n".join(lines) + "\n\n")
        messages = _initiations(keys, bytes(PublicKey.from_base64(host.public_key)))
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {our_cpu})
        try:
            return {"handshakes": _answered(pair.left, host.outer, messages)}
        finally:
            os.sched_setaffinity(0, before)


def _initiations(keys: list[PrivateKey], responder: bytes) -> list[bytes]:
    provider = make_provider()
    messages = []
    for number, key in enumerate(keys):
        static = provider.load_private(bytes(key))
        _, message = InitiatorHandshake.start(
            provider, static, responder, static.exchange(responder),
            ephemeral=provider.generate_private(), sender_index=number, timestamp=tai64n.stamp(time.time_ns()),
        )  # fmt: skip
        messages.append(MacGenerator(responder).append_macs(0, message, 1))
    return messages


def _answered(left: Host, address: str, messages: list[bytes]) -> float:
    """Responses per second, with a window of initiations under way."""
    with _socket_in(left) as out:
        out.connect((address, PORT))
        sent = answered = 0
        begin = time.perf_counter()
        while answered < len(messages):
            while sent < len(messages) and sent - answered < _WINDOW:
                out.send(messages[sent])
                sent += 1
            if not select.select([out], [], [], 2)[0]:
                raise Failed(f"{answered} of {sent} initiations were answered")
            if out.recv(2048)[0] == 2:
                answered += 1
        return answered / (time.perf_counter() - begin)


def _socket_in(host: Host) -> socket.socket:
    """A UDP socket in the host's namespace; it stays there when we come back."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{host.namespace}", os.O_RDONLY)
    try:
        _setns(there)
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        finally:
            _setns(home)
    finally:
        os.close(home)
        os.close(there)


def _setns(descriptor: int) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000):  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")
