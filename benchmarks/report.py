"""Medians, spreads and ratios of what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

# Figure: (what it is, unit, digits)
FIGURES = {
    "tcp1": ("TCP, one stream", "Gbit/s", 2),
    "tcp4": ("TCP, four streams", "Gbit/s", 2),
    "tcpr": ("TCP, reverse", "Gbit/s", 2),
    "cpu": ("CPU seconds per GB, both daemons", "s/GB", 2),
    "udp_small": ("UDP of 64 bytes, delivered", "kpps", 0),
    "udp_large": ("UDP of 1300 bytes, delivered", "Gbit/s", 2),
    "ping": ("ping flood, mean round trip", "µs", 0),
    "memory": ("peak resident memory of a daemon", "MB", 0),
    "peers": ("10,000 peers: set", "s", 2),
    "peers_memory": ("10,000 peers: resident memory", "MB", 0),
    "allowed_set": ("131,072 allowed IPs: set", "s", 2),
    "allowed_get": ("131,072 allowed IPs: get", "s", 2),
    "handshakes": ("handshakes as responder on one core", "1/s", 0),
    "junk": ("TCP under junk, of that beside a closed port", "", 2),
    "junk_rate": ("junk that was sent", "kpps", 0),
}

Rounds = Mapping[str, Mapping[str, Sequence[float]]]  # contender -> figure -> one value per round


def table(results: Rounds, reference: str) -> str:
    """One block per figure: median, lowest and highest of the rounds, ratio to the reference."""
    lines = []
    for figure, (title, unit, digits) in FIGURES.items():
        rows = {name: figures[figure] for name, figures in results.items() if figures.get(figure)}
        if not rows:
            continue
        lines.append(f"{title}{f' [{unit}]' if unit else ''}")
        base = statistics.median(rows[reference]) if reference in rows else None
        for name, values in rows.items():
            median = statistics.median(values)
            spread = f"({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else ""
            ratio = f"{median / base:7.2f} x" if base else ""
            lines.append(f"    {name:14} {median:10.{digits}f}  {spread:20} {ratio}".rstrip())
    return "\n".join(lines)
