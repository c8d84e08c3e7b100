"""Recomputing instead of keeping: a function whose intermediate results are made again for the backward pass."""

from collections.abc import Callable, Sequence
from typing import Any

from pullback.grad.reverse import pullback_program
from pullback.ir.mode import mode
from pullback.ir.node import Value, Values
from pullback.ir.program import Program
from pullback.ops import call, zeros_like
from pullback.tensor.tracing import Trace, live_number, trace


def recompute(gs: Values, outputs: Values, inputs: Sequence[Value], program: Program) -> Values:
    """The gradient rule of a program that keeps nothing: run it again, then backward."""
    at_outputs = [zeros_like(y) if g is None else g for g, y in zip(gs, program.outputs, strict=True)]
    return call.apply([*inputs, *at_outputs], {"program": pullback_program(program), "rule": recompute})


def checkpoint(function: Callable[..., Any], *args: Any, use_reentrant: bool | None = None, **kwargs: Any) -> Any:
    """Call `function`, keeping nothing but its inputs for the backward pass, which runs it a second time.

    Memory falls from all that the function computes to what it reads; time grows by one forward pass. Parameters
    that the function reads receive their gradients, and random numbers repeat exactly.
    `use_reentrant` is taken for PyTorch's sake and changes nothing.

    >>> import pullback as pb
    >>> x = pb.tensor(2.0, requires_grad=True)
    >>> pb.checkpoint(lambda v: (v ** 3).exp(), x).backward()
    >>> bool(x.grad == 12 * pb.tensor(8.0).exp())
    True

    Source: torch.utils.checkpoint.checkpoint; Chen et al., "Training deep nets with sublinear memory cost" (2016).
    """
    traced = trace(lambda: function(*args, **kwargs))
    if isinstance(mode.recorder, Trace):
        for guard in traced.guards:
            mode.recorder.guards[guard] = guard
    inputs = [*(x.value for x in traced.state), *(live_number(read).value for read in traced.numbers)]
    return traced.distribute(call.apply(inputs, {"program": traced.program, "rule": recompute}))
