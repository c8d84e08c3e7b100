"""Reading and writing at places given by an index."""

import numpy as np

from pullback.base.dtypes import Array, int64
from pullback.base.errors import DTypeError, ShapeError
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.ops.create import zeros_like
from pullback.ops.record import op
from pullback.ops.rules import require_kind


def _gather_rule(x: Type, index: Type, *, axis: int) -> Type:
    if index.dtype is not int64:
        raise DTypeError(f"gather needs an index of int64; got {index}")
    return x.with_shape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _gather_gradient(g: Value, y: Value, x: Value, index: Value, axis: int) -> Value:
    return scatter_add(zeros_like(x), index, g, axis=axis)


@op(_gather_rule, (_gather_gradient, None), flops=0)
def gather(x: Array, index: Array, *, axis: int) -> Array:
    """The entries of x along an axis that the index names; negative places count from the end.

    y = x[index]
    gx[index] += g
    """
    return np.take(x, index, axis=axis)


def _scatter_rule(x: Type, index: Type, updates: Type, *, axis: int) -> Type:
    wanted = _gather_rule(x, index, axis=axis)
    if updates.shape != wanted.shape:
        raise ShapeError(
            f"updates must have the shape {wanted.shape} of what {index} names along axis {axis} of {x}; got {updates}"
        )
    if updates.dtype is not x.dtype:
        raise DTypeError(f"updates need the dtype of {x}; got {updates}")
    require_kind("scatter", x, "float int bool")
    return x


def _updates_gradient(g: Value, y: Value, x: Value, index: Value, updates: Value, axis: int) -> Value:
    return gather(g, index, axis=axis)


@op(_scatter_rule, (lambda g, y, x, index, updates, axis: g, None, _updates_gradient))
def scatter_add(x: Array, index: Array, updates: Array, *, axis: int) -> Array:
    """x with updates added at the entries that the index names; entries named twice receive both, in order.

    y = x; y[index] += updates
    gx = g
    gupdates = g[index]
    """
    y = x.copy()
    np.add.at(y, (slice(None),) * axis + (index,), updates)  # type: ignore[arg-type]  # the stub knows no slices
    return y


def _kept_gradient(g: Value, y: Value, x: Value, index: Value, updates: Value, axis: int) -> Value:
    return scatter(g, index, zeros_like(updates), axis=axis)


@op(_scatter_rule, (_kept_gradient, None, _updates_gradient), flops=0)
def scatter(x: Array, index: Array, updates: Array, *, axis: int) -> Array:
    """x with the entries that the index names replaced; of entries named twice the last counts.

    y = x; y[index] = updates
    gx = g, 0 at index
    gupdates = g[index]
    """
    y = x.copy()
    y[(slice(None),) * axis + (index,)] = updates
    return y
