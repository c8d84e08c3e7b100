"""Layers that are products with a weight, and the layer that does nothing."""

import math
from typing import Any

import pullback.nn.functional as F
import pullback.nn.init as init
from pullback.nn.module import Module
from pullback.nn.parameter import Parameter
from pullback.tensor.creation import empty
from pullback.tensor.tensor import Tensor


class Linear(Module):
    """y = x Wᵀ + b, with x of shape (..., in_features) and y of shape (..., out_features).

    weight is (out_features, in_features), bias (out_features,); both start uniform in ±1/√in_features.

    Raises ShapeError when the last size of x is not in_features, DTypeError when x has another dtype.

    >>> import pullback as pb
    >>> pb.nn.Linear(3, 2)(pb.zeros(5, 3)).shape
    (5, 2)

    Source: torch.nn.Linear.
    """

    __constants__ = ("in_features", "out_features")
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in_features, dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(empty(out_features, dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """x Wᵀ + b."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, and whether there is a bias."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """yₖ = x₁ᵀ Wₖ x₂ + bₖ, with x₁ (..., in1_features), x₂ (..., in2_features) and y (..., out_features).

    weight is (out_features, in1_features, in2_features); it and bias start uniform in ±1/√in1_features.

    Raises ShapeError when the sizes do not fit.

    >>> import pullback as pb
    >>> pb.nn.Bilinear(2, 3, 4)(pb.zeros(5, 2), pb.zeros(5, 3)).shape
    (5, 4)

    Source: torch.nn.Bilinear.
    """

    __constants__ = ("in1_features", "in2_features", "out_features")
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, dtype=dtype, device=device))
        self.register_parameter("bias", Parameter(empty(out_features, dtype=dtype, device=device)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in1_features) if self.in1_features > 0 else 0.0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """x₁ᵀ W x₂ + b."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, and whether there is a bias."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Module):
    """Gives back its input; takes any arguments, so that it can stand in for any layer.

    >>> import pullback as pb
    >>> pb.nn.Identity(54, unused=True)(pb.tensor([1.0]))
    tensor([1.])

    Source: torch.nn.Identity.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input
