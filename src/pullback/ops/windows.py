"""Windows that slide over the last axes, and adding them up where they lie over one another: what convolution,
pooling and their gradients are made of."""

import numpy as np

from pullback.base.dtypes import Array, float32
from pullback.base.errors import ShapeError
from pullback.base.shapes import Shape, span
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.ops.create import as_dtype_of
from pullback.ops.movement import Sizes
from pullback.ops.record import op
from pullback.ops.rules import require_wide


def _counts(length: Shape, size: Sizes, stride: Sizes, dilation: Sizes) -> Shape:
    """How many windows fit along each axis."""
    if not len(length) == len(size) == len(stride) == len(dilation) or min((*size, *stride, *dilation)) < 1:
        raise ShapeError(
            f"windows need a size, stride and dilation of 1 or more for each of the last {len(size)} axes; got {size}, "
            f"{stride} and {dilation}"
        )
    reach = [span(k, d) for k, d in zip(size, dilation, strict=True)]
    if any(r > n for r, n in zip(reach, length, strict=True)):
        raise ShapeError(f"windows that reach over {tuple(reach)} elements do not fit into axes of {length}")
    return tuple((n - r) // s + 1 for n, r, s in zip(length, reach, stride, strict=True))


def _windows_rule(x: Type, *, size: Sizes, stride: Sizes, dilation: Sizes) -> Type:
    if not 1 <= len(size) <= x.rank:
        raise ShapeError(f"windows over {len(size)} axes need a tensor with as many; got {x}")
    lead, length = x.shape[: -len(size)], x.shape[-len(size) :]
    return x.with_shape((*lead, *size, *_counts(length, size, stride, dilation)))


def _windows_gradient(g: Value, y: Value, x: Value, size: Sizes, stride: Sizes, dilation: Sizes) -> Value:
    wide = as_dtype_of(g, float32) if g.dtype.is_half else g
    length = x.shape[-len(size) :]
    return as_dtype_of(overlap_add(wide, length=length, stride=stride, dilation=dilation), g.dtype)


@op(_windows_rule, (_windows_gradient,), flops=0)
def windows(x: Array, *, size: Sizes, stride: Sizes, dilation: Sizes) -> Array:
    """Every window of a size over the last axes: (…, n₁, …) to (…, k₁, …, o₁, …), places within windows before windows.

    y[k, o] = x[stride o + dilation k]
    gx[stride o + dilation k] += g[k, o]
    """
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    last = tuple(range(-len(size), 0))
    views = np.lib.stride_tricks.sliding_window_view(x, reach, last)
    steps = [slice(None, None, step) for step in (*stride, *dilation)]
    views = views[(..., *steps)]  # type: ignore[arg-type]  # the stub knows no slices
    return np.moveaxis(views, last, range(x.ndim - len(size), x.ndim))


def _overlap_rule(x: Type, *, length: Shape, stride: Sizes, dilation: Sizes) -> Type:
    require_wide("overlap_add", x)
    rank = len(length)
    if x.rank < 2 * rank:
        raise ShapeError(f"overlap_add into {rank} axes needs a tensor with twice as many; got {x}")
    counts = _counts(length, x.shape[-2 * rank : -rank], stride, dilation)
    if counts != x.shape[-rank:]:
        raise ShapeError(f"axes of {length} have {counts} such windows; got {x}")
    return x.with_shape((*x.shape[: -2 * rank], *length))


def _overlap_gradient(g: Value, y: Value, x: Value, length: Shape, stride: Sizes, dilation: Sizes) -> Value:
    return windows(g, size=x.shape[-2 * len(length) : -len(length)], stride=stride, dilation=dilation)


@op(_overlap_rule, (_overlap_gradient,), flops=lambda x, **params: x.size)
def overlap_add(x: Array, *, length: Shape, stride: Sizes, dilation: Sizes) -> Array:
    """Windows, laid out as `windows` gives them, added up where they stand in axes of this length.

    y[stride o + dilation k] += x[k, o]
    gx[k, o] = g[stride o + dilation k]
    """
    rank = len(length)
    size, count = x.shape[-2 * rank : -rank], x.shape[-rank:]
    y = np.zeros((*x.shape[: -2 * rank], *length), x.dtype)
    for place in np.ndindex(*size):
        steps = zip(place, count, stride, dilation, strict=True)
        to = [slice(k * d, k * d + (n - 1) * s + 1, s) for k, n, s, d in steps]
        y[(..., *to)] += x[(..., *place, *[slice(None)] * rank)]  # type: ignore[arg-type]  # the stub knows no slices
    return y
