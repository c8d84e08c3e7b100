"""MLX on the CPU: the step compiled and called from Python, evaluated at the end of each step as MLX asks for."""

from types import ModuleType
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map

from bench.contender import Contender, called


def threads() -> str:
    """Those of the BLAS that MLX brings are its own affair; one evaluates the graph."""
    return "1 + BLAS"


def build(workload: ModuleType, mode: str) -> Contender:
    """The compiled step."""
    mx.set_default_device(mx.cpu)
    work = workload.WORKLOAD
    state, step = workload.in_mlx(work.weights())
    state = tree_map(mx.array, state)
    compiled = mx.compile(step)

    def call(*batch: Any) -> Any:
        nonlocal state
        state, loss = compiled(state, *batch)
        mx.eval(state, loss)
        return loss

    batches = [tuple(mx.array(a.astype(np.int32) if a.dtype == np.int64 else a) for a in b) for b in work.batches()]
    return called(call, batches, wait=lambda: None)
