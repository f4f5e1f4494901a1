"""Plans of every system as text: what a person would type, or the calls by name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.wishes import FULL, SPLIT, text
from wgtun.allowed_ip import AllowedIP
from wgtun.config.model import InterfaceAddress
from wgtun.config.wgquick import parse
from wgtun.endpoint import Endpoint
from wgtun.errors import ConfigError
from wgtun.platform.freebsd import network as freebsd
from wgtun.platform.linux import network as linux
from wgtun.platform.macos import network as macos
from wgtun.platform.network.__main__ import SYSTEMS, main
from wgtun.platform.network.routes import Gateways
from wgtun.platform.network.wish import Wish, wish_from_config
from wgtun.platform.openbsd import network as openbsd
from wgtun.platform.windows import network as windows

GATEWAYS = Gateways("192.168.1.1", "fe80::1%en0")
MAC = macos.Present(gateways=GATEWAYS, services=(macos.Service("Wi-Fi", ("1.1.1.1",), ()), macos.Service("USB 10/100")))
LINK_LOCAL = (Endpoint("fe80::5", 51820, "en0"), Endpoint("169.254.1.1", 51820), Endpoint("127.0.0.1", 51820))


class TestLinux:
    def test_split_tunnel(self) -> None:
        """The route that an address brings is not asked for again."""
        assert text(linux.plan(SPLIT, linux.Present())) == (
            """\
ip link set mtu 1420 up dev wg0
ip -4 address add 10.0.0.2/24 dev wg0
ip -6 address add fd00::2/64 dev wg0
ip -6 route add fd00:7::/48 dev wg0
ip -4 route add 192.168.7.0/24 dev wg0""",
            """\
ip -4 route delete 192.168.7.0/24 dev wg0
ip -6 route delete fd00:7::/48 dev wg0
ip -6 address delete fd00::2/64 dev wg0
ip -4 address delete 10.0.0.2/24 dev wg0
ip link set mtu 1420 down dev wg0""",
        )

    def test_full_tunnel(self) -> None:
        assert text(linux.plan(FULL, linux.Present(resolvconf_prefix="tun.", free_table=51821))) == (
            """\
ip link set mtu 1420 up dev wg0
ip -4 address add 10.0.0.2/32 dev wg0
ip -6 address add fd00::2/128 dev wg0
resolvconf -a tun.wg0 -m 0 -x <<END
nameserver 10.0.0.1
nameserver fd00::1
search example.com example.org
END
ip -4 route add 192.168.7.0/24 dev wg0
wg set wg0 fwmark 51821
ip -4 route add 0.0.0.0/0 dev wg0 table 51821
ip -4 rule add not fwmark 51821 table 51821
ip -4 rule add table main suppress_prefixlength 0
sysctl -q net.ipv4.conf.all.src_valid_mark=1
nft -f - <<END
add table ip wgtun-wg0
add chain ip wgtun-wg0 preraw { type filter hook prerouting priority -300; }
add chain ip wgtun-wg0 premangle { type filter hook prerouting priority -150; }
add chain ip wgtun-wg0 postmangle { type filter hook postrouting priority -150; }
add rule ip wgtun-wg0 preraw iifname != "wg0" ip daddr 10.0.0.2 fib saddr type != local drop
add rule ip wgtun-wg0 postmangle meta l4proto udp mark 51821 ct mark set mark
add rule ip wgtun-wg0 premangle meta l4proto udp meta mark set ct mark
END
ip -6 route add ::/0 dev wg0 table 51821
ip -6 rule add not fwmark 51821 table 51821
ip -6 rule add table main suppress_prefixlength 0
nft -f - <<END
add table ip6 wgtun-wg0
add chain ip6 wgtun-wg0 preraw { type filter hook prerouting priority -300; }
add chain ip6 wgtun-wg0 premangle { type filter hook prerouting priority -150; }
add chain ip6 wgtun-wg0 postmangle { type filter hook postrouting priority -150; }
add rule ip6 wgtun-wg0 preraw iifname != "wg0" ip6 daddr fd00::2 fib saddr type != local drop
add rule ip6 wgtun-wg0 postmangle meta l4proto udp mark 51821 ct mark set mark
add rule ip6 wgtun-wg0 premangle meta l4proto udp meta mark set ct mark
END""",
            """\
