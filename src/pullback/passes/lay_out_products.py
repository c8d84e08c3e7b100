"""Write matrix products so that their results lie as they are wanted, and so that stacks become one product."""

import pullback.ops as ops
from pullback.base.shapes import size_of
from pullback.ir.node import Value
from pullback.ir.program import Program
from pullback.passes.movement_rules import MOVEMENT_RULES, made_by
from pullback.passes.rewrite import Draft, rewrite, rule


def lay_out_products(program: Program) -> Program:
    """The program with products transposed where their transpose is wanted, and with stacks of products made one.

    The sums run over the same terms, in an order that may differ.
    """
    return rewrite(program, _RULES)


def _swaps_last(axes: tuple[int, ...]) -> bool:
    rank = len(axes)
    return rank >= 2 and axes == (*range(rank - 2), rank - 1, rank - 2)


def _transposed(draft: Draft, x: Value) -> Value:
    """Each matrix of a stack transposed."""
    rank = len(x.shape)
    return draft.write(ops.permute, x, axes=(*range(rank - 2), rank - 1, rank - 2))


def transpose_factors(draft: Draft) -> Value | None:
    """(x y)ᵀ = yᵀ xᵀ, also behind a cast, where nobody else wants the product."""
    (product,) = draft.inputs
    if not _swaps_last(draft.params["axes"]) or draft.uses(product) > 1:
        return None
    cast = made_by(product, "cast")
    inner = cast.inputs[0] if cast else product
    node = made_by(inner, "matmul")
    if node is None or draft.uses(inner) > 1:
        return None
    x, y = node.inputs
    result = draft.write(ops.matmul, _transposed(draft, y), _transposed(draft, x))
    return draft.write(ops.cast, result, dtype=product.dtype) if cast else result


def _shared_matrix(draft: Draft, stack: Value) -> Value | None:
    """The one matrix of which a stack is made, (k, m), for a stack of shape (…, k, m)."""
    node = made_by(stack, "broadcast")
    if node is None:
        return None
    (source,) = node.inputs
    matrix = stack.shape[-2:]
    if len(source.shape) < 2 or source.shape[-2:] != matrix or source.type.size != size_of(matrix):
        return None
    return draft.write(ops.reshape, source, shape=matrix)


def multiply_rows_at_once(draft: Draft) -> Value | None:
    """(…, n, k) by a stack that repeats one (k, m) is one product of all rows, (… · n, k) by (k, m)."""
    x, y = draft.inputs
    matrix = _shared_matrix(draft, y)
    if matrix is None:
        return None
    *leading, n, k = x.shape
    rows = draft.write(ops.reshape, x, shape=(size_of(leading) * n, k))
    product = draft.write(ops.matmul, rows, matrix)
    return draft.write(ops.reshape, product, shape=draft.type.shape)


def multiply_columns_at_once(draft: Draft) -> Value | None:
    """A stack that repeats one (n, k) by transposed matrices (…, m, k)ᵀ: the transpose of one product of all rows."""
    x, y = draft.inputs
    turned = made_by(y, "permute")
    matrix = _shared_matrix(draft, x) if turned and _swaps_last(turned.params["axes"]) else None
    if matrix is None or turned is None:
        return None
    (rows,) = turned.inputs
    *leading, m, k = rows.shape
    flat = draft.write(ops.reshape, rows, shape=(size_of(leading) * m, k))
    product = draft.write(ops.matmul, flat, _transposed(draft, matrix))
    stacked = draft.write(ops.reshape, product, shape=(*leading, m, matrix.shape[0]))
    return _transposed(draft, stacked)


def sum_within_product(draft: Draft) -> Value | None:
    """Σ over a stack of xᵀ g, for x (…, n, k) and g (…, n, m), is one product over all rows, (… · n)."""
    (product,) = draft.inputs
    node, rank = made_by(product, "matmul"), len(product.shape)
    if node is None or rank < 3 or draft.uses(product) > 1 or set(draft.params["axes"]) != set(range(rank - 2)):
        return None
    turned, g = made_by(node.inputs[0], "permute"), node.inputs[1]
    if turned is None or not _swaps_last(turned.params["axes"]):
        return None
    (x,) = turned.inputs
    rows = size_of(x.shape[:-1])
    left = draft.write(ops.reshape, x, shape=(rows, x.shape[-1]))
    right = draft.write(ops.reshape, g, shape=(rows, g.shape[-1]))
    result = draft.write(ops.matmul, _transposed(draft, left), right)
    return draft.write(ops.reshape, result, shape=draft.type.shape)


PRODUCT_RULES = (
    rule(transpose_factors, "permute"),
    rule(multiply_rows_at_once, "matmul"),
    rule(multiply_columns_at_once, "matmul"),
    rule(sum_within_product, "sum"),
)
_RULES = (*MOVEMENT_RULES, *PRODUCT_RULES)
