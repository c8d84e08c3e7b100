"""Layers that are products with a weight."""

import math
from typing import Any

from pullback.nn import functional as F
from pullback.nn import init
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import empty
from pullback.tensor.tensor import Tensor


class Linear(Module):
    """y = x Wᵀ + b, with x of shape (..., in_features) and y of shape (..., out_features).

    weight is (out_features, in_features), bias (out_features,); both start uniform in ±1/√in_features.

    >>> import pullback as pb
    >>> pb.nn.Linear(3, 2)(pb.zeros(5, 3)).shape
    (5, 2)

    Source: torch.nn.Linear.
    """

    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(empty(out_features, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """x Wᵀ + b."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes and whether there is a bias."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
