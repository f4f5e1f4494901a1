"""Lets `wg setconf` and our parser read the same texts, and prints what each understood as JSON.

A program of its own, because it needs a `/run` of its own: `wg` finds devices there.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from tests.unit.fake_device import FakeDevice, served_in_background
from wgtun.config.wgquick import dumps, parse
from wgtun.endpoint import Endpoint
from wgtun.errors import ConfigError
from wgtun.keys import PresharedKey, PrivateKey, PublicKey
from wgtun.uapi.model import SetRequest

SECRET = "AKeZaHwBxjiKLFnkY2unvEdOTtg4AL+M9dQXfopFVFk="
BOB = "YDCttCs9e1J52/g9vEnwJJa+2x6RqaayAYMpSVQfGEY="
CAROL = "Igge9KzRytKNwrgkzDE/8hrLu6Ly0OqVdvOPWhA5KR4="

# Where we differ on purpose, and what is thus not here: wg takes port 65536 for 0, `+5` for a port, and IPv6
# endpoints without brackets; we take an AllowedIPs without any, as newer ones do.
ANYWHERE = ["", " ", "# comment", "\t#", "[Interface]", "[Peer]", "[ peer ] # x", "\v[INTERFACE]\f", "\r"]
NOWHERE = [
    "[Other]", "[", "[Interface", "[Peer]x", "ListenPort", "= 5", "Foo = 1", "x", ";x", "\u00a0", "\x1c",
    "\x85", "é = 1",
    "\u00a0ListenPort = 5",
]  # fmt: skip
INTERFACE = [
    f"PrivateKey = {SECRET}", f"private key={SECRET[:7]} {SECRET[7:]} # mine", f"PrivateKey = {'A' * 43}=",
    f"PrivateKey = {SECRET[:-1]}", f"PrivateKey = {SECRET[:-2]}l=", "PrivateKey =", f"PrivateKey = {SECRET}=",
    *[f"ListenPort = {port}" for port in (
        "0", "5 1", "007", "65535", "http", "-1", "0x10", "", "5;", "=5", "5=", "\u0665")],
    *[f"FwMark={mark}" for mark in (
        "0x10", "0X10", "010", "0xfffffffF", "0x100000000", "4294967295", "4294967296", "off", "OFF", "0x",
        "", "-1", "+1",
        "0", "0x0", "1_0", "0x1_0", "9" * 30,
    )],
]  # fmt: skip
PEER = [
    f"PublicKey = {BOB}", f"PublicKey={CAROL}", f"publickey\t=\t{BOB}", "PublicKey = x", "PublicKey =",
    f"PresharedKey = {SECRET}", f"PresharedKey = {'A' * 43}=", "PresharedKey = ", f"PresharedKey = {SECRET[1:]}",
    *[f"AllowedIPs = {text}" for text in (
        "10.0.0.1", "10.0.0.1/8, ::/0", "10.0.0.1/08", "::ffff:1.2.3.4/120", "fd00::1 / 64", "10.0.0.1,",
        ",10.0.0.1", ",",
        "10.0.0.1,,10.0.0.2", "10.0.0.1/33", "::/129", "10.1/8", "10.0.0.1/", "10.0.0.1/-1", "10.0.0.1/+1", "010.0.0.1",
        "10.0.0.1/255.0.0.0", "fe80::1%lo", "example.com", "1.2.3.4/32, 1.2.3.4", "0.0.0.0/0", "0.0.0.0/00", "+1.2.3.4",
        "1.2.3.4/ 2 4", "1.2.3.4/24/24",
    )],
    *[f"Endpoint = {text}" for text in (
        "192.0.2.1:5", "[192.0.2.1]:5", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:007",
        "[2001:DB8::1]:65535",
        "[2001:db8::1%lo", "[fe80::1%lo]:7", "[::1]5", "[::1]:", "[]:5", ":5", "", "192.0.2.1:http",
        "[::1] : 5", "[::1]:5]",
    )],
    *[f"PersistentKeepalive = {text}" for text in (
        "off", "Off", "0", "25", "025", "65535", "65536", "+5", "0x5", "-1", "", "2 5", "5s",
    )],
]  # fmt: skip


def texts() -> Iterator[str]:
    """Every line by itself, then random files: mostly good ones, or hardly any would be accepted."""
    for line in ANYWHERE + NOWHERE:
        yield line
        yield f"[Interface]\n{line}"
        yield f"[Peer]\nPublicKey = {BOB}\n{line}"
    yield from (
        f"{head}{line}" for line in INTERFACE + PEER for head in ("", "[Interface]\n", f"[Peer]\nPublicKey={BOB}\n")
    )
    rng = random.Random(7)
    for _ in range(150):
        lines = []
        for _ in range(rng.randint(1, 4)):
            interface = rng.random() < 0.4
            lines += ["[Interface]"] if interface else ["[Peer]", f"PublicKey = {rng.choice([BOB, CAROL])}"]
            lines += [rng.choice(good_lines(INTERFACE if interface else PEER)) for _ in range(rng.randint(0, 4))]
        yield "".join(line + rng.choice(["\n", "\r\n", " \t\n", "#\n", " # x = y\n"]) for line in lines)


def good_lines(pool: list[str]) -> list[str]:
    return [line for line in pool if ours(f"[Interface]\n{line}") or ours(f"[Peer]\nPublicKey={BOB}\n{line}")]


def facts(private: PrivateKey | None, port: int | None, mark: int | None, peers: list[str]) -> list[str]:
    private = None if private is None or private.is_zero() else private
    return [private.base64() if private else "", str(port or 0), str(mark or 0), *sorted(peers)]


def peer_facts(
    key: PublicKey, psk: PresharedKey | None, endpoint: object, keepalive: int | None, allowed: object
) -> str:
    return f"{key} {psk.base64() if psk else '-'} {endpoint} {keepalive} {allowed}"


def ours(text: str) -> list[str] | None:
    try:
        config = parse(text).config
    except ConfigError:
        return None
    interface = config.interface
    peers = []
    for peer in config.peers:
        endpoint = Endpoint.parse(str(peer.endpoint)) if peer.endpoint else None
        allowed = [str(prefix) for prefix in peer.allowed_ips]
        peers.append(peer_facts(peer.public_key, peer.preshared_key, endpoint, peer.persistent_keepalive, allowed))
    return facts(interface.private_key, interface.listen_port, interface.fwmark, peers)


def theirs(device: FakeDevice, text: str) -> list[str] | None:
    device.requests.clear()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        words = ["wg", "setconf", "fake0", file.name]
        environment = os.environ | {"WG_ENDPOINT_RESOLUTION_RETRIES": "0"}
        done = subprocess.run(words, env=environment, stderr=subprocess.DEVNULL, check=False)
    return understood(device.requests[0]) if done.returncode == 0 else None


def understood(request: SetRequest) -> list[str]:
    """Sections of one peer apply in turn."""
    psks: dict[PublicKey, PresharedKey | None] = {}
    endpoints: dict[PublicKey, Endpoint | None] = {}
    keepalives: dict[PublicKey, int | None] = {}
    allowed: dict[PublicKey, list[str]] = {}
    for change in request.peers:
        key = change.public_key
        psks[key] = change.preshared_key or psks.get(key)
        endpoints[key] = change.endpoint or endpoints.get(key)
        keepalives[key] = keepalives.get(key) if change.persistent_keepalive is None else change.persistent_keepalive
        kept = [] if change.replace_allowed_ips else allowed.get(key, [])
        allowed[key] = kept + [str(prefix) for _, prefix in change.allowed_ips]
    peers = [peer_facts(key, psks[key], endpoints[key], keepalives[key], allowed[key]) for key in allowed]
    return facts(request.private_key, request.listen_port, request.fwmark, peers)


def main() -> None:
    device = FakeDevice()
    results = []
    with served_in_background({"fake0": device}):
        for text in dict.fromkeys(texts()):
            mine = ours(text)
            results.append((text, theirs(device, text), mine))
            if mine is not None:  # what we write, wg reads
                written = dumps(parse(text).config, wg_only=True)
                results.append((written, theirs(device, written), mine))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
