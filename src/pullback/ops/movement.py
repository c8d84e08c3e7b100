"""Ops that move numbers without changing them."""

from collections.abc import Sequence

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import DTypeError, ShapeError
from pullback.base.shapes import Shape, size_of, span
from pullback.ir.node import Value, Values
from pullback.ir.types import Type
from pullback.ops.record import op

Sizes = tuple[int, ...]


def _reshape_rule(x: Type, *, shape: Shape) -> Type:
    if size_of(shape) != x.size:
        raise ShapeError(f"{x} has {x.size} elements and cannot take the shape {shape}, which has {size_of(shape)}")
    return x.with_shape(shape)


@op(_reshape_rule, (lambda g, y, x, shape: reshape(g, shape=x.shape),), flops=0)
def reshape(x: Array, *, shape: Shape) -> Array:
    """The same numbers in the same order, in another shape.

    y = x in another shape
    gx = g in x's shape
    """
    return np.reshape(x, shape)


def _permute_rule(x: Type, *, axes: Sizes) -> Type:
    if sorted(axes) != list(range(x.rank)):
        raise ShapeError(f"permute needs each of the {x.rank} axes once; got {axes}")
    return x.with_shape(tuple(x.shape[a] for a in axes))


def _inverse(axes: Sizes) -> Sizes:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


@op(_permute_rule, (lambda g, y, x, axes: permute(g, axes=_inverse(axes)),), flops=0)
def permute(x: Array, *, axes: Sizes) -> Array:
    """The axes in another order.

    y = x with axes in another order
    gx = g with axes put back
    """
    return np.transpose(x, axes)


def _pad_rule(x: Type, *, low: Sizes, high: Sizes, inner: Sizes, value: float) -> Type:
    if not len(low) == len(high) == len(inner) == x.rank:
        raise ShapeError(f"pad needs a width for each of {x.rank} axes; got {low}, {high}, {inner}")
    if min((*low, *high, *inner, 0)) < 0:
        raise ShapeError(f"pad widths must not be negative; got {low}, {high}, {inner}")
    return x.with_shape(tuple(a + span(n, i + 1) + b for a, n, i, b in zip(low, x.shape, inner, high, strict=True)))


def _pad_gradient(g: Value, y: Value, x: Value, low: Sizes, high: Sizes, inner: Sizes, value: float) -> Value:
    step = tuple(i + 1 for i in inner)
    stop = tuple(a + span(n, s) for a, n, s in zip(low, x.shape, step, strict=True))
    return slice_(g, start=low, stop=stop, step=step)


@op(_pad_rule, (_pad_gradient,), flops=0)
def pad(x: Array, *, low: Sizes, high: Sizes, inner: Sizes, value: float) -> Array:
    """x with `value` before, after and between its elements, along each axis.

    y = x with value around and between
    gx = g cut to where x stands
    """
    step = [i + 1 for i in inner]
    span = [max(n - 1, 0) * s + min(n, 1) for n, s in zip(x.shape, step, strict=True)]
    y = np.full([a + n + b for a, n, b in zip(low, span, high, strict=True)], value, x.dtype)
    y[tuple(slice(a, a + n, s) for a, n, s in zip(low, span, step, strict=True))] = x
    return y


def _slice_rule(x: Type, *, start: Sizes, stop: Sizes, step: Sizes) -> Type:
    if not len(start) == len(stop) == len(step) == x.rank:
        raise ShapeError(f"slice needs start, stop and step for each of {x.rank} axes; got {start}, {stop}, {step}")
    bounds = zip(start, stop, step, x.shape, strict=True)
    if any(not 0 <= a <= b <= n or s < 1 for a, b, s, n in bounds):
        raise ShapeError(f"slice from {start} to {stop} by {step} does not lie within {x}")
    return x.with_shape(tuple(-(-(b - a) // s) for a, b, s in zip(start, stop, step, strict=True)))


def _slice_gradient(g: Value, y: Value, x: Value, start: Sizes, stop: Sizes, step: Sizes) -> Value:
    high = tuple(n - a - span(m, s) for n, a, m, s in zip(x.shape, start, g.shape, step, strict=True))
    return pad(g, low=start, high=high, inner=tuple(s - 1 for s in step), value=0)


@op(_slice_rule, (_slice_gradient,), flops=0)
def slice_(x: Array, *, start: Sizes, stop: Sizes, step: Sizes) -> Array:
    """A box cut out of x, with steps.

    y = x[start:stop:step]
    gx = g where it was cut, 0 elsewhere
    """
    return x[tuple(map(slice, start, stop, step))]


@op(lambda x, *, axes: x, (lambda g, y, x, axes: flip(g, axes=axes),), flops=0)
def flip(x: Array, *, axes: Sizes) -> Array:
    """x reversed along these axes.

    y = x reversed
    gx = g reversed
    """
    return np.flip(x, axes)


def _concat_rule(*xs: Type, axis: int) -> Type:
    first = xs[0]
    for x in xs[1:]:
        if x.dtype is not first.dtype:
            raise DTypeError(f"concat needs equal dtypes; got {first} and {x}")
        if x.shape[:axis] + x.shape[axis + 1 :] != first.shape[:axis] + first.shape[axis + 1 :]:
            raise ShapeError(f"concat along axis {axis} needs equal sizes on the other axes; got {first} and {x}")
    total = sum(x.shape[axis] for x in xs)
    return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))


def _concat_gradient(gs: Sequence[Value], outputs: Values, xs: Sequence[Value], params: dict[str, int]) -> Values:
    (g,), parts, place = gs, [], 0
    for x in xs:
        start = tuple(place if axis == params["axis"] else 0 for axis in range(len(x.shape)))
        stop = tuple(a + n for a, n in zip(start, x.shape, strict=True))
        parts.append(slice_(g, start=start, stop=stop, step=(1,) * len(start)))
        place = stop[params["axis"]]
    return parts


@op(_concat_rule, _concat_gradient, flops=0)
def concat(*xs: Array, axis: int) -> Array:
    """Several arrays one after the other along an axis.

    y = x₁, x₂, … one after the other
    gxᵢ = the part of g where xᵢ stands
    """
    return np.concatenate(xs, axis)
