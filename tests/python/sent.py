"""What is sent: with the real SDK, over every transport, and remembered so that it can be compared."""

import time
from dataclasses import dataclass, field

import grpc
from opentelemetry._logs import LogRecord as ApiLogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcTraces
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpTraces
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

from process import Sluicebox
from written import LogRecord, Point, Span

ORDERS = 20
"""Orders of one case: each is a server span, a client span below it, and a log record."""
RECORDS = {"spans": 2 * ORDERS, "metric_points": 5, "log_records": ORDERS}
"""Records of one case that have to arrive."""
PROBES = {"spans": 7, "metric_points": 1, "log_records": 3}
"""Records of one case that have to be dropped."""
BOUNDS = (10.0, 100.0, 1000.0)
# OTLP's span kinds are one above the SDK's: 0 is "unspecified".
SERVER, CLIENT = 2, 3


@dataclass
class Case:
    """A transport with or without gzip, and what was sent over it."""

    transport: str
    gzip: bool
    spans: list[Span] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.transport}-gzip" if self.gzip else self.transport

    def resource(self) -> Resource:
        return Resource.create({"service.name": "shop", "test.case": self.name, "zählt": True})


CASES = [Case(transport, gzip) for transport in ("grpc", "http") for gzip in (False, True)]


class Observed:
    """Passes exports on and remembers their results: the SDK itself only logs a failure."""

    def __init__(self, exporter) -> None:
        self._exporter = exporter
        self.results: list = []

    def __getattr__(self, name: str):
        return getattr(self._exporter, name)

    def export(self, *arguments, **options):
        result = self._exporter.export(*arguments, **options)
        self.results.append(result)
        return result

    def expect(self, success) -> None:
        if not self.results or any(result != success for result in self.results):
            raise AssertionError(f"{type(self._exporter).__module__} reported {self.results}")


def send_all(case: Case, to: Sluicebox) -> None:
    """Sends the three signals of a case; raises if an export was not acknowledged."""
    send_spans(case, exporter(case, to, "traces", GrpcTraces, HttpTraces))
    send_points(case, exporter(case, to, "metrics", GrpcMetrics, HttpMetrics))
    send_logs(case, exporter(case, to, "logs", GrpcLogs, HttpLogs))


def exporter(case: Case, to: Sluicebox, signal: str, over_grpc, over_http) -> Observed:
    if case.transport == "grpc":
        compression = grpc.Compression.Gzip if case.gzip else grpc.Compression.NoCompression
        endpoint = f"127.0.0.1:{to.grpc_port}"
        return Observed(over_grpc(endpoint=endpoint, insecure=True, compression=compression, timeout=20))
    compression = HttpCompression.Gzip if case.gzip else HttpCompression.NoCompression
    endpoint = f"http://127.0.0.1:{to.http_port}/v1/{signal}"
    return Observed(over_http(endpoint=endpoint, compression=compression, timeout=20))


def send_spans(case: Case, to: Observed) -> None:
    provider = TracerProvider(resource=case.resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(to))
    tracer = provider.get_tracer("shop.tracer", "1.2.3")
    for number in range(PROBES["spans"]):
        tracer.start_span(f"GET /healthz {number}", attributes={"http.route": "/healthz"}).end()
    for number in range(ORDERS):
        attributes = {
            "http.route": "/orders/{id}",
            "order.number": number,
            "order.big": 2**62 + number,
            "order.total": 10.25 * number,
            "order.paid": number % 2 == 0,
            "order.items": ("Käse", "brød", "🧀"),
            "order.counts": (1, -2, 3),
            "order.weights": (0.5, 1e300),
            "order.flags": (True, False),
            "empty": "",
        }
        server = tracer.start_span(f"order {number}", kind=SpanKind.SERVER, attributes=attributes)
        link = Link(server.get_span_context(), {"why": "retried"})
        client = tracer.start_span(
            f"charge {number}", set_span_in_context(server), kind=SpanKind.CLIENT, links=[link],
            attributes={"peer": "payment"},
        )
        client.add_event("retry", {"attempt": number})
        if number % 5 == 0:
            client.set_status(Status(StatusCode.ERROR, "declined"))
        client.end()
        server.end()
        case.spans += [expected(case, server, SERVER), expected(case, client, CLIENT)]
    provider.force_flush()
    provider.shutdown()
    to.expect(SpanExportResult.SUCCESS)


