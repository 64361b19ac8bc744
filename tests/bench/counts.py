#!/usr/bin/env python3
"""Counts the instructions of the hot stages under valgrind, and compares them with those that are kept.

    tests/bench/counts.py             compare with counts.json; exit 1 if a stage costs more than the tolerance allows
    tests/bench/counts.py --keep      write counts.json
    tests/bench/counts.py walk/ …     only the stages whose names begin so

Instructions do not depend on what else the machine does, so that a change of a few per cent is seen where a timed run
would drown it. They are not time: memory is as fast as the cache here. The build is that of `cargo build`, with this
crate optimised, so that no dependency is built for it.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).with_name("counts.json")
# Iterations of the two runs: what is done once (the start, the plugins) cancels out.
FEW, MANY = 2, 6
OPTIMISED = ["opt-level=3", "codegen-units=4", "debug-assertions=false", "overflow-checks=false", "incremental=false"]


def build() -> Path:
    command = ["cargo", "build", "--locked", "-p", "sluicebox", "--example", "counts", "--message-format=json"]
    for setting in OPTIMISED:
        command += ["--config", f"profile.dev.package.sluicebox.{setting}"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in built.stdout.splitlines():
        artifact = json.loads(line)
        if artifact.get("executable") and artifact["target"]["name"] == "counts":
            return Path(artifact["executable"])
    sys.exit("cargo named no executable")


def instructions(binary: Path, stage: str, times: int, environment: dict[str, str]) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(binary), stage]
    run = subprocess.run([*command, str(times)], capture_output=True, text=True, env=environment, check=False)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not found:
        sys.exit(f"valgrind failed on {stage}:\n{run.stderr[-2000:]}")
    return int(found[1])


def count(binary: Path, names: list[str]) -> dict[str, float]:
    """Instructions a record, by stage."""
    counts = {}
    with tempfile.TemporaryDirectory() as cache:
        # Nothing of the caller's, so that the same stack and the same locale are counted everywhere.
        environment = {"PATH": os.environ["PATH"], "SLUICEBOX_CACHE_DIR": cache}
        listed = subprocess.run([binary, "list"], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            stage, records = line.split()
            if names and not any(stage.startswith(name) for name in names):
                continue
            # Compiles the plugins, for the processor that valgrind shows.
            instructions(binary, stage, 1, environment)
            few, many = (instructions(binary, stage, times, environment) for times in (FEW, MANY))
            counts[stage] = round((many - few) / (MANY - FEW) / int(records), 1)
            print(f"{stage:24} {counts[stage]:10.1f} instructions a record", flush=True)
    return counts


def compare(counts: dict[str, float], tolerance: float) -> list[str]:
    kept = json.loads(KEPT.read_text())
    worse = []
    print(f"\n{'stage':24} {'kept':>10} {'now':>10} {'change':>8}")
    for stage, now in counts.items():
        before = kept.get(stage)
        if before is None:
            worse.append(f"{stage} is not in {KEPT.name}: keep it")
            continue
        change = (now - before) / before * 100
        print(f"{stage:24} {before:10.1f} {now:10.1f} {change:+7.1f}%")
        if change > tolerance:
            worse.append(f"{stage} costs {change:.1f} % more instructions than what is kept")
    return worse


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of names of stages; all if none is given")
    parser.add_argument("--keep", action="store_true", help="write counts.json instead of comparing with it")
    parser.add_argument("--tolerance", type=float, default=5.0, help="per cent that a stage may cost more (5)")
    arguments = parser.parse_args()
    counts = count(build(), arguments.names)
    if arguments.keep:
        kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        KEPT.write_text(json.dumps(kept | counts, indent=2) + "\n")
        return 0
    worse = compare(counts, arguments.tolerance)
    print("\n".join(worse) or "no stage costs more than it did")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
