#!/usr/bin/env python3
"""Counts the instructions of the hot stages under valgrind, and compares them with those that are kept.

    tests/bench/counts.py             compare with counts.json; exit 1 if a stage costs more than the tolerance allows
    tests/bench/counts.py --keep      write counts.json
    tests/bench/counts.py walk/ …     only the stages whose names begin so

Instructions do not depend on what else the machine does, so that a change of a few per cent is seen where a timed run
would drown it. They are not time: memory is as fast as the cache here. The build is that of `cargo build`, with this
crate optimised, so that no dependency is built for it.

Each stage is counted twice, in processes of its own, and the two must agree. Without valgrind nothing is counted, and
with another compiler than the one that was kept nothing fails: both are said.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import callgrind

KEPT = Path(__file__).with_name("counts.json")
# Iterations that are counted.
TIMES = 4
# Per cent by which two counts of one build may differ: hash seeds and ticks of the clock.
NOISE = 0.5


def count(binary: Path, names: list[str]) -> dict[str, tuple[float, float]]:
    """Instructions a record, by stage, of two runs."""
    callgrind.compile_plugins(binary)
    listed = subprocess.run([binary, "list"], capture_output=True, text=True, check=True).stdout
    units = {name: int(unit) for name, unit in map(str.split, listed.splitlines())}
    stages = [stage for stage in units if not names or any(stage.startswith(name) for name in names)]

    def once(stage: str) -> float:
        _, [lap] = callgrind.counted([str(binary), stage, str(TIMES)])
        return round(lap / TIMES / units[stage], 2)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = list(pool.map(once, [stage for stage in stages for _ in range(2)]))
    return dict(zip(stages, zip(counts[::2], counts[1::2])))


def disagreeing(counts: dict[str, tuple[float, float]]) -> list[str]:
    """Stages whose two counts are too far apart for either to mean something."""
    apart = {stage: abs(two - one) / one * 100 for stage, (one, two) in counts.items()}
    return [f"{stage}: two runs of one build differ by {per_cent:.2f} %" for stage, per_cent in apart.items() if per_cent > NOISE]


def compare(kept: dict[str, float], counts: dict[str, float], tolerance: float) -> tuple[list[str], list[str]]:
    """What costs more than it may, and what costs less by more than that."""
    dearer, cheaper = [], []
    print(f"{'instructions a record':24} {'kept':>10} {'now':>10} {'change':>8}")
    for stage, now in counts.items():
        before = kept.get(stage)
        if before is None:
            print(f"{stage:24} {'':10} {now:10.1f}")
            dearer.append(f"{stage} is not in {KEPT.name}")
            continue
        change = (now - before) / before * 100
        print(f"{stage:24} {before:10.1f} {now:10.1f} {change:+7.1f}%")
        if change > tolerance:
            dearer.append(f"{stage} costs {change:.1f} % more than what is kept")
        elif change < -tolerance:
            cheaper.append(f"{stage} costs {-change:.1f} % less than what is kept")
    return dearer, cheaper


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="beginnings of names of stages; all if none is given")
    parser.add_argument("--keep", action="store_true", help="write counts.json instead of comparing with it")
    parser.add_argument("--tolerance", type=float, default=5.0, help="per cent that a stage may cost more (5)")
    arguments = parser.parse_args()
    if reason := callgrind.missing():
        print(f"counts.py: NOTHING WAS COUNTED: {reason}")
        return 0
    counted = count(*callgrind.build("counts"), arguments.names)
    counts = {stage: min(two) for stage, two in counted.items()}
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {"compiler": "", "stages": {}}
    if arguments.keep:
        stages = (kept["stages"] if arguments.names else {}) | counts
        KEPT.write_text(json.dumps({"compiler": callgrind.compiler(), "stages": stages}, indent=2) + "\n")
    dearer, cheaper = compare(kept["stages"], counts, arguments.tolerance)
    noisy = disagreeing(counted)
    if arguments.keep:
        print("\n".join(noisy) or "kept")
        return 1 if noisy else 0
    if cheaper:
        print("\n".join(cheaper), "Keep that: tests/bench/counts.py --keep", sep="\n")
    if dearer:
        print("\n".join(dearer), "If that is what the change is worth: tests/bench/counts.py --keep", sep="\n")
    print("\n".join(noisy) or f"two runs agree within {NOISE} %")
    if dearer and kept["compiler"] != callgrind.compiler():
        print(f"NOT COUNTED AS A FAILURE: kept with {kept['compiler']}, counted with {callgrind.compiler()}")
        dearer = []
    return 1 if dearer or noisy else 0


if __name__ == "__main__":
    sys.exit(main())
