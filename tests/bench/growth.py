#!/usr/bin/env python3
"""Draws how the cost of a record grows with what is around it.

    tests/bench/growth.py docs/growth.svg                 in instructions, counted under valgrind: the same everywhere
    target/release/examples/growth time | tests/bench/growth.py -- docs/growth-time.svg
                                                          in nanoseconds of CPU, of a quiet machine

Writes the figures beside the drawing as JSON, one point a line.
"""

import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path

import callgrind

AXES = {
    "records": "records in a request",
    "attributes": "attributes of a record (100 records)",
    "stages": "stages of the chain (1000 records)",
    "pipelines": "pipelines of a receiver: cost in each (1000 records)",
    "shards": "shards (1000 records)",
}
COLOURS = ["#0b7285", "#e67700", "#862e9c", "#2b8a3e", "#c92a2a"]
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 560, 300, 64, 34, 150, 42


def ticks(low: float, high: float) -> list[float]:
    return [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def panel(axis: str, points: list[dict], top: int) -> list[str]:
    """One plot, both scales logarithmic; a chain without stages is drawn at a half."""
    xs = [max(point["x"], 0.5) for point in points]
    ys = [point["cost"] for point in points]
    x_low, x_high = min(xs), max(xs)
    marks = ticks(min(ys), max(ys))
    y_low, y_high = marks[0], marks[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        across = math.log(max(x, 0.5) / x_low) / math.log(x_high / x_low)
        up = math.log(y / y_low) / math.log(y_high / y_low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), top + HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    out = [f'<text x="{LEFT}" y="{top + 20}" font-size="14">{points[0]["unit"]} a record, by {escape(AXES[axis])}</text>']
    for mark in marks:
        _, y = at(x_low, mark)
        out.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dee2e6"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{mark:g}</text>')
    for x in sorted({point["x"] for point in points}):
        across, _ = at(x, y_low)
        out.append(f'<text x="{across:.1f}" y="{top + HEIGHT - BOTTOM + 16}" text-anchor="middle" font-size="9">{x}</text>')
    labels = []
    for number, curve in enumerate(dict.fromkeys(point["curve"] for point in points)):
        colour = COLOURS[number % len(COLOURS)]
        line = [at(point["x"], point["cost"]) for point in points if point["curve"] == curve]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        labels.append((line[-1][1], curve, colour))
    previous = 0.0
    for y, curve, colour in sorted(labels):
        previous = max(y, previous + 13)
        out.append(f'<text x="{WIDTH - RIGHT + 8}" y="{previous + 4:.1f}" fill="{colour}">{escape(curve)}</text>')
    return out


def counted() -> list[dict]:
    """Points in instructions, by curves."""
    growth, plugins = map(str, callgrind.build("growth", "counts"))
    callgrind.compile_plugins(plugins)
    curves = subprocess.run([growth, "list"], capture_output=True, text=True, check=True).stdout.split()
    with ThreadPoolExecutor(int(os.environ.get("JOBS", os.cpu_count()))) as pool:
        return [point for points in pool.map(lambda curve: of_curve(growth, curve), curves) for point in points]


def of_curve(growth: str, curve: str) -> list[dict]:
    """Each point has a lap, and the next one is what lies between it and the next point."""
    printed, laps = callgrind.counted([growth, "laps", curve])
    points = [json.loads(line) for line in printed.splitlines()]
    for point, lap in zip(points, laps[::2], strict=True):
        point |= {"unit": "instructions", "cost": round(lap / point.pop("records"), 1)}
    return points


def main() -> int:
    out = Path(sys.argv[-1])
    if "--" in sys.argv:
        points = [json.loads(line) for line in sys.stdin if line.strip()]
    elif reason := callgrind.missing():
        print(f"growth.py: NOTHING WAS COUNTED: {reason}")
        return 1
    else:
        points = counted()
    out.with_suffix(".json").write_text("".join(json.dumps(point) + "\n" for point in points))
    out.write_text(drawing(points))
    return 0


def drawing(points: list[dict]) -> str:
    axes = [axis for axis in AXES if any(point["axis"] == axis for point in points)]
    height = HEIGHT * len(axes)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, axis in enumerate(axes):
        out += panel(axis, [point for point in points if point["axis"] == axis], number * HEIGHT)
    return "\n".join([*out, "</svg>"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
