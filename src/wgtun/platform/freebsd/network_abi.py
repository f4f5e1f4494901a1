"""Constants and structs of FreeBSD for addresses and routes, under the names of its headers; the others: `abi.py`."""

from __future__ import annotations

from wgtun.platform.layout import Layout

IN6_IFF_NODAD = 32
ND6_INFINITE_LIFETIME = 0xFFFFFFFF
RTA_GATEWAY = 2
RTF_BLACKHOLE = 4096
RTF_GATEWAY = 2
RTF_HOST = 4
RTF_STATIC = 2048
RTF_UP = 1
RTM_ADD = 1
RTM_DELETE = 2
SIOCAIFADDR = 0x8044692B
SIOCAIFADDR_IN6 = 0x8088691B
SIOCDIFADDR = 0x80206919
SIOCDIFADDR_IN6 = 0x81206919
SIOCSIFFLAGS = 0x80206910
SOL_SOCKET = 0xFFFF
SO_SETFIB = 0x1014

IFALIASREQ = Layout(
    "struct ifaliasreq",
    68,
    {
        "ifra_name": (0, "16s"),
        "ifra_addr": (16, "16s"),
        "ifra_broadaddr": (32, "16s"),
        "ifra_mask": (48, "16s"),
        "ifra_vhid": (64, "i"),
    },
)
IFREQ = Layout(
    "struct ifreq",
    32,
    {"ifr_name": (0, "16s"), "ifr_addr": (16, "16s"), "ifr_flags": (16, "H"), "ifr_flagshigh": (18, "H")},
)
IN6_ALIASREQ = Layout(
    "struct in6_aliasreq",
    136,
    {
        "ifra_name": (0, "16s"),
        "ifra_addr": (16, "28s"),
        "ifra_dstaddr": (44, "28s"),
        "ifra_prefixmask": (72, "28s"),
        "ifra_flags": (100, "i"),
        "ifra_lifetime.ia6t_vltime": (120, "I"),
        "ifra_lifetime.ia6t_pltime": (124, "I"),
        "ifra_vhid": (128, "i"),
    },
)
IN6_IFREQ = Layout("struct in6_ifreq", 288, {"ifr_name": (0, "16s"), "ifr_addr": (16, "28s")})
