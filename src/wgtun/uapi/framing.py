"""Cuts the bytes of one connection into operations (sans-IO).

A connection carries any number of operations, one after the other::

    get=1 \\n  \\n                        -> Get
    status=1 \\n  \\n                     -> Status
    set=1 \\n  key=value \\n ...  \\n     -> Set, or Failed at the first bad line

A first line that reads otherwise closes the connection without an answer. The lines of a set may end in CR LF; the end
of the stream ends it too. After a bad line the rest of that set is skipped, so that the connection stays usable.
"""

from __future__ import annotations

import errno
import sys
from dataclasses import dataclass

from wgtun.errors import UapiError
from wgtun.uapi.model import SetRequest
from wgtun.uapi.set_message import SetParser

MAX_LINE = 65535  # bytes without the line feed
MAX_SET = 64 * 1024 * 1024  # bytes; 65,536 peers with all keys and a few allowed IPs each fit twice
_OPERATION_SIZE = len(b"status=1")
_BLANK = (b"", b"\r")
_TOO_LONG = f"a line of more than {MAX_LINE} bytes"


@dataclass(frozen=True, slots=True)
class Get:
    """Answer with the device's state."""


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with what else there is to know (docs/uapi.md). An operation of our own: other daemons close."""


@dataclass(frozen=True, slots=True)
class Set:
    """Apply a request."""

    request: SetRequest


@dataclass(frozen=True, slots=True)
class Failed:
    """Answer with this error (a positive number from `errno`)."""

    errno: int
    problem: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; `problem` is empty when the client simply went away."""

    problem: str = ""


Operation = Get | Status | Set | Failed | Close

_QUERIES: dict[bytes, Get | Status] = {b"get=1": Get(), b"status=1": Status()}


# Elsewhere the numbers are the system's own; those of Windows mean nothing to the clients of WireGuard.
_LINUX_NUMBERS = {errno.EPROTO: 71, errno.EADDRINUSE: 98, errno.EOPNOTSUPP: 95}
_WIRE_NUMBERS = _LINUX_NUMBERS if sys.platform == "win32" else {}


def status(number: int) -> bytes:
    """The end of every answer: a positive number from `errno`, or 0; the wire carries it negative."""
    return b"errno=%d\n\n" % -_WIRE_NUMBERS.get(number, number)


class RequestParser:
    """The state of one connection. After a `Close` it ignores everything."""

    def __init__(self) -> None:
        self._partial = bytearray()  # a line whose end has not arrived
        self._take_line = self._operation_line  # the state: what the next line means
        self._query: Get | Status = Get()
        self._set = SetParser()
        self._set_size = 0
        self._operations: list[Operation] = []

    @property
    def idle(self) -> bool:
        """True between two operations: the client owes nothing."""
        return self._take_line == self._operation_line and not self._partial

    def feed(self, data: bytes) -> list[Operation]:
        """The operations that these bytes complete. Linear in the size of `data`, however it is cut."""
        *lines, rest = data.split(b"\n")
        if lines and self._partial:
            lines[0] = bytes(self._partial) + lines[0]
            self._partial.clear()
        for line in lines:
            self._take_line(line)
        self._partial += rest
        self._check_partial()
        return self._taken()

    def end(self) -> list[Operation]:
        """The operations that the end of the stream completes; the last one is `Close`."""
        if self._partial and self._take_line == self._set_line:
            self._take_line(bytes(self._partial))
        if self._take_line == self._set_line:  # the last line was good, or there was none
            self._take_line(b"")
        if self._take_line != self._ignore_line:
            self._close("")
        return self._taken()

    def _taken(self) -> list[Operation]:
        operations, self._operations = self._operations, []
        return operations

    # --- the states ------------------------------------------------------------------------------

    def _operation_line(self, line: bytes) -> None:
        if line == b"set=1":
            self._set, self._set_size = SetParser(), 0
            self._take_line = self._set_line
        elif line in _QUERIES:
            self._query = _QUERIES[line]
            self._take_line = self._end_of_query
        else:
            self._close("invalid UAPI operation: the first line reads neither get=1, set=1 nor status=1")

    def _end_of_query(self, line: bytes) -> None:
        self._take_line = self._operation_line
        if line:
            self._refuse_end_of_query()
            self._take_line(line[1:])
        else:
            self._operations.append(self._query)

    def _set_line(self, line: bytes) -> None:
        if line in _BLANK:
            self._operations.append(Set(self._set.request))
            self._set = SetParser()  # let go of a request that may be large
            self._take_line = self._operation_line
        elif len(line) > MAX_LINE:
            self._fail_set(UapiError(errno.EIO, _TOO_LONG))
            self._count(len(line) + 1)
        else:
            try:
                self._set.line(line.removesuffix(b"\r").decode("utf-8", "surrogateescape"))
            except UapiError as error:
                self._fail_set(error)
            self._count(len(line) + 1)

    def _skip_line(self, line: bytes) -> None:
        if line in _BLANK:
            self._take_line = self._operation_line
        else:
            self._count(len(line) + 1)

    def _ignore_line(self, line: bytes) -> None:
        pass

    # --- what can go wrong -----------------------------------------------------------------------

    def _check_partial(self) -> None:
        """Judge a line as soon as that is possible, so that it never grows without a bound."""
        if self._take_line == self._end_of_query and self._partial:
            self._take_line = self._operation_line
            self._refuse_end_of_query()
            del self._partial[0]
        if self._take_line == self._operation_line and len(self._partial) > _OPERATION_SIZE:
            self._take_line(bytes(self._partial))
        elif self._take_line == self._set_line and len(self._partial) > MAX_LINE:
            self._fail_set(UapiError(errno.EIO, _TOO_LONG))
        if self._take_line == self._skip_line:
            # Two bytes are enough to know that the line is not blank.
            self._count(len(self._partial[2:]))
            del self._partial[2:]
        elif self._take_line == self._ignore_line:
            self._partial.clear()

    def _refuse_end_of_query(self) -> None:
        self._operations.append(
            Failed(errno.EINVAL, "an operation that takes no lines must be followed by a blank one")
        )

    def _fail_set(self, error: UapiError) -> None:
        self._operations.append(Failed(error.errno, error.problem))
        self._set = SetParser()  # nobody wants what was read so far
        self._take_line = self._skip_line

    def _count(self, size: int) -> None:
        self._set_size += size
        if self._set_size > MAX_SET:
            if self._take_line == self._set_line:
                self._fail_set(UapiError(errno.EIO, f"a set of more than {MAX_SET} bytes"))
            self._close(f"a set of more than {MAX_SET} bytes")

    def _close(self, problem: str) -> None:
        self._operations.append(Close(problem))
        self._take_line = self._ignore_line
