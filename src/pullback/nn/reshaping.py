"""Layers that only change the shape."""
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor
from pullback.tensor.shaping import flatten


class Flatten(Module):
    """Dims start_dim to end_dim made one; by default all but the batch dim.

    Source: torch.nn.Flatten.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The same elements in fewer dims."""
        return flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The dims."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
