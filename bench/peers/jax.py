"""JAX: the step jitted and called from Python, and an epoch in one call, `lax.scan` over its batches.

State is donated in both, so that it can be updated where it lies.
"""

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.contender import Contender, called
from bench.threads import cores


def threads() -> str:
    """XLA makes as many as there are cores."""
    return str(cores())


def build(workload: ModuleType, mode: str) -> Contender:
    """The step, or the epoch."""
    return build_scan(workload) if mode == "scan" else build_jit(workload)


def build_jit(workload: ModuleType) -> Contender:
    """Called step by step; JAX runs ahead of the results, so the last state is waited for."""
    work = workload.WORKLOAD
    state, step = workload.in_jax(work.weights())
    state = jax.tree.map(jnp.array, state)
    jitted = jax.jit(step, donate_argnums=0)

    def call(*batch: Any) -> Any:
        nonlocal state
        state, loss = jitted(state, *batch)
        return loss

    batches = [_on_device(batch) for batch in work.batches()]
    return called(call, batches, wait=lambda: jax.block_until_ready(state))


def build_scan(workload: ModuleType) -> Contender:
    """A whole epoch in one call; batches are gathered by row number inside."""
    work = workload.WORKLOAD
    state, step = workload.in_jax(work.weights())
    state = jax.tree.map(jnp.array, state)
    sources = _on_device(work.data())
    order = jnp.asarray(work.order(), jnp.int32) if work.batch else None

    def epoch(state: Any, sources: Any, order: Any) -> Any:
        def one(state: Any, rows: Any) -> Any:
            return step(state, *(sources if rows is None else [source[rows] for source in sources]))

        return jax.lax.scan(one, state, order, length=work.steps)

    jitted = jax.jit(epoch, donate_argnums=0)

    def run(calls: int, every: int) -> list[float]:
        nonlocal state
        losses = []
        for _ in range(calls):
            state, epoch_losses = jitted(state, sources, order)
            losses.append(np.asarray(epoch_losses))
        jax.block_until_ready(state)
        return np.concatenate(losses).tolist()

    return Contender(run, steps_per_call=work.steps)


def _on_device(batch: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arrays of JAX; classes as int32, the integers that it has by default."""
    return tuple(jnp.asarray(array.astype(np.int32) if array.dtype == np.int64 else array) for array in batch)
