"""`wgtun pubkey`, as `wg pubkey`."""

from __future__ import annotations

import argparse
import sys

from wgtun.errors import InvalidKey
from wgtun.keys import PrivateKey

_LONGEST = 4096  # bytes of input: a key, and white space behind it


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "read a private key from standard input and print its public key"
    subparsers.add_parser("pubkey", help=help_text).set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    data = sys.stdin.buffer.read(_LONGEST + 1)
    try:
        if len(data) > _LONGEST:
            raise InvalidKey("too much input")
        # White space and NUL bytes may follow, as with `wg`.
        key = PrivateKey.from_base64(data.decode("ascii", "replace").rstrip(" \t\n\v\f\r\0"))
    except InvalidKey:
        print("wgtun: standard input does not hold a private key in base64", file=sys.stderr)
        return 1
    print(key.public_key().base64())
    return 0
