"""How the daemon speaks: ``LEVEL: (wg0) 2026/01/31 12:00:00 text``, rate-limited.

Levels are those of `LOG_LEVEL`: verbose or debug, info, error, silent.
"""

from __future__ import annotations

import io
import logging
import sys
import time
from typing import TextIO

LEVELS = {
    "verbose": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "error": logging.ERROR,
    "silent": logging.CRITICAL + 1,
}


def level_from_text(text: str) -> int:
    """The level that a LOG_LEVEL asks for; anything unknown means errors only."""
    return LEVELS.get(text, logging.ERROR)


class RateLimit(logging.Filter):
    """At most `burst` lines a second for each place in the code that logs; says how many it held back.

    What an attacker or a broken route causes repeats by the thousand; one look is enough.
    """

    def __init__(self, burst: int = 20) -> None:
        super().__init__()
        self._burst = burst
        self._second = 0
        self._counts: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._counts.clear()
        place = (record.pathname, record.lineno)
        count = self._counts[place] = self._counts.get(place, 0) + 1
        if count == self._burst:
            record.msg = f"{record.msg} (more of these in this second are not shown)"
        return count <= self._burst


class _Formatter(logging.Formatter):
    def __init__(self, interface: str, *, dated: bool) -> None:
        date = "%(asctime)s " if dated else ""
        super().__init__(f"%(levelname)s: ({interface}) {date}%(message)s", datefmt="%Y/%m/%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """With escapes for bytes of names that are not UTF-8."""
        return super().format(record).encode(errors="backslashreplace").decode()


def _make_handler(stream: TextIO | None, *, syslog: bool) -> logging.Handler:
    if sys.platform != "win32" and syslog:
        return _SyslogHandler()
    return _StreamHandler(stream or _standard_output())


def _standard_output() -> TextIO:
    """Without a buffer: what could not be written would be tried again while Python exits."""
    if sys.platform == "win32":
        return sys.stdout
    raw = io.FileIO(sys.stdout.fileno(), "w", closefd=False)
    return io.TextIOWrapper(raw, sys.stdout.encoding, "backslashreplace", write_through=True)


class _StreamHandler(logging.StreamHandler[TextIO]):
    """To a stream; to the system log once that takes nothing more: its reader or terminal is gone, its disk full."""

    _instead: logging.Handler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self._instead is None:
            super().emit(record)
        else:
            self._instead.emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging calls it so
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)
        elif sys.platform != "win32":
            self._instead = _SyslogHandler()
            self._instead.setFormatter(self.formatter)
            self._instead.emit(record)


if sys.platform != "win32":

    class _SyslogHandler(logging.Handler):
        """To the system log, for a daemon without a terminal. `syslog` exists on every Unix."""

        def __init__(self) -> None:
            super().__init__()
            import syslog

            self._write = syslog.syslog
            self._priorities = {
                logging.DEBUG: syslog.LOG_DEBUG,
                logging.INFO: syslog.LOG_INFO,
                logging.ERROR: syslog.LOG_ERR,
            }
            self._default = syslog.LOG_WARNING
            syslog.openlog("wireguard-py", syslog.LOG_PID, syslog.LOG_DAEMON)

        def emit(self, record: logging.LogRecord) -> None:
            self._write(self._priorities.get(record.levelno, self._default), self.format(record))


def make_logger(interface: str, level: int, stream: TextIO | None = None, *, syslog: bool = False) -> logging.Logger:
    """The logger of one device, writing to `stream` (default: standard output) or to the system log."""
    logger = logging.Logger(f"wgtun.{interface}", level)
    handler = _make_handler(stream, syslog=syslog)
    handler.setFormatter(_Formatter(interface, dated=not syslog))
    handler.addFilter(RateLimit())
    logger.addHandler(handler)
    return logger
