"""Groups of elementwise ops and reductions as fused loop nests in LLVM.

    for each chunk that this thread has
        for each row of the chunk
            for each stage: for each place of the row ...

A stage ends where a reduction over the row must be known before work can go on, as the largest logit is before the
exponentials. Numbers are worked out where they are needed first, and no further in than they must be: what is the same
for a row is worked out once for it, what is the same everywhere once in a call. What is dear and needed in a later
stage, too, waits in a row's length of scratch memory.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llvmlite import ir

from pullback.backends.native.indices import (
    IN_PLACE,
    IN_ROW,
    OUTSIDE,
    ZERO,
    Affine,
    Divisions,
    Index,
    Var,
    source_index,
    unrolled_index,
    variable,
)
from pullback.backends.native.plan_loops import LoopPlan, Stage
from pullback.backends.native.scalars import (
    I1,
    I64,
    Number,
    apply,
    cast,
    constant,
    loaded,
    memory_type,
    number_type,
    reduction_start,
    reduction_step,
    rounded,
    stored,
)
from pullback.base.dtypes import DType, int64
from pullback.base.shapes import span
from pullback.ir.node import Node, Value
from pullback.passes.kinds import MOVEMENT, REDUCTIONS, reduction_form

POINTER = ir.PointerType()
KERNEL = ir.FunctionType(ir.VoidType(), [POINTER, I64, I64])
# Writes the inside of a loop, given its builder and counter; gives the builder where the inside ends.
_Body = Callable[[ir.IRBuilder, Number], ir.IRBuilder]

# Nothing is moved, or made a vector, across it: chunks are worked out alike, whichever thread has which of them.
BARRIER = ir.InlineAsm(ir.FunctionType(ir.VoidType(), []), "", "~{memory}", side_effect=True)
# So many floats of a row are added up before their sum joins that of the row.
BLOCK = 1 << 13


@dataclass
class _Level:
    """Where code for one level of the loops is written, and what it has worked out so far."""

    builder: ir.IRBuilder
    numbers: dict[Any, Number] = field(default_factory=dict)


def build_kernel(plan: LoopPlan, symbol: str) -> str:
    """The LLVM module of a fused loop nest; its one function is a kernel (arguments, first chunk, end of chunks)."""
    module = ir.Module(symbol)
    body = _LoopBody(module, plan)
    body.build()
    outer = ir.Function(module, KERNEL, symbol)
    outer.attributes.add("nounwind")
    b = ir.IRBuilder(outer.append_basic_block("entry"))
    pointers = [
        b.load(b.gep(outer.args[0], [I64(i)], source_etype=POINTER), typ=POINTER) for i in range(plan.count_pointers())
    ]
    b.call(body.function, [*pointers, *outer.args[1:]])
    b.ret_void()
    return str(module)


class _LoopBody:
    """Writes the function that the kernel calls: its pointers lie in no other's memory."""

    def __init__(self, module: ir.Module, plan: LoopPlan) -> None:
        self.plan = plan
        count = plan.count_pointers()
        self.function = ir.Function(module, ir.FunctionType(ir.VoidType(), [*[POINTER] * count, I64, I64]), "loops")
        self.function.linkage = "internal"
        self.function.attributes.add("alwaysinline")
        self.function.attributes.add("nounwind")
        for argument in self.function.args[:count]:
            argument.add_attribute("noalias")
            argument.add_attribute("nonnull")
        self.divisions = Divisions()
        self.row = Var("row", plan.rows, IN_ROW)
        self.place = Var("place", plan.cols, IN_PLACE)
        self.levels: list[_Level] = []
        self.rows_known: dict[Value, Number] = {}
        self.bad_index: Number | None = None

    # The frame of loops
    def build(self) -> None:
        """Write the whole function."""
        plan, f = self.plan, self.function
        entry = ir.IRBuilder(f.append_basic_block("entry"))
        outside = ir.IRBuilder(f.append_basic_block("outside"))
        self.levels = [_Level(outside)]
        first, end = f.args[-2], f.args[-1]
        if any(node.op.name == "gather" for node in plan.nodes()):
            self.bad_index = entry.alloca(I1)
            entry.store(I1(0), self.bad_index)
        self.scratch = {v: entry.alloca(memory_type(v.dtype), plan.cols) for v in plan.scratch}
        self.accumulators = {v: entry.alloca(number_type(_node(v).inputs[0].dtype)) for v in plan.accumulated()}
        self.found_at = {v: entry.alloca(I64) for v in plan.accumulated() if _node(v).op.name.startswith("arg")}
        entry.branch(outside.block)
        after = self._loop(outside, first, end, "chunk", self._chunk)
        self._report_bad_index(after)
        after.ret_void()

    def _loop(self, before: ir.IRBuilder, start: Number, end: Number, name: str, body: _Body) -> ir.IRBuilder:
        """A loop from start to below end; `body` writes its inside and gives the builder where that ends.

        The block before stays open for code of its level until the body is written. Gives the builder after the loop.
        """
        f = self.function
        head, inside, after = (f.append_basic_block(f"{name}.{part}") for part in ("head", "body", "end"))
        b = ir.IRBuilder(head)
        counter = b.phi(I64, name)
        b.cbranch(b.icmp_signed("<", counter, end), inside, after)
        inner = body(ir.IRBuilder(inside), counter)
        following = inner.add(counter, I64(1), flags=("nsw", "nuw"))
        inner.branch(head)
        before.branch(head)
        counter.add_incoming(start, before.block)
        counter.add_incoming(following, inner.block)
        return ir.IRBuilder(after)

    def _chunk(self, b: ir.IRBuilder, chunk: Number) -> ir.IRBuilder:
        plan = self.plan
        if plan.chunks > 1:
            b.call(BARRIER, [])
        start = b.mul(chunk, I64(plan.rows_per_chunk), flags=("nsw", "nuw"))
        end = b.add(start, I64(plan.rows_per_chunk), flags=("nsw", "nuw"))
        if plan.rows % plan.rows_per_chunk:
            end = b.select(b.icmp_signed("<", end, I64(plan.rows)), end, I64(plan.rows))
        columns = plan.of_level("column")
        self.partials = {}
        for root in columns:
            begin = b.mul(chunk, I64(plan.cols), flags=("nsw", "nuw"))
            self.partials[root] = b.gep(
                self._pointer(root), [begin], inbounds=True, source_etype=memory_type(root.dtype)
            )
            b = self._fill(b, self.partials[root], root)
        for root in plan.of_level("total"):
            b.store(reduction_start("sum", root.dtype), self.accumulators[root])
        after = self._loop(b, start, end, "row", self._row)
        for root in plan.of_level("total"):
            total = after.load(self.accumulators[root], typ=number_type(root.dtype))
            self._store(after, root, total, chunk)
        return after

    def _fill(self, b: ir.IRBuilder, target: Number, root: Value) -> ir.IRBuilder:
        node = _node(root)
        start = reduction_start(node.op.name, root.dtype)

        def body(inner: ir.IRBuilder, i: Number) -> ir.IRBuilder:
            kind = memory_type(root.dtype)
            inner.store(stored(inner, start, root.dtype), inner.gep(target, [i], inbounds=True, source_etype=kind))
            return inner

        return self._loop(b, I64(0), I64(self.plan.cols), "fill", body)

    def _row(self, b: ir.IRBuilder, row: Number) -> ir.IRBuilder:
        plan = self.plan
        self.counters = {self.row: row}
        self.levels = [self.levels[OUTSIDE], _Level(b)]
        self.rows_known = {}
        for self.stage, stage in enumerate(plan.stages):
            for root in stage.row_reductions:
                self._start(b, root)
            if stage.needs_loop():
                b = self._places(b, row, stage)
            self.levels[IN_ROW].builder = b
            for root in stage.row_reductions:
                self.rows_known[root] = self._finish(b, root)
            for root in stage.row_values:
                self.rows_known[root] = self._at(root, self._index_of_row(root))
            for root in (*stage.row_reductions, *stage.row_values):
                if root in plan.outputs:
                    self._store(b, root, self.rows_known[root], row)
            for root in stage.row_totals:
                x = _node(root).inputs[0]
                self._add_up(b, root, self._at(x, self._index_of_row(x)))
        return b

    def _places(self, b: ir.IRBuilder, row: Number, stage: Stage) -> ir.IRBuilder:
        """The loop over a row; where it adds up many floats, over blocks of it, so that few digits are lost."""
        end, inside = self._end_of_row(b, row), functools.partial(self._place, stage=stage)
        reduced = (*stage.row_reductions, *stage.place_totals)
        sums = [root for root in reduced if _node(root).op.name == "sum" and root.dtype.kind == "float"]
        if not sums or self.plan.cols <= BLOCK:
            return self._loop(b, I64(0), end, "place", inside)

        def block(outer: ir.IRBuilder, number: Number) -> ir.IRBuilder:
            start = outer.mul(number, I64(BLOCK), flags=("nsw", "nuw"))
            stop = outer.add(start, I64(BLOCK), flags=("nsw", "nuw"))
            stop = outer.select(outer.icmp_signed("<", stop, end), stop, end)
            boxes = [self.accumulators[root] for root in sums]
            before = [outer.load(box, typ=number_type(root.dtype)) for root, box in zip(sums, boxes, strict=True)]
            for root, box in zip(sums, boxes, strict=True):
                outer.store(reduction_start("sum", root.dtype), box)
            after = self._loop(outer, start, stop, "place", inside)
            for so_far, box in zip(before, boxes, strict=True):
                after.store(after.fadd(so_far, after.load(box, typ=so_far.type)), box)
            return after

        count = b.udiv(b.add(end, I64(BLOCK - 1)), I64(BLOCK))
        return self._loop(b, I64(0), count, "block", block)

    def _end_of_row(self, b: ir.IRBuilder, row: Number) -> Number:
        """The number of places in this row: in rows that an array was cut into the last may be shorter."""
        plan = self.plan
        if plan.rows * plan.cols == plan.size:
            return I64(plan.cols)
        left = b.sub(I64(plan.size), b.mul(row, I64(plan.cols)))
        return b.select(b.icmp_signed("<", left, I64(plan.cols)), left, I64(plan.cols))

    def _place(self, b: ir.IRBuilder, place: Number, stage: Stage) -> ir.IRBuilder:
        """The inside of the innermost loop."""
        self.counters[self.place] = place
        self.levels = [*self.levels[:IN_PLACE], _Level(b)]
        linear = self._linear()

        def number(value: Value) -> Number:
            return self._at(value, Index(value.shape, None, linear))

        # Everything is read before anything is written: an output may lie in the memory of an input.
        reduced = [(root, self._at(_node(root).inputs[0], self._index_of_place(root))) for root in stage.row_reductions]
        summed = [(root, number(_node(root).inputs[0])) for root in (*stage.columns, *stage.place_totals)]
        kept = [(value, number(value)) for value in stage.kept]
        results = [(root, number(root)) for root in stage.full_values]
        for root, x in reduced:
            self._accumulate(b, root, x)
        for root, x in summed:
            if root in self.partials:
                self._add_to_column(b, root, x, place)
            else:
                self._add_up(b, root, x)
        for value, x in kept:
            address = b.gep(self.scratch[value], [place], inbounds=True, source_etype=memory_type(value.dtype))
            b.store(stored(b, x, value.dtype), address)
        for root, x in results:
            if root in self.plan.outputs:
                self._store(b, root, x, self._position(linear))
        self.levels.pop()
        return b

    # Indices of what the loops stand at
    def _linear(self) -> Affine:
        return variable(self.row) * self.plan.cols + variable(self.place)

    def _index_of_row(self, value: Value) -> Index:
        return Index(value.shape, None, variable(self.row))

    def _index_of_place(self, root: Value) -> Index:
        """Where a reduction reads its input."""
        node = _node(root)
        x = node.inputs[0]
        if reduction_form(node)[0] != "mixed":
            return Index(x.shape, None, self._linear())
        axes = node.params.get("axes", (node.params.get("axis"),))
        kept = tuple(n for i, n in enumerate(x.shape) if i not in axes)
        over = tuple(n for i, n in enumerate(x.shape) if i in axes)
        rows = iter(Index(kept, None, variable(self.row)).coordinates(self.divisions))
        cols = iter(Index(over, None, variable(self.place)).coordinates(self.divisions))
        return Index(x.shape, tuple(next(cols) if i in axes else next(rows) for i in range(len(x.shape))))

    # Reductions
    def _start(self, b: ir.IRBuilder, root: Value) -> None:
        node, x = _node(root), _node(root).inputs[0]
        name = {"argmax": "amax", "argmin": "amin"}.get(node.op.name, node.op.name)
        b.store(reduction_start(name, x.dtype), self.accumulators[root])
        if name != node.op.name:
            b.store(I64(-1), self.found_at[root])

    def _accumulate(self, b: ir.IRBuilder, root: Value, x: Number) -> None:
        name, dtype, box = _node(root).op.name, _node(root).inputs[0].dtype, self.accumulators[root]
        so_far = b.load(box, typ=x.type)
        if name in ("sum", "amax", "amin"):
            b.store(reduction_step(b, name, dtype, so_far, x), box)
            return
        at = self.found_at[root]
        found = b.load(at, typ=I64)
        better = self._beats(b, name, dtype, so_far, x)
        better = b.or_(better, b.icmp_signed("<", found, I64(0)))
        b.store(b.select(better, x, so_far), box)
        b.store(b.select(better, self.counters[self.place], found), at)

    def _beats(self, b: ir.IRBuilder, name: str, dtype: DType, so_far: Number, x: Number) -> Number:
        """Whether a later number takes the place of the best so far: it is better, or the first NaN."""
        sign = ">" if name == "argmax" else "<"
        if dtype.kind == "float":
            nan_now = b.fcmp_unordered("uno", x, x)
            nan_before = b.fcmp_unordered("uno", so_far, so_far)
            return b.and_(b.not_(nan_before), b.or_(nan_now, b.fcmp_ordered(sign, x, so_far)))
        signed = dtype.kind == "int" and dtype.numpy.kind == "i"
        return (b.icmp_signed if signed else b.icmp_unsigned)(sign, x, so_far)

    def _finish(self, b: ir.IRBuilder, root: Value) -> Number:
        if _node(root).op.name in ("argmax", "argmin"):
            return b.load(self.found_at[root], typ=I64)
        return b.load(self.accumulators[root], typ=number_type(root.dtype))

    def _add_up(self, b: ir.IRBuilder, root: Value, x: Number) -> None:
        box = self.accumulators[root]
        b.store(reduction_step(b, "sum", root.dtype, b.load(box, typ=x.type), x), box)

    def _add_to_column(self, b: ir.IRBuilder, root: Value, x: Number, place: Number) -> None:
        kind = memory_type(root.dtype)
        address = b.gep(self.partials[root], [place], inbounds=True, source_etype=kind)
        so_far = loaded(b, b.load(address, typ=kind), root.dtype)
        b.store(stored(b, reduction_step(b, _node(root).op.name, root.dtype, so_far, x), root.dtype), address)

    # Memory
    def _pointer(self, value: Value) -> Number:
        return self.function.args[self.plan.pointer_of(value)]

    def _store(self, b: ir.IRBuilder, root: Value, number: Number, position: Number) -> None:
        kind = memory_type(root.dtype)
        address = b.gep(self._pointer(root), [position], inbounds=True, source_etype=kind)
        b.store(stored(b, number, root.dtype), address)

    def _load(self, value: Value, place: Affine) -> Number:
        level = self.levels[place.level]
        key = (value, place)
        if key not in level.numbers:
            b, kind = level.builder, memory_type(value.dtype)
            address = b.gep(self._pointer(value), [self._position(place)], inbounds=True, source_etype=kind)
            level.numbers[key] = loaded(b, b.load(address, typ=kind), value.dtype)
        return level.numbers[key]

    def _position(self, place: Affine) -> Number:
        """The whole number that a place is, each part of it worked out as far outside as it is known."""
        if not place.terms:
            return I64(place.number)
        level = self.levels[place.level]
        if place not in level.numbers:
            inner = tuple((v, f) for v, f in place.terms if v.level == place.level)
            outer = Affine(tuple((v, f) for v, f in place.terms if v.level < place.level), place.number)
            b, result = level.builder, self._position(outer)
            for var, factor in inner:
                part = self._counter(var)
                part = part if factor == 1 else b.mul(part, I64(factor), flags=("nsw",))
                result = (
                    part
                    if isinstance(result, ir.Constant) and result.constant == 0
                    else b.add(result, part, flags=("nsw",))
                )
            level.numbers[place] = result
        return level.numbers[place]

    def _counter(self, var: Var) -> Number:
        if var in (self.row, self.place):
            return self.counters[var]
        if isinstance(var.made_of, ir.Value):
            return var.made_of
        level = self.levels[var.level]
        if var not in level.numbers:
            kind, what, number = var.made_of
            divide = level.builder.udiv if kind == "quotient" else level.builder.urem
            level.numbers[var] = divide(self._position(what), I64(number))
        return level.numbers[var]

    # Numbers
    def _at(self, value: Value, index: Index) -> Number:
        """The value's number at this place."""
        return self._number(value, index)[0]

    def _number(self, value: Value, index: Index) -> tuple[Number, int]:
        """The value's number at this place, worked out once for each place, and the level on which it is known."""
        if value in self.rows_known:
            return self.rows_known[value], IN_ROW
        if value in self.plan.inputs:
            place = index.place()
            return self._load(value, place), place.level
        if value in self.scratch and self.plan.is_kept_before(value, self.stage):
            return self._from_scratch(value), IN_PLACE
        key = (value, index.dims if index.dims is not None else index.linear)
        for depth, level in enumerate(self.levels):
            if key in level.numbers:
                return level.numbers[key], depth
        number, depth = self._work_out(_node(value), index)
        self.levels[depth].numbers[key] = number
        return number, depth

    def _from_scratch(self, value: Value) -> Number:
        level = self.levels[IN_PLACE]
        if value not in level.numbers:
            b, kind = level.builder, memory_type(value.dtype)
            address = b.gep(self.scratch[value], [self.counters[self.place]], inbounds=True, source_etype=kind)
            level.numbers[value] = loaded(b, b.load(address, typ=kind), value.dtype)
        return level.numbers[value]

    def _work_out(self, node: Node, index: Index) -> tuple[Number, int]:
        name, dtype = node.op.name, node.types[0].dtype
        if name in MOVEMENT:
            x = node.inputs[0]
            source = source_index(name, node.params, x.shape, index, self.divisions)
            assert source is not None
            return self._number(x, source)
        if name == "full":
            return constant(node.params["value"], dtype), OUTSIDE
        if name == "iota":
            place = index.place()
            return cast(self.levels[place.level].builder, self._position(place), int64, dtype), place.level
        if name == "gather":
            return self._gathered(node, index)
        if name == "pad":
            return self._padded(node, index)
        if name in REDUCTIONS:
            return self._unrolled(node, index)
        found = [self._number(x, index) for x in node.inputs]
        depth = max(d for _, d in found)
        b, given = self.levels[depth].builder, node.inputs[-1].dtype
        if name == "cast":
            return cast(b, found[0][0], given, dtype), depth
        return apply(b, name, given, dtype, [number for number, _ in found]), depth

    def _gathered(self, node: Node, index: Index) -> tuple[Number, int]:
        """The entry that an index names; one that names none is remembered, and 0 is read in its place."""
        x, chosen = node.inputs
        axis, rank = node.params["axis"], len(chosen.shape)
        dims = index.coordinates(self.divisions)
        which, depth = self._number(chosen, Index(chosen.shape, dims[axis : axis + rank]))
        b, n = self.levels[depth].builder, x.shape[axis]
        place = b.select(b.icmp_signed("<", which, I64(0)), b.add(which, I64(n)), which)
        inside = b.icmp_unsigned("<", place, I64(n))
        assert self.bad_index is not None
        b.store(b.or_(b.load(self.bad_index, typ=I1), b.not_(inside)), self.bad_index)
        place = b.select(inside, place, I64(0))
        read = Var("read", n, depth, place)
        return self._number(x, Index(x.shape, (*dims[:axis], variable(read), *dims[axis + rank :])))

    def _unrolled(self, node: Node, index: Index) -> tuple[Number, int]:
        """A reduction over a few places, written out in their order."""
        (x,), params = node.inputs, node.params
        axes = params.get("axes", (params.get("axis"),))
        found = []
        for k, place in enumerate(itertools.product(*(range(x.shape[a]) for a in axes))):
            at = unrolled_index(node, index, self.divisions, place)
            found.append((*self._number(x, at), I64(k)))
        depth = max(level for _, level, _ in found)
        b, name = self.levels[depth].builder, node.op.name
        best, _, which = found[0]
        for number, _, k in found[1:]:
            if name in ("argmax", "argmin"):
                better = self._beats(b, name, x.dtype, best, number)
                best, which = b.select(better, number, best), b.select(better, k, which)
            else:
                best = reduction_step(b, name, x.dtype, best, number)
        return (which if name in ("argmax", "argmin") else best), depth

    def _report_bad_index(self, b: ir.IRBuilder) -> None:
        if self.bad_index is None:
            return
        flag = self.function.args[self.plan.count_pointers() - 1]
        with b.if_then(b.load(self.bad_index, typ=I1)):
            b.store(I64(1), flag)

    def _padded(self, node: Node, index: Index) -> tuple[Number, int]:
        """The source's number where the place lies within it, the padding's elsewhere."""
        x, params = node.inputs[0], node.params
        dims, inside, depth = [], None, OUTSIDE
        for d, n, low, high, inner in zip(
            index.coordinates(self.divisions), x.shape, params["low"], params["high"], params["inner"], strict=True
        ):
            if not low and not high and not inner:
                dims.append(d)
                continue
            depth = max(depth, d.level)
            b = self.levels[d.level].builder
            place = b.sub(self._position(d), I64(low))
            fits = b.icmp_unsigned("<", place, I64(span(n, inner + 1)))
            if inner:
                fits = b.and_(fits, b.icmp_unsigned("==", b.urem(place, I64(inner + 1)), I64(0)))
                place = b.udiv(place, I64(inner + 1))
            place = b.select(fits, place, I64(0))
            inside = fits if inside is None else self.levels[depth].builder.and_(inside, fits)
            dims.append(variable(Var("within", n, d.level, place)) if n != 1 else ZERO)
        number, level = self._number(x, Index(x.shape, tuple(dims)))
        if inside is None:
            return number, level
        depth = max(depth, level)
        padding = rounded(self.levels[depth].builder, constant(params["value"], x.dtype), x.dtype)
        return self.levels[depth].builder.select(inside, number, padding), depth


def _node(value: Value) -> Node:
    assert value.node is not None
    return value.node
