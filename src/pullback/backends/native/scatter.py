"""Writing at places that an index names: `scatter` replaces what is there, `scatter_add` adds to it.

    y = x
    for each entry i of the index, in order: y[index[i]] (+)= updates[i]

Where x is state that y takes the place of, the first line is left out: what is not named stays as it is.

A chunk has a part of what is written, and takes from the updates what falls into it: some of the arrays before the
axis, some places along the axis, some columns behind it. So every entry gets its updates in the order of the index,
however many threads there are. Places are shared out in ranges where there is more to copy than to update, else in
turns, as one part of a vocabulary may be named much oftener than another.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from llvmlite import ir

from pullback.backends.native.kernel_writer import KernelWriter, Special, count_parts, wanted_chunks
from pullback.backends.native.scalars import I1, I64, Number, apply, constant, loaded, memory_type, stored
from pullback.base.dtypes import DType, bool_
from pullback.base.shapes import size_of
from pullback.ir.node import Node

# Rows are cut into columns of at least so many bytes: memory is slow in shorter runs.
_COLUMN_BYTES = 4096
# To pass over an entry of the index that is another chunk's costs about as much as so many bytes of work, and all
# chunks together pass over entries for no more than one part in so many of the work.
_SCAN_BYTES, _SCAN_SHARE = 64, 8


@dataclass(frozen=True)
class _Scatter:
    """x (outer, n, inner), index (m,), updates (outer, m, inner).

    `known` is the number that x is filled with, if it is one.
    """

    add: bool
    dtype: DType
    outer: int
    n: int
    inner: int
    m: int
    known: float | None

    def parts(self) -> tuple[int, int, int]:
        """Into how many parts the arrays before the axis, the axis and the columns behind it are cut."""
        row = self.inner * self.dtype.itemsize
        wanted = wanted_chunks(self.outer * (2 * self.n + 3 * self.m) * row)
        outer = count_parts(self.outer, wanted)
        wanted //= outer
        most_places = (2 * self.n + 3 * self.m) * row // (_SCAN_SHARE * _SCAN_BYTES * self.m)
        places = min(self.n, wanted, max(1, most_places))
        places = count_parts(self.n, places) if self.in_ranges else places
        return outer, places, count_parts(self.inner, wanted // places, self.narrowest)

    @property
    def in_ranges(self) -> bool:
        """Whether a chunk's places along the axis are neighbours, rather than in turn with those of others."""
        return 4 * self.m <= self.n

    @property
    def narrowest(self) -> int:
        """How many columns belong together."""
        return _COLUMN_BYTES // self.dtype.itemsize

    def text(self) -> str:
        """What the code depends on."""
        name = "scatter_add" if self.add else "scatter"
        sizes = f"{self.outer} x {self.n} x {self.inner}, {self.m} places"
        source = "x" if self.known is None else f"full of {self.known!r}"
        return f"{name} {self.dtype.name} {sizes}, into {source}, cut {self.parts()}"


def plan_scatter(node: Node) -> Special:
    """How the kernel of `scatter` or `scatter_add` runs."""
    x, index, _ = node.inputs
    axis = node.params["axis"]
    filled = x.node is not None and x.node.op.name == "full"
    known = x.dtype.numpy.type(x.node.params["value"]).item() if filled and x.node is not None else None
    s = _Scatter(
        node.op.name == "scatter_add", x.dtype, size_of(x.shape[:axis]), x.shape[axis], size_of(x.shape[axis + 1 :]),
        index.type.size, known,
    )  # fmt: skip
    return Special(size_of(s.parts()), s.text(), partial(_build, s), can_fail=True, unread=(0,) if filled else ())


