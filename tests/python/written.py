"""What the file exporter wrote: OTLP JSON lines, read by the rules of the OTLP specification and nothing of ours."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Iterator


@dataclass
class Span:
    COMPARED: ClassVar = (
        "resource", "scope", "trace_id", "span_id", "parent_id", "kind", "start", "end", "attributes", "events", "links",
        "status",
    )
    resource: dict
    scope: tuple
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start: int
    end: int
    attributes: dict
    events: list = field(default_factory=list)
    links: list = field(default_factory=list)
    status: tuple = (0, "")


@dataclass
class Point:
    resource: dict
    metric: str
    unit: str
    kind: str
    attributes: dict
    value: Any


@dataclass
class LogRecord:
    resource: dict
    body: Any
    severity: int
    severity_text: str
    time: int
    attributes: dict
    trace_id: str
    span_id: str


def lines(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path.name}, line {number}: {error}") from error


def value(any_value: dict) -> Any:
    """A JSON AnyValue. 64-bit integers are strings in proto3 JSON."""
    if not any_value:
        return None
    ((kind, content),) = any_value.items()
    match kind:
        case "stringValue" | "boolValue":
            return content
        case "intValue":
            return int(content)
        case "doubleValue":
            return float(content)
        case "arrayValue":
            return tuple(value(x) for x in content.get("values", []))
        case "kvlistValue":
            return attributes(content.get("values", []))
    raise ValueError(f"{kind} is not expected here")


def attributes(pairs: list) -> dict:
    found = {pair["key"]: value(pair["value"]) for pair in pairs}
    if len(found) != len(pairs):
        raise ValueError(f"a key occurs twice in {pairs}")
    return found


def scope(of: dict) -> tuple:
    return (of.get("name", ""), of.get("version", ""))


def each(folder: Path, signal: str, resources: str, scopes: str, records: str) -> Iterator[tuple]:
    """(resource attributes, scope, record) of every record of a file."""
    for request in lines(folder / f"{signal}.jsonl"):
        for of_resource in request[resources]:
            resource = attributes(of_resource["resource"].get("attributes", []))
            for of_scope in of_resource[scopes]:
                for record in of_scope[records]:
                    yield resource, of_scope.get("scope", {}), record


def read_spans(folder: Path) -> list[Span]:
    spans = []
    for resource, of_scope, span in each(folder, "traces", "resourceSpans", "scopeSpans", "spans"):
        status = span.get("status", {})
        spans.append(Span(
            resource=resource,
            scope=scope(of_scope),
            name=span["name"],
            trace_id=span["traceId"].lower(),
            span_id=span["spanId"].lower(),
            parent_id=span.get("parentSpanId", "").lower(),
            kind=span.get("kind", 0),
            start=int(span["startTimeUnixNano"]),
            end=int(span["endTimeUnixNano"]),
            attributes=attributes(span.get("attributes", [])),
            events=[
                (x["name"], int(x["timeUnixNano"]), attributes(x.get("attributes", []))) for x in span.get("events", [])
            ],
            links=[
                (x["traceId"].lower(), x["spanId"].lower(), attributes(x.get("attributes", [])))
                for x in span.get("links", [])
            ],
            status=(status.get("code", 0), status.get("message", "")),
        ))
    return spans


def read_points(folder: Path) -> list[Point]:
    points = []
    for resource, _, metric in each(folder, "metrics", "resourceMetrics", "scopeMetrics", "metrics"):
        for kind in ("sum", "gauge", "histogram"):
            for point in metric.get(kind, {}).get("dataPoints", []):
                points.append(Point(
                    resource=resource,
                    metric=metric["name"],
                    unit=metric.get("unit", ""),
                    kind=kind,
                    attributes=attributes(point.get("attributes", [])),
                    value=point_value(kind, point),
                ))
    return points


def point_value(kind: str, point: dict) -> Any:
    if kind == "histogram":
        counts = [int(x) for x in point["bucketCounts"]]
        return (int(point["count"]), float(point["sum"]), counts, [float(x) for x in point["explicitBounds"]])
    return int(point["asInt"]) if "asInt" in point else float(point["asDouble"])


def read_logs(folder: Path) -> list[LogRecord]:
    return [
        LogRecord(
            resource=resource,
            body=value(record.get("body", {})),
            severity=record.get("severityNumber", 0),
            severity_text=record.get("severityText", ""),
            time=int(record["timeUnixNano"]),
            attributes=attributes(record.get("attributes", [])),
            trace_id=record.get("traceId", "").lower(),
            span_id=record.get("spanId", "").lower(),
        )
        for resource, _, record in each(folder, "logs", "resourceLogs", "scopeLogs", "logRecords")
    ]
