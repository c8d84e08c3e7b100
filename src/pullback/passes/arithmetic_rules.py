"""Rules for arithmetic with known numbers and for ops that undo each other. All are exact.

What floats forbid is left out: x · 0 is NaN for infinity, x + 0 turns −0 into 0, x − x is NaN for infinity.
"""

from typing import Any

import numpy as np

import pullback.ops as ops
from pullback.base.dtypes import Array, DType
from pullback.base.shapes import Shape, broadcast_shapes, size_of
from pullback.ir.node import Value
from pullback.passes.kinds import POINTWISE
from pullback.passes.movement_rules import made_by, repeated, reshaped
from pullback.passes.rewrite import Draft, rule

# The number at a place follows from the inputs' numbers at that place, and there are inputs.
ELEMENTWISE = POINTWISE - {"full", "iota", "pad", "gather"}


def number_of(value: Value) -> Array | None:
    """The number that a value has in every place, if the program says so."""
    node = made_by(value, "full")
    return None if node is None else np.array(node.params["value"], value.dtype.numpy)


def is_filled_with(value: Value, number: float) -> bool:
    """Whether a value has this number in every place; 0 and −0 are told apart."""
    found = number_of(value)
    return found is not None and bool(found == number) and bool(np.signbit(found) == np.signbit(number))


def fill(draft: Draft, number: Any) -> Value:
    """One number in every place of what the draft makes."""
    return draft.write(ops.full, value=number, shape=draft.type.shape, dtype=draft.type.dtype)


# Known numbers
def fold_numbers(draft: Draft) -> Value | None:
    """An op of known numbers alone: the number that it makes of them."""
    numbers = [number_of(x) for x in draft.inputs]
    if not numbers or any(number is None for number in numbers):
        return None
    with np.errstate(all="ignore"):
        (result,) = draft.op.run([number for number in numbers if number is not None], draft.params)
    python = {"bool": bool, "int": int, "float": float}[draft.type.dtype.kind]
    return fill(draft, python(result[()]))


def drop_neutral_right(draft: Draft) -> Value | None:
    """x · 1, x / 1, x − 0, x + (−0) and, for integers, x + 0."""
    return draft.inputs[0] if _is_neutral(draft.op.name, draft.inputs[1]) else None


def drop_neutral_left(draft: Draft) -> Value | None:
    """1 · x, (−0) + x and, for integers, 0 + x."""
    return draft.inputs[1] if _is_neutral(draft.op.name, draft.inputs[0]) else None


def _is_neutral(op: str, y: Value) -> bool:
    if op == "add":
        return is_filled_with(y, -0.0 if y.dtype.is_floating_point else 0)
    return is_filled_with(y, {"mul": 1, "div": 1, "sub": 0, "pow": 1, "shift_left": 0, "shift_right": 0}[op])


def drop_integer_product_with_zero(draft: Draft) -> Value | None:
    """x · 0 of integers."""
    if draft.type.dtype.is_floating_point or not any(is_filled_with(x, 0) for x in draft.inputs):
        return None
    return fill(draft, 0)


def raise_to_zero(draft: Draft) -> Value | None:
    """x⁰ is 1, of NaN too."""
    exponent = number_of(draft.inputs[1])
    return fill(draft, 1) if exponent is not None and exponent == 0 else None


def multiply_by_power_of_two(draft: Draft) -> Value | None:
    """Division by ±2ᵏ is a product with ±2⁻ᵏ."""
    x, y = draft.inputs
    number = number_of(y)
    if number is None or y.dtype.is_half or not np.isfinite(number) or np.abs(np.frexp(number)[0]) != 0.5:
        return None
    with np.errstate(all="ignore"):
        inverse = 1 / number
    tiny = np.finfo(inverse.dtype).tiny
    if not tiny <= np.abs(inverse) < np.inf:
        return None
    return draft.write(ops.mul, x, fill(draft, float(inverse)))


# Ops that undo each other, or say the same twice
def drop_double(draft: Draft) -> Value | None:
    """−(−x), ¬(¬x)."""
    inner = made_by(draft.inputs[0], draft.op.name)
    return inner.inputs[0] if inner else None


def drop_sign_before_abs(draft: Draft) -> Value | None:
    """|−x| and ||x||."""
    inner = made_by(draft.inputs[0], "neg") or made_by(draft.inputs[0], "abs")
    return draft.write(ops.abs_, inner.inputs[0]) if inner else None


def drop_same_operand(draft: Draft) -> Value | None:
    """max(x, x), min(x, x), x ∧ x, x ∨ x."""
    x, y = draft.inputs
    return x if x is y else None


def decide_comparison_with_itself(draft: Draft) -> Value | None:
    """x = x, x ≤ x, x ≠ x, x < x, except of floats, where NaN decides."""
    x, y = draft.inputs
    if x is not y or x.dtype.is_floating_point:
        return None
    return fill(draft, draft.op.name in ("eq", "le"))


def decide_with_known_bool(draft: Draft) -> Value | None:
    """x ∧ true, x ∧ false, x ∨ true, x ∨ false."""
    for known, other in (draft.inputs, draft.inputs[::-1]):
        number = number_of(known)
        if number is not None and number.dtype == np.bool_:
            return other if bool(number) is (draft.op.name == "bitwise_and") else known
    return None


# Choices
def choose_by_known_condition(draft: Draft) -> Value | None:
    """`where` with one condition in all places."""
    condition, x, y = draft.inputs
    number = number_of(condition)
    return None if number is None else x if number else y


def drop_choice_between_equals(draft: Draft) -> Value | None:
    """where(c, x, x)."""
    _, x, y = draft.inputs
    return x if x is y else None


