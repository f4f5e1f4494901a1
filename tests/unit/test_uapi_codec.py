"""The bodies of set and get. Source: reference 2.6 to 2.8, 2.11 and 11.14."""

import errno

import pytest

from wgtun.allowed_ip import AllowedIP
from wgtun.constants import SECOND
from wgtun.endpoint import Endpoint
from wgtun.errors import UapiError
from wgtun.keys import PresharedKey, PrivateKey, PublicKey
from wgtun.uapi.get_message import format_get, parse_get
from wgtun.uapi.model import DeviceState, PeerChange, PeerState, SetRequest
from wgtun.uapi.set_message import format_set, parse_set

KEY = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33"
ZERO = "0" * 64
PEER = f"public_key={KEY}"
NO_PRESHARED_KEY = PresharedKey(bytes(32))


def peer_section(*lines: str) -> PeerChange:
    (change,) = parse_set([PEER, *lines]).peers
    return change


def refusal(*lines: str) -> UapiError:
    with pytest.raises(UapiError) as caught:
        parse_set(lines)
    return caught.value


def test_an_empty_set_changes_nothing() -> None:
    assert parse_set([]) == SetRequest()


def test_device_keys_are_read() -> None:
    request = parse_set([f"private_key={'AB' * 32}", "listen_port=007", "fwmark=4294967295", "replace_peers=true"])
    assert request == SetRequest(PrivateKey(b"\xab" * 32), 7, 0xFFFFFFFF, True, [])


def test_zero_keys_are_read_as_zero() -> None:
    private_key = parse_set([f"private_key={ZERO}"]).private_key
    assert private_key is not None
    assert private_key.is_zero()
    assert peer_section(f"preshared_key={ZERO}").preshared_key == NO_PRESHARED_KEY


def test_the_last_of_repeated_keys_wins() -> None:
    request = parse_set(["listen_port=1", "fwmark=1", "listen_port=2", PEER, "endpoint=1.2.3.4:5", "endpoint=[::1]:6"])
    assert (request.listen_port, request.fwmark) == (2, 1)
    assert request.peers[0].endpoint == Endpoint("::1", 6)


def test_peer_keys_are_read() -> None:
    change = peer_section(
        "update_only=true",
        f"preshared_key={'0f' * 32}",
        "endpoint=192.0.2.1:0",
        "persistent_keepalive_interval=65535",
        "replace_allowed_ips=true",
        "protocol_version=1",
        "allowed_ip=10.1.2.3/8",
        "allowed_ip=-::ffff:1.2.3.4/120",
    )
    assert change == PeerChange(
        PublicKey.from_hex(KEY),
        update_only=True,
        preshared_key=PresharedKey(b"\x0f" * 32),
        endpoint=Endpoint("192.0.2.1", 0),
        persistent_keepalive=65535,
        replace_allowed_ips=True,
        allowed_ips=[(True, AllowedIP.parse("10.0.0.0/8")), (False, AllowedIP.parse("::ffff:1.2.3.0/120"))],
    )


@pytest.mark.parametrize("text", ["[::ffff:1.2.3.4]:5", "[fe80::1%eth0]:5", "[abcd:23::33%2]:51820", "1.2.3.4:65535"])
def test_endpoints_are_kept_as_written(text: str) -> None:
    assert str(peer_section(f"endpoint={text}").endpoint) == text


def test_the_same_peer_may_come_several_times() -> None:
    request = parse_set([PEER, "remove=true", PEER, "persistent_keepalive_interval=5"])
    assert [(change.remove, change.persistent_keepalive) for change in request.peers] == [(True, None), (False, 5)]


def test_replace_allowed_ips_gives_what_line_by_line_processing_gives() -> None:
    x, y = AllowedIP.parse("10.0.0.0/8"), AllowedIP.parse("11.0.0.0/8")
    change = peer_section(f"allowed_ip={x}", "replace_allowed_ips=true", f"allowed_ip={y}")
    assert change.replace_allowed_ips
    # x is taken from whoever had it, and then nobody's.
    assert change.allowed_ips == [(True, x), (False, x), (True, y)]


def test_many_replace_allowed_ips_lines_cost_no_more_than_others() -> None:
    lines = ["allowed_ip=10.0.0.0/8", "replace_allowed_ips=true"] * 20_000
    assert len(peer_section(*lines).allowed_ips) == 40_000


@pytest.mark.parametrize(
    "line",
    [
        "listen_port=abc",
        "listen_port=",
        "listen_port=65536",
        "listen_port=+1",
        "listen_port=-1",
        "listen_port= 1",
        "listen_port=1_0",
        "listen_port=٣",
        "listen_port=" + "9" * 5000,
        "fwmark=0x10",
        "fwmark=4294967296",
        "replace_peers=false",
        "replace_peers=1",
        "replace_peers=True",
        "private_key=00",
        f"private_key={ZERO}0",
        f"private_key={'g' * 64}",
        "public_key=",
        f"public_key={KEY} ",
        "unknown=1",
        "=1",
        "allowed_ip=10.0.0.0/8",
        "protocol_version=1",
    ],
)
def test_bad_device_lines_are_invalid(line: str) -> None:
    assert refusal(line).errno == errno.EINVAL


