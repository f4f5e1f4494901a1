"""Modules that only another system can import: here they are told that this is one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

PLATFORMS = {"macos": "darwin", "freebsd": "freebsd14", "openbsd": "openbsd7"}


@contextmanager
def imported(system: str, name: str) -> Iterator[ModuleType]:
    """This module as it would be on the system. It is forgotten afterwards, with all that it brought."""
    real, before = sys.platform, set(sys.modules)
    sys.platform = PLATFORMS[system]
    try:
        yield importlib.import_module(name)
    finally:
        sys.platform = real
        for new in set(sys.modules) - before:
            if new.startswith("wgtun.platform."):
                del sys.modules[new]
