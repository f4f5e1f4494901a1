"""`wireguard-py`: the daemon behind one WireGuard interface, a drop-in for `wireguard-go`.

A background start opens the TUN and the configuration socket while there is a terminal to
complain to, then forks. The caller waits for the first process, and that one waits until the
daemon says over a pipe that it is ready, or why not.
"""

from __future__ import annotations

import sys

assert sys.platform != "win32"

import os
import signal
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from wgtun import __version__
from wgtun.errors import TunnelGone, WireGuardError

if TYPE_CHECKING:
    import asyncio
    import logging

    from wgtun.device import Device
    from wgtun.observe.key_log import KeyLog
    from wgtun.platform.interface import LinkMonitor, Tun
    from wgtun.uapi.unix_socket import ListeningSocket

_USAGE = "usage: wireguard-py [-f | --foreground] INTERFACE-NAME\n       wireguard-py --version | --help\n"
_HELP = (
    _USAGE
    + """
Run a WireGuard interface in userspace; configure it with wg(8), ip(8) or wg-quick(8).

  -f, --foreground  stay in the foreground
  --version         show the version and the engine in use
  --help            show this text

Environment:
  LOG_LEVEL              verbose (or debug), info, error (default), silent
  WG_TUN_FD              use this open TUN descriptor
  WG_UAPI_FD             use this listening Unix socket
  WG_PROCESS_FOREGROUND  1: stay in the foreground
  WG_TUN_NAME_FILE       macOS and OpenBSD: write the name that was chosen for utun or tun to this file
  WGTUN_ENGINE           native or python (default: native where it is installed)
  WGTUN_OFFLOAD          off, or some of no-tso,no-uso,no-gso,no-gro,no-mac1: do without these offloads
  WGTUN_QUEUES           how many threads read from the TUN (default: one for every two cores)
  WGTUN_SANDBOX          off, or some of no-core,no-capabilities,no-landlock,no-seccomp: keep these powers
  WGTUN_KEY_LOG          DEBUGGING ONLY: append session secrets to this file, for tshark
"""
)
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_READY = b"ready"
_ROUTES_SETTLE = 0.05  # seconds; a changed default route is several messages


class _StartError(Exception):
    """The daemon can't start; the text says why."""


def main() -> int:
    """Entry point; the exit status is 0, 1 for a failed start, 2 for wrong usage."""
    # A signal during start waits until there is somebody who can clean up.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(_version_text())
        return 0
    if arguments in (["--help"], ["-h"]):
        sys.stdout.write(_HELP)
        return 0
    foreground = bool(arguments) and arguments[0] in ("-f", "--foreground")
    names = arguments[foreground:]
    if len(names) != 1 or names[0].startswith("-"):
        sys.stderr.write(_USAGE)
        return 2
    foreground = foreground or os.environ.get("WG_PROCESS_FOREGROUND") == "1"
    try:
        tun, listener = _open(names[0])
        if not foreground:
            return _start_in_background(tun, listener)
        try:
            return _run(tun, listener, None, syslog=False)
        except TunnelGone:  # removed while we started: no other end than if it were removed later
            return 0
    except (_StartError, WireGuardError) as error:
        sys.stderr.write(f"wireguard-py: {names[0]}: {error}\n")
        return 1


def _version_text() -> str:
    from wgtun.backend import backend

    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    return (
        f"wireguard-py v{__version__}\n\n"
        f"Userspace WireGuard daemon for {sys.platform}-{machine}, {backend()} engine.\n"
        "Information available at https://www.wireguard.com.\n"
        "Copyright (C) the wgtun authors. WireGuard is a registered trademark of Jason A. Donenfeld.\n"
    )


# --- background start ----------------------------------------------------------------------------


def _start_in_background(tun: Tun, listener: ListeningSocket) -> int:
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
    raise _StartError(answer.decode(errors="replace") or "the daemon ended while it started")


def _be_the_daemon(tun: Tun, listener: ListeningSocket, tell_ready: int) -> int:
    """The second process: leave the caller's session, directory, streams and descriptors alone."""
    os.setsid()
    os.chdir("/")
    level = os.environ.get("LOG_LEVEL")
    keep_streams = bool(level) and level != "silent"
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0,) if keep_streams else (0, 1, 2):
        os.dup2(null, stream)
    start = 3
    for kept in sorted((tun.fileno(), listener.fileno(), tell_ready)):
        os.closerange(start, kept)
        start = kept + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))
    try:
        return _run(tun, listener, tell_ready, syslog=not keep_streams)
    except (_StartError, WireGuardError) as error:
        _tell(tell_ready, str(error).encode())
        return 1


def _tell(ready: int, answer: bytes) -> None:
    try:
        os.write(ready, answer)
    except BrokenPipeError:  # the first process was killed; nobody waits
        pass
    os.close(ready)


# --- the interface -------------------------------------------------------------------------------


