"""Follows a TUN interface's link state: up or down, MTU, removal; through renames and namespaces.

rtnetlink messages name an interface by its index, which a rename keeps. A move to another
namespace looks like a removal to the old one, and may change the index; the TUN descriptor tells
the difference and leads to the new namespace. Nobody has to go there, which would need CAP_SYS_ADMIN:
one socket hears all namespaces, and knows the others by their ids.
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import os

from wgtun.errors import PlatformError
from wgtun.platform.interface import LinkState
from wgtun.platform.linux import netlink
from wgtun.platform.linux.tun import Tun
from wgtun.platform.readable import Readable

_TRIES = 100  # to find an interface that is renamed or moved while we look


class LinkMonitor(Readable):
    """See `platform.interface.LinkMonitor`."""

    def __init__(self, tun: Tun) -> None:
        """Raises TunnelGone, PlatformError."""
        self._tun = tun
        self._home = os.stat("/proc/thread-self/ns/net")
        self._queries = netlink.open_socket(0)
        self._events = netlink.open_socket(netlink.LINK_GROUP)
        try:
            netlink.hear_all_namespaces(self._events)
            self._hears_all = True
        except OSError:  # not permitted: then our own namespace is all we hear
            self._hears_all = False
        try:
            self._link = self._find()
        except BaseException:
            self.close()
            raise
        self._gone = False

    def fileno(self) -> int:
        """For the event loop."""
        return self._events.fileno()

    def read(self) -> LinkState:
        """Take in what has happened; returns the present state."""
        try:
            for message in netlink.receive_links(self._events):
                if (message.link, message.namespace) != (self._link.link, self._link.namespace):
                    continue
                if message.kind == netlink.RTM_DELLINK:
                    self._look_anew()
                else:
                    self._link = message if message.mtu is not None else message._replace(mtu=self._link.mtu)
        except OSError:  # messages were lost
            self._look_anew()
        return LinkState(self._link.mtu or 0, bool(self._link.flags & netlink.IFF_UP), self._gone)

    def close(self) -> None:
        self.unwatch()
        self._events.close()
        self._queries.close()

    def _look_anew(self) -> None:
        """The interface is somewhere else, or nowhere."""
        try:
            self._link = self._find()
        except OSError:
            self._gone = True

    def _find(self) -> netlink.LinkMessage:
        """The interface's present state, from where it is. Raises TunnelGone, OSError."""
        for _ in range(_TRIES):
            namespace = self._namespace()
            link = netlink.find_link(self._queries, self._tun.name, namespace)
            if link is not None:
                return link
        raise PlatformError(f"no answer about the interface {self._tun.name}")

    def _namespace(self) -> int | None:
        """The id of the namespace that the interface is in; None at home. Raises TunnelGone, OSError."""
        try:
            namespace = self._tun.open_namespace()
        except PermissionError:  # without CAP_NET_ADMIN nobody can have moved it away from us
            return None
        try:
            if os.path.samestat(self._home, os.fstat(namespace)):
                return None
            if not self._hears_all:
                raise PlatformError("the interface is in another network namespace; that needs CAP_NET_BROADCAST")
            return netlink.identify_namespace(self._queries, namespace)
        finally:
            os.close(namespace)
