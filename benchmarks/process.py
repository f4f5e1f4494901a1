"""What the kernel knows about a process, its threads included."""

from __future__ import annotations

import os
from pathlib import Path

CPUS = sorted(os.sched_getaffinity(0))
# The load and what it is put on don't share a core, where there are two.
LOAD_CPU, DAEMON_CPU = CPUS[0], CPUS[-1]


def pinned(cpu: int) -> list[str]:
    """The command to run another one under, on this CPU alone."""
    return ["taskset", "-c", str(cpu)]


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    return parse_cpu_ticks(Path(f"/proc/{pid}/stat").read_text()) / os.sysconf("SC_CLK_TCK")


def parse_cpu_ticks(stat: str) -> int:
    """utime and stime of /proc/PID/stat; the second field, the name, may contain anything."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def peak_memory(pid: int) -> float:
    """The most memory that was ever resident, in MB (10^6 bytes)."""
    return parse_memory(Path(f"/proc/{pid}/status").read_text(), "VmHWM")


def resident_memory(pid: int) -> float:
    """Memory resident now, in MB (10^6 bytes)."""
    return parse_memory(Path(f"/proc/{pid}/status").read_text(), "VmRSS")


def parse_memory(status: str, field: str) -> float:
    """One field of /proc/PID/status, in MB (10^6 bytes)."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.removesuffix("kB")) * 1024 / 1e6
    raise ValueError(f"no {field} in /proc/PID/status")
