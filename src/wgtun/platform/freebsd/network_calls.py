"""Carries out the calls of a plan for FreeBSD."""

from __future__ import annotations

from collections.abc import Callable

from wgtun.platform.bsd import links
from wgtun.platform.bsd.calls import Calls
from wgtun.platform.freebsd import abi, network, network_abi


def network_calls(calls: Calls) -> dict[str, Callable[..., None]]:
    """See `platform.network.perform`."""

    def ioctl(family: int, request: int, argument: bytes) -> None:
        with links.control_socket(calls, abi, family) as control:
            calls.ioctl(control, request, argument)

    def route(message: bytes, table: int) -> None:
        opened = calls.socket(abi.AF_ROUTE, abi.SOCK_RAW, abi.AF_UNSPEC)
        try:
            if table:
                fib = table.to_bytes(4, "little")
                calls.setsockopt(opened, network_abi.SOL_SOCKET, network_abi.SO_SETFIB, fib)
            calls.write(opened, message)
        finally:
            calls.close(opened)

    return {network.IOCTL: ioctl, network.ROUTE: route}
