"""Convolution, and what takes its gradient back: sums of products of a kernel with every window.

A convolution multiplies a matrix, the kernel, with another that has one column for each window. One over a single
channel for each output (depthwise) multiplies the windows with the kernel place by place. 16-bit floats are multiplied
and added up in float32 and given back in their own dtype.
"""

from typing import Any

import pullback.ops as ops
from pullback.base.errors import ArgumentError, DTypeError, ShapeError, suggest
from pullback.base.shapes import Shape, size_of
from pullback.ir.node import Value
from pullback.nn.functional.checks import check_tensor
from pullback.nn.functional.spatial import (
    Sizes,
    check_reach,
    check_spatial,
    flat_windows,
    padded,
    per_axis,
    reaches,
    widened,
    windows_over,
)
from pullback.tensor.promotion import convert, expand
from pullback.tensor.tensor import Tensor

PADDINGS = ("valid", "same")
# Integers for all axes, or a sequence with one for each.
Axes = Any


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Axes = 1,
    padding: Axes = 0,
    dilation: Axes = 1,
    groups: int = 1,
) -> Tensor:
    """yₒ[i] = bₒ + Σ over c and k of Wₒ꜀[k] · x꜀[stride · i + dilation · k − padding], for each output channel o.

    x is (b, c, n) or (c, n), W (out, c / groups, k), b (out,); the result (b, out, m) or (out, m) with
    m = ⌊(n + 2 padding − dilation (k − 1) − 1) / stride⌋ + 1.

    padding: zeros put before and after, or "valid" for none, or "same" for as many as keep n (with stride 1).
    groups: channels and outputs are cut into so many parts, each of which sees its own channels only.

    Raises ShapeError for sizes that do not fit, DTypeError for dtypes that differ, ArgumentError for other options.

    >>> import pullback as pb
    >>> x, difference = pb.tensor([[1.0, 4.0, 9.0, 16.0]]), pb.tensor([[[-1.0, 1.0]]])
    >>> pb.nn.functional.conv1d(x, difference)
    tensor([[3., 5., 7.]])

    Source: torch.nn.functional.conv1d.
    """
    return _convolved("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Axes = 1,
    padding: Axes = 0,
    dilation: Axes = 1,
    groups: int = 1,
) -> Tensor:
    """yₒ[i, j] = bₒ + Σ over c, k and l of Wₒ꜀[k, l] · x꜀[stride · (i, j) + dilation · (k, l) − padding].

    x is (b, c, h, w) or (c, h, w), W (out, c / groups, kh, kw), b (out,); the result (b, out, …) or (out, …), with
    sizes as in `conv1d` along each axis. stride, padding and dilation are one number or two; see `conv1d`.

    Raises ShapeError for sizes that do not fit, DTypeError for dtypes that differ, ArgumentError for other options.

    >>> import pullback as pb
    >>> pb.nn.functional.conv2d(pb.ones(1, 1, 3, 3), pb.ones(1, 1, 3, 3), padding=1)
    tensor([[[[4., 6., 4.],
              [6., 9., 6.],
              [4., 6., 4.]]]])

    Source: torch.nn.functional.conv2d; LeCun et al. 1989.
    """
    return _convolved("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Axes = 1,
    padding: Axes = 0,
    dilation: Axes = 1,
    groups: int = 1,
) -> Tensor:
    """As `conv2d` over three axes: x is (b, c, d, h, w) or (c, d, h, w), W (out, c / groups, kd, kh, kw), b (out,).

    Raises ShapeError for sizes that do not fit, DTypeError for dtypes that differ, ArgumentError for other options.

    >>> import pullback as pb
    >>> pb.nn.functional.conv3d(pb.ones(1, 2, 4, 4, 4), pb.ones(3, 2, 2, 2, 2), stride=2).shape
    (1, 3, 2, 2, 2)

    Source: torch.nn.functional.conv3d.
    """
    return _convolved("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Axes = 1,
    padding: Axes = 0,
    output_padding: Axes = 0,
    groups: int = 1,
    dilation: Axes = 1,
) -> Tensor:
    """What takes the gradient of `conv1d` back to its input: yₒ[stride · i + dilation · k − padding] gathers
    W꜀ₒ[k] · x꜀[i] for all c, i and k, and bₒ.

    x is (b, c, n) or (c, n), W (c, out / groups, k), b (out,); the result (b, out, m) or (out, m) with
    m = (n − 1) stride − 2 padding + dilation (k − 1) + output_padding + 1.

    padding: so many places are cut off at both ends.
    output_padding: so many more are kept at the far end, fewer than the stride or the dilation; by it the result has
    the size that a convolution with a stride came from, which several sizes could have been.

    Raises ShapeError for sizes that do not fit, DTypeError for dtypes that differ, ArgumentError for other options.

    >>> import pullback as pb
    >>> pb.nn.functional.conv_transpose1d(pb.tensor([[1.0, 2.0]]), pb.tensor([[[1.0, 1.0, 1.0]]]), stride=2)
    tensor([[1., 1., 3., 2., 2.]])

    Source: torch.nn.functional.conv_transpose1d.
    """
    return _transposed("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Axes = 1,
    padding: Axes = 0,
    output_padding: Axes = 0,
    groups: int = 1,
    dilation: Axes = 1,
) -> Tensor:
    """As `conv_transpose1d` over two axes: x is (b, c, h, w) or (c, h, w), W (c, out / groups, kh, kw), b (out,).

    Raises ShapeError for sizes that do not fit, DTypeError for dtypes that differ, ArgumentError for other options.

    >>> import pullback as pb
    >>> pb.nn.functional.conv_transpose2d(pb.ones(1, 2, 4, 4), pb.ones(2, 3, 2, 2), stride=2).shape
    (1, 3, 8, 8)

    Source: torch.nn.functional.conv_transpose2d; Zeiler et al. 2010.
    """
    return _transposed("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Axes = 1,
    padding: Axes = 0,
    output_padding: Axes = 0,
    groups: int = 1,
    dilation: Axes = 1,
) -> Tensor:
    """As `conv_transpose1d` over three axes: x is (b, c, d, h, w) or (c, d, h, w), W (c, out / groups, kd, kh, kw).

    Raises ShapeError for sizes that do not fit, DTypeError for dtypes that differ, ArgumentError for other options.

    >>> import pullback as pb
    >>> pb.nn.functional.conv_transpose3d(pb.ones(1, 2, 3, 3, 3), pb.ones(2, 1, 2, 2, 2)).shape
    (1, 1, 4, 4, 4)

    Source: torch.nn.functional.conv_transpose3d.
    """
    return _transposed("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation)


# Convolution
def _convolved(
    name: str,
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Axes,
    padding: Axes,
    dilation: Axes,
    groups: int,
) -> Tensor:
    _check_tensors(name, rank, input, weight, groups)
    _check_bias(name, input, weight, bias, weight.shape[0])
    out, each, *rest = weight.shape
    size = tuple(rest)
    if input.shape[-rank - 1] != each * groups or out % groups:
        raise ShapeError(
            f"{name} with a weight of shape {weight.shape} and groups={groups} takes inputs of {each * groups} "
            f"channels and makes a multiple of {groups}; got an input {input.shape} and {out} outputs"
        )
    steps, gaps = per_axis(name, "stride", stride, rank), per_axis(name, "dilation", dilation, rank)
    low, high = _widths(name, padding, size, steps, gaps)
    x = padded(widened(input), low, high)
    check_reach(name, x.shape[-rank:], size, gaps)
    windows = windows_over(x, size, steps, gaps)  # (..., c, *k, *m)
    lead, count = input.shape[: -rank - 1], windows.shape[-rank:]
    columns = flat_windows(windows, rank)  # (..., c, k, m)
    kernel = widened(weight)
    if each == 1 < groups:
        y = _depthwise(columns, kernel, groups)
    elif lead and groups == 1 and out > columns.shape[-1]:
        y = _at_once(columns, kernel)
    else:
        y = _by_groups(columns, kernel, groups)
    return _finished(ops.reshape(y, shape=(*lead, out, *count)), bias, input, rank)


def _widths(name: str, padding: Axes, size: Sizes, stride: Sizes, dilation: Sizes) -> tuple[Sizes, Sizes]:
    """How many zeros stand before and after each axis."""
    if not isinstance(padding, str):
        widths = per_axis(name, "padding", padding, len(size), least=0)
        return widths, widths
    check_padding(name, padding, stride)
    total = [r - 1 if padding == "same" else 0 for r in reaches(size, dilation)]
    return tuple(n // 2 for n in total), tuple(n - n // 2 for n in total)


def check_padding(name: str, padding: str, stride: Sizes) -> None:
    """Raise ArgumentError for another word than "valid" and "same", and for "same" with a stride."""
    if padding not in PADDINGS:
        raise ArgumentError(
            f"{name} takes a number as padding, or 'valid' or 'same'; got {padding!r}.{suggest(padding, PADDINGS)}"
        )
    if padding == "same" and max(stride) > 1:
        raise ArgumentError(f"{name} with padding='same' keeps the size, so its stride is 1; got {stride}")


def _by_groups(columns: Value, kernel: Value, groups: int) -> Value:
    """A matrix product for each sample and group: (..., c, k, m) and (out, c / groups, ...) to (..., out, m)."""
    *lead, channels, places, count = columns.shape
    out = kernel.shape[0]
    parts = (groups,) if groups > 1 else ()
    inner = channels // groups * places
    right = ops.reshape(columns, shape=(*lead, *parts, inner, count))
    left = ops.reshape(kernel, shape=(*parts, out // groups, inner))
    product = ops.matmul(expand(left, (*lead, *left.shape)), right)
    return ops.reshape(product, shape=(*lead, out, count)) if parts else product


def _at_once(columns: Value, kernel: Value) -> Value:
    """One matrix product for all samples: (b, c, k, m) and (out, c, ...) to (b, out, m).

    Where there are fewer windows than outputs this moves less: the gradient at the kernel is no sum over samples of
    matrices of the kernel's size.
    """
    batch, channels, places, count = columns.shape
    out, inner = kernel.shape[0], channels * places
    right = ops.reshape(ops.permute(columns, axes=(1, 2, 0, 3)), shape=(inner, batch * count))
    product = ops.matmul(ops.reshape(kernel, shape=(out, inner)), right)
    return ops.permute(ops.reshape(product, shape=(out, batch, count)), axes=(1, 0, 2))


def _depthwise(columns: Value, kernel: Value, groups: int) -> Value:
    """Each output looks at one channel: (..., c, k, m) and (c · n, 1, ...) to (..., c, n, m)."""
    *lead, channels, places, count = columns.shape
    each = kernel.shape[0] // groups
    shape = (*lead, channels, each, places, count)
    left = ops.broadcast(ops.reshape(columns, shape=(*lead, channels, 1, places, count)), shape=shape)
    right = ops.broadcast(ops.reshape(kernel, shape=(channels, each, places, 1)), shape=shape)
    return ops.sum_(left * right, axes=(len(shape) - 2,), keepdims=False)


# Its transpose
def _transposed(
    name: str,
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Axes,
    padding: Axes,
    output_padding: Axes,
    groups: int,
    dilation: Axes,
) -> Tensor:
    _check_tensors(name, rank, input, weight, groups)
    _check_bias(name, input, weight, bias, weight.shape[1] * groups)
    channels, each, *rest = weight.shape
    size = tuple(rest)
    if input.shape[-rank - 1] != channels or channels % groups:
        raise ShapeError(
            f"{name} with a weight of shape {weight.shape} takes inputs of {channels} channels, a multiple of "
            f"groups={groups}; got {input.shape}"
        )
    steps, gaps = per_axis(name, "stride", stride, rank), per_axis(name, "dilation", dilation, rank)
    cut = per_axis(name, "padding", padding, rank, least=0)
    more = per_axis(name, "output_padding", output_padding, rank, least=0)
    if any(m >= max(s, d) for m, s, d in zip(more, steps, gaps, strict=True)):
        raise ArgumentError(
            f"{name} needs an output_padding below the stride or the dilation; got {more} with stride {steps} and "
            f"dilation {gaps}"
        )
    lead, count = input.shape[: -rank - 1], input.shape[-rank:]
    products = _spread(widened(input), widened(weight), lead, groups)  # (..., out · k, m)
    windows = ops.reshape(products, shape=(*lead, each * groups, *size, *count))
    length = tuple((n - 1) * s + r for n, s, r in zip(count, steps, reaches(size, gaps), strict=True))
    whole = ops.overlap_add(windows, length=length, stride=steps, dilation=gaps)
    return _finished(_trimmed(name, whole, cut, more), bias, input, rank)


def _spread(x: Value, kernel: Value, lead: Shape, groups: int) -> Value:
    """What each element adds to each place of its window: (..., c, *m), (c, out, *k) to (..., out · k, m)."""
    channels, count = x.shape[len(lead)], size_of(x.shape[len(lead) + 1 :])
    parts = (groups,) if groups > 1 else ()
    rows = kernel.type.size // channels
    turned = (1, 0) if groups == 1 else (0, 2, 1)
    left = ops.permute(ops.reshape(kernel, shape=(*parts, channels // groups, rows)), axes=turned)
    right = ops.reshape(x, shape=(*lead, *parts, channels // groups, count))
    return ops.matmul(expand(left, (*lead, *left.shape)), right)


def _trimmed(name: str, whole: Value, cut: Sizes, more: Sizes) -> Value:
    """The last axes with `cut` places taken away at both ends, but `more` kept, or made, at the far end."""
    length = whole.shape[-len(cut) :]
    if any(n + m <= 2 * c for n, c, m in zip(length, cut, more, strict=True)):
        raise ShapeError(f"{name} has nothing left of {length} places when padding={cut} is cut off at both ends")
    kept = padded(whole, (0,) * len(cut), tuple(m - c for c, m in zip(cut, more, strict=True)))
    if not any(cut):
        return kept
    start = (*(0,) * (len(kept.shape) - len(cut)), *cut)
    return ops.slice_(kept, start=start, stop=kept.shape, step=(1,) * len(start))


# What both do
def _check_tensors(name: str, rank: int, input: Tensor, weight: Tensor, groups: int) -> None:
    check_spatial(name, input, rank)
    check_tensor(name, "weight", weight)
    if weight.ndim != rank + 2:
        raise ShapeError(f"{name} takes a weight of {rank + 2} dims; got the shape {weight.shape}")
    if groups < 1:
        raise ArgumentError(f"{name} needs one group or more; got {groups}")


def _check_bias(name: str, input: Tensor, weight: Tensor, bias: Tensor | None, out: int) -> None:
    if bias is not None and bias.shape != (out,):
        raise ShapeError(f"{name} with a weight of shape {weight.shape} takes a bias ({out},); got {bias.shape}")
    for role, x in (("weight", weight), ("bias", bias)):
        if x is not None and x.dtype is not input.dtype:
            raise DTypeError(
                f"{name} needs a {role} of the input's dtype, {input.dtype.name}; got {x.dtype.name}: cast one with "
                ".to()"
            )


def _finished(y: Value, bias: Tensor | None, input: Tensor, rank: int) -> Tensor:
    """The bias added to y (..., out, *m), in the input's dtype."""
    if bias is not None:
        y = y + ops.broadcast(ops.reshape(widened(bias), shape=(*bias.shape, *(1,) * rank)), shape=y.shape)
    return Tensor(convert(y, input.dtype))
