"""Constants and structs of OpenBSD, under the names of its headers (`make check-platforms` compares them)."""

from __future__ import annotations

from wgtun.platform.layout import Layout

AF_INET = 2
AF_INET6 = 24
AF_LINK = 18
AF_ROUTE = 17
AF_UNSPEC = 0
EVFILT_VNODE = -4
EV_ADD = 1
EV_CLEAR = 32
IFF_BROADCAST = 2
IFF_MULTICAST = 32768
IFF_POINTOPOINT = 16
IFF_UP = 1
IFNAMSIZ = 16
IPV6_PKTINFO = 46
IPV6_RECVPKTINFO = 36
IPV6_RECVTCLASS = 57
IPV6_TCLASS = 61
IP_RECVDSTADDR = 7
IP_RECVIF = 30
IP_SENDSRCADDR = 7
NOTE_DELETE = 1
NOTE_RENAME = 0x20
NOTE_REVOKE = 0x40
NOTE_WRITE = 2
O_NONBLOCK = 4
O_RDONLY = 0
O_RDWR = 2
RTA_DST = 1
RTA_NETMASK = 4
RTM_DESYNC = 16
RTM_GET = 4
RTM_IFANNOUNCE = 15
RTM_IFINFO = 14
RTM_MISS = 7
RTM_VERSION = 5
SIOCGIFFLAGS = 0xC0206911
SIOCGIFMTU = 0xC020697E
SIOCSIFMTU = 0x8020697F
SOCK_DGRAM = 2
SOCK_RAW = 3
SO_RTABLE = 4129

IFREQ = Layout(
    "struct ifreq",
    32,
    {"ifr_name": (0, "16s"), "ifr_flags": (16, "h"), "ifr_mtu": (16, "i"), "ifr_data": (16, "Q")},
)
IF_MSGHDR = Layout(
    "struct if_msghdr",
    168,
    {
        "ifm_msglen": (0, "H"),
        "ifm_version": (2, "B"),
        "ifm_type": (3, "B"),
        "ifm_hdrlen": (4, "H"),
        "ifm_index": (6, "H"),
        "ifm_flags": (16, "i"),
        "ifm_data.ifi_mtu": (28, "I"),
    },
)
RT_MSGHDR = Layout(
    "struct rt_msghdr",
    96,
    {
        "rtm_msglen": (0, "H"),
        "rtm_version": (2, "B"),
        "rtm_type": (3, "B"),
        "rtm_hdrlen": (4, "H"),
        "rtm_tableid": (8, "H"),
        "rtm_index": (6, "H"),
        "rtm_flags": (16, "i"),
        "rtm_addrs": (12, "i"),
        "rtm_pid": (24, "i"),
        "rtm_seq": (28, "i"),
        "rtm_errno": (32, "i"),
    },
)
SOCKADDR_IN = Layout(
    "struct sockaddr_in",
    16,
    {"sin_len": (0, "B"), "sin_family": (1, "B"), "sin_port": (2, "2s"), "sin_addr": (4, "4s")},
)
SOCKADDR_IN6 = Layout(
    "struct sockaddr_in6",
    28,
    {
        "sin6_len": (0, "B"),
        "sin6_family": (1, "B"),
        "sin6_port": (2, "2s"),
        "sin6_addr": (8, "16s"),
        "sin6_scope_id": (24, "I"),
    },
)
SOCKADDR_DL = Layout(
    "struct sockaddr_dl",
    32,
    {"sdl_len": (0, "B"), "sdl_family": (1, "B"), "sdl_index": (2, "H")},
)
IF_ANNOUNCEMSGHDR = Layout(
    "struct if_announcemsghdr",
    26,
    {
        "ifan_msglen": (0, "H"),
        "ifan_version": (2, "B"),
        "ifan_type": (3, "B"),
        "ifan_hdrlen": (4, "H"),
        "ifan_index": (6, "H"),
    },
)
