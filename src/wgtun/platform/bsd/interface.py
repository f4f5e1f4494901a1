"""What a BSD-like system's `abi` module offers to the code that they share: names and values of its headers."""

from __future__ import annotations

from typing import Protocol

from wgtun.platform.layout import Layout


class Abi(Protocol):
    """A module `abi`. Values are those of the system's headers, whatever system we run on."""

    AF_INET: int
    AF_INET6: int
    AF_ROUTE: int
    AF_UNSPEC: int
    EV_ADD: int
    EV_CLEAR: int
    EVFILT_VNODE: int
    IFF_UP: int
    IFNAMSIZ: int
    NOTE_DELETE: int
    NOTE_RENAME: int
    NOTE_REVOKE: int
    NOTE_WRITE: int
    O_NONBLOCK: int
    O_RDONLY: int
    O_RDWR: int
    RTA_DST: int
    RTA_NETMASK: int
    RTM_GET: int
    RTM_IFINFO: int
    RTM_MISS: int
    RTM_VERSION: int
    SIOCGIFFLAGS: int
    SIOCGIFMTU: int
    SIOCSIFMTU: int
    SOCK_DGRAM: int
    SOCK_RAW: int
    IFREQ: Layout
    IF_MSGHDR: Layout
    RT_MSGHDR: Layout
    SOCKADDR_IN: Layout
    SOCKADDR_IN6: Layout
