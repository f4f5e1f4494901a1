"""How parts are switched off by name, in a variable of the environment.

``off`` switches all off, ``no-NAME`` one; several words are separated by commas.
"""

from __future__ import annotations

from collections.abc import Set

from wgtun.errors import PlatformError


def left_on(names: Set[str], variable: str, text: str) -> frozenset[str]:
    """The names that the variable's text leaves on. Raises PlatformError for a word that is not known."""
    words = frozenset(text.split(",")) - {""}
    unknown = words - {"off"} - {f"no-{name}" for name in names}
    if unknown:
        known = ", ".join(["off", *(f"no-{name}" for name in sorted(names))])
        raise PlatformError(f"{variable}: {', '.join(sorted(unknown))}: known are {known}")
    if "off" in words:
        return frozenset()
    return frozenset(names) - {word.removeprefix("no-") for word in words}
