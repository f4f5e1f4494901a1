"""`wgtun genkey`, as `wg genkey`."""

from __future__ import annotations

import argparse

from wgtun.cli.new_secret import print_secret
from wgtun.keys import PrivateKey


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    subparsers.add_parser("genkey", help="print a new private key").set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    return print_secret(PrivateKey.generate())
