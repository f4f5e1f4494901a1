"""What a daemon gives up on macOS and FreeBSD, which have nothing that a running Python program could enter."""

from __future__ import annotations

import sys

assert sys.platform != "win32"

import os
import resource

from wgtun.platform.switches import left_on


def restrict(socket_directory: str | None) -> str:
    """Give up core dumps; returns what is on, and what is off. Raises PlatformError for an unknown word."""
    if not left_on({"core"}, "WGTUN_SANDBOX", os.environ.get("WGTUN_SANDBOX", "")):
        return "off (WGTUN_SANDBOX)"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return "no core dumps"
