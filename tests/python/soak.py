"""A long run at most of what the binary can take, with everything that goes wrong in a long run.

    python3 tests/python/soak.py [BINARY]        default: target/release/sluicebox, else target/debug/sluicebox

    SOAK_SECONDS   how long (1800)
    SOAK_SHARE     of the measured capacity (0.8)
    SOAK_QUEUE     the exporter's queue, as in a pipeline file (memory)
    SOAK_SEED      of the order of events; printed, so that a run can be had again

Calibrates (closed loop), then sends at a fixed rate through a filter and a plugin that traps, while the pipeline file is
changed, broken and mended, the plugin file replaced, the backend stopped and started, and poison records sent. In the
end it asserts: the accounting law, that what the client was told was taken is what was accepted, that the backend has
everything that was delivered, that reloads refused nobody, that memory and file descriptors stay flat, and that the
process ends cleanly. Needs cargo (for the plugin) and nothing but Python. It writes a table and exits with 1 if
anything does not hold.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from checks import Checks
from poison import send_poison
from process import Metrics, Sluicebox
from rig import Load, Sink, measured
from trend import Samples

ROOT = Path(__file__).resolve().parents[2]
CALIBRATION_S = 6
SETTLES_WITHIN_S = 120
MEMORY_GROWTH_MAX = 0.10
"""How much of its mean the most resident memory may grow by, from the first half of the run to the second."""
MEMORY_GROWTH_FREE = 16 * 2**20
FDS_GROWTH_MAX = 8

PIPELINE = """
receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: '127.0.0.1:${{env:SLUICEBOX_TEST_GRPC_PORT}}' }}
      http: {{ endpoint: '127.0.0.1:${{env:SLUICEBOX_TEST_HTTP_PORT}}' }}
processors:
  drop-probes:
    plugin: drop
    config: {{ 'span.attributes["http.route"]': {routes} }}
  traps:
    plugin: ./misbehaves.wasm
    config: {{ behaviour: unreachable, when: poison }}
    grants: [metrics, state, clock, random]
    # Long enough for a machine that does other work: faults have to be those of the poison.
    limits: {{ deadline: 10s }}
    on_error: drop
exporters:
  otlp/backend:
    endpoint: '{backend}'
    queue: {queue}
    retry_on_failure: {{ initial_interval: 100ms, max_interval: 1s, max_elapsed_time: 0 }}
service:
  telemetry: {{ endpoint: '127.0.0.1:${{env:SLUICEBOX_TEST_ADMIN_PORT}}' }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [drop-probes, traps], exporters: [otlp/backend] }}
