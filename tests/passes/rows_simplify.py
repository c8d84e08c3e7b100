"""For every rule of simplification programs that it applies to, and what is left of them."""

import numpy as np

from pullback import ops
from pullback.base.dtypes import DType, bfloat16, bool_, float16, float32, float64, int8, int32, int64
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.passes import arithmetic_rules as exact
from pullback.passes import movement_rules as moves
from pullback.passes import relaxed_rules as relaxed
from tests.passes.rule_contract import Row

V, M = Type((40,), float64), Type((5, 8), float32)
WHOLE, FLAGS, CUBE = Type((40,), int64), Type((40,), bool_), Type((2, 3, 4), float32)
FOUR = Type((5, 4), float32)
SCALAR, LINE, COLUMN = Type((), float32), Type((8,), float32), Type((5, 1), float32)


def filled(value: float, like: Value) -> Value:
    return ops.full(value=value, shape=like.shape, dtype=like.dtype)


def padded(x: Value, before: int, after: int) -> Value:
    return ops.pad(x, low=(0, before), high=(0, after), inner=(0, 0), value=0)


def known(value: float, shape: tuple[int, ...] = (5, 8), dtype: DType = float32) -> Value:
    return ops.full(value=value, shape=shape, dtype=dtype)


def wide(x: Value, *shape: int) -> Value:
    return ops.broadcast(x, shape=shape or (5, 8))


def all_places(count: int) -> Value:
    return ops.iota(size=count, dtype=int64)


