"""The device: what a set does, that a failed one does nothing, and sockets that swap safely."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Awaitable, Callable

import pytest

if sys.platform == "win32":
    pytest.skip("needs socket pairs of Unix", allow_module_level=True)

import resource

from wgtun import AllowedIP, Device, Endpoint, PresharedKey, PrivateKey, PublicKey, UapiError, platform
from wgtun.backend import backend
from wgtun.constants import MAX_PEERS
from wgtun.dataplane import DropReason, EngineFailed, OuterSide, Underlay
from wgtun.uapi.model import DeviceState, PeerChange, SetRequest

KEY = PrivateKey(bytes(range(1, 33)))
BOB = PublicKey(bytes([7]) * 32)
CAROL = PublicKey(bytes([9]) * 32)


def prefix(text: str) -> tuple[bool, AllowedIP]:
    return (True, AllowedIP.parse(text))


class Bench:
    """A device on an in-memory tunnel, with the sockets that it asked for."""

    def __init__(self, device: Device, program: socket.socket) -> None:
        self.device = device
        self.program = program
        self.opened: list[tuple[int, int]] = []
        self.failed = asyncio.Event()
        self.fail_with = 0

    def state(self) -> DeviceState:
        return self.device.get()

    def peers(self) -> dict[PublicKey, list[str]]:
        return {peer.public_key: [str(each) for each in peer.allowed_ips] for peer in self.state().peers}


class WatchedUnderlay:
    """The system's, except that a test sees what is opened, and may have it fail."""

    def __init__(self, system: Underlay, bench: Callable[[], Bench]) -> None:
        self.set_public_key = system.set_public_key
        self.refused = system.refused
        self.unreachable = system.unreachable
        self.refuses_mark = system.refuses_mark
        self.routes_changed = system.routes_changed
        self.close = system.close
        self._system_open = system.open
        self._bench = bench

    def open(self, port: int, mark: int) -> OuterSide:
        self._bench().opened.append((port, mark))
        if self._bench().fail_with:
            raise OSError(self._bench().fail_with, "no")
        return self._system_open(port, 0)


def on_bench(test: Callable[[Bench], Awaitable[None]]) -> Callable[[], None]:
    """Run an async test with a device, and close everything."""

    async def run() -> None:
        tunnel, program = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        tunnel.setblocking(False)
        program.setblocking(False)
        bench: Bench

        logger = logging.Logger("test", logging.CRITICAL)
        device = Device(
            asyncio.get_running_loop(),
            tunnel,
            WatchedUnderlay(platform.open_underlay(), lambda: bench),
            clock=platform.clock,
            logger=logger,
            on_failed=lambda: bench.failed.set(),
        )
        bench = Bench(device, program)
        try:
            await test(bench)
        finally:
            device.close()
            tunnel.close()
            program.close()

    def wrapper() -> None:
        asyncio.run(run())

    wrapper.__name__ = test.__name__
    return wrapper


@on_bench
async def test_a_failed_engine_ends_the_device(bench: Bench) -> None:
    poll = iter((EngineFailed("a worker panicked"), None))
    bench.device.engine.poll_event = lambda: next(poll)  # type: ignore[method-assign]
    bench.device._schedule_turn()
    await asyncio.wait_for(bench.failed.wait(), 5)


@on_bench
async def test_peers_keep_the_order_of_configuration(bench: Bench) -> None:
    keys = [PublicKey(bytes([number]) * 32) for number in (9, 3, 7, 1)]
    bench.device.set(SetRequest(private_key=KEY, peers=[PeerChange(key) for key in keys]))
    bench.device.set(SetRequest(peers=[PeerChange(keys[2], persistent_keepalive=5)]))
    assert list(bench.peers()) == keys


