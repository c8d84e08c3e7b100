"""W2. 784-128-10 with ReLU, cross-entropy, SGD with momentum 0.9, batch 64."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bench.workload import Array, Bars, Weights, Workload, dense_layers, digits, state_dict

RATE, MOMENTUM = 0.05, 0.9

WORKLOAD = Workload(
    name="W2",
    title="784-128-10 ReLU, cross-entropy, SGD with momentum, batch 64",
    bars=Bars(call=4.5, epoch=5, best=1.3),
    data=digits,
    weights=lambda: dense_layers(784, 128, 10),
    batch=64,
    steps=125,
)


def in_torch(torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
    """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    model.load_state_dict({k: torch.from_numpy(v) for k, v in state_dict(weights).items()})

    def loss_of(x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(model(x), y)

    return loss_of, torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)


def in_numpy(weights: Weights) -> Callable[..., Any]:
    """By hand: the step itself."""
    w1, b1, w2, b2 = (weights[k] for k in ("w1", "b1", "w2", "b2"))
    velocities = [np.zeros_like(p) for p in (w1, b1, w2, b2)]
    rate, momentum = np.float32(RATE), np.float32(MOMENTUM)

    def step(x: Array, y: Array) -> Any:
        h = np.maximum(x @ w1 + b1, 0)  # (b, 128)
        logits = h @ w2 + b2  # (b, 10)
        logits -= logits.max(1, keepdims=True)
        e = np.exp(logits)
        total = e.sum(1, keepdims=True)
        rows = np.arange(len(x))
        loss = np.mean(np.log(total[:, 0]) - logits[rows, y])
        d_logits = e / total
        d_logits[rows, y] -= 1
        d_logits /= len(x)
        d_h = d_logits @ w2.T
        d_h *= h > 0
        gradients = (x.T @ d_h, d_h.sum(0), h.T @ d_logits, d_logits.sum(0))
        for p, v, g in zip((w1, b1, w2, b2), velocities, gradients, strict=True):
            v *= momentum
            v += g
            p -= rate * v
        return loss

    return step


def in_jax(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state (weights, velocities), and (state, batch) to (state, loss)."""
    import jax
    import jax.numpy as jnp

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        logits = jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()

    def step(state: Any, x: Any, y: Any) -> Any:
        p, v = state
        loss, g = jax.value_and_grad(loss_of)(p, x, y)
        v = {k: MOMENTUM * v[k] + g[k] for k in p}
        return ({k: p[k] - RATE * v[k] for k in p}, v), loss

    return (weights, {k: np.zeros_like(p) for k, p in weights.items()}), step


def in_mlx(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state (weights, velocities), and (state, batch) to (state, loss)."""
    import mlx.core as mx
    import mlx.nn as nn

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        logits = nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]
        return nn.losses.cross_entropy(logits, y, reduction="mean")

    def step(state: Any, x: Any, y: Any) -> Any:
        p, v = state
        loss, g = mx.value_and_grad(loss_of)(p, x, y)
        v = {k: MOMENTUM * v[k] + g[k] for k in p}
        return ({k: p[k] - RATE * v[k] for k in p}, v), loss

    return (weights, {k: np.zeros_like(p) for k, p in weights.items()}), step


def in_autograd(weights: Weights) -> Callable[..., Any]:
    """The step itself."""
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.special import logsumexp

    velocities = {k: np.zeros_like(p) for k, p in weights.items()}
    rate, momentum = np.float32(RATE), np.float32(MOMENTUM)

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        logits = anp.dot(anp.maximum(anp.dot(x, p["w1"]) + p["b1"], 0), p["w2"]) + p["b2"]
        return anp.mean(logsumexp(logits, axis=1) - logits[np.arange(len(x)), y])

    loss_and_grad = value_and_grad(loss_of)

    def step(x: Array, y: Array) -> Any:
        loss, g = loss_and_grad(weights, x, y)
        for k, v in velocities.items():
            v *= momentum
            v += g[k]
            weights[k] -= rate * v
        return loss

    return step
