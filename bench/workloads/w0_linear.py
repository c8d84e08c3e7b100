"""W0. y = w x + b fitted to 100 points: mean squared error, SGD. There is next to nothing to compute."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bench.workload import Array, Bars, Weights, Workload

RATE = 0.1


def data() -> tuple[Array, Array]:
    """x (100,), and 3 x + 2 with noise."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 100, dtype=np.float32)
    return x, (3 * x + 2 + 0.1 * rng.standard_normal(100)).astype(np.float32)


def weights() -> Weights:
    """Both scalars start at 0."""
    return {"w": np.zeros((), np.float32), "b": np.zeros((), np.float32)}


WORKLOAD = Workload(
    name="W0",
    title="y = wx + b, 100 points, mean squared error, SGD",
    bars=Bars(call=10, epoch=50, best=1.5),
    data=data,
    weights=weights,
    steps=1000,
)


def in_torch(torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
    """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
    w, b = (torch.from_numpy(weights[name]).requires_grad_() for name in "wb")

    def loss_of(x: Any, y: Any) -> Any:
        return ((w * x + b - y) ** 2).mean()

    return loss_of, torch.optim.SGD([w, b], lr=RATE)


def in_numpy(weights: Weights) -> Callable[..., Any]:
    """By hand: the step itself."""
    w, b, rate = weights["w"][()], weights["b"][()], np.float32(RATE)

    def step(x: Array, y: Array) -> Any:
        nonlocal w, b
        error = w * x + b - y
        g = error * np.float32(2 / len(x))
        w = w - rate * (g @ x)
        b = b - rate * g.sum()
        return error @ error / np.float32(len(x))

    return step


def in_jax(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state, and (state, batch) to (state, loss)."""
    import jax

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        return ((p["w"] * x + p["b"] - y) ** 2).mean()

    def step(p: Any, x: Any, y: Any) -> Any:
        loss, g = jax.value_and_grad(loss_of)(p, x, y)
        return {k: p[k] - RATE * g[k] for k in p}, loss

    return weights, step


def in_mlx(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state, and (state, batch) to (state, loss)."""
    import mlx.core as mx

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        return ((p["w"] * x + p["b"] - y) ** 2).mean()

    def step(p: Any, x: Any, y: Any) -> Any:
        loss, g = mx.value_and_grad(loss_of)(p, x, y)
        return {k: p[k] - RATE * g[k] for k in p}, loss

    return weights, step


def in_autograd(weights: Weights) -> Callable[..., Any]:
    """The step itself."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    p, rate = {k: np.array(v) for k, v in weights.items()}, np.float32(RATE)

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        return anp.mean((p["w"] * x + p["b"] - y) ** 2)

    loss_and_grad = value_and_grad(loss_of)

    def step(x: Array, y: Array) -> Any:
        loss, g = loss_and_grad(p, x, y)
        for k in p:
            p[k] = p[k] - rate * g[k]
        return loss

    return step