def _build(s: _Scatter, symbol: str) -> str:
    w = KernelWriter(symbol, 5)
    _, index, updates, target, flag = w.pointers
    b, kind, parts = w.b, memory_type(s.dtype), s.parts()
    bad = w.variable(I1(0))
    with w.chunks() as chunk:
        before, along, behind = w.split(chunk, parts)
        places = w.share(along, parts[1], s.n) if s.in_ranges else (along, I64(s.n))
        columns = w.share(behind, parts[2], s.inner, s.narrowest)
        with w.loop(*w.share(before, parts[0], s.outer), "outer") as outer:
            if s.known is not None:
                _start(w, s, outer, places, columns)
            else:
                with b.if_then(b.icmp_unsigned("!=", w.pointers[0], target)):  # else the numbers of x are there
                    _start(w, s, outer, places, columns)
            with w.loop(0, s.m, "entry") as entry:
                place = _named_place(w, s.n, index, entry, bad)
                with b.if_then(_is_mine(w, s, place, places)):
                    to = w.at(target, w.place((outer, s.n * s.inner), (place, s.inner)), kind)
                    update = w.at(updates, w.place((outer, s.m * s.inner), (entry, s.inner)), kind)
                    with w.loop(*columns, "column") as column:
                        w.write(_updated(w, s, to, update, column, kind), to, column)
    with b.if_then(b.load(bad, typ=I1)):
        w.write(I64(1), flag, 0)
    return w.finish(symbol)


def _named_place(w: KernelWriter, n: int, index: Number, entry: Number, bad: Number) -> Number:
    """The place that an entry of the index names, counted from the front; one that is not there is remembered."""
    b, which = w.b, w.read(index, entry, I64)
    place = b.select(b.icmp_signed("<", which, I64(0)), b.add(which, I64(n)), which)
    outside = b.icmp_unsigned(">=", place, I64(n))
    b.store(b.or_(b.load(bad, typ=I1), outside), bad)
    return place


def _is_mine(w: KernelWriter, s: _Scatter, place: Number, places: tuple[Number, Number]) -> Number:
    """Whether a place along the axis is there and this chunk's."""
    b, parts = w.b, s.parts()[1]
    first, end = places
    if s.in_ranges:
        return b.icmp_unsigned("<", b.sub(place, first), b.sub(end, first))
    inside = b.icmp_unsigned("<", place, I64(s.n))
    return inside if parts == 1 else b.and_(inside, b.icmp_unsigned("==", b.urem(place, I64(parts)), first))


def _updated(w: KernelWriter, s: _Scatter, to: Number, update: Number, column: Number, kind: ir.Type) -> Number:
    """What is written for one number of an update."""
    new = w.read(update, column, kind)
    if not s.add:
        return new
    x, y = (loaded(w.b, raw, s.dtype) for raw in (w.read(to, column, kind), new))
    total = w.b.or_(x, y) if s.dtype is bool_ else apply(w.b, "add", s.dtype, s.dtype, (x, y))
    return stored(w.b, total, s.dtype)


def _start(
    w: KernelWriter, s: _Scatter, outer: Number, places: tuple[Number, Number], columns: tuple[Number, Number]
) -> None:
    """Give the places and columns the numbers of x: in one run where they lie in one."""
    base, size = w.place((outer, s.n * s.inner)), s.dtype.itemsize
    _, parts, column_parts = s.parts()
    step = 1 if s.in_ranges else parts
    if step == column_parts == 1:
        start = w.place((base, 1), (places[0], s.inner))
        _take(w, s, start, w.place((w.b.sub(places[1], places[0]), s.inner * size)))
        return
    nbytes = w.place((w.b.sub(columns[1], columns[0]), size))
    with w.loop(*places, "place", step) as place:
        _take(w, s, w.place((base, 1), (place, s.inner), (columns[0], 1)), nbytes)


def _take(w: KernelWriter, s: _Scatter, start: Number, nbytes: Number) -> None:
    """Give a run of the target the numbers of x."""
    source, target, kind = w.pointers[0], w.pointers[3], memory_type(s.dtype)
    to = w.at(target, start, kind)
    if s.known is None:
        w.copy(to, w.at(source, start, kind), nbytes)
    elif not np.array(s.known, s.dtype.numpy).tobytes().strip(b"\0"):
        w.clear(to, nbytes)
    else:
        number = stored(w.b, constant(s.known, s.dtype), s.dtype)
        with w.loop(0, w.b.udiv(nbytes, I64(s.dtype.itemsize)), "fill") as i:
            w.write(number, to, i)
