"""Drives the real binary with the OpenTelemetry SDK for Python.

Each signal goes over gRPC and HTTP, plain and gzipped. What the binary wrote is compared value by value with what was
sent, probes must be gone, and the counters must add up. Called by run.sh with the binary's path.
"""

import sys
import tempfile
from pathlib import Path

from checks import Checks
from process import Sluicebox
from sent import CASES, PROBES, RECORDS, send_all
from written import LogRecord, Point, Span, read_logs, read_points, read_spans

TRANSPORTS = ("grpc", "http")


def main(binary: str) -> int:
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="sluicebox-python-") as folder:
        with Sluicebox(binary, Path(__file__).with_name("pipeline.yaml"), Path(folder)) as sluicebox:
            sluicebox.wait_until_ready()
            for case in CASES:
                checks.attempt(f"{case.name}: every export is acknowledged", lambda: send_all(case, sluicebox))
            metrics = sluicebox.wait_for_delivery(sum(RECORDS.values()) * len(CASES))
            code = sluicebox.stop()
        checks.equal("the binary drains and ends with 0 after SIGTERM", code, 0)
        for transport in TRANSPORTS:
            check_received(checks, metrics, transport)
        check_accounting(checks, metrics)
        checks.attempt("traces.jsonl is OTLP JSON", lambda: check_spans(checks, read_spans(Path(folder))))
        checks.attempt("metrics.jsonl is OTLP JSON", lambda: check_points(checks, read_points(Path(folder))))
        checks.attempt("logs.jsonl is OTLP JSON", lambda: check_logs(checks, read_logs(Path(folder))))
        if checks.failed:
            print(f"\nthe binary's log:\n{sluicebox.log_text()}", file=sys.stderr)
    return checks.close()


def check_received(checks: Checks, metrics, transport: str) -> None:
    """What was sent over a transport is what its receiver counted."""
    cases = sum(case.transport == transport for case in CASES)
    for records in RECORDS:
        expected = (RECORDS[records] + PROBES[records]) * cases
        family = f"otelcol_receiver_accepted_{records}_total"
        counted = metrics.total(family, receiver="otlp", transport=transport)
        checks.equal(f"{transport}: accepted {records} are counted", counted, expected)
    refused = sum(metrics.total(f"otelcol_receiver_refused_{records}_total") for records in RECORDS)
    checks.equal(f"{transport}: nothing is refused", refused, 0)


def check_accounting(checks: Checks, metrics) -> None:
    """received = delivered + queued + rejected + dropped, for each signal, with nothing queued."""
    stages = {"spans": "drop-span-probes", "metric_points": "drop-point-probes", "log_records": "drop-log-probes"}
    signals = {"spans": "traces", "metric_points": "metrics", "log_records": "logs"}
    for records, signal in signals.items():
        accepted = metrics.total(f"otelcol_receiver_accepted_{records}_total")
        sent = metrics.total(f"otelcol_exporter_sent_{records}_total", exporter=f"file/{signal}")
        dropped = metrics.total("sluicebox_dropped_records_total", signal=signal)
        filtered = metrics.total(
            "sluicebox_dropped_records_total", signal=signal, component=stages[records], reason="filtered"
        )
        checks.equal(f"{signal}: accepted = delivered + dropped", accepted, sent + dropped)
        checks.equal(f"{signal}: the probes are dropped by their stage", filtered, PROBES[records] * len(CASES))
        checks.equal(f"{signal}: nothing else is dropped", dropped, filtered)
    checks.equal("no plugin fault", metrics.total("sluicebox_plugin_faults_total"), 0)


def check_spans(checks: Checks, spans: list[Span]) -> None:
    checks.equal("traces: no probe is written", [s.name for s in spans if s.name.startswith("GET /healthz")], [])
    for case in CASES:
        of_case = [span for span in spans if span.resource.get("test.case") == case.name]
        checks.equal(f"{case.name}: spans that are written", len(of_case), RECORDS["spans"])
        by_name = {span.name: span for span in of_case}
        for expected in case.spans:
            written = by_name.get(expected.name)
            if written is None:
                checks.fail(f"{case.name}: span {expected.name}", "it is not written")
                continue
            for field in Span.COMPARED:
                name = f"{case.name}: {field} of span {expected.name}"
                checks.equal(name, getattr(written, field), getattr(expected, field))


def check_points(checks: Checks, points: list[Point]) -> None:
    probes = [point.metric for point in points if point.attributes.get("http.route") == "/healthz"]
    checks.equal("metrics: no probe is written", probes, [])
    for case in CASES:
        of_case = [point for point in points if point.resource.get("test.case") == case.name]
        key = lambda point: (point.metric, sorted(point.attributes.items()))
        checks.equal(f"{case.name}: data points", sorted(of_case, key=key), sorted(case.points, key=key))


def check_logs(checks: Checks, logs: list[LogRecord]) -> None:
    checks.equal("logs: no probe is written", [x.body for x in logs if x.attributes.get("http.route") == "/healthz"], [])
    for case in CASES:
        of_case = [record for record in logs if record.resource.get("test.case") == case.name]
        key = lambda record: str(record.body)
        checks.equal(f"{case.name}: log records", sorted(of_case, key=key), sorted(case.logs, key=key))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: otlp_sdk.py BINARY (run.sh calls it)", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
