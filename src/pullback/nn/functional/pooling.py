"""Pooling: the largest, the mean or another sum of each window of the last axes.

Whatever the windows are, they are looked at as (..., places, windows). 16-bit floats are added up in float32 and given
back in their own dtype. Of equally large elements in a window the first one counts, and receives the gradient.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import pullback.ops as ops
from pullback.base.dtypes import DType, int64
from pullback.base.errors import ArgumentError, ShapeError
from pullback.base.shapes import Shape, size_of
from pullback.ir.node import Value
from pullback.nn.functional.spatial import (
    Sizes,
    check_floats,
    check_spatial,
    flat_windows,
    padded,
    per_axis,
    reaches,
    wide_dtype,
    widened,
    windows_over,
)
from pullback.tensor.pointwise import abs as absolute
from pullback.tensor.pointwise import mul, power, relu, sign
from pullback.tensor.promotion import convert
from pullback.tensor.tensor import Tensor, from_array

# Integers for all axes, or a sequence with one for each.
Axes = Any
# Sums over windows of more places run over one axis after the other.
_AT_ONCE = 16


def max_pool1d(
    input: Tensor,
    kernel_size: Axes,
    stride: Axes = None,
    padding: Axes = 0,
    dilation: Axes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """y[i] = the largest of x[stride · i + dilation · k − padding] for k from 0 to kernel_size − 1; NaN if one is NaN.

    x is (b, c, n) or (c, n), y (..., m) with m = ⌊(n + 2 padding − dilation (kernel_size − 1) − 1) / stride⌋ + 1.
    stride is kernel_size when none is given. Of equally large elements the first receives the gradient.

    ceil_mode: m is rounded up, so that the last window may reach beyond the end.
    return_indices: also the places (int64) of the largest, as (y, places).

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window.

    >>> import pullback as pb
    >>> x = pb.tensor([[1.0, 3.0, 2.0, 0.0]])
    >>> pb.nn.functional.max_pool1d(x, 2, return_indices=True)
    (tensor([[3., 2.]]), tensor([[1, 2]]))

    Source: torch.nn.functional.max_pool1d.
    """
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Axes,
    stride: Axes = None,
    padding: Axes = 0,
    dilation: Axes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of each window over two axes: (b, c, h, w) or (c, h, w) to (..., …, …); see `max_pool1d`.

    kernel_size, stride, padding and dilation are one number or two. return_indices: places in the flattened (h, w).

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window.

    >>> import pullback as pb
    >>> pb.nn.functional.max_pool2d(pb.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])

    Source: torch.nn.functional.max_pool2d.
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Axes,
    stride: Axes = None,
    padding: Axes = 0,
    dilation: Axes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of each window over three axes: (b, c, d, h, w) or (c, d, h, w) to (..., …, …, …); see `max_pool1d`.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window.

    >>> import pullback as pb
    >>> pb.nn.functional.max_pool3d(pb.zeros(1, 2, 4, 4, 4), 2).shape
    (1, 2, 2, 2, 2)

    Source: torch.nn.functional.max_pool3d.
    """
    return _max_pool("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool1d(
    input: Tensor,
    kernel_size: Axes,
    stride: Axes = None,
    padding: Axes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """y[i] = the mean of x[stride · i + k − padding] for k from 0 to kernel_size − 1, with zeros as padding.

    x is (b, c, n) or (c, n), y (..., m) with m = ⌊(n + 2 padding − kernel_size) / stride⌋ + 1. stride is kernel_size
    when none is given.

    ceil_mode: m is rounded up; what then lies beyond the padding does not count.
    count_include_pad: whether the zeros count among the elements that the sum is divided by.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window, DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.functional.avg_pool1d(pb.tensor([[1.0, 3.0, 5.0, 7.0]]), 2, stride=1)
    tensor([[2., 4., 6.]])

    Source: torch.nn.functional.avg_pool1d.
    """
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Axes,
    stride: Axes = None,
    padding: Axes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window over two axes: (b, c, h, w) or (c, h, w) to (..., …, …); see `avg_pool1d`.

    divisor_override: what the sums are divided by instead.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window, DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.functional.avg_pool2d(pb.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])

    Source: torch.nn.functional.avg_pool2d.
    """
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input: Tensor,
    kernel_size: Axes,
    stride: Axes = None,
    padding: Axes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window over three axes: (b, c, d, h, w) or (c, d, h, w) to (..., …, …, …); see `avg_pool2d`.

    Raises ShapeError when no window fits, ArgumentError for a padding over half the window, DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.functional.avg_pool3d(pb.zeros(1, 2, 4, 4, 4), 2).shape
    (1, 2, 2, 2, 2)

    Source: torch.nn.functional.avg_pool3d.
    """
    return _avg_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Axes, stride: Axes = None, ceil_mode: bool = False
) -> Tensor:
    """y[i] = (Σ xᵖ)^(1/p) over each window, with p = norm_type: (b, c, n) or (c, n) to (..., m).

    The power is of x itself, not of |x|, and its sum counts as 0 where it is negative. Where it is 0, the gradient is
    NaN. Sizes as in `avg_pool1d`.

    Raises ShapeError when no window fits, DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.functional.lp_pool1d(pb.tensor([[3.0, 4.0, 0.0, 5.0]]), 2, 2)
    tensor([[5., 5.]])

    Source: torch.nn.functional.lp_pool1d.
    """
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Axes, stride: Axes = None, ceil_mode: bool = False
) -> Tensor:
    """(Σ xᵖ)^(1/p) of each window over two axes, with p = norm_type; see `lp_pool1d`.

    Raises ShapeError when no window fits, DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.functional.lp_pool2d(pb.ones(1, 4, 4), 2, 2)
    tensor([[[2., 2.],
             [2., 2.]]])

    Source: torch.nn.functional.lp_pool2d.
    """
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Axes, stride: Axes = None, ceil_mode: bool = False
) -> Tensor:
    """(Σ xᵖ)^(1/p) of each window over three axes, with p = norm_type; see `lp_pool1d`.

    Raises ShapeError when no window fits, DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.functional.lp_pool3d(pb.ones(1, 2, 2, 2), 3, 2)
    tensor([[[[2.]]]])

    Source: torch.nn.functional.lp_pool3d.
    """
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


