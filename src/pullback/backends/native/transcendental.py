"""Elementary functions as LLVM IR without branches or calls, so that the loop around them is vectorised.

Each emitter takes a builder and numbers of one type, FloatType or DoubleType, and emits plain arithmetic: it relies on
no fast-math flag, and `llvm.fma` stands where a product must not be rounded.

Largest errors in ULP of the exact value; float32 over all 2³² numbers, beside glibc's float64 functions (pow:
4 million pairs); float64 over samples of 1.6 million (erf: 15,000), beside long double:

    exp    log    tanh   sigmoid  erf    rsqrt  expm1  log1p  atan   sin    cos    pow
    0.891  0.940  1.403  1.810    1.086  1.490  1.637  1.548  1.384  0.501  0.501  0.501
    0.89   0.80   2.50   1.64     1.16   1.50   1.84   1.36   0.52   0.52   0.52   0.50

Numbers below the smallest normal one count as 0, as in kernels, which run with denormals flushed: a result there is 0.

Sources: the reductions are the classic ones of Cody and Waite, "Software Manual for the Elementary Functions" (1980),
and Muller et al., "Handbook of Floating-Point Arithmetic" (2nd edition), chapter 10; the logarithm of float64 arranges
its sum as fdlibm's `__ieee754_log` documents it. The polynomials are our own fits (`transcendental_formats.py`).
"""

import math
from collections.abc import Callable
from itertools import pairwise

from llvmlite import ir

from pullback.backends.native.transcendental_arithmetic import Maths, Number, maths
from pullback.backends.native.transcendental_formats import (
    ATAN_TAIL,
    COS_TAIL,
    EXP2,
    FLOAT32,
    FLOAT64,
    POW_LOG_TAIL,
    SIN_TAIL,
    TANH_TAIL,
    TWO_OVER_PI,
)


# Exponentials
def _reduce(m: Maths, x: Number) -> tuple[Number, Number]:
    """n + shifter and r, with x = n·ln 2 + r and |r| ≤ ½ln 2."""
    high, low = m.format.ln2
    shifted = m.fma(x, 1.0 / math.log(2.0), m.format.shifter)
    n = m.sub(shifted, m.format.shifter)
    return shifted, m.fma(n, -low, m.fma(n, -high, x))


def _exp_reduced(m: Maths, r: Number) -> Number:
    """eʳ = 1 + r + r²·q(r)."""
    return m.polynomial(r, (1.0, 1.0, *m.format.exp_tail))


def _exp_within(m: Maths, x: Number) -> Number:
    """eˣ where it is known to be a normal number."""
    shifted, r = _reduce(m, x)
    return m.mul(_exp_reduced(m, r), m.power_of_two(shifted))


def _expm1_reduced(m: Maths, r: Number) -> Number:
    """eʳ − 1 = r + r²·q(r)."""
    return m.fma(m.mul(m.polynomial(r, m.format.expm1_tail), r), r, r)


def _exp(b: ir.IRBuilder, x: Number) -> Number:
    """eˣ = 2ⁿ·eʳ, with n added to the exponent's bits."""
    m = maths(b, x)
    shifted, r = _reduce(m, x)
    y = m.from_bits(b.add(m.bits(_exp_reduced(m, r)), m.exponent_bits(shifted)))
    y = m.select(m.compare("<", x, m.format.ln_least), 0.0, y)
    # Above: ∞ for what overflows, NaN for NaN, whose payload may have been moved by the addition.
    beyond = m.mul(x, 2.0**m.format.bias)
    return m.select(m.compare("<=", x, m.format.ln_most), y, beyond)


def _expm1(b: ir.IRBuilder, x: Number) -> Number:
    """eˣ − 1 = 2ⁿ·(eʳ − 1) + (2ⁿ − 1), all halved until the end so that 2ⁿ is finite; x itself where it is tiny."""
    m = maths(b, x)
    shifted, r = _reduce(m, m.at_least(x, -2.0 * m.format.mantissa))
    half = m.power_of_two(shifted, 0.5)
    y = m.mul(m.fma(half, _expm1_reduced(m, r), m.sub(half, 0.5)), 2.0)
    y = m.select(m.compare(">", x, m.format.ln_most), math.inf, y)
    return m.select(m.compare("<", m.abs(x), 2.0 ** -(m.format.mantissa + 2)), x, y)


