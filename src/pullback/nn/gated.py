"""Two linear maps of which one opens and shuts the other."""

from typing import Any

import pullback.nn.functional as F
from pullback.nn.linear import Linear
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor


class SwiGLU(Module):
    """y = W_down (silu(W_gate x) · W_up x): x is (..., in_features), y (..., out_features or in_features).

    The maps are called gate_proj, up_proj and down_proj, as in LLaMA's checkpoints.

    Raises ShapeError when the last size of x is not in_features.

    >>> import pullback as pb
    >>> pb.nn.SwiGLU(in_features=8, hidden_features=16)(pb.zeros(5, 8)).shape
    (5, 8)

    Source: Shazeer, "GLU variants improve transformer" (2020), eq. 6; PyTorch has no such layer.
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        out_features: int | None = None,
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        factory = {"bias": bias, "device": device, "dtype": dtype}
        self.gate_proj = Linear(in_features, hidden_features, **factory)
        self.up_proj = Linear(in_features, hidden_features, **factory)
        self.down_proj = Linear(hidden_features, in_features if out_features is None else out_features, **factory)

    def forward(self, input: Tensor) -> Tensor:
        """W_down (silu(W_gate x) · W_up x)."""
        y: Tensor = self.down_proj(F.swiglu(self.gate_proj(input), self.up_proj(input)))
        return y