def _open(name: str) -> tuple[Tun, ListeningSocket]:
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
        raise _StartError(f"{variable} is not {kind}: {text!r}")
    return int(text)


def _run(tun: Tun, listener: ListeningSocket, ready: int | None, *, syslog: bool) -> int:
    """Be the daemon, until a signal, or until the interface or the socket is gone."""
    import asyncio

    from wgtun.observe.logs import level_from_text, make_logger

    with ExitStack() as cleanup:
        cleanup.callback(tun.close)
        cleanup.callback(listener.remove_file)
        logger = make_logger(tun.name, level_from_text(os.environ.get("LOG_LEVEL", "")), syslog=syslog)
        with asyncio.Runner() as runner:
            return runner.run(_serve(cleanup, tun, listener, logger, ready))


async def _serve(
    cleanup: ExitStack, tun: Tun, listener: ListeningSocket, logger: logging.Logger, ready: int | None
) -> int:
    """Returns the exit status."""
    import asyncio

    from wgtun import platform
    from wgtun.backend import backend
    from wgtun.device import Device
    from wgtun.uapi.server import UapiServer

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(partial(_log_internal_error, logger))
    stop = asyncio.Event()
    status = 0

    def failed() -> None:
        nonlocal status
        status = 1
        stop.set()

    def restrict() -> None:
        logger.info("Sandbox: %s", platform.restrict(os.path.dirname(listener.path) or None))

    logger.info("Starting wireguard-py version %s, %s engine", __version__, backend())
    link = platform.monitor_link(tun)
    cleanup.callback(link.close)
    device = Device(
        loop,
        tun,
        platform.open_underlay(),
        clock=platform.clock,
        logger=logger,
        on_removed=stop.set,
        on_failed=failed,
        before_threads=restrict,
        key_log=_open_key_log(cleanup, logger),
    )
    with ExitStack() as watches:
        watches.callback(device.close)
        _follow_link(watches, loop, link, device, stop)
        _follow_routes(watches, loop, device)
        _follow_socket(watches, loop, listener, stop)
        server = UapiServer(listener, device, logger)
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if ready is not None:
            _tell(ready, _READY)
        logger.info("UAPI listener started")
        await stop.wait()
        dropped = ", ".join(f"{count} {reason}" for reason, count in device.drops().items() if count)
        logger.info("Shutting down; dropped so far: %s", dropped or "nothing")
        listener.remove_file()  # first, so that nobody is sent to a daemon that ends
        await server.close()
    return status


def _log_internal_error(logger: logging.Logger, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A bug; say so and go on, since the other peers are none the worse for it."""
    logger.error("Internal error: %s", context["message"], exc_info=context.get("exception"))


def _open_key_log(cleanup: ExitStack, logger: logging.Logger) -> KeyLog | None:
    path = os.environ.get("WGTUN_KEY_LOG")
    if not path:
        return None
    from wgtun.observe.key_log import KeyLog

    try:
        key_log = KeyLog(path)
    except OSError as error:
        raise _StartError(f"WGTUN_KEY_LOG: can't write {path}: {error.strerror}") from None
    cleanup.callback(key_log.close)
    logger.error("DANGER: session secrets are written to %s (WGTUN_KEY_LOG); whoever reads it reads the traffic", path)
    return key_log


def _follow_link(
    cleanup: ExitStack, loop: asyncio.AbstractEventLoop, link: LinkMonitor, device: Device, stop: asyncio.Event
) -> None:
    """Tell the device of up, down and MTU, and stop when the interface is gone."""

    def changed() -> None:
        state = link.read()
        if state.gone:
            stop.set()
            return
        device.set_mtu(state.mtu)
        device.set_up(state.up)

    link.watch(loop, changed)
    changed()


def _follow_routes(cleanup: ExitStack, loop: asyncio.AbstractEventLoop, device: Device) -> None:
    """Tell the device when routes or addresses changed; changes that come together count as one."""
    from wgtun import platform

    routes = platform.monitor_routes()
    cleanup.callback(routes.close)
    settling = False

    def changed() -> None:
        nonlocal settling
        routes.drain()
        if not settling:
            settling = True
            loop.call_later(_ROUTES_SETTLE, settled)

    def settled() -> None:
        nonlocal settling
        settling = False
        device.routes_changed(routes.is_current)

    routes.watch(loop, changed)


def _follow_socket(
    cleanup: ExitStack, loop: asyncio.AbstractEventLoop, listener: ListeningSocket, stop: asyncio.Event
) -> None:
    """Stop when the configuration socket is removed, renamed or replaced."""
    from wgtun import platform

    if not listener.path:  # an adopted socket without a file
        return
    watch = platform.watch_directory(os.path.dirname(listener.path))
    cleanup.callback(watch.close)

    def changed() -> None:
        watch.drain()
        if not listener.still_there():
            stop.set()

    watch.watch(loop, changed)
    changed()


if __name__ == "__main__":
    sys.exit(main())
