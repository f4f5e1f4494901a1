"""Follows a TUN interface's link state: up or down, MTU, removal; through renames and namespaces.

rtnetlink messages name an interface by its index, which a rename keeps. A move to another
namespace looks like a removal to the old one, and may change the index; the TUN descriptor tells
the difference and leads to the new namespace.
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from wgtun.errors import PlatformError, TunnelGone
from wgtun.platform.interface import LinkState
from wgtun.platform.linux import netlink
from wgtun.platform.linux.tun import Tun

_CLONE_NEWNET = 0x40000000
_ANSWER_TIMEOUT = 1.0  # seconds; the kernel answers at once


class LinkMonitor:
    """See `platform.interface.LinkMonitor`."""

    def __init__(self, tun: Tun) -> None:
        """Raises TunnelGone, PlatformError."""
        self._tun = tun
        self._index = 0
        self._state = LinkState(0, up=False)
        self._socket = self._enter_namespace()

    def fileno(self) -> int:
        """For the event loop; may be another one after `read`."""
        return self._socket.fileno()

    def read(self) -> LinkState:
        """Take in what has happened; returns the present state."""
        try:
            for message in netlink.receive_links(self._socket):
                if message.link != self._index:
                    continue
                if message.kind == netlink.RTM_DELLINK:
                    self._replace_socket()
                    break  # what the old socket still has is of the old place
                self._take(message)
        except OSError:  # messages were lost: look anew
            self._replace_socket()
        return self._state

    def close(self) -> None:
        self._socket.close()

    def _take(self, message: netlink.LinkMessage) -> None:
        mtu = self._state.mtu if message.mtu is None else message.mtu
        self._state = LinkState(mtu, bool(message.flags & netlink.IFF_UP))

    def _replace_socket(self) -> None:
        """The interface is somewhere else, or nowhere.

        The old socket is closed last, so that `fileno` is certain to be another.
        """
        try:
            fresh = self._enter_namespace()
        except (TunnelGone, OSError):
            self._state = self._state._replace(gone=True)
            return
        self._socket.close()
        self._socket = fresh

    def _enter_namespace(self) -> socket.socket:
        """A link socket where the interface is; sets index and state."""
        try:
            namespace = self._tun.open_namespace()
        except PermissionError:  # without CAP_NET_ADMIN nobody can have moved it away from us
            link_socket = netlink.open_socket(netlink.LINK_GROUP)
        else:
            try:
                with _in_namespace(namespace):
                    link_socket = netlink.open_socket(netlink.LINK_GROUP)
            finally:
                os.close(namespace)
        try:
            netlink.request_link(link_socket, self._tun.name)
            self._index = self._await_answer(link_socket)
        except BaseException:
            link_socket.close()
            raise
        return link_socket

    def _await_answer(self, link_socket: socket.socket) -> int:
        give_up = time.monotonic() + _ANSWER_TIMEOUT
        while time.monotonic() < give_up:
            name = self._tun.name
            for message in netlink.receive_links(link_socket):
                if message.name == name and message.kind == netlink.RTM_NEWLINK:
                    self._take(message)
                    return message.link
        raise PlatformError(f"no answer about the interface {self._tun.name}")


@contextmanager
def _in_namespace(namespace: int) -> Iterator[None]:
    """This thread in another network namespace, for as long as nothing else can run on it."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.path.sameopenfile(home, namespace):  # no need, and perhaps no right, to change
            yield
            return
        _setns(namespace)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def _setns(namespace: int) -> None:
    import ctypes  # os.setns needs Python 3.12; rarely wanted, and not free to load

    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise PlatformError(number, f"can't enter the interface's network namespace: {os.strerror(number)}")
