"""What the larger workloads share in JAX's words: layers as functions of the weights p, under PyTorch's names."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def linear(p: Any, name: str, x: Any) -> Any:
    """(…, in) to (…, out)."""
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def layer_norm(p: Any, name: str, x: Any, eps: float = 1e-5) -> Any:
    """Over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    scale = lax.rsqrt((centred**2).mean(-1, keepdims=True) + eps)
    return centred * scale * p[f"{name}.weight"] + p[f"{name}.bias"]


def attend(parts: Any, heads: int, causal: bool = False) -> Any:
    """Attention of queries, keys and values, (b, t, d) each, to (b, t, d)."""
    q, k, v = (part.reshape(*part.shape[:2], heads, -1) for part in parts)  # (b, t, h, k)
    return jax.nn.dot_product_attention(q, k, v, is_causal=causal).reshape(parts[0].shape)


def conv(p: Any, name: str, x: Any, stride: int = 1, padding: int = 0) -> Any:
    """A convolution without its bias; images are (b, height, width, c), which XLA is faster with on a CPU."""
    numbers = ("NHWC", "OIHW", "NHWC")
    return lax.conv_general_dilated(
        x, p[f"{name}.weight"], (stride, stride), [(padding, padding)] * 2, dimension_numbers=numbers
    )


def batch_norm(p: Any, name: str, x: Any, seen: dict[str, Any]) -> Any:
    """Of images, by the statistics of their batch; `seen` gets mean and unbiased variance, stacked, (2, c)."""
    n, mean, variance = x[..., 0].size, x.mean((0, 1, 2)), x.var((0, 1, 2))
    seen[name] = lax.stop_gradient(jnp.stack([mean, variance * n / (n - 1)]))
    return (x - mean) * lax.rsqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def cross_entropy(logits: Any, classes: Any) -> Any:
    """The mean over all classes (…) of the negative logarithm of their share in the logits (…, n)."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), classes[..., None], axis=-1).mean()
