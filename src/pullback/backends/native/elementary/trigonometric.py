"""sin, cos and atan."""

import math

from llvmlite import ir

from pullback.backends.native.elementary.arithmetic import Arithmetic, Number

# (atan(√z)/√z − 1)/z for z from 0 to 1: relative error of atan 2^-25.8 and 2^-57.6.
_ATAN_SINGLE = (
    -0.33333152532577515, 0.19993767142295837, -0.14211001992225647, 0.10665768384933472, -0.07551657408475876,
    0.04320469871163368, -0.01636318489909172, 0.0029194264207035303,
)  # fmt: skip
_ATAN_DOUBLE = (
    -0.3333333333333307, 0.19999999999951745, -0.14285714282587794, 0.11111111007332157, -0.0909090700761185,
    0.07692279886685742, -0.0666640440509771, 0.05880529698678931, -0.05253526278747367, 0.04722346548885751,
    -0.04219238378387316, 0.03664304147794625, -0.02990553408341565, 0.021986777677288412, -0.013902252717252787,
    0.007197620360741764, -0.0028854531516565663, 0.0008314968209499724, -0.0001521958350899328, 1.3228290244662092e-05,
)  # fmt: skip
# π/2 as the nearest number of the type, and what is missing.
_RIGHT_ANGLE = ((1.57079637050628662109375, -4.371139000186241e-08), (math.pi / 2, 6.123233995736766e-17))


def sin(b: ir.IRBuilder, x: Number) -> Number:
    """sin(x) by LLVM's function, which calls the C library."""
    return Arithmetic(b, x).intrinsic("llvm.sin", x)


def cos(b: ir.IRBuilder, x: Number) -> Number:
    """cos(x) by LLVM's function, which calls the C library."""
    return Arithmetic(b, x).intrinsic("llvm.cos", x)


def atan(b: ir.IRBuilder, x: Number) -> Number:
    """atan(t) = t + t³·P(t²) for t = |x| ≤ 1; π/2 + atan(−1/|x|) above; then the sign of x.

    P is a minimax fit by Remez' exchange with 50 digits, weighted for the relative error of the result, its
    coefficients rounded to the type in turn.
    """
    a = Arithmetic(b, x)
    size = a.magnitude(x)
    steep = b.fcmp_ordered(">", size, a.number(1.0))
    t = a.where(steep, a.div(-1.0, size), size)
    square = a.mul(t, t)
    bend = a.mul(square, a.polynomial(a.choose(_ATAN_SINGLE, _ATAN_DOUBLE), square))
    right, rest = a.choose(*_RIGHT_ANGLE)
    tail = a.fma(t, bend, a.where(steep, rest, 0.0))
    return a.with_sign(a.add(a.add(t, a.where(steep, right, 0.0)), tail), x)
