"""BERT-base tuned to classify: 12 layers, 12 heads, width 768, 2 classes, AdamW, batch 8 × 128 tokens, no dropout.

The classifier is what people tune BERT for, and leaves the step to the encoder. No sequence is padded.

Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding".
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from bench.networks import Shapes, attend, drawn, filled, linear_shapes, norm_shapes, text
from bench.workload import Array, Bars, Weights, Workload

VOCABULARY, CONTEXT, LAYERS, HEADS, WIDTH, EPS = 30522, 512, 12, 12, 768, 1e-12
RATE, DECAY = 2e-5, 0.01
BATCH, STEPS, TIME = 8, 5, 128


def data() -> tuple[Array, Array]:
    """Tokens (40, 128), and classes (40,)."""
    return text(VOCABULARY, BATCH * STEPS, TIME)[0], np.random.default_rng(0).integers(2, size=BATCH * STEPS)


def weights() -> Weights:
    """As the modules below name them."""
    d = WIDTH
    shapes: Shapes = {"words.weight": (VOCABULARY, d), "positions.weight": (CONTEXT, d), "types.weight": (2, d)}
    shapes |= norm_shapes("norm", d) | linear_shapes("pooler", d, d) | linear_shapes("classifier", d, 2)
    for i in range(LAYERS):
        for part in ("query", "key", "value", "attended"):
            shapes |= linear_shapes(f"layers.{i}.{part}", d, d)
        shapes |= norm_shapes(f"layers.{i}.norm1", d) | norm_shapes(f"layers.{i}.norm2", d)
        shapes |= linear_shapes(f"layers.{i}.wide", d, 4 * d) | linear_shapes(f"layers.{i}.narrow", 4 * d, d)
    return drawn(shapes, spread=0.02)


WORKLOAD = Workload(
    name="BERT",
    title="BERT-base with a classifier, AdamW, batch 8 × 128 tokens",
    bars=Bars(call=1.5, epoch=None, best=1.3),
    data=data,
    weights=weights,
    batch=BATCH,
    steps=STEPS,
    contenders=("pullback/call", "torch/eager", "torch/compiled", "jax/jit"),
    checked=10,
)


def in_torch(torch: ModuleType, weights: Weights) -> tuple[Callable[..., Any], Any]:
    """PyTorch's and Pullback's: the loss of a batch, and the optimizer."""
    nn = torch.nn

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value, self.attended = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH, EPS), nn.LayerNorm(WIDTH, EPS)
            self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:  # (b, t, d)
            h = attend(torch, (self.query(x), self.key(x), self.value(x)), HEADS)
            x = self.norm1(x + self.attended(h))
            return self.norm2(x + self.narrow(nn.functional.gelu(self.wide(x))))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.types, self.norm = nn.Embedding(2, WIDTH), nn.LayerNorm(WIDTH, EPS)
            self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])
            self.pooler, self.classifier = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2)

        def forward(self, tokens: Any) -> Any:  # (b, t) to (b, 2)
            x = self.norm(self.words(tokens) + self.positions.weight[: tokens.shape[1]] + self.types.weight[0])
            for layer in self.layers:
                x = layer(x)
            return self.classifier(self.pooler(x[:, 0]).tanh())

    model = filled(torch, Network(), weights)

    def loss_of(tokens: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(model(tokens), y)

    return loss_of, torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)


def in_jax(weights: Weights) -> tuple[Any, Callable[..., Any]]:
    """The state (weights, moments, step's number), and (state, batch) to (state, loss)."""
    import jax

    from bench.jax_layers import attend, cross_entropy, layer_norm, linear
    from bench.updates import adam, adam_state

    def loss_of(p: Any, tokens: Any, y: Any) -> Any:
        x = p["words.weight"][tokens] + p["positions.weight"][: tokens.shape[1]] + p["types.weight"][0]
        x = layer_norm(p, "norm", x, EPS)  # (b, t, d)
        for name in (f"layers.{i}" for i in range(LAYERS)):
            h = attend([linear(p, f"{name}.{part}", x) for part in ("query", "key", "value")], HEADS)
            x = layer_norm(p, f"{name}.norm1", x + linear(p, f"{name}.attended", h), EPS)
            h = linear(p, f"{name}.narrow", jax.nn.gelu(linear(p, f"{name}.wide", x), approximate=False))
            x = layer_norm(p, f"{name}.norm2", x + h, EPS)
        return cross_entropy(linear(p, "classifier", jax.numpy.tanh(linear(p, "pooler", x[:, 0]))), y)

    return adam_state(weights), adam(jax.value_and_grad, loss_of, RATE, DECAY)
