"""The elementwise ops on single numbers, in LLVM's terms: one line per op. Loops are made of these and vectorised.

Numbers of 16 bits are worked on as float32 and rounded after each op, as their NumPy meaning does; bools are one bit.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir

from pullback.backends.native.elementary import EMITTERS
from pullback.base.dtypes import DType, bfloat16, bool_, float16, float64

Number: TypeAlias = Any  # an ir.Value, for which llvmlite has no types
# Sums of products may be contracted to fused multiply-adds; nothing else may be assumed.
CONTRACT = ("contract",)

I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
FLOAT, DOUBLE, HALF = ir.FloatType(), ir.DoubleType(), ir.HalfType()


def number_type(dtype: DType) -> ir.Type:
    """The LLVM type in which a number of this dtype is worked on."""
    if dtype.kind == "float":
        return DOUBLE if dtype is float64 else FLOAT
    return I1 if dtype is bool_ else ir.IntType(dtype.bits)


def memory_type(dtype: DType) -> ir.Type:
    """The LLVM type in which it lies in memory."""
    special = {bool_: I8, float16: HALF, bfloat16: I16}
    return special.get(dtype) or number_type(dtype)


def loaded(b: ir.IRBuilder, raw: Number, dtype: DType) -> Number:
    """The number, from what lies in memory."""
    if dtype is bool_:
        return b.icmp_unsigned("!=", raw, I8(0))
    if dtype is float16:
        return b.fpext(raw, FLOAT)
    if dtype is bfloat16:
        return b.bitcast(b.shl(b.zext(raw, I32), I32(16)), FLOAT)
    return raw


def stored(b: ir.IRBuilder, x: Number, dtype: DType) -> Number:
    """What lies in memory for the number, which is rounded to 16 bits here where the dtype has 16."""
    if dtype is bool_:
        return b.zext(x, I8)
    if dtype is float16:
        return b.fptrunc(x, HALF)
    if dtype is bfloat16:
        return _bfloat16_bits(b, x)
    return x


def _bfloat16_bits(b: ir.IRBuilder, x: Number) -> Number:
    """The upper half, rounded to nearest, halves to even; NaN stays NaN."""
    bits = b.bitcast(x, I32)
    odd = b.and_(b.lshr(bits, I32(16)), I32(1))
    rounded = b.lshr(b.add(bits, b.add(odd, I32(0x7FFF))), I32(16))
    nan = b.or_(b.lshr(bits, I32(16)), I32(0x40))
    return b.trunc(b.select(b.fcmp_unordered("uno", x, x), nan, rounded), I16)


def rounded(b: ir.IRBuilder, x: Number, dtype: DType) -> Number:
    """The nearest number that the dtype holds."""
    return loaded(b, stored(b, x, dtype), dtype) if dtype.is_half else x


def constant(value: Any, dtype: DType) -> ir.Constant:
    """A known number."""
    if dtype.kind == "float":
        number = float(dtype.numpy.type(value))
        return ir.Constant(number_type(dtype), number)
    whole = int(bool(value)) if dtype is bool_ else int(value)
    return ir.Constant(number_type(dtype), whole)


def intrinsic(b: ir.IRBuilder, name: str, *xs: Number) -> Number:
    """LLVM's function of this name for numbers of this type."""
    declared = b.module.declare_intrinsic(name, [xs[0].type], ir.FunctionType(xs[0].type, [x.type for x in xs]))
    return b.call(declared, xs)


def _is_float(x: Number) -> bool:
    return isinstance(x.type, (ir.FloatType, ir.DoubleType))


def _is_nan(b: ir.IRBuilder, x: Number) -> Number:
    return b.fcmp_unordered("uno", x, x)


# Arithmetic, for numbers x, y of the dtype d
def _arithmetic(on_floats: str, on_ints: str) -> Callable[..., Number]:
    def emit(b: ir.IRBuilder, d: DType, x: Number, y: Number) -> Number:
        return getattr(b, on_floats)(x, y, flags=CONTRACT) if _is_float(x) else getattr(b, on_ints)(x, y)

    return emit


