"""Adding windows up where they lie over one another: `overlap_add`.

    for each array before the axes: y = 0; for each place k within a window: y[stride · o + dilation · k] += x[k, o]

A chunk has some of the arrays, each of which stays in the cache while all its windows are added.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from llvmlite import ir

from pullback.backends.native.indices import strides_of
from pullback.backends.native.kernel_writer import KernelWriter, Special, count_parts, wanted_chunks
from pullback.backends.native.scalars import I64, Number, memory_type
from pullback.base.dtypes import DType
from pullback.base.shapes import Shape, size_of
from pullback.ir.node import Node

_VECTOR_BYTES = 64


@dataclass(frozen=True)
class _Overlap:
    """x (outer, *size, *count), added up into (outer, *length)."""

    dtype: DType
    outer: int
    size: Shape
    count: Shape
    length: Shape
    stride: Shape
    dilation: Shape

    def parts(self) -> int:
        """Into how many parts the arrays before the axes are cut."""
        nbytes = self.outer * self.dtype.itemsize * (3 * size_of(self.size) * size_of(self.count))
        return count_parts(self.outer, wanted_chunks(nbytes))


def plan_overlap_add(node: Node) -> Special:
    """How the kernel of `overlap_add` runs: every sum in the order of the places within a window."""
    (x,), params = node.inputs, node.params
    rank = len(params["length"])
    o = _Overlap(
        x.dtype, size_of(x.shape[: -2 * rank]), x.shape[-2 * rank : -rank], x.shape[-rank:], params["length"],
        params["stride"], params["dilation"],
    )  # fmt: skip
    return Special(o.parts(), f"overlap_add {o}, cut {o.parts()}", partial(_build, o))


def _build(o: _Overlap, symbol: str) -> str:
    w = KernelWriter(symbol, 2)
    kind, whole = memory_type(o.dtype), size_of(o.length)
    in_runs = o.stride[-1] == 1
    with w.chunks() as chunk, w.loop(*w.share(chunk, o.parts(), o.outer), "outer") as outer:
        start = w.place((outer, whole))
        w.clear(w.at(w.pointers[1], start, kind), whole * o.dtype.itemsize)
        with ExitStack() as loops:
            within = [loops.enter_context(w.loop(0, n, "within")) for n in o.size]
            which = [loops.enter_context(w.loop(0, n, "window")) for n in (o.count[:-1] if in_runs else o.count)]
            _add(w, o, outer, start, within, [*which, I64(0)] if in_runs else which)
    return w.finish(symbol)


def _add(
    w: KernelWriter, o: _Overlap, outer: Number, start: Number, within: Sequence[Number], which: Sequence[Number]
) -> None:
    """Add one number of one window, or a run of them."""
    source, target = w.pointers
    kind, steps = memory_type(o.dtype), strides_of(o.length)
    taken = w.place(
        (outer, size_of(o.size) * size_of(o.count)),
        *zip((*within, *which), strides_of((*o.size, *o.count)), strict=True),
    )
    to = w.place(
        (start, 1),
        *((k, d * step) for k, d, step in zip(within, o.dilation, steps, strict=True)),
        *((i, s * step) for i, s, step in zip(which, o.stride, steps, strict=True)),
    )
    count = o.count[-1] if o.stride[-1] == 1 else 1
    _add_run(w, o, w.at(target, to, kind), w.at(source, taken, kind), count)


def _add_run(w: KernelWriter, o: _Overlap, target: Number, source: Number, count: int) -> None:
    """Add neighbours to neighbours, as vectors: LLVM would rather unroll such short loops, and then gather."""
    kind, width = memory_type(o.dtype), _VECTOR_BYTES // o.dtype.itemsize

    def add(place: Number) -> None:
        vector = ir.VectorType(kind, width) if width > 1 else kind
        x, y = (w.b.load(w.at(p, place, kind), typ=vector, align=o.dtype.itemsize) for p in (target, source))
        total = w.b.fadd(x, y) if o.dtype.kind == "float" else w.b.add(x, y)
        w.b.store(total, w.at(target, place, kind), align=o.dtype.itemsize)

    with w.loop(0, count // width * width, "run", width) as place:
        add(place)
    done = count // width * width
    while done < count:
        width //= 2
        if done + width <= count:
            add(I64(done))
            done += width
