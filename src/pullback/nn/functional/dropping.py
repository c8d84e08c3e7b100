"""Functions that drop elements at random in training. They draw from the default generator."""

from pullback.base.dtypes import float32
from pullback.base.errors import ArgumentError
from pullback.nn.functional.checks import check_tensor
from pullback.tensor.creation import zeros_like
from pullback.tensor.pointwise import add, lt, mul, where
from pullback.tensor.random import uniform_bits
from pullback.tensor.tensor import Tensor


def check_probability(p: float) -> None:
    """Raise ArgumentError when p is not from 0 to 1."""
    if not 0 <= p <= 1:
        raise ArgumentError(f"a dropout probability is from 0 to 1; got {p}")


def _dropped(input: Tensor, p: float) -> Tensor:
    """Which elements are dropped. The draw is in float32 whatever the input's dtype: same seed, same elements."""
    return lt(Tensor(uniform_bits(input.shape, float32, None)), p)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability p, else divided by 1 − p; not in training the input itself.

    Raises ArgumentError when p is not from 0 to 1, DTypeError for what is no tensor.

    >>> import pullback as pb
    >>> sorted(set(pb.nn.functional.dropout(pb.ones(100), 0.75).tolist()))
    [0.0, 4.0]

    Source: torch.nn.functional.dropout; Srivastava et al. 2014.
    """
    check_tensor("dropout", "input", input)
    check_probability(p)
    if not training or p == 0:
        return input
    if p == 1:
        return mul(zeros_like(input), input)
    return where(_dropped(input, p), 0.0, mul(input, 1.0 / (1.0 - p)))


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean 0 and variance 1 behind `selu`: a · (x or −λα) + b, with a and b from p.

    Raises ArgumentError when p is not from 0 to 1, DTypeError for what is no tensor.

    >>> import pullback as pb
    >>> len(set(pb.nn.functional.alpha_dropout(pb.ones(100), 0.5, training=True).tolist()))
    2

    Source: torch.nn.functional.alpha_dropout; Klambauer et al. 2017.
    """
    check_tensor("alpha_dropout", "input", input)
    check_probability(p)
    if not training or p == 0:
        return input
    if p == 1:
        return mul(zeros_like(input), input)
    low = -1.7580993408473766  # what selu tends to on the left
    scale = ((low * low * p + 1.0) * (1.0 - p)) ** -0.5
    return add(mul(where(_dropped(input, p), low, input), scale), -scale * low * p)
