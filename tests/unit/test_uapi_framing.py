"""How the bytes of a connection become operations. Source: reference 2.4 and 11.14."""

import errno

import pytest

from wgtun.errors import UapiError
from wgtun.uapi import framing
from wgtun.uapi.framing import MAX_LINE, Close, Failed, Get, Operation, RequestParser, Set, status
from wgtun.uapi.model import SetRequest

KEY = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33"
PEER = f"public_key={KEY}\n"


def short(operation: Operation) -> str:
    """``get``, ``set``, ``-22``, ``close``"""
    return str(-operation.errno) if isinstance(operation, Failed) else type(operation).__name__.lower()


CONVERSATIONS = [
    ("get=1\n\n", ["get"]),
    ("get=1\n\nget=1\n\n", ["get", "get"]),
    ("get=1\nx", ["-22"]),
    ("get=1\nx\n", ["-22", "close"]),
    ("get=1\nxget=1\n\n", ["-22", "get"]),
    ("foo\n", ["close"]),
    ("get=2\n", ["close"]),
    ("get=1\r\n", ["close"]),
    ("set=1\r\n", ["close"]),
    ("GET=1\n", ["close"]),
    (" get=1\n", ["close"]),
    ("\n", ["close"]),
    ("foo\nget=1\n\n", ["close"]),
    ("set=1\nlisten_port=0\r\n\r\n", ["set"]),
    (f"set=1\n{PEER}endpoint=[1.2.3.4]:5\n\n", ["-22"]),
    (f"set=1\n{PEER}endpoint=[::ffff:1.2.3.4]:5\n\n", ["set"]),
    (f"set=1\n{PEER}endpoint=[fe80::1%eth0]:5\nallowed_ip=10.1.2.3/8\nallowed_ip=::ffff:1.2.3.4/120\n\n", ["set"]),
    (f"set=1\n{PEER}allowed_ip=10.0.0.1\n\n", ["-22"]),
    (f"set=1\n{PEER}allowed_ip=-11.0.0.0/8\nallowed_ip=-10.9.9.9/8\n\n", ["set"]),
    ("set=1\n\n", ["set"]),
    ("set=1\nlisten_port=abc\n\n", ["-22"]),
    ("set=1\nlisten_port=abc\nlisten_port=xyz\nnonsense\n\nget=1\n\n", ["-22", "get"]),
    ("set=1\nlisten_port=abc\r\n\r\nget=1\n\n", ["-22", "get"]),
    ("set=1\nfwmark=0x10\n\n", ["-22"]),
    ("set=1\nnonsense\n\n", [f"-{errno.EPROTO}"]),
    ("set=1\nreplace_peers=false\n\n", ["-22"]),
    (f"set=1\n{PEER}private_key={KEY}\n\n", ["-22"]),
    ("set=1\nallowed_ip=10.0.0.0/8\n\n", ["-22"]),
    (f"set=1\n{PEER}remove=true\n\n", ["set"]),
    (f"set=1\n{PEER}update_only=true\nendpoint=1.2.3.4:5\n\n", ["set"]),
    ("set=1\n" + "x" * 70000, ["-5"]),
    ("set=1\n" + "x" * 70000 + "\nfwmark=1\n\nget=1\n\n", ["-5", "get"]),
    ("set=1\n\nget=1\n\n", ["set", "get"]),
    ("set=1\n\nset=1\nfwmark=1\n\nget=1\n\nset=1\nfwmark=x\n\nget=1\n\n", ["set", "set", "get", "-22", "get"]),
    ("set=1\n\nget", ["set"]),
]


@pytest.mark.parametrize(("text", "expected"), CONVERSATIONS)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_conversations(text: str, expected: list[str], piece: int) -> None:
    parser = RequestParser()
    data = text.encode()
    operations = [op for start in range(0, len(data), piece) for op in parser.feed(data[start : start + piece])]
    assert [short(operation) for operation in operations] == expected


def test_a_bad_line_is_answered_before_the_message_ends() -> None:
    assert short(RequestParser().feed(b"set=1\nfwmark=x\n")[0]) == "-22"