def expected(case: Case, span, kind: int) -> Span:
    """What has to be written for a span that the SDK ended."""
    context = span.get_span_context()
    return Span(
        resource=dict(case.resource().attributes),
        scope=("shop.tracer", "1.2.3"),
        name=span.name,
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        parent_id=f"{span.parent.span_id:016x}" if span.parent else "",
        kind=kind,
        start=span.start_time,
        end=span.end_time,
        attributes=dict(span.attributes),
        events=[(event.name, event.timestamp, dict(event.attributes)) for event in span.events],
        links=[
            (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}", dict(link.attributes))
            for link in span.links
        ],
        status=(span.status.status_code.value, span.status.description or ""),
    )


def send_points(case: Case, to: Observed) -> None:
    # An hour, so that only the shutdown below exports, and once.
    reader = PeriodicExportingMetricReader(to, export_interval_millis=3_600_000)
    view = View(instrument_name="latency", aggregation=ExplicitBucketHistogramAggregation(BOUNDS))
    provider = MeterProvider([reader], resource=case.resource(), views=[view], shutdown_on_exit=False)
    meter = provider.get_meter("shop.meter")
    orders = meter.create_counter("orders", unit="{order}")
    orders.add(42, {"http.route": "/orders/{id}"})
    orders.add(8, {"http.route": "/baskets"})
    orders.add(1000, {"http.route": "/healthz"})
    meter.create_up_down_counter("stock").add(-3.5, {"shelf": "a"})
    meter.create_gauge("temperature", unit="Cel").set(-4.25, {"room": "cold"})
    latency = meter.create_histogram("latency", unit="ms")
    for milliseconds in (1, 50, 51, 5000):
        latency.record(milliseconds, {"http.route": "/baskets"})
    provider.shutdown()
    to.expect(MetricExportResult.SUCCESS)
    resource = dict(case.resource().attributes)
    case.points += [
        Point(resource, "orders", "{order}", "sum", {"http.route": "/orders/{id}"}, 42),
        Point(resource, "orders", "{order}", "sum", {"http.route": "/baskets"}, 8),
        Point(resource, "stock", "", "sum", {"shelf": "a"}, -3.5),
        Point(resource, "temperature", "Cel", "gauge", {"room": "cold"}, -4.25),
        Point(
            resource, "latency", "ms", "histogram", {"http.route": "/baskets"},
            (4, 5102.0, [1, 2, 0, 1], list(BOUNDS)),
        ),
    ]


def send_logs(case: Case, to: Observed) -> None:
    provider = LoggerProvider(resource=case.resource(), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(to))
    logger = provider.get_logger("shop.logger")
    now = time.time_ns()
    for number in range(PROBES["log_records"]):
        attributes = {"http.route": "/healthz"}
        logger.emit(ApiLogRecord(timestamp=now, observed_timestamp=now, body=f"probe {number}", attributes=attributes))
    resource = dict(case.resource().attributes)
    for number in range(ORDERS):
        attributes = {"order.number": number, "user": "Zoë"}
        # Every other body is structured.
        body = f"order {number} was placed" if number % 2 else {"order": number, "items": ("a", "b")}
        logger.emit(ApiLogRecord(
            timestamp=now + number, observed_timestamp=now, severity_text="WARN", severity_number=SeverityNumber.WARN,
            body=body, attributes=attributes,
        ))
        case.logs.append(LogRecord(resource, body, 13, "WARN", now + number, attributes, "", ""))
    provider.force_flush()
    provider.shutdown()
    to.expect(LogRecordExportResult.SUCCESS)
