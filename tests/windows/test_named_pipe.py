"""The configuration pipe: served by the real server, used by the real client."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import sys
from collections.abc import Awaitable, Callable

import pytest

if sys.platform != "win32":
    pytest.skip("Windows only", allow_module_level=True)
assert sys.platform == "win32"  # mypy goes by this

from wgtun.errors import PlatformError, UapiError
from wgtun.keys import PrivateKey
from wgtun.platform.windows.named_pipe import PREFIX, PipeListener
from wgtun.platform.windows.privileges import GIVE_AWAY, switched_on
from wgtun.uapi.client import UapiClient
from wgtun.uapi.model import DeviceState, SetRequest
from wgtun.uapi.server import UapiServer


class Handler:
    """A device that remembers."""

    def __init__(self) -> None:
        self.state = DeviceState(None, 0, 0, ())

    def get(self) -> DeviceState:
        return self.state

    def status(self) -> dict[str, object]:
        return {"version": "x" * 300_000}  # more than a pipe holds

    def set(self, request: SetRequest) -> None:
        if request.listen_port == 1:
            raise UapiError(10048, "in use")  # EADDRINUSE of Windows
        self.state = DeviceState(request.private_key, request.listen_port or 0, 0, ())


def served(name: str, work: Callable[[], Awaitable[None]]) -> None:
    async def scenario() -> None:
        server = UapiServer(PipeListener(name), Handler(), logging.getLogger("test"))
        try:
            await work()
        finally:
            await server.close()

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(asyncio.wait_for(scenario(), 60))


def test_get_set_and_many_clients() -> None:
    def one_client(number: int) -> None:
        key = PrivateKey.generate()
        with UapiClient("many") as client:
            for _ in range(3):
                client.set(SetRequest(private_key=key, listen_port=1000 + number))
                assert client.get().listen_port >= 1000
            assert len(client.status()["version"]) == 300_000

    async def work() -> None:
        await asyncio.gather(*(asyncio.to_thread(one_client, number) for number in range(8)))

    served("many", work)


def test_errors_have_the_numbers_that_clients_know() -> None:
    def raw() -> bytes:
        with open(f"{PREFIX}errors", "r+b", buffering=0) as pipe:
            pipe.write(b"set=1\nlisten_port=1\n\n")
            return pipe.read(1000) or b""

    async def work() -> None:
        assert await asyncio.to_thread(raw) == b"errno=-98\n\n"

    served("errors", work)


def test_clients_that_go_away_or_say_nothing() -> None:
    async def work() -> None:
        for text in (b"", b"get", b"nonsense\n"):
            pipe = await asyncio.to_thread(open, f"{PREFIX}rude", "r+b", 0)
            await asyncio.to_thread(pipe.write, text)
            await asyncio.to_thread(pipe.close)
        with await asyncio.to_thread(UapiClient, "rude") as client:
            assert (await asyncio.to_thread(client.get)).listen_port == 0

    served("rude", work)


def test_nobody_else_can_serve_the_name() -> None:
    async def work() -> None:
        with pytest.raises(PlatformError, match="another program serves it"):
            PipeListener("mine")

    served("mine", work)
    PipeListener("mine").close()


def test_who_may_open_it() -> None:
    """Owner SYSTEM, a protected list with SYSTEM and administrators alone."""

    async def work() -> None:
        with open(f"{PREFIX}secure", "r+b", buffering=0) as pipe:
            import msvcrt

            handle = msvcrt.get_osfhandle(pipe.fileno())
            descriptor, text = ctypes.c_void_p(), ctypes.c_wchar_p()
            advapi32 = ctypes.WinDLL("advapi32")
            # SE_KERNEL_OBJECT; owner and access list
            assert not advapi32.GetSecurityInfo(
                ctypes.c_void_p(handle), 6, 1 | 4, None, None, None, None, ctypes.byref(descriptor)
            )
            assert advapi32.ConvertSecurityDescriptorToStringSecurityDescriptorW(
                descriptor, 1, 1 | 4, ctypes.byref(text), None
            )
            assert text.value is not None
            assert text.value.startswith("O:SY")
            assert "D:P(A;;" in text.value
            assert ";;;SY)" in text.value
            assert ";;;BA)" in text.value
            assert ";;;WD)" not in text.value

    served("secure", work)


def test_it_belongs_to_the_system_even_in_a_console_of_an_administrator() -> None:
    """There the privilege that this takes is off until a program switches it on."""

    def is_on() -> bool:
        token, count = ctypes.c_void_p(), ctypes.c_ulong()
        advapi32 = ctypes.WinDLL("advapi32")
        assert advapi32.OpenProcessToken(ctypes.c_void_p(-1), 8, ctypes.byref(token))  # TOKEN_QUERY
        found = ctypes.create_string_buffer(4096)
        assert advapi32.GetTokenInformation(token, 3, found, len(found), ctypes.byref(count))  # TokenPrivileges
        ctypes.WinDLL("kernel32").CloseHandle(token)
        number = int.from_bytes(found.raw[:4], "little")
        states = {found.raw[at : at + 8]: found.raw[at + 8] for at in range(4, 4 + 12 * number, 12)}
        return bool(states[(18).to_bytes(8, "little")] & 2)  # SE_RESTORE_PRIVILEGE, SE_PRIVILEGE_ENABLED

    def turn(attributes: int) -> None:
        token = ctypes.c_void_p()
        advapi32 = ctypes.WinDLL("advapi32")
        assert advapi32.OpenProcessToken(ctypes.c_void_p(-1), 0x28, ctypes.byref(token))
        new = (1).to_bytes(4, "little") + (18).to_bytes(8, "little") + attributes.to_bytes(4, "little")
        assert advapi32.AdjustTokenPrivileges(token, 0, new, 16, None, None)
        ctypes.WinDLL("kernel32").CloseHandle(token)

    was_on = is_on()
    try:
        for attributes in (0, 2):
            turn(attributes)
            assert is_on() is bool(attributes)
            with switched_on(GIVE_AWAY):
                assert is_on()
            assert is_on() is bool(attributes)
            with pytest.raises(ZeroDivisionError), switched_on(GIVE_AWAY):
                raise ZeroDivisionError
            assert is_on() is bool(attributes)
    finally:
        turn(2 * was_on)
    with pytest.raises(OSError, match=r"\w"), switched_on("SeNoSuchPrivilege"):
        pass


def test_names_that_no_interface_has() -> None:
    for name in ("", "a\\b", "a\0b"):
        with pytest.raises(PlatformError, match="not an interface name"):
            PipeListener(name)
        with pytest.raises(PlatformError, match="not an interface name"):
            UapiClient(name)
    with pytest.raises(PlatformError, match="no userspace interface nobody"):
        UapiClient("nobody")
