"""W5. Two convolutions (1-32-64, 3×3) with ReLU, max-pool by 2, 9216-128-10, cross-entropy, SGD, batch 64."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from bench.networks import drawn, filled, linear_shapes
from bench.workload import Array, Bars, Weights, Workload, digits

RATE = 0.01
# All but JAX's scan over an epoch: inside a loop XLA leaves its fast convolutions, and a step takes seconds.
CONTENDERS = ("pullback/call", "pullback/epoch", "torch/eager", "torch/compiled", "torch/compiled-step", "jax/jit")


def data() -> tuple[Array, Array]:
    """Digits (8000, 1, 28, 28), and their classes."""
    pixels, classes = digits()
    return pixels.reshape(-1, 1, 28, 28), classes


def weights() -> Weights:
    """As the Sequential below names them."""
    return drawn(
        {
            **{"0.weight": (32, 1, 3, 3), "0.bias": (32,), "2.weight": (64, 32, 3, 3), "2.bias": (64,)},
            **linear_shapes("6", 9216, 128),
            **linear_shapes("8", 128, 10),
        }
    )


WORKLOAD = Workload(
    name="W5",
    title="conv 1-32-64 (3×3) ReLU, max-pool, 9216-128-10, cross-entropy, SGD, batch 64",
    bars=Bars(call=2, epoch=2, best=2),
    data=data,
    weights=weights,
    batch=64,
    steps=20,
    contenders=CONTENDERS,
)


def in_torch(torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
    """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
    nn = torch.nn
    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    filled(torch, model, weights)

    def loss_of(x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(model(x), y)

    return loss_of, torch.optim.SGD(model.parameters(), lr=RATE)


def in_jax(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state, and (state, batch) to (state, loss)."""
    import jax

    from bench.jax_layers import conv, cross_entropy, linear
    from bench.updates import sgd

    def loss_of(p: Any, x: Any, y: Any) -> Any:
        h = jax.nn.relu(conv(p, "0", x.reshape(-1, 28, 28, 1)) + p["0.bias"])
        h = jax.nn.relu(conv(p, "2", h) + p["2.bias"])  # (b, 24, 24, 64)
        h = h.reshape(-1, 12, 2, 12, 2, 64).max((2, 4)).transpose(0, 3, 1, 2)  # (b, 64, 12, 12)
        h = jax.nn.relu(linear(p, "6", h.reshape(-1, 9216)))
        return cross_entropy(linear(p, "8", h), y)

    return weights, sgd(jax.value_and_grad, loss_of, RATE)
