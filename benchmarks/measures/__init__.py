"""All measures, in the order they are taken: traffic first, then the memory it left behind."""

from __future__ import annotations

from benchmarks.measure import Measure
from benchmarks.measures import configuration, floods, handshakes, junk, memory, ping, tcp, udp

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for module in (tcp, udp, ping, memory, configuration, handshakes, junk, floods)
    for measure in module.MEASURES
}
