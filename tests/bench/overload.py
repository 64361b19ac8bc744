"""Ten times the load that is taken: goodput must hold, and memory its limit (F23).

Two kinds. *Slow backend*: it takes a fraction of what the binary could forward, and ten times that is offered at a fixed
rate, so that nearly all must be refused, again and again. *Many clients*: a fast backend, and ten times the connections
that suffice to keep the binary busy.
"""

import time
from typing import NamedTuple

from bench import running, shown, spread, takes
from rig import Load, measured

LIMIT_MIB = 200
GOODPUT_MIN = 0.9
FACTOR = 10
SHARDS = 2
BATCH = 100
SENT_RECORDS = 1000
"""Records of a request to the backend, which with its latency bound what it takes."""
LIMITED = f"shards: {SHARDS}, memory_limiter: {{ limit_mib: {LIMIT_MIB} }}"
UNLIMITED = f"shards: {SHARDS}"
SETTLE_S = 2.0
SENT = "otelcol_exporter_sent_spans_total"


class Goodput(NamedTuple):
    """Records that reached the backend: a second of the clock, and a second of the CPU time of the binary."""

    per_s: float
    per_cpu_s: float


def measure(binary: str, rounds: int, seconds: float) -> dict:
    # `service` is a block mapping in the pipeline: one key a line.
    limited = takes(binary, "queue: memory", lines(LIMITED))
    service = lines(LIMITED if limited else UNLIMITED)
    found = {"slow backend": [], "many clients": []}
    for number in range(rounds):
        found["slow backend"].append(slow_backend(binary, service, seconds))
        found["many clients"].append(many_clients(binary, service, seconds))
        for kind, all_rounds in found.items():
            print(f"overload: round {number + 1} of {rounds}, {kind}: {all_rounds[-1]}", flush=True)
    cases = [
        {"kind": kind, **{figure: spread([each[figure] for each in all_rounds]) for figure in all_rounds[0]}}
        for kind, all_rounds in found.items()
    ]
    return {"limit_mib": LIMIT_MIB if limited else None, "rounds": rounds, "seconds": seconds, "cases": cases,
            "table": table(cases, limited), "missed": missed(cases)}


def slow_backend(binary: str, service: str, seconds: float) -> dict[str, float]:
    """The backend takes a twentieth of the capacity, so that the generator can offer ten times that."""
    with running(binary, "queue: memory", service) as case:
        capacity = measured(binary, case.url, seconds, "--warm-up", "500ms")["records_per_s"]
    bound = capacity / 20
    latency = f"{SHARDS * SENT_RECORDS / bound * 1000:.0f}ms"
    exporter = f"queue: {{ memory: 32MiB }}, max_in_flight: 1, batch: {{ max_records: {SENT_RECORDS} }}"
    with running(binary, exporter, service, ("--latency", latency)) as case:
        # A span of three of ten is filtered: that many more have to be sent for what arrives.
        at = lambda rate: ["--rate", str(rate / 0.7), "--duration", "1h", "--batch", str(BATCH), "--in-flight", "16"]
        # Enough to keep it busy, and no more: a fifth more than it can take.
        peak = goodput(case, Load(binary, case.url, *at(1.2 * bound)), seconds)
        watched = ["--pid", str(case.process.pid)]
        return overloaded(case, Load(binary, case.url, *at(FACTOR * peak.per_s), *watched), peak, seconds)


def many_clients(binary: str, service: str, seconds: float) -> dict[str, float]:
    with running(binary, "queue: memory", service) as case:
        few = ["--duration", "1h", "--batch", str(BATCH), "--connections", "4", "--in-flight", "2"]
        peak = goodput(case, Load(binary, case.url, *few), seconds)
        many = ["--duration", "1h", "--batch", str(BATCH), "--connections", str(4 * FACTOR), "--in-flight", "2"]
        return overloaded(case, Load(binary, case.url, *many, "--pid", str(case.process.pid)), peak, seconds)


def overloaded(case, load: Load, peak: Goodput, seconds: float) -> dict[str, float]:
    """The load is stopped here; its report says what was refused."""
    delivered = goodput(case, load, seconds)
    report = load.last
    total = report["total"]
    return {
        "peak_per_s": peak.per_s,
        "goodput_per_s": delivered.per_s,
        "share": delivered.per_s / peak.per_s,
        "share_by_cpu": delivered.per_cpu_s / peak.per_cpu_s,
        "offered_per_s": report["offered_records_per_s"],
        "refused_share": total["refused_requests"] / max(total["requests"], 1),
        "failed": total["failed_requests"],
        "p99_ms": report["latency_ms"]["p99"],
        "resident_peak_mib": report["process"]["resident_peak_bytes"] / 2**20,
    }


def goodput(case, load: Load, seconds: float) -> Goodput:
    """What reached the backend, once the load is under way."""
    cpu = "process_cpu_seconds_total"
    with load:
        time.sleep(SETTLE_S)
        before, begin = case.process.metrics(), time.monotonic()
        time.sleep(seconds)
        after, took = case.process.metrics(), time.monotonic() - begin
        load.stop()
    sent = after.total(SENT) - before.total(SENT)
    return Goodput(sent / took, sent / max(after.exact(cpu) - before.exact(cpu), 0.01))


def lines(service: str) -> str:
    depth, out = 0, ""
    for character in service:
        depth += {"{": 1, "}": -1}.get(character, 0)
        out += "\n " if character == "," and depth == 0 else character
    return out


def missed(cases: list[dict]) -> list[str]:
    told = []
    for case in cases:
        # Of many clients, the generator itself takes the processor from the binary: then its CPU time is what counts.
        share = case["share"]["median"]
        if case["kind"] == "many clients":
            share = max(share, case["share_by_cpu"]["median"])
        if share < GOODPUT_MIN:
            told.append(f"{case['kind']}: goodput is {share:.0%} of the peak, not {GOODPUT_MIN:.0%}")
        if case["resident_peak_mib"]["max"] > LIMIT_MIB:
            told.append(f"{case['kind']}: {case['resident_peak_mib']['max']:.0f} MiB resident, not {LIMIT_MIB}")
        if case["failed"]["max"] > 0:
            told.append(f"{case['kind']}: {case['failed']['max']:.0f} requests failed that should have been refused")
    return told


def table(cases: list[dict], limited: bool) -> str:
    limit = f"`memory_limiter` of {LIMIT_MIB} MiB" if limited else "no `memory_limiter`, which this binary does not know"
    out = [
        f"{FACTOR} × the load that is taken; {limit}; median (least–most).\n",
        "| overload | peak, spans/s delivered | goodput under overload | of the peak | by CPU time | offered | refused "
        "| p99 ms of what was taken | resident peak MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        out.append(
            f"| {case['kind']} | {shown(case['peak_per_s'])} | {shown(case['goodput_per_s'])} "
            f"| {case['share']['median']:.0%} | {case['share_by_cpu']['median']:.0%} | {shown(case['offered_per_s'])} "
            f"| {case['refused_share']['median']:.0%} | {shown(case['p99_ms'], 1)} "
            f"| {shown(case['resident_peak_mib'])} |"
        )
    return "\n".join(out) + "\n"