MOVES = [
    Row(
        moves.take_full_for_constant,
        lambda x: [x + ops.constant(array=np.array(2.5, np.float32))],
        (SCALAR,),
        ["full", "add"],
    ),
    Row(moves.move_full, lambda: [ops.reshape(known(-0.0), shape=(40,))], (), ["full"]),
    Row(moves.move_full, lambda: [ops.broadcast(known(2, ()), shape=(3,))], (), ["full"]),
    Row(moves.move_full, lambda: [ops.permute(known(2), axes=(1, 0))], (), ["full"]),
    Row(moves.move_full, lambda: [ops.slice_(known(2), start=(0, 1), stop=(2, 8), step=(1, 3))], (), ["full"]),
    Row(moves.move_full, lambda: [ops.flip(known(float("nan")), axes=(1,))], (), ["full"]),
    Row(moves.drop_idle_move, lambda x: [ops.reshape(x, shape=(5, 8))], (M,)),
    Row(moves.drop_idle_move, lambda x: [ops.broadcast(x, shape=(5, 8))], (M,)),
    Row(moves.drop_idle_permute, lambda x: [ops.permute(x, axes=(0, 1))], (M,)),
    Row(moves.drop_idle_flip, lambda x: [ops.flip(x, axes=(1,))], (COLUMN,)),
    Row(moves.drop_idle_flip, lambda x: [ops.flip(x, axes=())], (M,)),
    Row(moves.drop_idle_slice, lambda x: [ops.slice_(x, start=(0,), stop=(40,), step=(1,))], (V,)),
    Row(moves.drop_idle_pad, lambda x: [ops.pad(x, low=(0,), high=(0,), inner=(0,), value=7)], (V,)),
    Row(moves.drop_single_concat, lambda x: [ops.concat(x, axis=1)], (M,)),
    Row(moves.drop_detach, lambda x: [ops.detach(x)], (M,)),
    Row(moves.join_reshapes, lambda x: [ops.reshape(ops.reshape(x, shape=(40,)), shape=(4, 10))], (M,), ["reshape"]),
    Row(moves.join_broadcasts, lambda x: [wide(wide(x, 1, 8))], (LINE,), ["broadcast"]),
    Row(
        moves.join_permutes,
        lambda x: [ops.permute(ops.permute(x, axes=(1, 2, 0)), axes=(0, 2, 1))],
        (CUBE,),
        ["permute"],
    ),
    Row(moves.join_flips, lambda x: [ops.flip(ops.flip(x, axes=(0, 1)), axes=(1, 2))], (CUBE,), ["flip"]),
    Row(
        moves.join_slices,
        lambda x: [ops.slice_(ops.slice_(x, start=(3,), stop=(38,), step=(3,)), start=(1,), stop=(9,), step=(2,))],
        (V,),
        ["slice"],
    ),
    Row(
        moves.join_slices,
        lambda x: [ops.slice_(ops.slice_(x, start=(3,), stop=(39,), step=(5,)), start=(8,), stop=(8,), step=(1,))],
        (V,),
        ["slice"],
    ),
    Row(moves.reshape_lone_axes, lambda x: [ops.permute(x, axes=(1, 0))], (COLUMN,), ["reshape"]),
    Row(
        moves.broadcast_from_fewer_axes,
        lambda x: [wide(ops.reshape(x, shape=(1, 1, 8)), 2, 5, 8)],
        (LINE,),
        ["broadcast"],
    ),
    Row(moves.broadcast_from_fewer_axes, lambda x: [wide(ops.reshape(x, shape=(1, 1)))], (SCALAR,), ["broadcast"]),
    Row(
        moves.reshape_before_broadcast, lambda x: [ops.reshape(wide(x, 2, 3, 8), shape=(6, 8))], (LINE,), ["broadcast"]
    ),
    Row(
        moves.reshape_before_broadcast,
        lambda x: [ops.reshape(wide(x), shape=(4, 10))],
        (Type((1, 1), float32),),
        ["reshape", "broadcast"],
    ),
    Row(
        moves.permute_before_broadcast,
        lambda x: [ops.permute(wide(x, 3, 5, 8), axes=(0, 2, 1))],
        (M,),
        ["permute", "broadcast"],
    ),
    Row(
        moves.permute_before_broadcast,
        lambda x: [ops.permute(wide(x, 3, 5, 8), axes=(1, 0, 2))],
        (M,),
        ["reshape", "permute", "broadcast"],
    ),
    Row(
        moves.slice_before_broadcast,
        lambda x: [ops.slice_(wide(x, 3, 5, 8), start=(1, 2, 1), stop=(3, 4, 8), step=(1, 1, 3))],
        (LINE,),
        ["slice", "broadcast"],
    ),
    Row(moves.flip_before_broadcast, lambda x: [ops.flip(wide(x), axes=(0, 1))], (LINE,), ["flip", "broadcast"]),
]

NEUTRAL = [
    Row(exact.drop_neutral_right, lambda x: [x * filled(1, x)], (V,)),
    Row(exact.drop_neutral_right, lambda x: [x / filled(1, x)], (M,)),
    Row(exact.drop_neutral_right, lambda x: [x - filled(0.0, x)], (M,)),
    Row(exact.drop_neutral_right, lambda x: [x + filled(-0.0, x)], (M,)),
    Row(exact.drop_neutral_right, lambda x: [x + filled(0, x)], (WHOLE,)),
    Row(exact.drop_neutral_right, lambda x: [ops.pow_(x, filled(1, x))], (M,)),
    Row(exact.drop_neutral_right, lambda x: [ops.pow_(x, filled(1, x))], (WHOLE,)),
    Row(exact.drop_neutral_right, lambda x: [ops.shift_left(x, filled(0, x))], (WHOLE,)),
    Row(exact.drop_neutral_right, lambda x: [ops.shift_right(x, filled(0, x))], (WHOLE,)),
    Row(exact.drop_neutral_left, lambda x: [filled(1, x) * x], (V,)),
    Row(exact.drop_neutral_left, lambda x: [filled(-0.0, x) + x], (V,)),
    Row(exact.drop_neutral_left, lambda x: [filled(0, x) + x], (WHOLE,)),
    Row(exact.drop_integer_product_with_zero, lambda x: [x * filled(0, x)], (WHOLE,), ["full"]),
    Row(exact.raise_to_zero, lambda x: [ops.pow_(x, filled(0, x))], (V,), ["full"]),
    Row(exact.raise_to_zero, lambda x: [ops.pow_(x, filled(-0.0, x))], (M,), ["full"]),
    Row(exact.raise_to_zero, lambda x: [ops.pow_(x, filled(0, x))], (WHOLE,), ["full"]),
    Row(exact.multiply_by_power_of_two, lambda x: [x / filled(8.0, x)], (M,), ["full", "mul"]),
    Row(exact.multiply_by_power_of_two, lambda x: [x / filled(-0.25, x)], (V,), ["full", "mul"]),
]

