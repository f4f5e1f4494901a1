"""Our daemons beside others, in one run on one machine.

    python -m benchmarks                                  # everything: some ten minutes
    python -m benchmarks --measure tcp1                   # one figure
    python -m benchmarks --only native,wireguard-go new=/path/to/another/wireguard-go

Needs Linux and root; everything happens in network namespaces of its own. docs/performance.md explains the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import signal
import sys
import time
from pathlib import Path

from benchmarks.contenders import REFERENCE, Contender, Daemon, built_in
from benchmarks.measures import MEASURES
from benchmarks.report import as_json, table
from benchmarks.rounds import take
from tests.support.namespaces import missing_for_namespaces


def main() -> int:
    parser = _parser()
    args = parser.parse_args()
    if why := missing_for_namespaces():
        parser.error(why)
    contenders = _contenders(parser, args)
    measures = [MEASURES[name] for name in _chosen(parser, args.measure, list(MEASURES))]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    results = take(contenders, measures, args.rounds, args.seconds)
    names = [contender.name for contender in contenders]
    print(_conditions(args))
    print(table(results, names, measures, REFERENCE))
    if args.json:
        args.json.write_text(json.dumps(as_json(results, names, measures, REFERENCE), indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "contenders", nargs="*", metavar="NAME=COMMAND", help="further daemons, used as wireguard-go is"
    )
    parser.add_argument("--only", metavar="NAME,...", help="of the contenders that need no command, only these")
    parser.add_argument("--measure", metavar="NAME,...", help=f"of {', '.join(MEASURES)}, only these")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="how long a measure of traffic takes (default: 4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there")
    return parser


def _contenders(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[Contender]:
    contenders, left_out = built_in()
    for why in left_out:
        print(f"left out: {why}", file=sys.stderr)
    if args.only is not None:
        by_name = {contender.name: contender for contender in contenders}
        contenders = [by_name[name] for name in _chosen(parser, args.only, list(by_name))]
    for text in args.contenders:
        name, _, command = text.partition("=")
        if not name or not command:
            parser.error(f"{text}: a contender is NAME=COMMAND")
        contenders.append(Daemon(name, shlex.split(command)))
    return contenders


def _chosen(parser: argparse.ArgumentParser, text: str | None, known: list[str]) -> list[str]:
    """The names that the text lists, in the order of `known`; all without a text."""
    chosen = known if text is None else [name for name in text.split(",") if name]
    if unknown := set(chosen) - set(known):
        parser.error(f"no {', '.join(sorted(unknown))} here; there are {', '.join(known)}")
    return [name for name in known if name in chosen]


def _stop(number: int, _frame: object) -> None:
    """End, with everything cleaned up; a second signal does not interrupt that."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def _conditions(args: argparse.Namespace) -> str:
    """What the figures depend on."""
    load = os.getloadavg()[2]
    return (
        f"{time.strftime('%Y-%m-%d')}, Linux {platform.release()} {platform.machine()}, "
        f"{len(os.sched_getaffinity(0))} CPUs, load average of 15 minutes {load:.1f}\n"
        f"median (lowest-highest) of {args.rounds} rounds of {args.seconds:g} s, and its ratio to {REFERENCE}; "
        "↑ higher is better, ↓ lower is better\n"
    )


if __name__ == "__main__":
    sys.exit(main())
