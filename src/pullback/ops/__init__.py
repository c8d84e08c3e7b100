"""The closed vocabulary: one record per op, and the interpreter, which is the meaning of a program."""

# fmt: off
from pullback.ir.node import OPS
from pullback.ops.arithmetic import add, div, floor_divide, maximum, minimum, mul, pow_, remainder, sub
from pullback.ops.control import attach_gradient, call
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
# fmt: on

# What the reverse pass needs to know of the vocabulary: how two gradients of one value are joined.
accumulate = add

__all__ = [
    "OPS", "abs_", "accumulate", "add", "amax", "amin", "argmax", "argmin", "argsort", "as_dtype_of", "atan",
    "attach_gradient", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "broadcast", "call", "cast", "ceil",
    "concat", "constant", "cos", "cumsum", "detach", "div", "eq", "erf", "exp", "expm1", "filled_like", "flip",
    "floor", "floor_divide", "full", "gather", "interpret", "iota", "le", "log", "log1p", "lt", "matmul", "maximum",
    "minimum", "mul", "ne", "neg", "ones_like", "pad", "permute", "pow_", "random_bits", "remainder", "reshape",
    "round_", "rsqrt", "scatter", "scatter_add", "shift_left", "shift_right", "sigmoid", "sign", "sin", "slice_",
    "sqrt", "sub", "sum_", "tanh", "where", "zeros_like",
]  # fmt: skip
