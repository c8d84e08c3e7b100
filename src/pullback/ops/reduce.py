"""Repeating and its reverse, summing; the other reductions; sorting."""

import numpy as np

from pullback.base.dtypes import Array, float32, int64
from pullback.base.errors import ShapeError
from pullback.base.shapes import Shape, broadcast_shapes, size_of, with_ones, without_axes
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.ops.create import as_dtype_of
from pullback.ops.logic import eq
from pullback.ops.movement import Sizes, flip, reshape
from pullback.ops.record import op
from pullback.ops.rules import require_kind, require_wide


def _broadcast_rule(x: Type, *, shape: Shape) -> Type:
    if broadcast_shapes(x.shape, shape) != shape:
        raise ShapeError(f"{x} does not broadcast to {shape}")
    return x.with_shape(shape)


def _sum_to(g: Value, shape: Shape) -> Value:
    """g summed over the axes along which a tensor of this shape was repeated."""
    extra = len(g.shape) - len(shape)
    repeated = tuple(i for i, n in enumerate(g.shape) if i < extra or shape[i - extra] != n)
    wide = as_dtype_of(g, float32) if g.dtype.is_half else g
    summed = sum_(wide, axes=repeated, keepdims=False)
    return as_dtype_of(summed if summed.shape == shape else reshape(summed, shape=shape), g.dtype)


@op(_broadcast_rule, (lambda g, y, x, shape: _sum_to(g, x.shape),), flops=0)
def broadcast(x: Array, *, shape: Shape) -> Array:
    """x repeated along new leading axes and axes of size 1.

    y = x repeated
    gx = g summed over the repeats
    """
    return np.broadcast_to(x, shape)


def _reduced(x: Type, axes: Sizes, keepdims: bool) -> Type:
    if any(not 0 <= a < x.rank for a in axes):
        raise ShapeError(f"axes {axes} do not all exist in {x}")
    return x.with_shape(with_ones(x.shape, axes) if keepdims else without_axes(x.shape, axes))


def _restore(v: Value, x: Value, axes: Sizes) -> Value:
    """A reduced value repeated to the shape that x had before."""
    kept = with_ones(x.shape, axes)
    return broadcast(v if v.shape == kept else reshape(v, shape=kept), shape=x.shape)


def _sum_rule(x: Type, *, axes: Sizes, keepdims: bool) -> Type:
    require_wide("sum", x)
    return _reduced(x, axes, keepdims)


@op(_sum_rule, (lambda g, y, x, axes, keepdims: _restore(g, x, axes),), flops=lambda x, **params: x.size)
def sum_(x: Array, *, axes: Sizes, keepdims: bool) -> Array:
    """The sum over some axes.

    y = Σ x
    gx = g repeated
    """
    return np.sum(x, axis=axes, keepdims=keepdims)


def _extreme_rule(x: Type, *, axes: Sizes, keepdims: bool) -> Type:
    if size_of([x.shape[a] for a in axes]) == 0:
        raise ShapeError(f"the largest or smallest of no elements does not exist; got {x} over axes {axes}")
    return _reduced(x, axes, keepdims)


def _extreme_gradient(g: Value, y: Value, x: Value, axes: Sizes, keepdims: bool) -> Value:
    hits = as_dtype_of(eq(x, _restore(y, x, axes)), x.dtype)
    total = as_dtype_of(sum_(as_dtype_of(hits, int64), axes=axes, keepdims=keepdims), x.dtype)
    return _restore(g / total, x, axes) * hits


@op(_extreme_rule, (_extreme_gradient,), flops=lambda x, **params: x.size)
def amax(x: Array, *, axes: Sizes, keepdims: bool) -> Array:
    """The largest over some axes; NaN where one is among them.

    y = max x
    gx = g shared equally by the largest
    """
    return np.max(x, axis=axes, keepdims=keepdims)


@op(_extreme_rule, (_extreme_gradient,), flops=lambda x, **params: x.size)
def amin(x: Array, *, axes: Sizes, keepdims: bool) -> Array:
    """The smallest over some axes; NaN where one is among them.

    y = min x
    gx = g shared equally by the smallest
    """
    return np.min(x, axis=axes, keepdims=keepdims)


def _arg_rule(x: Type, *, axis: int, keepdims: bool) -> Type:
    return _extreme_rule(x, axes=(axis,), keepdims=keepdims).with_dtype(int64)


@op(_arg_rule, None, flops=lambda x, **params: x.size)
def argmax(x: Array, *, axis: int, keepdims: bool) -> Array:
    """The place of the first largest along an axis; of the first NaN if there is one.

    y = place of max x
    """
    return np.argmax(x, axis=axis, keepdims=keepdims)


@op(_arg_rule, None, flops=lambda x, **params: x.size)
def argmin(x: Array, *, axis: int, keepdims: bool) -> Array:
    """The place of the first smallest along an axis; of the first NaN if there is one.

    y = place of min x
    """
    return np.argmin(x, axis=axis, keepdims=keepdims)


def _cumsum_rule(x: Type, *, axis: int) -> Type:
    require_wide("cumsum", x)
    return x


@op(_cumsum_rule, (lambda g, y, x, axis: flip(cumsum(flip(g, axes=(axis,)), axis=axis), axes=(axis,)),))
def cumsum(x: Array, *, axis: int) -> Array:
    """The running sum along an axis.

    yᵢ = x₁ + … + xᵢ
    gxᵢ = gᵢ + … + gₙ
    """
    return np.cumsum(x, axis=axis)


def _argsort_rule(x: Type, *, axis: int, descending: bool) -> Type:
    require_kind("argsort", x, "float int bool")
    return x.with_dtype(int64)


@op(_argsort_rule, None, flops=lambda x, **params: x.size * max(x.size, 2).bit_length())
def argsort(x: Array, *, axis: int, descending: bool) -> Array:
    """The places of the elements in order along an axis; equal ones keep theirs, NaN counts as largest.

    y = places of x in order
    """
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.flip(x.shape[axis] - 1 - backwards, axis)
