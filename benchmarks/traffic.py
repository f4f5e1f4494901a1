"""Measurements of traffic through a pair of hosts. Each returns figures by name."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from benchmarks.lab import PORT, Failed, Host, Pair, run

Figures = dict[str, float]
JUNK_RATE = 200_000
_CLOSED_PORT = 9


@cache
def udpload() -> str:
    """The load generator, compiled."""
    target = Path(tempfile.gettempdir()) / f"wgtun-udpload-{os.getuid()}"
    run("gcc", "-O2", "-o", str(target), str(Path(__file__).with_name("udpload.c")))
    return str(target)


def iperf(sender: Host, receiver: Host, address: str, seconds: float, *options: str) -> tuple[float, float]:
    """Gbit/s that arrived, and bytes."""
    server = receiver.popen("iperf3", "-s", "-1", "-B", address)
    try:
        time.sleep(0.3)
        out = sender.run("iperf3", "-J", "-c", address, "-t", str(seconds), *options, timeout=seconds + 30)
    finally:
        server.terminate()
        server.communicate()
    end = json.loads(out)["end"]
    received = end.get("sum_received") or end["sum"]
    return received["bits_per_second"] / 1e9, received["bytes"]


def tcp1(pair: Pair, seconds: float) -> Figures:
    """One TCP stream, and what it costs both daemons."""
    before = pair.cpu_seconds()
    rate, size = iperf(pair.left, pair.right, pair.target, seconds)
    cpu = pair.cpu_seconds() - before
    return {"tcp1": rate} | ({"cpu": cpu / (size / 1e9)} if pair.contender.command else {})


def tcp4(pair: Pair, seconds: float) -> Figures:
    return {"tcp4": iperf(pair.left, pair.right, pair.target, seconds, "-P", "4")[0]}


def tcpr(pair: Pair, seconds: float) -> Figures:
    return {"tcpr": iperf(pair.left, pair.right, pair.target, seconds, "-R")[0]}


def udp_small(pair: Pair, seconds: float) -> Figures:
    """Datagrams of 64 bytes that arrive while more are sent than can."""
    receiver = pair.right.popen(udpload(), "receive", "5001", str(seconds))
    try:
        time.sleep(0.2)
        pair.left.run(udpload(), "send", pair.target, "5001", "64", str(seconds + 0.5), "0")
        out, error = receiver.communicate(timeout=seconds + 15)
    except subprocess.TimeoutExpired:
        raise Failed("the receiver did not end") from None
    finally:
        receiver.kill()
    if receiver.returncode:
        raise Failed(error.strip())
    return {"udp_small": float(out) / 1000}


def udp_large(pair: Pair, seconds: float) -> Figures:
    return {"udp_large": iperf(pair.left, pair.right, pair.target, seconds, "-u", "-l", "1300", "-b", "0")[0]}


def ping(pair: Pair, seconds: float) -> Figures:
    """Mean round trip of a flood."""
    out = pair.left.run("ping", "-q", "-f", "-w", str(max(1, round(seconds))), pair.target)
    match = re.search(r"= [\d.]+/([\d.]+)/", out)
    if match is None:
        raise Failed("no answer")
    return {"ping": float(match[1]) * 1000}


def junk(pair: Pair, seconds: float) -> Figures:
    """TCP while junk arrives, relative to what the same junk to a closed port leaves."""
    if not pair.contender.command:
        return {}
    rates, sent = {}, []
    for port in (_CLOSED_PORT, PORT):
        words = ("taskset", "-c", str((os.cpu_count() or 1) - 1), udpload(), "send", pair.right.outer, str(port))
        sender = pair.left.popen(*words, "148", str(seconds + 2), str(JUNK_RATE))
        try:
            time.sleep(0.3)
            rates[port] = iperf(pair.left, pair.right, pair.target, seconds)[0]
            sent.append(float(sender.communicate(timeout=seconds + 15)[0]))
        finally:
            sender.kill()
    return {"junk": rates[PORT] / rates[_CLOSED_PORT], "junk_rate": min(sent) / 1000}


def memory(pair: Pair, _seconds: float) -> Figures:
    """The bigger daemon at its peak so far: measure it last."""
    if not pair.contender.command:
        return {}
    return {"memory": max(pair.left.memory("VmHWM"), pair.right.memory("VmHWM"))}
