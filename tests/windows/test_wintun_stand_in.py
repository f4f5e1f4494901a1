"""The stand-in wintun.dll does what Wintun documents, so that tests of the code above it mean something."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes import wintypes
from typing import Any

import pytest

if sys.platform != "win32":
    pytest.skip("Windows only", allow_module_level=True)

from tests.windows import stand_in

NAME = "wg test"
SMALL = 0x20000  # bytes, the smallest ring

ERROR_FILE_NOT_FOUND, ERROR_ACCESS_DENIED, ERROR_NOT_READY, ERROR_HANDLE_EOF = 2, 5, 21, 38
ERROR_INVALID_DATA, ERROR_INVALID_PARAMETER, ERROR_BUFFER_OVERFLOW, ERROR_INSUFFICIENT_BUFFER = 13, 87, 111, 122
ERROR_ALREADY_EXISTS, ERROR_NO_MORE_ITEMS, ERROR_NOT_FOUND = 183, 259, 1168
ERROR_ALREADY_INITIALIZED, ERROR_TIMEOUT = 1247, 1460
WAIT_OBJECT_0, WAIT_TIMEOUT = 0, 258

library = ctypes.WinDLL(stand_in.DLL, use_last_error=True)
kernel = ctypes.WinDLL("kernel32")
kernel.WaitForSingleObject.argtypes = (wintypes.HANDLE, wintypes.DWORD)


def function(name: str, result: Any, *arguments: Any) -> Any:
    found = getattr(library, name)
    found.restype, found.argtypes = result, arguments
    return found


POINTER = ctypes.c_void_p
create = function("WintunCreateAdapter", POINTER, wintypes.LPCWSTR, wintypes.LPCWSTR, POINTER)
open_ = function("WintunOpenAdapter", POINTER, wintypes.LPCWSTR)
close = function("WintunCloseAdapter", None, POINTER)
delete_driver = function("WintunDeleteDriver", wintypes.BOOL)
get_luid = function("WintunGetAdapterLUID", None, POINTER, ctypes.POINTER(ctypes.c_uint64))
get_version = function("WintunGetRunningDriverVersion", wintypes.DWORD)
set_logger = function("WintunSetLogger", None, POINTER)
start = function("WintunStartSession", POINTER, POINTER, wintypes.DWORD)
end = function("WintunEndSession", None, POINTER)
get_event = function("WintunGetReadWaitEvent", wintypes.HANDLE, POINTER)
receive_packet = function("WintunReceivePacket", POINTER, POINTER, ctypes.POINTER(wintypes.DWORD))
release = function("WintunReleaseReceivePacket", None, POINTER, POINTER)
allocate = function("WintunAllocateSendPacket", POINTER, POINTER, wintypes.DWORD)
send_packet = function("WintunSendPacket", None, POINTER, POINTER)


def error_of(result: Any) -> int:
    """What a call failed with."""
    assert not result
    return ctypes.get_last_error()


def problem_of(action: Callable[..., object], *arguments: object) -> int:
    """What the other end says; zero is success."""
    try:
        action(*arguments)
    except OSError as error:
        return error.winerror
    return 0


def taking_fails_with(expected: int, milliseconds: int = 0) -> None:
    assert problem_of(stand_in.take, NAME, milliseconds) == expected


def injecting_fails_with(expected: int, packet: bytes = b"packet") -> None:
    assert problem_of(stand_in.inject, NAME, packet) == expected


@pytest.fixture
def adapter() -> Iterator[int]:
    made = create(NAME, "WireGuard", None)
    assert made
    yield made
    close(made)


@pytest.fixture
def session(adapter: int) -> Iterator[int]:
    started = start(adapter, SMALL)
    assert started
    yield started
    end(started)


def receive(session: int) -> tuple[int, bytes]:
    """A packet and where it is; it is not released."""
    size = wintypes.DWORD()
    packet = receive_packet(session, ctypes.byref(size))
    if not packet:
        raise ctypes.WinError(ctypes.get_last_error())
    return packet, ctypes.string_at(packet, size.value)


def receive_and_release(session: int) -> bytes:
    packet, content = receive(session)
    release(session, packet)
    return content


def receiving_fails_with(session: int, expected: int) -> None:
    assert error_of(receive_packet(session, ctypes.byref(wintypes.DWORD()))) == expected


def send(session: int, content: bytes) -> bool:
    """False when the ring is full."""
    packet = allocate(session, len(content))
    if not packet:
        assert ctypes.get_last_error() == ERROR_BUFFER_OVERFLOW
        return False
    ctypes.memmove(packet, content, len(content))
    send_packet(session, packet)
    return True


def is_set(event: int, milliseconds: int = 0) -> bool:
    """Also resets it, as every wait does."""
    result = kernel.WaitForSingleObject(event, milliseconds)
    assert result in (WAIT_OBJECT_0, WAIT_TIMEOUT)
    return bool(result == WAIT_OBJECT_0)


def test_adapters_by_name() -> None:
    assert error_of(get_version()) == ERROR_FILE_NOT_FOUND
    assert error_of(open_(NAME)) == ERROR_NOT_FOUND
    first, second = create(NAME, "WireGuard", None), create("another", "WireGuard", None)
    assert get_version() == 14
    assert error_of(create(NAME.upper(), "WireGuard", None)) == ERROR_ALREADY_EXISTS
    opened = open_(NAME)
    luids = []
    for each in (first, opened, second):
        luid = ctypes.c_uint64()
        get_luid(each, ctypes.byref(luid))
        luids.append(luid.value)
    assert luids[0] == luids[1] != luids[2]
    assert luids[0] >> 48 == 53
    close(opened)
    again = open_(NAME)  # only who created it takes it away
    close(first)
    assert error_of(open_(NAME)) == ERROR_NOT_FOUND
    assert error_of(start(again, SMALL)) == ERROR_FILE_NOT_FOUND
    close(again)
    close(second)
    close(None)
    assert delete_driver()


@pytest.mark.parametrize(
    ("name", "expected"),
    [(None, ERROR_INVALID_PARAMETER), ("", ERROR_INVALID_PARAMETER), ("n" * 128, ERROR_INVALID_PARAMETER),
     ("deny", ERROR_ACCESS_DENIED), ("deny me", ERROR_ACCESS_DENIED)],
)  # fmt: skip
def test_names_that_are_refused(name: str | None, expected: int) -> None:
    assert error_of(create(name, "WireGuard", None)) == expected
    assert error_of(open_(name)) == expected


def test_longest_name() -> None:
    made = create("n" * 127, "WireGuard", None)
    assert made
    close(made)


def test_what_goes_wrong_is_logged() -> None:
    lines = []

    def note(level: int, timestamp: int, message: str) -> None:
        lines.append((level, timestamp, message))

    logger = ctypes.WINFUNCTYPE(None, ctypes.c_int, ctypes.c_uint64, wintypes.LPCWSTR)(note)
    set_logger(logger)
    try:
        create("deny", "WireGuard", None)
    finally:
        set_logger(None)
    create("deny", "WireGuard", None)
    ((level, timestamp, message),) = lines
    assert (level, message) == (2, "Failed to create adapter")
    assert timestamp > 1e17  # 100 ns since 1601


@pytest.mark.parametrize("capacity", [0, 1, SMALL // 2, SMALL - 1, SMALL + 1, SMALL * 3, 0x8000000])
def test_capacities_that_are_refused(adapter: int, capacity: int) -> None:
    assert error_of(start(adapter, capacity)) == ERROR_INVALID_PARAMETER


def test_one_session_at_a_time(adapter: int) -> None:
    injecting_fails_with(ERROR_NOT_READY)
    first = start(adapter, 0x4000000)
    assert error_of(start(adapter, SMALL)) == ERROR_ALREADY_INITIALIZED
    stand_in.inject(NAME, b"lost with the session")
    end(first)
    second = start(adapter, SMALL)
    receiving_fails_with(second, ERROR_NO_MORE_ITEMS)
    end(second)


def test_a_session_outlives_its_adapter() -> None:
    adapter = create(NAME, "WireGuard", None)
    session = start(adapter, SMALL)
    event = get_event(session)
    assert not is_set(event)
    close(adapter)
    assert is_set(event)
    receiving_fails_with(session, ERROR_HANDLE_EOF)
    end(session)


def test_packets_in_order_and_of_every_size(session: int) -> None:
    for size in (0, 1, 2, 3, 4, 5, 1420, 0xFFFF):
        content = bytes(number % 251 for number in range(size))
        stand_in.inject(NAME, content)
        stand_in.inject(NAME, b"next")
        assert receive_and_release(session) == content
        assert receive_and_release(session) == b"next"
        receiving_fails_with(session, ERROR_NO_MORE_ITEMS)
        assert send(session, content)
        assert send(session, b"next")
        assert stand_in.take(NAME) == content
        assert stand_in.take(NAME) == b"next"
        taking_fails_with(ERROR_TIMEOUT)
    injecting_fails_with(ERROR_INVALID_PARAMETER, bytes(0x10000))
    assert error_of(allocate(session, 0x10000)) == ERROR_INVALID_PARAMETER


def test_packets_are_aligned(session: int) -> None:
    for size in (1, 2, 3, 4, 5):
        stand_in.inject(NAME, bytes(size))
        assert receive(session)[0] % 4 == 0
        assert allocate(session, size) % 4 == 0


def test_a_ring_holds_its_capacity_less_one_unit(session: int) -> None:
    packet = bytes(1020)  # 1024 with its header
    for _ in range(3):  # wherever it begins
        count = SMALL // 1024 - 1
        for _ in range(count):
            stand_in.inject(NAME, packet)
            assert send(session, packet)
        injecting_fails_with(ERROR_BUFFER_OVERFLOW, packet)
        assert not send(session, packet)
        stand_in.inject(NAME, packet[4:])  # all that is left but four bytes
        assert send(session, packet[4:])
        injecting_fails_with(ERROR_BUFFER_OVERFLOW, b"")
        assert not send(session, b"")
        for _ in range(count):
            assert receive_and_release(session) == packet
            assert stand_in.take(NAME) == packet
        assert receive_and_release(session) == stand_in.take(NAME) == packet[4:]


def test_room_comes_back_in_order_of_the_packets(session: int) -> None:
    half = bytes(0xFF00)
    stand_in.inject(NAME, half)
    stand_in.inject(NAME, half)
    (first, _), (second, _) = receive(session), receive(session)
    receiving_fails_with(session, ERROR_NO_MORE_ITEMS)
    release(session, second)
    injecting_fails_with(ERROR_BUFFER_OVERFLOW, half)
    release(session, first)
    stand_in.inject(NAME, half)
    stand_in.inject(NAME, half)


def test_packets_are_sent_in_the_order_of_allocation(session: int) -> None:
    first, second = allocate(session, 1), allocate(session, 2)
    ctypes.memmove(second, b"22", 2)
    send_packet(session, second)
    taking_fails_with(ERROR_TIMEOUT)
    ctypes.memmove(first, b"1", 1)
    send_packet(session, first)
    assert [stand_in.take(NAME), stand_in.take(NAME)] == [b"1", b"22"]


def test_the_event_is_for_the_first_packet_only(session: int) -> None:
    event = get_event(session)
    assert not is_set(event)
    stand_in.inject(NAME, b"1")
    assert is_set(event)
    assert not is_set(event)
    stand_in.inject(NAME, b"2")
    assert not is_set(event)
    first, _ = receive(session)
    stand_in.inject(NAME, b"3")
    assert not is_set(event)
    second, _ = receive(session)
    third, _ = receive(session)
    stand_in.inject(NAME, b"4")  # none waits, though none was released
    assert is_set(event)
    for packet in (first, second, third):
        release(session, packet)
    assert receive_and_release(session) == b"4"


def test_an_event_wakes_who_waits(session: int) -> None:
    timer = threading.Timer(0.1, stand_in.inject, (NAME, b"late"))
    timer.start()
    assert is_set(get_event(session), 10_000)
    assert receive_and_release(session) == b"late"
    timer.join()


def test_removal_ends_a_session_after_what_is_in_the_ring(session: int) -> None:
    stand_in.inject(NAME, b"last")
    event = get_event(session)
    assert is_set(event)
    pending = allocate(session, 4)
    stand_in.remove(NAME)
    assert is_set(event)
    assert receive_and_release(session) == b"last"
    receiving_fails_with(session, ERROR_HANDLE_EOF)
    assert error_of(allocate(session, 4)) == ERROR_HANDLE_EOF
    send_packet(session, pending)
    injecting_fails_with(ERROR_NOT_FOUND)
    taking_fails_with(ERROR_NOT_FOUND)
    new = create(NAME, "WireGuard", None)  # its name is free
    assert new
    close(new)


def test_removal_wakes_who_takes(session: int) -> None:
    timer = threading.Timer(0.1, stand_in.remove, (NAME,))
    timer.start()
    taking_fails_with(ERROR_NOT_FOUND, 10_000)
    timer.join()


def test_corruption(session: int) -> None:
    stand_in.inject(NAME, b"good")
    stand_in.corrupt(NAME)
    assert receive_and_release(session) == b"good"
    receiving_fails_with(session, ERROR_INVALID_DATA)
    receiving_fails_with(session, ERROR_INVALID_DATA)


def test_a_packet_that_is_too_big_for_the_buffer_stays(session: int) -> None:
    send(session, b"packet")
    size = wintypes.DWORD(5)
    buffer = ctypes.create_string_buffer(5)
    taken = library.StandInTake(ctypes.c_wchar_p(NAME), buffer, ctypes.byref(size), 0)
    assert error_of(taken) == ERROR_INSUFFICIENT_BUFFER
    assert stand_in.take(NAME) == b"packet"


@pytest.mark.parametrize(
    "misuse",
    ["stand_in.inject(NAME, b'x'); packet, _ = receive(session); release(session, packet); release(session, packet)",
     "stand_in.inject(NAME, b'x'); release(session, 4)",
     "packet = allocate(session, 1); send_packet(session, packet); send_packet(session, packet)"],
)  # fmt: skip
def test_misuse_ends_the_process(misuse: str) -> None:
    program = f"""
