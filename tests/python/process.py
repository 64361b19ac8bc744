"""The binary under test, as a process."""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

READY_WITHIN_S = 60
DELIVERED_WITHIN_S = 120
STOPPED_WITHIN_S = 120


class Sluicebox:
    """A running binary; leaving the block ends it in any case."""

    def __init__(self, binary: str, pipeline: Path, folder: Path) -> None:
        self.grpc_port, self.http_port, self.admin_port = free_ports(3)
        self._log = folder / "log.txt"
        self._text = ""
        environment = dict(
            os.environ,
            SLUICEBOX_TEST_GRPC_PORT=str(self.grpc_port),
            SLUICEBOX_TEST_HTTP_PORT=str(self.http_port),
            SLUICEBOX_TEST_ADMIN_PORT=str(self.admin_port),
            SLUICEBOX_TEST_FOLDER=str(folder),
            NO_COLOR="1",
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [binary, "run", str(pipeline)], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def __enter__(self) -> "Sluicebox":
        return self

    def __exit__(self, *_) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._text = self._log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        """Returns when /readyz says yes; raises with the binary's log if it does not in time."""
        self._wait("ready", READY_WITHIN_S, lambda: self._fetch("/readyz") is not None)

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def ended(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._process.poll()

    def metrics(self) -> "Metrics":
        """A scrape. Raises if the admin server does not answer: a process that is not there has no metrics."""
        text = self._fetch("/metrics")
        if text is None:
            raise RuntimeError(f"/metrics does not answer; exit code {self.ended()}; see {self._log}")
        return Metrics(text)

    def wait_for_delivery(self, records: int) -> "Metrics":
        """Returns the metrics as soon as exporters have delivered so many records, or when the time is up: then the
        checks on the counters tell what is missing."""
        deadline = time.monotonic() + DELIVERED_WITHIN_S
        while True:
            metrics = Metrics(self._fetch("/metrics") or "")
            done = metrics.total_of(re.compile(r"otelcol_exporter_sent_\w+_total")) >= records
            if done or time.monotonic() > deadline:
                return metrics
            time.sleep(0.05)

    def stop(self) -> int:
        """Asks it to end, waits, gives its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOPPED_WITHIN_S)

    def log_text(self) -> str:
        return self._text

    def _wait(self, what: str, seconds: float, done) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            code = self._process.poll()
            if code is not None or time.monotonic() > deadline:
                why = f"it ended with {code}" if code is not None else f"not within {seconds} s"
                raise SystemExit(f"the binary is not {what}: {why}; its log:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.05)

    def _fetch(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=30) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            return None


class Metrics:
    """One scrape of /metrics."""

    SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? ([0-9.eE+-]+|NaN|[+-]Inf)$")
    LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text: str) -> None:
        matches = (self.SAMPLE.match(line) for line in text.splitlines() if not line.startswith("#"))
        self._samples = [(m[1], dict(self.LABEL.findall(m[2] or "")), float(m[3])) for m in matches if m]

    def total(self, family: str, **labels: str) -> int:
        """The sum of a family's samples that have these labels."""
        wanted = labels.items()
        return round(sum(value for name, has, value in self._samples if name == family and wanted <= has.items()))

    def exact(self, family: str) -> float:
        """The same sum of a whole family, with its fraction."""
        return sum(value for name, _, value in self._samples if name == family)

    def total_of(self, families: re.Pattern) -> int:
        """The sum of all samples of families whose whole name matches."""
        return round(sum(value for name, _, value in self._samples if families.fullmatch(name)))


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; all are held until all are known, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
