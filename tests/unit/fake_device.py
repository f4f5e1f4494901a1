"""A device that only remembers, for tests of those who talk to one."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from wgtun.errors import UapiError
from wgtun.uapi.model import DeviceState, SetRequest
from wgtun.uapi.server import UapiServer
from wgtun.uapi.unix_socket import DIRECTORY, listen

EMPTY = DeviceState(None, 0, 0, [])


class FakeDevice:
    """Answers with `state`, collects requests, or refuses them."""

    def __init__(self, state: DeviceState = EMPTY) -> None:
        self.state = state
        self.extra: dict[str, Any] = {}
        self.requests: list[SetRequest] = []
        self.refuse: UapiError | None = None

    def get(self) -> DeviceState:
        return self.state

    def status(self) -> dict[str, Any]:
        return self.extra

    def set(self, request: SetRequest) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.requests.append(request)


@contextmanager
def served_in_background(devices: Mapping[str, FakeDevice], directory: str = DIRECTORY) -> Iterator[None]:
    """Serve these interfaces from a thread, for clients that block."""
    listeners = {name: listen(name, directory) for name in devices}
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        logger = logging.getLogger("test")
        servers = [UapiServer(listeners[name], device, logger) for name, device in devices.items()]
        await done.wait()
        for server in servers:
            await server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield
    finally:
        for listener in listeners.values():
            listener.remove_file()
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
