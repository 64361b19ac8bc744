#!/usr/bin/env python3
"""Shows that nothing shared is written for a record, by counting instructions that lock memory.

    tests/bench/shared_writes.py                 a table; exit 1 if records or shards cost what they must not
    tests/bench/shared_writes.py --where         also which functions lock, and how often a batch
    tests/bench/shared_writes.py --build DIR     of the examples in a folder, such as target/release/examples

What threads share is written by atomic instructions: `lock …`, and `xchg` with memory, which locks by itself. Callgrind
counts how often each address is executed; the disassembly says which addresses are such instructions. `shards.rs` is
the way of a batch: account of memory, chain, queue of the destination, on several shards at once. Their number may grow
with batches, not with records, nor may allocations; and instructions a record may not grow with shards.

Told apart: locks of the C library's allocator, of which each thread has an arena of its own. They come with
allocations, and of those the ones that make a larger vector grow with the logarithm of the records.

Not seen: writes that do not read (`Atomic::store`), of which there are none on this way but those of the plugins' clock,
and what plugins do, which have no memory in common.
"""

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import callgrind

CHAINS = ["none", "filter", "three"]
RECORDS = [100, 1000]
SHARDS = [1, 2, 4, 8]
# Batches of the first lap, on every shard; the second one has three times as many.
BATCHES = 4
# A record may lock so often: calls yield to their shard at ticks of the plugins' clock, and under valgrind, on a busy
# machine, there are many in the call for a thousand records.
LOCKS_A_RECORD = 0.05
# A record may allocate so often: vectors that grow do so less often the larger they are.
ALLOCATIONS_A_RECORD = 0.1
# Per cent by which a record may cost more on many shards than on one.
GROWTH = 5.0
ALLOCATES = {"malloc", "calloc", "realloc", "aligned_alloc", "memalign", "posix_memalign"}
LOCKING = re.compile(r"^\s*([0-9a-f]+):\s+(?:.*\block\b|xchg\b.*\()")
# What the thread locks that is the plugins' clock. It works by the time, and under valgrind time is long.
CLOCK = re.compile("park_timeout|survived_on_thread|EngineWeak::upgrade")
# Instructions below which a record cannot be: then the laps were not what they are meant to be.
LEAST = 100
POSITION = re.compile(r"^0x([0-9a-f]+) \d+ (\d+)$")


class Case(NamedTuple):
    chain: str
    records: int
    shards: int


class Cost(NamedTuple):
    """Of a batch."""

    instructions: float
    locks: float
    allocator_locks: float
    allocations: float
    where: Counter


@cache
def locking(binary: str) -> frozenset[int]:
    """Addresses of instructions that lock memory."""
    command = ["objdump", "--disassemble", "--no-show-raw-insn", binary]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dump:
        found = frozenset(int(line[1], 16) for line in map(LOCKING.match, dump.stdout) if line)
    if dump.returncode:
        sys.exit(f"objdump failed on {binary}")
    return found


class Lap:
    """What callgrind wrote for a lap: instructions, calls that allocate, and how often each function locked."""

    def __init__(self, text: str) -> None:
        self.instructions, self.allocations, self.locks = 0, 0, Counter()
        locks, place, callee, of_call = frozenset(), ("", ""), "", False
        for line in text.splitlines():
            if line.startswith("ob="):
                place = (line[3:], "")
                locks = locking(line[3:]) if line[3:] != "???" else frozenset()
            elif line.startswith("fn="):
                place = (place[0], line[3:])
            elif line.startswith("cfn="):
                callee = line[4:]
            elif line.startswith("calls="):
                # The line that follows has what the callee cost, which is told under its own name.
                of_call = True
                self.allocations += int(line[6:].split()[0]) if callee in ALLOCATES else 0
            elif found := POSITION.match(line):
                times = 0 if of_call else int(found[2])
                of_call = False
                self.instructions += times
                if int(found[1], 16) in locks and not CLOCK.search(place[1]):
                    self.locks[place] += times


