"""`wgtun`: everyday things with WireGuard, one verb each.

A verb is a module with `add_parser(subparsers)` and `run(args) -> int`; only the one that is asked
for is loaded.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from wgtun import __version__
from wgtun.cli.streams import printing
from wgtun.errors import WireGuardError

_VERBS = {
    "genkey": "print a new private key",
    "genpsk": "print a new preshared key",
    "pubkey": "read a private key from standard input and print its public key",
    "show": "show interfaces and their peers",
    "demo": "show two peers exchanging real traffic",
}


def main(argv: list[str] | None = None) -> int:
    """Entry point; the exit status is 0, 1 for an error, 2 for wrong usage."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        return printing("wgtun", lambda: _run(arguments))
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="wgtun", description="WireGuard in userspace.")
    parser.add_argument("--version", action="version", version=f"wgtun {__version__}")
    subparsers = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for verb, summary in _VERBS.items():
        if verb == wanted:
            import_module(f"wgtun.cli.{verb}").add_parser(subparsers)
        else:
            subparsers.add_parser(verb, help=summary)
    args = parser.parse_args(arguments)
    try:
        return int(args.run(args))
    except WireGuardError as error:
        print(f"wgtun: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
