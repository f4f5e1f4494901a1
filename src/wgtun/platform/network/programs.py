"""Programs that are asked, not told."""

from __future__ import annotations

import os
from collections.abc import Callable

Ask = Callable[..., str]
"""What a program says, given its words; empty when it fails."""

_TIMEOUT = 60  # seconds


def ask(*words: str) -> str:
    """Raises OSError when there is no such program."""
    import subprocess  # only what looks at a system needs it

    done = subprocess.run(words, capture_output=True, env=os.environ | {"LC_ALL": "C"}, timeout=_TIMEOUT, check=False)
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""
