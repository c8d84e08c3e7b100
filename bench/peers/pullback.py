"""Pullback: the compiled step called from Python, and inside a native epoch."""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

import pullback as pb
from bench.contender import Contender, called
from bench.threads import blas_threads
from bench.workload import Array, Workload
from pullback.utils.data import DataLoader, TensorDataset


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
        contender = called(step, [_tensors(batch) for batch in work.batches()], wait=lambda: None)
    else:
        contender = Contender(pullback_epoch(step, work), steps_per_call=work.steps)
    return replace(contender, step=step)


def pullback_epoch(step: Any, work: Workload) -> Callable[[int, int], list[float]]:
    """run(epochs, every): `step.over` the workload's batches, gathered inside, with the loss of each step."""
    whole = _tensors(work.data())
    rows = list(work.order()) if work.batch else []
    loader = DataLoader(TensorDataset(*whole), batch_sampler=rows)

    def run(epochs: int, every: int) -> list[float]:
        found = []
        for _ in range(epochs):
            batches = loader if work.batch else itertools.repeat(whole, work.steps)
            found += [losses.numpy() for losses in step.over(batches)]
        return np.concatenate(found).tolist()

    return run


def native_seconds(contender: Contender) -> float | None:
    """The seconds of a step in native code alone: many steps on the last batch in one native call."""
    step = contender.step
    plan = getattr(step.latest.step, "executable", None) and step.latest.step.executable.plans[0]
    if plan is None:
        return None
    threads, steps, rounds = step.latest.step.executable.threads, 1, []
    while len(rounds) < 5:
        started = time.perf_counter()
        plan.run(threads, steps)
        seconds = time.perf_counter() - started
        if seconds < 0.02:
            steps *= 2
        else:
            rounds.append(seconds / steps)
    return statistics.median(rounds)


def note(mode: str) -> str:
    """What a reader of the table has to know: the backend, where it is not the native one."""
    from pullback.backends.choose import default_backend

    backend = default_backend()
    return "" if backend == "native" else f"{backend} backend"


def _tensors(batch: Sequence[Array]) -> tuple[Any, ...]:
    return tuple(pb.from_numpy(np.ascontiguousarray(array)) for array in batch)