def _sigmoid(b: ir.IRBuilder, x: Number) -> Number:
    """1 / (1 + e⁻ˣ); the sum is (1 + 2ⁿ) + 2ⁿ·(eʳ − 1), and what 1 + 2ⁿ loses comes back with the second part."""
    m = maths(b, x)
    least, most = float(math.ceil(m.format.ln_least)), float(math.floor(m.format.ln_most))
    shifted, r = _reduce(m, m.at_least(m.at_most(m.neg(x), most), least))
    power = m.power_of_two(shifted)
    rest = m.mul(m.polynomial(r, (1.0, *m.format.exp_tail)), r)
    whole = m.add(power, 1.0)
    lost = m.add(m.sub(power, whole), 1.0)
    y = m.div(1.0, m.add(whole, m.fma(rest, power, lost)))
    return m.select(m.compare("<", x, m.format.ln_least), 0.0, y)


def _tanh(b: ir.IRBuilder, x: Number) -> Number:
    """float32: x + x³·P(x²) up to 0.6, 1 − 2/(e^(2|x|) + 1) above. float64: E/(E + 2) with E = e^(2|x|) − 1."""
    m = maths(b, x)
    magnitude = m.abs(x)
    a = m.at_most(magnitude, m.format.tanh_end)
    shifted, r = _reduce(m, m.add(a, a))
    power = m.power_of_two(shifted)
    if not m.is_single:
        e = m.fma(power, _expm1_reduced(m, r), m.sub(power, 1.0))
        return m.with_sign(m.div(e, m.add(e, 2.0)), x)
    far = m.sub(1.0, m.div(2.0, m.fma(_exp_reduced(m, r), power, 1.0)))
    square = m.mul(x, x)
    near = m.fma(m.mul(m.polynomial(square, TANH_TAIL), square), x, x)
    return m.with_sign(m.select(m.compare("<", magnitude, 0.6), near, far), x)


# Logarithms
def _split(m: Maths, x: Number) -> tuple[Number, Number]:
    """The bits of 2ᵉ less those of 1, and e, with x = 2ᵉ·m and m from `split` to twice that."""
    b, mantissa = m.b, m.format.mantissa
    above = b.sub(m.bits(x), m.integer(m.format.bits(m.format.split)))
    exponent = b.and_(above, m.integer(-1 << mantissa))
    if m.is_single:
        return exponent, b.sitofp(b.ashr(above, m.integer(mantissa)), m.format.number)
    # Few processors turn 64-bit integers into floats: the exponent, made positive, is put into the lowest bits of 2⁵².
    positive = b.lshr(b.add(above, m.integer(m.format.bias << mantissa)), m.integer(mantissa))
    carrier = 2.0**mantissa
    return exponent, m.sub(m.from_bits(b.or_(positive, m.integer(m.format.bits(carrier)))), carrier + m.format.bias)


def _log_sum(m: Maths, f: Number, e: Number) -> Number:
    """ln(1 + f) + e·ln 2."""
    if m.is_single:
        tail = m.fma(m.polynomial(f, m.format.log_tail), f, -0.5)
        return m.fma(e, math.log(2.0), m.fma(m.mul(f, f), tail, f))
    # With s = f/(2 + f): ln(1 + f) = 2·atanh(s) = f − (½f² − s·(½f² + s²·P(s²)))
    high, low = m.format.ln2
    s = m.div(f, m.add(f, 2.0))
    z = m.mul(s, s)
    half_square = m.mul(m.mul(f, 0.5), f)
    tail = m.fma(m.polynomial(z, m.format.log_tail), z, half_square)
    small = m.sub(half_square, m.fma(s, tail, m.mul(e, low)))
    return m.fma(e, high, m.sub(f, small))


def _log(b: ir.IRBuilder, x: Number) -> Number:
    """ln x = ln m + e·ln 2."""
    m = maths(b, x)
    exponent, e = _split(m, x)
    y = _log_sum(m, m.sub(m.from_bits(b.sub(m.bits(x), exponent)), 1.0), e)
    y = m.select(m.compare("<", x, m.format.least), -math.inf, y)
    y = m.select(m.compare("<=", x, -m.format.least), math.nan, y)
    return _unless_endless(m, x, y)


def _unless_endless(m: Maths, x: Number, y: Number) -> Number:
    """x where it is ∞ or NaN, y elsewhere."""
    return m.b.select(m.b.fcmp_unordered(">=", x, m.number(math.inf)), x, y)


