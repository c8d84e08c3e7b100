"""The closed vocabulary: one record per op, and the interpreter, which is the meaning of a program."""

# fmt: off
from pullback.ir.node import OPS
from pullback.ops.arithmetic import add, div, floor_divide, maximum, minimum, mul, pow_, remainder, sub
from pullback.ops.control import attach_gradient, call, scan
from pullback.ops.create import (
    as_dtype_of, cast, constant, filled_like, full, iota, ones_like, random_bits, zeros_like,
)
from pullback.ops.indexing import gather, scatter, scatter_add
from pullback.ops.interpreter import interpret
from pullback.ops.logic import (
    bitwise_and, bitwise_not, bitwise_or, bitwise_xor, eq, le, lt, ne, shift_left, shift_right, where,
)
from pullback.ops.matmul import matmul
from pullback.ops.movement import concat, flip, pad, permute, reshape, slice_
from pullback.ops.reduce import amax, amin, argmax, argmin, argsort, broadcast, cumsum, sum_
from pullback.ops.unary import (
    abs_, atan, ceil, cos, detach, erf, exp, expm1, floor, log, log1p, neg, round_, rsqrt, sigmoid, sign, sin, sqrt,
    tanh,
)
from pullback.ops.windows import overlap_add, windows
# fmt: on

# What the reverse pass needs to know of the vocabulary: how two gradients of one value are joined.
accumulate = add
