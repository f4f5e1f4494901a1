"""Which offloads may be used: all that the system has, unless WGTUN_OFFLOAD says otherwise.

====  ==========================================================================
tso   the TUN takes and gives TCP segments merged (TUN_F_TSO4, TUN_F_TSO6)
uso   the TUN takes and gives UDP datagrams merged (TUN_F_USO4, TUN_F_USO6, Linux 6.2)
gso   datagrams of one size leave as one train (UDP_SEGMENT, Linux 4.18)
gro   and arrive as one (UDP_GRO, Linux 5.0)
mac1  handshake messages for another key are refused in the kernel (eBPF)
====  ==========================================================================
"""

from __future__ import annotations

import os
from collections.abc import Set

from wgtun.platform.switches import left_on

_ALL = frozenset({"tso", "uso", "gso", "gro", "mac1"})


_SWITCHED_OFF = "switched off by WGTUN_OFFLOAD"


def missing(names: Set[str], used: Set[str], why: str) -> dict[str, str]:
    """Why those of `names` that are not used are not: they were switched off, or else `why`."""
    wanted = allowed()
    return {name: why if name in wanted else _SWITCHED_OFF for name in sorted(names - used)}


def allowed() -> frozenset[str]:
    """The names of the offloads that may be tried. Raises PlatformError for a word that is not known."""
    return left_on(_ALL, "WGTUN_OFFLOAD", os.environ.get("WGTUN_OFFLOAD", ""))
