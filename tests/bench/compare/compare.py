#!/usr/bin/env python3
"""Sluicebox beside the systems that users would pick instead, in one run and in turns.

    cargo build --release --bin sluicebox --example floor
    tests/bench/compare/compare.py                        every case, five rounds; writes docs/comparison.*
    tests/bench/compare/compare.py --rounds 1 --only filter --out /tmp/try

Peers take part if they are there: `otelcol` (built from ../peers/collector.yaml: see docs/comparison.md) and
`rotel-agent`, on the PATH or named by an option. One that is not is said to be missing.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from datetime import date
from pathlib import Path

from cases import CASES
from alone import measure_alone
from budgets import budgets
from measure import latency_at, measure
from plot import plot
from report import report
from sides import Collector, Floor, Rotel, Sluicebox, found

ROOT = Path(__file__).resolve().parents[3]
RELEASE = ROOT / "target/release"


def spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def at_peers_load(arguments, sides, case, size: int, taken: dict[str, list[dict]]) -> None:
    """Half of what a side takes is more for a fast one: its latency at the load of the slowest peer, too."""
    ours = next((side for side in sides if isinstance(side, Sluicebox)), None)
    rates = [rounds[-1]["records_per_s"] for name, rounds in taken.items() if name not in ("floor", "sluicebox")]
    if ours and rates:
        half = min(rates) / 2
        found = latency_at(arguments.sluicebox, ours, case, size, arguments.seconds, half)
        taken[ours.name][-1] |= {f"{name}_at_peers_load": value for name, value in found.items()}


def run(arguments, sides) -> list[dict]:
    rows = []
    for case in CASES:
        if arguments.only and case.name not in arguments.only:
            continue
        for size in case.sizes:
            taken = {side.name: [] for side in sides if side.takes(case)}
            # In turns, so that what else the machine does meets all of them.
            for _ in range(arguments.rounds):
                for side in sides:
                    if side.name not in taken:
                        continue
                    figures = measure(arguments.sluicebox, side, case, size, arguments.seconds)
                    taken[side.name].append(figures)
                at_peers_load(arguments, sides, case, size, taken)
            for name, rounds in taken.items():
                figures = {key: spread([one[key] for one in rounds]) for key in rounds[0]}
                rows.append({"case": case.name, "what": case.what, "records": size, "side": name, **figures})
                cpu, rate = figures["cpu_s_per_million"]["median"], figures["records_per_s"]["median"]
                p99 = figures["p99_ms"]["median"]
                print(f"{case.name:14} {size:5} {name:10} {rate:10.0f}/s {cpu:7.3f} s/M  p99 {p99:.1f} ms", flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case (5)")
    parser.add_argument("--seconds", type=float, default=3, help="of each load (3)")
    parser.add_argument("--only", action="append", help="a case; may be given more than once")
    parser.add_argument("--side", action="append", help="a side; may be given more than once")
    parser.add_argument("--sluicebox", type=Path, default=RELEASE / "sluicebox")
    parser.add_argument("--floor", type=Path, default=RELEASE / "examples/floor")
    parser.add_argument("--collector", type=Path, help="the collector's binary")
    parser.add_argument("--rotel", type=Path, help="rotel's binary")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/comparison", help="where to write, without suffix")
    arguments = parser.parse_args()
    sides = [
        Floor(arguments.floor),
        Sluicebox(arguments.sluicebox),
        Collector(found(arguments.collector, "otelcol")),
        Rotel(found(arguments.rotel, "rotel-agent")),
    ]
    if arguments.side:
        sides = [side for side in sides if side.name in arguments.side]
    missing = [why for why in (side.missing() for side in sides) if why]
    missing += [f"{name}: not to be had as a package here" for name in ("otel-arrow", "vector", "headrace")]
    print("\n".join(f"missing: {why}" for why in missing))
    sides = [side for side in sides if not side.missing()]
    rows = run(arguments, sides)
    alone = None
    if not arguments.only:
        figures = measure_alone(arguments.sluicebox, arguments.rounds, arguments.seconds)
        alone = {key: spread(values) for key, values in figures.items()}
    print(budgets(rows, alone))
    result = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "missing": missing,
        "rows": rows,
        "alone": alone,
    }
    arguments.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    arguments.out.with_suffix(".md").write_text(report(result))
    arguments.out.with_suffix(".svg").write_text(plot(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
