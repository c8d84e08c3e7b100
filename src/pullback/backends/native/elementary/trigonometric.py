"""sin, cos and atan."""

import math

from llvmlite import ir

from pullback.backends.native.elementary.arithmetic import DOUBLE, Arithmetic, Number

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
# (sin(√z)/√z − 1)/z and (cos(√z) − 1 + z/2)/z² for z from 0 to (π/4)²: errors 2^-28.0 and 2^-33.1.
_SIN_SINGLE = (-0.16666655242443085, 0.008332191035151482, -0.00019518604676704854)
_COS_SINGLE = (0.04166664555668831, -0.00138873013202101, 2.443068842694629e-05)
# 1/(2π), bit by bit: pieces · 2^-weight, and the rest.
_TURN_PIECES = ((0x145F306D, 31), (0x19391054, 60), (0x14FE13AB, 89), (0x1D1F534D, 118), (0x1B81B6C5, 147))
_TURN_REST = float.fromhex("0x1.5993c439041fep-150")
# π/2 as the nearest number of the type, and what is missing.
_RIGHT_ANGLE = ((1.57079637050628662109375, -4.371139000186241e-08), (math.pi / 2, 6.123233995736766e-17))


def sin(b: ir.IRBuilder, x: Number) -> Number:
    """sin(x), in quarters of a turn: sin or cos of what is left, up or down. Of float64 the C library's."""
    a = Arithmetic(b, x)
    if not a.is_single:
        return a.intrinsic("llvm.sin", x)
    angle, quarters = _reduce(b, x)
    y = _by_quarter(a, quarters, _small_sin(a, angle), _small_cos(a, angle))
    return a.where(b.fcmp_ordered("==", x, a.number(0.0)), x, y)  # −0 stays −0


def cos(b: ir.IRBuilder, x: Number) -> Number:
    """cos(x) = sin(x + π/2), by one quarter more. Of float64 the C library's."""
    a = Arithmetic(b, x)
    if not a.is_single:
        return a.intrinsic("llvm.cos", x)
    angle, quarters = _reduce(b, x)
    return _by_quarter(a, b.add(quarters, a.integer(1)), _small_sin(a, angle), _small_cos(a, angle))


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


def _reduce(b: ir.IRBuilder, x: Number) -> tuple[Number, Number]:
    """The angle from −π/4 to π/4, and how many quarters of a turn x (float32) is further, of which 2 bits count.

    After Payne and Hanek (1983), in float64: turns x/(2π) are the sum of x times pieces of 1/(2π). A piece of 29 bits
    times the 24 bits of x is exact, and whole turns are dropped from each product before it is added, so that what is
    left is as exact for 2^127 as for 1, and keeps its digits also for the x that lies nearest to a multiple of π/2.
    """
    wide = b.fpext(x, DOUBLE)
    a = Arithmetic(b, wide)
    turns = a.number(0.0)
    for i, (piece, weight) in enumerate(_TURN_PIECES):
        product = a.mul(wide, math.ldexp(piece, -weight))
        whole = a.intrinsic("llvm.roundeven", a.add(product, turns) if i else product)
        part = a.sub(product, whole)
        turns = a.add(turns, part) if i else part
    turns = a.fma(wide, _TURN_REST, turns)
    anchor = 1.5 * 2.0**a.digits
    anchored = a.fma(turns, 4.0, anchor)
    angle = a.mul(a.fma(a.sub(anchored, anchor), -0.25, turns), 2 * math.pi)
    return b.fptrunc(angle, x.type), b.trunc(a.bits(anchored), ir.IntType(32))


def _by_quarter(a: Arithmetic, quarters: Number, sine: Number, cosine: Number) -> Number:
    """sin of an angle and so many quarters of a turn: sin, cos, −sin, −cos."""
    b = a.b
    odd = b.icmp_unsigned("!=", b.and_(quarters, a.integer(1)), a.integer(0))
    down = b.shl(b.and_(quarters, a.integer(2)), a.integer(30))  # the sign's bit
    return a.from_bits(b.xor(a.bits(a.where(odd, cosine, sine)), down))


def _small_sin(a: Arithmetic, x: Number) -> Number:
    square = a.mul(x, x)
    return a.fma(a.mul(x, square), a.polynomial(_SIN_SINGLE, square), x)


def _small_cos(a: Arithmetic, x: Number) -> Number:
    square = a.mul(x, x)
    return a.fma(a.mul(square, square), a.polynomial(_COS_SINGLE, square), a.fma(square, -0.5, 1.0))
