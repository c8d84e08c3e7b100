"""Copies of arrays that lie in even steps: what a matrix product needs laid out anew, and what stands side by side."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from llvmlite import ir

from pullback.backends.native.indices import View, strides_of
from pullback.backends.native.kernel_writer import KernelWriter, Special, count_parts, wanted_chunks
from pullback.backends.native.scalars import I64, Number
from pullback.base.shapes import Shape, size_of


@dataclass(frozen=True)
class _Copy:
    """target[i · steps[0] + j · steps[1] + …] = source[offset + i · strides[0] + j · strides[1] + …]

    The first `shared` axes are what chunks share out.
    """

    size: int  # bytes of an element
    shape: Shape
    strides: tuple[int, ...]
    offset: int
    steps: tuple[int, ...]
    shared: int

    def rows(self) -> int:
        """How many things chunks share out."""
        return size_of(self.shape[: self.shared])

    def parts(self) -> int:
        """Into how many chunks they are cut."""
        return count_parts(self.rows(), wanted_chunks(2 * size_of(self.shape) * self.size))


def plan_copy(shape: Shape, view: View, size: int, steps: Sequence[int] | None = None) -> Special:
    """How the kernel runs that copies what lies so, in elements of so many bytes.

    The target's neighbours along each axis lie `steps` apart; row by row without gaps where none are given.
    """
    joined: list[tuple[int, int, int]] = []  # axes, with those made one that one step goes through on both sides
    for n, stride, step in zip(shape, view.strides, steps or strides_of(shape), strict=True):
        if n == 1:
            continue
        if joined and joined[-1][1:] == (n * stride, n * step):
            joined[-1] = (joined[-1][0] * n, stride, step)
        else:
            joined.append((n, stride, step))
    lengths, strides, to = (tuple(column) or (1,) for column in zip(*(joined or [(1, 1, 1)]), strict=True))
    # Enough axes in front that every thread gets a like share; at least the last stays a plain loop.
    wanted = 4 * wanted_chunks(2 * size_of(shape) * size)
    shared = next((i for i in range(1, len(lengths)) if size_of(lengths[:i]) >= wanted), max(len(lengths) - 1, 1))
    c = _Copy(size, lengths, strides, view.offset, to, shared)
    return Special(c.parts(), f"copy {c}, cut {c.parts()}", partial(_build, c))


def _build(c: _Copy, symbol: str) -> str:
    w = KernelWriter(symbol, 2)
    with w.chunks() as chunk, w.loop(*w.share(chunk, c.parts(), c.rows()), "row") as row:
        outer = w.split(row, c.shape[: c.shared])
        with ExitStack() as loops:
            inner = [loops.enter_context(w.loop(0, n, "place")) for n in c.shape[c.shared :]]
            _copy_one(w, c, [*outer, *inner])
    return w.finish(symbol)


def _copy_one(w: KernelWriter, c: _Copy, place: Sequence[Number]) -> None:
    kind = ir.IntType(8 * c.size)
    source, target = w.pointers
    taken = w.place((I64(c.offset), 1), *zip(place, c.strides, strict=True))
    to = w.place((I64(0), 1), *zip(place, c.steps, strict=True))
    w.write(w.read(source, taken, kind), target, to)
