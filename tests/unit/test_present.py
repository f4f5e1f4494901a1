"""What is read of macOS, FreeBSD and OpenBSD before a plan is made."""

from __future__ import annotations

import sys

import pytest

from tests.support.call_script import call, script
from wgtun.platform.bsd import gateways
from wgtun.platform.freebsd import network as freebsd
from wgtun.platform.freebsd.present import look as look_at_freebsd
from wgtun.platform.macos import network as macos
from wgtun.platform.macos.present import look as look_at_macos
from wgtun.platform.network.programs import Ask, ask
from wgtun.platform.network.routes import Gateways
from wgtun.platform.openbsd import network as openbsd
from wgtun.platform.openbsd.present import look as look_at_openbsd

MACOS = """\
   route to: default
destination: default
       mask: default
    gateway: 192.168.1.1
  interface: en0
      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>
 recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire
       0         0         0         0         0         0      1492         0
"""
FREEBSD = """\
   route to: ::
destination: ::
       mask: ::
    gateway: fe80::1%em0
        fib: 0
  interface: em0
      flags: <UP,GATEWAY,DONE,STATIC>
 recvpipe  sendpipe  ssthresh  rtt,msec    mtu        weight    expire
       0         0         0         0      1500         1         0
"""
OPENBSD = """\
   route to: default
destination: default
       mask: default
    gateway: 192.0.2.1
  interface: em0
 if address: 192.0.2.7
   priority: 8 (static)
      flags: <UP,GATEWAY,DONE,STATIC>
     use       mtu    expire
      12         0         0
"""
POINT_TO_POINT = "    gateway: link#14\n  interface: ppp0\n"
SERVICES = """\
An asterisk (*) denotes that a network service is disabled.
Wi-Fi
*Bluetooth PAN
USB 10/100
"""


def answers(**said: str) -> Ask:
    """By a word in the question."""

    def answer(*words: str) -> str:
        return next((text for word, text in said.items() if word.replace("_", "-") in " ".join(words)), "")

    return answer


@pytest.mark.parametrize(
    ("text", "route"),
    [
        (MACOS, gateways.DefaultRoute("192.168.1.1", "en0", 1492)),
        (FREEBSD, gateways.DefaultRoute("fe80::1%em0", "em0", 1500)),
        (OPENBSD, gateways.DefaultRoute("192.0.2.1", "em0")),
        (POINT_TO_POINT, gateways.DefaultRoute("", "ppp0")),
        ("", gateways.DefaultRoute()),
    ],
)
def test_default_routes(text: str, route: gateways.DefaultRoute) -> None:
    assert gateways.parse(text) == route


def test_macos() -> None:
    found = look_at_macos(
        answers(
            inet6="",
            inet=MACOS,
            listall=SERVICES,
            getdnsservers_Wi="1.1.1.1\n2606:4700::1\n",
            getdnsservers="There aren't any DNS Servers set on USB 10/100.\n",
            getsearchdomains_Wi="",
            getsearchdomains="There aren't any Search Domains set on USB 10/100.\n",
        )
    )
    assert found.outer_mtu == 1492
    assert found.gateways == Gateways("192.168.1.1")
    assert [service.name for service in found.services] == ["Wi-Fi", "USB 10/100"]
    assert found.services[1] == macos.Service("USB 10/100")


def test_the_servers_of_a_service_are_kept() -> None:
    found = look_at_macos(
        answers(listall="\nLAN\n", getdns="1.1.1.1\n2606:4700::1\n", getsearch="a.example\nb.example\n")
    )
    assert found.services == (macos.Service("LAN", ("1.1.1.1", "2606:4700::1"), ("a.example", "b.example")),)
    assert found.outer_mtu == 1500


def test_openbsd() -> None:
    assert look_at_openbsd(answers(inet6="", inet=OPENBSD)) == openbsd.Present(1500, Gateways("192.0.2.1"))


def test_freebsd() -> None:
    name = b"wg0" + bytes(13)
    with script(
        call("socket", 2, 2, 0, answer=9),
        call("ioctl", 9, 0xC0206911, name + bytes(16), answer=name + b"\x02\x80\x01\0" + bytes(12)),
        call("close", 9),
        call("interface_index", "wg0", answer=5),
        call("interface_index", "em0", answer=2),
    ) as (calls, _):
        found = look_at_freebsd(calls, answers(inet6=FREEBSD, inet=OPENBSD), "wg0")
    assert found == freebsd.Present(5, 0x18002, 1500, Gateways("192.0.2.1", "fe80::1%em0"), 2)


@pytest.mark.skipif(sys.platform == "win32", reason="needs echo")
def test_a_program_that_fails_says_nothing() -> None:
    assert ask("false") == ""
    assert ask("echo", "a", "b") == "a b\n"