def measure(binary: Path, case: Case) -> Cost:
    """What a batch costs."""
    program = [str(binary), case.chain, str(case.records), str(case.shards), str(BATCHES)]
    options = ["--dump-instr=yes", "--compress-pos=no", "--compress-strings=no"]
    few, many = map(Lap, callgrind.laps(program, *options))
    batches = 2 * BATCHES * case.shards
    where = Counter({place: (many.locks[place] - few.locks[place]) / batches for place in many.locks})
    of_allocator = sum(times for (object_file, _), times in where.items() if "libc.so" in object_file)
    return Cost(
        (many.instructions - few.instructions) / batches,
        sum(where.values()) - of_allocator,
        of_allocator,
        (many.allocations - few.allocations) / batches,
        where,
    )


def table(costs: dict[Case, Cost]) -> list[str]:
    lines = [
        "| chain | records | shards | instructions a record | locks a batch | of the allocator | allocations a batch |",
        "|---|---|---|---|---|---|---|",
    ]
    for (chain, records, shards), of in costs.items():
        figures = [of.instructions / records, of.locks, of.allocator_locks, of.allocations]
        lines.append(f"| {chain} | {records:,} | {shards} | " + " | ".join(f"{figure:,.0f}" for figure in figures) + " |")
    return lines


def broken(costs: dict[Case, Cost]) -> list[str]:
    """Promises that do not hold."""
    found = [f"{case}: hardly anything was counted" for case, of in costs.items() if of.instructions < LEAST * case.records]
    pairs = [(one, other) for one in costs for other in costs if one.chain == other.chain]
    for one, other in pairs:
        if one.shards == other.shards and one.records < other.records:
            more, way = other.records - one.records, f"from {one.records} to {other.records} records"
            locks = (costs[other].locks - costs[one].locks) / more
            allocations = (costs[other].allocations - costs[one].allocations) / more
            if locks > LOCKS_A_RECORD:
                found.append(f"{one.chain}: a record writes {locks:.3f} times to what is shared, {way}")
            if allocations > ALLOCATIONS_A_RECORD:
                found.append(f"{one.chain}: a record allocates {allocations:.3f} times, {way}")
        if one.records == other.records and one.shards == 1 < other.shards:
            growth = (costs[other].instructions / costs[one].instructions - 1) * 100
            if growth > GROWTH:
                found.append(f"{one.chain}: a record costs {growth:.1f} % more on {other.shards} shards than on one")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--where", action="store_true", help="which functions lock")
    parser.add_argument("--chain", action="append", choices=CHAINS, help="only this chain; all if none is given")
    parser.add_argument("--build", type=Path, help="a folder with the examples `counts` and `shards`; built if none is given")
    arguments = parser.parse_args()
    if reason := callgrind.missing("objdump"):
        print(f"shared_writes.py: NOTHING WAS COUNTED: {reason}")
        return 0
    if arguments.build:
        plugins, binary = arguments.build.resolve() / "counts", arguments.build.resolve() / "shards"
    else:
        plugins, binary = callgrind.build("counts", "shards")
    callgrind.compile_plugins(plugins)
    cases = [Case(chain, records, 1) for chain in arguments.chain or CHAINS for records in RECORDS]
    cases += [Case(chain, 100, shards) for chain in arguments.chain or CHAINS for shards in SHARDS if shards > 1]
    locking(str(binary))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        costs = dict(zip(cases, pool.map(lambda case: measure(binary, case), cases)))
    print("\n".join(table(costs)))
    if arguments.where:
        for case, of in costs.items():
            print(f"\n{case}")
            print("\n".join(f"{times:8.2f}  {name}" for (_, name), times in of.where.most_common() if times > 0))
    found = broken(costs)
    print("\n".join(found) or "nothing shared is written for a record, and no record costs more on more shards")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
