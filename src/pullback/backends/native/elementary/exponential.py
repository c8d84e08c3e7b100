"""exp, expm1, sigmoid and tanh: x = n·ln2 + r, a polynomial in the small r, and 2ⁿ put together from bits.

Two ways to choose n. Rounding down gives n from −126 to 127 for every result that is a normal number, so that 2ⁿ is one
too, and 0 or ∞ exactly where the result is. Rounding to nearest makes r small around 0, where eʳ − 1 must be exact.

All coefficients are minimax fits of (eʳ − 1 − r)/r² by Remez' exchange with 50 digits, weighted for the relative error
of the result; each was rounded to the type in turn, and those behind it fitted anew.
"""

import math

from llvmlite import ir

from pullback.backends.native.elementary.arithmetic import Arithmetic, Number

# log2(e), which the nearest number of either type is below.
LOG2_E_SINGLE, LOG2_E_DOUBLE = 1.44269502162933349609375, math.log2(math.e)
# ln2 as the nearest number of the type, and what is missing.
LN2_SINGLE = (0.693147182464599609375, -1.9046542121259336e-09)
LN2_DOUBLE = (0.69314718055994530942, 2.3190468138462996e-17)

# r from 0 to ln2: relative error of eʳ 2^-28.3 and 2^-64.0.
_RISING_SINGLE = (
    0.5000022649765015,
    0.16663210093975067,
    0.0418543703854084,
    0.007869279012084007,
    0.0019120561191812158,
)
_RISING_DOUBLE = (
    0.5000000000000004, 0.16666666666664154, 0.0416666666672214, 0.008333333326798831, 0.0013888889356009106,
    0.00019841248214267886, 2.48022568268881e-05, 2.754334493164964e-06, 2.7751004802354176e-07, 2.3353788464911295e-08,
    2.9250692962671786e-09,
)  # fmt: skip
# r from −ln2/2 to ln2/2: relative error of eʳ − 1 2^-26.1 and 2^-61.6.
_CENTRED_SINGLE = (
    0.4999999701976776,
    0.1666654646396637,
    0.04166744276881218,
    0.008366257883608341,
    0.0013869863469153643,
)
_CENTRED_DOUBLE = (
    0.5, 0.16666666666666677, 0.04166666666666669, 0.008333333333321775, 0.0013888888888886788, 0.00019841269885349352,
    2.4801587294854996e-05, 2.7557245201022442e-06, 2.7557315793067215e-07, 2.5108652826915036e-08,
    2.0897998633596724e-09,
)  # fmt: skip


def exp(b: ir.IRBuilder, x: Number) -> Number:
    """eˣ = 2ⁿ·eʳ with r from 0 to ln2; 0 where that is below the normal numbers, ∞ where it is above."""
    a = Arithmetic(b, x)
    within = a.at_least(a.at_most(x, a.choose(89.0, 710.0)), a.choose(-88.0, -708.8))
    # n is x·log2(e) − ½ rounded to nearest. A little less than ½, so that 0 has n = 0, and that the roundings at either
    # end of the range still give the last normal number; not so much less that the largest numbers would become ∞.
    log2_e, almost_half = a.choose((LOG2_E_SINGLE, 0.5 - 2.0**-25), (LOG2_E_DOUBLE, 0.5 - 2.0**-46))
    n, power = a.nearest_power(within, log2_e, -almost_half)
    r = _remainder(a, within, n)
    growth = a.fma(a.mul(r, r), a.polynomial(a.choose(_RISING_SINGLE, _RISING_DOUBLE), r), r)
    return a.fma(power, growth, power)  # the power of 2 is exact; where it is ∞, r is above 0


def expm1(b: ir.IRBuilder, x: Number) -> Number:
    """eˣ − 1 = 2·(2ⁿ⁻¹·(eʳ − 1) + (2ⁿ⁻¹ − ½)) with r from −ln2/2 to ln2/2; halved, for eˣ may be 2¹²⁸ · 0.9."""
    a = Arithmetic(b, x)
    within = a.at_least(a.at_most(x, a.choose(88.8, 709.9)), a.choose(-20.0, -40.0))
    n, half = a.nearest_power(within, a.choose(LOG2_E_SINGLE, LOG2_E_DOUBLE), less=1)
    growth = small_expm1(a, _remainder(a, within, n))
    y = a.fma(half, growth, a.sub(half, 0.5))
    # With n = 0 halving would lose the smallest numbers, where denormals are flushed.
    near = b.fcmp_ordered("==", half, a.number(0.5))
    return a.with_sign(a.where(near, growth, a.add(y, y)), x)


def sigmoid(b: ir.IRBuilder, x: Number) -> Number:
    """e / (1 + e) with e = eˣ = 2ⁿ + 2ⁿ·(eʳ − 1) and r from −ln2/2 to ln2/2; 1 from where it rounds to 1."""
    a = Arithmetic(b, x)
    within = a.at_least(a.at_most(x, a.choose(20.0, 40.0)), a.choose(-88.0, -708.8))
    n, power = a.nearest_power(within, a.choose(LOG2_E_SINGLE, LOG2_E_DOUBLE))
    grown = a.fma(power, small_expm1(a, _remainder(a, within, n)), power)  # e
    return _over_one_more(a, grown)


def tanh(b: ir.IRBuilder, x: Number) -> Number:
    """E / (E + 1) with E = (e²ˣ − 1)/2, which is x near 0, for |x|; then the sign of x.

    With |x| = n·ln2/2 + r: E = 2ⁿ·(e²ʳ − 1)/2 + (2ⁿ − 1)/2. Where n is large the result is 1, so ln2/2 needs no second
    part.
    """
    a = Arithmetic(b, x)
    size = a.at_most(a.magnitude(x), a.choose(10.0, 20.0))
    n, power = a.nearest_power(size, a.choose(2 * LOG2_E_SINGLE, 2 * LOG2_E_DOUBLE))
    ln2, _ = a.choose(LN2_SINGLE, LN2_DOUBLE)
    r = a.fma(n, -ln2 / 2, size)
    doubled = [c * 2.0 ** (k + 1) for k, c in enumerate(a.choose(_CENTRED_SINGLE, _CENTRED_DOUBLE))]
    growth = a.fma(a.mul(r, r), a.polynomial(doubled, r), r)  # (e²ʳ − 1)/2
    half_expm1 = a.fma(power, growth, a.fma(power, 0.5, -0.5))
    return a.with_sign(_over_one_more(a, half_expm1), x)


def small_expm1(a: Arithmetic, r: Number) -> Number:
    """eʳ − 1 for |r| ≤ ln2/2: r + r²·(½ + r/6 + …), where r itself is not rounded again."""
    return a.fma(a.mul(r, r), a.polynomial(a.choose(_CENTRED_SINGLE, _CENTRED_DOUBLE), r), r)


def _over_one_more(a: Arithmetic, x: Number) -> Number:
    """x / (x + 1). Where x is small, x − x · that: so the roundings of the sum and of the quotient hardly count."""
    quotient = a.div(x, a.add(x, 1.0))
    small = a.b.fcmp_ordered("<", x, a.number(0.5))
    return a.where(small, a.fma(a.b.fneg(x), quotient, x), quotient)


def _remainder(a: Arithmetic, x: Number, n: Number) -> Number:
    """x − n·ln2. The product with the first part of ln2 cancels exactly."""
    ln2, rest = a.choose(LN2_SINGLE, LN2_DOUBLE)
    return a.fma(n, -rest, a.fma(n, -ln2, x))