DOUBLES = [
    Row(exact.drop_double, lambda x: [ops.neg(-x)], (M,)),
    Row(exact.drop_double, lambda x: [ops.neg(-x)], (WHOLE,)),
    Row(exact.drop_double, lambda x: [ops.bitwise_not(ops.bitwise_not(x))], (FLAGS,)),
    Row(exact.drop_double, lambda x: [ops.bitwise_not(ops.bitwise_not(x))], (WHOLE,)),
    Row(exact.drop_sign_before_abs, lambda x: [ops.abs_(-x)], (M,), ["abs"]),
    Row(exact.drop_sign_before_abs, lambda x: [ops.abs_(ops.abs_(x))], (WHOLE,), ["abs"]),
    Row(exact.drop_same_operand, lambda x: [ops.maximum(x, x)], (M,)),
    Row(exact.drop_same_operand, lambda x: [ops.minimum(x, x)], (WHOLE,)),
    Row(exact.drop_same_operand, lambda x: [ops.bitwise_and(x, x)], (WHOLE,)),
    Row(exact.drop_same_operand, lambda x: [ops.bitwise_or(x, x)], (FLAGS,)),
    Row(exact.decide_comparison_with_itself, lambda x: [ops.eq(x, x)], (WHOLE,), ["full"]),
    Row(exact.decide_comparison_with_itself, lambda x: [ops.le(x, x)], (FLAGS,), ["full"]),
    Row(exact.decide_comparison_with_itself, lambda x: [ops.ne(x, x)], (WHOLE,), ["full"]),
    Row(exact.decide_comparison_with_itself, lambda x: [ops.lt(x, x)], (WHOLE,), ["full"]),
    Row(exact.decide_with_known_bool, lambda x: [ops.bitwise_and(x, filled(True, x))], (FLAGS,)),
    Row(exact.decide_with_known_bool, lambda x: [ops.bitwise_and(filled(False, x), x)], (FLAGS,), ["full"]),
    Row(exact.decide_with_known_bool, lambda x: [ops.bitwise_or(x, filled(True, x))], (FLAGS,), ["full"]),
    Row(exact.decide_with_known_bool, lambda x: [ops.bitwise_or(x, filled(False, x))], (FLAGS,)),
    Row(
        exact.choose_by_known_condition,
        lambda x, y: [ops.where(known(c, (40,), bool_), x, y) for c in (True, False)],
        (V, V),
    ),
    Row(exact.drop_choice_between_equals, lambda c, x: [ops.where(c, x, x)], (FLAGS, V)),
    Row(exact.choose_the_other_way, lambda c, x, y: [ops.where(ops.bitwise_not(c), x, y)], (FLAGS, V, V), ["where"]),
]


def recast(first: DType, second: DType, *types: DType) -> Row:
    """A number of a dtype cast to two others, one after the other."""
    (dtype,) = types
    return Row(
        exact.join_casts, lambda x: [ops.cast(ops.cast(x, dtype=first), dtype=second)], (Type((40,), dtype),), ["cast"]
    )


