"""Products with a weight."""

from pullback.base.errors import ShapeError
from pullback.tensor.linear import matmul
from pullback.tensor.pointwise import add
from pullback.tensor.shaping import permute
from pullback.tensor.tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b for x (..., in), W (out, in) or (in,), b (out,).

    Raises ShapeError when the last size of x is not W's, DTypeError when the dtypes differ.

    Source: torch.nn.functional.linear.
    """
    if not input.ndim or input.shape[-1] != weight.shape[-1]:
        raise ShapeError(
            f"linear with a weight of shape {weight.shape} takes inputs (..., {weight.shape[-1]}); got {input.shape}"
        )
    product = matmul(input, permute(weight, *reversed(range(weight.ndim))))
    return product if bias is None else add(product, bias)
