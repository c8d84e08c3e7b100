"""Losses."""

from pullback.base.errors import ShapeError
from pullback.tensor.pointwise import mul, neg, sub
from pullback.tensor.reduction import gather, log_softmax, mean
from pullback.tensor.shaping import squeeze, unsqueeze
from pullback.tensor.tensor import Tensor


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The mean of (x − y)²."""
    if input.shape != target.shape:
        raise ShapeError(f"mse_loss needs input and target of one shape; got {input.shape} and {target.shape}")
    away = sub(input, target)
    return mean(mul(away, away))


def cross_entropy(input: Tensor, target: Tensor) -> Tensor:
    """The mean of −ln softmax(x)[y]."""
    return neg(mean(squeeze(gather(log_softmax(input, 1), 1, unsqueeze(target, 1)), 1)))
