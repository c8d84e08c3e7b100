"""Normalisation: numbers brought to mean 0 and variance 1 over some of their dims, then scaled and shifted.

16-bit floats are normalised in float32 and given back in their own dtype.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pullback.base.dtypes import DType, float32
from pullback.base.errors import ArgumentError, DTypeError, ShapeError
from pullback.base.shapes import Shape, size_of
from pullback.grad.backward import no_grad
from pullback.nn.functional.checks import check_tensor
from pullback.nn.functional.padding import pad
from pullback.tensor.inplace import copy_
from pullback.tensor.pointwise import add, cast_to, div, mul, power, rsqrt, sub
from pullback.tensor.reduction import mean as mean_over
from pullback.tensor.shaping import broadcast_to, narrow, reshape
from pullback.tensor.tensor import Tensor

Momentum = float | Tensor


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(var + eps) · weight + bias, with mean and variance over the last dims, those of normalized_shape.

    x is (..., *normalized_shape), weight and bias have the normalized_shape.

    Raises ShapeError when the last sizes of x, or weight or bias, are not normalized_shape; DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.functional.layer_norm(pb.tensor([[1.0, 3.0], [0.0, 0.0]]), (2,))
    tensor([[-1.0000,  1.0000],
            [ 0.0000,  0.0000]])

    Source: torch.nn.functional.layer_norm; Ba et al. 2016.
    """
    shape = tuple(normalized_shape)
    axes = _trailing_axes("layer_norm", input, shape)
    _check_affine("layer_norm", input, shape, weight=weight, bias=bias)
    _, away, variance = _spread(_wide(input), axes)
    return _affine(mul(away, rsqrt(add(variance, eps))), weight, bias, input.dtype)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / √(mean of x² + eps) · weight, with the mean over the last dims, those of normalized_shape.

    eps: None for the distance from 1 to the next number (of float32 for 16-bit floats).

    Raises ShapeError when the last sizes of x, or weight, are not normalized_shape; DTypeError for integers.

    >>> import pullback as pb
    >>> pb.nn.functional.rms_norm(pb.tensor([3.0, 3.0]), (2,))
    tensor([1., 1.])

    Source: torch.nn.functional.rms_norm; Zhang and Sennrich 2019.
    """
    shape = tuple(normalized_shape)
    axes = _trailing_axes("rms_norm", input, shape)
    _check_affine("rms_norm", input, shape, weight=weight)
    x = _wide(input)
    least = float(np.finfo(x.dtype.numpy).eps) if eps is None else eps
    square = mean_over(mul(x, x), axes, keepdim=True)
    return _affine(mul(x, rsqrt(add(square, least))), weight, None, input.dtype)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """(x − mean) / √(var + eps) · weight + bias, with mean and variance over each group of channels of each sample.

    x is (b, c, ...), weight and bias are (c,).

    Raises ShapeError when x has less than two dims, or when its channels do not make num_groups equal groups.

    >>> import pullback as pb
    >>> pb.nn.functional.group_norm(pb.tensor([[1.0, 3.0, 5.0, 5.0]]), 2)
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])

    Source: torch.nn.functional.group_norm; Wu and He 2018.
    """
    channels = _channels("group_norm", input)
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(f"group_norm cannot make {num_groups} equal groups of {channels} channels")
    _check_affine("group_norm", input, (channels,), weight=weight, bias=bias)
    rows = _rows(input)
    each = size_of(rows.shape[2:]) * channels // num_groups
    _, away, variance = _spread(reshape(rows, (input.shape[0], num_groups, each)), 2)
    unit = reshape(mul(away, rsqrt(add(variance, eps))), rows.shape)
    if weight is not None:
        unit = mul(unit, _for_rows(weight, unit))
    return _finished(unit, bias, input)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(var + eps) · weight + bias, with mean and variance over each channel of each sample.

    x is (b, c, ...), the others are (c,). With use_input_stats the running ones, where given, move by momentum towards
    the statistics of x averaged over the samples; without, they are what x is normalised with.

    Raises ShapeError for sizes that do not fit, and when there is only one number to take the statistics of;
    ArgumentError without statistics to use.

    >>> import pullback as pb
    >>> pb.nn.functional.instance_norm(pb.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.0000,  1.0000]]])

    Source: torch.nn.functional.instance_norm; Ulyanov et al. 2016.
    """
    _check_channels("instance_norm", input, running_mean, running_var, weight, bias)
    if not use_input_stats:
        return _by_running("instance_norm", input, running_mean, running_var, weight, bias, eps)
    count = size_of(input.shape[2:])
    if count == 1:
        raise ShapeError(
            f"instance_norm needs more than one number per channel to take the variance of; got {input.shape}"
        )
    mean, away, variance = _spread(_rows(input), 2)
    _move(running_mean, mean_over(mean, 0), momentum)
    _move(running_var, mul(mean_over(variance, 0), _unbiased(count)), momentum)
    return _scaled(away, variance, weight, bias, eps, input)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: Momentum = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(var + eps) · weight + bias, with mean and variance over each channel of the whole batch.

    x is (b, c, ...), the others are (c,). In training the running ones, where given, become
    (1 − momentum) · running + momentum · those of x, the variance divided by n − 1; not in training they are what x is
    normalised with.

    Raises ShapeError for sizes that do not fit, and in training when a channel has but one number; ArgumentError
    without statistics to use.

    >>> import pullback as pb
    >>> mean, var = pb.zeros(1), pb.ones(1)
    >>> pb.nn.functional.batch_norm(pb.tensor([[1.0], [3.0]]), mean, var, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    >>> mean, var
    (tensor([0.2000]), tensor([1.1000]))

    Source: torch.nn.functional.batch_norm; Ioffe and Szegedy 2015.
    """
    _check_channels("batch_norm", input, running_mean, running_var, weight, bias)
    if not training:
        return _by_running("batch_norm", input, running_mean, running_var, weight, bias, eps)
    count = input.shape[0] * size_of(input.shape[2:])
    if count == 1:
        raise ShapeError(
            f"batch_norm in training needs more than one number per channel to take the variance of; got "
            f"{input.shape}: take a larger batch, or call eval() to use the running statistics"
        )
    rows = _rows(input)
    mean = _over_batch(rows)
    away = sub(rows, _for_rows(mean, rows))
    variance = _over_batch(mul(away, away))
    _move(running_mean, mean, momentum)
    _move(running_var, mul(variance, _unbiased(count)), momentum)
    return _scaled(away, variance, weight, bias, eps, input)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha · mean of x² over the `size` nearest channels)^beta; channels that do not exist count as 0.

    x is (b, c, ...).

    Raises ShapeError when x has less than three dims, ArgumentError for a size below 1.

    >>> import pullback as pb
    >>> pb.nn.functional.local_response_norm(pb.ones(1, 1, 2), 1, alpha=3.0, beta=0.5)
    tensor([[[0.5000, 0.5000]]])

    Source: torch.nn.functional.local_response_norm; Krizhevsky et al. 2012.
    """
    check_tensor("local_response_norm", "input", input)
    if input.ndim < 3:
        raise ShapeError(f"local_response_norm takes inputs (b, c, ...) of three dims or more; got {input.shape}")
    if size < 1:
        raise ArgumentError(f"local_response_norm looks at one channel or more; got size={size}")
    channels = input.shape[1]
    around = (0, 0) * (input.ndim - 2) + (size // 2, (size - 1) // 2)
    squares = pad(mul(input, input), around)
    total = narrow(squares, 1, 0, channels)
    for i in range(1, size):
        total = add(total, narrow(squares, 1, i, channels))
    return div(input, power(add(mul(total, alpha / size), k), beta))


# The formulas
def _wide(input: Tensor) -> Tensor:
    """The numbers in a dtype that sums and squares well."""
    return cast_to(input, float32) if input.dtype.is_half else input


def _spread(x: Tensor, axes: int | tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """The mean over these axes, the distances from it, and the mean of their squares."""
    mean = mean_over(x, axes, keepdim=True)
    away = sub(x, mean)
    return mean, away, mean_over(mul(away, away), axes, keepdim=True)


def _affine(unit: Tensor, weight: Tensor | None, bias: Tensor | None, dtype: DType) -> Tensor:
    """Scaled and shifted along the last dims, as the given dtype."""
    if weight is not None:
        unit = mul(unit, _wide(weight))
    if bias is not None:
        unit = add(unit, _wide(bias))
    return unit if unit.dtype is dtype else cast_to(unit, dtype)


# Normalising by channel works on rows, (b, c, n) or (b, c): sums run over a row, then over the batch, and a number of a
# channel is first repeated for each sample, then along its row, so that its gradient is summed in the same order. In
# one go, over the first and the last dim together, the native backend takes eight times as long.
def _rows(input: Tensor) -> Tensor:
    """The input with all dims behind the channels made one."""
    x = _wide(input)
    return x if x.ndim <= 3 else reshape(x, (*x.shape[:2], size_of(x.shape[2:])))


def _over_batch(rows: Tensor) -> Tensor:
    """The mean of each channel, (1, c, 1) or (1, c)."""
    return mean_over(rows if rows.ndim == 2 else mean_over(rows, 2, keepdim=True), 0, keepdim=True)


def _for_rows(by_channel: Tensor, rows: Tensor) -> Tensor:
    """One number per channel in a shape that meets rows: (b, c, 1), or (1, c) where rows are (b, c)."""
    samples, channels, *rest = rows.shape
    shaped = reshape(_wide(by_channel), (1, channels, *(1 for _ in rest)))
    return broadcast_to(shaped, (samples, channels, 1)) if rest else shaped


def _scaled(
    away: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, input: Tensor
) -> Tensor:
    """The distances from the mean divided by the deviation, then scaled and shifted by channel.

    The weight meets the deviation first: both have one number per channel, or per channel and sample.
    """
    scale = rsqrt(add(variance, eps))
    if variance.shape[0] == away.shape[0]:
        scale = scale if weight is None else mul(scale, _for_rows(weight, away))
        return _finished(mul(away, scale), bias, input)
    scale = scale if weight is None else mul(scale, reshape(_wide(weight), scale.shape))
    return _finished(mul(away, _for_rows(scale, away)), bias, input)


def _finished(rows: Tensor, bias: Tensor | None, input: Tensor) -> Tensor:
    """The rows shifted by channel, in the shape and dtype of the input."""
    shifted = rows if bias is None else add(rows, _for_rows(bias, rows))
    found = shifted if shifted.ndim == input.ndim else reshape(shifted, input.shape)
    return found if found.dtype is input.dtype else cast_to(found, input.dtype)


def _by_running(
    name: str,
    input: Tensor,
    mean: Tensor | None,
    var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    if mean is None or var is None:
        raise ArgumentError(
            f"{name} needs running_mean and running_var where it does not take the statistics of its input"
        )
    rows = _rows(input)
    away = sub(rows, _for_rows(mean, rows))
    by_channel = (1, rows.shape[1], *(1 for _ in rows.shape[2:]))
    return _scaled(away, reshape(_wide(var), by_channel), weight, bias, eps, input)


def _unbiased(count: int) -> float:
    """What a mean of `count` squares is multiplied by to be divided by one less."""
    return count / (count - 1) if count else 1.0


@no_grad()
def _move(running: Tensor | None, new: Tensor, momentum: Momentum) -> None:
    """A running statistic moves towards a new one."""
    if running is None:
        return
    wanted = reshape(new.detach(), running.shape)
    copy_(running, add(mul(running, sub(1.0, momentum)), mul(wanted, momentum)))


# Checks
def _check_floats(name: str, input: Any) -> None:
    check_tensor(name, "input", input)
    if not input.dtype.is_floating_point:
        raise DTypeError(f"{name} needs floats; got {input.dtype.name}: write input.float()")


def _trailing_axes(name: str, input: Tensor, shape: Shape) -> tuple[int, ...]:
    _check_floats(name, input)
    first = input.ndim - len(shape)
    if not shape or first < 0 or input.shape[first:] != shape:
        listed = ", ".join(map(str, shape))
        raise ShapeError(f"{name} over {shape} takes inputs (..., {listed}); got {input.shape}")
    return tuple(range(first, input.ndim))


def _channels(name: str, input: Tensor) -> int:
    _check_floats(name, input)
    if input.ndim < 2:
        raise ShapeError(f"{name} takes inputs (b, c, ...); got {input.shape}")
    return input.shape[1]


def _check_channels(
    name: str,
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
) -> None:
    shape = (_channels(name, input),)
    _check_affine(name, input, shape, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)


def _check_affine(name: str, input: Tensor, shape: Shape, **given: Tensor | None) -> None:
    """Raise unless each tensor that is given has the shape, and the input's dtype or, for 16 bits, float32."""
    allowed = (input.dtype, float32) if input.dtype.is_half else (input.dtype,)
    for role, x in given.items():
        if x is not None and x.shape != shape:
            raise ShapeError(f"{name} of an input {input.shape} needs a {role} {shape}; got {x.shape}")
        if x is not None and x.dtype not in allowed:
            raise DTypeError(
                f"{name} needs a {role} of the input's dtype, {input.dtype.name}; got {x.dtype.name}: "
                "cast one with .to()"
            )
