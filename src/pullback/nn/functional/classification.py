"""Losses for classes and probabilities."""

import numpy as np

from pullback.base.dtypes import int64
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from pullback.nn.functional.activation import log_one_plus_exp, relu
from pullback.nn.functional.checks import check_pair, check_tensor, numbers_are_known
from pullback.nn.functional.reduction import check_reduction, reduce_losses
from pullback.tensor.creation import arange
from pullback.tensor.pointwise import (
    add,
    cast_to,
    clamp,
    div,
    eq,
    exp,
    gt,
    log,
    log1p,
    logical_and,
    lt,
    mul,
    ne,
    neg,
    sub,
    where,
)
from pullback.tensor.reduction import any as any_of
from pullback.tensor.reduction import log_softmax, mean
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import reshape, unsqueeze
from pullback.tensor.tensor import Tensor


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """−ln softmax(x)[y] for logits x and classes y; for a target of probabilities q it is −Σ q · ln softmax(x).

    input: logits (n, c), (n, c, d1, …) or (c,), of floats. Not after a softmax or a ReLU: the loss takes the
    softmax itself, without overflow.
    target: classes 0 … c − 1 in the input's shape without c, of integers; or probabilities in the input's shape.
    weight: (c,), a factor for each class; the mean is then divided by the sum of the factors.
    ignore_index: a class that counts neither in the loss nor in the mean.
    label_smoothing: this part of each target is spread evenly over all classes.

    Raises DTypeError for classes of another dtype than integers, ShapeError for shapes that do not fit,
    IndexOutOfRange for a class that does not exist (inside a compiled function, where the classes are not known, the
    loss is NaN instead), ArgumentError for another reduction or a label_smoothing outside [0, 1].

    >>> import pullback as pb
    >>> logits = pb.tensor([[1e4, -1e4], [0.0, 0.0]])
    >>> pb.nn.functional.cross_entropy(logits, pb.tensor([1, 0]), reduction="none")
    tensor([2.0000e+04, 6.9315e-01])

    Source: torch.nn.functional.cross_entropy; Szegedy et al. 2016 for label smoothing.
    """
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"label_smoothing is from 0 to 1; got {label_smoothing}")
    dim = _class_dim("cross_entropy", input, target, weight)
    if target.dtype.is_floating_point and target.shape == input.shape:
        return _from_probabilities(input, target, weight, reduction, label_smoothing, ignore_index)
    _check_classes("cross_entropy", input, target, dim, ignore_index)
    scores = log_softmax(input, dim)
    return _from_classes(scores, target, weight, ignore_index, reduction, label_smoothing)


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """−x[y] for log-probabilities x (n, c), (n, c, d1, …) or (c,) and classes y; see `cross_entropy` for the rest.

    >>> import pullback as pb
    >>> pb.nn.functional.nll_loss(pb.tensor([[-0.5, -1.0]]), pb.tensor([1]))
    tensor(1.)

    Source: torch.nn.functional.nll_loss.
    """
    dim = _class_dim("nll_loss", input, target, weight)
    _check_classes("nll_loss", input, target, dim, ignore_index)
    return _from_classes(input, target, weight, ignore_index, reduction, 0.0)


def _class_dim(name: str, input: Tensor, target: Tensor, weight: Tensor | None) -> int:
    """The dim of the classes, after checks of the input and the weight, and that all three are tensors."""
    for role, x in (("input", input), ("target", target), ("weight", weight)):
        if role != "weight" or x is not None:
            check_tensor(name, role, x)
    if not input.dtype.is_floating_point:
        raise DTypeError(f"{name} needs an input of floats; got {input.dtype.name}: write input.float()")
    if not input.ndim:
        raise ShapeError(f"{name} needs an input (n, classes), (n, classes, d1, …) or (classes,); got a single number")
    dim = min(input.ndim - 1, 1)
    if weight is not None and weight.shape != (input.shape[dim],):
        raise ShapeError(f"{name} needs a weight for each of {input.shape[dim]} classes; got the shape {weight.shape}")
    return dim


def _check_classes(name: str, input: Tensor, target: Tensor, dim: int, ignore_index: int) -> None:
    wanted = (*input.shape[:dim], *input.shape[dim + 1 :])
    if target.dtype.kind != "int":
        raise DTypeError(
            f"{name} on an input of shape {input.shape} takes classes as integers of shape {wanted}: write "
            "target.long() (or probabilities as floats of the input's shape); "
            f"got {target.dtype.name} of shape {target.shape}"
        )
    if target.shape != wanted:
        one_hot = target.shape == input.shape
        remedy = "; a one-hot target must be floats: write target.to(input.dtype)" if one_hot else ""
        raise ShapeError(
            f"{name} on an input of shape {input.shape} takes classes of shape {wanted}; got {target.shape}{remedy}"
        )
    if numbers_are_known():
        _check_range(name, target.array(), input.shape[dim], ignore_index)


