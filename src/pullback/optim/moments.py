"""What several update rules share: counting steps, running averages, and weight decay in its two forms."""

from collections.abc import Mapping

from pullback.base.dtypes import float64
from pullback.optim.hyperparameters import Hyperparameters
from pullback.tensor.pointwise import cast_to
from pullback.tensor.tensor import Tensor


def next_step(s: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The number of this step, as it is kept and in float64 for powers."""
    n = s["step"] + 1
    return n, cast_to(n, float64)


def average(kept: Tensor, new: Tensor, rate: Tensor) -> Tensor:
    """rate · kept + (1 − rate) · new, written so that an average of equal numbers stays as it is."""
    share = 1 - rate
    return kept + share * (new - kept)


def average_square(kept: Tensor, g: Tensor, rate: Tensor) -> Tensor:
    """rate · kept + (1 − rate) · g²."""
    share = 1 - rate
    return rate * kept + share * g * g


def with_penalty(g: Tensor, p: Tensor, h: Hyperparameters) -> Tensor:
    """The gradient with that of ½ · weight_decay · ‖p‖² added: weight decay that passes through the rule."""
    return g + h["weight_decay"] * p if h.on("weight_decay") else g


def shrunk(p: Tensor, h: Hyperparameters) -> Tensor:
    """(1 − lr · weight_decay) · p: weight decay that is decoupled from the rule."""
    if not h.on("weight_decay"):
        return p
    keep = 1 - h["lr"] * h["weight_decay"]
    return keep * p


def decayed(p: Tensor, g: Tensor, h: Hyperparameters) -> tuple[Tensor, Tensor]:
    """Parameter and gradient after weight decay in the form that `decoupled_weight_decay` asks for."""
    return (shrunk(p, h), g) if h.on("decoupled_weight_decay") else (p, with_penalty(g, p, h))