"""


class Soak:
    """One run: the binary, its backend, and what is done to both."""

    def __init__(self, binary: Sluicebox, sink: Sink, folder: Path, queue: str) -> None:
        self.binary, self.sink, self._folder, self._queue = binary, sink, folder, queue
        self.samples = Samples()
        self.done = {"reloads": 0, "broken files": 0, "new plugin files": 0, "outages": 0, "poison records": 0}
        self.poison_taken = 0
        self.refused_by_reloads = 0
        self._variant = 0

    def write_pipeline(self, text: str | None = None) -> None:
        """Through a rename, as careful editors do. Without a text, the next of two sound ones."""
        if text is None:
            self._variant += 1
            routes = "[/healthz, /readyz]" if self._variant % 2 else "[/healthz]"
            text = PIPELINE.format(routes=routes, backend=self.sink.url, queue=self._queue)
        beside = self._folder / ".pipeline.new"
        beside.write_text(text)
        beside.rename(self._folder / "pipeline.yaml")

    def reload(self) -> None:
        """A changed file must be served, and nobody be refused for it."""
        self.settle()
        before = self.binary.metrics()
        self.write_pipeline()
        self._await_reload(before, "applied")
        refused = "otelcol_receiver_refused_spans_total"
        self.refused_by_reloads += self.binary.metrics().total(refused) - before.total(refused)
        self.done["reloads"] += 1

    def break_file(self) -> None:
        """A broken file must change nothing; mended, it is served."""
        before = self.binary.metrics()
        self.write_pipeline("receivers: { otlp: }\nexportres: {}\n")
        self._await_reload(before, "refused")
        self.done["broken files"] += 1
        self.write_pipeline()
        self._await_reload(before, "applied")

    def replace_plugin(self) -> None:
        """The same plugin in a file that differs: a custom section more, which means nothing."""
        before = self.binary.metrics()
        section = bytes([0, 6, 4]) + b"soak" + bytes([self.done["new plugin files"] % 256])
        wasm = self._folder / "misbehaves.wasm"
        beside = self._folder / ".misbehaves.new"
        beside.write_bytes(wasm.read_bytes() + section)
        beside.rename(wasm)
        self._await_reload(before, "applied")
        self.done["new plugin files"] += 1

    def outage(self, seconds: float) -> None:
        """The backend goes and comes back; what waited for it must get there."""
        self.sink.stop()
        time.sleep(seconds)
        self.sink.start()
        self.done["outages"] += 1

    def poison(self) -> None:
        """A record that the plugin traps on."""
        taken = send_poison(f"http://127.0.0.1:{self.binary.http_port}/v1/traces")
        self.poison_taken += taken
        self.done["poison records"] += 1

    def settle(self) -> None:
        """Waits until the queue holds no more than what the load keeps in it: a backlog is gone."""
        deadline = time.monotonic() + SETTLES_WITHIN_S
        while True:
            metrics = self.binary.metrics()
            if metrics.total("otelcol_exporter_queue_size") < 8 * 2**20 or time.monotonic() > deadline:
                return
            time.sleep(0.2)

    def sample(self, at_s: float) -> None:
        """Memory and descriptors of a moment of calm."""
        self.settle()
        metrics = self.binary.metrics()
        self.samples.add(at_s, metrics.total("process_resident_memory_bytes"), metrics.total("process_open_fds"))

    def _await_reload(self, before: Metrics, outcome: str) -> None:
        deadline = time.monotonic() + SETTLES_WITHIN_S
        told = lambda metrics: metrics.total("sluicebox_reloads_total", outcome=outcome)
        while told(self.binary.metrics()) <= told(before):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no reload was {outcome} within {SETTLES_WITHIN_S} s")
            time.sleep(0.1)


def main(binary: str) -> int:
    seconds = float(os.environ.get("SOAK_SECONDS", "1800"))
    share = float(os.environ.get("SOAK_SHARE", "0.8"))
    seed = os.environ.get("SOAK_SEED") or str(random.SystemRandom().randrange(10**6))
    dice = random.Random(seed)
    print(f"soak: {seconds:.0f} s, {share:.0%} of the capacity, seed {seed}, {binary}", flush=True)
    with tempfile.TemporaryDirectory() as folder, Sink(binary) as sink:
        folder = Path(folder)
        (folder / "misbehaves.wasm").write_bytes(guest())
        pipeline = folder / "pipeline.yaml"
        queue = os.environ.get("SOAK_QUEUE", "memory")
        pipeline.write_text(PIPELINE.format(routes="[/healthz]", backend=sink.url, queue=queue))
        with Sluicebox(binary, pipeline, folder) as process:
            process.wait_until_ready()
            soak = Soak(process, sink, folder, queue)
            url = f"http://127.0.0.1:{process.grpc_port}"
            capacity = measured(binary, url, CALIBRATION_S)
            rate = capacity["records_per_s"] * share
            print(f"soak: capacity {capacity['records_per_s']:.0f} records/s; sending {rate:.0f}", flush=True)
            load = Load(binary, url, "--rate", str(rate), "--duration", "10h", "--in-flight", "16", "--timeout", "60s")
            with load:
                shake(soak, load, dice, seconds)
                report = load.stop()
            return verdict(soak, [capacity, report])


def shake(soak: Soak, load: Load, dice: random.Random, seconds: float) -> None:
    """Round after round until the time is up; each has every event once, in any order."""
    begin = time.monotonic()
    elapsed = lambda: time.monotonic() - begin
    length = min(60.0, max(15.0, seconds / 10))
    outage_s = length / 10
    while elapsed() < seconds:
        events = [soak.reload, soak.reload, soak.break_file, soak.replace_plugin, lambda: soak.outage(outage_s)]
        events += [soak.poison] * 5
        dice.shuffle(events)
        round_ends = elapsed() + length
        for left, event in zip(range(len(events), 0, -1), events):
            event()
            if not load.running() or soak.binary.ended() is not None:
                raise SystemExit(f"soak: something died after {elapsed():.0f} s; {soak.binary.log_text()}")
            time.sleep(max(0.0, (round_ends - elapsed()) / left * dice.uniform(0.5, 1.0)))
        soak.sample(elapsed())
        rss, fds = soak.samples.last()
        print(f"soak: {elapsed():6.0f} s  {rss / 2**20:6.1f} MiB  {fds} descriptors  {soak.done}", flush=True)


def verdict(soak: Soak, reports: list[dict]) -> int:
    """What has to hold in the end, and the table."""
    metrics = drained(soak.binary)
    checks = Checks()
    of = lambda name, **labels: metrics.total(f"{name}_total", **labels)
    accepted, sent = of("otelcol_receiver_accepted_spans"), of("otelcol_exporter_sent_spans")
    dropped, rejected = of("sluicebox_dropped_records", signal="traces"), of("sluicebox_exporter_rejected_spans")
    queued = metrics.total("sluicebox_exporter_queue_records")
    checks.equal("the accounting law", accepted, sent + queued + rejected + dropped)
    checks.equal("nothing is left in the queue", queued, 0)
    told = sum(report["total"]["accepted_records"] for report in reports) + soak.poison_taken
    checks.attempt("everything that clients were told was taken, was", lambda: at_least(accepted, told))
    meant = of("sluicebox_dropped_records", reason="filtered")
    faults = dropped - meant
    checks.attempt("losses are those of the poison alone", lambda: at_most(faults, soak.done["poison records"] * 2))
    checks.equal("reloads refused nobody", soak.refused_by_reloads, 0)
    failed = sum(report["total"]["failed_requests"] for report in reports)
    checks.equal("requests that failed, and were not refused", failed, 0)
    checks.equal("it ends cleanly", soak.binary.stop(), 0)
    soak.sink.stop()
    checks.attempt("the backend has all that was delivered", lambda: at_least(soak.sink.records, sent))
    growth, allowed = soak.samples.memory_growth(), soak.samples.memory_growth_max(MEMORY_GROWTH_MAX, MEMORY_GROWTH_FREE)
    checks.attempt("memory is flat", lambda: at_most(growth, allowed))
    checks.attempt("descriptors are flat", lambda: at_most(soak.samples.fds_growth(), FDS_GROWTH_MAX))
    rows = {
        "accepted": accepted, "delivered": sent, "filtered": meant, "lost to faults": faults,
        "refused (sent again by real clients)": of("otelcol_receiver_refused_spans"),
        "duplicates at the backend": soak.sink.records - sent,
        "plugin faults": of("sluicebox_plugin_faults"),
        "p50 / p99 / max latency, ms": "{p50:.1f} / {p99:.1f} / {max:.1f}".format(**reports[-1]["latency_ms"]),
        **soak.done,
        **soak.samples.table(),
    }
    print("\n| what | figure |\n|---|---|")
    for name, figure in rows.items():
        print(f"| {name} | {figure} |")
    return checks.close()


def drained(binary: Sluicebox) -> Metrics:
    """The metrics once nothing is queued and nothing is counted any more."""
    deadline = time.monotonic() + SETTLES_WITHIN_S
    while True:
        metrics = binary.metrics()
        if metrics.total("sluicebox_exporter_queue_records") == 0 or time.monotonic() > deadline:
            return metrics
        time.sleep(0.1)


def at_least(found: int, least: int) -> None:
    if found < least:
        raise AssertionError(f"{found} is less than {least}")


def at_most(found: float, most: float) -> None:
    if found > most:
        raise AssertionError(f"{found} is more than {most}")


def guest() -> bytes:
    """The plugin of the fault tests, built where they build it."""
    target = ROOT / "target/wasm"
    command = ["cargo", "build", "--quiet", "--profile", "plugin", "--target", "wasm32-unknown-unknown"]
    subprocess.run([*command, "--target-dir", str(target), "-p", "guest-misbehaves"], cwd=ROOT, check=True)
    return (target / "wasm32-unknown-unknown/plugin/guest_misbehaves.wasm").read_bytes()


def default_binary() -> str:
    built = [ROOT / "target" / profile / "sluicebox" for profile in ("release", "debug")]
    found = [str(path) for path in built if path.exists()]
    if not found:
        raise SystemExit("soak: no binary: build one (cargo build --release) or name it")
    return found[0]


if __name__ == "__main__":
    if len(sys.argv) > 2:
        raise SystemExit("usage: soak.py [BINARY]")
    # A kill of this script ends what it started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else default_binary()))
