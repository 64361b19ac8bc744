"""`sluicebox bench load` and `bench sink` as processes, for measurements and soaks."""

import json
import signal
import subprocess

ENDS_WITHIN_S = 120


class Sink:
    """A backend that counts; it can be stopped and started again on its port, as a backend that fails and comes back."""

    def __init__(self, binary: str, *arguments: str) -> None:
        self._binary = binary
        self._arguments = arguments
        self._process: subprocess.Popen | None = None
        self.address = "127.0.0.1:0"
        self.records = 0
        """Records that it took in all its lives but the present."""

    def __enter__(self) -> "Sink":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def start(self) -> None:
        command = [self._binary, "bench", "sink", "--listen", self.address, "--json", *self._arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self._process.stderr.readline()
        if "listens on" not in line:
            raise RuntimeError(f"the sink did not start: {line}{self._process.stderr.read()}")
        self.address = line.split()[-1]

    def stop(self) -> dict:
        """Ends it; its totals."""
        self._process.send_signal(signal.SIGTERM)
        out, err = self._process.communicate(timeout=ENDS_WITHIN_S)
        if self._process.returncode != 0:
            raise RuntimeError(f"the sink ended with {self._process.returncode}: {err}")
        self._process = None
        totals = json.loads(out.splitlines()[-1])
        self.records += totals["records"]
        return totals


class Load:
    """A generator at work."""

    def __init__(self, binary: str, url: str, *arguments: str) -> None:
        command = [binary, "bench", "load", url, "--json", *arguments]
        self.last: dict = {}
        """The report, once it has ended."""
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> dict:
        """Asks it to end; its report."""
        self._process.send_signal(signal.SIGINT)
        return self.report(ENDS_WITHIN_S)

    def report(self, within_s: float) -> dict:
        """Waits for its end; its report."""
        out, err = self._process.communicate(timeout=within_s)
        if not out:
            raise RuntimeError(f"the generator ended with {self._process.returncode}: {err}")
        self.last = json.loads(out)
        return self.last


def measured(binary: str, url: str, seconds: float, *arguments: str) -> dict:
    """The report of a run of so many seconds."""
    with Load(binary, url, "--duration", f"{seconds}s", *arguments) as load:
        return load.report(seconds + ENDS_WITHIN_S)
