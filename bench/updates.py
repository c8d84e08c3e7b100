"""Updates of weights that JAX and MLX share: both work on arrays that are replaced, in steps (state, batch) to (state,
loss). `value_and_grad` is the peer's own function of that name.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.workload import Array, Weights

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

Step = Callable[..., Any]
State = tuple[Any, ...]


def sgd(value_and_grad: Any, loss_of: Any, rate: float) -> Step:
    """Stochastic gradient descent; the state is the weights."""
    loss_and_grad = value_and_grad(loss_of)

    def step(p: Any, *batch: Any) -> tuple[Any, Any]:
        loss, g = loss_and_grad(p, *batch)
        return {k: p[k] - rate * g[k] for k in p}, loss

    return step


def adam_state(weights: Weights) -> tuple[Weights, Weights, Weights, Array]:
    """The weights, both moments, and the number of the step as a float."""
    m, v = ({k: np.zeros_like(p) for k, p in weights.items()} for _ in range(2))
    return weights, m, v, np.zeros((), np.float32)


def adam(value_and_grad: Any, loss_of: Any, rate: float, decay: float = 0.0) -> Step:
    """Adam, and AdamW where weights decay; the state is that of `adam_state`."""
    loss_and_grad = value_and_grad(loss_of)

    def step(state: State, *batch: Any) -> tuple[State, Any]:
        p, m, v, t = state
        loss, g = loss_and_grad(p, *batch)
        new = {k: _adam(p[k] * (1 - rate * decay), m[k], v[k], g[k], t + 1, rate) for k in p}
        return (*({k: parts[i] for k, parts in new.items()} for i in range(3)), t + 1), loss

    return step


def _adam(p: Any, m: Any, v: Any, g: Any, t: Any, rate: float) -> tuple[Any, Any, Any]:
    """(p, m, v) after step t = 1, 2, …"""
    m = BETA1 * m + (1 - BETA1) * g
    v = BETA2 * v + (1 - BETA2) * g * g
    root = (v / (1 - BETA2**t)) ** 0.5
    return p - rate / (1 - BETA1**t) * m / (root + EPS), m, v
