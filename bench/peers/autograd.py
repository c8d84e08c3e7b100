"""HIPS autograd: gradients from its tape, updates in place with NumPy."""

from types import ModuleType

from bench.contender import Contender, called
from bench.threads import blas_threads as threads

__all__ = ["build", "threads"]


def build(workload: ModuleType, mode: str) -> Contender:
    """The step as the workload has it."""
    work = workload.WORKLOAD
    return called(workload.in_autograd(work.weights()), work.batches(), wait=lambda: None)
