"""Counts what holds and tells what does not."""

import traceback
from typing import Callable

SHOWN = 1500
"""Characters of a value that a failure shows."""


class Checks:
    """The result of a run."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def equal(self, name: str, found, expected) -> None:
        """Holds if both are equal."""
        if found == expected:
            self.passed += 1
        else:
            self.fail(name, difference(found, expected))

    def attempt(self, name: str, act: Callable[[], None]) -> None:
        """Holds if `act` raises nothing."""
        try:
            act()
        except Exception as error:
            self.fail(name, f"{error}\n{traceback.format_exc()}")
        else:
            self.passed += 1

    def fail(self, name: str, why: str) -> None:
        self.failed += 1
        print(f"FAILED {name}\n       {why}")

    def close(self) -> int:
        """Prints the closing line; gives the exit code. A run without a check is a failure."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 0 if self.failed == 0 and self.passed > 0 else 1


def difference(found, expected) -> str:
    """Tells two values apart; of lists only what differs."""
    if isinstance(found, list) and isinstance(expected, list):
        missing = [x for x in expected if found.count(x) < expected.count(x)]
        surplus = [x for x in found if expected.count(x) < found.count(x)]
        return f"missing {shortened(missing)}\n       surplus {shortened(surplus)}"
    return f"expected {shortened(expected)}\n          found {shortened(found)}"


def shortened(value) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"
