"""Print a plan: python -m wgtun.platform.network SYSTEM FILE.conf, for any system on any system.

What a plan needs to know of the system is made up, but for Linux on Linux.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from wgtun.config.wgquick import load
from wgtun.errors import WireGuardError
from wgtun.platform.network.wish import wish_from_config

SYSTEMS = ("linux", "macos", "freebsd", "openbsd", "windows")


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    if len(arguments) != 2 or arguments[0] not in SYSTEMS:
        print(f"Usage: python -m wgtun.platform.network {{{'|'.join(SYSTEMS)}}} FILE.conf", file=sys.stderr)
        return 2
    system, file = arguments
    try:
        wish = wish_from_config(load(file).config, Path(file).stem)
        module = importlib.import_module(f"wgtun.platform.{system}.network")
        if system == "linux" and sys.platform == "linux":
            from wgtun.platform.linux.present import look

            present = look(wish)
        else:
            present = module.Present()
        plan = module.plan(wish, present)
    except (WireGuardError, OSError) as error:
        print(f"wgtun: {error}", file=sys.stderr)
        return 1
    for title, lines in (("note", plan.notes), ("up", plan.up), ("down", plan.down)):
        for line in lines:
            print(f"{title}: {line}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