def test_the_end_of_the_stream_ends_a_set_with_success() -> None:
    for text in (b"set=1\nfwmark=1\n", b"set=1\nfwmark=1", b"set=1\nfwmark=1\r"):
        parser = RequestParser()
        assert parser.feed(text) == []
        assert parser.end() == [Set(SetRequest(fwmark=1)), Close()]


def test_a_bad_last_line_without_its_end_fails() -> None:
    parser = RequestParser()
    parser.feed(b"set=1\nfwmark=x")
    assert [short(operation) for operation in parser.end()] == ["-22", "close"]


@pytest.mark.parametrize("text", [b"", b"get", b"get=1\n", b"get=1\n\n", b"set=1\nbad\n", b"set=1\nbad\nmore"])
def test_any_other_end_of_the_stream_is_a_silent_close(text: bytes) -> None:
    parser = RequestParser()
    parser.feed(text)
    assert parser.end() == [Close()]
    assert parser.end() == []


def test_nothing_follows_a_close() -> None:
    parser = RequestParser()
    (close,) = parser.feed(b"nonsense\nget=1\n\n")
    assert isinstance(close, Close)
    assert close.problem
    assert parser.feed(b"get=1\n\n") == []
    assert parser.end() == []


def test_an_operation_line_that_never_ends_is_not_collected() -> None:
    assert [short(operation) for operation in RequestParser().feed(b"x" * 100_000)] == ["close"]


def test_the_longest_line_is_accepted_and_one_byte_more_is_not() -> None:
    digits = MAX_LINE - len("fwmark=")
    good = b"set=1\nfwmark=" + b"0" * digits
    for ending in (b"\n\n", b"\n\nget=1\n\n"):
        assert short(RequestParser().feed(good + ending)[0]) == "set"
        assert short(RequestParser().feed(good + b"0" + ending)[0]) == f"-{errno.EIO}"
    parser = RequestParser()
    assert parser.feed(good) == []
    assert short(parser.feed(b"0")[0]) == f"-{errno.EIO}"


def test_a_message_without_an_end_is_refused_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_SET", 1000)
    line = b"fwmark=1\n"
    for piece in (1, 9, 100_000):
        for start, first in ((b"set=1\n", f"-{errno.EIO}"), (b"set=1\nfwmark=x\n", "-22")):
            data = start + line * 200
            parser = RequestParser()
            operations = [op for i in range(0, len(data), piece) for op in parser.feed(data[i : i + piece])]
            assert [short(operation) for operation in operations] == [first, "close"]


def test_a_skipped_line_that_never_ends_is_not_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_SET", 200_000)
    parser = RequestParser()
    parser.feed(b"set=1\nbad\n")
    operations = [operation for _ in range(300) for operation in parser.feed(b"x" * 1000)]
    assert [short(operation) for operation in operations] == ["close"]


def test_idle_means_that_the_client_owes_nothing() -> None:
    parser = RequestParser()
    assert parser.idle
    for text, idle in ((b"g", False), (b"et=1\n", False), (b"\n", True), (b"set=1\n", False), (b"bad\n", False)):
        parser.feed(text)
        assert parser.idle is idle
    parser.feed(b"\n")
    assert parser.idle


def test_a_request_is_whole() -> None:
    parser = RequestParser()
    (operation,) = parser.feed(f"set=1\nfwmark=7\n{PEER}remove=true\n\n".encode())
    assert isinstance(operation, Set)
    assert operation.request.fwmark == 7
    assert [change.public_key.hex() for change in operation.request.peers] == [KEY]


def test_bytes_that_are_not_text_are_invalid_not_a_crash() -> None:
    (operation,) = RequestParser().feed(b"set=1\nfwmark=\xff\xfe\n\n")
    assert short(operation) == "-22"


def test_status_numbers_are_negative_on_the_wire() -> None:
    assert status(0) == b"errno=0\n\n"
    assert status(UapiError(22, "").errno) == b"errno=-22\n\n"


def test_get_operations_compare_equal() -> None:
    assert RequestParser().feed(b"get=1\n\n") == [Get()]