nft -f - <<END
delete table ip6 wgtun-wg0
END
ip -6 rule delete table main suppress_prefixlength 0
ip -6 rule delete not fwmark 51821 table 51821
ip -6 route delete ::/0 dev wg0 table 51821
nft -f - <<END
delete table ip wgtun-wg0
END
ip -4 rule delete table main suppress_prefixlength 0
ip -4 rule delete not fwmark 51821 table 51821
ip -4 route delete 0.0.0.0/0 dev wg0 table 51821
wg set wg0 fwmark 0
ip -4 route delete 192.168.7.0/24 dev wg0
resolvconf -d tun.wg0 -f
ip -6 address delete fd00::2/128 dev wg0
ip -4 address delete 10.0.0.2/32 dev wg0
ip link set mtu 1420 down dev wg0""",
        )

    def test_the_mark_of_the_file_is_the_table(self) -> None:
        up, down = text(linux.plan(replace(FULL, fwmark=0x1234), linux.Present()))
        assert "wg set" not in up + down
        assert "ip -4 rule add not fwmark 4660 table 4660" in up

    def test_iptables_where_there_is_no_nft(self) -> None:
        plan = linux.plan(replace(FULL, routes=(AllowedIP.parse("0.0.0.0/0"),)), linux.Present(firewall="iptables"))
        up, down = text(plan)
        assert up.endswith("""\
iptables-restore -n <<END
*raw
-I PREROUTING ! -i wg0 -d 10.0.0.2 -m addrtype ! --src-type LOCAL -j DROP -m comment --comment "wgtun rule for wg0"
COMMIT
*mangle
-I POSTROUTING -m mark --mark 51820 -p udp -j CONNMARK --save-mark -m comment --comment "wgtun rule for wg0"
-I PREROUTING -p udp -j CONNMARK --restore-mark -m comment --comment "wgtun rule for wg0"
COMMIT
END""")
        assert down.startswith("iptables-restore -n <<END\n*raw\n-D PREROUTING ! -i wg0 -d 10.0.0.2 ")
        assert not plan.notes

    def test_without_a_firewall_it_is_said(self) -> None:
        assert "nft" in linux.plan(FULL, linux.Present(firewall="")).notes[0]
        assert not linux.plan(SPLIT, linux.Present(firewall="")).notes

    def test_names_that_nft_does_not_take(self) -> None:
        up, _ = text(linux.plan(replace(FULL, name="a+b=c"), linux.Present()))
        assert 'add rule ip wgtun-a/2bb/3dc preraw iifname != "a+b=c" ' in up

    def test_resolvectl(self) -> None:
        up, down = text(linux.plan(FULL, linux.Present(resolver="resolvectl")))
        assert "resolvectl dns wg0 10.0.0.1 fd00::1\nresolvectl domain wg0 '~.' example.com example.org\n" in up
        assert "resolvectl revert wg0\n" in down

    def test_a_table_of_its_own(self) -> None:
        """Takes all routes, the default too, and no rules."""
        up, _ = text(linux.plan(replace(FULL, table="7"), linux.Present()))
        assert up.splitlines()[-3:] == [
            "ip -4 route add 192.168.7.0/24 dev wg0 table 7",
            "ip -4 route add 0.0.0.0/0 dev wg0 table 7",
            "ip -6 route add ::/0 dev wg0 table 7",
        ]

    def test_what_is_set_already_stays(self) -> None:
        present = linux.Present(link_up=True, link_mtu=1500, src_valid_mark=True)
        up, down = text(linux.plan(FULL, present))
        assert "sysctl" not in up
        assert down.endswith("ip link set mtu 1500 dev wg0")


class TestMacOs:
    def test_split_tunnel(self) -> None:
        assert text(macos.plan(replace(SPLIT, name="utun3"), MAC)) == (
            """\
ifconfig utun3 inet 10.0.0.2/24 10.0.0.2 alias
ifconfig utun3 inet6 fd00::2/64 alias
ifconfig utun3 mtu 1420
ifconfig utun3 up
route -q -n add -inet6 fd00:7::/48 -interface utun3
route -q -n add -inet 10.0.0.0/24 -interface utun3
route -q -n add -inet 192.168.7.0/24 -interface utun3""",
            """\
