"""Runs `wg show` and ours on the same fake devices and prints both outputs as JSON.

A program of its own, because it needs a `/run` of its own: other daemons would be listed too.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import time

from tests.unit.fake_device import EMPTY, FakeDevice, served_in_background
from wgtun.allowed_ip import AllowedIP
from wgtun.cli import show
from wgtun.constants import SECOND
from wgtun.endpoint import Endpoint
from wgtun.keys import PresharedKey, PrivateKey, PublicKey
from wgtun.uapi.model import DeviceState, PeerState

DEVICE_FIELDS = ["public-key", "private-key", "listen-port", "fwmark", "peers", "dump"]
PEER_FIELDS = ["preshared-keys", "endpoints", "allowed-ips", "latest-handshakes", "transfer", "persistent-keepalive"]
FORMS = [["interfaces"], [], ["all"], *([name] for name in ("fake0", "fake1", "fake2"))]
FORMS += [[name, field] for name in ("fake0", "fake1", "all") for field in DEVICE_FIELDS + PEER_FIELDS]
ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"WG_COLOR_MODE": "always"},
    {"WG_COLOR_MODE": "never", "WG_HIDE_KEYS": "never"},
    {"WG_COLOR_MODE": "always", "WG_HIDE_KEYS": "always"},
]


def peer(
    number: int,
    endpoint: str = "",
    handshake: int = 0,
    tx: int = 0,
    rx: int = 0,
    keepalive: int = 0,
    allowed: str = "",
    preshared: bytes = bytes(32),
) -> PeerState:
    return PeerState(
        PublicKey(bytes([number]) * 32),
        PresharedKey(preshared),
        Endpoint.parse(endpoint) if endpoint else None,
        handshake,
        tx,
        rx,
        keepalive,
        [AllowedIP.parse(prefix) for prefix in allowed.split()],
    )


def peers(now: int) -> list[PeerState]:
    long_ago = now - (400 * 86400 + 2 * 3600 + 61) * SECOND
    return [
        peer(1),
        peer(2, "1.2.3.4:51820", now - 64 * SECOND, 1229, 5 * 1024**4, 25, "10.0.0.0/8 2001:db8::/32", b"p" * 32),
        peer(3, "[::ffff:1.2.3.4]:5", long_ago, 1, 0, 3600, "0.0.0.0/0"),
        peer(4, "[fe80::1%lo]:0", now + 1000 * SECOND, 0, 1023, 65535, "::ffff:1.2.3.0/120 ::/0"),
        peer(5, "[fe80::1%1]:7", now - 5 * SECOND, 1024**3, 1024**2 - 1, 61),
        peer(6, "", 5, 1024, 1024**5, 61),  # less than a second after 1970 is shown as never
        peer(7, "[2001:db8::1]:65535", 0, 2**64 - 1, 1, 3661),
    ]


def run_wg(form: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(["wg", "show", *form], env=os.environ | environment, capture_output=True, text=True).stdout


def run_ours(form: list[str], environment: dict[str, str]) -> str:
    parser = argparse.ArgumentParser()
    show.add_parser(parser.add_subparsers())
    args = parser.parse_args(["show", *form])
    os.environ.update(environment)
    try:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            args.run(args)
    finally:
        for name in environment:
            del os.environ[name]
    return output.getvalue()


def main() -> None:
    now = time.time_ns()
    devices = {
        "fake0": FakeDevice(DeviceState(PrivateKey(b"k" * 32), 51820, 0xCA6C, peers(now))),
        "fake1": FakeDevice(EMPTY),
        "fake2": FakeDevice(DeviceState(PrivateKey(b"z" * 32), 1, 0, peers(now)[:2])),
    }
    results = []
    with served_in_background(devices):
        for form in FORMS:
            for environment in ENVIRONMENTS if len(form) < 2 else [{}]:
                for _ in range(3):  # a second may begin between the two
                    theirs, ours = run_wg(form, environment), run_ours(form, environment)
                    if theirs == ours:
                        break
                results.append((form, environment, theirs, ours))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
