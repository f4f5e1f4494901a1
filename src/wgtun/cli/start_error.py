"""Why a daemon does not start."""

from __future__ import annotations


class StartError(Exception):
    """The daemon can't start; the text says why."""
