"""Windows as columns, and columns added up into images."""

from typing import Any

import pullback.ops as ops
from pullback.base.errors import ShapeError
from pullback.base.shapes import size_of
from pullback.nn.functional.checks import check_tensor
from pullback.nn.functional.spatial import check_reach, check_spatial, padded, per_axis, reaches, widened, windows_over
from pullback.tensor.promotion import convert
from pullback.tensor.tensor import Tensor

# Integers for both axes, or a sequence of two.
Axes = Any


def unfold(input: Tensor, kernel_size: Axes, dilation: Axes = 1, padding: Axes = 0, stride: Axes = 1) -> Tensor:
    """Every window of an image as a column: (b, c, h, w) or (c, h, w) to (..., c · kh · kw, windows).

    Rows go by channel, then by place within the window; columns by place of the window, row by row.

    Raises ShapeError when no window fits, ArgumentError for other options.

    >>> import pullback as pb
    >>> pb.nn.functional.unfold(pb.arange(6.0).reshape(1, 2, 3), 2)
    tensor([[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]])

    Source: torch.nn.functional.unfold.
    """
    check_spatial("unfold", input, 2)
    size, gaps, low, steps = _options("unfold", kernel_size, dilation, padding, stride)
    around = padded(input.value, low, low)
    check_reach("unfold", around.shape[-2:], size, gaps)
    windows = windows_over(around, size, steps, gaps)
    *lead, channels = windows.shape[:-4]
    count = size_of(windows.shape[-2:])
    return Tensor(ops.reshape(windows, shape=(*lead, channels * size_of(size), count)))


def fold(
    input: Tensor, output_size: Axes, kernel_size: Axes, dilation: Axes = 1, padding: Axes = 0, stride: Axes = 1
) -> Tensor:
    """Columns, laid out as `unfold` gives them, added up where their windows stand: (..., c · kh · kw, windows) to
    (..., c, *output_size), without the padding.

    Raises ShapeError when there are not as many columns as windows in an image of output_size, ArgumentError for other
    options.

    >>> import pullback as pb
    >>> pb.nn.functional.fold(pb.ones(4, 2), (2, 3), 2)
    tensor([[[1., 2., 1.],
             [1., 2., 1.]]])

    Source: torch.nn.functional.fold.
    """
    check_tensor("fold", "input", input)
    size, gaps, low, steps = _options("fold", kernel_size, dilation, padding, stride)
    wanted = per_axis("fold", "output_size", output_size, 2)
    length = tuple(n + 2 * p for n, p in zip(wanted, low, strict=True))
    check_reach("fold", length, size, gaps)
    counts = tuple((n - r) // s + 1 for n, r, s in zip(length, reaches(size, gaps), steps, strict=True))
    if (
        input.ndim not in (2, 3)
        or input.shape[-2] % size_of(size)
        or not input.shape[-2]
        or input.shape[-1] != size_of(counts)
    ):
        raise ShapeError(
            f"fold into {wanted} takes inputs (b, rows, columns) or (rows, columns) with a multiple of {size_of(size)} "
            f"rows and {size_of(counts)} columns, one for each of {counts} windows; got {input.shape}"
        )
    lead, channels = input.shape[:-2], input.shape[-2] // size_of(size)
    windows = ops.reshape(widened(input), shape=(*lead, channels, *size, *counts))
    whole = ops.overlap_add(windows, length=length, stride=steps, dilation=gaps)
    none = (0,) * (len(lead) + 1)
    stop = (*whole.shape[:-2], *(n + p for n, p in zip(wanted, low, strict=True)))
    image = ops.slice_(whole, start=(*none, *low), stop=stop, step=(1,) * len(stop)) if any(low) else whole
    return Tensor(convert(image, input.dtype))


def _options(name: str, kernel_size: Axes, dilation: Axes, padding: Axes, stride: Axes) -> tuple[tuple[int, ...], ...]:
    """All four with one number for each axis."""
    return (
        per_axis(name, "kernel_size", kernel_size, 2),
        per_axis(name, "dilation", dilation, 2),
        per_axis(name, "padding", padding, 2, least=0),
        per_axis(name, "stride", stride, 2),
    )
