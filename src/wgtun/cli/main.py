"""`wgtun`: everyday things with WireGuard, one verb each.

A verb is a module with `add_parser(subparsers)` and `run(args) -> int`; only the one that is asked
for is loaded.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from importlib import import_module

from wgtun import __version__
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
    if sys.stdout is None:
        print("wgtun: standard output is closed", file=sys.stderr)
        return 1
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()  # a closed pipe or a full disk shows here, not while Python exits
    except WireGuardError as error:
        print(f"wgtun: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if not _reader_left(error):
            print(f"wgtun: {error}", file=sys.stderr)
        _drop_output()
        return 1


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
    return int(args.run(args))


def _reader_left(error: OSError) -> bool:
    """Whether it tells of a pipe that nobody reads; the C library of Windows has no better number for that."""
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)


def _drop_output() -> None:
    """Keep Python from trying again to write the rest when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
