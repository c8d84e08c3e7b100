"""Functions that drop elements at random in training."""

from pullback.base.dtypes import float32
from pullback.base.errors import ArgumentError
from pullback.tensor.creation import zeros_like
from pullback.tensor.pointwise import lt, mul, where
from pullback.tensor.random import uniform_bits
from pullback.tensor.tensor import Tensor


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability p, else divided by 1 − p; in evaluation the input itself.

    Draws from the default generator, in float32 whatever the input's dtype.

    Raises ArgumentError when p is not from 0 to 1.

    Source: torch.nn.functional.dropout; Srivastava et al. 2014.
    """
    if not 0 <= p <= 1:
        raise ArgumentError(f"a dropout probability is from 0 to 1; got {p}")
    if not training or p == 0:
        return input
    if p == 1:
        return zeros_like(input)
    dropped = lt(Tensor(uniform_bits(input.shape, float32, None)), p)
    return where(dropped, 0.0, mul(input, 1.0 / (1.0 - p)))
