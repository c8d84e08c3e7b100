"""Distances and angles as layers."""

import pullback.nn.functional as F
from pullback.nn.module import Module
from pullback.tensor.tensor import Tensor


class CosineSimilarity(Module):
    """The cosine of the angle between x₁ and x₂ along dim.

    >>> import pullback as pb
    >>> pb.nn.CosineSimilarity()(pb.tensor([[1.0, 0.0]]), pb.tensor([[1.0, 1.0]]))
    tensor([0.7071])

    Source: torch.nn.CosineSimilarity.
    """

    __constants__ = ("dim", "eps")

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The cosines."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """‖x₁ − x₂ + eps‖ₚ along the last dim.

    >>> import pullback as pb
    >>> pb.nn.PairwiseDistance(p=1)(pb.tensor([[3.0, 0.0]]), pb.tensor([[0.0, 4.0]]))
    tensor([7.])

    Source: torch.nn.PairwiseDistance.
    """

    __constants__ = ("norm", "eps", "keepdim")

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The distances."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
