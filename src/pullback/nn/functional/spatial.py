"""What convolution, pooling and folding share: one number per axis, padding, windows over the last axes."""

import operator
from typing import Any

import pullback.ops as ops
from pullback.base.dtypes import DType, bool_, float32, int64
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.base.shapes import Shape, size_of, span
from pullback.ir.node import Value
from pullback.nn.functional.checks import check_tensor
from pullback.tensor.promotion import convert
from pullback.tensor.tensor import Tensor

Sizes = tuple[int, ...]


def per_axis(name: str, role: str, given: Any, rank: int, least: int = 1) -> Sizes:
    """One number for each of the axes, from one for all or a sequence; raises ArgumentError for others."""
    items = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    try:
        numbers = tuple(operator.index(n) for n in items)
    except TypeError:
        raise ArgumentError(f"{name} takes a whole number as {role}, or one per axis; got {given!r}") from None
    if len(numbers) not in (1, rank):
        raise ArgumentError(f"{name} needs {role} as one number or as {rank}, one per axis; got {given!r}")
    if min(numbers) < least:
        raise ArgumentError(f"{name} needs {role} of {least} or more; got {given!r}")
    return numbers * rank if len(numbers) == 1 else numbers


def check_spatial(name: str, input: Tensor, rank: int) -> None:
    """Raise unless the input is (b, c, *sizes) or (c, *sizes) with as many sizes as the rank, of numbers."""
    check_tensor(name, "input", input)
    if input.ndim not in (rank + 1, rank + 2):
        sizes = ", ".join(f"n{i}" for i in range(1, rank + 1)) if rank > 1 else "n"
        raise ShapeError(f"{name} takes inputs (b, c, {sizes}) or (c, {sizes}); got {input.shape}")
    if input.dtype is bool_:
        raise DTypeError(f"{name} needs numbers; got bools: write input.float()")


def check_floats(name: str, input: Tensor) -> None:
    """Raise DTypeError for an input of integers."""
    if not input.dtype.is_floating_point:
        raise DTypeError(f"{name} needs an input of floats; got {input.dtype.name}: write input.float()")


def wide_dtype(dtype: DType) -> DType:
    """The dtype in which numbers of this one are added up."""
    if dtype.is_floating_point:
        return float32 if dtype.is_half else dtype
    return int64


def widened(x: Tensor) -> Value:
    """The numbers in the dtype in which they are added up."""
    return convert(x.value, wide_dtype(x.dtype))


def padded(x: Value, low: Sizes, high: Sizes, fill: float = 0) -> Value:
    """x with `fill` before and after it along its last axes; negative widths after it cut off."""
    none = (0,) * (len(x.shape) - len(low))
    if min(high) < 0:
        stop = (*x.shape[: len(none)], *(n + min(b, 0) for n, b in zip(x.shape[len(none) :], high, strict=True)))
        x = ops.slice_(x, start=(0,) * len(stop), stop=stop, step=(1,) * len(stop))
    if max(*low, *high) <= 0:
        return x
    ends = tuple(max(b, 0) for b in high)
    return ops.pad(x, low=(*none, *low), high=(*none, *ends), inner=(0,) * len(x.shape), value=fill)


def windows_over(x: Value, size: Sizes, stride: Sizes, dilation: Sizes) -> Value:
    """Every window over the last axes, (…, *size, *count).

    Windows that lie side by side and leave nothing over are a reshape and a permute, so their gradient is, too.
    """
    lead, rank = len(x.shape) - len(size), len(size)
    length = x.shape[lead:]
    if size != stride or any(n % k for n, k in zip(length, size, strict=True)) or size_of(dilation) != 1:
        return ops.windows(x, size=size, stride=stride, dilation=dilation)
    pairs = [part for n, k in zip(length, size, strict=True) for part in (n // k, k)]
    tiles = ops.reshape(x, shape=(*x.shape[:lead], *pairs))
    within, which = range(lead + 1, lead + 2 * rank, 2), range(lead, lead + 2 * rank, 2)
    return ops.permute(tiles, axes=(*range(lead), *within, *which))


def flat_windows(x: Value, rank: int) -> Value:
    """Windows (…, *size, *count) as (…, places, windows)."""
    places, count = size_of(x.shape[-2 * rank : -rank]), size_of(x.shape[-rank:])
    return ops.reshape(x, shape=(*x.shape[: -2 * rank], places, count))


def reaches(size: Sizes, dilation: Sizes) -> Sizes:
    """How many elements a window spans along each axis."""
    return tuple(span(k, d) for k, d in zip(size, dilation, strict=True))


def check_reach(name: str, length: Shape, size: Sizes, dilation: Sizes) -> None:
    """Raise ShapeError for windows that are larger than the (padded) axes that they slide over."""
    reach = reaches(size, dilation)
    if any(r > n for r, n in zip(reach, length, strict=True)):
        raise ShapeError(
            f"{name} looks at windows that span {reach}, but its input, with padding, has {tuple(length)}: pad it or "
            "take a smaller kernel"
        )
