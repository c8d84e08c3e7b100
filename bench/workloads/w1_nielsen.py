"""W1. 784-30-10 with sigmoids, ½ squared error summed over the outputs and averaged over the batch, SGD, batch 10.

Source: Nielsen, "Neural Networks and Deep Learning", chapter 1.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bench.workload import Array, Bars, Weights, Workload, dense_layers, digits, state_dict

RATE = 3.0


def data() -> tuple[Array, Array]:
    """Pixels (8000, 784), and the classes as ones among zeros (8000, 10)."""
    pixels, classes = digits()
    return pixels, np.eye(10, dtype=np.float32)[classes]


WORKLOAD = Workload(
    name="W1",
    title="784-30-10 sigmoid, ½ squared error, SGD, batch 10",
    bars=Bars(call=12, epoch=20, best=2),
    data=data,
    weights=lambda: dense_layers(784, 30, 10),
    batch=10,
    steps=800,
)


def in_torch(torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
    """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid())
    model.load_state_dict({k: torch.from_numpy(v) for k, v in state_dict(weights).items()})

    def loss_of(x: Any, y: Any) -> Any:
        return 0.5 * ((model(x) - y) ** 2).sum(dim=1).mean()

    return loss_of, torch.optim.SGD(model.parameters(), lr=RATE)


def in_numpy(weights: Weights) -> Callable[..., Any]:
    """By hand: the step itself."""
    w1, b1, w2, b2 = (weights[k] for k in ("w1", "b1", "w2", "b2"))
    one, half, rate = np.float32(1), np.float32(0.5), np.float32(RATE)

    def step(x: Array, y: Array) -> Any:
        h = one / (one + np.exp(-(x @ w1 + b1)))  # (b, 30)
        out = one / (one + np.exp(-(h @ w2 + b2)))  # (b, 10)
        error = out - y
        d_out = error * out * (one - out) / np.float32(len(x))
        d_h = d_out @ w2.T * h * (one - h)
        for p, g in ((w2, h.T @ d_out), (b2, d_out.sum(0)), (w1, x.T @ d_h), (b1, d_h.sum(0))):
            g *= rate
            p -= g
        return half * np.vdot(error, error) / np.float32(len(x))

    return step


def in_jax(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state, and (state, batch) to (state, loss)."""
    import jax

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        h = jax.nn.sigmoid(x @ p["w1"] + p["b1"])
        out = jax.nn.sigmoid(h @ p["w2"] + p["b2"])
        return 0.5 * ((out - y) ** 2).sum(axis=1).mean()

    def step(p: Any, x: Any, y: Any) -> Any:
        loss, g = jax.value_and_grad(loss_of)(p, x, y)
        return {k: p[k] - RATE * g[k] for k in p}, loss

    return weights, step


def in_mlx(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state, and (state, batch) to (state, loss)."""
    import mlx.core as mx

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        h = mx.sigmoid(x @ p["w1"] + p["b1"])
        out = mx.sigmoid(h @ p["w2"] + p["b2"])
        return 0.5 * ((out - y) ** 2).sum(axis=1).mean()

    def step(p: Any, x: Any, y: Any) -> Any:
        loss, g = mx.value_and_grad(loss_of)(p, x, y)
        return {k: p[k] - RATE * g[k] for k in p}, loss

    return weights, step


def in_autograd(weights: Weights) -> Callable[..., Any]:
    """The step itself."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    one, half, rate = np.float32(1), np.float32(0.5), np.float32(RATE)

    def sigmoid(x: Any) -> Any:
        return one / (one + anp.exp(-x))

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        h = sigmoid(anp.dot(x, p["w1"]) + p["b1"])
        out = sigmoid(anp.dot(h, p["w2"]) + p["b2"])
        return half * anp.mean(anp.sum((out - y) ** 2, axis=1))

    loss_and_grad = value_and_grad(loss_of)

    def step(x: Array, y: Array) -> Any:
        loss, g = loss_and_grad(weights, x, y)
        for k in weights:
            weights[k] -= rate * g[k]
        return loss

    return step
