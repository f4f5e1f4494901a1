"""The Python engine's heart: routing, staging, sessions, drops, events."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wgtun.allowed_ip import AllowedIP
from wgtun.constants import (
    DEFAULT_TIMING,
    MAX_STAGED_IN_ALL,
    MAX_STAGED_PACKETS,
    REJECT_AFTER_MESSAGES,
    REKEY_AFTER_MESSAGES,
    SECOND,
)
from wgtun.dataplane import (
    DataUnacknowledged,
    DataUnanswered,
    DropReason,
    Event,
    HandshakeReceived,
    Keypair,
    KeypairRetired,
    SessionAging,
    SessionConfirmed,
    SessionNeeded,
)
from wgtun.endpoint import SocketAddress
from wgtun.engine.python.heart import Heart
from wgtun.path import Path, Source

KEY_A = bytes(range(32))
KEY_B = bytes(range(32, 64))
ALICE = 7  # how bob's heart numbers alice, and the other way round
PATH_A = Path(("192.0.2.1", 51820))
PATH_B = Path(("192.0.2.2", 51820))
NOW = 1000 * SECOND


class OpenFilter:
    """Lets every handshake message pass, or answers as told."""

    def __init__(self) -> None:
        self.verdict: DropReason | bytes | None = None

    def set_public_key(self, public_key: bytes | None) -> None:
        pass

    def admit(self, now: int, message: bytes, address: SocketAddress, backlog: int) -> DropReason | bytes | None:
        return self.verdict


def packet(
    source: str = "10.0.0.1", destination: str = "10.0.0.2", size: int = 64, claimed: int | None = None
) -> bytes:
    length = (size if claimed is None else claimed).to_bytes(2, "big")
    addresses = AllowedIP.parse(f"{source}/32").address + AllowedIP.parse(f"{destination}/32").address
    return (b"\x45\x00" + length + bytes(8) + addresses).ljust(size, b"x")


def make_heart(other_address: str, path: Path) -> Heart:
    heart = Heart(OpenFilter(), InvalidTag)
    heart.add_peer(ALICE)
    heart.set_path(ALICE, path)
    heart.insert_allowed_ip(ALICE, AllowedIP.parse(f"{other_address}/32"))
    heart.set_up(True)
    return heart


def keypair(*, initiator: bool, local_index: int, remote_index: int) -> Keypair:
    to_responder, to_initiator = ChaCha20Poly1305(KEY_A), ChaCha20Poly1305(KEY_B)
    send, receive = (to_responder, to_initiator) if initiator else (to_initiator, to_responder)
    return Keypair(send, receive, local_index, remote_index, initiator)


def pair(confirmed: bool = True) -> tuple[Heart, Heart]:
    """Two hearts with one session; the first is its initiator."""
    first, second = make_heart("10.0.0.2", PATH_B), make_heart("10.0.0.1", PATH_A)
    first.install_keypair(NOW, ALICE, keypair(initiator=True, local_index=1, remote_index=2))
    second.install_keypair(NOW, ALICE, keypair(initiator=False, local_index=2, remote_index=1))
    if confirmed:
        first.send_keepalive(NOW, ALICE)
        second.inbound(NOW, take(first), PATH_A)
        events(first), events(second)
    return first, second


def take(heart: Heart) -> bytes:
    (datagram, _, _), *rest = heart.datagrams
    assert not rest
    heart.datagrams = []
    return datagram


def events(heart: Heart) -> list[Event]:
    found = []
    while (event := heart.poll_event()) is not None:
        found.append(event)
    return found


def dropped(heart: Heart) -> dict[DropReason, int]:
    return {reason: count for reason, count in heart.drops().items() if count}


def test_a_packet_crosses_and_padding_is_cut_off() -> None:
    first, second = pair()
    sent = packet(size=61)
    first.outbound(NOW, sent)
    datagram = take(first)
    assert len(datagram) == 32 + 64
    second.inbound(NOW, datagram, PATH_A)
    assert [bytes(received) for received in second.packets] == [sent]
    assert not dropped(first)
    assert not dropped(second)
    assert first.peer_status(ALICE).tx_bytes == second.peer_status(ALICE).rx_bytes == 32 + 32 + 64


@pytest.mark.parametrize("bad", [b"", b"\x45" * 19, b"\x60" * 39, b"\x50" * 60, b"\x00" * 60])
def test_malformed_packets_from_the_tunnel_are_counted(bad: bytes) -> None:
    first, _ = pair()
    first.outbound(NOW, bad)
    assert dropped(first) == {DropReason.TUN_MALFORMED: 1}


@pytest.mark.defect(24)
def test_no_route_and_interface_down_are_told_apart() -> None:
    first, _ = pair()
    first.outbound(NOW, packet(destination="10.9.9.9"))
    first.set_up(False)
    first.outbound(NOW, packet())
    assert dropped(first) == {DropReason.NO_ROUTE: 1, DropReason.INTERFACE_DOWN: 1}
    assert len(first.packets) == 1  # the ICMP error for the first


@pytest.mark.defect(27)
def test_packets_are_staged_in_order_oldest_dropped_and_one_session_is_asked_for() -> None:
    heart = make_heart("10.0.0.2", PATH_B)
    sent = [packet(size=100 + number) for number in range(MAX_STAGED_PACKETS + 3)]
    for one in sent:
        heart.outbound(NOW, one)
    assert events(heart) == [SessionNeeded(ALICE)]
    assert dropped(heart) == {DropReason.STAGED_OVERFLOW: 3}
    heart.install_keypair(NOW, ALICE, keypair(initiator=True, local_index=1, remote_index=2))
    heart.send_keepalive(NOW, ALICE)
    other = make_heart("10.0.0.1", PATH_A)
    other.install_keypair(NOW, ALICE, keypair(initiator=False, local_index=2, remote_index=1))
    for datagram, _, _ in heart.datagrams:
        other.inbound(NOW, datagram, PATH_A)
    assert [bytes(received) for received in other.packets] == sent[3:]


@pytest.mark.defect(27)
def test_many_peers_together_stage_a_bounded_number_and_each_one() -> None:
    heart = make_heart("10.0.0.2", PATH_B)
    count = MAX_STAGED_IN_ALL // MAX_STAGED_PACKETS + 10
    for number in range(count):
        heart.add_peer(100 + number)
        heart.set_path(100 + number, PATH_B)
        heart.insert_allowed_ip(100 + number, AllowedIP.parse(f"10.0.1.{number}/32"))
        for _ in range(MAX_STAGED_PACKETS):
            heart.outbound(NOW, packet(destination=f"10.0.1.{number}"))
    assert events(heart) == [SessionNeeded(100 + number) for number in range(count)]
    assert heart.holdings().staged == MAX_STAGED_IN_ALL + 10
    assert dropped(heart) == {DropReason.STAGED_OVERFLOW: 10 * (MAX_STAGED_PACKETS - 1)}
    heart.remove_peer(100)
    assert heart.holdings().staged == MAX_STAGED_IN_ALL + 10 - MAX_STAGED_PACKETS


def test_a_new_session_is_asked_for_again_after_staged_packets_were_dropped() -> None:
    heart = make_heart("10.0.0.2", PATH_B)
    heart.outbound(NOW, packet())
    heart.drop_staged(ALICE)
    heart.outbound(NOW, packet())
    assert events(heart) == [SessionNeeded(ALICE), SessionNeeded(ALICE)]
    assert dropped(heart) == {DropReason.STAGED_DISCARDED: 1}


def test_the_responder_sends_nothing_before_confirmation() -> None:
    first, second = pair(confirmed=False)
    second.outbound(NOW, packet("10.0.0.2", "10.0.0.1"))
    assert not second.datagrams
    first.send_keepalive(NOW, ALICE)
    second.inbound(NOW, take(first), PATH_A)
    assert [type(event) for event in events(second)] == [SessionNeeded, SessionConfirmed, DataUnanswered]
    first.inbound(NOW, take(second), PATH_B)
    assert len(first.packets) == 1


def test_replay_forgery_and_unknown_index_are_refused_and_move_nothing() -> None:
    first, second = pair()
    first.outbound(NOW, packet())
    datagram = take(first)
    second.inbound(NOW, datagram, PATH_A)
    elsewhere = Path(("203.0.113.9", 1))
    second.inbound(NOW, datagram, elsewhere)
    second.inbound(NOW, datagram[:-1] + bytes((datagram[-1] ^ 1,)), elsewhere)
    second.inbound(NOW, datagram[:4] + b"\xff" * 4 + datagram[8:], elsewhere)
    second.inbound(NOW, datagram[:31], elsewhere)
    assert dropped(second) == {
        DropReason.REPLAYED: 1,
        DropReason.UNAUTHENTIC: 1,
        DropReason.UNKNOWN_INDEX: 1,
        DropReason.BAD_LENGTH: 1,
    }
    assert len(second.packets) == 1
    assert second.peer_status(ALICE).path == PATH_A


def test_an_authentic_packet_moves_the_endpoint_even_when_its_content_is_refused() -> None:
    first, second = pair()
    first.outbound(NOW, packet(source="10.9.9.9"))
    elsewhere = Path(("203.0.113.9", 1))
    second.inbound(NOW, take(first), elsewhere)
    assert dropped(second) == {DropReason.DISALLOWED_SOURCE: 1}
    assert second.peer_status(ALICE).path == elsewhere


@pytest.mark.parametrize(
    "inner",
    [
        packet(size=64, claimed=19),
        packet(size=64, claimed=65),
        b"\x45" * 8,
        b"\x70" * 64,
        # A payload length that wraps when added to 40 in 16 bits.
        b"\x60\x00\x00\x00" + (65500).to_bytes(2, "big") + bytes(58),
    ],
)
def test_malformed_inner_packets_are_counted(inner: bytes) -> None:
    first, second = pair()
    session = first._peers[ALICE].slots.current
    assert session is not None
    first._seal(NOW, first._peers[ALICE], session, inner)
    second.inbound(NOW, take(first), PATH_A)
    assert not second.packets
    assert dropped(second) == {DropReason.MALFORMED_INNER: 1}


@pytest.mark.defect(30)
def test_a_refused_source_stays_away_while_the_peer_cannot_know() -> None:
    first, second = pair()
    asked = PATH_A._replace(source=Source(bytes((192, 0, 2, 9)), 3))
    elsewhere = PATH_A._replace(source=Source(bytes((192, 0, 3, 9)), 4))

    def heard(seconds: float, path: Path) -> Path | None:
        now = NOW + int(seconds * SECOND)
        first.send_keepalive(now, ALICE)
        second.inbound(now, take(first), path)
        return second.peer_status(ALICE).path

    def sent(seconds: float) -> None:
        second.send_keepalive(NOW + int(seconds * SECOND), ALICE)
        take(second)

    assert heard(0, asked) == asked
    second.refuse_source(NOW, ALICE)
    assert second.peer_status(ALICE).path == PATH_A
    assert second.peer_status(ALICE).refused == asked
    assert heard(1, asked) == PATH_A, "it was on its way"
    assert heard(2, elsewhere) == elsewhere
    assert heard(3, asked) == PATH_A, "it was overtaken"
    assert heard(7, asked) == PATH_A, "nothing told the peer yet"
    sent(7)
    assert heard(8, asked) == asked, "by now it knows, and asks there all the same"
    assert second.peer_status(ALICE).refused is None

    second.refuse_source(NOW + 8 * SECOND, ALICE)
    second.allow_source(ALICE)
    assert heard(8, asked) == asked


def test_old_keys_neither_send_nor_receive() -> None:
    first, second = pair()
    first.outbound(NOW, packet())
    datagram = take(first)
    events(first)
    late = NOW + DEFAULT_TIMING.reject_after
    second.inbound(late, datagram, PATH_A)
    assert dropped(second) == {DropReason.KEY_EXPIRED: 1}
    first.outbound(late, packet())
    assert not first.datagrams
    assert events(first) == [SessionNeeded(ALICE)]


@pytest.mark.mistake("nonce counter narrower than 64 bits", "reject-after-messages not enforced")
def test_counters_are_64_bits_and_stop_before_the_end() -> None:
    first, second = pair()
    session = first._peers[ALICE].slots.current
    assert session is not None
    session.send_counter = REJECT_AFTER_MESSAGES - 1
    first.outbound(NOW, packet())
    datagram = take(first)
    assert datagram[8:16] == (REJECT_AFTER_MESSAGES - 1).to_bytes(8, "little")
    second.inbound(NOW, datagram, PATH_A)
    assert len(second.packets) == 1
    first.outbound(NOW, packet())
    assert not first.datagrams
    assert SessionNeeded(ALICE) in events(first)


def test_aging_is_reported_once_for_sending_and_by_the_initiator_only() -> None:
    first, second = pair()
    late = NOW + DEFAULT_TIMING.rekey_after + 1
    for heart, sent in ((first, packet()), (second, packet("10.0.0.2", "10.0.0.1"))):
        heart.outbound(late, sent)
        heart.outbound(late, sent)
    assert events(first).count(SessionAging(ALICE)) == 1
    assert SessionAging(ALICE) not in events(second)


def test_a_high_counter_ages_either_side() -> None:
    _, second = pair()
    session = second._peers[ALICE].slots.current
    assert session is not None
    session.send_counter = REKEY_AFTER_MESSAGES
    second.outbound(NOW, packet("10.0.0.2", "10.0.0.1"))
    assert SessionAging(ALICE) in events(second)


def test_an_initiator_that_only_receives_reports_aging_late() -> None:
    first, second = pair()
    for age, reported in ((164, False), (166, True), (167, False)):
        second.send_keepalive(NOW + age * SECOND, ALICE)
        first.inbound(NOW + age * SECOND, take(second), PATH_B)
        assert (SessionAging(ALICE) in events(first)) is reported, age


def test_unanswered_and_unacknowledged_are_edges_until_rearmed() -> None:
    first, second = pair()
    for number in range(3):
        first.outbound(NOW + number, packet())
    for datagram, _, _ in first.datagrams:
        second.inbound(NOW + 5, datagram, PATH_A)
    assert events(first) == [DataUnanswered(ALICE, NOW)]
    assert events(second) == [DataUnacknowledged(ALICE, NOW + 5)]
    assert first.activity(ALICE).unanswered_since == NOW
    second.send_keepalive(NOW + 6, ALICE)
    assert second.activity(ALICE).unacknowledged_since == 0
    first.datagrams = []
    first.inbound(NOW + 7, take(second), PATH_B)
    assert first.activity(ALICE).unanswered_since == 0
    first.outbound(NOW + 8, packet())
    assert events(first) == []
    first.rearm_unanswered(ALICE)
    first.outbound(NOW + 9, packet())
    assert events(first) == [DataUnanswered(ALICE, NOW + 9)]


def test_rotation_keeps_previous_current_and_next() -> None:
    first, second = pair()
    first.outbound(NOW, packet())
    late = take(first)
    first.install_keypair(NOW, ALICE, keypair(initiator=True, local_index=11, remote_index=12))
    second.install_keypair(NOW, ALICE, keypair(initiator=False, local_index=12, remote_index=11))
    events(first), events(second)
    first.send_keepalive(NOW, ALICE)
    second.inbound(NOW, take(first), PATH_A)
    assert events(second) == [SessionConfirmed(ALICE)]
    second.inbound(NOW, late, PATH_A)  # sealed under what is now the previous session
    assert len(second.packets) == 1
    first.install_keypair(NOW, ALICE, keypair(initiator=True, local_index=21, remote_index=22))
    assert events(first) == [KeypairRetired(1)]
    first.erase_keypairs(ALICE)
    assert set(events(first)) == {KeypairRetired(11), KeypairRetired(21)}
    assert not first._sessions


def test_exhausted_keypairs_receive_but_do_not_send() -> None:
    first, second = pair()
    first.exhaust_keypairs(ALICE)
    first.outbound(NOW, packet())
    assert not first.datagrams
    second.outbound(NOW, packet("10.0.0.2", "10.0.0.1"))
    first.inbound(NOW, take(second), PATH_B)
    assert len(first.packets) == 1


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", DropReason.UNKNOWN_TYPE),
        (b"\x01", DropReason.BAD_LENGTH),
        (b"\x01\x00\x00", DropReason.BAD_LENGTH),
        (b"\x04", DropReason.BAD_LENGTH),
        (b"\x05\x00\x00\x00" + bytes(144), DropReason.UNKNOWN_TYPE),
        (b"\x01\x00\x00\x01" + bytes(144), DropReason.UNKNOWN_TYPE),
        (b"\x01\x00\x00\x00" + bytes(143), DropReason.BAD_LENGTH),
        (b"\x02\x00\x00\x00" + bytes(144), DropReason.BAD_LENGTH),
        (b"\x03\x00\x00\x00" + bytes(61), DropReason.BAD_LENGTH),
        (b"\x04\x00\x00\x00" + bytes(27), DropReason.BAD_LENGTH),
    ],
)
def test_datagrams_that_are_not_messages(datagram: bytes, reason: DropReason) -> None:
    heart = make_heart("10.0.0.2", PATH_B)
    heart.inbound(NOW, datagram, PATH_B)
    assert dropped(heart) == {reason: 1}
    assert events(heart) == []


def test_handshake_messages_pass_the_filter_and_wait_behind_other_events() -> None:
    message = b"\x01\x00\x00\x00" + bytes(144)
    gate = OpenFilter()
    heart = Heart(gate, InvalidTag)
    heart.inbound(NOW, message, PATH_A)
    gate.verdict = DropReason.BAD_MAC1
    heart.inbound(NOW, message, PATH_A)
    gate.verdict = b"cookie"
    heart.inbound(NOW, message, PATH_A)
    assert heart.datagrams == [(b"cookie", PATH_A, 0x88)]
    assert dropped(heart) == {DropReason.BAD_MAC1: 1, DropReason.UNDER_LOAD: 1}
    heart.add_peer(1)
    heart.set_up(True)
    heart.send_keepalive(NOW, 1)
    assert events(heart) == [SessionNeeded(1), HandshakeReceived(message, PATH_A)]


@pytest.mark.defect(27)
def test_the_handshake_backlog_is_bounded() -> None:
    heart = Heart(OpenFilter(), InvalidTag)
    for _ in range(1100):
        heart.inbound(NOW, b"\x01\x00\x00\x00" + bytes(144), PATH_A)
    assert len(events(heart)) == 1024
    assert dropped(heart) == {DropReason.HANDSHAKE_BACKLOG: 76}


def test_a_removed_peer_leaves_nothing() -> None:
    first, _ = pair()
    first.remove_peer(ALICE)
    first.outbound(NOW, packet())
    assert dropped(first) == {DropReason.NO_ROUTE: 1}
    assert not first._sessions
    assert not first._peers