@on_bench
async def test_prefixes_move_between_peers(bench: Bench) -> None:
    bench.device.set(
        SetRequest(
            peers=[
                PeerChange(BOB, allowed_ips=[prefix("10.0.0.0/8"), prefix("10.1.0.0/16")]),
                PeerChange(CAROL, allowed_ips=[prefix("10.1.0.0/16"), (False, AllowedIP.parse("10.0.0.0/8"))]),
            ]
        )
    )
    assert bench.peers() == {BOB: ["10.0.0.0/8"], CAROL: ["10.1.0.0/16"]}
    bench.device.set(SetRequest(peers=[PeerChange(BOB, replace_allowed_ips=True, allowed_ips=[prefix("::/0")])]))
    assert bench.peers()[BOB] == ["::/0"]


@on_bench
async def test_update_only_makes_no_peer_and_steals_nothing(bench: Bench) -> None:
    bench.device.set(SetRequest(peers=[PeerChange(BOB, allowed_ips=[prefix("10.0.0.0/8")])]))
    bench.device.set(SetRequest(peers=[PeerChange(CAROL, update_only=True, allowed_ips=[prefix("10.0.0.0/8")])]))
    assert bench.peers() == {BOB: ["10.0.0.0/8"]}


@on_bench
async def test_removal_of_one_and_of_all(bench: Bench) -> None:
    bench.device.set(SetRequest(peers=[PeerChange(BOB), PeerChange(CAROL)]))
    bench.device.set(SetRequest(peers=[PeerChange(BOB, remove=True), PeerChange(PublicKey(bytes(32)), remove=True)]))
    assert list(bench.peers()) == [CAROL]
    bench.device.set(SetRequest(replace_peers=True, peers=[PeerChange(BOB)]))
    assert list(bench.peers()) == [BOB]


@pytest.mark.mistake("own public key as peer")
@on_bench
async def test_our_own_key_is_no_peer(bench: Bench) -> None:
    own = KEY.public_key()
    bench.device.set(SetRequest(peers=[PeerChange(own), PeerChange(BOB)]))
    bench.device.set(SetRequest(private_key=KEY))
    assert list(bench.peers()) == [BOB]
    bench.device.set(SetRequest(peers=[PeerChange(own, allowed_ips=[prefix("10.0.0.0/8")])]))
    assert list(bench.peers()) == [BOB]


@on_bench
async def test_a_zero_private_key_clears_it(bench: Bench) -> None:
    bench.device.set(SetRequest(private_key=KEY))
    assert bench.state().private_key == KEY
    bench.device.set(SetRequest(private_key=PrivateKey(bytes(32))))
    assert bench.state().private_key is None


@on_bench
async def test_values_are_kept_as_they_were_set(bench: Bench) -> None:
    psk = PresharedKey(bytes([1]) * 32)
    change = PeerChange(BOB, preshared_key=psk, persistent_keepalive=7)
    bench.device.set(SetRequest(listen_port=1234, fwmark=5, peers=[change]))
    state = bench.state()
    assert (state.listen_port, state.fwmark) == (1234, 5)
    (peer,) = state.peers
    assert (peer.preshared_key, peer.persistent_keepalive) == (psk, 7)
    for text in ("[fe80::1%eth9]:5", "[::ffff:1.2.3.4]:5", "192.0.2.1:0", "[2001:db8::1]:65535"):
        bench.device.set(SetRequest(peers=[PeerChange(BOB, endpoint=Endpoint.parse(text))]))
        (peer,) = bench.state().peers
        assert str(peer.endpoint) == text


@on_bench
async def test_down_stores_the_port_and_up_opens_it(bench: Bench) -> None:
    bench.device.set(SetRequest(fwmark=3))
    assert not bench.opened
    bench.device.set_up(True)
    port = bench.state().listen_port
    assert port
    bench.device.set_up(False)
    bench.device.set_up(True)
    assert bench.state().listen_port == port
    assert bench.opened == [(0, 3), (port, 3)]


