"""Legitimate TCP while junk handshake messages arrive.

200,000 initiations of random bytes per second come from a third host. The sender stays on one CPU and has the
priority to keep its rate there; what that leaves of TCP is measured with the same datagrams going to a closed port.
"""

from __future__ import annotations

from benchmarks.contenders import Daemon, Link
from benchmarks.iperf import iperf
from benchmarks.measure import DaemonMeasure, Figure, Values
from benchmarks.process import LOAD_CPU, pinned
from benchmarks.program import running
from tests.support.namespaces import Host, Lab
from wgtun.constants import INITIATION_SIZE, TYPE_INITIATION

_RATE = 200_000
_PORT, _CLOSED_PORT = 51820, 51821
_NET = 3
# seconds. iperf3 connects before the flood and tells its results after it: what its own conversation suffers is not
# the measure. What TCP does until the flood has settled does not count.
_SETTLE = 1.0
_MARGIN = 0.2


def under_junk(daemon: Daemon, seconds: float) -> Values:
    """TCP with the flood going to the daemon, and to a closed port of its host."""
    with Lab() as lab:
        link = daemon.connect(lab)
        attacker = lab.host()
        lab.join(attacker, link.receiver, net=_NET)
        left, closed_rate = _flooded(link, attacker, _CLOSED_PORT, seconds)
        kept, open_rate = _flooded(link, attacker, _PORT, seconds)
    return {
        "junk": kept,
        "junk-closed": left,
        "junk-kept": 100 * kept / left,
        "junk-rate": min(closed_rate, open_rate) / 1000,
    }


def _flooded(link: Link, attacker: Host, port: int, seconds: float) -> tuple[float, float]:
    """Gbit/s of TCP during the flood, and datagrams per second that the flood had."""
    flood = running(
        attacker, "blast", f"192.0.{_NET}.{link.receiver.number}", port,
        "--rate", _RATE, "--delay", _SETTLE, "--seconds", seconds + _SETTLE + _MARGIN,
        "--size", INITIATION_SIZE, "--head", TYPE_INITIATION.to_bytes(4, "little").hex(),
        under=[*pinned(LOAD_CPU), "chrt", "-f", "1"],
    )  # fmt: skip
    with flood as blast:
        received = iperf(link, seconds, "-O", f"{2 * _SETTLE:g}")
        sent = blast.report()
    return received.gigabits_per_second, sent["datagrams"] / sent["seconds"]


MEASURES = (
    DaemonMeasure(
        "junk",
        (
            Figure("junk", "TCP under junk handshakes", "Gbit/s", "higher"),
            Figure("junk-closed", "junk to a closed port", "Gbit/s", None),
            Figure("junk-kept", "kept of that", "%", "higher"),
            Figure("junk-rate", "junk sent", "kpps", None),
        ),
        under_junk,
    ),
)
