"""The server on real Unix sockets: nobody waits for anybody, and the end comes at once."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.unit.fake_device import EMPTY, FakeDevice
from wgtun.allowed_ip import AllowedIP
from wgtun.errors import UapiError
from wgtun.keys import PresharedKey, PublicKey
from wgtun.uapi.model import PeerState, SetRequest
from wgtun.uapi.server import UapiServer
from wgtun.uapi.unix_socket import listen

GET = b"get=1\n\n"
GOT = b"errno=0\n\n"


class Client:
    """A client that does exactly what a test says."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.socket.setblocking(False)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def receive(self, ending: bytes = b"\n\n") -> bytes:
        """What arrives up to this ending, or up to the end of the connection."""
        answer = b""
        async with asyncio.timeout(5):
            while not answer.endswith(ending):
                try:
                    data = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 20)
                except ConnectionResetError:  # closed with bytes of ours unread
                    break
                if not data:
                    break
                answer += data
        return answer

    async def ask(self, data: bytes) -> bytes:
        await self.send(data)
        return await self.receive()

    async def is_closed(self) -> bool:
        return await self.receive(ending=b"never") == b""


class Setup:
    def __init__(self, server: UapiServer, device: FakeDevice, path: str) -> None:
        self.server = server
        self.device = device
        self._path = path
        self.clients: list[Client] = []

    def client(self) -> Client:
        client = Client(self._path)
        self.clients.append(client)
        return client


@asynccontextmanager
async def served(directory: Path, device: FakeDevice | None = None, **limits: float) -> AsyncIterator[Setup]:
    listener = listen("wg0", str(directory))
    device = device or FakeDevice()
    server = UapiServer(listener, device, logging.getLogger("test"), **limits)  # type: ignore[arg-type]
    setup = Setup(server, device, listener.path)
    try:
        yield setup
    finally:
        await server.close()
        for client in setup.clients:
            client.socket.close()
    assert len(asyncio.all_tasks()) == 1, "a task was left behind"


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(limited())


def large_device() -> FakeDevice:
    """A device whose answer is larger than any socket buffer."""
    prefixes = [AllowedIP(bytes((10, 0, i >> 8, i & 255)), 32) for i in range(65536)]
    peer = PeerState(PublicKey(bytes(32)), PresharedKey(bytes(32)), None, 0, 0, 0, 0, prefixes)
    return FakeDevice(EMPTY._replace(peers=[peer]))


def test_operations_follow_one_another_on_one_connection(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path) as setup:
            client = setup.client()
            assert await client.ask(GET) == GOT
            assert await client.ask(b"set=1\nfwmark=5\n\n") == GOT
            assert setup.device.requests == [SetRequest(fwmark=5)]
            assert await client.ask(b"set=1\nfwmark=x\nlisten_port=1\n\n") == b"errno=-22\n\n"
            assert await client.ask(b"get=1\nx") == b"errno=-22\n\n"
            assert await client.ask(GET) == GOT
            assert len(setup.device.requests) == 1

    run(test)


@pytest.mark.defect(8)
def test_bytes_after_a_set_are_used(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path) as setup:
            client = setup.client()
            await client.send(b"set=1\n\n" + GET + b"set=1\nbad\n\n" + GET + b"bad\n")
            answer = await client.receive(ending=b"never")
            assert answer == GOT + GOT + b"errno=-%d\n\n" % errno.EPROTO + GOT

    run(test)


def test_an_unknown_operation_is_logged_and_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with served(tmp_path) as setup:
            client = setup.client()
            await client.send(b"status\n")
            assert await client.is_closed()

    run(test)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "invalid UAPI operation" in caplog.text


def test_a_half_close_ends_a_set_with_success(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path) as setup:
            client = setup.client()
            await client.send(b"set=1\nfwmark=9\n")
            client.socket.shutdown(socket.SHUT_WR)
            assert await client.receive(ending=b"never") == GOT
            assert setup.device.requests == [SetRequest(fwmark=9)]

    run(test)


def test_the_devices_refusal_is_answered_and_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        device = FakeDevice()
        device.refuse = UapiError(errno.EADDRINUSE, "listen_port: in use")
        async with served(tmp_path, device) as setup:
            assert await setup.client().ask(b"set=1\nlisten_port=1\n\n") == b"errno=-%d\n\n" % errno.EADDRINUSE

    run(test)
    assert [record.getMessage() for record in caplog.records] == [f"IPC error -{errno.EADDRINUSE}: listen_port: in use"]


