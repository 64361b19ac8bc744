"""What the measurements share: a pipeline under load, and figures over rounds."""

import statistics
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from process import Sluicebox
from rig import Sink

PIPELINE = """
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:${{env:SLUICEBOX_TEST_GRPC_PORT}}' }} }} }}
processors:
  drop: {{ config: {{ 'span.attributes["http.route"]': /healthz }} }}
exporters:
  otlp/backend: {{ endpoint: '{backend}', {exporter} }}
service:
  telemetry: {{ endpoint: '127.0.0.1:${{env:SLUICEBOX_TEST_ADMIN_PORT}}' }}
  pipelines: {{ traces: {{ receivers: [otlp], processors: [drop], exporters: [otlp/backend] }} }}
  {service}
"""


class Case:
    """A binary with its pipeline and its backend, ready for load."""

    def __init__(self, process: Sluicebox, sink: Sink) -> None:
        self.process, self.sink = process, sink
        self.url = f"http://127.0.0.1:{process.grpc_port}"


@contextmanager
def running(binary: str, exporter: str, service: str = "", sink: tuple[str, ...] = ()) -> Iterator[Case]:
    """A filter pipeline; what is given is put into the exporter and into `service`."""
    with tempfile.TemporaryDirectory() as folder, Sink(binary, *sink) as backend:
        pipeline = Path(folder) / "pipeline.yaml"
        pipeline.write_text(PIPELINE.format(backend=backend.url, exporter=exporter, service=service))
        with Sluicebox(binary, pipeline, Path(folder)) as process:
            process.wait_until_ready()
            yield Case(process, backend)


def takes(binary: str, exporter: str, service: str = "") -> bool:
    """Whether the binary knows these keys."""
    text = PIPELINE.format(backend="http://127.0.0.1:1", exporter=exporter, service=service)
    text = text.replace("${env:SLUICEBOX_TEST_GRPC_PORT}", "4317").replace("${env:SLUICEBOX_TEST_ADMIN_PORT}", "8888")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        file.write_text(text)
        return subprocess.run([binary, "validate", str(file)], capture_output=True, check=False).returncode == 0


def spread(figures: list[float]) -> dict[str, float]:
    """Least, median and most."""
    return {"min": min(figures), "median": statistics.median(figures), "max": max(figures)}


def shown(figures: dict[str, float], digits: int = 0) -> str:
    return f"{figures['median']:,.{digits}f} ({figures['min']:,.{digits}f}–{figures['max']:,.{digits}f})"