route -q -n delete -inet 192.168.7.0/24 -interface utun3
route -q -n delete -inet 10.0.0.0/24 -interface utun3
route -q -n delete -inet6 fd00:7::/48 -interface utun3
ifconfig utun3 down
ifconfig utun3 inet6 fd00::2 -alias
ifconfig utun3 inet 10.0.0.2 -alias""",
        )

    def test_full_tunnel(self) -> None:
        """Endpoints get their routes before the tunnel's catch them; every service gets its old servers back."""
        assert text(macos.plan(replace(FULL, name="utun3"), MAC)) == (
            """\
ifconfig utun3 inet 10.0.0.2/32 10.0.0.2 alias
ifconfig utun3 inet6 fd00::2/128 alias
ifconfig utun3 mtu 1420
ifconfig utun3 up
route -q -n add -inet 192.0.2.1 192.168.1.1
route -q -n add -inet6 2001:db8::1 fe80::1%en0
route -q -n add -inet 192.168.7.0/24 -interface utun3
route -q -n add -inet 0.0.0.0/1 -interface utun3
route -q -n add -inet 128.0.0.0/1 -interface utun3
route -q -n add -inet6 ::/1 -interface utun3
route -q -n add -inet6 8000::/1 -interface utun3
networksetup -setdnsservers Wi-Fi 10.0.0.1 fd00::1
networksetup -setsearchdomains Wi-Fi example.com example.org
networksetup -setdnsservers 'USB 10/100' 10.0.0.1 fd00::1
networksetup -setsearchdomains 'USB 10/100' example.com example.org""",
            """\
networksetup -setsearchdomains 'USB 10/100' Empty
networksetup -setdnsservers 'USB 10/100' Empty
networksetup -setsearchdomains Wi-Fi Empty
networksetup -setdnsservers Wi-Fi 1.1.1.1
route -q -n delete -inet6 8000::/1 -interface utun3
route -q -n delete -inet6 ::/1 -interface utun3
route -q -n delete -inet 128.0.0.0/1 -interface utun3
route -q -n delete -inet 0.0.0.0/1 -interface utun3
route -q -n delete -inet 192.168.7.0/24 -interface utun3
route -q -n delete -inet6 2001:db8::1 fe80::1%en0
route -q -n delete -inet 192.0.2.1 192.168.1.1
ifconfig utun3 down
ifconfig utun3 inet6 fd00::2 -alias
ifconfig utun3 inet 10.0.0.2 -alias""",
        )

    def test_no_gateway_is_a_black_hole(self) -> None:
        up, _ = text(macos.plan(FULL, macos.Present()))
        assert "route -q -n add -inet 192.0.2.1 127.0.0.1 -blackhole\n" in up
        assert "route -q -n add -inet6 2001:db8::1 ::1 -blackhole\n" in up

    def test_only_the_family_of_the_default_route_goes_around(self) -> None:
        up, _ = text(macos.plan(replace(FULL, routes=(AllowedIP.parse("::/0"),)), MAC))
        assert "192.0.2.1" not in up
        assert "2001:db8::1" in up

    def test_in_the_main_table_a_default_route_is_one(self) -> None:
        up, _ = text(macos.plan(replace(FULL, table="main", dns=()), MAC))
        assert up.endswith("-inet 0.0.0.0/0 -interface wg0\nroute -q -n add -inet6 ::/0 -interface wg0")
        assert "192.0.2.1" not in up


