"""The daemon on Unix: in the foreground, or as a process of its own.

A background start opens the TUN and the configuration socket while there is a terminal to
complain to, then forks. The caller waits for the first process, and that one waits until the
daemon says over a pipe that it is ready, or why not.
"""

from __future__ import annotations

import sys

assert sys.platform != "win32"

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from wgtun.cli.start_error import StartError
from wgtun.errors import TunnelGone, WireGuardError

if TYPE_CHECKING:
    import asyncio

    from wgtun.platform.interface import DescriptorTun
    from wgtun.uapi.unix_socket import ListeningSocket

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_READY = b"ready"


def run_words(arguments: list[str]) -> int | None:
    """Do what these words say; None when they mean nothing."""
    # A signal during start waits until there is somebody who can clean up.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    foreground = bool(arguments) and arguments[0] in ("-f", "--foreground")
    names = arguments[foreground:]
    if len(names) != 1 or not names[0] or names[0].startswith("-"):
        return None
    tun, listener = _open(names[0])
    if not foreground and os.environ.get("WG_PROCESS_FOREGROUND") != "1":
        return _start_in_background(tun, listener)
    try:
        return _serve(tun, listener, lambda: None, syslog=False)
    except TunnelGone:  # removed while we started: no other end than if it were removed later
        return 0


# --- background start ----------------------------------------------------------------------------


def _start_in_background(tun: DescriptorTun, listener: ListeningSocket) -> int:
    if os.path.exists("/sys/module/wireguard"):
        sys.stderr.write("wireguard-py: this kernel has WireGuard; `ip link add NAME type wireguard` needs no daemon\n")
    ready, tell_ready = os.pipe()
    if os.fork() == 0:
        os.close(ready)
        return _be_the_daemon(tun, listener, tell_ready)
    os.close(tell_ready)
    # From here on a signal ends this process alone; the daemon is in nobody's way.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    answer = b""
    while chunk := os.read(ready, 4096):
        answer += chunk
    if answer == _READY:
        return 0
    listener.remove_file()
    raise StartError(answer.decode(errors="replace") or "the daemon ended while it started")


def _be_the_daemon(tun: DescriptorTun, listener: ListeningSocket, tell_ready: int) -> int:
    """The second process: leave the caller's session, directory, streams and descriptors alone."""
    os.setsid()
    os.chdir("/")
    level = os.environ.get("LOG_LEVEL")
    keep_streams = bool(level) and level != "silent"
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0,) if keep_streams else (0, 1, 2):
        os.dup2(null, stream)
    start = 3
    for kept in sorted((*tun.filenos(), listener.fileno(), tell_ready)):
        os.closerange(start, kept)
        start = kept + 1
    os.closerange(start, _end_of_descriptors())
    try:
        tun.take_over()
        return _serve(tun, listener, partial(_tell, tell_ready, _READY), syslog=not keep_streams)
    except (StartError, WireGuardError) as error:
        _tell(tell_ready, str(error).encode(errors="backslashreplace"))
        return 1


def _end_of_descriptors() -> int:
    """Above all that are open. On macOS there is often no limit, and every number below it would be tried."""
    if sys.platform == "darwin":
        return max(map(int, os.listdir("/dev/fd"))) + 1
    return os.sysconf("SC_OPEN_MAX")


def _tell(ready: int, answer: bytes) -> None:
    try:
        os.write(ready, answer)
    except BrokenPipeError:  # the first process was killed; nobody waits
        pass
    os.close(ready)


# --- the interface -------------------------------------------------------------------------------


def _open(name: str) -> tuple[DescriptorTun, ListeningSocket]:
    """Open, or adopt from the environment, the TUN and the listening configuration socket."""
    from wgtun import platform
    from wgtun.backend import backend
    from wgtun.uapi import unix_socket

    tun_fd = _descriptor("WG_TUN_FD")
    uapi_fd = _descriptor("WG_UAPI_FD")
    native = backend() == "native"
    if tun_fd is None:
        tun = platform.open_tun(name, offload=native, queues=_queues() if native else 1)
    else:
        tun = platform.adopt_tun(tun_fd, offload=native)
    try:
        listener = unix_socket.listen(tun.name) if uapi_fd is None else unix_socket.adopt(uapi_fd)
    except BaseException:
        tun.close()
        raise
    return tun, listener


def _descriptor(variable: str) -> int | None:
    return _number(variable, "a descriptor number", range(2**31))


def _queues() -> int:
    """How many threads read from the TUN: one for every two cores, since the other direction needs its own."""
    wanted = _number("WGTUN_QUEUES", "a number from 1 to 64", range(1, 65))
    return wanted or max(1, min(8, (os.cpu_count() or 1) // 2))


def _number(variable: str, kind: str, allowed: range) -> int | None:
    text = os.environ.get(variable)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text) not in allowed:
        raise StartError(f"{variable} is not {kind}: {text!r}")
    return int(text)


def _serve(tun: DescriptorTun, listener: ListeningSocket, ready: Callable[[], None], *, syslog: bool) -> int:
    """Be the daemon, until a signal, or until the interface or the socket is gone; the exit status."""
    from wgtun.cli.serving import run

    def started(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        ready()

    return run(tun, listener, started, syslog=syslog)
