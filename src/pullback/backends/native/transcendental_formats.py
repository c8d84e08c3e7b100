"""The two floating-point formats: their constants, and the polynomials that were fitted for each.

Every polynomial is a Remez fit (exchange on 600 Chebyshev points, 45 digits) that makes the largest *relative* error of
the function smallest, then rounded to the format. Coefficients ascend. The error beside each is that of the exact fit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from llvmlite import ir

Coefficients = Sequence[float]
_LN2 = Fraction(math.log(2.0)) + Fraction(2.3190468138462996e-17)  # to 106 bits


def _below(kind: type[np.floating], exact: Fraction) -> float:
    """The largest number of this kind that is not above a positive one."""
    nearest = kind(float(exact))
    return float(np.nextafter(nearest, kind(0)) if Fraction(float(nearest)) > exact else nearest)


@dataclass(frozen=True)
class Format:
    """A floating-point format and the fits for it.

    exp_tail: q of eʳ = 1 + r + r²·q(r), |r| ≤ ½ln 2; expm1_tail: the same for the error relative to eʳ − 1.
    log_tail: float32: P of ln(1+f) = f − ½f² + f³·P(f), |f| ≤ ⅓; float64: P of 2·atanh(s) = 2s + s³·P(s²), |s| ≤ 0.172.
    erf_near: P of erf(x) = x + x·P(x²), |x| ≤ 1.
    erf_far: float32: ln(erfc(a)), 1 ≤ a ≤ 4; float64: P of erfc(a) = exp(−a²)·P(1/(2 + a)), 1 ≤ a ≤ 6.
    """

    number: ir.Type
    integer: ir.IntType
    mantissa: int  # bits that are stored
    bias: int
    numpy: type[np.floating]
    split: float  # log takes mantissas from this to twice this
    exp_tail: Coefficients
    expm1_tail: Coefficients
    log_tail: Coefficients
    erf_near: Coefficients
    erf_far: Coefficients
    erf_end: float  # from here erf is 1
    tanh_end: float  # from here tanh is 1

    @property
    def shifter(self) -> float:
        """Added to a number it leaves the nearest whole number in the lowest bits: 1.5 · 2^mantissa."""
        return 1.5 * 2.0**self.mantissa

    @property
    def ln2(self) -> tuple[float, float]:
        """ln 2 in two parts of this format."""
        high = float(self.numpy(math.log(2.0)))
        return high, float(_LN2 - Fraction(high))

    @property
    def least(self) -> float:
        """The smallest normal number."""
        return 2.0 ** (1 - self.bias)

    @property
    def ln_least(self) -> float:
        """The smallest number whose exp is normal: −(bias − 1)·ln 2, rounded up."""
        return -_below(self.numpy, (self.bias - 1) * _LN2)

    @property
    def ln_most(self) -> float:
        """The largest number whose exp is finite: (bias + 1)·ln 2, rounded down."""
        return _below(self.numpy, (self.bias + 1) * _LN2)

    def bits(self, x: float) -> int:
        """The number as an integer."""
        kind = np.int32 if self.integer.width == 32 else np.int64
        return int(self.numpy(x).view(kind))


FLOAT32 = Format(
    number=ir.FloatType(), integer=ir.IntType(32), mantissa=23, bias=127, numpy=np.float32,
    split=2.0 / 3.0,
    exp_tail=(  # 3.1e-9
        0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368744514882565, 0.0013814539415761828,
    ),
    expm1_tail=(  # 1.3e-8
        0.4999999701976776, 0.1666654348373413, 0.04166720062494278, 0.008366546593606472, 0.001388251199387014,
    ),
    log_tail=(  # 4.6e-9
        0.3333321511745453, -0.24999797344207764, 0.20010405778884888, -0.16680487990379333,
        0.14005880057811737, -0.12184262275695801, 0.13984385132789612, -0.12891671061515808,
    ),
    erf_near=(  # 1.2e-9
        0.12837916612625122, -0.3761262595653534, 0.1128358542919159, -0.026853810995817184, 0.00518832728266716,
        -0.0008010191959328949, 7.853857823647559e-05,
    ),
    erf_far=(  # 2.1e-11
        0.00018803552666213363, -1.1295783519744873, -0.6332199573516846, -0.1084185391664505, 0.025208231061697006,
        -0.004204553086310625, 0.0004413346468936652, -2.1686706531909294e-05,
    ),
    erf_end=4.0,
    tanh_end=10.0,
)  # fmt: skip

FLOAT64 = Format(
    number=ir.DoubleType(), integer=ir.IntType(64), mantissa=52, bias=1023, numpy=np.float64,
    split=math.sqrt(0.5),
    exp_tail=(  # 3.6e-18
        0.5000000000000011, 0.1666666666666641, 0.041666666666529725, 0.008333333333494987, 0.0013888888943760645,
        0.00019841269505764956, 2.4801492948905326e-05, 2.755758680566036e-06, 2.7630306500300396e-07,
        2.5000019288099746e-08,
    ),
    expm1_tail=(  # 2.6e-19
        0.5, 0.16666666666666677, 0.041666666666666505, 0.008333333333321655, 0.0013888888888962593,
        0.00019841269886072572, 2.4801587172254654e-05, 2.7557244255040605e-06, 2.755740275550185e-07,
        2.5109024164952782e-08, 2.087533440309867e-09,
    ),
    log_tail=(  # 2.5e-18
        0.6666666666666734, 0.3999999999941461, 0.28571428742403976, 0.22222198571395557, 0.18183564425147364,
        0.15314047861647276, 0.14795978178014796,
    ),
    erf_near=(  # 7.3e-18
        0.12837916709551256, -0.3761263890318352, 0.11283791670944184, -0.026866170643111392, 0.005223977606117985,
        -0.0008548325929295723, 0.00012055293576452452, -1.492471229517501e-05, 1.644713150501775e-06,
        -1.6206313366483806e-07, 1.371097912309223e-08, -7.779466776384391e-10,
    ),
    erf_far=(  # 5.5e-19
        -3.1306911508424245e-06, 0.5643774172946935, 1.1232650826297688, 2.0584966189338405, 1.8974597195258949,
        9.887959010751976, -41.11818398263174, 161.2270219331975, -510.82654937007, 994.7924685019683,
        -1153.0340130364689, 748.0186671002895, -212.1339000314747,
    ),
    erf_end=6.0,
    tanh_end=22.0,
)  # fmt: skip

# float32: P of tanh(x) = x + x³·P(x²), |x| ≤ 0.6: 2.8e-9
TANH_TAIL = (
    -0.33333298563957214, 0.13331924378871918, -0.053783830255270004, 0.020795976743102074, -0.005895163863897324,
)  # fmt: skip
# The first 256 bits of 2/π.
TWO_OVER_PI = (0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561)
# float32 works in float64: sin(r) = r + r³·P(r²), cos(r) = 1 + r²·P(r²), |r| ≤ ¼π; atan(z) = z + z³·P(z²), |z| ≤ 1.
SIN_TAIL = (-0.1666666664142663, 0.008333329362293083, -0.00019839327140922582, 2.7182373211725345e-06)  # 4.9e-12
COS_TAIL = (
    -0.4999999999954058, 0.041666666561248115, -0.0013888881032310932, 2.47990309662365e-05, -2.7179356492693313e-07,
)  # 6.2e-14  # fmt: skip
ATAN_TAIL = (  # 2.3e-9, for float32
    -0.33333301544189453, 0.19998638331890106, -0.1426524519920349, 0.1095757782459259, -0.08419465273618698,
    0.058234669268131256, -0.03145582973957062, 0.01106451265513897, -0.0018272295128554106,
)  # fmt: skip
# For the powers of float32: 2ʳ, |r| ≤ ½, and P of 2·atanh(s) = 2s + s³·P(s²).
EXP2 = (
    0.9999999999616247, 0.6931471807287215, 0.2402265119874006, 0.055504103528401495, 0.009618027174329094,
    0.0013333922853080273, 0.00015469316863698005, 1.5201900373394291e-05,
)  # 4.0e-11  # fmt: skip
POW_LOG_TAIL = (
    0.6666666667580105, 0.3999999562213998, 0.2857210909725812, 0.22176192290962268, 0.19584086470450213,
)  # 5.9e-14  # fmt: skip
