"""What the emitter needs to know of a compiled function."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from pullback.base.errors import TraceError
from pullback.base.trees import Structure
from pullback.ir.program import Program
from pullback.tensor.tracing import Traced


class TracedCall(Protocol):
    """One traced form of a function, with the call that was traced; as `backends.compile.Entry`."""

    traced: Traced
    program: Program
    structure: Structure
    leaves: list[Any]


@runtime_checkable
class CompiledFunction(Protocol):
    """A function and the traced form of it that ran last; as `backends.compile.Compiled`."""

    function: Callable[..., Any]
    latest: TracedCall | None


def latest_call(step: CompiledFunction) -> TracedCall:
    """The traced form that ran last.

    Raises TraceError when there is none.
    """
    if step.latest is None:
        name = getattr(step.function, "__name__", "the function")
        raise TraceError(f"{name} has not been called yet, so that it has no program; call it once with a batch first")
    return step.latest


def would_run_again(call: TracedCall) -> bool:
    """Whether what the program depends on, besides its arguments, is as it was."""
    traced = call.traced
    traced.look_up_gradients()
    kept = zip(traced.state, traced.program.inputs[len(traced.arguments) :], strict=False)
    return all(
        x._value.type == value.type and x._value.requires_grad == value.requires_grad for x, value in kept
    ) and all(guard.read() == guard.expected for guard in traced.guards)
