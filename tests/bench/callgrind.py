"""What counts of instructions share: the build, what valgrind needs of a machine, and the laps of a program.

Programs are counted under callgrind between the calls of their function `lap`. Valgrind shows them a processor of its
own: on every x86-64 machine with AVX2 the same one, whatever the machine has beside. So code that is chosen by what the
processor can do, in memchr, zstd, crc32c, the C library and the plugins' compiler, is the same on all of them.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Compiled plugins, for the processor that valgrind shows.
CODE = ROOT / "target/valgrind"
OPTIMISED = ["opt-level=3", "codegen-units=4", "debug-assertions=false", "overflow-checks=false", "incremental=false"]


def missing(*tools: str) -> str | None:
    """Why nothing can be counted here."""
    for tool in ("valgrind", *tools):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    if platform.machine() != "x86_64" or not flags or "avx2" not in flags[1].split():
        return "what is kept was counted on x86-64 with AVX2, which this machine is not"
    return None


def compiler() -> str:
    return subprocess.run(["rustc", "--version"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def build(*examples: str) -> list[Path]:
    """Examples as `cargo build` makes them, but with this crate optimised: no dependency is built for it."""
    command = ["cargo", "build", "--locked", "-p", "sluicebox", "--message-format=json"]
    command += [word for example in examples for word in ("--example", example)]
    for setting in OPTIMISED:
        command += ["--config", f"profile.dev.package.sluicebox.{setting}"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    artifacts = map(json.loads, built.stdout.splitlines())
    made = {it["target"]["name"]: Path(it["executable"]) for it in artifacts if it.get("executable")}
    return [made[example] for example in examples]


def environment() -> dict[str, str]:
    """Nothing of the caller's, so that the same stack and the same locale are counted everywhere.

    Long copies are made by vectors: `rep movsb`, which the C library would take, is one instruction for each byte here.
    """
    CODE.mkdir(mode=0o700, parents=True, exist_ok=True)
    by_vectors = "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000"
    return {"PATH": os.environ["PATH"], "SLUICEBOX_CACHE_DIR": str(CODE), "GLIBC_TUNABLES": by_vectors}


def compile_plugins(binary: Path | str) -> None:
    """Has plugins compiled by a valgrind that does not count: the others find them in the cache."""
    run(["--tool=none"], [str(binary), "plugins"])


def laps(program: list[str], *options: str) -> list[str]:
    """What callgrind wrote for each lap of a program."""
    return profiled(program, *options)[1]


def profiled(program: list[str], *options: str) -> tuple[str, list[str]]:
    """What a program printed, and what callgrind wrote for each of its laps."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lap"
        settings = ["--tool=callgrind", f"--callgrind-out-file={out}", "--dump-before=*::lap"]
        printed = run([*settings, *options], program)
        # What comes after the last lap has no number; the first one is of what comes before the first lap.
        parts = sorted(Path(folder).glob("lap.[0-9]*"), key=lambda part: int(part.suffix[1:]))
        return printed, [part.read_text() for part in parts[1:]]


def counted(program: list[str]) -> tuple[str, list[int]]:
    """What a program printed, and the instructions of each lap."""
    printed, parts = profiled(program)
    return printed, [int(re.search(r"^(?:totals|summary): (\d+)", part, re.MULTILINE)[1]) for part in parts]


def run(options: list[str], program: list[str]) -> str:
    """What a program prints under valgrind."""
    command = ["valgrind", *options, *program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout
