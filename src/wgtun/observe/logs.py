"""How the daemon speaks: ``LEVEL: (wg0) 2026/01/31 12:00:00 text``, rate-limited.

Levels are those of `LOG_LEVEL`: verbose or debug, info, error, silent.
"""

from __future__ import annotations

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


def _make_handler(stream: TextIO | None, *, syslog: bool) -> logging.Handler:
    if sys.platform != "win32" and syslog:
        return _SyslogHandler()
    return logging.StreamHandler(stream or sys.stdout)


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
