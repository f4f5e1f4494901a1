"""Our daemon with other intervals, for tests of rekeying.

WGTEST_TIMING names fields of `Timing`, in seconds: ``rekey_after=0.5 reject_after=3``.
"""

from __future__ import annotations

import os
import sys
from functools import partial

import wgtun.device
from wgtun.cli import daemon
from wgtun.constants import SECOND, Timing

QUICK = (sys.executable, "-m", "tests.support.quick_daemon")


def _timing() -> Timing:
    pairs = (word.split("=") for word in os.environ["WGTEST_TIMING"].split())
    return Timing(**{name: int(float(seconds) * SECOND) for name, seconds in pairs})


if __name__ == "__main__":
    # The daemon looks the class up when it serves.
    wgtun.device.Device = partial(wgtun.device.Device, timing=_timing())  # type: ignore[misc, assignment]
    sys.exit(daemon.main())
