"""erf, through the logarithm of its complement."""

from llvmlite import ir

from pullback.backends.native.elementary.arithmetic import Arithmetic, Number
from pullback.backends.native.elementary.exponential import (
    LN2_DOUBLE,
    LN2_SINGLE,
    LOG2_E_DOUBLE,
    LOG2_E_SINGLE,
    small_expm1,
)

_SLOPE = (1.128379225730896, 1.1283791670955126)  # 2/√π, rounded; what is missing is in the first coefficients
_LOG_SINGLE = (
    -5.412435655216541e-08, 0.6366193890571594, 0.10277775675058365, -0.019152788445353508, -0.00016089368727989495,
    0.0016675095539540052, -0.0006330920732580125, 0.00011771055869758129, -9.263781976187602e-06,
)  # fmt: skip
_LOG_DOUBLE = (
    -8.947339534193028e-18, 0.6366197723675906, 0.1027726033013413, -0.019128446993741218, -0.00020919484573434554,
    0.0016962076084311307, -0.0005901321317330792, 2.5903502938826977e-05, 6.442286745538191e-05,
    -2.957995379161285e-05, 3.1755302029112804e-06, 3.1267361095703938e-06, -2.0319893507993716e-06,
    5.6720868405598e-07, -9.935768467729268e-09, -6.644720146598767e-08, 3.480371518948057e-08,
    -1.0822513703576009e-08, 2.3679490107115108e-09, -3.766436532147459e-10, 4.299225829554029e-11,
    -3.352903837605261e-12, 1.6034574629977673e-13, -3.550007155446464e-15,
)  # fmt: skip


def erf(b: ir.IRBuilder, x: Number) -> Number:
    """1 − e⁻ᵘ with u = −ln(1 − erf|x|) = |x|·g(|x|); then the sign of x.

    g is smooth: from 2/√π at 0 it rises slowly, and one polynomial is enough up to where erf rounds to 1. It is a
    minimax fit by Remez' exchange with 50 digits, weighted for the relative error of the result (2^-27.9 and
    2^-54.1), its coefficients rounded to the type in turn. 1 − e⁻ᵘ = (1 − 2ⁿ) − 2ⁿ·(eʳ − 1), −u = n·ln2 + r, is as
    exact near 0 as u is; where n is large the result is 1, so ln2 needs no second part.
    """
    a = Arithmetic(b, x)
    size = a.at_most(a.magnitude(x), a.choose(3.95, 5.95))
    rest = a.polynomial(a.choose(_LOG_SINGLE, _LOG_DOUBLE), size)
    u = a.fma(size, a.choose(*_SLOPE), a.mul(size, rest))
    n, power = a.nearest_power(u, -a.choose(LOG2_E_SINGLE, LOG2_E_DOUBLE))
    r = a.fma(n, -a.choose(LN2_SINGLE, LN2_DOUBLE)[0], b.fneg(u))
    y = a.fma(b.fneg(power), small_expm1(a, r), a.sub(1.0, power))
    return a.with_sign(y, x)
