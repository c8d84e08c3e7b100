"""Elementwise arithmetic of two inputs of one type. Broadcasting is an op of its own."""

import numpy as np

from pullback.base.dtypes import Array
from pullback.ir.node import Value
from pullback.ops.create import ones_like, zeros_like
from pullback.ops.logic import bitwise_and, bitwise_not, eq, le, lt, where
from pullback.ops.record import op
from pullback.ops.rules import same
from pullback.ops.unary import abs_, log


@op(same("add"), (lambda g, z, x, y: g, lambda g, z, x, y: g))
def add(x: Array, y: Array) -> Array:
    """The sum.

    z = x + y
    gx = g
    gy = g
    """
    return np.add(x, y)


@op(same("sub"), (lambda g, z, x, y: g, lambda g, z, x, y: -g))
def sub(x: Array, y: Array) -> Array:
    """The difference.

    z = x − y
    gx = g
    gy = −g
    """
    return np.subtract(x, y)


@op(same("mul"), (lambda g, z, x, y: g * y, lambda g, z, x, y: g * x))
def mul(x: Array, y: Array) -> Array:
    """The product.

    z = x · y
    gx = g · y
    gy = g · x
    """
    return np.multiply(x, y)


@op(same("div", "float"), (lambda g, z, x, y: g / y, lambda g, z, x, y: -(g * z) / y), flops=4)
def div(x: Array, y: Array) -> Array:
    """The quotient; infinite or NaN where y is 0.

    z = x / y
    gx = g / y
    gy = −g · z / y
    """
    return np.divide(x, y)


@op(same("floor_divide"), (lambda g, z, x, y: zeros_like(x), lambda g, z, x, y: zeros_like(y)), flops=5)
def floor_divide(x: Array, y: Array) -> Array:
    """The quotient rounded down; of integers by 0 it is 0.

    z = ⌊x / y⌋
    gx = 0
    gy = 0
    """
    return np.floor_divide(x, y)


@op(same("remainder"), (lambda g, z, x, y: g, lambda g, z, x, y: -(g * floor_divide(x, y))), flops=6)
def remainder(x: Array, y: Array) -> Array:
    """What division leaves, with the sign of the divisor.

    z = x − y·⌊x / y⌋
    gx = g
    gy = −g · ⌊x / y⌋
    """
    return np.remainder(x, y)


def _base_gradient(g: Value, z: Value, x: Value, y: Value) -> Value:
    flat = bitwise_and(eq(y, zeros_like(y)), bitwise_not(lt(zeros_like(x), abs_(x))))  # 0⁰ and NaN⁰, which are 1
    return g * y * pow_(where(flat, ones_like(x), x), y - 1.0)


def _exponent_gradient(g: Value, z: Value, x: Value, y: Value) -> Value:
    flat = bitwise_and(eq(x, zeros_like(x)), le(zeros_like(y), y))
    return g * z * log(where(flat, ones_like(x), x))


@op(same("pow"), (_base_gradient, _exponent_gradient), flops=25)
def pow_(x: Array, y: Array) -> Array:
    """The power; NaN for a negative base with a broken exponent. Whole numbers have whole ones: 2⁻¹ is 0.

    z = xʸ
    gx = g · y · xʸ⁻¹, 0 for 0⁰
    gy = g · z · ln(x), 0 where x = 0 and y ≥ 0
    """
    if x.dtype.kind in "iu":
        inverse = np.where(np.abs(x) == 1, np.where(y % 2 == 0, 1, x), 0)
        return np.where(y < 0, inverse, np.power(x, np.maximum(y, 0))).astype(x.dtype)
    return np.power(x, y)


def _share_at_ties(g: Value, loses: Value, ties: Value) -> Value:
    """0 where the input loses, half of g where both are equal, g elsewhere, also beside NaN."""
    return where(ties, g * 0.5, where(loses, zeros_like(g), g))


def _unless_less(g: Value, z: Value, x: Value, y: Value) -> Value:
    return _share_at_ties(g, lt(x, y), eq(x, y))


def _unless_greater(g: Value, z: Value, x: Value, y: Value) -> Value:
    return _share_at_ties(g, lt(y, x), eq(x, y))


@op(same("maximum", "float int bool"), (_unless_less, _unless_greater))
def maximum(x: Array, y: Array) -> Array:
    """The larger of two; NaN where either is NaN.

    z = max(x, y)
    gx = g, g/2 where equal, 0 where x < y
    gy = g, g/2 where equal, 0 where y < x
    """
    return np.maximum(x, y)


@op(same("minimum", "float int bool"), (_unless_greater, _unless_less))
def minimum(x: Array, y: Array) -> Array:
    """The smaller of two; NaN where either is NaN.

    z = min(x, y)
    gx = g, g/2 where equal, 0 where x > y
    gy = g, g/2 where equal, 0 where y > x
    """
    return np.minimum(x, y)
