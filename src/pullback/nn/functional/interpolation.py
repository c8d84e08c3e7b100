"""Images, series and volumes in another size. Each dim is resized by itself: some gathers and their weighted sum."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from pullback.base.dtypes import Array, float32
from pullback.base.errors import ArgumentError, DTypeError, ShapeError, suggest
from pullback.nn.functional.adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from pullback.nn.functional.checks import check_tensor
from pullback.tensor.indexing import index_select
from pullback.tensor.pointwise import add, cast_to, mul
from pullback.tensor.tensor import Tensor, from_array

# The places in a dim that an element of the resized one is made of, and the weight of each (None for 1).
Taps = list[tuple[Array, Array | None]]
# The old size, the new one, and how many old elements a new one stands for, unless the sizes say so: to taps.
Rule = Callable[[int, int, float | None], Taps]

_DIMS = {"linear": (3,), "bilinear": (4,), "trilinear": (5,), "bicubic": (4,)}  # others take any of these
_AVERAGING = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}  # by the dims of the input


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """x in another size: (b, c, t), (b, c, height, width) or (b, c, depth, height, width) with the last dims resized.

    size: the new sizes, or one for all. Or instead scale_factor: by what the sizes are multiplied, rounded down.
    mode: "nearest" (with places rounded down, for old networks), "nearest-exact" (centres meet centres), "linear" (for
        three dims), "bilinear" and "bicubic" (for four), "trilinear" (for five), "area" (means of what is covered).
    align_corners: whether, in the linear and cubic modes, the centres of the outermost elements stay in their places;
        else the outer edges do.
    recompute_scale_factor: whether the factor is worked out again from the rounded sizes.

    Raises ArgumentError for another mode, for size and scale_factor together or neither, for align_corners in a mode
    without it, and for antialias=True, which does not exist here; ShapeError for dims that the mode does not take;
    DTypeError for integers, but in the nearest modes.

    >>> import pullback as pb
    >>> x = pb.tensor([[[1.0, 3.0]]])
    >>> pb.nn.functional.interpolate(x, scale_factor=2)
    tensor([[[1., 1., 3., 3.]]])
    >>> pb.nn.functional.interpolate(x, size=3, mode="linear", align_corners=True)
    tensor([[[1., 2., 3.]]])

    Source: torch.nn.functional.interpolate.
    """
    check_tensor("interpolate", "input", input)
    rules = _rules(bool(align_corners))
    known = (*rules, "area")
    if mode not in known:
        raise ArgumentError(f"interpolate knows the modes {', '.join(known)}; got {mode!r}.{suggest(str(mode), known)}")
    _check_call(input, mode, align_corners, antialias)
    sizes, factors = _sizes(input, size, scale_factor)
    if recompute_scale_factor and scale_factor is None:
        raise ArgumentError("interpolate with recompute_scale_factor=True needs a scale_factor")
    if mode == "area":
        return _AVERAGING[input.ndim](input, sizes)
    resized = cast_to(input, float32) if input.dtype.is_half else input
    for i, (new, factor) in enumerate(zip(sizes, factors, strict=True)):
        given = None if factor is None or recompute_scale_factor else 1.0 / factor
        resized = _resized(resized, 2 + i, rules[mode], new, given)
    return resized if resized.dtype is input.dtype else cast_to(resized, input.dtype)


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` under its old name.

    >>> import pullback as pb
    >>> pb.nn.functional.upsample(pb.tensor([[[1.0, 3.0]]]), scale_factor=2)
    tensor([[[1., 1., 3., 3.]]])

    Source: torch.nn.functional.upsample.
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def _resized(input: Tensor, axis: int, rule: Rule, new: int, step: float | None) -> Tensor:
    old = input.shape[axis]
    if old == new and step in (None, 1.0):
        return input
    ahead = (1,) * (input.ndim - axis - 1)
    total = None
    for places, weights in rule(old, new, step):
        part = index_select(input, axis, from_array(places.astype(np.int64)))
        if weights is not None:
            part = mul(part, from_array(weights.astype(input.dtype.numpy).reshape(new, *ahead)))
        total = part if total is None else add(total, part)
    assert total is not None
    return total


# Which elements, with which weights
def _rules(align_corners: bool) -> dict[str, Rule]:
    def linear(old: int, new: int, step: float | None) -> Taps:
        return _linear(old, new, step, align_corners)

    return {
        "nearest": lambda old, new, step: _nearest(old, new, step, 0.0),
        "nearest-exact": lambda old, new, step: _nearest(old, new, step, 0.5),
        "linear": linear,
        "bilinear": linear,
        "trilinear": linear,
        "bicubic": lambda old, new, step: _cubic(old, new, step, align_corners),
    }


def _nearest(old: int, new: int, step: float | None, offset: float) -> Taps:
    """PyTorch works this out in float32, and a place that falls on an edge depends on it."""
    each = np.float32(old) / np.float32(new) if step is None else np.float32(step)
    places = np.floor((np.arange(new, dtype=np.float32) + np.float32(offset)) * each)
    return [(places.clip(0, old - 1), None)]


def _positions(old: int, new: int, step: float | None, align_corners: bool) -> Array:
    """Where in the old dim the centres of the new elements lie."""
    numbers = np.arange(new, dtype=np.float64)
    if align_corners:
        return numbers * ((old - 1) / (new - 1) if new > 1 else 0.0)
    return (numbers + 0.5) * (old / new if step is None else step) - 0.5


def _linear(old: int, new: int, step: float | None, align_corners: bool) -> Taps:
    positions = _positions(old, new, step, align_corners).clip(0, old - 1)
    left = np.floor(positions)
    part = positions - left
    return [(left, 1 - part), (np.minimum(left + 1, old - 1), part)]


def _cubic(old: int, new: int, step: float | None, align_corners: bool) -> Taps:
    """Four neighbours with the weights of Keys's cubic convolution (1981) with a = −0.75."""
    positions = _positions(old, new, step, align_corners)
    left = np.floor(positions)
    taps: Taps = []
    for k in (-1, 0, 1, 2):
        far = np.abs(positions - left - k)
        near_weight = (1.25 * far - 2.25) * far * far + 1
        far_weight = ((-0.75 * far + 3.75) * far - 6) * far + 3
        taps.append(((left + k).clip(0, old - 1), np.where(far <= 1, near_weight, far_weight)))
    return taps


