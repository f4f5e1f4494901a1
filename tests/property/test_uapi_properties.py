"""The configuration protocol on arbitrary input."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from wgtun.allowed_ip import AllowedIP
from wgtun.endpoint import Endpoint
from wgtun.errors import UapiError
from wgtun.keys import PresharedKey, PrivateKey, PublicKey
from wgtun.uapi.framing import Close, Failed, Operation, RequestParser
from wgtun.uapi.get_message import format_get, parse_get
from wgtun.uapi.model import DeviceState, PeerChange, PeerState, SetRequest
from wgtun.uapi.set_message import format_set, parse_set

raw_keys = st.binary(min_size=32, max_size=32)
ports = st.integers(0, 0xFFFF)
v4 = st.binary(min_size=4, max_size=4)
v6 = st.binary(min_size=16, max_size=16)
zones = st.from_regex(r"[A-Za-z0-9_.-]{0,15}", fullmatch=True)

v4_hosts = v4.map(lambda raw: socket.inet_ntop(socket.AF_INET, raw))
v6_hosts = v6.map(lambda raw: socket.inet_ntop(socket.AF_INET6, raw))
endpoints = st.builds(Endpoint, v4_hosts, ports, st.just("")) | st.builds(Endpoint, v6_hosts, ports, zones)
prefixes = st.builds(AllowedIP.masked, v4, st.integers(0, 32)) | st.builds(AllowedIP.masked, v6, st.integers(0, 128))

changes = st.builds(
    PeerChange,
    public_key=raw_keys.map(PublicKey),
    remove=st.booleans(),
    update_only=st.booleans(),
    preshared_key=st.none() | raw_keys.map(PresharedKey),
    endpoint=st.none() | endpoints,
    persistent_keepalive=st.none() | ports,
    replace_allowed_ips=st.booleans(),
    allowed_ips=st.lists(st.tuples(st.booleans(), prefixes), max_size=5),
)
requests = st.builds(
    SetRequest,
    private_key=st.none() | raw_keys.map(PrivateKey),
    listen_port=st.none() | ports,
    fwmark=st.none() | st.integers(0, 0xFFFFFFFF),
    replace_peers=st.booleans(),
    peers=st.lists(changes, max_size=4),
)
peer_states = st.builds(
    PeerState,
    public_key=raw_keys.map(PublicKey),
    preshared_key=raw_keys.map(PresharedKey),
    endpoint=st.none() | endpoints,
    last_handshake=st.integers(0, 2**62),
    tx_bytes=st.integers(0, 2**64 - 1),
    rx_bytes=st.integers(0, 2**64 - 1),
    persistent_keepalive=ports,
    allowed_ips=st.lists(prefixes, max_size=5),
)
devices = st.builds(
    DeviceState,
    private_key=st.none() | raw_keys.map(PrivateKey),
    listen_port=ports,
    fwmark=st.integers(0, 0xFFFFFFFF),
    peers=st.lists(peer_states, max_size=4),
)

# Text that comes close to the real thing gets further than noise does.
NAMES = (
    b"private_key public_key listen_port fwmark replace_peers remove update_only preshared_key endpoint allowed_ip "
    b"persistent_keepalive_interval replace_allowed_ips protocol_version errno"
).split()
VALUES = [*b"true 0 1 65536 = - / : [ ] % 10.0.0.0/8 ::/0 [::1]:5 1.2.3.4:5".split(), b"0" * 64, b"ab" * 32]
FRAMES = [b"get=1", b"set=1", b"set=1\n", b"get=1\n\n", b"\n", b"\n\n", b"\r\n", b"\r", b"\0", b"\xff", "٣".encode()]
words = st.sampled_from(NAMES).map(lambda name: name + b"=") | st.sampled_from(VALUES) | st.sampled_from(FRAMES)
almost_messages = st.lists(words | st.binary(max_size=4), max_size=30).map(b"".join)
streams = st.lists(almost_messages | requests.map(lambda request: b"set=1\n" + format_set(request) + b"\n"), max_size=4)


def operations_of(pieces: list[bytes]) -> list[Operation]:
    parser = RequestParser()
    return [operation for piece in pieces for operation in parser.feed(piece)] + parser.end()


def refusal(read: Callable[[], object]) -> UapiError | None:
    try:
        read()
    except UapiError as error:
        return error
    return None


@given(almost_messages)
def test_any_line_is_read_or_refused_with_an_errno(text: bytes) -> None:
    error = refusal(lambda: parse_set(text.decode("utf-8", "surrogateescape").split("\n")))
    if error is not None:
        assert error.errno in (errno.EINVAL, errno.EPROTO)
        error.problem.encode()  # can be logged


@given(almost_messages)
def test_any_answer_is_read_or_refused_with_an_errno(text: bytes) -> None:
    error = refusal(lambda: parse_get(text))
    assert error is None or error.errno == errno.EPROTO


@given(requests)
def test_a_request_survives_the_round_trip(request: SetRequest) -> None:
    assert parse_set(format_set(request).decode().split("\n")[:-1]) == request


@given(devices)
def test_a_state_survives_the_round_trip(device: DeviceState) -> None:
    if device.private_key is not None and device.private_key.is_zero():
        device = device._replace(private_key=None)
    assert parse_get(format_get(device)) == device


@settings(max_examples=200)
@given(streams, st.data())
def test_how_a_stream_is_cut_does_not_matter(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = operations_of([stream])
    assert operations_of(pieces) == whole
    assert operations_of([stream[i : i + 1] for i in range(len(stream))]) == whole


@given(streams)
def test_every_stream_ends_in_exactly_one_close(parts: list[bytes]) -> None:
    operations = operations_of(parts)
    assert [isinstance(operation, Close) for operation in operations] == [False] * (len(operations) - 1) + [True]
    for operation in operations:
        if isinstance(operation, Failed):
            assert operation.errno > 0
