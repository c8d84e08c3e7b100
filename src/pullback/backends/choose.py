"""Which backends there are, and which one a compiled function runs on when it names none."""

import functools
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pullback.backends.reference import ReferenceStep
from pullback.backends.report import Report
from pullback.base.errors import ArgumentError, BackendUnavailable, suggest
from pullback.ir.node import Value
from pullback.ir.program import Program
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import Traced

SETTING = "PULLBACK_BACKEND"


class Step(Protocol):
    """One traced form of a function on some backend. `calls` counts how often it ran."""

    calls: int

    def __call__(self, given: Sequence[Tensor], undisturbed: bool = False) -> Any:
        """Run on these arguments, write what is written, give the function's result."""

    def is_undisturbed(self) -> bool:
        """Whether the state is known to be the very tensors' values that the last call left; False where unknown."""

    def values(self, given: Sequence[Tensor]) -> list[Value]:
        """Run on these arguments; the program's outputs. What `distribute` writes is not written yet."""

    def report(self, name: str, seconds: float) -> Report:
        """What the step does and how fast, measured for about so many seconds; what it would change stays as it is."""

    def distribute(self, given: Sequence[Tensor], values: Sequence[Value]) -> Any:
        """Write what is written, and give the function's result."""


def _native(traced: Traced, program: Program) -> Step:
    from pullback.backends.native.step import NativeStep  # LLVM is loaded where it is first needed

    return NativeStep(traced, program)


BACKENDS: dict[str, Callable[[Traced, Program], Step]] = {"native": _native, "reference": ReferenceStep}


def default_backend() -> str:
    """`native`, unless PULLBACK_BACKEND says otherwise or this machine lacks what it needs.

    Raises ArgumentError when PULLBACK_BACKEND names no backend.
    """
    wanted = os.environ.get(SETTING, "")
    if wanted and wanted not in BACKENDS:
        raise ArgumentError(
            f"{SETTING} names the backend {wanted!r}, which there is not.{suggest(wanted, BACKENDS)} "
            f"Known are {', '.join(BACKENDS)}"
        )
    return wanted or _best_backend()


@functools.cache
def _best_backend() -> str:
    why = why_not_native()
    if why:
        warnings.warn(f"compiled functions run through NumPy, which is slower: {why}", stacklevel=5)
        return "reference"
    return "native"


@functools.cache
def why_not_native() -> str:
    """Why the native backend cannot be used here; empty when it can."""
    try:
        from pullback.backends.native.openblas import load

        load()
    except BackendUnavailable as error:
        return str(error)
    return ""
