"""Layers that drop elements at random in training."""

from pullback.base.errors import ArgumentError
from pullback.nn import functional as F
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor
from pullback.tensor.tracing import watched


class Dropout(Module):
    """In training each element 0 with probability p, else divided by 1 − p; in evaluation the input itself.

    Raises ArgumentError when p is not from 0 to 1.

    Source: torch.nn.Dropout; Srivastava et al. 2014.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ArgumentError(f"a dropout probability is from 0 to 1; got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Drop in training mode."""
        return F.dropout(input, watched(lambda: self.p, ("p", id(self))), self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}, inplace={self.inplace}"
