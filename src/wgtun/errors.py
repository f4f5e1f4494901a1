"""Every exception class of wgtun.

    WireGuardError
    ├── InvalidKey            a key in a wrong encoding or of a wrong length
    ├── ConfigError           a configuration file: names file, line and key
    ├── UapiError             the configuration protocol: carries the errno of the answer
    ├── PlatformError         the system refused something: what, why, what to do
    │   └── TunnelGone        the TUN interface was removed
    └── HandshakeError        a handshake message that is not valid (never leaves `protocol`)

Mistakes of the caller raise one of the others; what an attacker sends raises only
`HandshakeError`, and that becomes a counter.
"""

from __future__ import annotations


class WireGuardError(Exception):
    """Base of every error that wgtun raises on purpose."""


class InvalidKey(WireGuardError, ValueError):
    """A key that is not 32 bytes, or not canonical base64 or hexadecimal. Never contains the text."""


class ConfigError(WireGuardError, ValueError):
    """A configuration that can't be accepted.

    The message reads ``file:line: key: problem``; the parts are attributes too.
    """

    def __init__(self, problem: str, *, file: str = "", line: int = 0, key: str = "") -> None:
        self.problem = problem
        self.file = file
        self.line = line
        self.key = key
        place = f"{file}:{line}" if line else file
        super().__init__(": ".join(part for part in (place, key, problem) if part))


class UapiError(WireGuardError):
    """A configuration request that failed.

    `errno` is the positive number from `errno`; the wire carries it negative.
    """

    def __init__(self, errno: int, problem: str) -> None:
        self.errno = errno
        self.problem = problem
        super().__init__(problem)


class PlatformError(WireGuardError, OSError):
    """The operating system refused something that the device needs."""


class TunnelGone(PlatformError):
    """The TUN interface was removed or its descriptor is no longer attached."""


class HandshakeError(WireGuardError):
    """A handshake message that can't be authenticated. Counted, never shown above debug."""
