"""iperf3 over a link."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.contenders import Link
from benchmarks.measure import MeasureError
from tests.support.namespaces import Host, end

_GRACE = 20  # seconds, for connecting and exchanging results


class Received(NamedTuple):
    """What arrived at the receiving end."""

    gigabits_per_second: float
    gigabytes: float


def iperf(link: Link, seconds: float, *options: str) -> Received:
    """Send from the sender to the receiver of the link; `options` are those of the iperf3 client."""
    with _server(link.receiver, link.address):
        out = link.sender.run(
            "iperf3", "-J", "-c", link.address, "-t", f"{seconds:g}", "--connect-timeout", "10000", *options,
            timeout=seconds + _GRACE, check=False,
        )  # fmt: skip
    return parse(json.loads(out))


def parse(result: dict[str, Any]) -> Received:
    """The sum over all streams, from what `iperf3 -J` prints. Raises MeasureError when that is an error."""
    if "error" in result:
        raise MeasureError(f"iperf3: {result['error']}")
    received = result["end"]["sum_received"]
    return Received(received["bytes"] * 8 / received["seconds"] / 1e9, received["bytes"] / 1e9)


@contextmanager
def _server(host: Host, address: str) -> Iterator[None]:
    server = host.popen(
        "iperf3", "-s", "-1", "--forceflush", "-B", address, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if "listening" in line:
                break
        yield
    finally:
        end(server)
