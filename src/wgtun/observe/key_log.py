"""A log of session secrets that lets tshark decrypt a capture. For debugging only, never on by itself.

The format is that of Wireshark's `wg.keylog_file`. Whoever reads this file reads the traffic.
"""

from __future__ import annotations

import os
import stat
import sys
from base64 import b64encode


class KeyLog:
    """Appends to a file that only its owner may read."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        if sys.platform != "win32":
            flags |= os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            if sys.platform != "win32" and stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)  # it may have been there before, readable by others
        except OSError:
            os.close(descriptor)
            raise
        # Line buffered: the keys are there before the first packet that needs them.
        self._file = os.fdopen(descriptor, "w", buffering=1, encoding="ascii")

    def write(self, *, static: bytes, remote_static: bytes, ephemeral: bytes, preshared_key: bytes) -> None:
        """Note the secrets of one handshake; all are 32 bytes, `static` and `ephemeral` private keys."""
        for name, value in (
            ("LOCAL_STATIC_PRIVATE_KEY", static),
            ("REMOTE_STATIC_PUBLIC_KEY", remote_static),
            ("LOCAL_EPHEMERAL_PRIVATE_KEY", ephemeral),
            ("PRESHARED_KEY", preshared_key),
        ):
            self._file.write(f"{name}={b64encode(value).decode()}\n")

    def close(self) -> None:
        self._file.close()
