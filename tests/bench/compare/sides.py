"""Who is measured: how each side is set up for a case, and started."""

import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from cases import Case

PATIENCE_S = 20


@dataclass
class Ports:
    grpc: int
    http: int
    sinks: list[int]

    @staticmethod
    def free(sinks: int) -> "Ports":
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2 + sinks)]
        numbers = [one.getsockname()[1] for one in held]
        for one in held:
            one.close()
        return Ports(numbers[0], numbers[1], numbers[2:])


class Side:
    """A system that can be measured."""

    name: str
    binary: Path | None

    def missing(self) -> str | None:
        """Why it does not take part; none if it does."""
        return None if self.binary and self.binary.exists() else f"{self.name}: there is no {self.binary}"

    def takes(self, case: Case) -> bool:
        raise NotImplementedError

    def command(self, case: Case, ports: Ports, folder: Path) -> list[str]:
        raise NotImplementedError


class Floor(Side):
    """Moves the bytes, no more."""

    name = "floor"

    def __init__(self, binary: Path):
        self.binary = binary

    def takes(self, case):
        return case.passes

    def command(self, case, ports, folder):
        return [str(self.binary), f"127.0.0.1:{ports.grpc}", f"http://127.0.0.1:{ports.sinks[0]}"]


class Sluicebox(Side):
    name = "sluicebox"

    def __init__(self, binary: Path):
        self.binary = binary

    def takes(self, case):
        return True

    def command(self, case, ports, folder):
        stages = "".join(
            f"  {name}:\n    plugin: {plugin}\n    config: {config}\n" for name, plugin, config in case.stages
        )
        exporters = "".join(
            f"  otlp/{number}:\n    endpoint: http://127.0.0.1:{port}\n    compression: {case.compression}\n"
            + (f"    queue: {{ durable: ./queue-{number}, sync: always }}\n" if case.durable else "")
            for number, port in enumerate(ports.sinks)
        )
        names = ", ".join(name for name, _, _ in case.stages)
        outs = ", ".join(f"otlp/{number}" for number in range(len(ports.sinks)))
        text = (
            "receivers:\n  otlp:\n    protocols:\n"
            f"      grpc: {{ endpoint: 127.0.0.1:{ports.grpc} }}\n      http: {{ endpoint: 127.0.0.1:{ports.http} }}\n"
            + (f"processors:\n{stages}" if stages else "")
            + f"exporters:\n{exporters}"
            "service:\n  telemetry: { endpoint: none }\n"
            f"  pipelines:\n    {case.signal}: {{ receivers: [otlp], processors: [{names}], exporters: [{outs}] }}\n"
        )
        (folder / "pipeline.yaml").write_text(text)
        return [str(self.binary), "-q", "run", str(folder / "pipeline.yaml")]


class Collector(Side):
    """The OpenTelemetry Collector, built from collector.yaml by its builder."""

    name = "collector"

    def __init__(self, binary: Path | None):
        self.binary = binary

    def takes(self, case):
        return case.processors is not None

    def command(self, case, ports, folder):
        queue = {"storage": "file_storage"} if case.durable else {}
        exporters = {
            f"otlp/{number}": {
                "endpoint": f"127.0.0.1:{port}",
                "tls": {"insecure": True},
                "compression": case.compression,
                **({"sending_queue": queue} if queue else {}),
            }
            for number, port in enumerate(ports.sinks)
        }
        # A batch in front of a queue on disk would be lost: there, none.
        batch = {} if case.durable else {"batch": {}}
        config = {
            "receivers": {
                "otlp": {
                    "protocols": {
                        "grpc": {"endpoint": f"127.0.0.1:{ports.grpc}", "max_recv_msg_size_mib": 64},
                        "http": {"endpoint": f"127.0.0.1:{ports.http}"},
                    }
                }
            },
            "processors": dict(case.processors) | batch,
            "exporters": exporters,
            "service": {
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
                "pipelines": {
                    case.signal: {
                        "receivers": ["otlp"],
                        "processors": [name for name, _ in case.processors] + list(batch),
                        "exporters": list(exporters),
                    }
                },
            },
        }
        if case.durable:
            (folder / "storage").mkdir()
            storage = {"directory": str(folder / "storage"), "fsync": True}
            config["extensions"] = {"file_storage": storage}
            config["service"]["extensions"] = ["file_storage"]
        # JSON is YAML.
        (folder / "collector.yaml").write_text(json.dumps(config))
        return [str(self.binary), "--config", str(folder / "collector.yaml")]


class Rotel(Side):
    """Rotel as its Python package brings it."""

    name = "rotel"

    def __init__(self, binary: Path | None):
        self.binary = binary

    def takes(self, case):
        return case.backends == 1 and not case.stages and not case.durable and case.compression == "none"

    def command(self, case, ports, folder):
        listen = ["--otlp-grpc-endpoint", f"127.0.0.1:{ports.grpc}", "--otlp-http-endpoint", f"127.0.0.1:{ports.http}"]
        out = ["--exporter", "otlp", "--otlp-exporter-endpoint", f"http://127.0.0.1:{ports.sinks[0]}"]
        return [str(self.binary), "start", *listen, *out, "--otlp-exporter-compression", "none"]


class Started:
    """A process with its folder; ended when the block ends."""

    def __init__(self, command: list[str], folder: Path, ports: list[int], quiet: bool = True):
        self.command, self.folder, self.ports, self.quiet = command, folder, ports, quiet

    def __enter__(self) -> subprocess.Popen:
        log = open(self.folder / "log.txt", "ab")
        self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE_S
        for port in self.ports:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if self.process.poll() is not None or time.monotonic() > end:
                        self.__exit__()
                        raise RuntimeError(f"{self.command[0]} does not listen: {self.tail()}") from None
                    time.sleep(0.02)
        return self.process

    def tail(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")[-1500:]

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def found(path: Path | None, name: str) -> Path | None:
    """A peer's binary: where it was said to be, or on the path."""
    where = path or shutil.which(name)
    return Path(where) if where else None