def _neg(b: ir.IRBuilder, d: DType, x: Number) -> Number:
    return b.fneg(x) if _is_float(x) else b.neg(x)


def _abs(b: ir.IRBuilder, d: DType, x: Number) -> Number:
    if _is_float(x):
        return intrinsic(b, "llvm.fabs", x)
    return x if d.numpy.kind == "u" else b.select(b.icmp_signed("<", x, x.type(0)), b.neg(x), x)


def _sign(b: ir.IRBuilder, d: DType, x: Number) -> Number:
    zero, one = x.type(0), x.type(1)
    if _is_float(x):
        above, below = b.fcmp_ordered(">", x, zero), b.fcmp_ordered("<", x, zero)
        # What is left is ±0, whose sign NumPy drops, or NaN.
        return b.select(above, one, b.select(below, x.type(-1.0), zero))
    if d.numpy.kind == "u":
        return b.select(b.icmp_unsigned(">", x, zero), one, zero)
    return b.select(b.icmp_signed(">", x, zero), one, b.select(b.icmp_signed("<", x, zero), x.type(-1), zero))


def _compare(b: ir.IRBuilder, d: DType, sign: str, x: Number, y: Number) -> Number:
    if _is_float(x):
        return b.fcmp_unordered(sign, x, y) if sign == "!=" else b.fcmp_ordered(sign, x, y)
    signed = d.kind == "int" and d.numpy.kind == "i"
    return (b.icmp_signed if signed else b.icmp_unsigned)(sign, x, y)


def comparison(sign: str) -> Callable[..., Number]:
    """The op that compares two numbers of a dtype."""
    return lambda b, d, x, y: _compare(b, d, sign, x, y)


def _extreme(sign: str) -> Callable[..., Number]:
    """The larger or smaller of two; NaN beside NaN."""

    def emit(b: ir.IRBuilder, d: DType, x: Number, y: Number) -> Number:
        wins = _compare(b, d, sign, x, y)
        return b.select(b.or_(wins, _is_nan(b, x)) if _is_float(x) else wins, x, y)

    return emit


def _float_remainder(b: ir.IRBuilder, x: Number, y: Number) -> tuple[Number, Number]:
    """The remainder with the divisor's sign, as NumPy has it, and whether it was moved by one divisor."""
    zero = x.type(0)
    rest = b.frem(x, y)
    crosses = b.xor(b.fcmp_ordered("<", y, zero), b.fcmp_ordered("<", rest, zero))
    is_zero = b.fcmp_ordered("==", rest, zero)
    moved = b.and_(crosses, b.not_(is_zero))
    signed_zero = intrinsic(b, "llvm.copysign", zero, y)
    return b.select(moved, b.fadd(rest, y), b.select(is_zero, signed_zero, rest)), moved


def _remainder(b: ir.IRBuilder, d: DType, x: Number, y: Number) -> Number:
    if _is_float(x):
        return _float_remainder(b, x, y)[0]
    return _int_division(b, d, x, y)[1]


def _floor_divide(b: ir.IRBuilder, d: DType, x: Number, y: Number) -> Number:
    if not _is_float(x):
        return _int_division(b, d, x, y)[0]
    zero, one = x.type(0), x.type(1)
    rest = b.frem(x, y)
    _, moved = _float_remainder(b, x, y)
    whole = b.fdiv(b.fsub(x, rest), y)
    whole = b.select(moved, b.fsub(whole, one), whole)
    down = intrinsic(b, "llvm.floor", whole)
    down = b.select(b.fcmp_ordered(">", b.fsub(whole, down), x.type(0.5)), b.fadd(down, one), down)
    quotient = b.fdiv(x, y)
    down = b.select(b.fcmp_ordered("==", whole, zero), intrinsic(b, "llvm.copysign", zero, quotient), down)
    return b.select(b.fcmp_ordered("==", y, zero), quotient, down)


