"""The structs in plans, byte for byte, from the sizes and offsets of the systems' headers."""

from __future__ import annotations

import errno

import pytest

from tests.support.call_script import call, script
from wgtun.allowed_ip import AllowedIP
from wgtun.config.model import InterfaceAddress
from wgtun.endpoint import Endpoint
from wgtun.errors import PlatformError
from wgtun.platform.freebsd import network as freebsd
from wgtun.platform.freebsd.network_calls import network_calls
from wgtun.platform.network.perform import bring_up, take_down
from wgtun.platform.network.routes import Gateways
from wgtun.platform.network.steps import Call, Plan
from wgtun.platform.network.wish import Wish
from wgtun.platform.windows import abi as windows_abi
from wgtun.platform.windows import network as windows

SIOCAIFADDR, SIOCAIFADDR_IN6 = 0x8044692B, 0x8088691B
SIOCDIFADDR, SIOCDIFADDR_IN6 = 0x80206919, 0x81206919
SIOCSIFMTU, SIOCSIFFLAGS = 0x80206934, 0x80206910
RTM_ADD, RTM_DELETE = 1, 2

IPV4 = AllowedIP.parse("0.0.0.0/0")
V4, V6 = InterfaceAddress("10.0.0.2", 24), InterfaceAddress("fd00::2", 64)
NAME = b"wg0" + bytes(13)
FD00_2 = b"\xfd" + bytes(14) + b"\x02"


def arguments(plan: Plan) -> list[tuple[object, ...]]:
    return [step.arguments for step in plan.up if isinstance(step, Call)]


def undo(plan: Plan) -> list[tuple[object, ...]]:
    return [step.arguments for step in plan.down if isinstance(step, Call)]


