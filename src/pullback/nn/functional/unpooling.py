"""Putting the largest of windows back where they were."""

from collections.abc import Sequence
from typing import Any

from pullback.base.errors import DTypeError, ShapeError
from pullback.base.shapes import size_of
from pullback.nn.functional.spatial import check_spatial, per_axis
from pullback.tensor.creation import zeros
from pullback.tensor.indexing import scatter
from pullback.tensor.shaping import reshape
from pullback.tensor.tensor import Tensor

# Integers for all axes, or a sequence with one for each.
Axes = Any


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Axes,
    stride: Axes = None,
    padding: Axes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the largest of each window where `max_pool1d` found them: (b, c, m) or (c, m) to (..., n).

    indices: the places that `max_pool1d` gave with them. output_size: n, where n = (m − 1) stride − 2 padding +
    kernel_size is not meant. The gradient of a place named twice goes to both.

    Raises ShapeError for sizes that do not fit, IndexOutOfRange for a place outside, DTypeError for indices
    that are not int64.

    >>> import pullback as pb
    >>> y, places = pb.nn.functional.max_pool1d(pb.tensor([[1.0, 3.0, 2.0, 0.0]]), 2, return_indices=True)
    >>> pb.nn.functional.max_unpool1d(y, places, 2)
    tensor([[0., 3., 2., 0.]])

    Source: torch.nn.functional.max_unpool1d.
    """
    return _max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Axes,
    stride: Axes = None,
    padding: Axes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the largest of each window where `max_pool2d` found them; see `max_unpool1d`.

    Raises ShapeError for sizes that do not fit, IndexOutOfRange for a place outside, DTypeError for indices
    that are not int64.

    >>> import pullback as pb
    >>> pb.nn.functional.max_unpool2d(pb.tensor([[[5.0]]]), pb.tensor([[[3]]]), 2)
    tensor([[[0., 0.],
             [0., 5.]]])

    Source: torch.nn.functional.max_unpool2d.
    """
    return _max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Axes,
    stride: Axes = None,
    padding: Axes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros with the largest of each window where `max_pool3d` found them; see `max_unpool1d`.

    Raises ShapeError for sizes that do not fit, IndexOutOfRange for a place outside, DTypeError for indices
    that are not int64.

    >>> import pullback as pb
    >>> pb.nn.functional.max_unpool3d(pb.ones(1, 1, 1, 1), pb.zeros(1, 1, 1, 1, dtype=pb.int64), 2).shape
    (1, 2, 2, 2)

    Source: torch.nn.functional.max_unpool3d.
    """
    return _max_unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def _max_unpool(
    name: str,
    rank: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Axes,
    stride: Axes,
    padding: Axes,
    output_size: Sequence[int] | None,
) -> Tensor:
    check_spatial(name, input, rank)
    if indices.shape != input.shape:
        raise ShapeError(f"{name} needs indices of the input's shape {input.shape}; got {indices.shape}")
    if indices.dtype.name != "int64":
        raise DTypeError(f"{name} needs indices of int64; got {indices.dtype.name}")
    size = per_axis(name, "kernel_size", kernel_size, rank)
    steps = size if stride is None else per_axis(name, "stride", stride, rank)
    cut = per_axis(name, "padding", padding, rank, least=0)
    axes = zip(input.shape[-rank:], steps, cut, size, strict=True)
    usual = tuple((m - 1) * s - 2 * p + k for m, s, p, k in axes)
    length = usual if output_size is None else tuple(output_size)[-rank:]
    if len(length) != rank or any(not n - s < given < n + s for given, n, s in zip(length, usual, steps, strict=True)):
        raise ShapeError(
            f"{name} with stride {steps} makes sizes less than a step away from {usual}; got output_size={output_size}"
        )
    lead, count = input.shape[:-rank], size_of(input.shape[-rank:])
    none = zeros(*lead, size_of(length), dtype=input.dtype)
    filled = scatter(none, -1, reshape(indices, (*lead, count)), reshape(input, (*lead, count)))
    return reshape(filled, (*lead, *length))
