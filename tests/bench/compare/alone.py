"""Sluicebox alone: what a start costs, what it holds, and how soon a changed plugin serves.

Five plugins are loaded: the four standard ones, and one that `sluicebox plugin new` and `plugin build` make, as users do.
"""

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cases import EDIT, REDACT, SAMPLE, Case, drop
from measure import LOAD, load, resident_mb
from sides import PATIENCE_S, Ports, Sluicebox, Started

QUEUE_MIB = 64
STAGES = [
    drop(),
    SAMPLE,
    EDIT,
    REDACT,
    ("own", "./own.wasm", "{ routes: [/healthz], slow_ms: 500 }"),
]


def built_plugin(tool: Path, folder: Path) -> Path:
    """A user's plugin, from scratch to its .wasm file."""
    subprocess.run([tool, "-q", "plugin", "new", "own"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(
        [tool, "-q", "plugin", "build"], cwd=folder / "own", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the plugin was not built: {done.stderr[-1500:]}")
    return next(folder.glob("own/target/sluicebox/wasm32-unknown-unknown/*/own.wasm"))


class Alone(Sluicebox):
    """Sluicebox with its admin server on, and its compiled plugins kept in a folder of this run."""

    def __init__(self, tool: Path, root: Path, exporter: str = ""):
        super().__init__(tool)
        self.root, self.exporter, self.admin = root, exporter, Ports.free(1).http

    @contextmanager
    def running(self, case: Case, sink: list[str]):
        """The process, its ports, and how long it took from its start until it was ready, in milliseconds."""
        ports = Ports.free(1)
        with ExitStack() as stack, tempfile.TemporaryDirectory(dir=self.root) as name:
            folder = Path(name)
            command = [str(self.binary), "-qq", "bench", "sink", "--listen", f"127.0.0.1:{ports.sinks[0]}"]
            (folder / "sink").mkdir()
            stack.enter_context(Started([*command, "--no-records", *sink], folder / "sink", ports.sinks))
            self.folder = folder
            own = self.root / "own.wasm"
            if own.exists():
                (folder / "own.wasm").write_bytes(own.read_bytes())
            command = self.command(case, ports, folder)
            file = folder / "pipeline.yaml"
            text = file.read_text().replace("endpoint: none", f"endpoint: '127.0.0.1:{self.admin}'")
            file.write_text(text.replace("    compression: none\n", f"    compression: none\n{self.exporter}"))
            os.environ["SLUICEBOX_CACHE_DIR"] = str(self.root / "cache")
            began = time.monotonic()
            process = stack.enter_context(Started(command, folder, [self.admin]))
            until(lambda: self.answers("/readyz"), "ready")
            yield process, ports, (time.monotonic() - began) * 1000

    def answers(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None

    def generation(self) -> int:
        text = self.answers("/metrics") or ""
        lines = [line for line in text.splitlines() if line.startswith("sluicebox_pipeline_generation{")]
        return int(float(lines[0].split()[-1])) if lines else 0


def until(holds, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"not {what} within {PATIENCE_S} s")
        time.sleep(0.002)


def start(tool: Path, root: Path, _: float) -> dict:
    """A start with five plugins that were compiled at an earlier one."""
    with Alone(tool, root).running(Case("five plugins", "", STAGES), []) as (process, _, ready_ms):
        time.sleep(1)
        return {"ready_ms": ready_ms, "idle_mib": resident_mb(process.pid) * 1e6 / (1 << 20)}


def full_queue(tool: Path, root: Path, seconds: float) -> dict:
    """All that clients can send, to a backend that is so slow that the queue is full."""
    case = Case("full queue", "", [drop()])
    alone = Alone(tool, root, f"    queue: {{ memory: {QUEUE_MIB}MiB }}\n")
    with alone.running(case, ["--latency", "300ms"]) as (process, ports, _):
        report = load(tool, case, ports, process.pid, ["--batch", "1000", "--duration", f"{seconds}s"])
        return {"loaded_mib": report["process"]["resident_peak_bytes"] / (1 << 20)}


def through(tool: Path, root: Path, seconds: float) -> dict:
    """Latency to the backend and back, batching included: with no queue, the answer comes after the backend's."""
    case = Case("through", "", [drop()])
    with Alone(tool, root, "    queue: none\n").running(case, []) as (process, ports, _):
        shape = ["--batch", "100", "--warm-up", "1s", "--duration", f"{seconds}s"]
        full = load(tool, case, ports, process.pid, shape)
        calm = load(tool, case, ports, process.pid, [*shape, "--rate", f"{full['records_per_s'] / 2:.0f}"])
        return {"through_p50_ms": calm["latency_ms"]["p50"], "through_p99_ms": calm["latency_ms"]["p99"]}


def change(tool: Path, root: Path, seconds: float) -> dict:
    """A plugin's file is replaced under load, by one that was never compiled: until its generation serves."""
    case = Case("change", "", STAGES)
    alone = Alone(tool, root)
    with alone.running(case, []) as (process, ports, _):
        url = f"http://127.0.0.1:{ports.grpc}"
        shape = ["--batch", "100", "--rate", "100000", "--duration", f"{max(seconds, 3)}s"]
        command = [tool, "-qq", "bench", "load", url, *LOAD, *shape, "--json"]
        generator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        before = alone.generation()
        new = alone.folder / "new.wasm"
        # A custom section changes the digest, not what the plugin does.
        note = f"{time.time_ns()}".encode()
        new.write_bytes((alone.folder / "own.wasm").read_bytes() + bytes([0, len(note) + 5, 4]) + b"note" + note)
        began = time.monotonic()
        new.rename(alone.folder / "own.wasm")
        until(lambda: alone.generation() > before, "on a new generation")
        took_ms = (time.monotonic() - began) * 1000
        measured = json.loads(generator.communicate(timeout=60)[0])["measured"]
        return {"change_ms": took_ms, "change_refused": measured["refused_requests"] + measured["failed_requests"]}


def measure_alone(tool: Path, rounds: int, seconds: float) -> dict[str, list[float]]:
    """All of it, `rounds` times; the first start, which compiles, is kept apart."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "own.wasm").write_bytes(built_plugin(tool, root).read_bytes())
        found: dict[str, list[float]] = {"first_ready_ms": [start(tool, root, seconds)["ready_ms"]]}
        for _ in range(rounds):
            for part in (start, full_queue, through, change):
                for key, value in part(tool, root, seconds).items():
                    found.setdefault(key, []).append(value)
        return found
