"""A program as an op: what recomputation, custom gradients and loops are made of."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ShapeError
from pullback.ir.node import Value, Values
from pullback.ir.program import Program
from pullback.ir.types import Type
from pullback.ops.interpreter import interpret
from pullback.ops.record import op


def _call_rule(*inputs: Type, program: Program, rule: Any) -> tuple[Type, ...]:
    wanted = [x.type for x in program.inputs]
    if list(inputs) != wanted:
        raise ShapeError(f"the program takes {', '.join(map(str, wanted))}; got {', '.join(map(str, inputs))}")
    return tuple(y.type for y in program.outputs)


def _call_gradient(gs: Values, outputs: Values, inputs: Sequence[Value], params: dict[str, Any]) -> Values:
    return params["rule"](gs, outputs, inputs, params["program"])


@op(_call_rule, _call_gradient, flops=lambda *inputs, program, rule: program.flops)
def call(*inputs: Array, program: Program, rule: Any) -> tuple[Array, ...]:
    """A program run as one op, with a gradient rule of its own: `rule(gs, outputs, inputs, program)`.

    y = program(x)
    gx = rule(g, y, x)
    """
    return tuple(interpret(program, inputs))


def _attach_rule(*values: Type, inputs: int, rule: Any) -> tuple[Type, ...]:
    return values[inputs:]


def _attach_gradient(gs: Values, outputs: Values, values: Sequence[Value], params: dict[str, Any]) -> Values:
    found = params["rule"](gs, outputs, values)
    return [*found, *[None] * (len(values) - len(found))]


@op(_attach_rule, _attach_gradient, flops=0)
def attach_gradient(*values: Array, inputs: int, rule: Any) -> tuple[Array, ...]:
    """The results of a function, after what its gradient needs, with the rule that the user wrote for that gradient.

    `rule(gs, outputs, values)` gives the gradients at the first values; the rest have none.

    y = f(x)
    gx = rule(g)
    """
    return values[inputs:]


def _scan_rule(
    *inputs: Type, program: Program, carries: int, sequences: int, length: int, reverse: bool, saved: int, rule: Any
) -> tuple[Type, ...]:
    steps = [x.type for x in program.inputs]
    for i, (x, step) in enumerate(zip(inputs, steps, strict=True)):
        wanted = step.with_shape((length, *step.shape)) if carries <= i < carries + sequences else step
        if x != wanted:
            raise ShapeError(f"a loop of {length} steps takes {wanted} as input {i}; got {x}")
    results = [y.type for y in program.outputs]
    if results[:carries] != steps[:carries] or length < 1:
        raise ShapeError(f"a loop of 1 step or more carries on what it was given; got {length} and {results[:carries]}")
    return (*results[:carries], *(y.with_shape((length, *y.shape)) for y in results[carries:]))


def _scan_gradient(gs: Values, outputs: Values, inputs: Sequence[Value], params: dict[str, Any]) -> Values:
    return params["rule"](gs, outputs, inputs, params)


def run_steps(
    body: Callable[..., Any], inputs: Sequence[Array], carries: int, sequences: int, length: int, reverse: bool
) -> tuple[Array, ...]:
    """Run `body` on what is carried on, the next row of each sequence and the inputs that stay; stack its results."""
    carried, fixed, rows = list(inputs[:carries]), inputs[carries + sequences :], []
    for t in reversed(range(length)) if reverse else range(length):
        results = body(*carried, *[x[t] for x in inputs[carries : carries + sequences]], *fixed)
        results = results if isinstance(results, tuple) else (results,)
        carried = list(results[:carries])
        rows.append(results[carries:])
    return (*carried, *[np.stack(column) for column in zip(*(rows[::-1] if reverse else rows), strict=True)])


@op(_scan_rule, _scan_gradient, flops=lambda *inputs, program, length, **params: program.flops * length)
def scan(
    *inputs: Array, program: Program, carries: int, sequences: int, length: int, reverse: bool, saved: int, rule: Any
) -> tuple[Array, ...]:
    """A program run once for each row of some sequences, with `carries` values handed from step to step.

    The inputs are the carried values as they begin, the sequences, and what stays the same; the outputs are the carried
    values as they end, and the program's other results stacked. The last `saved` of those are kept for the gradient,
    `rule(gs, outputs, inputs, params)`. With `reverse` the last row comes first.

    c, y[t] = program(c, x[t], w) for t = 1 … n
    gc, gx[t] = the program's pullback at (c, x[t], w) for t = n … 1, and gw its sum
    """
    return run_steps(lambda *values: tuple(interpret(program, values)), inputs, carries, sequences, length, reverse)
