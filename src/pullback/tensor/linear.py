"""Products of matrices and vectors."""

import pullback.ops as ops
from pullback.base.dtypes import bool_, float32, int64
from pullback.base.errors import DTypeError, ShapeError
from pullback.base.shapes import broadcast_shapes
from pullback.ir.node import Value
from pullback.tensor.pointwise import add, mul
from pullback.tensor.promotion import convert, expand
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import reshape, squeeze, unsqueeze
from pullback.tensor.tensor import Tensor


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product; vectors count as a row on the left and a column on the right, leading dims broadcast.

    16-bit floats multiply in float32.

    Raises ShapeError when the inner sizes differ, DTypeError when the dtypes do.

    >>> import pullback as pb
    >>> pb.ones(2, 3) @ pb.ones(3)
    tensor([3., 3.])

    Source: torch.matmul.
    """
    if not isinstance(other, Tensor) or not isinstance(input, Tensor):
        raise DTypeError(f"matmul needs two tensors; got {type(input).__name__} and {type(other).__name__}")
    if not input.ndim or not other.ndim:
        raise ShapeError(f"matmul needs vectors or matrices; got shapes {input.shape} and {other.shape}")
    if input.dtype is not other.dtype:
        raise DTypeError(
            f"matmul needs equal dtypes; got {input.dtype.name} and {other.dtype.name}: cast one with .to()"
        )
    x = unsqueeze(input, 0) if input.ndim == 1 else input
    y = unsqueeze(other, 1) if other.ndim == 1 else other
    if x.shape[-1] != y.shape[-2]:
        raise ShapeError(
            f"matmul needs as many columns on the left as rows on the right; got shapes {input.shape} and "
            f"{other.shape} ({x.shape[-1]} and {y.shape[-2]})"
        )
    product = _stacked(x, y)
    added = [-2] * (input.ndim == 1) + [-1] * (other.ndim == 1)
    return squeeze(product, added) if added else product


def _stacked(x: Tensor, y: Tensor) -> Tensor:
    if x.ndim > 2 and y.ndim == 2:  # one tall matrix rather than a stack with repeated right sides
        rows = reshape(x, -1, x.shape[-1]) if x.value.type.size else reshape(x, 0, x.shape[-1])
        return reshape(_product(rows.value, y.value), (*x.shape[:-1], y.shape[-1]))
    leading = broadcast_shapes(x.shape[:-2], y.shape[:-2])
    return _product(expand(x.value, leading + x.shape[-2:]), expand(y.value, leading + y.shape[-2:]))


def _product(x: Value, y: Value) -> Tensor:
    dtype = x.dtype
    wide = float32 if dtype.is_half else dtype if dtype.is_floating_point else int64
    if dtype is bool_:
        raise DTypeError("matmul needs numbers; got bools: cast them with .float()")
    return Tensor(convert(ops.matmul(convert(x, wide), convert(y, wide)), dtype))


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices.

    Source: torch.mm.
    """
    _need_dims("mm", 2, input, mat2)
    return matmul(input, mat2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two stacks of matrices.

    Source: torch.bmm.
    """
    _need_dims("bmm", 3, input, mat2)
    return matmul(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector.

    Source: torch.mv.
    """
    _need_dims("mv", 2, input)
    _need_dims("mv", 1, vec)
    return matmul(input, vec)


def dot(input: Tensor, other: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements.

    Source: torch.dot.
    """
    _need_dims("dot", 1, input, other)
    return matmul(input, other)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Every product of an element of one vector with one of the other, (n,) and (m,) to (n, m).

    Source: torch.outer.
    """
    _need_dims("outer", 1, input, vec2)
    return mul(unsqueeze(input, 1), vec2)


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · mat1 @ mat2.

    Source: torch.addmm.
    """
    product = mm(mat1, mat2)
    return add(input if beta == 1 else mul(input, beta), product, alpha=alpha)


def trace_(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal.

    Source: torch.trace.
    """
    _need_dims("trace", 2, input)
    return sum_over(input.diagonal())


def _need_dims(name: str, count: int, *tensors: Tensor) -> None:
    for x in tensors:
        if x.ndim != count:
            raise ShapeError(f"{name} needs tensors with {count} dims; got the shape {x.shape}")
