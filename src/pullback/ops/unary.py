"""Elementwise ops of one input."""

import math

import numpy as np

from pullback.base.dtypes import Array
from pullback.ops.create import zeros_like
from pullback.ops.record import op
from pullback.ops.rules import same


@op(same("neg"), (lambda g, y, x: -g,))
def neg(x: Array) -> Array:
    """The negative.

    y = −x
    gx = −g
    """
    return np.negative(x)


@op(same("abs"), (lambda g, y, x: g * sign(x),))
def abs_(x: Array) -> Array:
    """The absolute value. At 0 the gradient is 0.

    y = |x|
    gx = g · sign(x)
    """
    return np.abs(x)


@op(same("sign"), (lambda g, y, x: zeros_like(x),))
def sign(x: Array) -> Array:
    """−1, 0 or 1 by the sign; 0 for NaN.

    y = sign(x)
    gx = 0
    """
    return np.sign(np.where(x == x, x, 0))


@op(same("exp", "float"), (lambda g, y, x: g * y,), flops=12)
def exp(x: Array) -> Array:
    """The exponential.

    y = exp(x)
    gx = g · y
    """
    return np.exp(x)


@op(same("expm1", "float"), (lambda g, y, x: g * (y + 1.0),), flops=14)
def expm1(x: Array) -> Array:
    """exp(x) − 1 without cancellation near 0.

    y = exp(x) − 1
    gx = g · (y + 1)
    """
    return np.expm1(x)


@op(same("log", "float"), (lambda g, y, x: g / x,), flops=12)
def log(x: Array) -> Array:
    """The natural logarithm: −inf at 0, NaN below.

    y = ln(x)
    gx = g / x
    """
    return np.log(x)


@op(same("log1p", "float"), (lambda g, y, x: g / (x + 1.0),), flops=14)
def log1p(x: Array) -> Array:
    """ln(1 + x) without cancellation near 0.

    y = ln(1 + x)
    gx = g / (1 + x)
    """
    return np.log1p(x)


@op(same("sqrt", "float"), (lambda g, y, x: g / (y * 2.0),), flops=4)
def sqrt(x: Array) -> Array:
    """The square root; NaN below 0.

    y = √x
    gx = g / 2y
    """
    return np.sqrt(x)


@op(same("rsqrt", "float"), (lambda g, y, x: g * y * y * y * -0.5,), flops=6)
def rsqrt(x: Array) -> Array:
    """One over the square root.

    y = 1/√x
    gx = −½ g · y³
    """
    return np.reciprocal(np.sqrt(x))


@op(same("sin", "float"), (lambda g, y, x: g * cos(x),), flops=15)
def sin(x: Array) -> Array:
    """The sine of radians.

    y = sin(x)
    gx = g · cos(x)
    """
    return np.sin(x)


@op(same("cos", "float"), (lambda g, y, x: -(g * sin(x)),), flops=15)
def cos(x: Array) -> Array:
    """The cosine of radians.

    y = cos(x)
    gx = −g · sin(x)
    """
    return np.cos(x)


@op(same("atan", "float"), (lambda g, y, x: g / (x * x + 1.0),), flops=15)
def atan(x: Array) -> Array:
    """The angle whose tangent is x, in radians.

    y = atan(x)
    gx = g / (1 + x²)
    """
    return np.arctan(x)


@op(same("tanh", "float"), (lambda g, y, x: g * (1.0 - y * y),), flops=15)
def tanh(x: Array) -> Array:
    """The hyperbolic tangent.

    y = tanh(x)
    gx = g · (1 − y²)
    """
    return np.tanh(x)


@op(same("sigmoid", "float"), (lambda g, y, x: g * y * (1.0 - y),), flops=15)
def sigmoid(x: Array) -> Array:
    """The logistic function; 0 and 1 at the far ends, never NaN for a number.

    y = 1 / (1 + exp(−x))
    gx = g · y · (1 − y)
    """
    return np.reciprocal(1 + np.exp(-x))


@op(same("erf", "float"), (lambda g, y, x: g * (exp(-(x * x)) * (2.0 / math.sqrt(math.pi))),), flops=40)
def erf(x: Array) -> Array:
    """The error function, computed in float64 to about 2e-16.

    Two minimax fits: erf(x)/x in x² up to 1, and ln(erfc(x)·exp(x²)/t) in t = 2/(2 + x) above, as in
    Numerical Recipes (3rd edition) 6.2.2; the coefficients were fitted with 50 digits.

    y = erf(x)
    gx = g · 2/√π · exp(−x²)
    """
    near = [
        5.957176147748911e-11, -1.1372848856791674e-09, 1.4659775274047436e-08, -1.6350312701054695e-07,
        1.6461000484121368e-06, -1.4925595266831182e-05, 0.0001205533111164271, -0.000854832698083379,
        0.0052239776248180145, -0.026866170645076792, 0.11283791670954879, -0.3761263890318375,
        1.1283791670955126,
    ]  # fmt: skip
    far = [
        -0.4142604476067671, 2.589510179633918, -6.955739646049414, 10.160149195900907, -8.163308863183769,
        2.696696205945424, 0.9277029045545424, -1.438521467984253, 1.041281130451966, -0.5028884165287777,
        -0.026820532360460527, -0.10974800826646662, 0.08675848003549348, 0.3746679608317724,
        1.0000195174712871, -1.265512649954472,
    ]  # fmt: skip
    wide = x.astype(np.float64)
    a = np.minimum(np.abs(wide), 6.0)
    t = 2.0 / (2.0 + a)
    tail = 1.0 - t * np.exp(np.polyval(far, t) - a * a)
    return np.where(a < 1.0, wide * np.polyval(near, a * a), np.copysign(tail, wide)).astype(x.dtype)


@op(same("floor", "float"), (lambda g, y, x: zeros_like(x),))
def floor(x: Array) -> Array:
    """The largest whole number that is not above x.

    y = ⌊x⌋
    gx = 0
    """
    return np.floor(x)


@op(same("ceil", "float"), (lambda g, y, x: zeros_like(x),))
def ceil(x: Array) -> Array:
    """The smallest whole number that is not below x.

    y = ⌈x⌉
    gx = 0
    """
    return np.ceil(x)


@op(same("round", "float"), (lambda g, y, x: zeros_like(x),))
def round_(x: Array) -> Array:
    """The nearest whole number; halves go to the even one.

    y = round(x)
    gx = 0
    """
    return np.round(x)


@op(same("detach", "float int bool"), None)
def detach(x: Array) -> Array:
    """The same numbers, through which no gradient flows.

    y = x
    """
    return x
