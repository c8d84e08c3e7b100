"""Pooling into a given number of windows, whatever the size of the input.

Along each axis of n elements the window i of m goes from ⌊i n / m⌋ to below ⌈(i + 1) n / m⌉. Where m divides n they are
the windows of ordinary pooling; else they differ in size, and their elements are looked up.
"""

from typing import Any

import numpy as np

import pullback.ops as ops
from pullback.base.errors import ArgumentError
from pullback.base.shapes import Shape, size_of
from pullback.ir.node import Value
from pullback.nn.functional.pooling import divided, joined_places, largest, lowest, window_places
from pullback.nn.functional.spatial import (
    Sizes,
    check_floats,
    check_spatial,
    flat_windows,
    wide_dtype,
    widened,
    windows_over,
)
from pullback.tensor.tensor import Tensor, from_array

# One number, or a sequence with one for each axis; None keeps an axis as it is.
Axes = Any


def adaptive_avg_pool1d(input: Tensor, output_size: Axes) -> Tensor:
    """The means of m = output_size windows that share out the last axis: (b, c, n) or (c, n) to (..., m).

    Window i goes from ⌊i n / m⌋ to below ⌈(i + 1) n / m⌉.

    Raises ShapeError for other inputs, DTypeError for integers, ArgumentError for a size below 0.

    >>> import pullback as pb
    >>> pb.nn.functional.adaptive_avg_pool1d(pb.tensor([[1.0, 2.0, 3.0]]), 2)
    tensor([[1.5000, 2.5000]])

    Source: torch.nn.functional.adaptive_avg_pool1d.
    """
    return _adaptive_avg("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Axes) -> Tensor:
    """The means of windows that share out two axes: (b, c, h, w) or (c, h, w) to (..., *output_size).

    output_size: one number or two; None keeps an axis as it is. See `adaptive_avg_pool1d`.

    Raises ShapeError for other inputs, DTypeError for integers, ArgumentError for a size below 0.

    >>> import pullback as pb
    >>> pb.nn.functional.adaptive_avg_pool2d(pb.arange(16.0).reshape(1, 4, 4), 1)
    tensor([[[7.5000]]])

    Source: torch.nn.functional.adaptive_avg_pool2d.
    """
    return _adaptive_avg("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Axes) -> Tensor:
    """The means of windows that share out three axes: (b, c, d, h, w) or (c, d, h, w) to (..., *output_size).

    Raises ShapeError for other inputs, DTypeError for integers, ArgumentError for a size below 0.

    >>> import pullback as pb
    >>> pb.nn.functional.adaptive_avg_pool3d(pb.zeros(1, 2, 4, 5, 6), (2, None, 3)).shape
    (1, 2, 2, 5, 3)

    Source: torch.nn.functional.adaptive_avg_pool3d.
    """
    return _adaptive_avg("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: Axes, return_indices: bool = False) -> Any:
    """The largest of m = output_size windows that share out the last axis: (b, c, n) or (c, n) to (..., m).

    Window i goes from ⌊i n / m⌋ to below ⌈(i + 1) n / m⌉. return_indices: also their places (int64).

    Raises ShapeError for other inputs, ArgumentError for a size below 1.

    >>> import pullback as pb
    >>> pb.nn.functional.adaptive_max_pool1d(pb.tensor([[1.0, 4.0, 3.0]]), 2, return_indices=True)
    (tensor([[4., 4.]]), tensor([[1, 1]]))

    Source: torch.nn.functional.adaptive_max_pool1d.
    """
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Axes, return_indices: bool = False) -> Any:
    """The largest of windows that share out two axes: (b, c, h, w) or (c, h, w) to (..., *output_size).

    output_size: one number or two; None keeps an axis as it is. return_indices: also places in the flattened (h, w).

    Raises ShapeError for other inputs, ArgumentError for a size below 1.

    >>> import pullback as pb
    >>> pb.nn.functional.adaptive_max_pool2d(pb.arange(16.0).reshape(1, 4, 4), (1, 2))
    tensor([[[13., 15.]]])

    Source: torch.nn.functional.adaptive_max_pool2d.
    """
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Axes, return_indices: bool = False) -> Any:
    """The largest of windows that share out three axes: (b, c, d, h, w) or (c, d, h, w) to (..., *output_size).

    Raises ShapeError for other inputs, ArgumentError for a size below 1.

    >>> import pullback as pb
    >>> pb.nn.functional.adaptive_max_pool3d(pb.zeros(1, 2, 4, 5, 6), 2).shape
    (1, 2, 2, 2, 2)

    Source: torch.nn.functional.adaptive_max_pool3d.
    """
    return _adaptive_max("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _counts(name: str, input: Tensor, output_size: Axes, rank: int, least: int) -> Shape:
    """How many windows there are along each axis."""
    check_spatial(name, input, rank)
    given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * rank
    if len(given) != rank or any(n is not None and (not isinstance(n, int) or n < least) for n in given):
        raise ArgumentError(
            f"{name} needs an output_size of {least} or more, as one number or as {rank}, one per axis; got "
            f"{output_size!r}"
        )
    return tuple(n if m is None else m for n, m in zip(input.shape[-rank:], given, strict=True))


def _even_windows(length: Shape, counts: Shape) -> Sizes | None:
    """The size of every window, if all are equal and lie side by side."""
    if any(m == 0 or n % m or n == 0 for n, m in zip(length, counts, strict=True)):
        return None
    return tuple(n // m for n, m in zip(length, counts, strict=True))


def _uneven_places(n: int, count: int) -> np.ndarray:
    """The places along an axis that each window looks at, (k, count), and n where it is smaller than the largest."""
    i = np.arange(count)
    start, end = i * n // max(count, 1), -(-(i + 1) * n // max(count, 1))
    places = start + np.arange(max(end - start, default=1))[:, None]
    return np.where(places < end, places, n)


def _looked_up(x: Value, counts: Shape, fill: float) -> tuple[Value, np.ndarray]:
    """The windows (..., k, m) and their places in the flattened axes (k, m); `fill` where a window has no more."""
    rank = len(counts)
    lead, length = x.shape[:-rank], x.shape[-rank:]
    axes = [_uneven_places(n, m) for n, m in zip(length, counts, strict=True)]
    missing = joined_places([(a == n).astype(np.int64) for a, n in zip(axes, length, strict=True)], (2,) * rank) > 0
    places = np.where(missing, size_of(length), joined_places(axes, length))
    flat = ops.reshape(x, shape=(*lead, size_of(length)))
    none = (0,) * len(lead)
    more = ops.pad(flat, low=(*none, 0), high=(*none, 1), inner=(*none, 0), value=fill)
    return ops.gather(more, from_array(places).value, axis=len(lead)), places


def _adaptive_avg(name: str, rank: int, input: Tensor, output_size: Axes) -> Tensor:
    counts = _counts(name, input, output_size, rank, least=0)
    check_floats(name, input)
    x, length, lead = widened(input), input.shape[-rank:], input.ndim - rank
    size = _even_windows(length, counts)
    if size is not None:
        windows = windows_over(x, size, size, (1,) * rank)
        total = ops.sum_(windows, axes=tuple(range(lead, lead + rank)), keepdims=False)
        return divided(total, np.full(counts, size_of(size)), input.dtype)
    columns, places = _looked_up(x, counts, 0.0)
    total = ops.reshape(ops.sum_(columns, axes=(lead,), keepdims=False), shape=(*input.shape[:lead], *counts))
    return divided(total, (places < size_of(length)).sum(0).reshape(counts), input.dtype)


def _adaptive_max(name: str, rank: int, input: Tensor, output_size: Axes, return_indices: bool) -> Any:
    counts = _counts(name, input, output_size, rank, least=1)
    x, length, one = widened(input), input.shape[-rank:], (1,) * rank
    size = _even_windows(length, counts)
    if size is not None:
        columns = flat_windows(windows_over(x, size, size, one), rank)
        places = window_places(length, counts, size, size, (0,) * rank, one) if return_indices else None
    else:
        columns, found = _looked_up(x, counts, lowest(wide_dtype(input.dtype)))
        places = found if return_indices else None
    return largest(columns, None, counts, input.dtype, places)
