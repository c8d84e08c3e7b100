"""A program as an op: what recomputation and custom gradients are made of."""

from collections.abc import Sequence
from typing import Any

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
