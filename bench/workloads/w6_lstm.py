"""W6. LSTM 128→256 over 50 steps, 64 classes at each step, cross-entropy, Adam, batch 32."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bench.networks import drawn, filled, linear_shapes
from bench.workload import Array, Bars, Weights, Workload

RATE = 1e-3
N_IN, N_HIDDEN, CLASSES, TIME = 128, 256, 64, 50
BATCH, STEPS = 32, 20


def data() -> tuple[Array, Array]:
    """Sequences (640, 50, 128) of noise, and at each step the class that a fixed linear map makes the largest."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH * STEPS, TIME, N_IN), np.float32)
    return x, (x @ rng.standard_normal((N_IN, CLASSES), np.float32)).argmax(-1)


def weights() -> Weights:
    """As the modules below name them."""
    gates = 4 * N_HIDDEN
    return drawn(
        {
            **{"0.weight_ih_l0": (gates, N_IN), "0.weight_hh_l0": (gates, N_HIDDEN)},
            **{"0.bias_ih_l0": (gates,), "0.bias_hh_l0": (gates,)},
            **linear_shapes("1", N_HIDDEN, CLASSES),
        }
    )


WORKLOAD = Workload(
    name="W6",
    title="LSTM 128→256, 50 steps, 64 classes at each, cross-entropy, Adam, batch 32",
    bars=Bars(call=1.5, epoch=1.5, best=1.5),
    data=data,
    weights=weights,
    batch=BATCH,
    steps=STEPS,
)


def in_torch(torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
    """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
    nn = torch.nn
    model = nn.ModuleList([nn.LSTM(N_IN, N_HIDDEN, batch_first=True), nn.Linear(N_HIDDEN, CLASSES)])
    lstm, head = filled(torch, model, weights)

    def loss_of(x: Any, y: Any) -> Any:
        h, _ = lstm(x)  # (b, t, 256)
        return nn.functional.cross_entropy(head(h).flatten(0, 1), y.flatten())

    return loss_of, torch.optim.Adam(model.parameters(), lr=RATE)


def in_jax(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state (weights, moments, step's number), and (state, batch) to (state, loss)."""
    import jax
    import jax.numpy as jnp

    from bench.jax_layers import cross_entropy, linear
    from bench.updates import adam, adam_state

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        inputs, recurrent = p["0.weight_ih_l0"].T, p["0.weight_hh_l0"].T
        bias = p["0.bias_ih_l0"] + p["0.bias_hh_l0"]

        def cell(carry: Any, now: Any) -> Any:  # all products in here: one for all inputs beforehand is slower in XLA
            h, c = carry
            i, f, g, o = jnp.split(now @ inputs + h @ recurrent + bias, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((len(x), N_HIDDEN))
        _, hs = jax.lax.scan(cell, (zeros, zeros), x.swapaxes(0, 1))  # (t, b, 256)
        return cross_entropy(linear(p, "1", hs), y.T)

    return adam_state(weights), adam(jax.value_and_grad, loss_of, RATE)
