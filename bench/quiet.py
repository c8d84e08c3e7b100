"""How much of the processor other programs took while contenders were measured: on a busy machine figures say little.

Two threads that wait for each other lose whole slices of the scheduler's time then, so that a peer can look a hundred
times slower than it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUIET = 0.05  # at most this share
_ALL = Path("/proc/stat")
_IDLE = (3, 4)  # places in the line of /proc/stat: idle, and waiting for a disk


class Watch:
    """Adds up, over the rounds, what the whole machine did and what the contenders did; Linux only."""

    def __init__(self) -> None:
        self.others, self.whole = 0.0, 0.0

    @contextmanager
    def on(self, pid: int) -> Iterator[None]:
        """While this process is measured."""
        if not _ALL.exists():
            yield
            return
        busy, whole, its = *machine_ticks(), ticks_of(pid)
        yield
        busy_after, whole_after = machine_ticks()
        self.others += max(0, (busy_after - busy) - (ticks_of(pid) - its))
        self.whole += whole_after - whole

    def share_of_others(self) -> float | None:
        """From 0 to 1; None where the system does not tell."""
        return self.others / self.whole if self.whole else None


def machine_ticks() -> tuple[int, int]:
    """Ticks of all cores since the start: busy, and in all. What a host took away counts as busy."""
    ticks = [int(text) for text in _ALL.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return sum(ticks) - sum(ticks[i] for i in _IDLE), sum(ticks)


def ticks_of(pid: int) -> int:
    """Ticks that all threads of a process took."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended
        return 0
    user, system = text.rpartition(")")[2].split()[11:13]
    return int(user) + int(system)
