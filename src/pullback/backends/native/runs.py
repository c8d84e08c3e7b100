"""Running sums along one axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pullback.backends.native.kernel_writer import KernelWriter, Special, count_parts, wanted_chunks
from pullback.backends.native.scalars import I64, Number, memory_type
from pullback.base.dtypes import DType
from pullback.base.shapes import size_of
from pullback.ir.node import Node

_LINE = 64  # bytes of a cache line
# So many running sums go side by side, as each must wait for its last addition; up to so many neighbours do.
_TOGETHER, _MOST_NEIGHBOURS = 4, 8


@dataclass(frozen=True)
class _Cumsum:
    """x (outer, n, inner), summed along n."""

    dtype: DType
    outer: int
    n: int
    inner: int

    def parts(self) -> tuple[int, int]:
        """Into how many parts the arrays before the axis and the columns behind it are cut."""
        wanted = wanted_chunks(2 * self.outer * self.n * self.inner * self.dtype.itemsize)
        outer = count_parts(self.outer, wanted)
        return outer, count_parts(self.inner, wanted // outer, self.line)

    @property
    def line(self) -> int:
        """How many numbers a cache line holds."""
        return _LINE // self.dtype.itemsize


def plan_cumsum(node: Node) -> Special:
    """How the kernel of `cumsum` runs: every sum in the order of its numbers."""
    (x,), axis = node.inputs, node.params["axis"]
    c = _Cumsum(x.dtype, size_of(x.shape[:axis]), x.shape[axis], size_of(x.shape[axis + 1 :]))
    text = f"cumsum {c.dtype.name} {c.outer} x {c.n} x {c.inner}, cut {c.parts()}"
    return Special(size_of(c.parts()), text, partial(_build_cumsum, c))


def _build_cumsum(c: _Cumsum, symbol: str) -> str:
    w = KernelWriter(symbol, 2)
    with w.chunks() as chunk:
        before, behind = w.split(chunk, c.parts())
        first, end = w.share(before, c.parts()[0], c.outer)
        if c.inner == 1:
            whole = w.b.sub(w.b.sub(end, first), w.b.urem(w.b.sub(end, first), I64(_TOGETHER)))
            together = w.b.add(first, whole)
            with w.loop(first, together, "rows", _TOGETHER) as row:
                _sum_side_by_side(w, c, w.place((row, c.n)), [i * c.n for i in range(_TOGETHER)])
            with w.loop(together, end, "row") as row:
                _sum_side_by_side(w, c, w.place((row, c.n)), [0])
        else:
            columns = w.share(behind, c.parts()[1], c.inner, c.line)
            with w.loop(first, end, "outer") as outer:
                base = w.place((outer, c.n * c.inner))
                if c.inner <= _MOST_NEIGHBOURS:
                    _sum_side_by_side(w, c, base, range(c.inner))
                else:
                    _sum_rows(w, c, base, columns)
    return w.finish(symbol)


def _add(w: KernelWriter, c: _Cumsum, x: Number, y: Number) -> Number:
    return w.b.fadd(x, y) if c.dtype.kind == "float" else w.b.add(x, y)


def _sum_side_by_side(w: KernelWriter, c: _Cumsum, base: Number, offsets: Sequence[int]) -> None:
    """The running sums of a few sequences that begin at these offsets, held in registers."""
    source, target = w.pointers
    kind = memory_type(c.dtype)
    starts = [w.place((base, 1), (I64(offset), 1)) for offset in offsets]
    totals = []
    for start in starts:
        totals.append(w.variable(w.read(source, start, kind)))
        w.write(w.b.load(totals[-1], typ=kind), target, start)
    with w.loop(1, c.n, "step") as i:
        for start, total in zip(starts, totals, strict=True):
            place = w.place((start, 1), (i, c.inner))
            new = _add(w, c, w.b.load(total, typ=kind), w.read(source, place, kind))
            w.b.store(new, total)
            w.write(new, target, place)


def _sum_rows(w: KernelWriter, c: _Cumsum, base: Number, columns: tuple[Number, Number]) -> None:
    """Each row of the target is the one before it plus the row of x."""
    source, target = w.pointers
    kind = memory_type(c.dtype)
    with w.loop(*columns, "column") as column:
        place = w.place((base, 1), (column, 1))
        w.write(w.read(source, place, kind), target, place)
    with w.loop(1, c.n, "step") as i:
        row = w.place((base, 1), (i, c.inner))
        before = w.b.sub(row, I64(c.inner))
        with w.loop(*columns, "column") as column:
            place = w.place((row, 1), (column, 1))
            so_far = w.read(target, w.place((before, 1), (column, 1)), kind)
            w.write(_add(w, c, so_far, w.read(source, place, kind)), target, place)
