"""vmap: a function of one row becomes a function of many, by a rule for each op that says where the rows go.

The function is recorded once, for the types of one row. Then its nodes are applied again: what depends on a mapped
argument has one more axis in front, along which the rows lie; what does not stays as it is. No rule computes: each
puts an op's rows where the op itself, or another, treats them at once.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pullback.ops as ops
from pullback.base.dtypes import float32, int64, uint32
from pullback.base.errors import ArgumentError, DTypeError, ShapeError, TraceError
from pullback.base.shapes import normalize_axis
from pullback.base.trees import Structure, flatten, unflatten
from pullback.ir.mode import mode
from pullback.ir.node import Op, Value, Values
from pullback.ir.program import Program, is_cut_off, record
from pullback.ir.types import Type
from pullback.tensor.reduction import checked_index, from_front, outside_stays_outside
from pullback.tensor.shaping import movedim
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Place, Trace, Traced, live_number, trace

Params = dict[str, Any]
# A value, and whether it is mapped: then its first axis holds the rows.
Entry = tuple[Value, bool]


def vmap(
    function: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error"
) -> Callable[..., Any]:
    """A function that applies `function` to each row of its arguments at once, and stacks the results.

    in_dims: the dim along which the rows of an argument lie; None for one that is the same for all rows. One for all
    arguments, or a tuple with one for each, where a tree may stand for the leaves of a tree. Keyword arguments and
    tensors that the function reads from outside are the same for all rows.
    out_dims: where the rows lie in the results; None for what is the same for all rows.
    randomness: whether random functions are an "error", draw "different" numbers for each row, or the "same".

    The result can be differentiated, mapped again and compiled.

    Raises ArgumentError for dims that do not fit the arguments and for random numbers, ShapeError when arguments have
    not equally many rows, DTypeError for a mapped argument or result that is no tensor.

    >>> import pullback as pb
    >>> loss = lambda w, x: (w * x).sum() ** 2
    >>> pb.vmap(pb.grad(loss), in_dims=(None, 0))(pb.ones(2), pb.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[ 6., 12.],
            [42., 56.]])

    Source: torch.vmap; Bradbury et al., JAX (2018).
    """
    if randomness not in ("error", "different", "same"):
        raise ArgumentError(f"randomness is 'error', 'different' or 'same'; got {randomness!r}")

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten(args)
        mapped = {i: dim for i, dim in enumerate(_spread(in_dims, structure, "in_dims")) if dim is not None}
        moved = [_rows_in_front(leaves[i], dim) for i, dim in mapped.items()]
        batch = Batch(_count(moved), randomness)
        given = [Tensor(Value(_row_type(x.type_), None, x.requires_grad)) for x in moved]
        rows = dict(zip(mapped, given, strict=True))
        row = unflatten(structure, [rows.get(i, leaf) for i, leaf in enumerate(leaves)])
        traced = trace(lambda: function(*row, **kwargs), given)
        outputs = batch.run(traced.program, _inputs(traced, moved))
        _write(batch, traced, outputs, {id(rows[i]): (leaves[i], dim) for i, dim in mapped.items()})
        results = zip(traced.results, _spread(out_dims, traced.structure, "out_dims"), strict=True)
        return unflatten(traced.structure, [_result(batch, x, dim, outputs) for x, dim in results])

    return wrapped


def _spread(dims: Any, structure: Structure, what: str) -> list[int | None]:
    """The dim for each leaf of a structure, from a tree in which one may stand for many."""
    if dims is None or isinstance(dims, int):
        return [dims] * structure.leaves
    given = flatten(dims)[1]
    if (given.kind, given.keys) != (structure.kind, structure.keys) or not isinstance(dims, (tuple, list, dict)):
        wanted = "the arguments, as a tuple" if what == "in_dims" else "the results"
        raise ArgumentError(f"{what} of vmap is a dim or None, or a tree of them like {wanted}; got {dims!r}")
    parts = dims.values() if isinstance(dims, dict) else dims
    return [dim for part, child in zip(parts, structure.children, strict=True) for dim in _spread(part, child, what)]


def _rows_in_front(x: Any, dim: int) -> Tensor:
    if not isinstance(x, Tensor):
        raise DTypeError(f"vmap maps tensors; got {type(x).__name__} with the dim {dim}: pass None for it in in_dims")
    if not x.ndim:
        raise ShapeError(f"vmap maps an argument along dim {dim}, but it has no dims: pass None for it in in_dims")
    axis = normalize_axis(dim, x.ndim, "the dim in in_dims")
    return movedim(x, axis, 0) if axis else x


def _count(mapped: Sequence[Tensor]) -> int:
    sizes = {x.shape[0] for x in mapped}
    if not sizes:
        raise ArgumentError("vmap needs an argument with a dim in in_dims that is not None: none is mapped")
    if len(sizes) > 1:
        raise ShapeError(f"vmap needs arguments with equally many rows; got {', '.join(map(str, sorted(sizes)))}")
    return sizes.pop()


def _row_type(rows: Type) -> Type:
    return rows.with_shape(rows.shape[1:])


def _inputs(traced: Traced, mapped: Sequence[Tensor]) -> list[Entry]:
    """What goes into the recorded program; the function that is being recorded around it depends on the same."""
    if isinstance(mode.recorder, Trace):
        mode.recorder.guards |= {guard: guard for guard in traced.guards}
    outside = [*traced.state, *(live_number(read) for read in traced.numbers)]
    return [*((x.value, True) for x in mapped), *((x.value, False) for x in outside)]


def _write(batch: "Batch", traced: Traced, outputs: Sequence[Entry], own: dict[int, tuple[Tensor, int]]) -> None:
    """Refill the tensors that the function wrote to."""
    if traced.grad_writes:
        raise TraceError("the function of vmap must not set .grad: use pb.grad inside, or call backward() outside")
    for write in traced.writes:
        value, is_mapped = outputs[write.output]
        if id(write.tensor) in own:
            tensor, dim = own[id(write.tensor)]
            tensor.refill(movedim(Tensor(batch.mapped((value, is_mapped))), 0, dim).value)
        elif is_mapped:
            raise TraceError(
                f"the function of vmap writes into a tensor from outside, {write.tensor.type_}, what differs from row "
                "to row: return it instead"
            )
        else:
            write.tensor.refill(value)


def _result(batch: "Batch", leaf: Any, dim: int | None, outputs: Sequence[Entry]) -> Any:
    if not isinstance(leaf, Place):
        if dim is None:
            return leaf
        raise DTypeError(f"the function of vmap gives tensors; got {type(leaf).__name__}: pass None in out_dims")
    value, is_mapped = outputs[leaf.output]
    if dim is not None:
        stacked = Tensor(batch.mapped((value, is_mapped)))
        axis = normalize_axis(dim, stacked.ndim, "the dim in out_dims")
        return Tensor(movedim(stacked, 0, axis).value) if axis else stacked
    if is_mapped:
        raise ArgumentError("a result of vmap's function differs from row to row: give it a dim in out_dims")
    return Tensor(value)


@dataclass(frozen=True)
class Batch:
    """How many rows there are, and what random numbers do."""

    size: int
    randomness: str

    def run(self, program: Program, inputs: Sequence[Entry]) -> list[Entry]:
        """Apply the program's nodes for all rows, each node keeping its origin; the outputs."""
        known = dict(zip(program.inputs, inputs, strict=True))
        for node in program.nodes:
            with mode.holding(origin=node.origin, grad=mode.grad and not is_cut_off(node)):
                results = self.apply(node.op, [known[x] for x in node.inputs], node.params)
            for old, (new, is_mapped) in zip(node.outputs, results, strict=True):
                if old is not None:
                    known[old] = new, is_mapped
                    new.name = old.name
        return [known[y] for y in program.outputs]

    def apply(self, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
        """Apply an op for all rows."""
        if any(is_mapped for _, is_mapped in entries) or _draws(op, params):
            return RULES[op.name](self, op, entries, params)
        return [(y, False) for y in op.apply([x for x, _ in entries], params)]

    def mapped(self, entry: Entry) -> Value:
        """The value with its rows in front; one that is the same for all rows is repeated."""
        value, is_mapped = entry
        return value if is_mapped else ops.broadcast(value, shape=(self.size, *value.shape))

    def program(self, program: Program, flags: Sequence[bool], forced: Iterable[int]) -> tuple[Program, list[bool]]:
        """The program for all rows, with these inputs mapped and (at least) these outputs, and which outputs are."""
        found: list[bool] = []

        def rows(*values: Value) -> list[Value]:
            outputs = self.run(program, list(zip(values, flags, strict=True)))
            outputs = [(self.mapped(y), True) if i in forced else y for i, y in enumerate(outputs)]
            found.extend(is_mapped for _, is_mapped in outputs)
            return [y for y, _ in outputs]

        types = [
            Type((self.size, *x.shape), x.dtype) if f else x.type for x, f in zip(program.inputs, flags, strict=True)
        ]
        with mode.holding(grad=True):  # what was cut off in the program stays so, and nothing else is
            return record(rows, types, differentiable=True), found

    def rule(
        self, rule: Callable[..., Values], flags: Sequence[bool], found: Sequence[bool], *more: Any
    ) -> Callable[..., Values]:
        """A gradient rule for all rows, from one for a row, with these inputs and outputs mapped."""

        def rows(gs: Values, outputs: Values, inputs: Sequence[Value], *_: Any) -> Values:
            places: list[int] = []
            groups = (gs, outputs, inputs)
            mapped = [f for group in (found, found, flags) for f in group]
            given = [(v, f) for v, f in zip(itertools.chain(*groups), mapped, strict=True) if v is not None]

            def one(*values: Value) -> list[Value]:
                rest = iter(values)
                row = [[None if v is None else next(rest) for v in group] for group in groups]
                gradients = rule(*row, *more)
                places.extend(i for i, g in enumerate(gradients) if g is not None)
                return [g for g in gradients if g is not None]

            types = [_row_type(v.type) if f else v.type for v, f in given]
            results = self.run(record(one, types, differentiable=True), given)
            sums = {i: self._collected(g, flags[i]) for i, g in zip(places, results, strict=True)}
            return [sums.get(i) for i in range(len(inputs))]

        rows.__qualname__ = rule.__qualname__
        return rows

    def _collected(self, entry: Entry, is_mapped: bool) -> Value:
        """The gradient at an input: for each row, or the sum over the rows for an input that all rows share."""
        g = self.mapped(entry)
        if is_mapped:
            return g
        wide = ops.as_dtype_of(g, float32) if g.dtype.is_half else g
        return ops.as_dtype_of(ops.sum_(wide, axes=(0,), keepdims=False), g.dtype)

    def places(self, index: Value, size: int) -> Value:
        """The index of each row into an axis in which the rows' axes of this size stand one after the other."""
        shape = (self.size, *[1] * (len(index.shape) - 1))
        starts = ops.reshape(ops.iota(size=self.size, dtype=int64) * size, shape=shape)
        total = from_front(index, size) + ops.broadcast(starts, shape=index.shape)
        return outside_stays_outside(total, index, size, self.size * size)


def _draws(op: Op, params: Params) -> bool:
    """Whether random numbers are drawn."""
    inner = params["program"].nodes if "program" in params else ()
    return op is ops.random_bits or any(_draws(node.op, node.params) for node in inner)


def _moved(value: Value, source: int, destination: int) -> Value:
    """The value with one axis put in another place."""
    axes = [a for a in range(len(value.shape)) if a != source]
    axes.insert(destination, source)
    return value if source == destination else ops.permute(value, axes=tuple(axes))


# The rules
def _all(values: Sequence[Value]) -> list[Entry]:
    return [(value, True) for value in values]


# What becomes of params that tell of axes, when there is one more in front.
_SHIFTED: dict[str, Callable[[Any, int], Any]] = {
    "axis": lambda axis, n: axis + 1,
    "axes": lambda axes, n: tuple(a + 1 for a in axes),
    "shape": lambda shape, n: (n, *shape),
    "stop": lambda stop, n: (n, *stop),
    "step": lambda step, n: (1, *step),
    **dict.fromkeys(("low", "high", "inner", "start"), lambda sizes, n: (0, *sizes)),
}


def _in_front(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    """All inputs get the axis of rows, and the op passes over it."""
    shifted = {k: _SHIFTED[k](v, batch.size) if k in _SHIFTED else v for k, v in params.items()}
    return _all(op.apply([batch.mapped(x) for x in entries], shifted))


def _permute(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    return _all([op(entries[0][0], axes=(0, *(a + 1 for a in params["axes"])))])


def _broadcast(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    ((x, _),), shape = entries, params["shape"]
    own = (1,) * (len(shape) - len(x.shape) + 1) + x.shape[1:]
    x = x if x.shape[1:] == own else ops.reshape(x, shape=(batch.size, *own))
    return _all([op(x, shape=(batch.size, *shape))])


def _matmul(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    """Where one side is the same for all rows, the matrices of the other stand under or beside one another."""
    (x, left), (y, right) = entries
    if left and right:
        return _all([op(x, y)])
    place = len(x.shape) - 3 if left else len(y.shape) - 2
    tall = _moved(x if left else y, 0, place)
    n, m = tall.shape[place : place + 2]
    folded = ops.reshape(tall, shape=(*tall.shape[:place], n * m, *tall.shape[place + 2 :]))
    z = op(folded, y) if left else op(x, folded)
    return _all([_moved(ops.reshape(z, shape=(*z.shape[:place], n, m, *z.shape[place + 1 :])), place, 0)])


def _stacked_axes(x: Value, axis: int) -> Value:
    """The rows' axes one after the other as the first axis, and the rest behind it."""
    rows = _moved(x, axis + 1, 1)
    return ops.reshape(rows, shape=(rows.shape[0] * rows.shape[1], *rows.shape[2:]))


def _exchanged(value: Value, first: int, second: int) -> Value:
    """The value with the `first` axes behind the rows put behind the `second` ones that follow them."""
    middle, rest = range(1 + first, 1 + first + second), range(1 + first + second, len(value.shape))
    axes = (0, *middle, *range(1, 1 + first), *rest)
    return value if not first or not second else ops.permute(value, axes=axes)


def _gather(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    (x, x_mapped), (index, index_mapped) = entries
    axis = params["axis"]
    size = x.shape[axis + x_mapped]
    index = checked_index(Tensor(index), size, axis)
    if not index_mapped:
        return _all([op(x, index, axis=axis + 1)])
    if not x_mapped:
        return _all([_moved(op(x, index, axis=axis), axis, 0)])
    found = op(_stacked_axes(x, axis), batch.places(index, size), axis=0)
    return _all([_exchanged(found, len(index.shape) - 1, axis)])


def _scatter(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    x, updates, axis = batch.mapped(entries[0]), batch.mapped(entries[2]), params["axis"]
    size, index_mapped = x.shape[axis + 1], entries[1][1]
    index = checked_index(Tensor(entries[1][0]), size, axis)
    if not index_mapped:
        return _all([op(x, index, updates, axis=axis + 1)])
    found = op(
        _stacked_axes(x, axis), batch.places(index, size), _exchanged(updates, axis, len(index.shape) - 1), axis=0
    )
    return _all([_moved(ops.reshape(found, shape=(batch.size, size, *found.shape[1:])), 1, axis + 1)])


def _random_bits(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    ((state, is_mapped),), shape = entries, params["shape"]
    if batch.randomness == "error":
        raise ArgumentError(
            f"the function of vmap draws random numbers ({mode.origin}): pass randomness='different' to vmap for "
            "other numbers in each row, or 'same' for equal ones"
        )
    if not is_mapped:
        alike = batch.randomness == "same"
        return [(op(state, shape=shape if alike else (batch.size, *shape)), not alike)]
    states = [ops.slice_(state, start=(i, 0), stop=(i + 1, 3), step=(1, 1)) for i in range(batch.size)]
    rows = [ops.reshape(op(ops.reshape(s, shape=(3,)), shape=shape), shape=(1, *shape)) for s in states]
    return _all([ops.concat(*rows, axis=0) if rows else ops.full(value=0, shape=(0, *shape), dtype=uint32)])


def _call(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    """Results that have a gradient are mapped; others, such as the state of random numbers, only if they differ."""
    program, flags = params["program"], [is_mapped for _, is_mapped in entries]
    floats = [i for i, y in enumerate(program.outputs) if y.dtype.is_floating_point]
    inner, found = batch.program(program, flags, floats)
    rule = batch.rule(params["rule"], flags, found, program)
    outputs = op.apply([x for x, _ in entries], {"program": inner, "rule": rule})
    return list(zip(outputs, found, strict=True))


def _attach_gradient(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    count = params["inputs"]
    entries = [*entries[:count], *_all([batch.mapped(x) for x in entries[count:]])]
    values, flags = zip(*entries, strict=True)
    rule = batch.rule(params["rule"], flags, flags[count:])
    return _all(op.apply(values, {"inputs": count, "rule": rule}))


def _scan(batch: Batch, op: Op, entries: Sequence[Entry], params: Params) -> list[Entry]:
    """What is carried on is mapped when it begins so or becomes so in a step; sequences have the rows behind."""
    carries, behind = params["carries"], params["carries"] + params["sequences"]
    flags = [is_mapped for _, is_mapped in entries]
    while True:
        inner, found = batch.program(params["program"], flags, [i for i in range(carries) if flags[i]])
        if found[:carries] == flags[:carries]:
            break
        flags[:carries] = found[:carries]
    values = [batch.mapped(x) if i < carries and flags[i] else x[0] for i, x in enumerate(entries)]
    values = [_moved(x, 0, 1) if carries <= i < behind and flags[i] else x for i, x in enumerate(values)]
    outputs = op.apply(values, params | {"program": inner})
    return [(_moved(y, 1, 0) if i >= carries and found[i] else y, found[i]) for i, y in enumerate(outputs)]


Rule = Callable[[Batch, Op, Sequence[Entry], Params], list[Entry]]
RULES: dict[str, Rule] = {
    **dict.fromkeys("neg abs sign exp expm1 log log1p sqrt rsqrt sin cos atan tanh sigmoid erf".split(), _in_front),
    **dict.fromkeys("floor ceil round detach cast bitwise_not where add sub mul div floor_divide".split(), _in_front),
    **dict.fromkeys("remainder pow maximum minimum eq ne lt le bitwise_and bitwise_or bitwise_xor".split(), _in_front),
    **dict.fromkeys("shift_left shift_right full constant iota reshape pad slice flip concat".split(), _in_front),
    **dict.fromkeys("sum amax amin argmax argmin argsort cumsum windows overlap_add".split(), _in_front),
    "permute": _permute,
    "broadcast": _broadcast,
    "matmul": _matmul,
    "gather": _gather,
    "scatter": _scatter,
    "scatter_add": _scatter,
    "random_bits": _random_bits,
    "call": _call,
    "attach_gradient": _attach_gradient,
    "scan": _scan,
}