CASTS = [
    Row(exact.drop_idle_cast, lambda x: [ops.cast(x, dtype=float64)], (V,)),
    recast(float64, float32, float32),
    recast(float32, float16, float16),
    recast(float64, float16, float32),
    recast(float64, bool_, float32),
    recast(int64, float32, int8),
    recast(float64, int32, int32),
    recast(float32, int64, int8),
    recast(float32, int64, bool_),
    Row(
        exact.cast_before_reshape,
        lambda x: [ops.cast(ops.reshape(x, shape=(40,)), dtype=float16)],
        (M,),
        ["cast", "reshape"],
    ),
]

UNARY = (
    ops.neg, ops.abs_, ops.sign, ops.exp, ops.expm1, ops.log, ops.log1p, ops.sqrt, ops.rsqrt, ops.sin, ops.cos,
    ops.atan, ops.tanh, ops.sigmoid, ops.erf, ops.floor, ops.ceil, ops.round_,
)  # fmt: skip
BINARY = (
    ops.add, ops.sub, ops.mul, ops.div, ops.floor_divide, ops.remainder, ops.pow_, ops.maximum, ops.minimum, ops.eq,
    ops.ne, ops.lt, ops.le,
)  # fmt: skip

BITS = (ops.bitwise_and, ops.bitwise_or, ops.bitwise_xor, ops.shift_left, ops.shift_right)

FOLDED = [
    *(
        Row(exact.fold_numbers, lambda op=op, n=n: [op(known(n))], (), ["full"])
        for op in UNARY
        for n in (float("nan"), float("-inf"), -0.0, 0.75, -3.0)
    ),
    *(
        Row(
            exact.fold_numbers,
            lambda op=op, n=n: [op(known(n, dtype=float64), known(0.3, dtype=float64))],
            (),
            ["full"],
        )
        for op in BINARY
        for n in (float("nan"), float("inf"), -0.0, 2.75)
    ),
    *(
        Row(exact.fold_numbers, lambda op=op: [op(known(-7, dtype=int64), known(2, dtype=int64))], (), ["full"])
        for op in (*(op for op in BINARY if op is not ops.div), *BITS)
    ),
    Row(exact.fold_numbers, lambda: [ops.bitwise_not(known(False, dtype=bool_))], (), ["full"]),
    Row(
        exact.fold_numbers, lambda: [ops.where(known(True, dtype=bool_), known(1.5), known(float("nan")))], (), ["full"]
    ),
    Row(exact.fold_numbers, lambda: [ops.cast(known(0.1, dtype=float64), dtype=bfloat16)], (), ["full"]),
    Row(exact.fold_numbers, lambda: [ops.cast(known(-2.75), dtype=int32)], (), ["full"]),
]

REPEATED = [
    *(
        Row(exact.compute_before_broadcast, lambda x, op=op: [op(wide(x))], (LINE,), [op.name, "broadcast"])
        for op in UNARY
    ),
    *(
        Row(
            exact.compute_before_broadcast,
            lambda x, y, op=op: [op(wide(x), wide(y))],
            (COLUMN, SCALAR),
            ["broadcast", op.name, "broadcast"],
        )
        for op in BINARY
    ),
    *(
        Row(
            exact.compute_before_broadcast,
            lambda x, op=op: [op(wide(x), known(3, dtype=int64))],
            (Type((8,), int64),),
            ["full", op.name, "broadcast"],
        )
        for op in BITS
    ),
    Row(
        exact.compute_before_broadcast,
        lambda c, x: [ops.where(ops.bitwise_not(wide(c)), wide(x), known(-0.0))],
        (Type((8,), bool_), LINE),
        ["bitwise_not", "full", "where", "broadcast"],
    ),
    Row(exact.compute_before_broadcast, lambda x: [wide(x) * known(3.0)], (SCALAR,), ["full", "mul", "broadcast"]),
    Row(
        exact.compute_before_broadcast,
        lambda x, y: [wide(x, 3, 5, 8) - wide(y, 3, 5, 8)],
        (LINE, COLUMN),
        ["broadcast", "broadcast", "sub", "broadcast"],
    ),
    Row(exact.compute_before_broadcast, lambda x: [ops.cast(wide(x), dtype=float16)], (LINE,), ["cast", "broadcast"]),
]