def test_probes_that_close_at_once_are_silent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with served(tmp_path) as setup:
            for _ in range(100):
                setup.client().socket.close()
            assert await setup.client().ask(GET) == GOT

    run(test)
    assert not caplog.records


def test_a_client_that_leaves_before_its_answer_harms_nobody(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path, large_device()) as setup:
            leaving = setup.client()
            await leaving.send(GET * 3)
            leaving.socket.close()
            assert (await setup.client().ask(GET)).endswith(GOT)

    run(test)


def test_a_stalled_client_blocks_nobody_and_changes_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path) as setup:
            stalled = [setup.client() for _ in range(20)]
            for client in stalled:
                await client.send(b"set=1\nfwmark=5\n")
            other = setup.client()
            assert await other.ask(GET) == GOT
            assert await other.ask(b"set=1\nfwmark=6\n\n") == GOT
            assert setup.device.requests == [SetRequest(fwmark=6)]

    run(test)


def test_a_half_sent_request_has_a_limit_and_an_idle_connection_has_none(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path, request_timeout=0.1) as setup:
            idle, stalled = setup.client(), setup.client()
            assert await idle.ask(GET) == GOT
            await stalled.send(b"set=1\nfwmark=5\n")
            assert await stalled.is_closed()
            await asyncio.sleep(0.2)
            assert await idle.ask(GET) == GOT
            assert setup.device.requests == []

    run(test)


def test_a_client_that_never_reads_blocks_nobody_and_is_dropped(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path, large_device(), answer_timeout=1) as setup:
            silent = setup.client()
            await silent.send(GET * 50)
            assert (await setup.client().ask(GET)).endswith(GOT)
            await asyncio.sleep(1.5)
            assert not (await silent.receive(ending=b"never")).endswith(GOT)  # cut off in its first answer

    run(test)


def test_300_connections_leave_the_most_recently_used_ones(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path, max_connections=256) as setup:
            clients: list[Client] = []
            for number in range(300):
                if number == 250:
                    assert await clients[0].ask(GET) == GOT  # used last: not the next to go
                clients.append(setup.client())
                assert await clients[-1].ask(GET) == GOT
            for number, client in enumerate(clients):
                if 1 <= number <= 44:
                    assert await client.is_closed()
                else:
                    assert await client.ask(GET) == GOT

    run(test)


@pytest.mark.parametrize("said", [b"", b"ge", b"get=1\n", b"set=1\nfwmark=1\n", b"set=1\nbad\n", GET * 50])
def test_closing_takes_no_time_whatever_clients_do(tmp_path: Path, said: bytes) -> None:
    async def test() -> None:
        async with served(tmp_path, large_device()) as setup:
            clients = [setup.client() for _ in range(20)]
            for client in clients:
                await client.send(said)
            await asyncio.sleep(0.05)
            start = time.monotonic()
            await setup.server.close()
            assert time.monotonic() - start < 1
            for client in clients:
                await client.receive(ending=b"never")  # ends: the connection is closed

    run(test)


def test_closing_right_after_a_connection_came_leaves_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path) as setup:
            clients = [setup.client() for _ in range(5)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await setup.server.close()
            for client in clients:
                assert await client.is_closed()

    run(test)


def test_a_bug_in_the_device_closes_one_connection_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeDevice):
        def set(self, request: SetRequest) -> None:
            raise RuntimeError("a bug")

    async def test() -> None:
        async with served(tmp_path, Broken()) as setup:
            client = setup.client()
            await client.send(b"set=1\n\n")
            assert await client.is_closed()
            assert await setup.client().ask(GET) == GOT

    run(test)
    assert "UAPI connection failed" in caplog.text


def test_large_sets_are_applied_in_good_time(tmp_path: Path) -> None:
    prefixes = b"".join(b"allowed_ip=10.%d.%d.%d/32\n" % (i >> 16, i >> 8 & 255, i & 255) for i in range(131_072))
    peers = b"".join(b"public_key=%064x\nallowed_ip=10.0.%d.%d/32\n" % (i, i >> 8, i & 255) for i in range(10_000))

    async def test() -> None:
        async with served(tmp_path) as setup:
            client = setup.client()
            start = time.monotonic()
            assert await client.ask(b"set=1\npublic_key=%064x\n" % 1 + prefixes + b"\n") == GOT
            assert await client.ask(b"set=1\n" + peers + b"\n") == GOT
            assert time.monotonic() - start < 3
            assert len(setup.device.requests[0].peers[0].allowed_ips) == 131_072
            assert len(setup.device.requests[1].peers) == 10_000

    run(test)