def _check_range(name: str, classes: np.ndarray, count: int, ignore_index: int) -> None:
    outside = ((classes < 0) | (classes >= count)) & (classes != ignore_index)
    if outside.any():
        place = tuple(int(i) for i in np.argwhere(outside)[0])
        from_one = classes.min() == 1 and classes.max() == count
        raise IndexOutOfRange(
            f"{name} with {count} classes takes targets from 0 to {count - 1} (or ignore_index={ignore_index}); "
            f"got {classes[place]} at {place}" + (": classes count from 0, write target - 1" if from_one else "")
        )


def _along_classes(x: Tensor, like: Tensor) -> Tensor:
    """A vector over the classes, shaped to broadcast against `like`."""
    return reshape(x, (-1, *(1,) * (like.ndim - 2))) if like.ndim > 2 else x


def _from_classes(
    scores: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, label_smoothing: float
) -> Tensor:
    """The loss from log-probabilities. A mask of each element's class is used rather than an index: its gradient is
    a choice in the same loop, not a scatter."""
    check_reduction(reduction)
    dim = min(scores.ndim - 1, 1)
    count = scores.shape[dim]
    chosen = eq(unsqueeze(target, dim), _along_classes(arange(count, dtype=int64), scores))
    scored = ne(target, ignore_index)
    if 0 <= ignore_index < count:
        chosen = logical_and(chosen, unsqueeze(scored, dim))
    factors = None if weight is None else _along_classes(weight, scores)
    weighted = scores if factors is None else mul(scores, factors)
    losses = neg(sum_over(where(chosen, weighted, 0.0), dim))
    losses = where(eq(scored, any_of(chosen, dim)), losses, float("nan"))  # NaN for classes that do not exist
    if label_smoothing:
        spread = where(scored, neg(sum_over(weighted, dim)), 0.0)
        losses = add(mul(losses, 1 - label_smoothing), mul(spread, label_smoothing / count))
    if reduction != "mean":
        return reduce_losses(losses, reduction)
    counted = scored if factors is None else where(chosen, factors, 0.0)
    return div(sum_over(losses), cast_to(sum_over(counted), losses.dtype))


