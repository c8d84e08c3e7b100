"""Layers that tell a network where in a sequence something stands. PyTorch has none of them."""

from typing import Any

import pullback.nn.functional as F
import pullback.nn.init as init
from pullback.base.errors import IndexOutOfRange, ShapeError
from pullback.nn.functional.positions import places
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import empty
from pullback.tensor.indexing import index_select
from pullback.tensor.pointwise import add
from pullback.tensor.shaping import narrow
from pullback.tensor.tensor import Tensor


class RotaryEmbedding(Module):
    """Queries or keys (..., t, dim) with each pair of numbers turned by its place; see `functional.rotary_embedding`.

    Raises ShapeError when the input's last size is not dim, or odd.

    >>> import pullback as pb
    >>> pb.nn.RotaryEmbedding(64)(pb.zeros(2, 4, 10, 64), offset=3).shape
    (2, 4, 10, 64)

    Source: Su et al. 2021.
    """

    __constants__ = ("dim", "base", "interleaved")

    def __init__(self, dim: int, base: float = 10000.0, interleaved: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.base = base
        self.interleaved = interleaved

    def forward(self, input: Tensor, offset: int | Tensor = 0) -> Tensor:
        """The input, turned; the first in time stands at place `offset`."""
        _check("RotaryEmbedding", input, self.dim)
        return F.rotary_embedding(input, self.base, offset, self.interleaved)

    def extra_repr(self) -> str:
        """Size, base and which numbers make pairs."""
        return f"{self.dim}, base={self.base}, interleaved={self.interleaved}"


class SinusoidalPositionalEmbedding(Module):
    """x (..., t, dim) plus sines and cosines of the places; see `functional.sinusoidal_positions`.

    Raises ShapeError when the input's last size is not dim, or odd.

    >>> import pullback as pb
    >>> pb.nn.SinusoidalPositionalEmbedding(4)(pb.zeros(1, 4))
    tensor([[0., 1., 0., 1.]])

    Source: Vaswani et al. 2017, section 3.5.
    """

    __constants__ = ("dim", "base")

    def __init__(self, dim: int, base: float = 10000.0) -> None:
        super().__init__()
        self.dim = dim
        self.base = base

    def forward(self, input: Tensor, offset: int | Tensor = 0) -> Tensor:
        """The input plus the positions; the first in time stands at place `offset`."""
        _check("SinusoidalPositionalEmbedding", input, self.dim)
        return add(input, F.sinusoidal_positions(input.shape[-2], self.dim, self.base, offset, input.dtype))

    def extra_repr(self) -> str:
        """Size and base."""
        return f"{self.dim}, base={self.base}"


class LearnedPositionalEmbedding(Module):
    """x (..., t, dim) plus a learnt vector for each place: rows offset to offset + t of weight (num_positions, dim).

    weight starts normally distributed with the deviation 0.02.

    Raises ShapeError when the input's last size is not dim, IndexOutOfRange for places that have no row.

    >>> import pullback as pb
    >>> pb.nn.LearnedPositionalEmbedding(1024, 8)(pb.zeros(2, 10, 8)).shape
    (2, 10, 8)

    Source: Gehring et al. 2017; the deviation, Radford et al. 2019.
    """

    __constants__ = ("num_positions", "dim")

    def __init__(self, num_positions: int, dim: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_positions = num_positions
        self.dim = dim
        self.weight = Parameter(empty(num_positions, dim, dtype=dtype, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew."""
        init.normal_(self.weight, std=0.02)

    def forward(self, input: Tensor, offset: int | Tensor = 0) -> Tensor:
        """The input plus the vectors; the first in time stands at place `offset`."""
        _check("LearnedPositionalEmbedding", input, self.dim)
        t = input.shape[-2]
        if isinstance(offset, Tensor):
            return add(input, index_select(self.weight, 0, places(t, offset)))
        if offset < 0 or offset + t > self.num_positions:
            raise IndexOutOfRange(
                f"there are vectors for the places 0 to {self.num_positions - 1}; got {t} places from {offset} on"
            )
        return add(input, narrow(self.weight, 0, offset, t))

    def extra_repr(self) -> str:
        """How many places, and the size."""
        return f"{self.num_positions}, {self.dim}"


def _check(name: str, input: Tensor, dim: int) -> None:
    if input.ndim < 2 or input.shape[-1] != dim:
        raise ShapeError(f"this {name} takes inputs (..., time, {dim}); got {input.shape}")
