"""`wgtun demo`: shows in ten seconds that the main thing works, on real traffic."""

from __future__ import annotations

import argparse
import os
import shutil
import sys

from wgtun.errors import PlatformError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="show two peers exchanging real traffic",
        description="As root on Linux: two network namespaces, a daemon in each, ping and TCP through the tunnel. "
        "Else: two devices in one process over loopback UDP.",
    )
    parser.add_argument("--rootless", action="store_true", help="use one process even when root")
    parser.set_defaults(run=run)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long the TCP transfer lasts (default 3)")


def run(args: argparse.Namespace) -> int:
    reason = "" if args.rootless else reason_for_rootless()
    if sys.platform == "linux" and not args.rootless:
        from wgtun.cli.demo.namespaces import run_in_namespaces, why_not

        reason = reason or why_not()
        if not reason:
            return run_in_namespaces(args.seconds)
    if sys.platform != "win32":
        from wgtun.cli.demo.one_process import run_in_one_process

        if reason:
            print(f"Not using network namespaces: {reason}.", file=sys.stderr)
        return run_in_one_process(args.seconds)
    raise PlatformError("the demo needs Linux, macOS or a BSD")


def reason_for_rootless() -> str:
    """What namespaces would need and is not there; empty when all is."""
    if sys.platform != "linux":
        return "this is not Linux"
    if os.geteuid() != 0:
        return "not root"
    missing = [program for program in ("ip", "ping") if shutil.which(program) is None]
    if missing:
        return f"{' and '.join(missing)} not found (Debian packages iproute2, iputils-ping)"
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"can't open /dev/net/tun: {error.strerror}"
    return ""
