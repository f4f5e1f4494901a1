"""Printing a secret, with a warning when it goes where others can read it."""

from __future__ import annotations

import os
import stat
import sys

from wgtun.keys import PresharedKey, PrivateKey


def print_secret(key: PrivateKey | PresharedKey) -> int:
    try:
        mode = os.fstat(sys.stdout.fileno()).st_mode
    except (OSError, ValueError):  # not a real file
        mode = 0
    # Windows makes these bits up.
    if sys.platform != "win32" and stat.S_ISREG(mode) and mode & 0o007:
        print("Warning: writing to world accessible file.", file=sys.stderr)
        print("Consider setting the umask to 077 and trying again.", file=sys.stderr)
    print(key.base64())
    return 0
