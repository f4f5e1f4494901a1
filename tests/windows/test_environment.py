"""What wgtun takes for granted on Windows; where this fails, wine is to blame and not wgtun."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import secrets
import socket
import sys
import threading
from ctypes import wintypes

import pytest

if sys.platform != "win32":
    pytest.skip("Windows only", allow_module_level=True)

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

PIPE_ACCESS_DUPLEX, FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_REJECT_REMOTE_CLIENTS = 0x3, 0x80000, 0x8
ERROR_BROKEN_PIPE, ERROR_PIPE_CONNECTED = 109, 535
INVALID_HANDLE = ctypes.c_void_p(-1).value

kernel = ctypes.WinDLL("kernel32", use_last_error=True)
kernel.CreateNamedPipeW.restype = wintypes.HANDLE
kernel.CreateNamedPipeW.argtypes = (wintypes.LPCWSTR, *[wintypes.DWORD] * 6, wintypes.LPVOID)
kernel.ConnectNamedPipe.argtypes = (wintypes.HANDLE, wintypes.LPVOID)
kernel.ReadFile.argtypes = kernel.WriteFile.argtypes = (
    wintypes.HANDLE, wintypes.LPVOID, wintypes.DWORD, wintypes.LPDWORD, wintypes.LPVOID,
)  # fmt: skip
kernel.CloseHandle.argtypes = (wintypes.HANDLE,)


def test_it_is_windows_10() -> None:
    assert sys.getwindowsversion()[:2] == (10, 0)
    assert sys.version_info[:2] == (3, 11)
    assert errno.EADDRINUSE == 10048


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_datagrams_on_a_selector_loop(family: socket.AddressFamily, address: str) -> None:
    async def echo_three() -> list[bytes]:
        loop = asyncio.get_running_loop()
        received: asyncio.Queue[bytes] = asyncio.Queue()
        with socket.socket(family, socket.SOCK_DGRAM) as one, socket.socket(family, socket.SOCK_DGRAM) as two:
            for each in (one, two):
                each.setblocking(False)
                each.bind((address, 0))

            def answer() -> None:
                data, sender = two.recvfrom(2048)
                two.sendto(data.upper(), sender)

            loop.add_reader(two, answer)
            loop.add_reader(one, lambda: received.put_nowait(one.recv(2048)))
            try:
                for data in (b"a", b"b", b"c"):
                    one.sendto(data, two.getsockname())
                return [await asyncio.wait_for(received.get(), 10) for _ in range(3)]
            finally:
                loop.remove_reader(one)
                loop.remove_reader(two)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        assert runner.run(echo_three()) == [b"A", b"B", b"C"]


def test_named_pipes() -> None:
    path = rf"\\.\pipe\ProtectedPrefix\Administrators\WireGuard\test-{secrets.token_hex(8)}"
    access = PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE
    pipe = kernel.CreateNamedPipeW(path, access, PIPE_REJECT_REMOTE_CLIENTS, 1, 4096, 4096, 0, None)
    assert pipe != INVALID_HANDLE

    def serve() -> None:
        assert kernel.ConnectNamedPipe(pipe, None) or ctypes.get_last_error() == ERROR_PIPE_CONNECTED
        buffer, count = ctypes.create_string_buffer(100), wintypes.DWORD()
        while kernel.ReadFile(pipe, buffer, len(buffer), ctypes.byref(count), None):
            kernel.WriteFile(pipe, buffer.raw[: count.value].upper(), count.value, ctypes.byref(count), None)
        assert ctypes.get_last_error() == ERROR_BROKEN_PIPE

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    with open(path, "r+b", buffering=0) as client:
        client.write(b"get=1\n")
        assert client.read(100) == b"GET=1\n"
    server.join(10)
    assert not server.is_alive()
    kernel.CloseHandle(pipe)
    assert not os.path.exists(path)


def test_cryptography() -> None:
    one, two = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    shared = one.exchange(two.public_key())
    assert shared == two.exchange(one.public_key())
    cipher = ChaCha20Poly1305(shared)
    sealed = cipher.encrypt(bytes(12), b"a packet", b"header")
    assert sealed != b"a packet"
    assert cipher.decrypt(bytes(12), sealed, b"header") == b"a packet"
