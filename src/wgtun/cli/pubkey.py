"""`wgtun pubkey`, as `wg pubkey`."""

from __future__ import annotations

import argparse
import sys

from wgtun.errors import InvalidKey
from wgtun.keys import PrivateKey

_LONGEST = 4096  # characters of input that are looked at


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "read a private key from standard input and print its public key"
    subparsers.add_parser("pubkey", help=help_text).set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    text = sys.stdin.read(_LONGEST)
    try:
        # Only what follows the key may be white space, as with `wg`.
        key = PrivateKey.from_base64(text.rstrip(" \t\r\n"))
    except InvalidKey:
        print("wgtun: standard input does not hold a private key in base64", file=sys.stderr)
        return 1
    print(key.public_key().base64())
    return 0