def _from_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float, ignore_index: int
) -> Tensor:
    check_pair("cross_entropy", input, target)
    check_reduction(reduction)
    if ignore_index >= 0:
        raise ArgumentError(f"ignore_index={ignore_index} names a class, but the target holds probabilities")
    dim = min(input.ndim - 1, 1)
    count = input.shape[dim]
    if label_smoothing:
        target = add(mul(target, 1 - label_smoothing), label_smoothing / count)
    terms = mul(log_softmax(input, dim), target)
    if weight is not None:
        terms = mul(terms, _along_classes(weight, input))
    return reduce_losses(neg(sum_over(terms, dim)), reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """−(y · ln x + (1 − y) · ln(1 − x)) for probabilities x, each logarithm at least −100.

    The gradient (x − y) / (x (1 − x)) is finite everywhere: the divisor is at least 10⁻¹². From logits,
    `binary_cross_entropy_with_logits` is more exact.

    Raises ArgumentError for an x outside [0, 1] (where it is known: not within a compiled function), ShapeError when
    the shapes differ, DTypeError when the dtypes do.

    >>> import pullback as pb
    >>> pb.nn.functional.binary_cross_entropy(pb.tensor([0.5, 0.0]), pb.tensor([1.0, 1.0]), reduction="none")
    tensor([  0.6931, 100.0000])

    Source: torch.nn.functional.binary_cross_entropy.
    """
    check_pair("binary_cross_entropy", input, target)
    if numbers_are_known() and not bool(logical_and(input >= 0, input <= 1).all()):
        raise ArgumentError(
            f"binary_cross_entropy takes probabilities from 0 to 1; got {input.min().item():g} to "
            f"{input.max().item():g}: for logits use binary_cross_entropy_with_logits"
        )
    uncertainty = mul(input, sub(1.0, input))
    certain = lt(uncertainty, _LEAST)
    inside = where(certain, 0.5, input)
    usual = _bernoulli_loss(log(inside), log1p(neg(inside)), target)
    losses = where(certain, _loss_of_the_certain(input, target), usual)
    return reduce_losses(losses if weight is None else mul(losses, weight), reduction)


_LEAST = 1e-12  # what x (1 − x) counts as at least in the gradient (x − y) / (x (1 − x)) of the binary cross-entropy


def _bernoulli_loss(log_one: Tensor, log_zero: Tensor, target: Tensor) -> Tensor:
    return neg(add(mul(target, log_one), mul(sub(1.0, target), log_zero)))


def _loss_of_the_certain(input: Tensor, target: Tensor) -> Tensor:
    """The loss with each logarithm cut off at −100, and a gradient as if x (1 − x) were no less than 10⁻¹²."""
    x = input.detach()
    level = _bernoulli_loss(clamp(log(x), min=-100.0), clamp(log1p(neg(x)), min=-100.0), target)
    slope = mul(sub(x, target.detach()), 1 / _LEAST)
    return add(level, mul(slope, sub(input, x)))


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """−(w · y · ln σ(x) + (1 − y) · ln(1 − σ(x))) for logits x, as (1 − y) · x + (1 + (w − 1) · y) · ln(1 + e⁻ˣ).

    weight: a factor for each loss, pos_weight: the factor w for positives; both broadcast.

    Raises ShapeError when the shapes of input and target differ, DTypeError when their dtypes do.

    >>> import pullback as pb
    >>> pb.nn.functional.binary_cross_entropy_with_logits(pb.tensor([1e4, 0.0]), pb.tensor([1.0, 0.0]))
    tensor(0.3466)

    Source: torch.nn.functional.binary_cross_entropy_with_logits.
    """
    check_pair("binary_cross_entropy_with_logits", input, target)
    misses = log_one_plus_exp(neg(input))
    if pos_weight is not None:
        misses = mul(misses, add(mul(sub(pos_weight, 1.0), target), 1.0))
    losses = add(mul(sub(1.0, target), input), misses)
    return reduce_losses(losses if weight is None else mul(losses, weight), reduction)


def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """q · (ln q − x) for log-probabilities x and probabilities q (or, with log_target, their logarithms), 0 where
    q = 0. The divergence of whole distributions is reduction="batchmean": the sum divided by the first size.

    Raises DTypeError when the dtypes differ, ArgumentError for another reduction.

    >>> import pullback as pb
    >>> x = pb.tensor([[0.5, 0.5]]).log()
    >>> pb.nn.functional.kl_div(x, pb.tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(0.6931)

    Source: torch.nn.functional.kl_div; Kullback and Leibler 1951.
    """
    check_reduction(reduction, ("none", "batchmean", "sum", "mean"))
    check_pair("kl_div", input, target, shapes=False)
    if log_target:
        losses = mul(exp(target), sub(target, input))
    else:
        some = gt(target, 0)
        entropy = mul(target, log(where(some, target, 1.0)))
        losses = sub(entropy, mul(target, input))
    if reduction == "batchmean":
        return div(sum_over(losses), input.shape[0] if input.ndim else 1)
    return reduce_losses(losses, reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ over classes i ≠ y of max(0, margin − x[y] + x[i])ᵖ / c, times weight[y]; x is (n, c) or (c,).

    Errors as for `cross_entropy`; ArgumentError when p is neither 1 nor 2.

    >>> import pullback as pb
    >>> pb.nn.functional.multi_margin_loss(pb.tensor([[0.0, 2.0]]), pb.tensor([0]))
    tensor(1.5000)

    Source: torch.nn.functional.multi_margin_loss.
    """
    if p not in (1, 2):
        raise ArgumentError(f"multi_margin_loss has p = 1 or 2; got {p}")
    dim = _class_dim("multi_margin_loss", input, target, weight)
    _check_classes("multi_margin_loss", input, target, dim, -1 - input.shape[dim])
    chosen = eq(unsqueeze(target, dim), arange(input.shape[dim], dtype=int64))
    own = sum_over(where(chosen, input, 0.0), dim, keepdim=True)
    short = relu(add(sub(input, own), margin))
    terms = where(chosen, 0.0, short if p == 1 else mul(short, short))
    if weight is not None:
        terms = mul(terms, sum_over(where(chosen, weight, 0.0), dim, keepdim=True))
    return reduce_losses(mean(terms, dim), reduction)


def soft_margin_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """ln(1 + e^(−y · x)) for y = ±1. Errors as for `mse_loss`.

    >>> import pullback as pb
    >>> pb.nn.functional.soft_margin_loss(pb.tensor([0.0, 1e4]), pb.tensor([1.0, 1.0]), "none")
    tensor([0.6931, 0.0000])

    Source: torch.nn.functional.soft_margin_loss.
    """
    check_pair("soft_margin_loss", input, target)
    return reduce_losses(log_one_plus_exp(neg(mul(target, input))), reduction)


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """The mean over the classes (the last dim) of `binary_cross_entropy_with_logits`, times weight (c,).

    >>> import pullback as pb
    >>> pb.nn.functional.multilabel_soft_margin_loss(pb.tensor([[0.0, 0.0]]), pb.tensor([[1.0, 0.0]]))
    tensor(0.6931)

    Source: torch.nn.functional.multilabel_soft_margin_loss.
    """
    losses = binary_cross_entropy_with_logits(input, target, weight, "none")
    return reduce_losses(mean(losses, -1), reduction)
