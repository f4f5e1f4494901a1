"""`wireguard-py`: the daemon behind one WireGuard interface, a drop-in for `wireguard-go`."""

from __future__ import annotations

import os
import sys

from wgtun import __version__
from wgtun.cli.start_error import StartError
from wgtun.cli.streams import open_missing, printing
from wgtun.errors import WireGuardError

_USAGE = "usage: wireguard-py [-f | --foreground] INTERFACE-NAME\n       wireguard-py --version | --help\n"
if sys.platform == "win32":
    _USAGE += "       wireguard-py --install NAME | --start NAME | --stop NAME | --remove NAME\n"
_HELP = (
    _USAGE
    + """
Run a WireGuard interface in userspace; configure it with wg(8), ip(8) or wg-quick(8).

  -f, --foreground  stay in the foreground
  --version         show the version and the engine in use
  --help            show this text

Environment:
  LOG_LEVEL              verbose (or debug), info, error (default), silent
  WG_TUN_FD              use this open TUN descriptor
  WG_UAPI_FD             use this listening Unix socket
  WG_PROCESS_FOREGROUND  1: stay in the foreground
  WG_TUN_NAME_FILE       macOS and OpenBSD: write the name that was chosen for utun or tun to this file
  WGTUN_ENGINE           native or python (default: native where it is installed)
  WGTUN_OFFLOAD          off, or some of no-tso,no-uso,no-gso,no-gro,no-mac1: do without these offloads
  WGTUN_QUEUES           how many threads read from the TUN (default: one for every two cores)
  WGTUN_SANDBOX          off, or some of no-core,no-capabilities,no-landlock,no-seccomp: keep these powers
  WGTUN_KEY_LOG          DEBUGGING ONLY: append session secrets to this file, for tshark
"""
)


def main() -> int:
    """Entry point; the exit status is 0, 1 for a failed start, 2 for wrong usage."""
    if sys.platform == "win32":
        from wgtun.cli.windows_daemon import run_words
    else:
        from wgtun.cli.unix_daemon import run_words
    arguments = sys.argv[1:]
    try:
        if arguments == ["--version"]:
            return printing("wireguard-py", lambda: _print(_version_text()))
        if arguments in (["--help"], ["-h"]):
            return printing("wireguard-py", lambda: _print(_HELP))
        open_missing()
        status = run_words(arguments)
    except (StartError, WireGuardError) as error:
        sys.stderr.write(f"wireguard-py: {arguments[-1]}: {error}\n")
        return 1
    if status is None:
        sys.stderr.write(_USAGE)
        return 2
    return status


def _print(text: str) -> int:
    sys.stdout.write(text)
    return 0


def _version_text() -> str:
    from wgtun.backend import backend

    if sys.platform == "win32":
        from sysconfig import get_platform

        machine = get_platform().removeprefix("win-")
    else:
        machine = os.uname().machine
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return (
        f"wireguard-py v{__version__}\n\n"
        f"Userspace WireGuard daemon for {sys.platform}-{machine}, {backend()} engine.\n"
        "Information available at https://www.wireguard.com.\n"
        "Copyright (C) the wgtun authors. WireGuard is a registered trademark of Jason A. Donenfeld.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
