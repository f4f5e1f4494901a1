"""Of root's capabilities, those that a running tunnel has a use for. Source: capabilities(7).

net_admin         fwmarks, socket buffers beyond the limit, the namespace that the interface is in
net_bind_service  a listen port below 1024
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

from itertools import count
from struct import Struct

from wgtun.platform.linux.libc import buffer, call

_KEPT = {12: "net_admin", 10: "net_bind_service"}

_VERSION = 0x20080522  # sets of 64 bits
_HEADER = Struct("=Ii")  # version, thread (0: this one)
_SETS = Struct("=6I")  # effective, permitted and inheritable: the lower halves, then the upper ones
# linux/prctl.h
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4


def drop() -> str:
    """Keep few, regain none; returns which this thread and those that it starts have now. Raises OSError."""
    call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _empty_bounding_set()
    header, sets = buffer(_HEADER.pack(_VERSION, 0)), buffer(bytes(_SETS.size))
    call("capget", header, sets)
    permitted = _SETS.unpack(sets.raw)[1]
    kept = [number for number in _KEPT if permitted & 1 << number]
    mask = sum(1 << number for number in kept)
    call("capset", header, buffer(_SETS.pack(mask, mask, 0, 0, 0, 0)))
    return " ".join(["capabilities", *(_KEPT[number] for number in kept)]) if kept else "no capabilities"


def _empty_bounding_set() -> None:
    """It bounds what a program that we start could get, to which no_new_privs and seccomp see as well."""
    for number in count():
        try:
            call("prctl", _PR_CAPBSET_DROP, number, 0, 0, 0)
        except OSError:  # that was the last one; or we lack CAP_SETPCAP, as we may where root has not all powers
            return
