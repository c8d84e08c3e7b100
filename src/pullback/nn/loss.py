"""Losses as layers."""

from pullback.nn import functional as F
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor


class CrossEntropyLoss(Module):
    """."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """."""
        return F.cross_entropy(input, target)


class MSELoss(Module):
    """."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """."""
        return F.mse_loss(input, target)
