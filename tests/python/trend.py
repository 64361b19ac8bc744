"""Whether figures that were sampled over a long run stay flat."""


class Samples:
    """Memory in bytes and open file descriptors, at moments in seconds."""

    WARM_UP = 0.2
    """The share of the samples, from the first, that is left out: caches and allocators fill."""

    def __init__(self) -> None:
        self._all: list[tuple[float, int, int]] = []

    def add(self, at_s: float, memory: int, fds: int) -> None:
        self._all.append((at_s, memory, fds))

    def last(self) -> tuple[int, int]:
        _, memory, fds = self._all[-1]
        return memory, fds

    def memory_growth(self) -> float:
        """Bytes by which the most of the second half is above the most of the first."""
        return self._growth(1)

    def memory_growth_max(self, share: float, free: int) -> float:
        """What may be: a share of the mean, or some bytes, whichever is more."""
        warm = self._warm()
        return max(free, share * sum(memory for _, memory, _ in warm) / len(warm))

    def fds_growth(self) -> float:
        return self._growth(2)

    def table(self) -> dict[str, str]:
        memory = [memory / 2**20 for _, memory, _ in self._all]
        fds = [fds for _, _, fds in self._all]
        return {
            "resident MiB, first / last / most": f"{memory[0]:.1f} / {memory[-1]:.1f} / {max(memory):.1f}",
            "growth of the most memory, second half against first, MiB": f"{self.memory_growth() / 2**20:+.1f}",
            "descriptors, first / last / most": f"{fds[0]} / {fds[-1]} / {max(fds)}",
        }

    def _warm(self) -> list[tuple[float, int, int]]:
        return self._all[int(len(self._all) * self.WARM_UP):]

    def _growth(self, column: int) -> float:
        """Of the most and not of a fitted line: what an outage has made grow stays with the allocator and is used again,
        so that sound memory climbs in a few steps, to where it stays. A leak raises the most of any half."""
        warm = [row[column] for row in self._warm()]
        half = len(warm) // 2
        return max(warm[half:]) - max(warm[:half]) if half else 0.0
