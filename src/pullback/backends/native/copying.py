"""Copies of arrays that lie in even steps, row by row: what a matrix product or another kernel needs laid out anew."""

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
    """target[i, j, …] = source[offset + i · strides[0] + j · strides[1] + …], the target row by row.

    The first `shared` axes are what chunks share out.
    """

    size: int  # bytes of an element
    shape: Shape
    strides: tuple[int, ...]
    offset: int
    shared: int

    def rows(self) -> int:
        """How many things chunks share out."""
        return size_of(self.shape[: self.shared])

    def parts(self) -> int:
        """Into how many chunks they are cut."""
        return count_parts(self.rows(), wanted_chunks(2 * size_of(self.shape) * self.size))


def plan_copy(shape: Shape, view: View, size: int) -> Special:
    """How the kernel runs that copies what lies so, in elements of so many bytes, into rows."""
    joined: list[tuple[int, int]] = []  # axes, with those made one that one step goes through
    for n, stride in zip(shape, view.strides, strict=True):
        if n == 1:
            continue
        if joined and joined[-1][1] == n * stride:
            joined[-1] = (joined[-1][0] * n, stride)
        else:
            joined.append((n, stride))
    lengths, strides = tuple(n for n, _ in joined) or (1,), tuple(s for _, s in joined) or (1,)
    # Enough axes in front that every thread gets a like share; at least the last stays a plain loop.
    wanted = 4 * wanted_chunks(2 * size_of(shape) * size)
    shared = next((i for i in range(1, len(lengths)) if size_of(lengths[:i]) >= wanted), max(len(lengths) - 1, 1))
    c = _Copy(size, lengths, strides, view.offset, shared)
    return Special(c.parts(), f"copy {c}", partial(_build, c))


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
    to = w.place((I64(0), 1), *zip(place, strides_of(c.shape), strict=True))
    w.write(w.read(source, taken, kind), target, to)
