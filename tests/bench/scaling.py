"""What shards add: one and two of them, with few fat connections and with many thin ones.

The generator and the sink run beside the binary. On a machine without cores to spare a second shard has nowhere to run,
and records a second say little; CPU seconds a million records tell what each shard costs the others.
"""

import os

from bench import running, shown, spread
from rig import measured

SHARDS = (1, 2)
CONNECTIONS = {"2 connections × 16 in flight": (2, 16), "200 connections × 1 in flight": (200, 1)}
BATCH = 100
WARM_UP = "500ms"
FIGURES = ("records_per_s", "cpu_s_per_million", "p50_ms", "p99_ms", "refused")


def measure(binary: str, rounds: int, seconds: float) -> dict:
    """Every number of shards with each kind of clients, in turns."""
    found = {(kind, shards): [] for kind in CONNECTIONS for shards in SHARDS}
    for number in range(rounds):
        for (kind, shards), reports in found.items():
            reports.append(one(binary, shards, *CONNECTIONS[kind], seconds))
            print(f"scaling: round {number + 1} of {rounds}, {kind}, {shards} shards: {reports[-1]}", flush=True)
    cases = [
        {"clients": kind, "shards": shards, **{key: spread([each[key] for each in reports]) for key in FIGURES}}
        for (kind, shards), reports in found.items()
    ]
    return {"batch": BATCH, "rounds": rounds, "seconds": seconds, "cases": cases, "table": table(cases), "missed": []}


def one(binary: str, shards: int, connections: int, in_flight: int, seconds: float) -> dict[str, float]:
    with running(binary, "queue: memory", f"shards: {shards}") as case:
        clients = ["--connections", str(connections), "--in-flight", str(in_flight), "--batch", str(BATCH)]
        report = measured(binary, case.url, seconds, *clients, "--warm-up", WARM_UP, "--pid", str(case.process.pid))
    return {
        "records_per_s": report["records_per_s"],
        "cpu_s_per_million": report["process"]["cpu_s_per_million_records"],
        "p50_ms": report["latency_ms"]["p50"],
        "p99_ms": report["latency_ms"]["p99"],
        "refused": report["measured"]["refused_requests"],
    }


def table(cases: list[dict]) -> str:
    """Median (least–most), and each figure as a share of that on one shard."""
    alone = {case["clients"]: case for case in cases if case["shards"] == 1}
    lines = [
        f"Requests of {BATCH} spans, a filter, a queue in memory, {os.cpu_count()} cores; median (least–most).\n",
        "| clients | shards | spans/s | of one shard | CPU s / million | of one shard | p50 ms | p99 ms | refused |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        def share(figure: str) -> float:
            return case[figure]["median"] / max(alone[case["clients"]][figure]["median"], 1e-9)

        lines.append(
            f"| {case['clients']} | {case['shards']} | {shown(case['records_per_s'])} | {share('records_per_s'):.0%} "
            f"| {shown(case['cpu_s_per_million'], 2)} | {share('cpu_s_per_million'):.0%} "
            f"| {shown(case['p50_ms'], 2)} | {shown(case['p99_ms'], 2)} | {shown(case['refused'])} |"
        )
    return "\n".join(lines) + "\n"