from tests.windows.test_wintun_stand_in import *
session = start(create(NAME, "WireGuard", None), SMALL)
{misuse}
print("nothing happened")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (86, "")
    assert "was not handed out, or was given back before" in done.stderr


COUNT = 100_000


def numbered(number: int) -> bytes:
    return number.to_bytes(4, "big") * (1 + number % 50)


def test_threads_that_pump_both_ways(session: int) -> None:
    """What was sent in comes out, through a thread that takes it over; nothing is lost, doubled or changed."""
    event = get_event(session)

    def feed() -> None:
        for number in range(COUNT):
            while problem := problem_of(stand_in.inject, NAME, numbered(number)):
                assert problem == ERROR_BUFFER_OVERFLOW
                kernel.Sleep(1)

    def carry() -> None:
        size = wintypes.DWORD()
        for _ in range(COUNT):
            while not (packet := receive_packet(session, ctypes.byref(size))):
                assert ctypes.get_last_error() == ERROR_NO_MORE_ITEMS
                assert is_set(event, 20_000), "nobody told of a packet"
            while not (copy := allocate(session, size.value)):
                kernel.Sleep(1)
            ctypes.memmove(copy, packet, size.value)
            release(session, packet)
            send_packet(session, copy)

    with ThreadPoolExecutor() as pool:
        threads = [pool.submit(feed), pool.submit(carry)]
        for number in range(COUNT):
            assert stand_in.take(NAME, 30_000) == numbered(number)
        for thread in threads:
            thread.result()
    receiving_fails_with(session, ERROR_NO_MORE_ITEMS)
    taking_fails_with(ERROR_TIMEOUT)
