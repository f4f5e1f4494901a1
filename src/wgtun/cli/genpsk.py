"""`wgtun genpsk`, as `wg genpsk`."""

from __future__ import annotations

import argparse

from wgtun.cli.new_secret import print_secret
from wgtun.keys import PresharedKey


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    subparsers.add_parser("genpsk", help="print a new preshared key").set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    return print_secret(PresharedKey.generate())
