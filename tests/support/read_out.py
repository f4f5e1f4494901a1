"""What `wgtun show` tells about a tunnel."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.namespaces import Tunnel


def show(tunnel: Tunnel) -> str:
    return _show(tunnel.interface)


def document(tunnel: Tunnel) -> dict[str, Any]:
    return documents(tunnel.interface)[tunnel.interface]


def documents(*words: str) -> dict[str, dict[str, Any]]:
    """By interface, what `wgtun show --json` prints."""
    shown: dict[str, dict[str, Any]] = json.loads(_show("--json", *words))
    return shown


def _show(*words: str) -> str:
    program = [sys.executable, "-m", "wgtun.cli.main", "show", *words]
    return subprocess.run(program, check=True, capture_output=True, text=True, timeout=30).stdout
