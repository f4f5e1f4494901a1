"""Constants and structs of macOS, under the names of its headers (`make check-platforms` compares them)."""

from __future__ import annotations

from wgtun.platform.layout import Layout

AF_INET = 2
AF_INET6 = 30
AF_LINK = 18
AF_ROUTE = 17
AF_SYSTEM = 32
AF_SYS_CONTROL = 2
AF_UNSPEC = 0
CTLIOCGINFO = 0xC0644E03
EVFILT_VNODE = -4
EV_ADD = 1
EV_CLEAR = 32
IFF_BROADCAST = 2
IFF_MULTICAST = 32768
IFF_POINTOPOINT = 16
IFF_UP = 1
IFNAMSIZ = 16
IPV6_BOUND_IF = 125
IPV6_PKTINFO = 46
IPV6_RECVPKTINFO = 61
IPV6_RECVTCLASS = 35
IPV6_TCLASS = 36
IP_BOUND_IF = 25
IP_PKTINFO = 26
IP_RECVPKTINFO = 26
IP_RECVTOS = 27
NOTE_DELETE = 1
NOTE_RENAME = 0x20
NOTE_REVOKE = 0x40
NOTE_WRITE = 2
O_NONBLOCK = 4
O_RDONLY = 0
O_RDWR = 2
RTA_DST = 1
RTA_NETMASK = 4
RTM_GET = 4
RTM_IFINFO = 14
RTM_MISS = 7
RTM_VERSION = 5
SIOCGIFFLAGS = 0xC0206911
SIOCGIFMTU = 0xC0206933
SIOCSIFMTU = 0x80206934
SOCK_DGRAM = 2
SOCK_RAW = 3
SYSPROTO_CONTROL = 2
UTUN_OPT_IFNAME = 2

IFREQ = Layout(
    "struct ifreq",
    32,
    {"ifr_name": (0, "16s"), "ifr_flags": (16, "h"), "ifr_mtu": (16, "i"), "ifr_data": (16, "Q")},
)
IF_MSGHDR = Layout(
    "struct if_msghdr",
    112,
    {
        "ifm_msglen": (0, "H"),
        "ifm_version": (2, "B"),
        "ifm_type": (3, "B"),
        "ifm_index": (12, "H"),
        "ifm_flags": (8, "i"),
        "ifm_data.ifi_mtu": (24, "I"),
    },
)
RT_MSGHDR = Layout(
    "struct rt_msghdr",
    92,
    {
        "rtm_msglen": (0, "H"),
        "rtm_version": (2, "B"),
        "rtm_type": (3, "B"),
        "rtm_index": (4, "H"),
        "rtm_flags": (8, "i"),
        "rtm_addrs": (12, "i"),
        "rtm_pid": (16, "i"),
        "rtm_seq": (20, "i"),
        "rtm_errno": (24, "i"),
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
    20,
    {"sdl_len": (0, "B"), "sdl_family": (1, "B"), "sdl_index": (2, "H")},
)
CTL_INFO = Layout(
    "struct ctl_info",
    100,
    {"ctl_id": (0, "I"), "ctl_name": (4, "96s")},
)
SOCKADDR_CTL = Layout(
    "struct sockaddr_ctl",
    32,
    {"sc_len": (0, "B"), "sc_family": (1, "B"), "ss_sysaddr": (2, "H"), "sc_id": (4, "I"), "sc_unit": (8, "I")},
)
IN_PKTINFO = Layout(
    "struct in_pktinfo",
    12,
    {"ipi_ifindex": (0, "I"), "ipi_spec_dst": (4, "4s"), "ipi_addr": (8, "4s")},
)
