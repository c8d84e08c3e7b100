"""Losses for numbers. Input and target have one shape: nothing is broadcast, for a target (n,) against an input (n, 1)
would compare every element with every other."""

import math

from pullback.base.errors import ArgumentError, ShapeError
from pullback.nn.functional.checks import check_pair, numbers_are_known
from pullback.nn.functional.reduction import reduce_losses
from pullback.tensor.creation import full_like
from pullback.tensor.pointwise import abs as absolute
from pullback.tensor.pointwise import add, div, exp, ge, gt, log, lt, mul, sub, where
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import unsqueeze
from pullback.tensor.tensor import Tensor


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(x − y)².

    weight: a factor for each loss, in the input's shape; the mean is then divided by their sum.

    A target of another dtype is promoted: a float64 target makes the loss float64.

    Raises ShapeError when the shapes differ (PyTorch broadcasts, with a warning), DTypeError for inputs that are no
    floats and for a target of bools.

    >>> import pullback as pb
    >>> pb.nn.functional.mse_loss(pb.tensor([1.0, 2.0]), pb.tensor([1.0, 4.0]))
    tensor(2.)

    Source: torch.nn.functional.mse_loss.
    """
    check_pair("mse_loss", input, target, promotes=True)
    away = sub(input, target)
    return _reduce_weighted(mul(away, away), reduction, weight)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """|x − y|; its gradient where x = y is 0. Weight, dtypes and errors as for `mse_loss`.

    >>> import pullback as pb
    >>> pb.nn.functional.l1_loss(pb.tensor([1.0, 2.0]), pb.tensor([1.0, 4.0]))
    tensor(1.)

    Source: torch.nn.functional.l1_loss.
    """
    check_pair("l1_loss", input, target, promotes=True)
    return _reduce_weighted(absolute(sub(input, target)), reduction, weight)


def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """½ d² / beta where d = |x − y| < beta, else d − ½ beta. Dtypes and errors as for `mse_loss`.

    Raises ArgumentError when beta is negative.

    >>> import pullback as pb
    >>> pb.nn.functional.smooth_l1_loss(pb.tensor([1.0, 2.0]), pb.tensor([1.5, 4.0]), "none")
    tensor([0.1250, 1.5000])

    Source: torch.nn.functional.smooth_l1_loss; Girshick 2015.
    """
    if beta < 0:
        raise ArgumentError(f"smooth_l1_loss needs beta ≥ 0; got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    check_pair("smooth_l1_loss", input, target, promotes=True)
    away, near = _near(input, target, beta)
    quadratic = mul(mul(near, near), 0.5 / beta)
    return reduce_losses(where(ge(away, beta), sub(away, 0.5 * beta), quadratic), reduction)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """½ d² where d = |x − y| < delta, else delta · (d − ½ delta). Errors as for `mse_loss`,
    and DTypeError for a target of another dtype.

    weight: a factor for each loss, in the input's shape; the mean is divided by their number.

    Raises ArgumentError when delta is not above 0.

    >>> import pullback as pb
    >>> pb.nn.functional.huber_loss(pb.tensor([1.0, 2.0]), pb.tensor([1.5, 4.0]), "none")
    tensor([0.1250, 1.5000])

    Source: torch.nn.functional.huber_loss; Huber 1964.
    """
    if delta <= 0:
        raise ArgumentError(f"huber_loss needs delta > 0; got {delta}")
    check_pair("huber_loss", input, target)
    away, near = _near(input, target, delta)
    losses = where(ge(away, delta), mul(sub(away, 0.5 * delta), delta), mul(mul(near, near), 0.5))
    return reduce_losses(_weighted(losses, weight), reduction)


def _weighted(losses: Tensor, weight: Tensor | None) -> Tensor:
    if weight is not None and weight.shape != losses.shape:
        raise ShapeError(f"a weight for each loss has their shape {losses.shape}; got {weight.shape}")
    return losses if weight is None else mul(losses, weight)


def _reduce_weighted(losses: Tensor, reduction: str, weight: Tensor | None) -> Tensor:
    """As `reduce_losses`, but the mean is divided by the sum of the weights."""
    if weight is None or reduction != "mean":
        return reduce_losses(_weighted(losses, weight), reduction)
    return div(sum_over(_weighted(losses, weight)), sum_over(weight))


def _near(input: Tensor, target: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """|x − y|, and x − y, but 0 where that reaches the bound, so that no square overflows.

    NaN is not replaced: it has to reach the gradient.
    """
    difference = sub(input, target)
    away = absolute(difference)
    return away, where(ge(away, bound), 0.0, difference)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """eˣ − y · x, for x the logarithm of the expected count; x − y · ln(x + eps) with log_input=False.

    full adds Stirling's y ln y − y + ½ ln(2πy) where y > 1. Input and target have one dtype; other errors
    as for `mse_loss`.

    >>> import pullback as pb
    >>> pb.nn.functional.poisson_nll_loss(pb.tensor([0.0]), pb.tensor([3.0]))
    tensor(1.)

    Source: torch.nn.functional.poisson_nll_loss.
    """
    check_pair("poisson_nll_loss", input, target)
    expected = exp(input) if log_input else input
    losses = sub(expected, mul(target, input if log_input else log(add(input, eps))))
    if full:
        large = gt(target, 1)
        y = where(large, target, 1.0)
        stirling = add(sub(mul(y, log(y)), y), mul(log(mul(y, 2 * math.pi)), 0.5))
        losses = add(losses, where(large, stirling, 0.0))
    return reduce_losses(losses, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """½ (ln v + (x − y)² / v) for a variance v of at least eps; full adds ½ ln 2π.

    var has the input's shape, or lacks its last dim, or has size 1 there, or is one number.

    Raises ShapeError for another shape of var, ArgumentError for negative variances (where they are known: not within
    a compiled function). Errors for input and target as for `huber_loss`.

    >>> import pullback as pb
    >>> pb.nn.functional.gaussian_nll_loss(pb.tensor([1.0]), pb.tensor([3.0]), pb.tensor([1.0]))
    tensor(2.)

    Source: torch.nn.functional.gaussian_nll_loss; Nix and Weigend 1994.
    """
    check_pair("gaussian_nll_loss", input, target)
    variance = _variance_like(input, var)
    if numbers_are_known() and bool(lt(variance, 0).any()):
        raise ArgumentError("gaussian_nll_loss needs variances that are not negative")
    # The gradient passes as if nothing had been raised; an infinite variance is not subtracted from itself.
    raised = where(lt(variance, eps), sub(eps, variance), 0.0).detach()
    bounded = add(variance, raised)
    away = sub(input, target)
    losses = mul(add(log(bounded), div(mul(away, away), bounded)), 0.5)
    return reduce_losses(add(losses, 0.5 * math.log(2 * math.pi)) if full else losses, reduction)


def _variance_like(input: Tensor, var: Tensor | float) -> Tensor:
    if not isinstance(var, Tensor):
        return full_like(input, var)
    if var.shape == input.shape or var.shape == (*input.shape[:-1], 1):
        return var
    if var.shape == input.shape[:-1]:
        return unsqueeze(var, -1)
    raise ShapeError(
        f"gaussian_nll_loss needs a variance of the input's shape {input.shape}, or with its last dim absent or 1; "
        f"got {var.shape}"
    )
