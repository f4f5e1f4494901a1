"""TCP through a tunnel, ours beside others, in one run.

    python benchmarks/throughput.py                          # ours and Debian's wireguard-go
    python benchmarks/throughput.py --rounds 5 new=/path/to/wireguard-go

For each contender two daemons run in two network namespaces joined by a veth pair, and iperf3 sends
one TCP stream through the tunnel. Contenders take turns within each round, since a machine's speed
drifts; medians and the ratio to wireguard-go are printed. "plain" is TCP over the veth pair without
a tunnel. Needs root, ip, wg and iperf3.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

REFERENCE = "wireguard-go"
OURS = "wgtun-python"


def run(*words: str, text: str | None = None) -> str:
    return subprocess.run(words, check=True, input=text, capture_output=True, text=True).stdout


class Host:
    """One namespace with an address on the veth pair, and later a tunnel."""

    def __init__(self, cleanup: ExitStack, number: int) -> None:
        self.name = f"wgbench{number}-{os.getpid()}"
        self.interface = f"wgb{number}-{os.getpid() % 100000}"
        self.outer, self.inner = f"192.0.2.{number}", f"10.0.0.{number}"
        self.private_key = run("wg", "genkey").strip()
        self.public_key = run("wg", "pubkey", text=self.private_key).strip()
        run("ip", "netns", "add", self.name)
        cleanup.callback(run, "ip", "netns", "del", self.name)

    def words(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *words]

    def join(self, device: str) -> None:
        run("ip", "-n", self.name, "address", "add", f"{self.outer}/24", "dev", device)
        run("ip", "-n", self.name, "link", "set", device, "up")

    def start_tunnel(self, cleanup: ExitStack, command: list[str], other: Host) -> subprocess.Popen[bytes]:
        environment = os.environ | {"WG_PROCESS_FOREGROUND": "1"}
        daemon = subprocess.Popen(self.words(*command, self.interface), env=environment)
        cleanup.callback(daemon.wait)
        cleanup.callback(daemon.terminate)
        socket_path = Path(f"/var/run/wireguard/{self.interface}.sock")
        give_up = time.monotonic() + 10
        while not socket_path.exists():
            if daemon.poll() is not None or time.monotonic() > give_up:
                raise SystemExit(f"{shlex.join(command)} did not start")
            time.sleep(0.02)
        run("ip", "-n", self.name, "address", "add", f"{self.inner}/24", "dev", self.interface)
        run("ip", "-n", self.name, "link", "set", self.interface, "up")
        run("wg", "set", self.interface, "listen-port", "51820", "private-key", "/dev/stdin",
            "peer", other.public_key, "allowed-ips", f"{other.inner}/32", "endpoint", f"{other.outer}:51820",
            text=self.private_key)  # fmt: skip
        return daemon


def cpu_seconds(daemons: list[subprocess.Popen[bytes]]) -> float:
    ticks = 0
    for daemon in daemons:
        fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def iperf(sender: Host, receiver: Host, address: str, seconds: float) -> tuple[float, float]:
    """Gbit/s and bytes of one TCP stream."""
    server = subprocess.Popen(receiver.words("iperf3", "-s", "-1", "-B", address), stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        out = run(*sender.words("iperf3", "-J", "-c", address, "-t", str(seconds), "-O", "1"))
        end = json.loads(out)["end"]["sum_received"]
        return end["bits_per_second"] / 1e9, end["bytes"]
    finally:
        server.terminate()
        server.wait()


def measure(command: list[str] | None, seconds: float) -> tuple[float, float]:
    """Gbit/s, and CPU seconds per GB of both daemons (0 without a tunnel), on a fresh pair of namespaces."""
    with ExitStack() as cleanup:
        first, second = Host(cleanup, 1), Host(cleanup, 2)
        run("ip", "link", "add", "veth1", "netns", first.name, "type", "veth",
            "peer", "name", "veth2", "netns", second.name)  # fmt: skip
        first.join("veth1")
        second.join("veth2")
        if command is None:
            return iperf(first, second, second.outer, seconds)[0], 0.0
        daemons = [first.start_tunnel(cleanup, command, second), second.start_tunnel(cleanup, command, first)]
        run(*first.words("ping", "-c", "1", "-W", "5", second.inner))
        before = cpu_seconds(daemons)
        rate, size = iperf(first, second, second.inner, seconds)
        return rate, (cpu_seconds(daemons) - before) / (size / 1e9)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="*", metavar="NAME=COMMAND", help="further daemons to measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    contenders: dict[str, list[str] | None] = {"plain": None, OURS: [sys.executable, "-m", "wgtun.cli.daemon", "-f"]}
    if shutil.which(REFERENCE):
        contenders[REFERENCE] = [REFERENCE]
    for contender in args.contenders:
        name, _, command = contender.partition("=")
        contenders[name] = shlex.split(command)
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for number in range(args.rounds):
        for name, command in contenders.items():
            results[name].append(measure(command, args.seconds))
            print(f"round {number + 1}: {name:14} {results[name][-1][0]:6.2f} Gbit/s", file=sys.stderr, flush=True)
    medians = {name: statistics.median(rate for rate, _ in rounds) for name, rounds in results.items()}
    print(f"{'contender':14} {'Gbit/s':>8} {'CPU s/GB':>9} {'ratio':>7}")
    for name, rounds in results.items():
        ratio = f"{medians[name] / medians[REFERENCE]:7.2f}" if REFERENCE in medians else "      -"
        print(f"{name:14} {medians[name]:8.2f} {statistics.median(cpu for _, cpu in rounds):9.1f} {ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
