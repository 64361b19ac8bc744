"""What is measured: the work, and how each side is told to do it."""

from dataclasses import dataclass, field

DROP = 'span.attributes["http.route"]: [/healthz]'
FILTER_OTTL = 'attributes["http.route"] == "/healthz"'
EDIT_OTTL = [
    'set(span.attributes["deployment"], "production")',
    'delete_key(span.attributes, "user.id")',
]
# What the redact plugin masks by default, as near as statements come to it.
REDACT_OTTL = [
    rf'replace_all_patterns(span.attributes, "value", "{pattern}", "****")'
    for pattern in (
        r"\\b(?:\\d[ -]?){13,19}\\b",
        r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}",
        r"\\b\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\b",
        r"(?i)bearer [a-z0-9._~+/-]+=*",
    )
]


@dataclass
class Case:
    """One row of the table, for every size of request."""

    name: str
    what: str
    # Sluicebox: id, plugin and config of each stage.
    stages: list[tuple[str, str, str]] = field(default_factory=list)
    # The collector: id and config of each processor; none: it has nothing like it.
    processors: list[tuple[str, dict]] | None = field(default_factory=list)
    load: list[str] = field(default_factory=list)
    signal: str = "traces"
    protocol: str = "grpc"
    compression: str = "none"
    backends: int = 1
    durable: bool = False
    # Sides that only pass on what they get can take part.
    passes: bool = False
    sizes: tuple[int, ...] = (100, 1000)


def drop(number: int = 0) -> tuple[str, str, str]:
    return (f"drop-{number}", "drop", "{ '" + 'span.attributes["http.route"]' + "': [/healthz] }")


def ottl_filter(number: int = 0) -> tuple[str, dict]:
    return (f"filter/{number}", {"traces": {"span": [FILTER_OTTL]}})


# The same filter on other signals: the field for Sluicebox, and what the collector calls the record.
RECORDS = {"logs": ("log", "log_record"), "metrics": ("datapoint", "datapoint")}


def filtered(name: str, what: str, signal: str, *load: str) -> "Case":
    field_of, record = RECORDS[signal]
    stage = ("drop", "drop", "{ '" + f'{field_of}.attributes["http.route"]' + "': [/healthz] }")
    processor = ("filter", {signal: {record: [FILTER_OTTL]}})
    return Case(name, what, [stage], [processor], ["--signal", signal, *load], signal)


EDIT = (
    "edit",
    "attributes",
    "{ actions: [{ set: 'span.attributes[\"deployment\"]', value: production }, "
    "{ delete: 'span.attributes[\"user.id\"]' }] }",
)
OTTL_EDIT = ("transform/edit", {"trace_statements": EDIT_OTTL})
SAMPLE = ("sample", "sample", "{ rate: 0.7 }")
OTTL_SAMPLE = ("probabilistic_sampler", {"sampling_percentage": 70})
REDACT = ("redact", "redact", "{}")
OTTL_REDACT = ("transform/redact", {"trace_statements": REDACT_OTTL})

CASES = [
    Case("pass", "OTLP in, OTLP out", passes=True, sizes=(10, 100, 1000)),
    Case("filter", "drops 30 % by an attribute", [drop()], [ottl_filter()], sizes=(10, 100, 1000)),
    filtered("logs", "30 % of log records of 300 bytes dropped by an attribute", "logs"),
    filtered("long logs", "the same with log records of 1000 bytes", "logs", "--record-bytes", "1000"),
    filtered("metrics", "30 % of data points of all five kinds dropped by an attribute", "metrics"),
    Case("edit", "sets an attribute and deletes one", [EDIT], [OTTL_EDIT]),
    Case("chain", "filter, sampler and transform", [drop(), SAMPLE, EDIT], [ottl_filter(), OTTL_SAMPLE, OTTL_EDIT]),
    Case("ten filters", "the same filter ten times", [drop(n) for n in range(10)], [ottl_filter(n) for n in range(10)]),
    Case("redact", "masks cards, addresses and tokens in all attributes", [REDACT], [OTTL_REDACT]),
    Case("gzip to zstd", "gzip in, zstd out", load=["--compression", "gzip"], compression="zstd"),
    Case("JSON in", "HTTP/JSON in, OTLP/gRPC out", load=["--protocol", "http", "--encoding", "json"], protocol="http"),
    Case("two backends", "everything to two destinations", backends=2),
    Case("durable", "a queue on disk, synced before the answer", durable=True),
]