# Windows
def _grid(
    name: str, input: Tensor, size: Sizes, stride: Axes, padding: Axes, dilation: Sizes, ceil_mode: bool
) -> tuple[Sizes, Sizes, Sizes, Shape]:
    """Steps, what stands before and behind each axis, and how many windows there are."""
    rank = len(size)
    steps = size if stride is None else per_axis(name, "stride", stride, rank)
    low = per_axis(name, "padding", padding, rank, least=0)
    reach, length = reaches(size, dilation), input.shape[-rank:]
    if any(2 * p > r for p, r in zip(low, reach, strict=True)):
        raise ArgumentError(f"{name} takes a padding of at most half of what a window spans, {reach}; got {low}")
    axes = list(zip(length, low, reach, steps, strict=True))
    counts = tuple(_count(n, p, r, s, ceil_mode) for n, p, r, s in axes)
    if min(counts) < 1:
        raise ShapeError(
            f"{name} looks at windows that span {reach}, but its input, with padding {low}, has {length}: pad it or "
            "take a smaller window"
        )
    high = tuple(max((c - 1) * s + r - p - n, 0) for c, (n, p, r, s) in zip(counts, axes, strict=True))
    return steps, low, high, counts


def _count(n: int, padding: int, reach: int, stride: int, ceil_mode: bool) -> int:
    """How many windows fit into an axis; when rounded up, those that begin in the input or the padding before it."""
    room = n + 2 * padding - reach
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - ((count - 1) * stride >= n + padding)