def _log1p(b: ir.IRBuilder, x: Number) -> Number:
    """ln(1 + x): e from the rounded sum u, then f = 2⁻ᵉ·x + (2⁻ᵉ − 1), which is rounded once."""
    m = maths(b, x)
    u = m.add(x, 1.0)
    exponent, e = _split(m, u)
    inverse = m.from_bits(b.sub(m.integer(m.format.bits(1.0)), exponent))
    exact = m.fma(inverse, x, m.sub(inverse, 1.0))
    large = m.sub(m.from_bits(b.sub(m.bits(u), exponent)), 1.0)
    f = m.select(m.compare(">", x, 2.0 ** (m.format.bias // 2)), large, exact)
    y = m.with_sign(_log_sum(m, f, e), x)
    y = m.select(m.compare("<=", x, -1.0), m.select(m.compare("==", x, -1.0), -math.inf, math.nan), y)
    return _unless_endless(m, x, y)


# Others
def _rsqrt(b: ir.IRBuilder, x: Number) -> Number:
    """1 / √x, both rounded as NumPy rounds them."""
    m = maths(b, x)
    return m.div(1.0, m.intrinsic("llvm.sqrt", x))


def _erf(b: ir.IRBuilder, x: Number) -> Number:
    """x + x·P(x²) up to 1; 1 − erfc(|x|) above."""
    m = maths(b, x)
    magnitude = m.abs(x)
    near = m.fma(m.polynomial(m.mul(x, x), m.format.erf_near), x, x)
    far = m.sub(1.0, _erfc(m, m.at_most(magnitude, m.format.erf_end)))
    return m.select(m.compare("<", magnitude, 1.0), near, m.with_sign(far, x))


def _erfc(m: Maths, a: Number) -> Number:
    """1 − erf(a) for a from 1."""
    if m.is_single:
        return _exp_within(m, m.polynomial(a, m.format.erf_far))
    t = m.div(1.0, m.add(a, 2.0))
    return m.mul(_exp_within(m, m.neg(m.mul(a, a))), m.polynomial(t, m.format.erf_far))


def _atan(b: ir.IRBuilder, x: Number) -> Number:
    """z + z³·P(z²) with z = |x|; above 1 it is ½π − atan(1/|x|). float64: the C library's."""
    m = maths(b, x)
    if not m.is_single:
        return _library(b, "atan", x)
    a = m.abs(x)
    steep = m.compare(">", a, 1.0)
    z = m.select(steep, m.div(1.0, a), a)
    square = m.mul(z, z)
    y = m.fma(m.mul(m.polynomial(square, ATAN_TAIL), square), z, z)
    rest = math.pi / 2 - float(FLOAT32.numpy(math.pi / 2))
    return m.with_sign(m.select(steep, m.sub(math.pi / 2, m.sub(y, rest)), y), x)


def _library(b: ir.IRBuilder, name: str, *xs: Number) -> Number:
    """A call of the C library's function."""
    declared = b.module.globals.get(name)
    if declared is None:
        kind = xs[0].type
        declared = ir.Function(b.module, ir.FunctionType(kind, [kind] * len(xs)), name)
        declared.attributes.add("nounwind")
    return b.call(declared, xs)


def _circular(quarter_turns: int) -> Callable[[ir.IRBuilder, Number], Number]:
    """sin(x + so many quarters of a turn)."""

    def emit(b: ir.IRBuilder, x: Number) -> Number:
        if isinstance(x.type, ir.DoubleType):
            return maths(b, x).intrinsic("llvm.cos" if quarter_turns else "llvm.sin", x)
        m = Maths(b, FLOAT64)
        wide = b.fpext(x, m.format.number)
        size = m.abs(wide)
        huge = b.and_(m.compare(">=", size, _HUGE), m.compare("<", size, math.inf))
        near, far = _reduce_near(m, wide), _reduce_huge(m, x, wide)
        r, quarters = (b.select(huge, *pair) for pair in zip(far, near, strict=True))
        return b.fptrunc(_circular_reduced(m, r, b.add(quarters, m.integer(quarter_turns))), x.type)

    return emit


_HUGE = 2.0**30  # from here few digits of π do not tell where in its turn a number is


def _reduce_near(m: Maths, x: Number) -> tuple[Number, Number]:
    """r and n with x = n·½π + r, |r| ≤ ¼π, by ½π in two parts (Cody and Waite)."""
    shifted = m.fma(x, 2.0 / math.pi, m.format.shifter)
    n = m.sub(shifted, m.format.shifter)
    r = m.fma(n, -6.123233995736766e-17, m.fma(n, -math.pi / 2, x))
    return r, m.bits(shifted)


def _reduce_huge(m: Maths, x: Number, wide: Number) -> tuple[Number, Number]:
    """The same for any float32 from 2²⁵, by whole numbers (Payne and Hanek, SIGNUM Newsletter 18, 1983).

    With |x| = k·2ˢ only the bits of 2/π from place s − 2 count: those before make whole turns. 96 of them are taken.
    """
    b, bits = m.b, m.b.bitcast(x, FLOAT32.integer)
    field = b.lshr(b.shl(bits, bits.type(1)), bits.type(24))
    k = b.zext(b.or_(b.and_(bits, bits.type(0x7FFFFF)), bits.type(0x800000)), m.format.integer)
    place = b.zext(b.sub(field, bits.type(152)), m.format.integer)
    late = b.icmp_unsigned(">=", place, m.integer(64))
    words = [b.select(late, m.integer(TWO_OVER_PI[i + 1]), m.integer(TWO_OVER_PI[i])) for i in range(3)]
    shift = b.and_(place, m.integer(63))
    first, second = (m.shifted_pair(*pair, shift) for pair in pairwise(words))
    low = b.lshr(b.mul(k, b.lshr(second, m.integer(32))), m.integer(32))
    quarters = b.add(b.mul(k, first), low)  # in units of 2⁻⁶² quarter turns, whole turns gone
    n = b.lshr(b.add(quarters, m.integer(1 << 61)), m.integer(62))
    r = m.mul(b.sitofp(b.sub(quarters, b.shl(n, m.integer(62))), m.format.number), math.pi / 2 * 2.0**-62)
    negative = m.compare("<", wide, 0.0)
    return m.select(negative, m.neg(r), r), b.select(negative, b.neg(n), n)


def _circular_reduced(m: Maths, r: Number, quarters: Number) -> Number:
    """sin(r + so many quarters of a turn), |r| ≤ ¼π."""
    square = m.mul(r, r)
    sine = m.mul(m.polynomial(square, (1.0, *SIN_TAIL)), r)  # keeps the sign of 0
    cosine = m.fma(m.polynomial(square, COS_TAIL), square, 1.0)
    odd = m.b.icmp_unsigned("!=", m.b.and_(quarters, m.integer(1)), m.integer(0))
    sign = m.b.shl(m.b.and_(quarters, m.integer(2)), m.integer(62))
    return m.from_bits(m.b.xor(m.bits(m.select(odd, cosine, sine)), sign))


def _pow(b: ir.IRBuilder, x: Number, y: Number) -> Number:
    """|x|ʸ = 2^(y·log₂|x|), negative for a negative x and an odd y. float32 works in float64; float64: LLVM's."""
    if isinstance(x.type, ir.DoubleType):
        m = maths(b, x)
        return m.intrinsic("llvm.pow", _flushed(m, x), _flushed(m, y))
    m = Maths(b, FLOAT64)
    base, power = b.fpext(x, m.format.number), b.fpext(y, m.format.number)
    size = m.abs(base)
    # Within ±200 the power of two is finite in float64, and 0 or ∞ in float32.
    logarithm = m.at_least(m.at_most(m.mul(power, _log2(m, size)), 200.0), -200.0)
    shifted = m.add(logarithm, m.format.shifter)
    r = m.sub(logarithm, m.sub(shifted, m.format.shifter))
    z = m.mul(m.polynomial(r, EXP2), m.power_of_two(shifted))
    is_one = b.or_(
        m.compare("==", power, 0.0),
        b.or_(m.compare("==", base, 1.0), b.and_(m.compare("==", size, 1.0), m.compare("==", m.abs(power), math.inf))),
    )
    return b.fptrunc(_signed_power(m, m.select(is_one, 1.0, z), base, power), x.type)


def _flushed(m: Maths, x: Number) -> Number:
    """0 with the sign of x where x is below the normal numbers: the C library errs for those in threads that flush."""
    tiny = m.compare("<", m.abs(x), m.format.least)
    return m.select(tiny, m.with_sign(m.number(0.0), x), x)


def _log2(m: Maths, x: Number) -> Number:
    """log₂ x for a number that was float32: to 45 bits."""
    exponent, e = _split(m, x)
    f = m.sub(m.from_bits(m.b.sub(m.bits(x), exponent)), 1.0)
    s = m.div(f, m.add(f, 2.0))
    z = m.mul(s, s)
    y = m.fma(m.mul(s, m.fma(m.polynomial(z, POW_LOG_TAIL), z, 2.0)), 1.0 / math.log(2.0), e)
    y = m.select(m.compare("==", x, 0.0), -math.inf, y)
    return _unless_endless(m, x, y)


def _signed_power(m: Maths, z: Number, base: Number, power: Number) -> Number:
    """|x|ʸ with the sign that a negative x (−0 too) gives it; NaN where such an x has a broken exponent."""
    b = m.b
    whole = m.compare("==", m.intrinsic("llvm.floor", power), power)
    half = m.mul(power, 0.5)
    odd = b.and_(whole, m.b.fcmp_unordered("!=", m.intrinsic("llvm.floor", half), half))
    z = m.select(odd, m.with_sign(z, base), z)
    broken = b.and_(m.compare("<", base, 0.0), b.not_(b.or_(whole, m.compare("==", base, -math.inf))))
    return m.select(b.and_(broken, m.compare("==", power, power)), math.nan, z)


EMITTERS: dict[str, Callable[..., Number]] = {
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "rsqrt": _rsqrt,
    "sin": _circular(0),
    "cos": _circular(1),
    "atan": _atan,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "erf": _erf,
    "pow": _pow,
}
