"""Connectionist temporal classification: the loss of a sequence of labels whose places in time are not known."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pullback.base.dtypes import int64
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from pullback.grad.loops import scan
from pullback.ir.mode import mode
from pullback.nn.functional.checks import check_tensor
from pullback.nn.functional.padding import pad
from pullback.nn.functional.reduction import check_reduction, reduce_losses
from pullback.tensor.creation import arange, full, tensor
from pullback.tensor.indexing import index_select
from pullback.tensor.pointwise import add, cast_to, clamp, div, eq, exp, log, lt, maximum, mul, ne, neg, sub, where
from pullback.tensor.reduction import cumsum, gather
from pullback.tensor.shaping import expand, flatten, narrow, reshape, squeeze, stack, unsqueeze
from pullback.tensor.tensor import Tensor

Lengths = Tensor | Sequence[int]


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """−ln of the sum over all alignments of the labels with the steps of the product of their probabilities.

    An alignment gives each step a label or the blank; repeated labels are then joined and blanks removed, so that
    between equal labels there must be a blank.

    log_probs: logarithms of probabilities, as log_softmax gives them, (t, b, c), or (t, c) without b.
    targets: labels other than the blank, (b, s) padded, or those of all sequences one after the other, (sum of
    target_lengths,). Inside a compiled function that is given target_lengths as a tensor, padded ones are faster.
    input_lengths, target_lengths: (b,), how many steps and labels of each sequence count; tensors or numbers.
    reduction: "mean" divides each loss by its target length (at least 1) before the mean is taken.
    zero_infinity: 0 in place of the infinite loss of labels that cannot be aligned, for want of steps.

    The gradient is that of this formula (PyTorch's adds the softmax's, and so is right behind log_softmax alone), and
    0, not NaN, where a loss is infinite.

    Raises ShapeError, DTypeError, ArgumentError for lengths beyond the steps or labels that there are, IndexOutOfRange
    for a label that is none of the c classes. Lengths and labels are not checked where they are not known, inside a
    compiled function.

    >>> import pullback as pb
    >>> log_probs = pb.tensor([[0.5, 0.5], [0.5, 0.5]]).log()  # two steps, the blank and one label: 3 alignments of 4
    >>> pb.nn.functional.ctc_loss(log_probs, pb.tensor([1]), (2,), (1,)).exp()
    tensor(1.3333)

    Source: torch.nn.functional.ctc_loss; Graves et al. 2006, equations 6 and 7.
    """
    check_reduction(reduction)
    _check("log_probs", log_probs, (2, 3))
    _check("targets", targets, (1, 2))
    alone = log_probs.ndim == 2
    scores = unsqueeze(log_probs, 1) if alone else log_probs
    steps, count, classes = scores.shape
    if not log_probs.dtype.is_floating_point or targets.dtype.kind != "int":
        raise DTypeError(
            "ctc_loss takes log_probs of floats and targets of integers; "
            f"got {log_probs.dtype.name} and {targets.dtype.name}"
        )
    if not 0 <= blank < classes:
        raise ArgumentError(f"the blank is one of the {classes} classes, 0 to {classes - 1}; got {blank}")
    if not steps:
        raise ShapeError("ctc_loss needs one step or more in log_probs; got none")
    times, _ = _lengths("input_lengths", input_lengths, count, steps)
    padded = targets.ndim == 2
    if padded and targets.shape[0] != count:
        raise ShapeError(f"ctc_loss needs targets for each of {count} sequences; got the shape {targets.shape}")
    sizes, known = _lengths("target_lengths", target_lengths, count, targets.shape[-1])
    labels = targets if padded else _in_rows(targets, sizes, known)
    labels = where(lt(arange(labels.shape[1], dtype=int64), unsqueeze(sizes, 1)), cast_to(labels, int64), blank)
    _check_labels(labels, classes)
    losses = neg(_log_likelihood(scores, labels, times, sizes, blank))
    if zero_infinity:
        losses = where(eq(losses, math.inf), 0.0, losses)
    if reduction == "mean":
        losses = div(losses, cast_to(clamp(sizes, min=1), losses.dtype))
    return squeeze(losses, 0) if alone and reduction == "none" else reduce_losses(losses, reduction)


def _check(role: str, x: Any, ranks: tuple[int, ...]) -> None:
    check_tensor("ctc_loss", role, x)
    if x.ndim not in ranks:
        raise ShapeError(f"ctc_loss takes {role} of {' or '.join(map(str, ranks))} dims; got the shape {x.shape}")


def _lengths(role: str, given: Any, count: int, most: int) -> tuple[Tensor, np.ndarray[Any, Any] | None]:
    """Lengths (b,), and as an array where they are known."""
    lengths = given if isinstance(given, Tensor) else tensor(given, dtype=int64)
    if lengths.dtype.kind != "int":
        raise DTypeError(f"ctc_loss takes {role} of integers; got {lengths.dtype.name}")
    if lengths.numel() != count or lengths.ndim > 1:
        raise ShapeError(f"ctc_loss needs {role} for each of {count} sequences; got the shape {lengths.shape}")
    lengths = cast_to(reshape(lengths, (count,)), int64)
    if mode.recorder is not None and isinstance(given, Tensor):
        return lengths, None
    known = np.asarray(given.array() if isinstance(given, Tensor) else given).reshape(-1).astype(np.int64)
    if known.size and not (known.min() >= 0 and known.max() <= most):
        raise ArgumentError(f"ctc_loss takes {role} from 0 to the {most} that there are; got {known.tolist()}")
    return lengths, known


def _in_rows(targets: Tensor, sizes: Tensor, known: np.ndarray[Any, Any] | None) -> Tensor:
    """Labels one after the other (n,) as rows (b, s), with anything behind the end of a row.

    Where lengths are not known, no row is longer than all together.
    """
    if known is not None and known.sum() != len(targets):
        raise ShapeError(
            f"ctc_loss takes targets one after the other, as many as target_lengths add up to: {known.sum()}; "
            f"got {len(targets)}"
        )
    longest = len(targets) if known is None else int(known.max(initial=0))
    if not longest:
        return full((len(sizes), 0), 0, dtype=int64)
    places = add(unsqueeze(sub(cumsum(sizes, 0), sizes), 1), arange(longest, dtype=int64))
    rows = index_select(targets, 0, flatten(clamp(places, max=len(targets) - 1)))
    return reshape(rows, (len(sizes), longest))


def _check_labels(labels: Tensor, classes: int) -> None:
    if mode.recorder is None and labels.numel():
        found = labels.array()
        if found.min() < 0 or found.max() >= classes:
            raise IndexOutOfRange(f"ctc_loss takes labels from 0 to {classes - 1}; got {found.min()} to {found.max()}")


def _log_likelihood(scores: Tensor, labels: Tensor, times: Tensor, sizes: Tensor, blank: int) -> Tensor:
    """ln Σ over alignments, (b,), from scores (t, b, c) and labels (b, s).

    The states of an alignment are the labels with a blank before, between and behind them, (b, 2 s + 1): α_t(i) is the
    logarithm of the sum over all ways to be in state i after t steps. A step stays, goes on by one, or leaves out a
    blank between two different labels. What lies behind the end of a row of labels leads nowhere.
    """
    steps, count, _ = scores.shape
    blanks = full(labels.shape, blank, dtype=int64)
    between = reshape(stack([blanks, labels], 2), (count, -1))
    states = pad(between, (0, 1), value=blank)  # (b, 2 s + 1)
    width = states.shape[1]
    at_states = gather(scores, 2, expand(unsqueeze(states, 0), steps, count, width))  # (t, b, 2 s + 1)
    # Two blanks are equal, so that this lets none of the labels be left out.
    may_skip = ne(narrow(states, 1, 2, width - 2), narrow(states, 1, 0, width - 2)) if width > 2 else None

    def step(alpha: Tensor, row: tuple[Tensor, Tensor]) -> tuple[Tensor, None]:
        emitted, goes_on = row
        ways = [alpha, pad(narrow(alpha, 1, 0, width - 1), (1, 0), value=-math.inf)]
        if may_skip is not None:
            ways.append(pad(where(may_skip, narrow(alpha, 1, 0, width - 2), -math.inf), (2, 0), value=-math.inf))
        return where(goes_on, add(_log_sum(ways), emitted), alpha), None

    start = where(eq(arange(width, dtype=int64), 0), full((), 0.0, dtype=scores.dtype), -math.inf)
    goes_on = lt(reshape(arange(steps, dtype=int64), (-1, 1, 1)), unsqueeze(times, 1))  # (t, b, 1)
    alpha, _ = scan(step, expand(start, count, width), (at_states, goes_on))
    last = unsqueeze(mul(sizes, 2), 1)
    at_blank = squeeze(gather(alpha, 1, last), 1)
    at_label = squeeze(gather(alpha, 1, clamp(sub(last, 1), min=0)), 1)
    return _log_sum([at_blank, where(eq(sizes, 0), -math.inf, at_label)])


def _log_sum(ways: Sequence[Tensor]) -> Tensor:
    """ln Σ exp(x), elementwise; −inf, with a gradient of 0, where all are."""
    top = ways[0]
    for way in ways[1:]:
        top = maximum(top, way)
    top = top.detach()
    none = eq(top, -math.inf)
    top = where(none, 0.0, top)
    total = exp(sub(ways[0], top))
    for way in ways[1:]:
        total = add(total, exp(sub(way, top)))
    return where(none, -math.inf, add(log(where(none, 1.0, total)), top))