# The largest
def _max_pool(
    name: str,
    rank: int,
    input: Tensor,
    kernel_size: Axes,
    stride: Axes,
    padding: Axes,
    dilation: Axes,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    check_spatial(name, input, rank)
    size, gaps = per_axis(name, "kernel_size", kernel_size, rank), per_axis(name, "dilation", dilation, rank)
    steps, low, high, counts = _grid(name, input, size, stride, padding, gaps, ceil_mode)
    x, least = widened(input), lowest(wide_dtype(input.dtype))

    def seen(values: Value) -> Value:
        return flat_windows(windows_over(padded(values, low, high, least), size, steps, gaps), rank)

    # The padding must not win against elements that are as small; only padding before the input comes first.
    columns, ranked = seen(x), seen(_above(x, least)) if any(low) else None
    length = input.shape[-rank:]
    places = window_places(length, counts, size, steps, low, gaps) if return_indices else None
    return largest(columns, ranked, counts, input.dtype, places)


def lowest(dtype: DType) -> float:
    """The least number of a wide dtype."""
    return -math.inf if dtype.is_floating_point else int(np.iinfo(dtype.numpy).min)


def _above(x: Value, least: float) -> Value:
    """x with its least numbers made a little larger."""
    floor = int(least) + 1 if x.dtype is int64 else float(np.finfo(x.dtype.numpy).min)
    return ops.maximum(x, ops.filled_like(x, floor))


def largest(columns: Value, ranked: Value | None, counts: Shape, dtype: DType, places: np.ndarray | None) -> Any:
    """The first largest of windows (..., k, m) as (..., *counts), in this dtype; with their places where given (k, m).

    ranked: what is compared, where it is not the numbers themselves.
    """
    *lead, size, _ = columns.shape
    compared = columns if ranked is None else ranked
    best = ops.broadcast(ops.argmax(compared, axis=len(lead), keepdims=True), shape=columns.shape)
    each = ops.broadcast(ops.reshape(ops.iota(size=size, dtype=int64), shape=(size, 1)), shape=columns.shape)
    chosen = ops.eq(each, best)

    def taken(values: Value, dtype: DType) -> Tensor:
        kept = ops.where(chosen, values, ops.zeros_like(values))
        total = ops.sum_(kept, axes=(len(lead),), keepdims=False)
        return Tensor(convert(ops.reshape(total, shape=(*lead, *counts)), dtype))

    if places is None:
        return taken(columns, dtype)
    named = ops.broadcast(from_array(places).value, shape=columns.shape)
    return taken(columns, dtype), taken(named, int64)


def window_places(length: Shape, counts: Shape, size: Sizes, stride: Sizes, low: Sizes, dilation: Sizes) -> np.ndarray:
    """Where in the flattened axes each place of each window stands, (k, m); of places outside something."""
    axes = [
        np.add.outer(np.arange(k) * d, np.arange(m) * s - p)
        for k, d, m, s, p in zip(size, dilation, counts, stride, low, strict=True)
    ]
    return joined_places(axes, length)


def joined_places(axes: Sequence[np.ndarray], length: Shape) -> np.ndarray:
    """From the places (kᵢ, mᵢ) along each axis those in the flattened axes, (Π kᵢ, Π mᵢ)."""
    found = np.zeros((1, 1), np.int64)
    for places, n in zip(axes, length, strict=True):
        (k, m), (each_k, each_m) = found.shape, places.shape
        found = (found[:, None, :, None] * n + places[None, :, None, :]).reshape(k * each_k, m * each_m)
    return found


# Sums
def _avg_pool(
    name: str,
    rank: int,
    input: Tensor,
    kernel_size: Axes,
    stride: Axes,
    padding: Axes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    check_spatial(name, input, rank)
    check_floats(name, input)
    size, gaps = per_axis(name, "kernel_size", kernel_size, rank), (1,) * rank
    steps, low, high, counts = _grid(name, input, size, stride, padding, gaps, ceil_mode)
    if divisor_override == 0:
        raise ArgumentError(f"{name} cannot divide by a divisor_override of 0")
    total = _window_sums(padded(widened(input), low, high), size, steps)
    if divisor_override is not None:
        return divided(total, np.full(counts, divisor_override), input.dtype)
    axes = zip(input.shape[-rank:], low, size, steps, counts, strict=True)
    return divided(total, _outer([_counted(*axis, count_include_pad) for axis in axes]), input.dtype)


def _window_sums(x: Value, size: Sizes, stride: Sizes) -> Value:
    """The sum of each window over the last axes; of large windows along one axis after the other."""
    rank, lead = len(size), len(x.shape) - len(size)
    one = (1,) * rank
    if size_of(size) <= _AT_ONCE or rank == 1:
        windows = windows_over(x, size, stride, one)
        return ops.sum_(windows, axes=tuple(range(lead, lead + rank)), keepdims=False)
    for axis in reversed(range(rank)):
        only = tuple(size[axis] if i == axis else 1 for i in range(rank))
        steps = tuple(stride[axis] if i == axis else 1 for i in range(rank))
        x = ops.sum_(windows_over(x, only, steps, one), axes=tuple(range(lead, lead + rank)), keepdims=False)
    return x


def _counted(n: int, padding: int, size: int, stride: int, count: int, include_pad: bool) -> np.ndarray:
    """How many elements of each window count, along one axis."""
    start = np.arange(count) * stride - padding
    end = np.minimum(start + size, n + padding)
    return end - start if include_pad else np.minimum(end, n) - np.maximum(start, 0)


def _outer(axes: Sequence[np.ndarray]) -> np.ndarray:
    """The products of one number from each axis."""
    found = np.ones((), np.int64)
    for numbers in axes:
        found = np.multiply.outer(found, numbers)
    return found


def divided(total: Value, counts: np.ndarray, dtype: DType) -> Tensor:
    """Sums (..., *m) divided by how many elements each has, (*m), in this dtype."""
    if counts.size and (counts == counts.flat[0]).all():
        by = ops.filled_like(total, int(counts.flat[0]))
    else:
        numbers = from_array(counts.astype(total.dtype.numpy)).value
        by = ops.broadcast(numbers, shape=total.shape)
    return Tensor(convert(total / by, dtype))


def _lp_pool(
    name: str, rank: int, input: Tensor, norm_type: float, kernel_size: Axes, stride: Axes, ceil_mode: bool
) -> Tensor:
    check_spatial(name, input, rank)
    check_floats(name, input)
    size = per_axis(name, "kernel_size", kernel_size, rank)
    powers = power(input, float(norm_type))
    average = _avg_pool(name, rank, powers, size, stride, 0, ceil_mode, True, None)
    least = mul(sign(average), relu(absolute(average)))
    return power(mul(least, float(size_of(size))), 1.0 / float(norm_type))
