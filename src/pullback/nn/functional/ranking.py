"""Losses that put one thing nearer than another, or before it."""

from pullback.base.errors import ArgumentError, ShapeError
from pullback.nn.functional.checks import check_pair
from pullback.nn.functional.distance import pairwise_distance
from pullback.nn.functional.reduction import reduce_losses
from pullback.tensor.pointwise import add, clamp, div, eq, minimum, mul, ne, neg, sqrt, sub, where
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.tensor import Tensor


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """x where y = 1, max(0, margin − x) where y = −1.

    Raises ShapeError when the shapes differ, DTypeError when the dtypes do.

    >>> import pullback as pb
    >>> pb.nn.functional.hinge_embedding_loss(pb.tensor([0.5, 0.25]), pb.tensor([1.0, -1.0]), reduction="none")
    tensor([0.5000, 0.7500])

    Source: torch.nn.functional.hinge_embedding_loss.
    """
    check_pair("hinge_embedding_loss", input, target)
    apart = where(ne(target, 1), clamp(sub(margin, input), min=0.0), 0.0)
    return reduce_losses(add(apart, where(ne(target, -1), input, 0.0)), reduction)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """max(0, −y · (x₁ − x₂) + margin): with y = 1 the first should be larger, with y = −1 the second.

    Raises ShapeError when the numbers of dims differ, DTypeError when the dtypes do.

    >>> import pullback as pb
    >>> x, y = pb.tensor([2.0, 2.0]), pb.tensor([1.0, 1.0])
    >>> pb.nn.functional.margin_ranking_loss(x, y, pb.tensor([1.0, -1.0]), reduction="none")
    tensor([0., 1.])

    Source: torch.nn.functional.margin_ranking_loss.
    """
    check_pair("margin_ranking_loss", input1, input2, shapes=False)
    check_pair("margin_ranking_loss", input1, target, shapes=False)
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            "margin_ranking_loss needs inputs and target with equally many dims; "
            f"got {input1.shape}, {input2.shape} and {target.shape}"
        )
    return reduce_losses(clamp(add(mul(neg(target), sub(input1, input2)), margin), min=0.0), reduction)


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 − cos(x₁, x₂) where y = 1, max(0, cos(x₁, x₂) − margin) where y = −1.

    input1 and input2 are (n, d) with a target (n,), or (d,) with a target without dims; the target may hold integers.

    Raises ShapeError for other shapes, DTypeError when the inputs' dtypes differ.

    >>> import pullback as pb
    >>> x = pb.tensor([[1.0, 0.0]])
    >>> pb.nn.functional.cosine_embedding_loss(x, x, pb.tensor([-1]), margin=0.5)
    tensor(0.5000)

    Source: torch.nn.functional.cosine_embedding_loss.
    """
    check_pair("cosine_embedding_loss", input1, input2)
    if input1.ndim not in (1, 2) or target.shape != input1.shape[:-1]:
        raise ShapeError(
            "cosine_embedding_loss takes inputs (n, d) with a target (n,), or (d,) with a target (); "
            f"got {input1.shape} and {target.shape}"
        )
    squares = [add(sum_over(mul(x, x), -1), 1e-12) for x in (input1, input2)]
    cosine = div(sum_over(mul(input1, input2), -1), sqrt(mul(*squares)))
    alike = where(eq(target, 1), sub(1.0, cosine), 0.0)
    apart = where(eq(target, -1), clamp(sub(cosine, margin), min=0.0), 0.0)
    return reduce_losses(add(alike, apart), reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, ‖a − p‖ − ‖a − n‖ + margin); with swap ‖p − n‖ stands for ‖a − n‖ where it is smaller.

    Raises ShapeError when the shapes differ, DTypeError when the dtypes do, ArgumentError when margin is not above 0.

    >>> import pullback as pb
    >>> a, near, far = pb.tensor([[0.0]]), pb.tensor([[1.0]]), pb.tensor([[3.0]])
    >>> pb.nn.functional.triplet_margin_loss(a, far, near)
    tensor(3.)

    Source: torch.nn.functional.triplet_margin_loss; Balntas et al. 2016.
    """
    if margin <= 0:
        raise ArgumentError(f"triplet_margin_loss needs margin > 0; got {margin}")
    check_pair("triplet_margin_loss", anchor, positive)
    check_pair("triplet_margin_loss", anchor, negative)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduce_losses(clamp(add(sub(near, far), margin), min=0.0), reduction)
