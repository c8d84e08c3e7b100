"""The matrix product."""

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import DTypeError, ShapeError
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.ops.movement import permute
from pullback.ops.record import op
from pullback.ops.rules import require_wide


def _matmul_rule(x: Type, y: Type) -> Type:
    require_wide("matmul", x)
    if x.dtype is not y.dtype:
        raise DTypeError(f"matmul needs equal dtypes; got {x} and {y}")
    if x.rank < 2 or x.rank != y.rank or x.shape[:-2] != y.shape[:-2]:
        raise ShapeError(f"matmul needs stacks of matrices with equal leading axes; got {x} and {y}")
    if x.shape[-1] != y.shape[-2]:
        raise ShapeError(
            f"matmul needs as many columns on the left as rows on the right; got {x} and {y} "
            f"({x.shape[-1]} columns, {y.shape[-2]} rows)"
        )
    return x.with_shape((*x.shape[:-1], y.shape[-1]))


def swap_last(x: Value) -> Value:
    """Each matrix of a stack transposed."""
    rank = len(x.shape)
    return permute(x, axes=(*range(rank - 2), rank - 1, rank - 2))


@op(
    _matmul_rule,
    (lambda g, z, x, y: matmul(g, swap_last(y)), lambda g, z, x, y: matmul(swap_last(x), g)),
    flops=lambda x, y: 2 * x.size * y.shape[-1],
)
def matmul(x: Array, y: Array) -> Array:
    """The product of each pair of matrices, (…, n, k) with (…, k, m) to (…, n, m).

    z = x y
    gx = g yᵀ
    gy = xᵀ g
    """
    return np.matmul(x, y)
