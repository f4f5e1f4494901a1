"""A blocking client of the configuration protocol, for programs at a shell."""

from __future__ import annotations

import errno
import json
import os
from typing import Any

from wgtun.errors import PlatformError, UapiError
from wgtun.uapi.get_message import parse_get
from wgtun.uapi.model import DeviceState, SetRequest
from wgtun.uapi.set_message import format_set
from wgtun.uapi.streams import DIRECTORY, connect, path_of, served

TIMEOUT = 30.0  # seconds without a byte
_READ_SIZE = 256 * 1024
_END = b"\n\n"


class UapiClient:
    """A connection to the daemon of one interface; a context manager."""

    def __init__(self, interface: str, directory: str = DIRECTORY) -> None:
        """Raises PlatformError when there is no such interface, or no permission."""
        path = path_of(interface, directory)
        self._interface = interface
        try:
            self._stream = connect(path, TIMEOUT)
        except OSError as error:
            raise PlatformError(_explain(interface, path, error)) from error

    def __enter__(self) -> UapiClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def get(self) -> DeviceState:
        """The state of the device. Raises UapiError or PlatformError."""
        return parse_get(self._exchange(b"get=1\n\n"))

    def status(self) -> dict[str, Any]:
        """What only wgtun's daemon tells (docs/uapi.md); empty for another, which ends the connection.

        Raises UapiError or PlatformError.
        """
        try:
            lines = self._exchange(b"status=1\n\n")
        except UapiError as error:
            if error.errno == errno.EPROTO:
                return {}
            raise
        answer: dict[str, Any] = json.loads(lines.removeprefix(b"status="))
        return answer

    def set(self, request: SetRequest) -> None:
        """Apply the request. Raises UapiError with the daemon's errno, or PlatformError."""
        self._exchange(b"set=1\n" + format_set(request) + b"\n")

    def _exchange(self, message: bytes) -> bytes:
        """Send an operation; returns the lines before the ``errno=0`` of its answer."""
        try:
            self._stream.sendall(message)
            answer = bytearray()
            while not answer.endswith(_END):
                data = self._stream.recv(_READ_SIZE)
                if not data:
                    raise UapiError(errno.EPROTO, f"{self._interface}: the daemon closed the connection")
                answer += data
        except TimeoutError as error:
            raise PlatformError(f"{self._interface}: the daemon does not answer") from error
        except OSError as error:
            raise PlatformError(f"{self._interface}: lost the connection to the daemon: {error.strerror}") from error
        lines, _, status = bytes(answer[: -len(_END)]).rpartition(b"\n")
        self._check_status(status)
        return lines

    def _check_status(self, line: bytes) -> None:
        key, _, digits = line.partition(b"=")
        if key != b"errno" or len(digits) > 9 or not digits.removeprefix(b"-").isdigit():
            raise UapiError(errno.EPROTO, f"{self._interface}: the daemon's answer has no errno")
        number = abs(int(digits))
        if number:
            raise UapiError(number, f"{self._interface}: the daemon refused: {os.strerror(number)}")


def interfaces(directory: str = DIRECTORY) -> list[str]:
    """The interfaces that a daemon serves, in the system's order. Raises PlatformError."""
    try:
        return list(served(directory))
    except OSError as error:
        raise PlatformError(f"can't list {directory}: {error.strerror}") from error


def _explain(interface: str, path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return f"no userspace interface {interface}: nobody serves {path}"
    if isinstance(error, PermissionError):
        return f"no permission to configure {interface}; try as root"
    return f"can't reach {path}: {error.strerror or error}"
