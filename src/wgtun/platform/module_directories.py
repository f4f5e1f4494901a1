"""Where this program's modules come from: what a sandbox leaves readable."""

from __future__ import annotations

import os
import sys

import wgtun


def module_directories() -> set[str]:
    """Directories of modules, and of the source lines of tracebacks.

    All is loaded by the time of a sandbox that we know of. The first entry of the path is the program's own directory,
    or the current one, and can be any.
    """
    path = {*sys.path[not sys.flags.safe_path :], *wgtun.__path__}
    return {directory for directory in path if os.path.isdir(directory)}
