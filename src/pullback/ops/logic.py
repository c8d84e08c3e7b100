"""Comparisons, choices and bits."""

import numpy as np

from pullback.base.dtypes import Array, bool_
from pullback.base.errors import DTypeError, ShapeError
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.ops.create import zeros_like
from pullback.ops.record import op
from pullback.ops.rules import comparison, same


@op(comparison("eq"), None)
def eq(x: Array, y: Array) -> Array:
    """Whether equal; NaN equals nothing.

    z = (x = y)
    """
    return np.equal(x, y)


@op(comparison("ne"), None)
def ne(x: Array, y: Array) -> Array:
    """Whether different; NaN differs from everything, itself too.

    z = (x ≠ y)
    """
    return np.not_equal(x, y)


@op(comparison("lt"), None)
def lt(x: Array, y: Array) -> Array:
    """Whether less; False beside a NaN.

    z = (x < y)
    """
    return np.less(x, y)


@op(comparison("le"), None)
def le(x: Array, y: Array) -> Array:
    """Whether less or equal; False beside a NaN.

    z = (x ≤ y)
    """
    return np.less_equal(x, y)


def _where_rule(condition: Type, x: Type, y: Type) -> Type:
    if condition.dtype is not bool_:
        raise DTypeError(f"where needs a condition of bools; got {condition}")
    if condition.shape != x.shape:
        raise ShapeError(f"where needs equal shapes; got the condition {condition} and {x}")
    return same("where", "float int bool")(x, y)


def _where_x(g: Value, z: Value, condition: Value, x: Value, y: Value) -> Value:
    return where(condition, g, zeros_like(g))


def _where_y(g: Value, z: Value, condition: Value, x: Value, y: Value) -> Value:
    return where(condition, zeros_like(g), g)


@op(_where_rule, (None, _where_x, _where_y))
def where(condition: Array, x: Array, y: Array) -> Array:
    """x or y, place by place.

    z = x where condition, else y
    gx = g where condition, else 0
    gy = 0 where condition, else g
    """
    return np.where(condition, x, y)


@op(same("bitwise_and", "int bool"), None)
def bitwise_and(x: Array, y: Array) -> Array:
    """Bits that both have; logical and of bools.

    z = x ∧ y
    """
    return np.bitwise_and(x, y)


@op(same("bitwise_or", "int bool"), None)
def bitwise_or(x: Array, y: Array) -> Array:
    """Bits that either has; logical or of bools.

    z = x ∨ y
    """
    return np.bitwise_or(x, y)


@op(same("bitwise_xor", "int bool"), None)
def bitwise_xor(x: Array, y: Array) -> Array:
    """Bits that one alone has.

    z = x ⊕ y
    """
    return np.bitwise_xor(x, y)


@op(same("bitwise_not", "int bool"), None)
def bitwise_not(x: Array) -> Array:
    """Every bit turned over; logical not of bools.

    y = ¬x
    """
    return np.invert(x)


@op(same("shift_left", "int"), None)
def shift_left(x: Array, y: Array) -> Array:
    """Bits moved up by y places.

    z = x · 2ʸ
    """
    return np.left_shift(x, y)


@op(same("shift_right", "int"), None)
def shift_right(x: Array, y: Array) -> Array:
    """Bits moved down by y places, keeping the sign.

    z = ⌊x / 2ʸ⌋
    """
    return np.right_shift(x, y)
