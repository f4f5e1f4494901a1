"""A device behind one interface, from its start to its end: what every system's daemon has in common."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from wgtun import __version__, platform
from wgtun.backend import backend
from wgtun.cli.start_error import StartError
from wgtun.device import Device
from wgtun.observe.key_log import KeyLog
from wgtun.observe.logs import level_from_text, make_logger
from wgtun.uapi.server import Listener, UapiServer

if TYPE_CHECKING:
    import logging

    from wgtun.platform.interface import LinkMonitor, RouteMonitor, Tun

_ROUTES_SETTLE = 0.05  # seconds; a changed default route is several messages

Started = Callable[[asyncio.AbstractEventLoop, Callable[[], None]], None]
"""Called when all is in place, with the loop, and what stops it all."""


class DaemonListener(Listener, Protocol):
    """Where clients come in, with the file that others find it by; see `uapi.unix_socket.ListeningSocket`."""

    path: str

    def still_there(self) -> bool: ...
    def remove_file(self) -> None: ...


def run(tun: Tun, listener: DaemonListener, started: Started, *, syslog: bool) -> int:
    """Serve until somebody stops it, or until the interface or the socket is gone; the exit status."""
    with ExitStack() as cleanup:
        cleanup.callback(tun.close)
        cleanup.callback(listener.remove_file)
        logger = make_logger(tun.name, level_from_text(os.environ.get("LOG_LEVEL", "")), syslog=syslog)
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(_serve(cleanup, tun, listener, logger, started))


async def _serve(
    cleanup: ExitStack, tun: Tun, listener: DaemonListener, logger: logging.Logger, started: Started
) -> int:
    """Returns the exit status."""
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
    with ExitStack() as watches:
        # Both before the device, which calls `restrict`: a sandbox may refuse their sockets.
        link = platform.monitor_link(tun)
        watches.callback(link.close)
        routes = platform.monitor_routes()
        watches.callback(routes.close)
        device = Device(
            loop,
            tun,
            platform.open_underlay(tun),
            clock=platform.clock,
            logger=logger,
            on_removed=stop.set,
            on_failed=failed,
            before_threads=restrict,
            key_log=_open_key_log(cleanup, logger),
        )
        watches.callback(device.close)
        _follow_link(loop, link, device, stop)
        _follow_routes(loop, routes, device)
        if listener.path:
            _follow_socket(watches, loop, listener, stop)
        server = UapiServer(listener, device, logger)
        started(loop, stop.set)
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
    try:
        key_log = KeyLog(path)
    except OSError as error:
        raise StartError(f"WGTUN_KEY_LOG: can't write {path}: {error.strerror}") from None
    cleanup.callback(key_log.close)
    logger.error("DANGER: session secrets are written to %s (WGTUN_KEY_LOG); whoever reads it reads the traffic", path)
    return key_log


def _follow_link(loop: asyncio.AbstractEventLoop, link: LinkMonitor, device: Device, stop: asyncio.Event) -> None:
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


def _follow_routes(loop: asyncio.AbstractEventLoop, routes: RouteMonitor, device: Device) -> None:
    """Tell the device when routes or addresses changed; changes that come together count as one."""
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
        device.routes_changed(routes.source_state)

    routes.watch(loop, changed)


def _follow_socket(
    cleanup: ExitStack, loop: asyncio.AbstractEventLoop, listener: DaemonListener, stop: asyncio.Event
) -> None:
    """Stop when the configuration socket is removed, renamed or replaced."""
    watch = platform.watch_directory(os.path.dirname(listener.path))
    cleanup.callback(watch.close)

    def changed() -> None:
        watch.drain()
        if not listener.still_there():
            stop.set()

    watch.watch(loop, changed)
    changed()
