"""Gradients kept within bounds, between `backward()` and `step()`."""

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

from pullback.base.dtypes import float32
from pullback.base.errors import ArgumentError, DTypeError, GradientError, TraceError
from pullback.grad.backward import no_grad
from pullback.ir.mode import mode
from pullback.tensor.creation import tensor
from pullback.tensor.pointwise import abs as absolute
from pullback.tensor.pointwise import cast_to, clamp, sqrt
from pullback.tensor.promotion import result_type
from pullback.tensor.reduction import amin, norm
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import stack
from pullback.tensor.tensor import Tensor

Tensors = Tensor | Iterable[Tensor]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Sequence[Tensor]) -> list[Tensor]:
    return [p.grad for p in parameters if p.grad is not None]


def _norm(x: Tensor, order: float) -> Tensor:
    wide = cast_to(x, float32) if x.dtype.is_half else x
    if order == 2:
        squares = sum_over(wide * wide)
        return cast_to(sqrt(squares), x.dtype)
    return cast_to(amin(absolute(wide)) if order == -math.inf else norm(wide, order), x.dtype)


@no_grad()
def get_total_norm(
    tensors: Tensors, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all tensors as one vector, (Σ |x|ᵖ)^(1/p) with p = norm_type; a tensor without dims.

    norm_type: any number; inf for the largest |x|.
    error_if_nonfinite: raise GradientError when the norm is infinite or NaN. Not within compiled functions, which know
        no numbers: there a TraceError tells to return the norm and look at it outside.
    foreach: changes nothing.

    >>> import pullback as pb
    >>> pb.nn.utils.get_total_norm([pb.tensor([3.0]), pb.tensor([4.0])])
    tensor(5.)

    Source: torch.nn.utils.get_total_norm.
    """
    norms = [_norm(x, float(norm_type)) for x in _listed(tensors)]
    if not norms:
        return tensor(0.0)
    dtype = result_type(*norms)
    together = stack([cast_to(x, dtype) for x in norms])
    total = _norm(together, float(norm_type))
    if error_if_nonfinite:
        _check_finite(total, float(norm_type))
    return total


def _check_finite(total: Tensor, norm_type: float) -> None:
    if mode.recorder is not None:
        raise TraceError(
            "error_if_nonfinite looks at the norm, which has no number inside a compiled function; leave it out, "
            "return the norm from the function and test it outside"
        )
    if not math.isfinite(total.item()):
        raise GradientError(
            f"the norm of order {norm_type} of the gradients is {total.item()}, so that they cannot be clipped; find "
            "where the loss or a layer overflows, or leave error_if_nonfinite out to go on with NaN"
        )


@no_grad()
def clip_grads_with_norm_(parameters: Tensors, max_norm: Any, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale all gradients by min(1, max_norm / (total_norm + 1e-6)), in place, with a norm that is known already.

    max_norm: a number or a tensor without dims. foreach: changes nothing.

    >>> import pullback as pb
    >>> w = pb.ones(2, requires_grad=True)
    >>> (3 * w).sum().backward()
    >>> pb.nn.utils.clip_grads_with_norm_(w, 1.0, pb.tensor(6.0))
    >>> w.grad
    tensor([0.5000, 0.5000])

    Source: torch.nn.utils.clip_grads_with_norm_.
    """
    share = clamp(max_norm / (total_norm + 1e-6), max=1.0)
    for g in _gradients(_listed(parameters)):
        clipped = g * cast_to(share, g.dtype)
        g.assign(clipped.value)


@no_grad()
def clip_grad_norm_(
    parameters: Tensors,
    max_norm: Any,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients so that their total norm is at most max_norm; the norm that they had before.

        g ← g · min(1, max_norm / (norm + 1e-6)),   norm = (Σ |g|ᵖ)^(1/p) over all gradients, p = norm_type

    parameters: one tensor or several; those without a gradient are passed over.
    max_norm: a number or a tensor without dims; in a compiled step a tensor may change without tracing anew.
    error_if_nonfinite: raise GradientError when the norm is infinite or NaN (TraceError in a compiled function).
    foreach: changes nothing.

    >>> import pullback as pb
    >>> w = pb.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> pb.nn.utils.clip_grad_norm_([w], max_norm=1.0), w.grad
    (tensor(10.), tensor([0.6000, 0.8000]))

    Source: Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", algorithm 1;
    torch.nn.utils.clip_grad_norm_.
    """
    listed = _listed(parameters)
    total = get_total_norm(_gradients(listed), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(listed, max_norm, total)
    return total


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Cut every element of the gradients to [−clip_value, clip_value], in place. NaN stays.

    foreach: changes nothing.

    Raises ArgumentError when clip_value is negative, DTypeError when it is no number.

    >>> import pullback as pb
    >>> w = pb.tensor([3.0, -0.25], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> pb.nn.utils.clip_grad_value_(w, 1.0)
    >>> w.grad
    tensor([ 1.0000, -0.5000])

    Source: torch.nn.utils.clip_grad_value_.
    """
    if not isinstance(clip_value, (Real, Tensor)):
        raise DTypeError(f"clip_value is a number; got {type(clip_value).__name__}")
    if clip_value < 0:
        raise ArgumentError(f"clip_value is at least 0; got {clip_value!r}")
    for g in _gradients(_listed(parameters)):
        g.clamp_(min=-clip_value, max=clip_value)
