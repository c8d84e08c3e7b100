"""Pullback: the compiled step called from Python, and inside a native epoch."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

import pullback as pb
from bench.contender import Contender, called
from bench.threads import blas_threads
from bench.workload import Array


def threads() -> str:
    """Those of native code; of the BLAS under NumPy on the reference backend."""
    from pullback.backends.choose import default_backend

    if default_backend() != "native":
        return blas_threads()
    from pullback.backends.native.hardware import threads as native_threads

    return str(native_threads().count)


def build(workload: ModuleType, mode: str) -> Contender:
    """The usual step, compiled; `workload.in_torch` is the very function that PyTorch's contenders use."""
    work = workload.WORKLOAD
    loss_of, optimizer = workload.in_torch(pb, work.weights())

    @pb.compile
    def step(*batch: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(*batch)
        loss.backward()
        optimizer.step()
        return loss

    if mode == "call":
        return called(step, [_tensors(batch) for batch in work.batches()], wait=lambda: None)
    order = work.order() if work.batch else None
    return Contender(pullback_epoch(step, work.data(), order, work.steps), steps_per_call=work.steps)


def pullback_epoch(
    step: Callable[..., Any], data: Sequence[Array], order: Array | None, steps: int
) -> Callable[[int, int], list[float]]:
    """HOOK: run(epochs, every) with every loss; `order` (steps, b) are the rows of each batch, None for all of them.

    There is no native epoch yet, so Python gathers each batch and calls the step. `IN_AN_EPOCH` says which it is.
    """
    whole = _tensors(data)

    def run(epochs: int, every: int) -> list[float]:
        losses = []
        for _ in range(epochs):
            for i in range(steps):
                batch = whole if order is None else _tensors([array[order[i]] for array in data])
                losses.append(step(*batch))
        return [float(loss) for loss in losses]

    return run


IN_AN_EPOCH = False  # HOOK: True as soon as `pullback_epoch` runs natively


def native_seconds(contender: Contender) -> float | None:
    """HOOK: the seconds of a call that were spent in native code; None as long as nobody counts them."""
    return None


def note(mode: str) -> str:
    """What a reader of the table has to know: the backend, and whether an epoch is one."""
    from pullback.backends.choose import default_backend

    fallback = "; no native epoch yet: Python gathers and calls" if mode == "epoch" and not IN_AN_EPOCH else ""
    return f"{default_backend()} backend{fallback}"


def _tensors(batch: Sequence[Array]) -> tuple[Any, ...]:
    return tuple(pb.from_numpy(np.ascontiguousarray(array)) for array in batch)
