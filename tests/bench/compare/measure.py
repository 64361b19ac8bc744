"""One measurement: a sink, a side before it, and the generator."""

import json
import os
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cases import Case
from sides import Ports, Side, Started

# A connection each for four clients, four requests on each.
LOAD = ["--connections", "4", "--in-flight", "4"]


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def load(tool: Path, case: Case, ports: Ports, pid: int, extra: list[str]) -> dict:
    port = ports.http if case.protocol == "http" else ports.grpc
    command = [tool, "-qq", "bench", "load", f"http://127.0.0.1:{port}", *LOAD, *case.load, *extra]
    run = subprocess.run([*command, "--pid", str(pid), "--json"], capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"the generator failed: {run.stderr[-1500:] or run.stdout[-1500:]}")
    return json.loads(run.stdout)


@contextmanager
def running(tool: Path, side: Side, case: Case):
    """The process of a side before its sinks, its ports, and how long it took until it listened, in milliseconds."""
    ports = Ports.free(case.backends)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as root:
        for number, port in enumerate(ports.sinks):
            folder = Path(root, f"sink-{number}")
            folder.mkdir()
            sink = [str(tool), "-qq", "bench", "sink", "--listen", f"127.0.0.1:{port}", "--no-records"]
            stack.enter_context(Started(sink, folder, [port]))
        folder = Path(root, side.name)
        folder.mkdir()
        listens = [ports.http] if case.protocol == "http" else [ports.grpc]
        began = time.monotonic()
        process = stack.enter_context(Started(side.command(case, ports, folder), folder, listens))
        yield process, ports, (time.monotonic() - began) * 1000


def shape(size: int, seconds: float) -> list[str]:
    return ["--batch", str(size), "--warm-up", "500ms", "--duration", f"{seconds}s"]


def latency(report: dict) -> dict:
    return {f"{name}_ms": report["latency_ms"][name] for name in ("p50", "p99", "p99_9")}


def measure(tool: Path, side: Side, case: Case, size: int, seconds: float) -> dict:
    """Saturation, then half of that at a fixed rate; figures of both."""
    with running(tool, side, case) as (process, ports, ready_ms):
        time.sleep(0.5)
        idle = resident_mb(process.pid)
        full = load(tool, case, ports, process.pid, shape(size, seconds))
        half = full["records_per_s"] / 2
        calm = load(tool, case, ports, process.pid, [*shape(size, seconds), "--rate", f"{half:.0f}"])
        return {
            "records_per_s": full["records_per_s"],
            "cpu_s_per_million": full["process"]["cpu_s_per_million_records"],
            "refused": full["measured"]["refused_requests"] + full["measured"]["failed_requests"],
            **latency(calm),
            "idle_mb": idle,
            "peak_mb": full["process"]["resident_peak_bytes"] / 1e6,
            "ready_ms": ready_ms,
        }


def latency_at(tool: Path, side: Side, case: Case, size: int, seconds: float, rate: float) -> dict:
    """Latency at a rate that another side sets."""
    with running(tool, side, case) as (process, ports, _):
        return latency(load(tool, case, ports, process.pid, [*shape(size, seconds), "--rate", f"{rate:.0f}"]))
