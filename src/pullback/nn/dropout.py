"""Layers that drop elements at random in training. They draw from the default generator."""

import pullback.nn.functional as F
from pullback.nn.functional.dropping import check_probability
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor


class _Dropping(Module):
    """A layer with a probability p of dropping."""

    __constants__ = ("p", "inplace")

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(p)
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropping):
    """In training each element 0 with probability p, else divided by 1 − p; in evaluation the input itself.

    Raises ArgumentError when p is not from 0 to 1.

    >>> import pullback as pb
    >>> layer = pb.nn.Dropout(0.75)
    >>> sorted(set(layer(pb.ones(100)).tolist()))
    [0.0, 4.0]
    >>> layer.eval()(pb.ones(2))
    tensor([1., 1.])

    Source: torch.nn.Dropout; Srivastava et al. 2014.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop, in training mode."""
        return F.dropout(input, self.p, self.training)


class AlphaDropout(_Dropping):
    """Dropout that keeps mean 0 and variance 1 behind SELU.

    Raises ArgumentError when p is not from 0 to 1.

    >>> import pullback as pb
    >>> len(set(pb.nn.AlphaDropout(0.5)(pb.ones(100)).tolist()))
    2

    Source: torch.nn.AlphaDropout; Klambauer et al. 2017.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop, in training mode."""
        return F.alpha_dropout(input, self.p, self.training)