class TestFreeBsd:
    def test_split_tunnel(self) -> None:
        assert text(freebsd.plan(SPLIT, freebsd.Present(interface=5))) == (
            """\
ioctl SIOCAIFADDR wg0 10.0.0.2/24
ioctl SIOCAIFADDR_IN6 wg0 fd00::2/64
ioctl SIOCSIFMTU wg0 1420
ioctl SIOCSIFFLAGS wg0 up
route RTM_ADD fd00:7::/48 wg0
route RTM_ADD 10.0.0.0/24 wg0
route RTM_ADD 192.168.7.0/24 wg0""",
            """\
route RTM_DELETE 192.168.7.0/24 wg0
route RTM_DELETE 10.0.0.0/24 wg0
route RTM_DELETE fd00:7::/48 wg0
ioctl SIOCSIFFLAGS wg0 down
ioctl SIOCDIFADDR_IN6 wg0 fd00::2
ioctl SIOCDIFADDR wg0 10.0.0.2""",
        )

    def test_full_tunnel(self) -> None:
        up, down = text(freebsd.plan(FULL, freebsd.Present(gateways=Gateways("192.168.1.1"))))
        assert up.endswith("""\
route RTM_ADD 192.0.2.1/32 192.168.1.1
route RTM_ADD 2001:db8::1/128 ::1 blackhole
route RTM_ADD 192.168.7.0/24 wg0
route RTM_ADD 0.0.0.0/1 wg0
route RTM_ADD 128.0.0.0/1 wg0
route RTM_ADD ::/1 wg0
route RTM_ADD 8000::/1 wg0
resolvconf -a wg0 -x <<END
nameserver 10.0.0.1
nameserver fd00::1
search example.com example.org
END""")
        assert down.startswith("resolvconf -d wg0 -f\nroute RTM_DELETE 8000::/1 wg0\n")

    def test_a_table_of_its_own(self) -> None:
        up, _ = text(freebsd.plan(replace(FULL, table="2", dns=()), freebsd.Present()))
        assert up.endswith("route RTM_ADD 0.0.0.0/0 wg0 fib 2\nroute RTM_ADD ::/0 wg0 fib 2")


class TestOpenBsd:
    def test_split_tunnel(self) -> None:
        assert text(openbsd.plan(replace(SPLIT, name="tun3"), openbsd.Present())) == (
            """\
ifconfig tun3 inet 10.0.0.2/24 alias
ifconfig tun3 inet6 fd00::2/64 alias
ifconfig tun3 mtu 1420
ifconfig tun3 up
route -q -n add -inet6 fd00:7::/48 -iface tun3
route -q -n add -inet 10.0.0.0/24 -iface tun3
route -q -n add -inet 192.168.7.0/24 -iface tun3""",
            """\
route -q -n delete -inet 192.168.7.0/24 -iface tun3
route -q -n delete -inet 10.0.0.0/24 -iface tun3
route -q -n delete -inet6 fd00:7::/48 -iface tun3
ifconfig tun3 down
ifconfig tun3 inet6 fd00::2 -alias
ifconfig tun3 inet 10.0.0.2 -alias""",
        )

    def test_full_tunnel(self) -> None:
        plan = openbsd.plan(FULL, openbsd.Present(gateways=GATEWAYS))
        up, down = text(plan)
        assert up.splitlines()[4:] == [
            "route -q -n add -inet 192.0.2.1 192.168.1.1",
            "route -q -n add -inet6 2001:db8::1 fe80::1%en0",
            "route -q -n add -inet 192.168.7.0/24 -iface wg0",
            "route -q -n add -inet 0.0.0.0/1 -iface wg0",
            "route -q -n add -inet 128.0.0.0/1 -iface wg0",
            "route -q -n add -inet6 ::/1 -iface wg0",
            "route -q -n add -inet6 8000::/1 -iface wg0",
            "route nameserver wg0 10.0.0.1 fd00::1",
        ]
        assert down.splitlines()[0] == "route nameserver wg0"
        assert "search domains" in plan.notes[0]

    def test_a_mark_is_a_routing_table_that_needs_no_way_around(self) -> None:
        plan = openbsd.plan(replace(FULL, fwmark=1, search=()), openbsd.Present(gateways=GATEWAYS))
        assert "192.0.2.1" not in text(plan)[0]
        assert plan.notes == ("peers are reached by the routing table 1, which needs a default route of its own",)

    def test_a_table_of_its_own(self) -> None:
        up, _ = text(openbsd.plan(replace(SPLIT, table="3"), openbsd.Present()))
        assert up.endswith("route -T 3 -q -n add -inet 192.168.7.0/24 -iface wg0")


