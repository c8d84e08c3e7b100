"""What the larger workloads share: weights drawn from a table of shapes, a text, and attention in PyTorch's words."""

from types import ModuleType
from typing import Any

import numpy as np

from bench.workload import Array, Weights

Shapes = dict[str, tuple[int, ...]]


def linear_shapes(name: str, n_in: int, n_out: int) -> Shapes:
    """Those of a Linear layer."""
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def norm_shapes(name: str, n: int) -> Shapes:
    """Those of a LayerNorm or a BatchNorm."""
    return {f"{name}.weight": (n,), f"{name}.bias": (n,)}


def drawn(shapes: Shapes, spread: float | None = None) -> Weights:
    """Weights from a seed: normal with that standard deviation, or 1/√in; vectors are 0, those of a norm's weight 1."""
    rng, weights = np.random.default_rng(0), Weights()
    for name, shape in shapes.items():
        if len(shape) == 1:
            weights[name] = np.full(shape, name.endswith("weight"), np.float32)
        else:
            weights[name] = rng.standard_normal(shape, np.float32)
            weights[name] *= np.float32(spread or np.prod(shape[1:]) ** -0.5)
    return weights


def filled(torch: ModuleType, model: Any, weights: Weights) -> Any:
    """The model with these weights; buffers that they lack stay as they are."""
    model.load_state_dict({**model.state_dict(), **{name: torch.from_numpy(w) for name, w in weights.items()}})
    return model


def text(vocabulary: int, rows: int, t: int) -> tuple[Array, Array]:
    """Tokens (rows, t), and those that follow them (rows, t): three in four are told by the one before."""
    rng = np.random.default_rng(0)
    follower = rng.permutation(vocabulary)
    tokens, told = rng.integers(vocabulary, size=(t + 1, rows)), rng.random((t, rows)) < 0.75
    for i in range(t):
        tokens[i + 1][told[i]] = follower[tokens[i][told[i]]]
    return np.ascontiguousarray(tokens[:-1].T), np.ascontiguousarray(tokens[1:].T)


def attend(torch: ModuleType, parts: Any, heads: int, causal: bool = False) -> Any:
    """Attention of queries, keys and values, (b, t, d) each, to (b, t, d)."""
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts)  # (b, h, t, k)
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)