@pytest.mark.defect(19)
@on_bench
async def test_a_failed_port_change_changes_nothing_at_all(bench: Bench) -> None:
    bench.device.set_up(True)
    bench.device.set(SetRequest(private_key=KEY, peers=[PeerChange(BOB)]))
    before = bench.state()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        busy.bind(("0.0.0.0", 0))
        request = SetRequest(
            private_key=PrivateKey.generate(),
            listen_port=busy.getsockname()[1],
            fwmark=9,
            replace_peers=True,
            peers=[PeerChange(CAROL)],
        )
        with pytest.raises(UapiError) as caught:
            bench.device.set(request)
    assert caught.value.errno == errno.EADDRINUSE
    assert bench.state() == before
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, pytest.raises(OSError, match="in use"):
        probe.bind(("0.0.0.0", before.listen_port))  # the old sockets still hold it


@pytest.mark.skipif(backend() == "python", reason="the Python engine takes any sockets")
@on_bench
async def test_sockets_that_the_engine_can_not_take_change_nothing(bench: Bench) -> None:
    bench.device.set_up(True)
    before = bench.state()
    attach = bench.device.engine.attach_sockets

    def attach_without_descriptors(outer: OuterSide) -> None:
        limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(outer.filenos()) + 1, hard))
        try:
            attach(outer)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))

    bench.device.engine.attach_sockets = attach_without_descriptors  # type: ignore[method-assign]
    with pytest.raises(UapiError, match="Too many open files"):
        bench.device.set(SetRequest(listen_port=0))
    assert bench.state() == before
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"\xff" * 40, ("127.0.0.1", before.listen_port))
    async with asyncio.timeout(5):
        while not bench.device.drops()[DropReason.UNKNOWN_TYPE]:  # the old sockets are still read
            await asyncio.sleep(0.01)


@on_bench
async def test_the_same_port_again_keeps_the_sockets(bench: Bench) -> None:
    bench.device.set_up(True)
    port = bench.state().listen_port
    bench.device.set(SetRequest(listen_port=port))
    assert len(bench.opened) == 1
    bench.device.set(SetRequest(listen_port=0))
    assert len(bench.opened) == 2


@on_bench
async def test_too_many_peers_are_refused_whole(bench: Bench) -> None:
    keys = [PublicKey(number.to_bytes(32, "big")) for number in range(1, MAX_PEERS + 2)]
    with pytest.raises(UapiError) as caught:
        bench.device.set(SetRequest(peers=[PeerChange(key) for key in keys]))
    assert caught.value.errno == errno.EINVAL
    assert not bench.peers()
    twice = [PeerChange(key) for key in keys[:10]] * 2
    bench.device.set(SetRequest(peers=twice))
    assert len(bench.peers()) == 10


@on_bench
async def test_sockets_that_could_not_be_opened_are_tried_again(bench: Bench) -> None:
    bench.fail_with = errno.EADDRINUSE
    bench.device.set_up(True)
    bench.fail_with = 0
    await asyncio.sleep(1.2)
    assert len(bench.opened) == 2
    assert bench.state().listen_port


@on_bench
async def test_a_port_that_is_taken_fails_no_request_that_does_not_name_it(bench: Bench) -> None:
    bench.fail_with = errno.EADDRINUSE
    bench.device.set_up(True)
    key = PublicKey(bytes([9]) * 32)
    bench.device.set(SetRequest(fwmark=7, peers=[PeerChange(key)]))
    assert list(bench.peers()) == [key]
    with pytest.raises(UapiError):
        bench.device.set(SetRequest(listen_port=0))
    bench.fail_with = 0
    bench.device.set(SetRequest(listen_port=0))
    assert bench.opened == [(0, 0), (0, 7), (0, 7)]


@on_bench
async def test_a_tunnel_whose_other_end_closed_is_reported(bench: Bench) -> None:
    removed = asyncio.Event()
    bench.device._on_removed = removed.set
    bench.program.close()
    await asyncio.wait_for(removed.wait(), 2)