class TestWindows:
    def test_split_tunnel(self) -> None:
        assert text(windows.plan(replace(SPLIT, mtu=1280), windows.Present())) == (
            """\
SetIpInterfaceEntry AF_INET mtu 1280
SetIpInterfaceEntry AF_INET6 mtu 1280
CreateUnicastIpAddressEntry 10.0.0.2/24
CreateUnicastIpAddressEntry fd00::2/64
CreateIpForwardEntry2 fd00:7::/48
CreateIpForwardEntry2 10.0.0.0/24
CreateIpForwardEntry2 192.168.7.0/24""",
            """\
DeleteIpForwardEntry2 192.168.7.0/24
DeleteIpForwardEntry2 10.0.0.0/24
DeleteIpForwardEntry2 fd00:7::/48
DeleteUnicastIpAddressEntry fd00::2/64
DeleteUnicastIpAddressEntry 10.0.0.2/24
SetIpInterfaceEntry AF_INET6 as before
SetIpInterfaceEntry AF_INET as before""",
        )

    def test_full_tunnel(self) -> None:
        up, down = text(windows.plan(FULL, windows.Present()))
        assert (
            up
            == """\
SetIpInterfaceEntry AF_INET mtu 1420 metric 0
SetIpInterfaceEntry AF_INET6 mtu 1420 metric 0
CreateUnicastIpAddressEntry 10.0.0.2/32
CreateUnicastIpAddressEntry fd00::2/128
CreateIpForwardEntry2 192.168.7.0/24
CreateIpForwardEntry2 0.0.0.0/0
CreateIpForwardEntry2 ::/0
SetInterfaceDnsSettings AF_INET NameServer=10.0.0.1 SearchList=example.com,example.org
SetInterfaceDnsSettings AF_INET6 NameServer=fd00::1 SearchList=example.com,example.org"""
        )
        assert down.startswith("""\
SetInterfaceDnsSettings AF_INET6 NameServer= SearchList=
SetInterfaceDnsSettings AF_INET NameServer= SearchList=
DeleteIpForwardEntry2 ::/0
""")

    def test_a_family_that_is_not_wished_for_is_left_alone(self) -> None:
        """It may be switched off."""
        up, _ = text(windows.plan(Wish("wg0", (InterfaceAddress("10.0.0.2", 24),)), windows.Present()))
        assert "AF_INET6" not in up


def plans(wish: Wish) -> dict[str, str]:
    """The way up on every system, with gateways where they matter."""
    return {
        "linux": text(linux.plan(wish, linux.Present()))[0],
        "macos": text(macos.plan(wish, MAC))[0],
        "freebsd": text(freebsd.plan(wish, freebsd.Present(gateways=GATEWAYS)))[0],
        "openbsd": text(openbsd.plan(wish, openbsd.Present(gateways=GATEWAYS)))[0],
        "windows": text(windows.plan(wish, windows.Present()))[0],
    }


