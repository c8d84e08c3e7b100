"""Recomputing instead of keeping: a function whose intermediate results are made again for the backward pass."""

from collections.abc import Callable, Sequence
from typing import Any

from pullback.base.trees import flatten, unflatten
from pullback.grad.reverse import pullback_program
from pullback.ir.mode import mode
from pullback.ir.node import Value
from pullback.ir.program import Program
from pullback.ops import call, zeros_like
from pullback.passes.dead_code import drop_dead_code
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import GradWrite, Place, Trace, Traced, live_number, trace


def recompute(
    gs: Sequence[Value | None], outputs: Sequence[Value | None], inputs: Sequence[Value], program: Program
) -> Sequence[Value | None]:
    """The gradient rule of a program that keeps nothing: run it again, then backward."""
    backward = drop_dead_code(pullback_program(program))
    whole = [zeros_like(Value(y.type)) if g is None else g for g, y in zip(gs, program.outputs, strict=True)]
    return call.apply([*inputs, *whole], {"program": backward, "rule": recompute})
