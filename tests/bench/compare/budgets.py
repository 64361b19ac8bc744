"""The budgets: what each one is, what was measured, and whether it holds."""

from dataclasses import dataclass

HEAD = """
## Budgets

What Sluicebox is held to; spans of about 500 bytes. Marginal costs are differences of medians.

| | budget | measured | |
|---|---|---|---|"""


@dataclass
class Budget:
    what: str
    most: float
    measured: float
    unit: str
    digits: int = 0
    note: str = ""

    def line(self) -> str:
        verdict = "met" if self.measured <= self.most else "**missed**"
        measured = f"{self.measured:.{self.digits}f} {self.unit}" + (f" ({self.note})" if self.note else "")
        return f"| {self.what} | ≤ {self.most:g} {self.unit} | {measured} | {verdict} |"


class Rows:
    """CPU nanoseconds a record, by case, side and size of request."""

    def __init__(self, rows: list[dict]):
        self.by_key = {(row["case"], row["side"], row["records"]): row for row in rows}

    def has(self, *keys: tuple) -> bool:
        return all(key in self.by_key for key in keys)

    def cpu_ns(self, case: str, side: str, size: int) -> float:
        return self.by_key[case, side, size]["cpu_s_per_million"]["median"] * 1000

    def figure(self, key: tuple, name: str) -> float:
        return self.by_key[key][name]["median"]


def of_cases(rows: Rows) -> list[Budget]:
    budgets = []
    for size, most in ((100, 1.25), (1000, 1.5)):
        if rows.has(("filter", "sluicebox", size), ("pass", "floor", size)):
            ratio = rows.cpu_ns("filter", "sluicebox", size) / rows.cpu_ns("pass", "floor", size)
            budgets.append(Budget(f"CPU with one filter, to the floor, {size} spans a request", most, ratio, "×", 2))
    for size in (100, 1000):
        one, ten = ("filter", "sluicebox", size), ("ten filters", "sluicebox", size)
        if rows.has(one, ten):
            each = (rows.cpu_ns(*ten) - rows.cpu_ns(*one)) / 9
            budgets.append(Budget(f"each further filter, {size} spans a request", 10, each, "ns a span", 1))
    for size in (100, 1000):
        bare, edit = ("pass", "sluicebox", size), ("edit", "sluicebox", size)
        if rows.has(bare, edit):
            marginal = rows.cpu_ns(*edit) - rows.cpu_ns(*bare)
            what = f"a plugin that sets an attribute and deletes one, {size} spans a request"
            budgets.append(Budget(what, 150, marginal, "ns a span"))
    for size in (100, 1000):
        ours, theirs = ("filter", "sluicebox", size), ("filter", "collector", size)
        if rows.has(ours, theirs):
            share = rows.cpu_ns(*ours) / rows.cpu_ns(*theirs)
            what = f"CPU with one filter, to the collector's filter processor, {size} spans a request"
            budgets.append(Budget(what, 0.125, share, "×", 3, f"1/{1 / share:.1f}"))
    for size in (100, 1000):
        key = ("filter", "sluicebox", size)
        if rows.has(key):
            p99 = rows.figure(key, "p99_ms")
            budgets.append(Budget(f"p99 of answers at half load, one filter, {size} spans a request", 10, p99, "ms", 1))
    return budgets


def of_one_alone(alone: dict[str, dict]) -> list[Budget]:
    def middle(name: str) -> float:
        return alone[name]["median"]

    first = f"{alone['first_ready_ms']['median']:.0f} ms when they are compiled for the first time"
    refused = f"{alone['change_refused']['max']:.0f} requests refused"
    return [
        Budget(
            "p99 through to the backend and back at half load, batching included (`queue: none`)",
            10,
            middle("through_p99_ms"),
            "ms",
            1,
        ),
        Budget("resident memory idle, five plugins loaded", 40, middle("idle_mib"), "MiB", 0),
        Budget("resident memory at full load, a queue of 64 MiB full", 200, alone["loaded_mib"]["max"], "MiB"),
        Budget("start to ready, five plugins", 300, middle("ready_ms"), "ms", 0, first),
        Budget("plugin file changed to new generation serving, under load", 1000, middle("change_ms"), "ms", 0, refused),
    ]


def budgets(rows: list[dict], alone: dict[str, dict] | None) -> str:
    """The table, in Markdown; none if nothing of it was measured."""
    lines = [budget.line() for budget in of_cases(Rows(rows)) + (of_one_alone(alone) if alone else [])]
    return "\n".join([HEAD, *lines, ""]) if lines else ""
