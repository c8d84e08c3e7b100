"""Loops: a function run once for each row of its sequences, as one node of the program however many rows there are.

The gradient of a loop is a loop that runs the other way. Its step is the pullback of the loop's own step, and needs
what that had: the values carried on as they were then, which the loop keeps, and the results of products and
reductions, which it keeps too; what is cheap is worked out again. A gradient of something that stays the same in all
steps is a sum over steps. Where it is a sum of matrix products, as for the weights of a recurrent layer, the factors
are collected and multiplied at once behind the loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pullback.ops as ops
from pullback.base.errors import ArgumentError, DTypeError, ShapeError, TraceError
from pullback.base.trees import Structure, flatten, tree_map, unflatten
from pullback.grad.reverse import reverse
from pullback.ir.mode import mode
from pullback.ir.node import Node, Value, Values
from pullback.ir.program import Program, Recorder, apply_again, inline, live_nodes, record, recording
from pullback.ops import accumulate, zeros_like
from pullback.tensor.shaping import cat, reshape
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Place, Trace, Traced, live_number, trace


def scan(
    function: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    truncate: int | None = None,
) -> tuple[Any, Any]:
    """Run `function(carry, x)`, which gives (carry, y), for each row x of xs; the last carry, and all y stacked.

    `init` is the first carry; carry, x and y are tensors or trees of them, and xs has one more leading dim than x.
    Without xs the function gets None, `length` times. With `reverse` the last row comes first, and each y stands where
    its x does. Program and compile time do not depend on the number of rows. Tensors that the function reads from
    outside receive their gradients; those that it writes, such as the state of random numbers, go on from step to step.

    With `truncate` gradients go back through so many steps at most: each time as many are done, and more are to come,
    the carry goes on without its gradient. The backward pass then works out the steps of one such segment after the
    other again, so that no more than these are kept at a time.

    Raises ShapeError or DTypeError when a carry is not of the type that it was given, ArgumentError when there is no
    row, when xs and length disagree, or when truncate is less than 1.

    >>> import pullback as pb
    >>> pb.scan(lambda total, x: (total + x, total * x), pb.tensor(0.0), pb.tensor([1.0, 2.0, 3.0]))
    (tensor(6.), tensor([0., 2., 9.]))

    Source: jax.lax.scan; Williams and Peng 1990 for truncate.
    """
    if truncate is not None and mode.grad:
        return _truncated(function, init, xs, length, reverse, truncate)
    carried, carry_structure = _leaves(init, "init")
    rows, row_structure = _leaves(xs, "xs") if xs is not None else ([], None)
    count = _count(rows, length)
    types = [*(x.type_ for x in carried), *(x.type_.with_shape(x.shape[1:]) for x in rows)]
    given = [Tensor(Value(t, None, t.dtype.is_floating_point and mode.grad)) for t in types]

    def step() -> Any:
        x = unflatten(row_structure, given[len(carried) :]) if row_structure is not None else None
        return function(unflatten(carry_structure, given[: len(carried)]), x)

    traced = trace(step, given)
    _check_result(traced, carry_structure, carried)
    if isinstance(mode.recorder, Trace):
        for guard in traced.guards:
            mode.recorder.guards[guard] = guard
    body = _Body(traced, len(carried), len(rows))
    outputs = run_loop(body.inputs(carried, rows), body.program, body.carries, len(rows), count, reverse)
    for write, value in zip(body.writes, outputs[len(carried) :], strict=False):
        write.tensor.refill(value)
    stacked = iter(outputs[body.carries :])
    leaves = [Tensor(next(stacked)) if isinstance(y, Place) else y for y in traced.results[len(carried) :]]
    last = unflatten(carry_structure, [Tensor(y) for y in outputs[: len(carried)]])
    return last, unflatten(traced.structure.children[1], leaves)


def _truncated(
    function: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, length: int | None, reverse: bool, most: int
) -> tuple[Any, Any]:
    """`scan` in segments of `most` steps, as a loop of loops, and what is left as a loop of its own."""
    count = _count(_leaves(xs, "xs")[0] if xs is not None else [], length)
    if most < 1:
        raise ArgumentError(f"scan with truncate cuts behind so many steps, 1 or more; got {most}")
    segments = (count - 1) // most  # the last step is never cut off from its result
    size = segments * most
    if not segments:
        return scan(function, init, xs, length, reverse)
    whole, left = (slice(count - size, None), slice(count - size)) if reverse else (slice(size), slice(size, None))

    def segment(carry: Any, rows: Any) -> tuple[Any, Any]:
        carry, ys = scan(function, carry, rows, most, reverse)
        return tree_map(Tensor.detach, carry), ys

    def rows_of(part: Callable[[Tensor], Tensor]) -> Any:
        return None if xs is None else tree_map(part, xs)

    def joined(y: Any, more: Any) -> Any:
        if not isinstance(y, Tensor):
            return y
        y = reshape(y, (size, *y.shape[2:]))
        return cat([more, y] if reverse else [y, more])

    grouped = rows_of(lambda x: reshape(x[whole], (segments, most, *x.shape[1:])))
    carry, ys = scan(segment, init, grouped, segments, reverse)
    last, more = scan(function, carry, rows_of(lambda x: x[left]), count - size, reverse)
    return last, tree_map(joined, ys, more)


def _leaves(tree: Any, name: str) -> tuple[list[Tensor], Structure]:
    leaves, structure = flatten(tree)
    for x in leaves:
        if not isinstance(x, Tensor):
            raise DTypeError(f"{name} of scan must be a tensor, or a tree of tensors; found {type(x).__name__} in it")
    return leaves, structure


def _count(rows: Sequence[Tensor], length: int | None) -> int:
    """The number of steps."""
    sizes = {x.shape[0] if x.shape else 0 for x in rows} | ({length} if length is not None else set())
    if len(sizes) != 1 or min(sizes) < 1:
        told = ", ".join(str(x.shape) for x in rows)
        raise ArgumentError(
            f"scan runs once for each row of xs, of which there must be equally many and at least one, or `length` "
            f"times; got xs of {told or 'nothing'} and length={length}"
        )
    return sizes.pop()


def _check_result(traced: Traced, structure: Structure, carried: Sequence[Tensor]) -> None:
    if traced.structure.kind is not tuple or len(traced.structure.children) != 2:
        raise ArgumentError("the function of scan must give a pair: what is carried on, and the result of this step")
    if traced.structure.children[0] != structure:
        raise ArgumentError("the function of scan must carry on a tree like the one it was given as `init`")
    for k, (place, x) in enumerate(zip(traced.results, carried, strict=False)):
        if not isinstance(place, Place):
            raise DTypeError(f"the function of scan carries on {type(place).__name__}, where init has {x.type_}")
        y = traced.program.outputs[place.output].type
        if y != x.type_:
            error = DTypeError if y.dtype is not x.dtype else ShapeError
            raise error(
                f"the function of scan carries on {y} as leaf {k}, where init has {x.type_}: they must be equal"
            )
    if traced.grad_writes:
        raise TraceError("the function of scan must not set .grad: call backward() outside, or use pb.grad inside")


class _Body:
    """A traced step as the program of a loop: what is carried on, rows, and what stays, in this order.

    Tensors from outside that the step writes are carried on behind what the user carries.
    """

    def __init__(self, traced: Traced, carried: int, rows: int) -> None:
        self.traced = traced
        program, arguments = traced.program, traced.program.inputs[: carried + rows]
        own = {id(x) for x in traced.arguments}
        self.writes = [w for w in traced.writes if id(w.tensor) not in own]
        self.carries = carried + len(self.writes)
        state = {id(x): i for i, x in enumerate(traced.state, carried + rows)}
        places = [state.get(id(w.tensor)) for w in self.writes]
        written = [
            program.inputs[i] if i is not None else Value(w.tensor.type_)
            for i, w in zip(places, self.writes, strict=True)
        ]
        self._fixed = [i for i in range(carried + rows, len(program.inputs)) if i not in places]
        results = [place.output for place in traced.results if isinstance(place, Place)]
        order = [*results[:carried], *(w.output for w in self.writes), *results[carried:]]
        self.program = Program(
            (*arguments[:carried], *written, *arguments[carried:], *(program.inputs[i] for i in self._fixed)),
            program.nodes,
            tuple(program.outputs[j] for j in order),
        )

    def inputs(self, carried: Sequence[Tensor], rows: Sequence[Tensor]) -> list[Value]:
        """What goes into the loop."""
        traced, first = self.traced, len(carried) + len(rows)
        outside = [*(x.value for x in traced.state), *(live_number(read).value for read in traced.numbers)]
        written = [w.tensor.value for w in self.writes]
        fixed = [outside[i - first] for i in self._fixed]
        return [*(x.value for x in carried), *written, *(x.value for x in rows), *fixed]


def run_loop(
    inputs: Sequence[Value], program: Program, carries: int, sequences: int, length: int, reverse: bool
) -> tuple[Value, ...]:
    """Apply the op `scan`, keeping what its gradient needs when one may be asked for; without what is kept."""
    saved = 0
    if mode.grad and any(x.requires_grad for x in inputs):
        program, saved = _saving(program, carries)
    outputs = ops.scan.apply(
        inputs,
        {
            "program": program, "carries": carries, "sequences": sequences, "length": length, "reverse": reverse,
            "saved": saved, "rule": through_time,
        },
    )  # fmt: skip
    return outputs[: len(outputs) - saved]


def _saving(program: Program, carries: int) -> tuple[Program, int]:
    """The program with what the gradient of a loop needs behind its results, and how many these are."""
    dear = [node.output for node in program.nodes if _is_kept(node)]
    kept = (*program.inputs[:carries], *dear)
    return Program(program.inputs, program.nodes, (*program.outputs, *kept)), len(kept)


def _is_kept(node: Node) -> bool:
    """Whether a result costs more than an operation or so per number, so that it is better kept than made again."""
    return len(node.types) == 1 and not isinstance(node.op.flops, int) and node.types[0].dtype.is_floating_point


def through_time(gs: Values, outputs: Values, inputs: Sequence[Value], params: dict[str, Any]) -> Values:
    """The gradient rule of loops: a loop through the steps the other way."""
    carries, behind = params["carries"], params["carries"] + params["sequences"]
    if not params["saved"]:  # it was recorded where no gradient was wanted, such as in the step back of a loop of loops
        program, saved = _saving(params["program"], carries)
        params = params | {"program": program, "saved": saved}
        outputs, gs = ops.scan.apply(inputs, params), (*gs, *[None] * saved)
    step = _StepBack(params, [x.requires_grad for x in inputs], [g is not None for g in gs])
    kept = outputs[len(outputs) - params["saved"] :]
    rows = [*kept, *inputs[carries:behind], *(g for g in gs[carries:] if g is not None)]
    known = {x: row for x, row in zip(step.rows, rows, strict=True) if row is not None}
    starts = [g if (g := gs[i]) is not None else zeros_like(x) for i, x in step.carried.items()]
    sums = [zeros_like(x) for x in step.sums.values()]
    values = [*starts, *sums, *known.values(), *inputs[behind:]]
    program = step.program(list(known))
    found = run_loop(
        values, program, len(starts) + len(sums), len(known), params["length"], reverse=not params["reverse"]
    )
    return step.gradients(found, known)


@dataclass(frozen=True)
class _Product:
    """A matrix product whose sum over all steps is wanted, and what is done with that sum then."""

    factors: tuple[Value, Value]
    path: Sequence[Node]

    def summed(self, stacks: dict[Value, Value]) -> Value:
        """The sum over all steps, of factors known for all of them: one product that sums over the steps, too."""
        x, y = (_stacked(factor, stacks) for factor in self.factors)
        rank, lead = len(x.shape), tuple(range(1, len(x.shape) - 2))
        x = ops.permute(x, axes=(*lead, rank - 2, 0, rank - 1))
        y = ops.permute(y, axes=(*lead, 0, rank - 2, rank - 1))
        *stack, rows, steps, inner = x.shape
        x = ops.reshape(x, shape=(*stack, rows, steps * inner))
        result = ops.matmul(x, ops.reshape(y, shape=(*stack, steps * inner, y.shape[-1])))
        for node in self.path:
            (result,) = apply_again(node, [result])
        return result


def _base(factor: Value) -> Value:
    """What a factor is a transpose of."""
    while factor.node is not None and factor.node.op is ops.permute:
        (factor,) = factor.node.inputs
    return factor


def _stacked(factor: Value, stacks: dict[Value, Value]) -> Value:
    """A factor for all steps, (steps, …), from what it is a transpose of."""
    if factor in stacks:
        return stacks[factor]
    assert factor.node is not None
    (source,), axes = factor.node.inputs, factor.node.params["axes"]
    return ops.permute(_stacked(source, stacks), axes=(0, *(a + 1 for a in axes)))


def _split(g: Value) -> tuple[list[_Product], Value | None]:
    """The matrix products among the terms of a gradient, and the rest of it."""
    path, source = [], g
    while source.node is not None and source.node.op in (ops.permute, ops.reshape, ops.sum_):
        path.append(source.node)
        (source,) = source.node.inputs
    if source.node is not None and source.node.op is ops.matmul:
        x, y = source.node.inputs
        return [_Product((x, y), path[::-1])], None
    if g.node is None or g.node.op is not accumulate:
        return [], g
    (left, x_rest), (right, y_rest) = map(_split, g.node.inputs)
    if not left and not right:
        return [], g
    rests = [rest for rest in (x_rest, y_rest) if rest is not None]
    return [*left, *right], accumulate(*rests) if len(rests) == 2 else rests[0] if rests else None


class _StepBack:
    """The pullback of a loop's step.

    carried: the gradients at what is carried on. rows: what changes from step to step (what was kept, the sequences,
    the gradients at results). sums: for each input that stays, and has a gradient, the sum of that so far.
    """

    def __init__(self, params: dict[str, Any], wanted: Sequence[bool], reached: Sequence[bool]) -> None:
        program, self.carries = params["program"], params["carries"]
        self.behind = self.carries + params["sequences"]
        kept = len(program.outputs) - params["saved"]
        active = [
            i for i, y in enumerate(program.outputs) if y.dtype.is_floating_point and (i < self.carries or reached[i])
        ]
        self.recorder = recorder = Recorder()
        self.inputs = [recorder.input(x.type, x.dtype.is_floating_point) for x in program.inputs]
        gs = {i: recorder.input(program.outputs[i].type, True) for i in active}
        for value, like in zip(self.inputs, program.inputs, strict=True):
            value.name = like.name
        # With gradients all along: a node without stands for one that the user cut off, also when recorded once more.
        with recording(recorder), mode.holding(grad=True):
            results = inline(program, self.inputs)
            found = reverse([results[i] for i in active], list(gs.values()), self.inputs)
            self.found = {
                i: found[x] if x in found else zeros_like(x)
                for i, x in enumerate(self.inputs)
                if x.dtype.is_floating_point and (i < self.carries or wanted[i])
            }
            self.split = {i: _split(g) for i, g in self.found.items() if i >= self.behind}
        self.carried = {i: gs[i] for i in active if i < self.carries}
        self.rows = [
            *results[kept:],
            *self.inputs[self.carries : self.behind],
            *(g for i, g in gs.items() if i >= self.carries),
        ]
        self.rests = {i: rest for i, (_, rest) in self.split.items() if rest is not None}
        self.sums = {i: recorder.input(rest.type, True) for i, rest in self.rests.items()}

    def program(self, rows: Sequence[Value]) -> Program:
        """The step back as the program of a loop over these rows."""
        products = [product for found, _ in self.split.values() for product in found]
        bases = dict.fromkeys(_base(factor) for product in products for factor in product.factors)
        self.at_rows = {i: g for i, g in self.found.items() if self.carries <= i < self.behind}
        self.collected = [base for base in bases if base not in rows and base not in self.at_rows.values()]
        inputs = [*self.carried.values(), *self.sums.values(), *rows, *self.inputs[self.behind :]]
        with recording(self.recorder), mode.holding(grad=True):
            sums = [so_far + self.rests[i] for i, so_far in self.sums.items()]
        outputs = (
            *(self.found[i] for i in self.carried), *sums, *self.at_rows.values(), *self.collected,
        )  # fmt: skip
        nodes = [
            node for node in self.recorder.nodes if set(node.outputs).isdisjoint(rows)
        ]  # what was kept is not made
        whole = Program(tuple(inputs), live_nodes(nodes, outputs), outputs)
        with mode.holding(grad=True):
            program = record(lambda *values: inline(whole, values), [x.type for x in inputs], differentiable=True)
        for value, like in zip(program.inputs, inputs, strict=True):
            value.name = like.name
        return program

    def gradients(self, found: Sequence[Value], stacks: dict[Value, Value]) -> Values:
        """The gradients at the inputs of the loop, from the results of the loop back and the rows that it had."""
        results = iter(found)
        gradients: dict[int, Value] = {i: next(results) for i in (*self.carried, *self.sums)}
        gradients |= {i: next(results) for i in self.at_rows}
        stacks = stacks | {g: gradients[i] for i, g in self.at_rows.items()}
        stacks |= dict(zip(self.collected, results, strict=True))
        for i, (products, _) in self.split.items():
            for product in products:
                term = product.summed(stacks)
                gradients[i] = accumulate(gradients[i], term) if i in gradients else term
        return [gradients.get(i) for i in range(len(self.inputs))]
