"""Give each value that a program keeps a place in one block of memory, which others take when it is dead."""

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A value's size in bytes, and the first and last step at which it must be there."""

    nbytes: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Where each value begins, in bytes, the length of the block, and what all of them would take side by side."""

    offsets: tuple[int, ...]
    peak: int
    without_reuse: int


def plan_memory(lifetimes: Sequence[Lifetime]) -> MemoryPlan:
    """A place for each value so that no two that live at the same time overlap.

    The largest are placed first, each in the smallest gap that holds it; that is within a few percent of the least
    possible for the programs of neural networks.

    >>> plan_memory([Lifetime(100, 0, 1), Lifetime(64, 2, 3), Lifetime(64, 1, 2)])
    MemoryPlan(offsets=(0, 0, 128), peak=192, without_reuse=256)
    """
    sizes = [-(-life.nbytes // ALIGNMENT) * ALIGNMENT for life in lifetimes]
    offsets = [0] * len(sizes)
    placed: list[int] = []
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i], lifetimes[i].first)):
        life = lifetimes[i]
        beside = sorted(
            (offsets[j], offsets[j] + sizes[j])
            for j in placed
            if lifetimes[j].first <= life.last and life.first <= lifetimes[j].last
        )
        offsets[i] = _smallest_gap(beside, sizes[i])
        placed.append(i)
    peak = max((o + n for o, n in zip(offsets, sizes, strict=True)), default=0)
    return MemoryPlan(tuple(offsets), peak, sum(sizes))


def _smallest_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """Where the smallest gap between taken ranges begins that holds so many bytes; behind all of them if none does."""
    best, best_size, end = -1, -1, 0
    for low, high in taken:
        gap = low - end
        if gap >= size and (best < 0 or gap < best_size):
            best, best_size = end, gap
        end = max(end, high)
    return best if best >= 0 else end