def choose_the_other_way(draft: Draft) -> Value | None:
    """where(¬c, x, y) is where(c, y, x)."""
    condition, x, y = draft.inputs
    inner = made_by(condition, "bitwise_not")
    return draft.write(ops.where, inner.inputs[0], y, x) if inner else None


# Casts
def drop_idle_cast(draft: Draft) -> Value | None:
    """A cast to the dtype that is there already."""
    (x,) = draft.inputs
    return x if x.dtype is draft.params["dtype"] else None


def join_casts(draft: Draft) -> Value | None:
    """A cast of a cast that lost nothing."""
    inner = made_by(draft.inputs[0], "cast")
    if inner is None:
        return None
    (x,) = inner.inputs
    dtype = draft.params["dtype"]
    if not _holds(inner.types[0].dtype, x.dtype) or (x.dtype.kind == "float" and dtype.kind == "int"):
        return None  # what NaN and infinity become as integers depends on the float's width
    return draft.write(ops.cast, x, dtype=dtype)


def _holds(wide: DType, narrow: DType) -> bool:
    """Whether each number of one dtype is a number of the other."""
    if wide is narrow or narrow.kind == "bool":
        return True
    if narrow.kind == "float":
        return wide.kind == "float" and wide.bits > narrow.bits
    if wide.kind == "float":
        return {"float32": 24, "float64": 53}.get(wide.name, 8) >= narrow.bits
    low, high = np.iinfo(narrow.numpy), np.iinfo(wide.numpy) if wide.kind == "int" else None
    return high is not None and high.min <= low.min and low.max <= high.max


def cast_before_reshape(draft: Draft) -> Value | None:
    """A cast of a reshape: cast first, so that casts meet."""
    inner = made_by(draft.inputs[0], "reshape")
    if inner is None:
        return None
    return draft.write(ops.reshape, draft.write(ops.cast, inner.inputs[0], **draft.params), **inner.params)


# Repeated numbers: compute first, repeat last
def compute_before_broadcast(draft: Draft) -> Value | None:
    """An elementwise op of repeated numbers alone is computed once for each and then repeated."""
    shape = draft.inputs[0].shape
    sources = [_source_shape(x) for x in draft.inputs]
    known = [source for source in sources if source is not None]
    if len(known) < len(sources):
        return None
    small = broadcast_shapes(*known)
    if size_of(small) >= size_of(shape):
        return None
    parts = [_in_small(draft, x, small) for x in draft.inputs]
    return draft.write(ops.broadcast, draft.write(draft.op, *parts, **draft.params), shape=shape)


def _source_shape(x: Value) -> Shape | None:
    if x.node is None or x.node.op.name not in ("broadcast", "full"):
        return None
    return x.node.inputs[0].shape if x.node.op.name == "broadcast" else ()


def _in_small(draft: Draft, x: Value, shape: Shape) -> Value:
    node = x.node
    assert node is not None  # it has a source
    if node.op.name == "full":
        return draft.write(ops.full, value=node.params["value"], shape=shape, dtype=x.dtype)
    return repeated(draft, node.inputs[0], shape)


# Reductions and indices
def drop_empty_reduction(draft: Draft) -> Value | None:
    """The largest or smallest over no axes, or over axes of size 1, and a sum of integers: the numbers themselves."""
    (x,) = draft.inputs
    if draft.op.name == "sum" and x.dtype.is_floating_point:
        return None  # a sum of −0 alone may be 0
    return reduce_nothing(draft)


def reduce_nothing(draft: Draft) -> Value | None:
    """A reduction over no axes, or over axes of size 1: the numbers themselves."""
    (x,) = draft.inputs
    if any(x.shape[axis] != 1 for axis in draft.params["axes"]):
        return None
    return reshaped(draft, x, draft.type.shape)


def drop_gather_of_all(draft: Draft) -> Value | None:
    """What stands at 0, 1, …, n − 1 along an axis of size n."""
    x, index = draft.inputs
    return x if _is_all(index, x.shape[draft.params["axis"]]) else None


def drop_scatter_to_all(draft: Draft) -> Value | None:
    """Updates written, or added, at 0, 1, …, n − 1 along an axis of size n."""
    x, index, updates = draft.inputs
    if not _is_all(index, x.shape[draft.params["axis"]]):
        return None
    return updates if draft.op.name == "scatter" else draft.write(ops.add, x, updates)


def _is_all(index: Value, count: int) -> bool:
    return made_by(index, "iota") is not None and index.shape == (count,)


ARITHMETIC_RULES = (
    rule(fold_numbers, ELEMENTWISE),
    rule(drop_neutral_right, "mul div sub add pow shift_left shift_right"),
    rule(drop_neutral_left, "mul add"),
    rule(drop_integer_product_with_zero, "mul"),
    rule(raise_to_zero, "pow"),
    rule(multiply_by_power_of_two, "div"),
    rule(drop_double, "neg bitwise_not"),
    rule(drop_sign_before_abs, "abs"),
    rule(drop_same_operand, "maximum minimum bitwise_and bitwise_or"),
    rule(decide_comparison_with_itself, "eq le ne lt"),
    rule(decide_with_known_bool, "bitwise_and bitwise_or"),
    rule(choose_by_known_condition, "where"),
    rule(drop_choice_between_equals, "where"),
    rule(choose_the_other_way, "where"),
    rule(drop_idle_cast, "cast"),
    rule(join_casts, "cast"),
    rule(cast_before_reshape, "cast"),
    rule(compute_before_broadcast, ELEMENTWISE),
    rule(drop_empty_reduction, "sum amax amin"),
    rule(drop_gather_of_all, "gather"),
    rule(drop_scatter_to_all, "scatter scatter_add"),
)
