"""W3. 10-5-1 with ReLU, mean squared error, SGD on the full batch of 100: what a table of a hundred rows asks for."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bench.workload import Array, Bars, Weights, Workload, dense_layers, state_dict

RATE = 0.05


def data() -> tuple[Array, Array]:
    """x (100, 10), and a curved function of it (100, 1)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 10)).astype(np.float32)
    return x, np.sin(x @ rng.standard_normal((10, 1)) / 3).astype(np.float32)


WORKLOAD = Workload(
    name="W3",
    title="10-5-1 ReLU, mean squared error, SGD, full batch of 100",
    bars=Bars(call=15, epoch=50, best=1.5),
    data=data,
    weights=lambda: dense_layers(10, 5, 1),
    steps=1000,
)


def in_torch(torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
    """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(10, 5), nn.ReLU(), nn.Linear(5, 1))
    model.load_state_dict({k: torch.from_numpy(v) for k, v in state_dict(weights).items()})

    def loss_of(x: Any, y: Any) -> Any:
        return nn.functional.mse_loss(model(x), y)

    return loss_of, torch.optim.SGD(model.parameters(), lr=RATE)


def in_numpy(weights: Weights) -> Callable[..., Any]:
    """By hand: the step itself."""
    w1, b1, w2, b2 = (weights[k] for k in ("w1", "b1", "w2", "b2"))
    rate = np.float32(RATE)

    def step(x: Array, y: Array) -> Any:
        h = np.maximum(x @ w1 + b1, 0)  # (b, 5)
        error = h @ w2 + b2 - y  # (b, 1)
        d_out = error * np.float32(2 / len(x))
        d_h = d_out @ w2.T
        d_h *= h > 0
        for p, g in ((w2, h.T @ d_out), (b2, d_out.sum(0)), (w1, x.T @ d_h), (b1, d_h.sum(0))):
            g *= rate
            p -= g
        return np.vdot(error, error) / np.float32(len(x))

    return step


def in_jax(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state, and (state, batch) to (state, loss)."""
    import jax

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        out = jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
        return ((out - y) ** 2).mean()

    def step(p: Any, x: Any, y: Any) -> Any:
        loss, g = jax.value_and_grad(loss_of)(p, x, y)
        return {k: p[k] - RATE * g[k] for k in p}, loss

    return weights, step


def in_mlx(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state, and (state, batch) to (state, loss)."""
    import mlx.core as mx
    import mlx.nn as nn

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        out = nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
        return ((out - y) ** 2).mean()

    def step(p: Any, x: Any, y: Any) -> Any:
        loss, g = mx.value_and_grad(loss_of)(p, x, y)
        return {k: p[k] - RATE * g[k] for k in p}, loss

    return weights, step


def in_autograd(weights: Weights) -> Callable[..., Any]:
    """The step itself."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    rate = np.float32(RATE)

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        out = anp.dot(anp.maximum(anp.dot(x, p["w1"]) + p["b1"], 0), p["w2"]) + p["b2"]
        return anp.mean((out - y) ** 2)

    loss_and_grad = value_and_grad(loss_of)

    def step(x: Array, y: Array) -> Any:
        loss, g = loss_and_grad(weights, x, y)
        for k in weights:
            weights[k] -= rate * g[k]
        return loss

    return step
