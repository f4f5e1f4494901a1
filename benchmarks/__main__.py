"""Our daemons beside others, in one run.

    python -m benchmarks                                      # everything
    python -m benchmarks --measure tcp1,ping --rounds 5       # some of it
    python -m benchmarks newest=/path/to/wireguard-go         # one more contender

For each contender two daemons run in two network namespaces joined by a veth pair. Contenders take
turns within each round, since a machine's speed drifts; medians and ratios to wireguard-go are
printed. "plain" is the veth pair without a tunnel, "no-crypto" the native engine's I/O without
encryption: how far the limit is. Needs root, ip, wg, iperf3, ping, taskset and gcc.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks import configuration, traffic
from benchmarks.lab import Contender, Failed, made_pair, ours
from benchmarks.report import table

REFERENCE = "wireguard-go"
FORWARDER = Path(__file__).parents[1] / "native/target/release/examples/forwarder"

TRAFFIC = {
    "tcp1": traffic.tcp1,
    "tcp4": traffic.tcp4,
    "tcpr": traffic.tcpr,
    "udp_small": traffic.udp_small,
    "udp_large": traffic.udp_large,
    "ping": traffic.ping,
    "junk": traffic.junk,
    "memory": traffic.memory,
}
CONFIGURATION = {
    "peers": configuration.peers,
    "allowed_ips": configuration.allowed_ips,
    "handshakes": configuration.handshakes,
}
# Measured with a tunnel only.
DAEMON_ONLY = {"junk", "memory", *CONFIGURATION}

Results = dict[str, dict[str, list[float]]]


def contenders(further: list[str]) -> list[Contender]:
    found = [Contender("plain")]
    if FORWARDER.exists():
        found.append(Contender("no-crypto", (str(FORWARDER),), has_uapi=False))
    else:
        say("no-crypto is left out: cargo build --release --example forwarder in native/ makes it")
    if find_spec("wgtun_native"):
        found.append(ours("native"))
    else:
        say("native is left out: wgtun-native is not installed")
    found.append(ours("python"))
    if shutil.which(REFERENCE):
        found.append(Contender(REFERENCE, (REFERENCE,)))
    for contender in further:
        name, _, command = contender.partition("=")
        found.append(Contender(name, tuple(shlex.split(command))))
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def one_round(contender: Contender, wanted: list[str], seconds: float, results: Results) -> None:
    figures = results.setdefault(contender.name, {})

    def note(measure: str, found: dict[str, float]) -> None:
        say(f"  {contender.name:14} {measure:12} " + ", ".join(f"{name} {value:.3g}" for name, value in found.items()))
        for name, value in found.items():
            figures.setdefault(name, []).append(value)

    try:
        with made_pair(contender) as pair:
            for measure in wanted:
                if measure in TRAFFIC and ((contender.has_uapi and contender.command) or measure not in DAEMON_ONLY):
                    try:
                        note(measure, TRAFFIC[measure](pair, seconds))
                    except Failed as error:
                        say(f"  {contender.name:14} {measure:12} failed: {error}")
    except Failed as error:
        say(f"  {contender.name:14} failed: {error}")
        return
    for measure in wanted:
        if measure in CONFIGURATION and contender.command and contender.has_uapi:
            try:
                note(measure, CONFIGURATION[measure](contender))
            except (Failed, OSError) as error:
                say(f"  {contender.name:14} {measure:12} failed: {error}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("contenders", nargs="*", metavar="NAME=COMMAND", help="further daemons to measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement of traffic")
    parser.add_argument("--measure", default=",".join((*TRAFFIC, *CONFIGURATION)), help="some of %(default)s")
    parser.add_argument("--only", default="", help="names of contenders, separated by commas")
    parser.add_argument("--json", metavar="FILE", help="write every value there")
    args = parser.parse_args()
    wanted = args.measure.split(",")
    if unknown := set(wanted) - TRAFFIC.keys() - CONFIGURATION.keys():
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    chosen = contenders(args.contenders)
    if args.only:
        chosen = [contender for contender in chosen if contender.name in args.only.split(",")]
    results: Results = {}
    for number in range(args.rounds):
        say(f"round {number + 1} of {args.rounds}")
        for contender in chosen:
            one_round(contender, wanted, args.seconds, results)
    print(table(results, REFERENCE))
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
