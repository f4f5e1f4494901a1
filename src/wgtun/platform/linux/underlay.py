"""The network under the tunnel: where a device's sockets come from."""

from __future__ import annotations

import sys

assert sys.platform == "linux"

from wgtun.platform.linux.mac1_filter import Mac1Filter
from wgtun.platform.linux.offload import allowed
from wgtun.platform.linux.udp import UdpSockets


class Underlay:
    """See `dataplane.Underlay`. Whoever may not set up a filter does without."""

    def __init__(self) -> None:
        self._filter: Mac1Filter | None = None
        if "mac1" in allowed():
            try:
                self._filter = Mac1Filter()
            except OSError:  # not permitted, or not there
                pass

    def open(self, port: int, mark: int) -> UdpSockets:
        return UdpSockets.open(port, mark, self._filter)

    def set_public_key(self, public_key: bytes | None) -> None:
        if self._filter is not None:
            self._filter.set_public_key(public_key)

    def refused(self) -> int:
        return 0 if self._filter is None else self._filter.refused()

    def close(self) -> None:
        if self._filter is not None:
            self._filter.close()
