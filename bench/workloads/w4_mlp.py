"""W4. 784-1024-1024-10 with ReLU, cross-entropy, Adam, batch 256: nearly all of it is matrix products."""

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bench.updates import BETA1, BETA2, EPS, adam, adam_state
from bench.workload import Array, Bars, Weights, Workload, dense_layers, digits, state_dict

RATE = 1e-3
SIZES = (784, 1024, 1024, 10)
BATCH = 256


def product_flops() -> int:
    """Each layer's product, and those for the gradients of its weight and of its input; the pixels need none."""
    layers = [n_in * n_out for n_in, n_out in itertools.pairwise(SIZES)]
    return 2 * BATCH * (3 * sum(layers) - layers[0])


WORKLOAD = Workload(
    name="W4",
    title="784-1024-1024-10 ReLU, cross-entropy, Adam, batch 256",
    bars=Bars(call=2.4, epoch=2.4, best=1.25),
    data=digits,
    weights=lambda: dense_layers(*SIZES),
    batch=BATCH,
    steps=31,
    product_flops=product_flops(),
    product_bar=0.85,
)


def in_torch(torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
    """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))
    model.load_state_dict({k: torch.from_numpy(v) for k, v in state_dict(weights).items()})

    def loss_of(x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(model(x), y)

    return loss_of, torch.optim.Adam(model.parameters(), lr=RATE, betas=(BETA1, BETA2), eps=EPS)


def adam_in_place(p: Array, m: Array, v: Array, g: Array, t: int) -> None:
    """NumPy's and autograd's update: step t = 1, 2, … of one parameter with its moments m and v; g is spoilt."""
    m += np.float32(1 - BETA1) * (g - m)
    v *= np.float32(BETA2)
    g *= g
    g *= np.float32(1 - BETA2)
    v += g
    root = np.sqrt(v, out=g)
    root *= np.float32((1 - BETA2**t) ** -0.5)
    root += np.float32(EPS)
    np.divide(m, root, out=root)
    root *= np.float32(RATE / (1 - BETA1**t))
    p -= root


def in_numpy(weights: Weights) -> Callable[..., Any]:
    """By hand: the step itself."""
    w1, b1, w2, b2, w3, b3 = parameters = list(weights.values())
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    t = 0

    def step(x: Array, y: Array) -> Any:
        nonlocal t
        h1 = np.maximum(x @ w1 + b1, 0)  # (b, 1024)
        h2 = np.maximum(h1 @ w2 + b2, 0)  # (b, 1024)
        logits = h2 @ w3 + b3  # (b, 10)
        logits -= logits.max(1, keepdims=True)
        e = np.exp(logits)
        total = e.sum(1, keepdims=True)
        rows = np.arange(len(x))
        loss = np.mean(np.log(total[:, 0]) - logits[rows, y])
        d_logits = e / total
        d_logits[rows, y] -= 1
        d_logits /= len(x)
        d_h2 = d_logits @ w3.T
        d_h2 *= h2 > 0
        d_h1 = d_h2 @ w2.T
        d_h1 *= h1 > 0
        gradients = (x.T @ d_h1, d_h1.sum(0), h1.T @ d_h2, d_h2.sum(0), h2.T @ d_logits, d_logits.sum(0))
        t += 1
        for p, (m, v), g in zip(parameters, moments, gradients, strict=True):
            adam_in_place(p, m, v, g, t)
        return loss

    return step


def in_jax(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state (weights, moments, step's number), and (state, batch) to (state, loss)."""
    import jax
    import jax.numpy as jnp

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        h1 = jax.nn.relu(x @ p["w1"] + p["b1"])
        h2 = jax.nn.relu(h1 @ p["w2"] + p["b2"])
        logits = h2 @ p["w3"] + p["b3"]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()

    return adam_state(weights), adam(jax.value_and_grad, loss_of, RATE)


def in_mlx(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state (weights, moments, step's number), and (state, batch) to (state, loss)."""
    import mlx.core as mx
    import mlx.nn as nn

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        h1 = nn.relu(x @ p["w1"] + p["b1"])
        h2 = nn.relu(h1 @ p["w2"] + p["b2"])
        return nn.losses.cross_entropy(h2 @ p["w3"] + p["b3"], y, reduction="mean")

    return adam_state(weights), adam(mx.value_and_grad, loss_of, RATE)


def in_autograd(weights: Weights) -> Callable[..., Any]:
    """The step itself."""
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.special import logsumexp

    _, ms, vs, _ = adam_state(weights)
    t = 0

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        h1 = anp.maximum(anp.dot(x, p["w1"]) + p["b1"], 0)
        h2 = anp.maximum(anp.dot(h1, p["w2"]) + p["b2"], 0)
        logits = anp.dot(h2, p["w3"]) + p["b3"]
        return anp.mean(logsumexp(logits, axis=1) - logits[np.arange(len(x)), y])

    loss_and_grad = value_and_grad(loss_of)

    def step(x: Array, y: Array) -> Any:
        nonlocal t
        t += 1
        loss, g = loss_and_grad(weights, x, y)
        for k in weights:
            adam_in_place(weights[k], ms[k], vs[k], g[k], t)
        return loss

    return step