REDUCED = [
    Row(
        exact.drop_empty_reduction,
        lambda x: [op(x, axes=(1,), keepdims=False) for op in (ops.amax, ops.amin)],
        (COLUMN,),
        ["reshape"],
    ),
    Row(exact.drop_empty_reduction, lambda x: [ops.sum_(x, axes=(), keepdims=True)], (WHOLE,)),
    Row(exact.drop_gather_of_all, lambda x: [ops.gather(x, all_places(8), axis=1)], (M,)),
    Row(exact.drop_scatter_to_all, lambda x, u: [ops.scatter(x, all_places(8), u, axis=1)], (M, M)),
    Row(exact.drop_scatter_to_all, lambda x, u: [ops.scatter_add(x, all_places(8), u, axis=1)], (M, M), ["add"]),
]

EXACT_ROWS = [*MOVES, *NEUTRAL, *DOUBLES, *CASTS, *FOLDED, *REPEATED, *REDUCED]

RELAXED_ROWS = [
    Row(relaxed.drop_added_zero, lambda x: [x + filled(0.0, x)], (M,)),
    Row(relaxed.drop_added_zero, lambda x: [filled(0.0, x) + x], (V,)),
    Row(relaxed.drop_empty_sum, lambda x: [ops.sum_(x, axes=(1,), keepdims=False)], (COLUMN,), ["reshape"]),
    Row(relaxed.join_padded, lambda x, y: [padded(x, 0, 4) + padded(y, 8, 0)], (M, FOUR), ["concat"]),
    Row(relaxed.join_padded, lambda x, y: [padded(y, 9, 2) + padded(x, 1, 6)], (M, FOUR), ["concat", "pad"]),
    Row(relaxed.join_concats, lambda x, y: [ops.concat(ops.concat(x, y, axis=1), x, axis=1)], (M, FOUR), ["concat"]),
    Row(
        relaxed.sum_rows_first,
        lambda x: [ops.sum_(x, axes=(0, 2), keepdims=False)],
        (Type((2, 3, 16), float32),),
        ["sum", "sum", "reshape"],
    ),
    Row(
        relaxed.sum_rows_first,
        lambda x: [ops.sum_(x, axes=(0, 2, 3), keepdims=True)],
        (Type((2, 3, 4, 5), float64),),
        ["sum", "sum"],
    ),
    Row(relaxed.drop_empty_sum, lambda x: [ops.sum_(x, axes=(), keepdims=False)], (M,)),
    Row(relaxed.multiply_by_inverse_number, lambda x: [x / filled(3.0, x)], (M,), ["full", "mul"]),
    Row(relaxed.multiply_by_inverse_number, lambda x: [x / filled(-1e-3, x)], (V,), ["full", "mul"]),
    Row(
        relaxed.multiply_by_inverse_of_repeated,
        lambda x, y: [x / wide(y)],
        (M, COLUMN),
        ["full", "div", "broadcast", "mul"],
    ),
    Row(
        relaxed.multiply_by_inverse_of_repeated,
        lambda x, y: [x / wide(y)],
        (M, SCALAR),
        ["full", "div", "broadcast", "mul"],
    ),
    Row(relaxed.multiply_out_small_power, lambda x: [ops.pow_(x, filled(2.0, x))], (M,), ["mul"]),
    Row(relaxed.multiply_out_small_power, lambda x: [ops.pow_(x, filled(3.0, x))], (V,), ["mul", "mul"]),
    Row(relaxed.multiply_out_small_power, lambda x: [ops.pow_(x, filled(-1.0, x))], (M,), ["full", "div"]),
]
