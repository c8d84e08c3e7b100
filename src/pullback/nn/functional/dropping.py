"""Functions that drop elements at random in training. They draw from the default generator."""

from pullback.base.dtypes import float32
from pullback.base.errors import ArgumentError, ShapeError
from pullback.base.shapes import Shape, with_ones
from pullback.nn.functional.checks import check_tensor
from pullback.tensor.creation import zeros_like
from pullback.tensor.pointwise import add, lt, mul, where
from pullback.tensor.random import uniform_bits
from pullback.tensor.tensor import Tensor


def check_probability(p: float) -> None:
    """Raise ArgumentError when p is not from 0 to 1."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"a dropout probability is from 0 to 1; got {p}")


def _dropped(shape: Shape, p: float) -> Tensor:
    """Where things are dropped. The draw is in float32 whatever the input's dtype: same seed, same places."""
    return lt(Tensor(uniform_bits(shape, float32, None)), p)


def _without(input: Tensor, p: float, training: bool, shape: Shape) -> Tensor:
    """The input with some of what a mask of this shape marks made 0, the rest divided by 1 − p."""
    if not training or p == 0:
        return input
    if p == 1:
        return mul(zeros_like(input), input)
    return where(_dropped(shape, p), 0.0, mul(input, 1.0 / (1.0 - p)))


def _alpha_without(input: Tensor, p: float, training: bool, shape: Shape) -> Tensor:
    """The input with some of what a mask of this shape marks made −λα, then brought back to mean 0 and variance 1."""
    if not training or p == 0:
        return input
    if p == 1:
        return mul(zeros_like(input), input)
    low = -1.7580993408473766  # what selu tends to on the left
    scale = ((low * low * p + 1.0) * (1.0 - p)) ** -0.5
    return add(mul(where(_dropped(shape, p), low, input), scale), -scale * low * p)


def _check(name: str, input: Tensor, p: float) -> None:
    check_tensor(name, "input", input)
    check_probability(p)


def _channels(name: str, input: Tensor, p: float, ranks: tuple[int, ...] | None, alone: int = 0) -> Shape:
    """A shape with one place per channel: (b, c, 1, ...), or (c, 1, ...) for the rank of a sample `alone`.

    ranks: how many dims the input may have; None for two or more.
    """
    _check(name, input, p)
    if input.ndim < 2 or (ranks and input.ndim not in ranks):
        wanted = " or ".join(map(str, ranks or ("2", "more")))
        raise ShapeError(f"{name} takes inputs of {wanted} dims; got {input.shape}")
    leading = 1 if input.ndim == alone else 2
    return with_ones(input.shape, range(leading, input.ndim))


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability p, else divided by 1 − p; not in training the input itself.

    Raises ArgumentError when p is not from 0 to 1, DTypeError for what is no tensor.

    >>> import pullback as pb
    >>> sorted(set(pb.nn.functional.dropout(pb.ones(100), 0.75).tolist()))
    [0.0, 4.0]

    Source: torch.nn.functional.dropout; Srivastava et al. 2014.
    """
    _check("dropout", input, p)
    return _without(input, p, training, input.shape)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each channel 0 with probability p, else divided by 1 − p; not in training the input itself.

    x is (b, c, t) or (c, t).

    Raises ArgumentError when p is not from 0 to 1, ShapeError for other dims, DTypeError for what is no tensor.

    >>> import pullback as pb
    >>> sorted(set(map(tuple, pb.nn.functional.dropout1d(pb.ones(100, 2), 0.75).tolist())))
    [(0.0, 0.0), (4.0, 4.0)]

    Source: torch.nn.functional.dropout1d; Tompson et al. 2015.
    """
    return _without(input, p, training, _channels("dropout1d", input, p, (2, 3), alone=2))


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each channel 0 with probability p, else divided by 1 − p; not in training the input itself.

    x is (b, c, height, width). As in PyTorch x of three dims counts as (b, c, t), and of two as (b, c).

    Raises ArgumentError when p is not from 0 to 1, ShapeError for other dims, DTypeError for what is no tensor.

    >>> import pullback as pb
    >>> sorted(set(pb.nn.functional.dropout2d(pb.ones(9, 9, 2, 2), 0.75).sum((2, 3)).flatten().tolist()))
    [0.0, 16.0]

    Source: torch.nn.functional.dropout2d; Tompson et al. 2015.
    """
    return _without(input, p, training, _channels("dropout2d", input, p, (2, 3, 4)))


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each channel 0 with probability p, else divided by 1 − p; not in training the input itself.

    x is (b, c, depth, height, width) or (c, depth, height, width).

    Raises ArgumentError when p is not from 0 to 1, ShapeError for other dims, DTypeError for what is no tensor.

    >>> import pullback as pb
    >>> sorted(set(pb.nn.functional.dropout3d(pb.ones(99, 1, 2, 2), 0.75).sum((1, 2, 3)).tolist()))
    [0.0, 16.0]

    Source: torch.nn.functional.dropout3d; Tompson et al. 2015.
    """
    return _without(input, p, training, _channels("dropout3d", input, p, (4, 5), alone=4))


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean 0 and variance 1 behind `selu`: a · (x or −λα) + b, with a and b from p.

    Raises ArgumentError when p is not from 0 to 1, DTypeError for what is no tensor.

    >>> import pullback as pb
    >>> len(set(pb.nn.functional.alpha_dropout(pb.ones(100), 0.5, training=True).tolist()))
    2

    Source: torch.nn.functional.alpha_dropout; Klambauer et al. 2017.
    """
    _check("alpha_dropout", input, p)
    return _alpha_without(input, p, training, input.shape)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels; x is (b, c, ...).

    Raises ArgumentError when p is not from 0 to 1, ShapeError for an x of one dim, DTypeError for what is no tensor.

    >>> import pullback as pb
    >>> dropped = pb.nn.functional.feature_alpha_dropout(pb.ones(9, 9, 5), 0.5, training=True)
    >>> bool((dropped == dropped[:, :, :1]).all())
    True

    Source: torch.nn.functional.feature_alpha_dropout; Klambauer et al. 2017.
    """
    return _alpha_without(input, p, training, _channels("feature_alpha_dropout", input, p, None))