# Checks
def _check_call(input: Tensor, mode: str, align_corners: bool | None, antialias: bool) -> None:
    nearest = mode.startswith("nearest")
    wanted = _DIMS.get(mode, (3, 4, 5))
    if input.ndim not in wanted:
        listed = " or ".join(map(str, wanted))
        raise ShapeError(f"interpolate in mode {mode!r} takes inputs of {listed} dims; got {input.shape}")
    if not nearest and not input.dtype.is_floating_point:
        raise DTypeError(f"interpolate in mode {mode!r} needs floats; got {input.dtype.name}: write input.float()")
    if (nearest or mode == "area") and align_corners is not None:
        raise ArgumentError(f"interpolate takes align_corners in the linear and cubic modes alone; got mode {mode!r}")
    if antialias:
        raise ArgumentError("interpolate has no antialias=True; leave it out, or average before making x smaller")


def _sizes(
    input: Tensor, size: int | Sequence[int] | None, scale_factor: float | Sequence[float] | None
) -> tuple[list[int], list[float | None]]:
    """The new sizes, and the factors where these were given."""
    if (size is None) == (scale_factor is None):
        raise ArgumentError(f"interpolate takes either size or scale_factor; got {size} and {scale_factor}")
    dims = input.ndim - 2
    given: float | Sequence[float] = size if size is not None else scale_factor  # type: ignore[assignment]  # one is
    each = list(given) if isinstance(given, Sequence) else [given] * dims
    if len(each) != dims:
        raise ArgumentError(
            f"interpolate of an input {input.shape} takes one number or {dims}, for the dims after the channels; "
            f"got {given}"
        )
    factors = [None if scale_factor is None else float(n) for n in each]
    asked = zip(input.shape[2:], each, factors, strict=True)
    sizes = [int(n) if factor is None else math.floor(old * factor) for old, n, factor in asked]
    if any(n < 1 for n in (*sizes, *input.shape[2:])):
        raise ShapeError(f"interpolate needs sizes of at least 1; got {input.shape} to be made {tuple(sizes)}")
    return sizes, factors
