"""What a daemon gives up once it is set up: powers that its tunnel has no use for, and an intruder would.

All of this is of the thread that calls, and of those that it starts later: it comes before the engine has any.
Each part does what this kernel can; docs/security.md says what is left.

============  ===============================================================
core          no core dumps, and no debugger without CAP_SYS_PTRACE
landlock      no files but Python's own and the configuration socket's end
capabilities  few of root's powers, none to be regained
seccomp       no system calls that lead out of the process
============  ===============================================================
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import os
import resource

from wgtun.platform.linux.libc import call
from wgtun.platform.linux.sandbox import capabilities, landlock, seccomp
from wgtun.platform.module_directories import module_directories
from wgtun.platform.switches import left_on

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38


def restrict(socket_directory: str | None) -> str:
    """Give up what is not needed from now on; returns what is on, and what is off and why.

    Files of `socket_directory` may still be removed. Raises PlatformError for an unknown word in WGTUN_SANDBOX.
    """
    files = dict.fromkeys(module_directories(), landlock.READ)
    if socket_directory is not None:
        files[socket_directory] = landlock.REMOVE
    parts = {
        "core": _forbid_core_dumps,
        "landlock": lambda: landlock.restrict(files),  # while we may still go everywhere
        "capabilities": capabilities.drop,
        "seccomp": seccomp.restrict,
    }
    wanted = left_on(parts.keys(), "WGTUN_SANDBOX", os.environ.get("WGTUN_SANDBOX", ""))
    if not wanted:
        return "off (WGTUN_SANDBOX)"
    on, off = [_forbid_new_privileges()], []
    for name, apply in parts.items():
        if name not in wanted:
            off.append(f"{name} (WGTUN_SANDBOX)")
            continue
        try:
            on.append(apply())
        except OSError as error:
            off.append(f"{name} ({error.strerror})")
    return ", ".join(on) + ("; off: " + ", ".join(off) if off else "")


def _forbid_new_privileges() -> str:
    """No program that we start could have more rights than we; Landlock and seccomp ask for it."""
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return "no_new_privs"


def _forbid_core_dumps() -> str:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)
    return "no core dumps"