@pytest.mark.parametrize(
    "line",
    [
        f"private_key={KEY}",
        "listen_port=1",
        "replace_peers=true",
        "endpoint=[1.2.3.4]:5",
        "endpoint=::1:5",
        "endpoint=1.2.3.4",
        "endpoint=example.com:5",
        "endpoint=1.2.3.4:65536",
        "endpoint=[fe80::1%]:5",
        "endpoint=[fe80::1%a\0b]:5",
        "allowed_ip=10.0.0.1",
        "allowed_ip=10.0.0.1/33",
        "allowed_ip=::/129",
        "allowed_ip=10.0.0.0/08",
        "allowed_ip=10.0.0.0/+8",
        "allowed_ip=10.0.0.0/",
        "allowed_ip=--10.0.0.0/8",
        "allowed_ip=+10.0.0.0/8",
        "allowed_ip=fe80::1%eth0/64",
        "allowed_ip=010.0.0.0/8",
        "allowed_ip=",
        "persistent_keepalive_interval=65536",
        "persistent_keepalive_interval=off",
        "preshared_key=",
        "remove=false",
        "update_only=1",
        "replace_allowed_ips=",
        "protocol_version=2",
        "unknown=1",
    ],
)
def test_bad_peer_lines_are_invalid(line: str) -> None:
    assert refusal(PEER, line).errno == errno.EINVAL


def test_a_line_without_equals_sign_is_a_protocol_error() -> None:
    assert refusal("nonsense").errno == errno.EPROTO


def test_the_value_may_contain_equals_signs() -> None:
    assert refusal("listen_port=1=2").problem.startswith("listen_port: ")


def test_an_error_names_the_key() -> None:
    assert refusal(PEER, "allowed_ip=10.0.0.0").problem.startswith("allowed_ip: ")
    assert refusal(PEER, "fwmark=1").problem == "fwmark: belongs before the first public_key"
    assert refusal("remove=true").problem == "remove: belongs after a public_key"
    assert refusal("color=red").problem == "unknown key color"


def test_an_error_never_repeats_a_secret() -> None:
    base64 = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk"
    for lines in ([f"{base64}="], [base64], [f"private_key={base64}="], [PEER, f"preshared_key={base64}="]):
        assert base64 not in str(refusal(*lines))


def test_the_example_of_the_published_document_is_read_and_written() -> None:
    text = (
        "private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n"
        "listen_port=12912\nfwmark=0\nreplace_peers=true\n"
        "public_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33\n"
        "preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52\n"
        "endpoint=[abcd:23::33%2]:51820\nreplace_allowed_ips=true\nallowed_ip=192.168.4.4/32\n"
        "public_key=58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376\n"
        "endpoint=182.122.22.19:3233\npersistent_keepalive_interval=111\n"
        "replace_allowed_ips=true\nallowed_ip=192.168.4.6/32\n"
        "public_key=662e14fd594556f522604703340351258903b64f35553763f19426ab2a515c58\n"
        "endpoint=5.152.198.39:51820\nreplace_allowed_ips=true\n"
        "allowed_ip=192.168.4.10/32\nallowed_ip=192.168.4.11/32\n"
        "public_key=e818b58db5274087fcc1be5dc728cf53d3b5726b4cef6b9bab8f8f8c2452c25c\n"
        "remove=true\n"
    )
    request = parse_set(text.splitlines())
    assert len(request.peers) == 4
    assert format_set(request).decode() == text


def test_get_lists_keys_in_the_published_order() -> None:
    device = DeviceState(
        private_key=PrivateKey(b"\x40" * 32),
        listen_port=51820,
        fwmark=51,
        peers=[
            PeerState(
                public_key=PublicKey(b"\x01" * 32),
                preshared_key=PresharedKey(b"\x02" * 32),
                endpoint=Endpoint("fe80::1", 5, "eth0"),
                last_handshake=1_700_000_000 * SECOND + 42,
                tx_bytes=38333,
                rx_bytes=2224,
                persistent_keepalive=25,
                allowed_ips=[AllowedIP.parse("10.0.0.0/8"), AllowedIP.parse("::/0")],
            )
        ],
    )
    assert format_get(device).decode() == (
        f"private_key={'40' * 32}\nlisten_port=51820\nfwmark=51\n"
        f"public_key={'01' * 32}\npreshared_key={'02' * 32}\nprotocol_version=1\nendpoint=[fe80::1%eth0]:5\n"
        "last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=42\ntx_bytes=38333\nrx_bytes=2224\n"
        "persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=::/0\n"
    )


def test_get_omits_what_the_reference_omits() -> None:
    assert format_get(DeviceState(None, 0, 0, [])) == b""
    peer = PeerState(PublicKey(b"\x01" * 32), NO_PRESHARED_KEY, None, 0, 0, 0, 0, [])
    assert format_get(DeviceState(None, 0, 0, [peer])).decode() == (
        f"public_key={'01' * 32}\npreshared_key={ZERO}\nprotocol_version=1\n"
        "last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"
        "persistent_keepalive_interval=0\n"
    )


def test_peers_keep_their_order() -> None:
    peers = [PeerState(PublicKey(bytes([i]) * 32), NO_PRESHARED_KEY, None, 0, 0, 0, 0, []) for i in (3, 1, 2)]
    device = parse_get(format_get(DeviceState(None, 0, 0, peers)))
    assert list(device.peers) == peers


def test_a_client_skips_unknown_keys() -> None:
    device = parse_get(f"mtu=1420\nlisten_port=7\n{PEER}\ncolor=red\nrx_bytes=9\n".encode())
    (peer,) = device.peers
    assert (device.listen_port, peer.rx_bytes, peer.preshared_key) == (7, 9, NO_PRESHARED_KEY)


@pytest.mark.parametrize("text", ["nonsense\n", "listen_port=abc\n", f"{PEER}\nallowed_ip=x\n", "public_key=00\n"])
def test_a_client_refuses_an_answer_that_it_cannot_read(text: str) -> None:
    with pytest.raises(UapiError) as caught:
        parse_get(text.encode())
    assert caught.value.errno == errno.EPROTO
