"""rsqrt and pow."""

import math

from llvmlite import ir

from pullback.backends.native.elementary.arithmetic import DOUBLE, Arithmetic, Number
from pullback.backends.native.elementary.exponential import exp
from pullback.backends.native.elementary.logarithm import log


def rsqrt(b: ir.IRBuilder, x: Number) -> Number:
    """1/√x, each step rounded to nearest: ∞ at 0, −∞ at −0, NaN below."""
    a = Arithmetic(b, x)
    return a.div(1.0, a.intrinsic("llvm.sqrt", x))


def pow_(b: ir.IRBuilder, x: Number, y: Number) -> Number:
    """xʸ. Of float32 as exp(y·ln|x|) in float64, with C's special cases; of float64 the C library's."""
    a = Arithmetic(b, x)
    if not a.is_single:
        # The C library takes subnormal numbers apart by arithmetic, which goes wrong where they are flushed.
        return a.intrinsic("llvm.pow", _without_subnormals(a, x), _without_subnormals(a, y))
    base, exponent = b.fpext(x, DOUBLE), b.fpext(y, DOUBLE)
    return b.fptrunc(_wide_power(Arithmetic(b, base), base, exponent), x.type)


def _without_subnormals(a: Arithmetic, x: Number) -> Number:
    """The number, and 0 of its sign for one below the normal ones."""
    is_small = a.b.icmp_unsigned("<", a.bits(a.magnitude(x)), a.integer(1 << 52))
    return a.where(is_small, a.with_sign(a.number(0.0), x), x)


def _wide_power(a: Arithmetic, x: Number, y: Number) -> Number:
    b = a.b
    size = a.magnitude(x)
    power = exp(b, a.mul(y, log(b, size)))
    # |x| = 1: 1, also to the power of ±∞, where the product is NaN.
    is_number = b.fcmp_ordered("ord", y, y)
    power = a.where(b.and_(b.fcmp_ordered("==", size, a.number(1.0)), is_number), 1.0, power)
    whole = b.fcmp_ordered("==", a.intrinsic("llvm.floor", y), y)
    half = a.mul(y, 0.5)
    odd = b.and_(whole, b.fcmp_ordered("!=", a.intrinsic("llvm.floor", half), half))
    power = a.where(odd, a.with_sign(power, x), power)
    finite_negative = b.and_(b.fcmp_ordered("<", x, a.number(0.0)), b.fcmp_ordered(">", x, a.number(-math.inf)))
    power = a.where(b.and_(finite_negative, b.not_(whole)), math.nan, power)
    one = b.or_(b.fcmp_ordered("==", y, a.number(0.0)), b.fcmp_ordered("==", x, a.number(1.0)))
    return a.where(one, 1.0, power)
