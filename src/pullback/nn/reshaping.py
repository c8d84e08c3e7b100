"""Layers that only change the shape."""

from collections.abc import Sequence

from pullback.nn.functional.checks import check_tensor
from pullback.nn.module import Module
from pullback.tensor.shaping import flatten, unflatten
from pullback.tensor.tensor import Tensor


class Flatten(Module):
    """The dims from start_dim to end_dim made one; by default all but the batch's.

    >>> import pullback as pb
    >>> pb.nn.Flatten()(pb.zeros(5, 28, 28)).shape
    (5, 784)

    Source: torch.nn.Flatten.
    """

    __constants__ = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The same elements in fewer dims."""
        check_tensor("Flatten", "input", input)
        return flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The dims."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One dim cut into several; one size may be −1 and is worked out.

    >>> import pullback as pb
    >>> pb.nn.Unflatten(1, (28, -1))(pb.zeros(5, 784)).shape
    (5, 28, 28)

    Source: torch.nn.Unflatten.
    """

    __constants__ = ("dim", "unflattened_size")

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """The same elements in more dims."""
        check_tensor("Unflatten", "input", input)
        return unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """The dim and its sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
