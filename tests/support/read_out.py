"""What `wgtun show` tells about a tunnel."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.namespaces import Tunnel


def show(tunnel: Tunnel, *options: str) -> str:
    words = [sys.executable, "-m", "wgtun.cli.main", "show", tunnel.interface, *options]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout


def document(tunnel: Tunnel) -> dict[str, Any]:
    shown: dict[str, dict[str, Any]] = json.loads(show(tunnel, "--json"))
    return shown[tunnel.interface]
