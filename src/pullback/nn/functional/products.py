"""Products with a weight."""

from pullback.base.errors import ShapeError
from pullback.nn.functional.checks import check_tensor
from pullback.tensor.linear import matmul
from pullback.tensor.pointwise import add, mul
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import permute, reshape, unsqueeze
from pullback.tensor.tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b: x is (..., in), W (out, in) or (in,), b (out,); the result (..., out).

    Raises ShapeError when the last size of x is not W's, DTypeError when their dtypes differ or x is no tensor.

    >>> import pullback as pb
    >>> pb.nn.functional.linear(pb.tensor([1.0, 2.0]), pb.tensor([[1.0, 1.0]]), pb.tensor([0.5]))
    tensor([3.5000])

    Source: torch.nn.functional.linear.
    """
    check_tensor("linear", "input", input)
    if weight.ndim not in (1, 2):
        raise ShapeError(f"linear takes a weight (out, in) or (in,); got the shape {weight.shape}")
    if not input.ndim or input.shape[-1] != weight.shape[-1]:
        raise ShapeError(
            f"linear with a weight of shape {weight.shape} takes inputs (..., {weight.shape[-1]}); got {input.shape}"
        )
    product = matmul(input, permute(weight, 1, 0) if weight.ndim == 2 else weight)
    return product if bias is None else add(product, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """yₖ = x₁ᵀ Wₖ x₂ + bₖ: x₁ is (..., in1), x₂ (..., in2), W (out, in1, in2), b (out,); the result (..., out).

    Raises ShapeError when the sizes do not fit, DTypeError for inputs that are no tensors.

    >>> import pullback as pb
    >>> pb.nn.functional.bilinear(pb.ones(4, 2), pb.ones(4, 3), pb.ones(5, 2, 3)).shape
    (4, 5)

    Source: torch.nn.functional.bilinear.
    """
    check_tensor("bilinear", "input1", input1)
    check_tensor("bilinear", "input2", input2)
    wanted = (input1.shape[-1:], input2.shape[-1:]) if input1.shape[:-1] == input2.shape[:-1] else None
    if weight.ndim != 3 or wanted != (weight.shape[1:2], weight.shape[2:3]):
        raise ShapeError(
            "bilinear takes inputs (..., in1) and (..., in2) and a weight (out, in1, in2); "
            f"got {input1.shape}, {input2.shape} and {weight.shape}"
        )
    out, in1, in2 = weight.shape
    rows = matmul(input1, reshape(permute(weight, 1, 0, 2), (in1, out * in2)))
    products = mul(reshape(rows, (*input1.shape[:-1], out, in2)), unsqueeze(input2, -2))  # (..., out, in2)
    total = sum_over(products, -1)
    return total if bias is None else add(total, bias)
