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


class Dropout1d(_Dropping):
    """In training each channel 0 with probability p, else divided by 1 − p; in evaluation the input itself.

    x is (b, c, t) or (c, t).

    Raises ArgumentError when p is not from 0 to 1, ShapeError for an x of other dims.

    >>> import pullback as pb
    >>> sorted(set(map(tuple, pb.nn.Dropout1d(0.75)(pb.ones(100, 2)).tolist())))
    [(0.0, 0.0), (4.0, 4.0)]

    Source: torch.nn.Dropout1d; Tompson et al. 2015.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop channels, in training mode."""
        return F.dropout1d(input, self.p, self.training)


class Dropout2d(_Dropping):
    """In training each channel 0 with probability p, else divided by 1 − p; in evaluation the input itself.

    x is (b, c, height, width). As in PyTorch x of three dims counts as (b, c, t), and of two as (b, c).

    Raises ArgumentError when p is not from 0 to 1, ShapeError for an x of other dims.

    >>> import pullback as pb
    >>> sorted(set(pb.nn.Dropout2d(0.75)(pb.ones(9, 9, 2, 2)).sum((2, 3)).flatten().tolist()))
    [0.0, 16.0]

    Source: torch.nn.Dropout2d; Tompson et al. 2015.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop channels, in training mode."""
        return F.dropout2d(input, self.p, self.training)


class Dropout3d(_Dropping):
    """In training each channel 0 with probability p, else divided by 1 − p; in evaluation the input itself.

    x is (b, c, depth, height, width) or (c, depth, height, width).

    Raises ArgumentError when p is not from 0 to 1, ShapeError for an x of other dims.

    >>> import pullback as pb
    >>> sorted(set(pb.nn.Dropout3d(0.75)(pb.ones(99, 1, 2, 2)).sum((1, 2, 3)).tolist()))
    [0.0, 16.0]

    Source: torch.nn.Dropout3d; Tompson et al. 2015.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop channels, in training mode."""
        return F.dropout3d(input, self.p, self.training)


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


class FeatureAlphaDropout(_Dropping):
    """`AlphaDropout` of whole channels.

    x is (b, c, ...).

    Raises ArgumentError when p is not from 0 to 1, ShapeError for an x of other dims.

    >>> import pullback as pb
    >>> dropped = pb.nn.FeatureAlphaDropout()(pb.ones(9, 9, 5))
    >>> bool((dropped == dropped[:, :, :1]).all())
    True

    Source: torch.nn.FeatureAlphaDropout; Klambauer et al. 2017.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop channels, in training mode."""
        return F.feature_alpha_dropout(input, self.p, self.training)
