"""log and log1p: a number is 2ᵏ·(1 + f) with 1 + f from √½ to √2, and a series in f.

float32: ln(1 + f) = f − f²/2 + f³·P(f). float64: with s = f/(2 + f), ln(1 + f) = f − (f²/2 − s·(f²/2 + s²·Q(s²))),
as fdlibm's e_log.c arranges it (Sun Microsystems, 1993). P and Q are minimax fits by Remez' exchange with 50 digits,
weighted for the relative error of the result (2^-27.3 and 2^-66.6); each coefficient was rounded to the type in turn,
and those behind it fitted anew.
"""

import math

from llvmlite import ir

from pullback.backends.native.elementary.arithmetic import Arithmetic, Number
from pullback.backends.native.elementary.exponential import LN2_SINGLE

_CUBIC_SINGLE = (
    0.3333333134651184, -0.2500082552433014, 0.20001265406608582, -0.16623224318027496, 0.14200696349143982,
    -0.1316038966178894, 0.12769858539104462, -0.07644938677549362,
)  # fmt: skip
_SQUARES_DOUBLE = (
    0.6666666666666666, 0.40000000000004937, 0.2857142856940415, 0.22222222608292144, 0.18181778233857226,
    0.15386994669747853, 0.13252008222383016, 0.13236110601764384,
)  # fmt: skip
# ln2 in two parts; the first of float64 has so few bits that k times it is exact.
_LN2_PARTS_DOUBLE = (6.93147180369123816490e-01, 1.90821492927058770002e-10)
_ROOT_HALF_BITS = (0x3F3504F3, 0x3FE6A09E667F3BCD)  # √½
_SMALLEST_NORMAL = (2.0**-126, 2.0**-1022)


def log(b: ir.IRBuilder, x: Number) -> Number:
    """ln(x); −∞ at 0 and for all numbers below the normal ones, which count as 0; NaN below."""
    a = Arithmetic(b, x)
    k, mantissa = _split(a, x)
    y = _assemble(a, a.from_integer(k), a.sub(mantissa, 1.0))
    return _at_the_edges(a, x, y, x, a.choose(*_SMALLEST_NORMAL))


def log1p(b: ir.IRBuilder, x: Number) -> Number:
    """ln(1 + x): 2ᵏ is taken from the rounded sum, but f = (x + 1)/2ᵏ − 1 = x/2ᵏ + (1/2ᵏ − 1) from x itself."""
    a = Arithmetic(b, x)
    k, _ = _split(a, a.add(x, 1.0))
    shift = b.shl(k, a.integer(a.digits))
    scaled = a.from_bits(b.sub(a.bits(x), shift))  # x/2ᵏ; k = 0 where x is tiny
    one = b.sub(a.bits(a.number(1.0)), shift)
    one = b.select(
        b.icmp_signed("<", one, a.integer(0)), a.integer(0), one
    )  # 1/2ᵏ, or 0 where that is no normal number
    y = _assemble(a, a.from_integer(k), a.add(scaled, a.sub(a.from_bits(one), 1.0)))
    y = _at_the_edges(a, a.add(x, 1.0), y, x, a.choose(*_SMALLEST_NORMAL))
    return a.with_sign(y, x)


def _split(a: Arithmetic, x: Number) -> tuple[Number, Number]:
    """k, as a whole number, and x/2ᵏ from √½ to √2."""
    b = a.b
    above = b.sub(a.bits(x), a.integer(a.choose(*_ROOT_HALF_BITS)))
    k = b.ashr(above, a.integer(a.digits))
    return k, a.from_bits(b.sub(a.bits(x), b.shl(k, a.integer(a.digits))))


def _assemble(a: Arithmetic, k: Number, f: Number) -> Number:
    """k·ln2 + ln(1 + f)"""
    square = a.mul(f, f)
    if a.is_single:
        ln2, rest = LN2_SINGLE
        tail = a.mul(square, a.fma(a.polynomial(_CUBIC_SINGLE, f), f, -0.5))
        return a.fma(k, ln2, a.add(a.fma(k, rest, tail), f))
    ln2, rest = _LN2_PARTS_DOUBLE
    s = a.div(f, a.add(f, 2.0))
    z, half_square = a.mul(s, s), a.mul(square, 0.5)
    tail = a.fma(a.polynomial(_SQUARES_DOUBLE, z), z, half_square)
    correction = a.fma(k, -rest, a.sub(half_square, a.mul(s, tail)))
    return a.fma(k, ln2, a.sub(f, correction))


def _at_the_edges(a: Arithmetic, x: Number, y: Number, far: Number, smallest: float) -> Number:
    """y = ln(x) for positive normal x; else −∞ at 0, NaN below, `far` for ∞ and NaN."""
    b = a.b
    below = a.where(b.fcmp_ordered("<=", x, a.number(-smallest)), math.nan, -math.inf)
    y = a.where(b.fcmp_ordered("<", x, a.number(smallest)), below, y)
    return a.where(b.fcmp_ordered("<", x, a.number(math.inf)), y, far)