class TestFreeBsd:
    """sockaddr_in: length 16, family 2; sockaddr_in6: length 28, family 28."""

    SIN = b"\x10\x02\0\0\x0a\0\0\x02" + bytes(8)
    SIN6 = b"\x1c\x1c\0\0\0\0\0\0" + FD00_2 + bytes(4)

    def test_ipv4_address(self) -> None:
        plan = freebsd.plan(Wish("wg0", (V4,)), freebsd.Present())
        broadcast = b"\x10\x02\0\0\x0a\0\0\xff" + bytes(8)
        mask = b"\x10\x02\0\0\xff\xff\xff\0" + bytes(8)
        assert arguments(plan)[0] == (2, SIOCAIFADDR, NAME + self.SIN + broadcast + mask + bytes(4))
        assert undo(plan)[-1] == (2, SIOCDIFADDR, NAME + self.SIN)

    def test_ipv6_address(self) -> None:
        plan = freebsd.plan(Wish("wg0", (V6,)), freebsd.Present())
        mask = b"\x1c\x1c\0\0\0\0\0\0" + b"\xff" * 8 + bytes(8) + bytes(4)
        flags = b"\x20\0\0\0"  # no search for duplicates
        lifetime = bytes(16) + b"\xff" * 8
        request = NAME + self.SIN6 + bytes(28) + mask + flags + lifetime + bytes(8)
        assert len(request) == 136
        assert arguments(plan)[0] == (28, SIOCAIFADDR_IN6, request)
        assert undo(plan)[-1] == (28, SIOCDIFADDR_IN6, NAME + self.SIN6 + bytes(288 - 44))

    def test_mtu_and_flags(self) -> None:
        plan = freebsd.plan(Wish("wg0", mtu=1400), freebsd.Present(flags=0x18002))
        assert arguments(plan) == [
            (2, SIOCSIFMTU, NAME + b"\x78\x05\0\0" + bytes(12)),
            (2, SIOCSIFFLAGS, NAME + b"\x03\x80\x01\0" + bytes(12)),
        ]
        assert undo(plan) == [(2, SIOCSIFFLAGS, NAME + b"\x02\x80\x01\0" + bytes(12))]

    @staticmethod
    def header(length: int, kind: int, flags: int, addresses: int) -> bytes:
        """struct rt_msghdr, 152 bytes."""
        start = length.to_bytes(2, "little") + bytes([5, kind]) + bytes(4)
        start += flags.to_bytes(4, "little") + addresses.to_bytes(4, "little") + bytes(4) + b"\x01\0\0\0"
        return start.ljust(152, b"\0")

    def test_a_route_into_the_tunnel(self) -> None:
        plan = freebsd.plan(Wish("wg0", routes=(AllowedIP.parse("192.168.7.0/24"),)), freebsd.Present(interface=0x0105))
        destination = b"\x10\x02\0\0\xc0\xa8\x07\0" + bytes(8)
        link = b"\x36\x12\x05\x01" + bytes(52)  # 54 bytes, to the next eight
        mask = b"\x10\x02\0\0\xff\xff\xff\0" + bytes(8)
        rest = destination + link + mask
        assert arguments(plan)[-1] == (self.header(240, RTM_ADD, 0x801, 7) + rest, 0)  # up, static
        assert undo(plan)[0] == (self.header(240, RTM_DELETE, 0x801, 7) + rest, 0)

    def test_routes_around_the_tunnel(self) -> None:
        wish = Wish(
            "wg0",
            routes=(IPV4, AllowedIP.parse("::/0")),
            endpoints=(Endpoint("192.0.2.1", 1), Endpoint("2001:db8::1", 1)),
        )
        gateways = Gateways("", "fe80::1%em0")
        found = arguments(freebsd.plan(wish, freebsd.Present(gateways=gateways, gateway_scope=2)))
        nowhere = b"\x10\x02\0\0\xc0\0\x02\x01" + bytes(8) + b"\x10\x02\0\0\x7f\0\0\x01" + bytes(8)
        assert found[2] == (self.header(184, RTM_ADD, 0x1807, 3) + nowhere, 0)  # up, gateway, host, static, blackhole
        host = b"\x1c\x1c\0\0\0\0\0\0\x20\x01\x0d\xb8" + bytes(11) + b"\x01" + bytes(8)
        gateway = b"\x1c\x1c\0\0\0\0\0\0\xfe\x80" + bytes(13) + b"\x01" + b"\x02\0\0\0" + bytes(4)
        assert found[3] == (self.header(216, RTM_ADD, 0x807, 3) + host + gateway, 0)

    def test_is_carried_out(self) -> None:
        wish = Wish("wg0", (V4,), routes=(AllowedIP.parse("10.0.0.0/24"),), table="2")
        plan = freebsd.plan(wish, freebsd.Present(interface=5))
        steps = arguments(plan)
        ioctls = [
            each
            for family, request, argument in steps[:3]
            for each in (
                call("socket", family, 2, 0, answer=9),
                call("ioctl", 9, request, argument, answer=b""),
                call("close", 9),
            )
        ]
        message, _ = steps[3]
        fib = call("setsockopt", 8, 0xFFFF, 0x1014, b"\x02\0\0\0")
        exists = [
            call("socket", 17, 3, 0, answer=8),
            fib,
            call("write", 8, message, error=errno.EEXIST),
            call("close", 8),
        ]
        with script(*ioctls, *exists) as (calls, _):
            bring_up(plan, network_calls(calls))  # the address has brought the route

    def test_what_fails_is_named_and_the_rest_undone(self) -> None:
        wish = Wish("wg0", (V4,))
        plan = freebsd.plan(wish, freebsd.Present())
        (_, add, address), (_, mtu, request), _ = arguments(plan)
        gone = undo(plan)[-1]
        with script(
            call("socket", 2, 2, 0, answer=9),
            call("ioctl", 9, add, address, answer=b""),
            call("close", 9),
            call("socket", 2, 2, 0, answer=9),
            call("ioctl", 9, mtu, request, error=errno.EINVAL),
            call("close", 9),
            call("socket", 2, 2, 0, answer=9),
            call("ioctl", 9, gone[1], gone[2], answer=b""),
            call("close", 9),
        ) as (calls, _):
            with pytest.raises(PlatformError, match="`ioctl SIOCSIFMTU wg0 1420`: Invalid argument"):
                bring_up(plan, network_calls(calls))


