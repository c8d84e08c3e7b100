"""Rules that may change last bits, or the sign of a zero. NaN and infinity stay what they are.

A product with an inverse overflows where a divisor is subnormal and loses bits where the inverse is: neither comes
up in the threads of the native backend, where subnormal numbers count as 0, except that divisors beyond 1/tiny
(8.5e37 in float32) then give 0.
"""

import numpy as np

import pullback.ops as ops
from pullback.base.shapes import size_of
from pullback.ir.node import Value
from pullback.passes.arithmetic_rules import fill, is_filled_with, number_of, reduce_nothing
from pullback.passes.movement_rules import made_by, reshaped
from pullback.passes.rewrite import Draft, rule


def drop_added_zero(draft: Draft) -> Value | None:
    """x + 0 and 0 + x; exact but for x = −0."""
    for zero, x in (draft.inputs, draft.inputs[::-1]):
        if is_filled_with(zero, 0):
            return x
    return None


def drop_empty_sum(draft: Draft) -> Value | None:
    """A sum over no axes, or over axes of size 1; exact but for −0."""
    return reduce_nothing(draft)


def multiply_by_inverse_number(draft: Draft) -> Value | None:
    """x / c is x · (1/c) for a known number c whose inverse is no subnormal."""
    x, y = draft.inputs
    number = number_of(y)
    if number is None or y.dtype.is_half or number == 0 or not np.isfinite(number):
        return None
    with np.errstate(all="ignore"):
        inverse = 1 / number
    if not np.finfo(inverse.dtype).tiny <= np.abs(inverse) < np.inf:
        return None
    return draft.write(ops.mul, x, fill(draft, float(inverse)))


def multiply_by_inverse_of_repeated(draft: Draft) -> Value | None:
    """x / v for repeated numbers v is x times their inverses, which are computed once for each."""
    x, y = draft.inputs
    repeated = made_by(y, "broadcast")
    if repeated is None or y.dtype.is_half or repeated.inputs[0].type.size >= y.type.size:
        return None
    (source,) = repeated.inputs
    one = draft.write(ops.full, value=1.0, shape=source.shape, dtype=source.dtype)
    inverse = draft.write(ops.div, one, source)
    return draft.write(ops.mul, x, draft.write(ops.broadcast, inverse, shape=y.shape))


def multiply_out_small_power(draft: Draft) -> Value | None:
    """x², x³ and x⁻¹ without the power."""
    x, y = draft.inputs
    number = number_of(y)
    if number is None or not x.dtype.is_floating_point or float(number) not in (2.0, 3.0, -1.0):
        return None
    if number == -1:
        return draft.write(ops.div, fill(draft, 1.0), x)
    square = draft.write(ops.mul, x, x)
    return square if number == 2 else draft.write(ops.mul, square, x)


def join_padded(draft: Draft) -> Value | None:
    """A sum of two that stand side by side, each padded with zeros where the other stands, is both joined.

    So is the gradient of what was cut into pieces. Exact but for −0.
    """
    parts = [made_by(x, "pad") for x in draft.inputs]
    if None in parts or any(draft.uses(x) > 1 for x in draft.inputs):
        return None
    (a, low, high), (b, left, right) = ((n.inputs[0], n.params["low"], n.params["high"]) for n in parts if n)
    if any(n.params["value"] != 0 or any(n.params["inner"]) for n in parts if n):
        return None
    apart = [i for i in range(len(low)) if (low[i], high[i]) != (left[i], right[i])]
    if len(apart) != 1:
        return None
    (axis,) = apart
    if low[axis] > left[axis]:
        (a, low, high), (b, left, right) = (b, left, right), (a, low, high)
    if low[axis] + a.shape[axis] != left[axis]:
        return None
    joined = draft.write(ops.concat, a, b, axis=axis)
    ends = tuple(right[i] if i == axis else n for i, n in enumerate(high))
    if not any((*low, *ends)):
        return joined
    return draft.write(ops.pad, joined, low=low, high=ends, inner=(0,) * len(low), value=0)


def join_concats(draft: Draft) -> Value | None:
    """A concat of a concat that nobody else wants, along the same axis."""
    inner = [made_by(x, "concat") if draft.uses(x) == 1 else None for x in draft.inputs]
    if all(n is None or n.params != draft.params for n in inner):
        return None
    parts = [n.inputs if n and n.params == draft.params else (x,) for n, x in zip(inner, draft.inputs, strict=True)]
    return draft.write(ops.concat, *(x for part in parts for x in part), **draft.params)


def sum_rows_first(draft: Draft) -> Value | None:
    """A sum over the last axes and others in front, kept ones between: first along the rows, as memory lies."""
    (x,), axes = draft.inputs, draft.params["axes"]
    real = [a for a, n in enumerate(x.shape) if n != 1]
    kept = [a for a in real if a not in axes]
    if not kept or x.dtype.is_half:
        return None
    last = tuple(a for a in axes if a > kept[-1])
    first = tuple(a for a in axes if a < kept[-1])
    if size_of([x.shape[a] for a in last]) < ROW or all(x.shape[a] == 1 for a in first):
        return None
    rows = draft.write(ops.sum_, x, axes=last, keepdims=True)
    total = draft.write(ops.sum_, rows, axes=first, keepdims=True)
    return reshaped(draft, total, draft.type.shape)


# Rows of fewer elements are not worth a sum of their own.
ROW = 16

RELAXED_RULES = (
    rule(join_padded, "add"),
    rule(join_concats, "concat"),
    rule(sum_rows_first, "sum"),
    rule(drop_added_zero, "add"),
    rule(drop_empty_sum, "sum"),
    rule(multiply_by_inverse_number, "div"),
    rule(multiply_by_inverse_of_repeated, "div"),
    rule(multiply_out_small_power, "pow"),
)
