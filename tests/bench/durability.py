"""What a durable queue costs: each way of syncing against a queue in memory, at few and many clients."""

from bench import running, shown, spread, takes
from rig import measured

QUEUES = {
    "memory": "queue: memory",
    "durable, sync: {interval: 1s}": "queue: { durable: ./var, sync: { interval: 1s } }",
    "durable, sync: always": "queue: { durable: ./var, sync: always }",
}
CLIENTS = (1, 8, 64)
BATCH = 100
WARM_UP = "500ms"
FIGURES = ("records_per_s", "p50_ms", "p99_ms", "cpu_s_per_million", "refused")


def measure(binary: str, rounds: int, seconds: float) -> dict:
    """Every queue at every number of clients, in turns; each round with an empty queue of its own."""
    known = {name: exporter for name, exporter in QUEUES.items() if takes(binary, exporter)}
    found = {(name, clients): [] for clients in CLIENTS for name in known}
    for number in range(rounds):
        for (name, clients), reports in found.items():
            reports.append(one(binary, known[name], clients, seconds))
            print(f"queue: round {number + 1} of {rounds}, {name}, {clients} clients: {reports[-1]}", flush=True)
    cases = [
        {"queue": name, "clients": clients, **{key: spread([each[key] for each in reports]) for key in FIGURES}}
        for (name, clients), reports in found.items()
    ]
    unknown = [name for name in QUEUES if name not in known]
    return {"batch": BATCH, "rounds": rounds, "seconds": seconds, "cases": cases, "not known to this binary": unknown,
            "table": table(cases, unknown), "missed": []}


def one(binary: str, exporter: str, clients: int, seconds: float) -> dict[str, float]:
    """Each client has one request in flight, so that it waits for each acknowledgement as an SDK does."""
    with running(binary, exporter) as case:
        arguments = ["--connections", str(clients), "--in-flight", "1", "--batch", str(BATCH), "--warm-up", WARM_UP]
        report = measured(binary, case.url, seconds, *arguments, "--pid", str(case.process.pid))
    return {
        "records_per_s": report["records_per_s"],
        "p50_ms": report["latency_ms"]["p50"],
        "p99_ms": report["latency_ms"]["p99"],
        "cpu_s_per_million": report["process"]["cpu_s_per_million_records"],
        "refused": report["measured"]["refused_requests"],
    }


def table(cases: list[dict], unknown: list[str]) -> str:
    """Median (least–most), and the throughput as a share of that in memory at as many clients."""
    memory = {case["clients"]: case["records_per_s"]["median"] for case in cases if case["queue"] == "memory"}
    lines = [
        f"Requests of {BATCH} spans, one in flight for each client; median (least–most).\n",
        "| clients | queue | spans/s | of memory | p50 ms | p99 ms | CPU s / million | refused |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        share = case["records_per_s"]["median"] / max(memory.get(case["clients"], 0), 1)
        lines.append(
            f"| {case['clients']} | {case['queue']} | {shown(case['records_per_s'])} | {share:.0%} "
            f"| {shown(case['p50_ms'], 2)} | {shown(case['p99_ms'], 2)} | {shown(case['cpu_s_per_million'], 2)} "
            f"| {shown(case['refused'])} |"
        )
    lines += [f"\nThis binary does not know: {', '.join(unknown)}."] if unknown else []
    return "\n".join(lines) + "\n"
