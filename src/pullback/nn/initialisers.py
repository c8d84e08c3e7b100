"""Initialisers: functions that fill a tensor in place and give it back. They take no part in gradients.

`generator` is the source of the random numbers, by default the one that `pb.manual_seed` seeds.

Source: torch.nn.init.
"""

import math

import numpy as np

from pullback.base.dtypes import float64
from pullback.base.errors import ArgumentError, DTypeError, ShapeError, suggest
from pullback.grad.backward import no_grad
from pullback.tensor.creation import eye
from pullback.tensor.creation import tensor as as_tensor
from pullback.tensor.pointwise import clamp, erf, exp, log1p, sqrt, where
from pullback.tensor.random import Generator, normal, rand
from pullback.tensor.tensor import Tensor

_GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 3.0 / 4.0,
}  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much weights should be larger for an activation to keep the variance.

    1 for linear, sigmoid and convolutions, 5/3 for tanh, √2 for relu, √(2 / (1 + slope²)) for leaky_relu (its slope is
    `param`, by default 0.01), 3/4 for selu.

    Raises ArgumentError for another name.

    >>> import pullback as pb
    >>> round(pb.nn.init.calculate_gain("relu"), 4)
    1.4142

    Source: torch.nn.init.calculate_gain.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        known = [*_GAINS, "leaky_relu"]
        hint = suggest(str(nonlinearity), known)
        raise ArgumentError(f"no gain is known for {nonlinearity!r}.{hint} Known are {', '.join(known)}")
    return _GAINS[nonlinearity]


