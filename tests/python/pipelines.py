"""Runs the example pipelines that come with an input and what is expected of it.

    python3 tests/python/pipelines.py BINARY [--accept]

In a folder of pipelines/, `expected.json` is what `var/output.json` has to hold afterwards, and `expected-NAME.json`
what `var/NAME.json` has to. Compared as JSON, one request a line, the attributes of a list in any order. `--accept`
writes the expectations anew: read the difference before you commit it. Needs nothing but Python.
"""

import json
import subprocess
import sys
from pathlib import Path

from checks import Checks

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
ENDS_WITHIN_S = 180


def main(binary: str, accept: bool) -> int:
    checks = Checks()
    for folder in sorted({file.parent for file in PIPELINES.glob("*/expected*.json")}):
        checks.attempt(f"{folder.name}: runs", lambda: run(binary, folder))
        for expected in sorted(folder.glob("expected*.json")):
            name = expected.stem.removeprefix("expected").removeprefix("-") or "output"
            written = folder / "var" / f"{name}.json"
            if accept and written.exists():
                expected.write_text(written.read_text())
            found = requests(written) if written.exists() else "no such file"
            checks.equal(f"{folder.name}: var/{name}.json", found, requests(expected))
    return checks.close()


def run(binary: str, folder: Path) -> None:
    """Runs a pipeline from an empty `var` until its input is through."""
    for old in (folder / "var").glob("*.json*"):
        old.unlink()
    command = [binary, "run", str(folder / "pipeline.yaml")]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ENDS_WITHIN_S)
    if ended.returncode != 0:
        raise AssertionError(f"it ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")


def requests(file: Path) -> list:
    """The requests of a file, in an order of attributes that is always the same."""
    return [ordered(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def ordered(value):
    if isinstance(value, dict):
        return {
            key: sorted(map(ordered, inner), key=lambda pair: pair["key"]) if key == "attributes" else ordered(inner)
            for key, inner in value.items()
        }
    return [ordered(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--accept"]
    if len(arguments) != 1:
        print("usage: pipelines.py BINARY [--accept]", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(arguments[0], "--accept" in sys.argv))
