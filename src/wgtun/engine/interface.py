"""Moved: see wgtun.dataplane and wgtun.path (this file goes away)."""

from wgtun.dataplane import *  # noqa: F403
from wgtun.path import Path, Source  # noqa: F401