@pytest.mark.parametrize("system", SYSTEMS)
class TestEverywhere:
    def test_table_off_makes_no_routes(self, system: str) -> None:
        up = plans(replace(FULL, table="off"))[system].lower()
        assert not [
            word for word in ("route add", " add -inet", "rtm_add", "ipforward", "rule", "metric") if word in up
        ]
        assert "10.0.0.2" in up

    def test_no_dns_without_a_server(self, system: str) -> None:
        up = plans(replace(FULL, dns=()))[system]
        assert "example" not in up
        assert not [word for word in ("resolv", "networksetup", "nameserver", "Dns") if word in up]

    @pytest.mark.parametrize("mtu", [1280, 9000])
    def test_the_mtu_of_the_file(self, system: str, mtu: int) -> None:
        assert str(mtu) in plans(replace(SPLIT, mtu=mtu))[system]

    def test_endpoints_on_a_link_or_this_host_need_no_way_around(self, system: str) -> None:
        up = plans(replace(FULL, endpoints=LINK_LOCAL))[system]
        assert up == plans(replace(FULL, endpoints=()))[system]

    def test_an_endpoint_of_ipv4_in_ipv6(self, system: str) -> None:
        mapped = plans(replace(FULL, endpoints=(Endpoint("::ffff:192.0.2.9", 51820),)))[system]
        assert mapped == plans(replace(FULL, endpoints=(Endpoint("192.0.2.9", 51820),)))[system]

    def test_what_is_wished_for_twice_is_done_once(self, system: str) -> None:
        twice = replace(FULL, addresses=FULL.addresses * 2, routes=FULL.routes * 2, endpoints=FULL.endpoints * 2)
        assert plans(twice)[system] == plans(FULL)[system]

    def test_is_printed(self, system: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "wg0.conf"
        file.write_text("[Interface]\nAddress = 10.0.0.2/24\n")
        assert main([system, str(file)]) == 0
        assert "10.0.0.2/24" in capsys.readouterr().out


def test_the_mtu_follows_the_network_below() -> None:
    assert "mtu 1320 " in text(linux.plan(SPLIT, linux.Present(outer_mtu=1400)))[0]
    assert "mtu 1280 " in text(linux.plan(SPLIT, linux.Present(outer_mtu=1280)))[0]  # less would end IPv6


@pytest.mark.parametrize("table", ["7", "custom"])
def test_a_table_that_the_system_has_not(table: str) -> None:
    wish = replace(SPLIT, table=table)
    with pytest.raises(ConfigError, match="Table: on macOS it is `auto`, `main` or `off`"):
        macos.plan(wish, macos.Present())
    with pytest.raises(ConfigError, match="on Windows"):
        windows.plan(wish, windows.Present())


@pytest.mark.parametrize("table", ["256", "custom"])
def test_a_table_number_out_of_range(table: str) -> None:
    with pytest.raises(ConfigError, match="or a number up to 255"):
        openbsd.plan(replace(SPLIT, table=table), openbsd.Present())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "-j"),
        ("name", ".."),
        ("name", ""),
        ("name", "wg0;reboot"),
        ("name", "a234567890123456"),
        ("table", "-4"),
        ("table", "7 dev eth0"),
        ("addresses", (InterfaceAddress("-10.0.0.1", 24),)),
        ("addresses", (InterfaceAddress("10.0.0.1", 33),)),
        ("addresses", (InterfaceAddress("FD00::1", 64),)),
        ("routes", (AllowedIP(b"\x0a\0\0\1", 24),)),
        ("routes", (AllowedIP(b"\x0a\0\0\0", 33),)),
        ("dns", ("-x",)),
        ("dns", ("example.com",)),
        ("dns", ("10.0.0.1\nnameserver 6.6.6.6",)),
        ("search", ("-x",)),
        ("search", ("a b",)),
        ("search", ("a\nnameserver 6.6.6.6",)),
        ("mtu", 20),
        ("fwmark", -1),
        ("endpoints", (Endpoint("name.example", 1),)),
    ],
)
def test_no_wish_for_what_could_be_something_else(field: str, value: object) -> None:
    with pytest.raises(ConfigError):
        replace(FULL, **{field: value})  # type: ignore[arg-type]


def test_a_wish_from_a_file() -> None:
    config = parse(
        "[Interface]\nAddress = 10.0.0.2, fd00::2/64\nDNS = 10.0.0.1, example.com\n"
        "MTU = 1400\nFwMark = 0x10\nTable = off\n"
        f"[Peer]\nPublicKey = {'A' * 43}=\nAllowedIPs = 0.0.0.0/0\nEndpoint = [2001:db8::1]:5\n"
        f"[Peer]\nPublicKey = {'B' * 42}A=\nAllowedIPs = 10.7.0.0/16\nEndpoint = vpn.example.com:5\n"
    ).config
    wish = wish_from_config(config, "wg0")
    assert wish == Wish(
        "wg0",
        (InterfaceAddress("10.0.0.2", 32), InterfaceAddress("fd00::2", 64)),
        1400,
        (AllowedIP.parse("0.0.0.0/0"), AllowedIP.parse("10.7.0.0/16")),
        ("10.0.0.1",),
        ("example.com",),
        "off",
        16,
        (Endpoint("2001:db8::1", 5),),
    )
    found = (Endpoint("192.0.2.7", 5),)
    assert wish_from_config(config, "wg0", found).endpoints == found


def test_the_printer_as_a_program(tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "wgtun.platform.network", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    file = tmp_path / "utun3.conf"
    file.write_text("[Interface]\nMTU = 1400\n")
    assert run("macos", str(file)) == (
        0,
        "up: ifconfig utun3 mtu 1400\nup: ifconfig utun3 up\ndown: ifconfig utun3 down\n",
    )
    assert run("beos", str(file))[0] == 2
    status, said = run("macos", str(tmp_path / "none.conf"))
    assert status == 1
    assert said.startswith("wgtun: ")
