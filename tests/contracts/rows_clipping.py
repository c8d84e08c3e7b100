"""Rows for the clipping of gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

GRADIENTS = (np.linspace(-3, 2, 6).reshape(2, 3), np.array(0.5), None, np.array([4.0, -0.1, 0.0]))


@dataclass(frozen=True)
class ClippingRow:
    """One way to clip, over four parameters, of which one has no gradient."""

    name: str
    clip: Callable[[Any, list[Any]], Any]
    dtype: str = "float64"
    scale: float = 1.0

    def run(self, lib: Any) -> list[Any]:
        """What the function returns, then the gradients."""
        dtype = getattr(lib, self.dtype)
        params = [lib.zeros(() if g is None else g.shape, dtype=dtype).requires_grad_() for g in GRADIENTS]
        for p, g in zip(params, GRADIENTS, strict=True):
            p.grad = None if g is None else lib.tensor(g * self.scale, dtype=dtype)
        return [self.clip(lib.nn.utils, params), *[p.grad for p in params]]


def norm(*args: Any) -> Callable[[Any, list[Any]], Any]:
    """Clip by norm with these arguments."""
    return lambda utils, params: utils.clip_grad_norm_(params, *args)


ORACLE_ROWS = [
    ClippingRow("norm", norm(1.0)),
    ClippingRow("norm_float32", norm(1.0), "float32"),
    ClippingRow("norm_bfloat16", norm(1.0), "bfloat16"),
    ClippingRow("norm_is_small_enough", norm(100.0)),
    ClippingRow("norm_of_one_tensor", lambda utils, params: utils.clip_grad_norm_(params[0], 1.0)),
    ClippingRow("norm_1", norm(1.0, 1)),
    ClippingRow("norm_3", norm(0.5, 3.0)),
    ClippingRow("norm_inf", norm(1.0, float("inf"))),
    ClippingRow("norm_minus_inf", norm(0.01, float("-inf"))),
    ClippingRow("norm_0", norm(2.0, 0.0)),
    ClippingRow("norm_of_zeros", norm(1.0), scale=0.0),
    ClippingRow("norm_nan", norm(1.0), scale=float("nan")),
    ClippingRow("norm_infinite", norm(1.0), scale=1e200),
    ClippingRow("no_gradients", lambda utils, params: utils.clip_grad_norm_(params[2:3], 1.0)),
    ClippingRow("value", lambda utils, params: utils.clip_grad_value_(params, 1.5)),
    ClippingRow("value_of_one_tensor", lambda utils, params: utils.clip_grad_value_(params[3], 0.05)),
    ClippingRow("value_nan", lambda utils, params: utils.clip_grad_value_(params, 1.5), scale=float("nan")),
    ClippingRow("total_norm", lambda utils, params: utils.get_total_norm([params[0].grad, params[3].grad])),
    ClippingRow("total_norm_of_nothing", lambda utils, params: utils.get_total_norm([])),
    ClippingRow("known_norm", lambda utils, params: utils.clip_grads_with_norm_(params, 2.0, params[3].grad.max())),
]
