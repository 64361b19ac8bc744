#!/usr/bin/env python3
"""Measures what promises cost, with the real binary between `sluicebox bench load` and `bench sink`.

    tests/bench/run.py queue      a durable queue against one in memory, at 1, 8 and 64 clients: throughput and p99
    tests/bench/run.py overload   ten times the load that is taken: goodput, refusals, and memory under a limit
    tests/bench/run.py scaling    one shard and two, few fat connections and many thin ones: throughput, CPU time, latency
    tests/bench/run.py all

    SLUICEBOX   the binary (target/release/sluicebox, else target/debug/sluicebox)
    --rounds N  rounds of each case, which take turns (5)      --seconds N  of each round (5)
    --out DIR   where NAME.json and NAME.md are written (target/bench)

Figures are the median of the rounds, with least and most. On a machine that does other work too, the CPU time a million
records says more than the records a second. Needs nothing but Python. Exits with 1 if a budget is missed.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/python"))

import durability  # noqa: E402
import overload  # noqa: E402
import scaling  # noqa: E402

CASES = {"queue": durability.measure, "overload": overload.measure, "scaling": scaling.measure}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=[*CASES, "all"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "target/bench")
    arguments = parser.parse_args()
    binary = sluicebox()
    arguments.out.mkdir(parents=True, exist_ok=True)
    missed = []
    for case in CASES if arguments.case == "all" else [arguments.case]:
        result = CASES[case](binary, arguments.rounds, arguments.seconds)
        head = {"binary": binary, "version": version(binary), "machine": machine()}
        (arguments.out / f"{case}.json").write_text(json.dumps({**head, **result}, indent=2) + "\n")
        text = f"{result['table']}\n{machine()}, {version(binary)}, {Path(binary).parent.name} build.\n"
        (arguments.out / f"{case}.md").write_text(text)
        print(text)
        missed += result["missed"]
    for budget in missed:
        print(f"MISSED {budget}", file=sys.stderr)
    return 1 if missed else 0


def sluicebox() -> str:
    built = [ROOT / "target" / profile / "sluicebox" for profile in ("release", "debug")]
    for path in [os.environ.get("SLUICEBOX"), *map(str, built)]:
        if path and Path(path).exists():
            return str(Path(path).resolve())
    raise SystemExit("run.py: no binary: build one (cargo build --release) or name it in SLUICEBOX")


def version(binary: str) -> str:
    return subprocess.run([binary, "-V"], check=True, capture_output=True, text=True).stdout.strip()


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}"


if __name__ == "__main__":
    sys.exit(main())