def _int_division(b: ir.IRBuilder, d: DType, x: Number, y: Number) -> tuple[Number, Number]:
    """Quotient rounded down and remainder; both 0 for a divisor of 0."""
    zero, one = x.type(0), x.type(1)
    by_zero = b.icmp_unsigned("==", y, zero)
    safe = b.select(by_zero, one, y)
    if d.numpy.kind == "u":
        quotient, rest = b.udiv(x, safe), b.urem(x, safe)
    else:
        by_minus_one = b.icmp_signed("==", safe, x.type(-1))  # where the smallest number would overflow
        divisor = b.select(by_minus_one, one, safe)
        quotient, rest = b.sdiv(x, divisor), b.srem(x, divisor)
        crosses = b.icmp_signed("<", b.xor(rest, divisor), zero)
        moved = b.and_(crosses, b.icmp_signed("!=", rest, zero))
        quotient = b.select(moved, b.sub(quotient, one), quotient)
        rest = b.select(moved, b.add(rest, divisor), rest)
        quotient = b.select(by_minus_one, b.neg(x), quotient)
    return b.select(by_zero, zero, quotient), b.select(by_zero, zero, rest)


def _shift(on_signed: str, on_unsigned: str) -> Callable[..., Number]:
    """Bits moved; by as many places as there are bits, or more, all are moved out."""

    def emit(b: ir.IRBuilder, d: DType, x: Number, y: Number) -> Number:
        name = on_unsigned if d.numpy.kind == "u" else on_signed
        within = b.icmp_unsigned("<", y, y.type(d.bits))
        shifted = getattr(b, name)(x, b.select(within, y, y.type(0)))
        gone = b.ashr(x, x.type(d.bits - 1)) if name == "ashr" else x.type(0)
        return b.select(within, shifted, gone)

    return emit


def _rounding(name: str) -> Callable[..., Number]:
    return lambda b, d, x: intrinsic(b, name, x)


def _elementary(name: str) -> Callable[..., Number]:
    return lambda b, d, *xs: EMITTERS[name](b, *xs)


def _where(b: ir.IRBuilder, d: DType, condition: Number, x: Number, y: Number) -> Number:
    return b.select(condition, x, y)


# One line per op: builder, the dtype of the last input, the inputs -> the output.
SCALARS: dict[str, Callable[..., Number]] = {
    "add": _arithmetic("fadd", "add"),
    "sub": _arithmetic("fsub", "sub"),
    "mul": _arithmetic("fmul", "mul"),
    "div": lambda b, d, x, y: b.fdiv(x, y),
    "floor_divide": _floor_divide,
    "remainder": _remainder,
    "pow": _elementary("pow"),
    "maximum": _extreme(">="),
    "minimum": _extreme("<="),
    "neg": _neg,
    "abs": _abs,
    "sign": _sign,
    "exp": _elementary("exp"),
    "expm1": _elementary("expm1"),
    "log": _elementary("log"),
    "log1p": _elementary("log1p"),
    "sqrt": _rounding("llvm.sqrt"),
    "rsqrt": _elementary("rsqrt"),
    "sin": _elementary("sin"),
    "cos": _elementary("cos"),
    "atan": _elementary("atan"),
    "tanh": _elementary("tanh"),
    "sigmoid": _elementary("sigmoid"),
    "erf": _elementary("erf"),
    "floor": _rounding("llvm.floor"),
    "ceil": _rounding("llvm.ceil"),
    "round": _rounding("llvm.roundeven"),
    "eq": comparison("=="),
    "ne": comparison("!="),
    "lt": comparison("<"),
    "le": comparison("<="),
    "where": _where,
    "bitwise_and": lambda b, d, x, y: b.and_(x, y),
    "bitwise_or": lambda b, d, x, y: b.or_(x, y),
    "bitwise_xor": lambda b, d, x, y: b.xor(x, y),
    "bitwise_not": lambda b, d, x: b.not_(x),
    "shift_left": _shift("shl", "shl"),
    "shift_right": _shift("ashr", "lshr"),
}

