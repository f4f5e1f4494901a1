"""Serves the configuration protocol on a listening socket.

Nothing that a client does delays another one: every connection has a task of its own, a request is read whole before
the device sees it, an answer is written in pieces, and each wait has a limit.
"""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from wgtun.errors import UapiError
from wgtun.uapi.framing import Close, Failed, Get, RequestParser, Set, Status, status
from wgtun.uapi.get_message import format_get

if TYPE_CHECKING:
    import logging

    from wgtun.uapi.model import DeviceState, SetRequest

MAX_CONNECTIONS = 256
REQUEST_TIMEOUT = 30.0  # seconds without a byte in the middle of a request
ANSWER_TIMEOUT = 10.0  # seconds for a client to take one piece of an answer
_READ_SIZE = 16 * 1024  # about a millisecond of parsing, then others get their turn
_WRITE_SIZE = 64 * 1024
_ACCEPT_RETRY = 0.5  # seconds to wait when the system has no descriptors or no memory


class Connection(Protocol):
    """A client's connection: a stream. Its methods raise OSError; a cancelled one may have done a part."""

    async def receive(self, size: int) -> bytes:
        """What there is, at most so much; empty at the end."""

    async def send(self, data: memoryview) -> None:
        """All of it."""

    def close(self) -> None: ...


class Listener(Protocol):
    """Where clients come in."""

    async def accept_client(self) -> Connection: ...
    def close(self) -> None: ...


class Handler(Protocol):
    """The device behind the server."""

    def get(self) -> DeviceState:
        """The state to answer with; it is read before this task waits again."""

    def status(self) -> dict[str, Any]:
        """What else there is to know, ready for JSON; see docs/uapi.md."""

    def set(self, request: SetRequest) -> None:
        """Apply the request whole, or raise UapiError and change nothing."""


class UapiServer:
    """Answers the clients of `listener`, which it owns. Create it on a running event loop."""

    def __init__(
        self,
        listener: Listener,
        handler: Handler,
        logger: logging.Logger,
        *,
        max_connections: int = MAX_CONNECTIONS,
        request_timeout: float = REQUEST_TIMEOUT,
        answer_timeout: float = ANSWER_TIMEOUT,
    ) -> None:
        self._listener = listener
        self._handler = handler
        self._logger = logger
        self._max_connections = max_connections
        self._request_timeout = request_timeout
        self._answer_timeout = answer_timeout
        self._loop = asyncio.get_running_loop()
        # In the order of the last completed operation, oldest first.
        self._connections: dict[asyncio.Task[None], None] = {}
        self._accepting = self._loop.create_task(self._accept())

    async def close(self) -> None:
        """Stop at once: no more clients, all connections closed. The socket's file is left to its owner."""
        tasks = [self._accepting, *self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()

    async def _accept(self) -> None:
        while True:
            try:
                connection = await self._listener.accept_client()
            except OSError as error:
                self._logger.error("Unable to accept a UAPI connection: %s", error)
                await asyncio.sleep(_ACCEPT_RETRY)
                continue
            if len(self._connections) >= self._max_connections:
                longest_idle = next(iter(self._connections))
                del self._connections[longest_idle]
                longest_idle.cancel()
            task = self._loop.create_task(self._serve(connection))
            self._connections[task] = None
            task.add_done_callback(partial(self._end, connection))
            await asyncio.sleep(0)  # accept_client need not wait while somebody queues

    def _end(self, connection: Connection, task: asyncio.Task[None]) -> None:
        connection.close()
        self._connections.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._logger.error("UAPI connection failed", exc_info=error)

    async def _serve(self, connection: Connection) -> None:
        parser = RequestParser()
        try:
            while True:
                async with asyncio.timeout(None if parser.idle else self._request_timeout):
                    data = await connection.receive(_READ_SIZE)
                for operation in parser.feed(data) if data else parser.end():
                    if isinstance(operation, Close):
                        if operation.problem:
                            self._logger.error("%s", operation.problem)
                        return
                    await self._answer(connection, self._perform(operation))
                    self._mark_active()
                await asyncio.sleep(0)  # neither need receive while there is data
        except TimeoutError:
            self._logger.error("UAPI connection closed: the client did not go on with its request or its answer")
        except ConnectionError:
            return  # the client went away

    def _perform(self, operation: Get | Status | Set | Failed) -> bytes:
        """Carry an operation out; returns the answer."""
        try:
            if isinstance(operation, Get):
                return format_get(self._handler.get()) + status(0)
            if isinstance(operation, Status):
                return b"status=%b\n" % json.dumps(self._handler.status()).encode() + status(0)
            if isinstance(operation, Set):
                self._handler.set(operation.request)
                return status(0)
            number, problem = operation.errno, operation.problem
        except UapiError as error:
            number, problem = error.errno, error.problem
        self._logger.error("IPC error %d: %s", -number, problem)
        return status(number)

    async def _answer(self, connection: Connection, answer: bytes) -> None:
        view = memoryview(answer)
        for start in range(0, len(view), _WRITE_SIZE):
            async with asyncio.timeout(self._answer_timeout):
                await connection.send(view[start : start + _WRITE_SIZE])
        await asyncio.sleep(0)  # nor send while there is room

    def _mark_active(self) -> None:
        """This task's connection was used last."""
        task = asyncio.current_task()
        if task in self._connections:  # else it is being evicted
            del self._connections[task]
            self._connections[task] = None
