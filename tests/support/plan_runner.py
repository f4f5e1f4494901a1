"""Bring up the plan of a `.conf` file in this namespace, wait for a line on stdin, take it down again.

Started by tests with `ip netns exec`; prints a line when up, and one with what failed on the way down.
"""

from __future__ import annotations

import json
import subprocess
import sys

from wgtun.config.wgquick import load
from wgtun.errors import PlatformError
from wgtun.platform.linux.network import SET_FWMARK, plan
from wgtun.platform.linux.present import look
from wgtun.platform.network.perform import bring_up, take_down
from wgtun.platform.network.wish import wish_from_config


def set_fwmark(interface: str, mark: int) -> None:
    subprocess.run(("wg", "set", interface, "fwmark", str(mark)), check=True)


def main(file: str, interface: str) -> None:
    wish = wish_from_config(load(file).config, interface)
    planned = plan(wish, look(wish))
    calls = {SET_FWMARK: set_fwmark}
    try:
        bring_up(planned, calls)
    except PlatformError as error:
        print(json.dumps(str(error)), flush=True)
        return
    print(json.dumps("up"), flush=True)
    sys.stdin.readline()
    print(json.dumps([str(problem) for problem in take_down(planned.down, calls)]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
