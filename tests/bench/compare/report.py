"""The table that people read."""

from budgets import budgets

HEAD = """# Side by side

Made by `tests/bench/compare/compare.py`; do not edit. {date}, {machine}; {rounds} rounds of {seconds:g} s for each figure,
all sides in turns. Generator, side and sink share the machine, so that rates are of this machine; **CPU seconds per
million records** (user and system of the side's process) are what compares. Figures are medians, with the least and the
most in brackets; × is the ratio of medians to the floor, a proxy that only moves the bytes. Latency is that of answers at
half of the side's own saturation, in an open loop, coordinated omission corrected; where Sluicebox was also measured at
half of what the slowest peer takes, that follows in a line of its own. Requests that were refused are not counted as
taken: the generator sends the next one at once, without the wait that it was asked for.

![CPU seconds per million records](comparison.svg)
"""

TAIL = """
## How to run it

```sh
cargo build --release --bin sluicebox --example floor
tests/bench/compare/compare.py --collector PATH --rotel PATH
```

The collector is built by its own builder from [collector.yaml](../tests/bench/peers/collector.yaml):

```sh
go install go.opentelemetry.io/collector/cmd/builder@v0.153.0
builder --config tests/bench/peers/collector.yaml
```

Rotel's binary is in its Python package (`pip download --no-deps rotel`; a wheel is a zip file).
"""


def figure(spread: dict, digits: int) -> str:
    low, middle, high = (f"{spread[key]:.{digits}f}" for key in ("min", "median", "max"))
    return f"{middle} ({low}–{high})"


def ratio(row: dict, other: dict | None) -> str:
    if not other:
        return ""
    return f"{row['cpu_s_per_million']['median'] / other['cpu_s_per_million']['median']:.2f} ×"


def latency(row: dict, suffix: str) -> str:
    p50, p99, p99_9 = (row[f"{name}_{suffix}"] for name in ("p50", "p99", "p99_9"))
    return f"{p50['median']:.1f} / {figure(p99, 1)} / {p99_9['median']:.1f}"


def report(result: dict) -> str:
    rows = result["rows"]
    text = [HEAD.format(**result)]
    if result["missing"]:
        text.append("Missing: " + "; ".join(result["missing"]) + ".\n")
    text.append(budgets(rows, result["alone"]))
    floors = {row["records"]: row for row in rows if row["side"] == "floor"}
    for case in dict.fromkeys((row["case"], row["what"]) for row in rows):
        text.append(f"\n## {case[0]}: {case[1]}\n")
        text.append(
            "| records a request | side | thousand records/s | CPU s per million | to the floor | to Sluicebox "
            "| p50 / p99 / p99.9 ms | idle / peak MB |"
        )
        text.append("|---|---|---|---|---|---|---|---|")
        ours = {row["records"]: row for row in rows if row["case"] == case[0] and row["side"] == "sluicebox"}
        for row in (row for row in rows if row["case"] == case[0]):
            size = row["records"]
            rate = {key: value / 1000 for key, value in row["records_per_s"].items()}
            refused = row["refused"]["median"]
            taken = figure(rate, 0) + (f"; {refused:.0f} requests refused" if refused else "")
            memory = f"{row['idle_mb']['median']:.0f} / {row['peak_mb']['max']:.0f}"
            text.append(
                f"| {size} | {row['side']} | {taken} | {figure(row['cpu_s_per_million'], 2)} "
                f"| {ratio(row, floors.get(size))} | {ratio(row, ours.get(size))} "
                f"| {latency(row, 'ms')} | {memory} |"
            )
            if "p99_ms_at_peers_load" in row:
                at = latency(row, "ms_at_peers_load")
                text.append(f"| {size} | {row['side']}, at the load of the slowest peer | | | | | {at} | |")
    return "\n".join(text) + "\n" + TAIL