# After these a number of 16 bits is one still.
_EXACT = frozenset("neg abs sign floor ceil round where maximum minimum eq ne lt le".split())


def apply(b: ir.IRBuilder, name: str, dtype: DType, result: DType, xs: Sequence[Number]) -> Number:
    """The op on numbers of `dtype`, rounded to what the result's dtype holds."""
    y = SCALARS[name](b, dtype, *xs)
    return y if name in _EXACT else rounded(b, y, result)


def cast(b: ir.IRBuilder, x: Number, source: DType, dtype: DType) -> Number:
    """The number in another dtype."""
    wanted = number_type(dtype)
    if source is dtype:
        return x
    if dtype is bool_:
        return b.fcmp_unordered("!=", x, x.type(0)) if _is_float(x) else b.icmp_unsigned("!=", x, x.type(0))
    if source.kind == "float":
        return _from_float(b, x, source, dtype, wanted)
    unsigned = source is bool_ or source.numpy.kind == "u"
    if dtype.kind == "float":
        return rounded(b, (b.uitofp if unsigned else b.sitofp)(x, wanted), dtype)
    if source.bits == dtype.bits:
        return x
    if dtype.bits < source.bits and source is not bool_:
        return b.trunc(x, wanted)
    return (b.zext if unsigned else b.sext)(x, wanted)


def _from_float(b: ir.IRBuilder, x: Number, source: DType, dtype: DType, wanted: ir.Type) -> Number:
    if dtype.kind == "int":
        wide = I64 if dtype.bits > 32 or dtype.numpy.kind == "u" else I32
        convert = b.module.declare_intrinsic("llvm.fptosi.sat", [wide, x.type], ir.FunctionType(wide, [x.type]))
        whole = b.call(convert, [x])
        return whole if wide == wanted else b.trunc(whole, wanted)
    if dtype is float64:
        return b.fpext(x, DOUBLE)
    if source is float64 and dtype.is_half:
        return rounded(b, _to_odd(b, x), dtype)
    narrow = b.fptrunc(x, FLOAT) if source is float64 else x
    return rounded(b, narrow, dtype)


def _to_odd(b: ir.IRBuilder, x: Number) -> Number:
    """A float64 as float32 for rounding once more: where it is between two, the one with an odd last bit."""
    near = b.fptrunc(x, FLOAT)
    back = b.fpext(near, DOUBLE)
    bits = b.bitcast(near, I32)
    too_far = b.fcmp_ordered(">", intrinsic(b, "llvm.fabs", back), intrinsic(b, "llvm.fabs", x))
    cut = b.select(too_far, b.sub(bits, I32(1)), bits)
    exact = b.fcmp_unordered("ueq", back, x)
    return b.bitcast(b.select(exact, bits, b.or_(cut, I32(1))), FLOAT)


def reduction_start(name: str, dtype: DType) -> ir.Constant:
    """What a reduction of this kind begins with."""
    if name == "sum":
        return constant(0, dtype)
    if dtype.kind == "float":
        return ir.Constant(number_type(dtype), -math.inf if name == "amax" else math.inf)
    if dtype is bool_:
        return constant(name == "amin", dtype)
    limits = np.iinfo(dtype.numpy)
    return ir.Constant(number_type(dtype), int(limits.min if name == "amax" else limits.max))


def reduction_step(b: ir.IRBuilder, name: str, dtype: DType, so_far: Number, x: Number) -> Number:
    """One more number joins a reduction. The order of additions is open, so that they can be vectorised."""
    if name == "sum":
        return b.fadd(so_far, x, flags=("reassoc", "contract")) if _is_float(x) else b.add(so_far, x)
    if dtype is bool_:
        return b.or_(so_far, x) if name == "amax" else b.and_(so_far, x)
    if _is_float(x):
        return intrinsic(b, "llvm.maximum" if name == "amax" else "llvm.minimum", so_far, x)
    return SCALARS["maximum" if name == "amax" else "minimum"](b, dtype, so_far, x)