def _check_floats(name: str, tensor: Tensor) -> None:
    if not isinstance(tensor, Tensor):
        raise DTypeError(f"{name} fills a tensor; got {type(tensor).__name__}")
    if not tensor.dtype.is_floating_point:
        raise DTypeError(
            f"{name} draws floats, which a tensor of {tensor.dtype.name} cannot hold: write tensor.float()"
        )


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Spread evenly over [a, b).

    Raises DTypeError for a tensor that holds no floats.

    >>> import pullback as pb
    >>> bool((pb.nn.init.uniform_(pb.empty(100), 2.0, 3.0) >= 2.0).all())
    True

    Source: torch.nn.init.uniform_.
    """
    _check_floats("uniform_", tensor)
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normally distributed.

    Raises DTypeError for a tensor that holds no floats.

    >>> import pullback as pb
    >>> pb.nn.init.normal_(pb.empty(2), mean=7.0, std=0.0)
    tensor([7., 7.])

    Source: torch.nn.init.normal_.
    """
    _check_floats("normal_", tensor)
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number in every place.

    >>> import pullback as pb
    >>> pb.nn.init.constant_(pb.empty(2), 7.0)
    tensor([7., 7.])

    Source: torch.nn.init.constant_.
    """
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones.

    >>> import pullback as pb
    >>> pb.nn.init.ones_(pb.empty(2))
    tensor([1., 1.])

    Source: torch.nn.init.ones_.
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros.

    >>> import pullback as pb
    >>> pb.nn.init.zeros_(pb.ones(2))
    tensor([0., 0.])

    Source: torch.nn.init.zeros_.
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """A matrix with ones on its diagonal and zeros elsewhere.

    Raises ShapeError for what is no matrix.

    >>> import pullback as pb
    >>> pb.nn.init.eye_(pb.empty(2, 2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]

    Source: torch.nn.init.eye_.
    """
    if tensor.ndim != 2:
        raise ShapeError(f"eye_ fills matrices; got the shape {tensor.shape}")
    with no_grad():
        return tensor.copy_(eye(*tensor.shape, dtype=tensor.dtype))


def _fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs each output has, and how many outputs each input, for a weight (out, in, ...)."""
    if tensor.ndim < 2:
        raise ShapeError(f"the fan of a weight needs at least two dims (out, in, ...); got the shape {tensor.shape}")
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in ±gain · √(6 / (fan_in + fan_out)), for a weight (out, in, ...).

    Raises ShapeError for fewer than two dims.

    >>> import pullback as pb
    >>> bool((pb.nn.init.xavier_uniform_(pb.empty(2, 4)).abs() <= 1.0).all())
    True

    Source: torch.nn.init.xavier_uniform_; Glorot and Bengio 2010.
    """
    bound = gain * math.sqrt(6.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with mean 0 and deviation gain · √(2 / (fan_in + fan_out)), for a weight (out, in, ...).

    Raises ShapeError for fewer than two dims.

    >>> import pullback as pb
    >>> pb.nn.init.xavier_normal_(pb.empty(2, 4)).shape
    (2, 4)

    Source: torch.nn.init.xavier_normal_; Glorot and Bengio 2010.
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def _kaiming_deviation(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        hint = suggest(str(mode), ["fan_in", "fan_out"])
        raise ArgumentError(f"mode is 'fan_in' or 'fan_out'; got {mode!r}.{hint}")
    fan_in, fan_out = _fans(tensor)
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan_in if mode == "fan_in" else fan_out, 1))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in ±gain · √(3 / fan), for a weight (out, in, ...); a is the slope of a leaky_relu.

    Raises ShapeError for fewer than two dims, ArgumentError for another mode or nonlinearity.

    >>> import pullback as pb
    >>> bool((pb.nn.init.kaiming_uniform_(pb.empty(2, 6)).abs() <= 1.0).all())
    True

    Source: torch.nn.init.kaiming_uniform_; He et al. 2015.
    """
    bound = math.sqrt(3.0) * _kaiming_deviation(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with mean 0 and deviation gain / √fan, for a weight (out, in, ...); a is the slope of a leaky_relu.

    Raises ShapeError for fewer than two dims, ArgumentError for another mode or nonlinearity.

    >>> import pullback as pb
    >>> pb.nn.init.kaiming_normal_(pb.empty(2, 6), mode="fan_out", nonlinearity="relu").shape
    (2, 6)

    Source: torch.nn.init.kaiming_normal_; He et al. 2015.
    """
    return normal_(tensor, 0.0, _kaiming_deviation(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Rows (or, where there are more rows than columns, columns) that are orthogonal and of length gain.

    More than two dims are taken as a matrix (size 0, the rest).

    Raises ShapeError for fewer than two dims, DTypeError for a tensor that holds no floats.

    >>> import pullback as pb
    >>> w = pb.nn.init.orthogonal_(pb.empty(2, 3))
    >>> pb.allclose(w @ w.T, pb.eye(2), atol=1e-6)
    True

    Source: torch.nn.init.orthogonal_; Saxe et al. 2014.
    """
    _check_floats("orthogonal_", tensor)
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_ fills matrices and more dims; got the shape {tensor.shape}")
    rows = tensor.shape[0]
    columns = math.prod(tensor.shape[1:])
    drawn = normal(0.0, 1.0, (max(rows, columns), min(rows, columns)), generator=generator, dtype=float64)
    q, r = np.linalg.qr(drawn.numpy())
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # so that every orthogonal matrix is equally likely
    found = as_tensor(gain * (q.T if rows < columns else q).reshape(tensor.shape))
    with no_grad():
        return tensor.copy_(found)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normally distributed, with what would lie outside [a, b] drawn anew.

    Raises ArgumentError unless a < b and std > 0, DTypeError for a tensor that holds no floats.

    >>> import pullback as pb
    >>> bool((pb.nn.init.trunc_normal_(pb.empty(1000), std=3.0).abs() <= 2.0).all())
    True

    Source: torch.nn.init.trunc_normal_; drawn through the inverse of the distribution function.
    """
    _check_floats("trunc_normal_", tensor)
    if not a < b or std <= 0:
        raise ArgumentError(f"trunc_normal_ needs a < b and std > 0; got a={a}, b={b}, std={std}")
    low, high = (math.erf((end - mean) / (std * math.sqrt(2.0))) for end in (a, b))
    with no_grad():
        drawn = rand(*tensor.shape, generator=generator, dtype=float64) * (high - low) + low
        inside = clamp(drawn, -1.0 + 2.0**-52, 1.0 - 2.0**-52)  # the inverse is infinite at the ends
        found = _inverse_erf(inside) * (std * math.sqrt(2.0)) + mean
        return tensor.copy_(clamp(found, a, b))


def _inverse_erf(y: Tensor) -> Tensor:
    """x with erf(x) = y: Winitzki's approximation (2008), then Newton's method, which doubles the digits each time."""
    shape = 2.0 / (math.pi * 0.147) + log1p(-(y * y)) * 0.5
    x = sqrt(sqrt(shape * shape - log1p(-(y * y)) / 0.147) - shape)
    x = where(y < 0, -x, x)
    for _ in range(3):
        x = x - (erf(x) - y) * exp(x * x) * (math.sqrt(math.pi) / 2.0)
    return x
