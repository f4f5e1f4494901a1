"""Constants of OpenBSD that a plan needs, under the names of its headers."""

from __future__ import annotations

RT_TABLEID_MAX = 255
