"""Which half does the heavy work: the native one wherever it is installed, else Python.

`WGTUN_ENGINE=python|native` overrides. The choice covers the engine and the crypto provider, so that
"python" is the whole system as it is without the native half.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Literal

from wgtun.errors import PlatformError

Backend = Literal["native", "python"]


def backend() -> Backend:
    """The choice. Raises PlatformError when it can't be had."""
    wanted = os.environ.get("WGTUN_ENGINE", "")
    installed = find_spec("wgtun_native") is not None
    if wanted == "python" or (not wanted and not installed):
        return "python"
    if wanted not in ("", "native"):
        raise PlatformError(f"WGTUN_ENGINE is python or native, not {wanted!r}")
    if not installed:
        raise PlatformError("WGTUN_ENGINE=native, but the package wgtun-native is not installed")
    return "native"
