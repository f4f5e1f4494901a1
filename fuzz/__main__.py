"""`python -m fuzz`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import sys
import time
import traceback
from hashlib import sha256
from pathlib import Path

from fuzz.mutation import fuzz
from fuzz.targets import TARGETS

HERE = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz one target.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--replay", type=Path, help="run this input once")
    args = parser.parse_args()
    os.environ["WGTUN_ENGINE"] = "python"  # the other one has its own fuzzers
    test = TARGETS[args.target]
    if args.replay is not None:
        test(args.replay.read_bytes())
        return 0
    corpus = HERE / "corpus" / args.target
    if importlib.util.find_spec("atheris"):
        return with_atheris(args.target, corpus, args.seconds)
    seed = time.time_ns()
    count, failed = fuzz(test, [path.read_bytes() for path in corpus.iterdir()], args.seconds, random.Random(seed))
    print(f"{args.target}: {count} inputs")
    if not failed:
        return 0
    crash = HERE / "crashes" / f"{args.target}-{sha256(failed).hexdigest()[:16]}"
    crash.parent.mkdir(exist_ok=True)
    crash.write_bytes(failed)
    print(f"python -m fuzz {args.target} --replay {crash}", file=sys.stderr)
    try:
        test(failed)
    except Exception:  # noqa: BLE001
        traceback.print_exc()
    return 1


def with_atheris(target: str, corpus: Path, seconds: float) -> int:
    """It ends the process itself."""
    import atheris

    crashes, found = HERE / "crashes", HERE / "found" / target
    for directory in (crashes, found):
        directory.mkdir(parents=True, exist_ok=True)
    atheris.instrument_all()
    options = [f"-max_total_time={seconds:.0f}", f"-artifact_prefix={crashes}/{target}-", "-max_len=8192"]
    atheris.Setup([sys.argv[0], *options, str(found), str(corpus)], TARGETS[target])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