class TestWindows:
    LUID = 0x0035_0000_0500_0000
    LUID_BYTES = b"\0\0\0\x05\0\0\x35\0"
    GUID = bytes(range(16))
    PRESENT = windows.Present(LUID, GUID, b"\xaa" * 168, b"\xbb" * 168)

    def test_addresses(self) -> None:
        """MIB_UNICASTIPADDRESS_ROW: address 0, LUID 32, origins 44 and 48, lifetimes 52 and 56, length 60, DAD 64."""
        found = arguments(windows.plan(Wish("wg0", (V4, V6)), self.PRESENT))
        tail = bytes(4) + b"\x01\0\0\0" * 2 + b"\xff" * 8 + b"%c\0\0\0" + b"\x04\0\0\0" + bytes(12)
        v4 = b"\x02\0\0\0\x0a\0\0\x02" + bytes(24) + self.LUID_BYTES + tail % 24
        v6 = b"\x17\0\0\0\0\0\0\0" + FD00_2 + bytes(8) + self.LUID_BYTES + tail % 64
        assert len(v4) == len(v6) == 80
        assert found[2:] == [(v4,), (v6,)]

    def test_routes(self) -> None:
        """MIB_IPFORWARD_ROW2: LUID 0, prefix 12, its length 40, next hop 44, lifetimes 76, metric 84, protocol 88."""
        wish = Wish("wg0", routes=(AllowedIP.parse("192.168.7.0/24"), AllowedIP.parse("::/0")))
        plan = windows.plan(wish, self.PRESENT)
        tail = bytes(4) + b"\xff" * 8 + bytes(4) + b"\x03\0\0\0" + b"\x01\x01\0\x01" + bytes(8)
        prefix = b"\x02\0\0\0\xc0\xa8\x07\0" + bytes(20) + b"\x18\0\0\0"
        v4 = self.LUID_BYTES + bytes(4) + prefix + b"\x02\0" + bytes(26) + tail
        prefix = b"\x17\0" + bytes(26) + bytes(4)
        v6 = self.LUID_BYTES + bytes(4) + prefix + b"\x17\0" + bytes(26) + tail
        assert len(v4) == len(v6) == 104
        assert arguments(plan)[2:] == [(v4,), (v6,)]
        assert undo(plan)[:2] == [(v6,), (v4,)]

    def test_the_interface(self) -> None:
        """What the system has told stays; IPv4's SitePrefixLength (144) does not, or the system refuses the row."""
        wish = Wish("wg0", (V6,), 1280, (IPV4,))
        plan = windows.plan(wish, self.PRESENT)

        def row(family: int, fill: bytes, values: dict[int, bytes]) -> bytes:
            memory = bytearray(fill * 168)
            for offset, value in ({0: bytes([family, 0]), 8: self.LUID_BYTES} | values).items():
                memory[offset : offset + len(value)] = value
            return bytes(memory)

        changes = {46: b"\0\0", 52: bytes(8), 152: b"\0\x05\0\0"}  # no DHCP; no router or duplicate looked for; 1280
        best = {44: b"\0", 144: bytes(4), 148: bytes(4)}
        assert arguments(plan)[:2] == [(row(2, b"\xaa", changes | best),), (row(23, b"\xbb", changes),)]
        assert undo(plan)[-2:] == [(row(23, b"\xbb", {}),), (row(2, b"\xaa", {144: bytes(4)}),)]

    def test_dns(self) -> None:
        wish = Wish("wg0", dns=("10.0.0.1", "fd00::1", "10.0.0.3"), search=("a.example", "b.example"))
        plan = windows.plan(wish, self.PRESENT)
        domains = "a.example,b.example"
        assert arguments(plan) == [(self.GUID, 6, "10.0.0.1,10.0.0.3", domains), (self.GUID, 7, "fd00::1", domains)]
        assert undo(plan) == [(self.GUID, 7, "", ""), (self.GUID, 6, "", "")]

    def test_sizes(self) -> None:
        assert (windows_abi.MIB_IPINTERFACE_ROW.size, windows_abi.MIB_IPFORWARD_ROW2.size) == (168, 104)


def test_an_unknown_call_is_named() -> None:
    plan = windows.plan(Wish("wg0", (V4,)), windows.Present())
    with pytest.raises(PlatformError, match="`SetIpInterfaceEntry AF_INET mtu 1420`: this system has no call Set"):
        bring_up(plan, {})
    assert len(take_down(plan.down, {})) == len(plan.down)
