"""Norms, distances and angles between vectors."""

from collections.abc import Sequence

from pullback.base.shapes import broadcast_shapes
from pullback.tensor.pointwise import add, clamp, div, mul, sub
from pullback.tensor.reduction import norm
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import broadcast_to
from pullback.tensor.tensor import Tensor


def normalize(input: Tensor, p: float = 2.0, dim: int | Sequence[int] = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖ₚ, eps) along dim.

    >>> import pullback as pb
    >>> pb.nn.functional.normalize(pb.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])

    Source: torch.nn.functional.normalize.
    """
    return div(input, clamp(norm(input, p, dim, keepdim=True), min=eps))


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁·x₂ / (max(‖x₁‖, eps) · max(‖x₂‖, eps)) along dim, for inputs that broadcast.

    >>> import pullback as pb
    >>> pb.nn.functional.cosine_similarity(pb.tensor([[1.0, 0.0]]), pb.tensor([[1.0, 1.0]]))
    tensor([0.7071])

    Source: torch.nn.functional.cosine_similarity.
    """
    shape = broadcast_shapes(x1.shape, x2.shape)
    a, b = broadcast_to(x1, shape), broadcast_to(x2, shape)
    unit_a, unit_b = (div(x, clamp(norm(x, 2, dim, keepdim=True), min=eps)) for x in (a, b))
    return sum_over(mul(unit_a, unit_b), dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """‖x₁ − x₂ + eps‖ₚ along the last dim.

    >>> import pullback as pb
    >>> pb.nn.functional.pairwise_distance(pb.tensor([[3.0, 0.0]]), pb.tensor([[0.0, 4.0]]))
    tensor([5.])

    Source: torch.nn.functional.pairwise_distance.
    """
    return norm(add(sub(x1, x2), eps), p, -1, keepdim)
