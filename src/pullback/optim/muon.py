"""Muon: momentum made orthogonal, for the matrices of hidden layers."""

import math
from collections.abc import Mapping
from typing import Any

from pullback.base.dtypes import bfloat16, float32
from pullback.base.errors import ArgumentError, ShapeError
from pullback.optim.groups import Params
from pullback.optim.hyperparameters import Group, Hyperparameters, is_number
from pullback.optim.moments import average, shrunk
from pullback.optim.optimizer import Optimizer, State
from pullback.optim.slots import Slot
from pullback.tensor.linear import matmul
from pullback.tensor.pointwise import cast_to, maximum, sqrt
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import transpose
from pullback.tensor.tensor import Tensor


def _rounded(x: Tensor) -> Tensor:
    """Rounded to bfloat16, in which the rule is defined, and given back in float32, in which we compute."""
    return cast_to(cast_to(x, bfloat16), float32)


def orthogonal(g: Tensor, coefficients: tuple[float, float, float], steps: int, eps: Tensor) -> Tensor:
    """The matrix with about the singular vectors of g, and singular values between about 0.7 and 1.2; in float32.

        X ← g / max(‖g‖, eps)
        X ← a · X + (b · A + c · A²) · X,   A = X Xᵀ      (`steps` times, the Newton-Schulz iteration)

    The smaller side comes first, so that A is small. Every product is rounded to bfloat16.
    """
    a, b, c = coefficients
    tall = g.shape[0] > g.shape[1]
    x = _rounded(transpose(g, 0, 1) if tall else g)
    x = _rounded(x / maximum(_rounded(sqrt(sum_over(x * x))), _rounded(eps)))
    for _ in range(steps):
        gram = _rounded(matmul(x, transpose(x, 0, 1)))
        polynomial = _rounded(b * gram + c * matmul(gram, gram))
        x = _rounded(a * x + matmul(polynomial, x))
    return transpose(x, 0, 1) if tall else x


def _ratio(adjust_lr_fn: str | None, rows: int, columns: int) -> float:
    """How many times lr an orthogonal update of this shape is taken."""
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


class Muon(Optimizer):
    """Momentum whose singular values are all made about 1, for matrices of hidden layers.

        m ← momentum · m + (1 − momentum) · g
        u = (1 − momentum) · g + momentum · m       (u = m without nesterov)
        O = orthogonal factor of u, by ns_steps Newton-Schulz iterations in bfloat16
        p ← p − lr · weight_decay · p
        p ← p − lr · ratio · O,   ratio = √max(1, rows / columns)

    With adjust_lr_fn="match_rms_adamw" the ratio is 0.2 · √max(rows, columns), so that AdamW's lr and weight_decay can
    be kept. Biases, embeddings and the last layer are for another optimiser, such as AdamW.

    Raises ShapeError for parameters that are no matrices; ArgumentError for a negative lr, momentum or weight_decay,
    for 100 ns_steps or more, for ns_coefficients that are not three numbers, and for an unknown adjust_lr_fn.

    >>> import pullback as pb
    >>> w = pb.zeros(2, 2, requires_grad=True)
    >>> optimizer = pb.optim.Muon([w], lr=1.0)
    >>> (w * pb.tensor([[3.0, 0.0], [0.0, 4.0]])).sum().backward()
    >>> optimizer.step()
    >>> pb.allclose(w, -pb.eye(2), atol=0.35)
    True

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; Liu et al. 2025, "Muon is
    scalable for LLM training" (match_rms_adamw); torch.optim.Muon.
    """

    slots = (Slot("momentum_buffer"),)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def prepare_group(self, group: Group) -> None:
        """Only matrices, and only iterations that end."""
        super().prepare_group(group)
        for p in group["params"]:
            if p.ndim != 2:
                raise ShapeError(f"Muon updates matrices; got a parameter of shape {p.shape}: give it to AdamW")
        known = (None, "original", "match_rms_adamw")
        if group["adjust_lr_fn"] not in known:
            raise ArgumentError(f"Muon: adjust_lr_fn is one of {known}; got {group['adjust_lr_fn']!r}")
        if not isinstance(group["ns_steps"], int) or not 0 <= group["ns_steps"] < 100:
            raise ArgumentError(f"Muon: ns_steps is a whole number from 0 to 99; got {group['ns_steps']!r}")
        coefficients = group["ns_coefficients"]
        if len(coefficients) != 3 or not all(map(is_number, coefficients)):
            raise ArgumentError(f"Muon: ns_coefficients are three numbers; got {coefficients!r}")

    def update(self, p: Tensor, g: Tensor, s: Mapping[str, Tensor], h: Hyperparameters) -> tuple[Tensor, State]:
        """The rule above."""
        m = average(s["momentum_buffer"], g, h["momentum"])
        u = average(m, g, h["momentum"]) if h.on("nesterov") else m
        o = orthogonal(u, h.choice("ns_coefficients"), h.choice("ns_steps"), h["eps"])
        rate = h["lr"] * _ratio(h.choice("adjust_lr_fn"), *p.shape)
        return shrunk(p, h) - rate * cast_to(o, p.dtype), {"momentum_buffer": m}
