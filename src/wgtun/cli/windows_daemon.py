"""The daemon on Windows: in a console, or as a service. There is no going into the background by itself.

A service runs this same program with the word `--service`; `services.py` of the platform talks to the system.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from wgtun.cli.start_error import StartError
from wgtun.errors import WireGuardError

if TYPE_CHECKING:
    import asyncio

_SERVICE_WORDS = ("--install", "--start", "--stop", "--remove", "--service")


def run_words(arguments: list[str]) -> int | None:
    """Do what these words say; None when they mean nothing."""
    if len(arguments) == 2 and arguments[0] in _SERVICE_WORDS and not arguments[1].startswith("-"):
        return _run_service_word(*arguments)
    foreground = bool(arguments) and arguments[0] in ("-f", "--foreground")
    names = arguments[foreground:]
    if len(names) != 1 or not names[0] or names[0].startswith("-"):
        return None
    from wgtun.platform.windows.console import stopped_by_console

    return _serve(names[0], stopped_by_console)


def _run_service_word(word: str, name: str) -> int:
    from wgtun.platform.windows import services

    service = f"wireguard-py${name}"
    if word == "--install":
        services.install(service, f"WireGuard in Python: {name}", _command_line(name))
    elif word == "--start":
        services.start(service)
    elif word == "--stop":
        services.stop(service)
    elif word == "--remove":
        services.remove(service)
    else:
        return services.be(service, lambda until_stopped: _serve_quietly(name, until_stopped))
    return 0


def _command_line(name: str) -> str:
    """What the system starts the service with."""
    from subprocess import list2cmdline

    return list2cmdline([sys.executable, "-m", "wgtun.cli.daemon", "--service", name])


def _serve_quietly(name: str, until_stopped: Callable[[Callable[[], None]], None]) -> int:
    """A service has no streams, and nobody to complain to but the system, which takes an exit status."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        sys.stdout = sys.stderr = nowhere
        try:
            return _serve(name, until_stopped)
        except (StartError, WireGuardError):
            return 1


def _serve(name: str, until_stopped: Callable[[Callable[[], None]], None]) -> int:
    """Be the daemon. `until_stopped` is told that it runs, and how it is stopped, from any thread."""
    from wgtun import platform
    from wgtun.cli.serving import run
    from wgtun.platform.windows.named_pipe import PipeListener

    tun = platform.open_tun(name)
    try:
        listener = PipeListener(name)
    except BaseException:
        tun.close()
        raise

    def started(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
        until_stopped(lambda: _call_soon(loop, stop))

    return run(tun, listener, started, syslog=False)


def _call_soon(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(stop)
    except RuntimeError:  # it has ended already
        pass
