"""What every loss does at its end: reduce the losses to one number."""

from pullback.base.errors import ArgumentError, suggest
from pullback.tensor.reduction import mean
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.tensor import Tensor

_REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str, allowed: tuple[str, ...] = _REDUCTIONS) -> None:
    """Raise ArgumentError for a reduction that is not among those allowed."""
    if reduction not in allowed:
        hint = suggest(str(reduction), allowed)
        raise ArgumentError(f"reduction is one of {', '.join(map(repr, allowed))}; got {reduction!r}.{hint}")


def reduce_losses(losses: Tensor, reduction: str) -> Tensor:
    """The losses themselves, their mean or their sum."""
    check_reduction(reduction)
    return losses if reduction == "none" else mean(losses) if reduction == "mean" else sum_over(losses)
