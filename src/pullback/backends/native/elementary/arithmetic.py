"""The steps that elementary functions are made of: arithmetic, choices and bits, all of which LLVM vectorises.

No step carries a fast-math flag, so every rounding happens where it is written; where a product and a sum are to be
rounded once, `fma` says so. NaN passes through every step that a function uses on the way to its result.
"""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

from llvmlite import ir

Number: TypeAlias = ir.Value
T = TypeVar("T")

SINGLE, DOUBLE = ir.FloatType(), ir.DoubleType()


class Arithmetic:
    """Arithmetic in the type of x: float32 or float64. Constants may be given as Python's numbers.

    digits: bits of a number's fraction.  bias: what is added to a number's exponent where it is stored.
    """

    def __init__(self, b: ir.IRBuilder, x: Number) -> None:
        if x.type not in (SINGLE, DOUBLE):
            raise TypeError(f"elementary functions take float or double, not {x.type}")
        self.b, self.real = b, x.type
        self.is_single = x.type == SINGLE
        self.whole = ir.IntType(32 if self.is_single else 64)
        self.digits, self.bias = (23, 127) if self.is_single else (52, 1023)

    def choose(self, single: T, double: T) -> T:
        """What float32 or float64 needs."""
        return single if self.is_single else double

    def number(self, value: float) -> ir.Constant:
        """A constant, rounded to the type."""
        return ir.Constant(self.real, value)

    def integer(self, value: int) -> ir.Constant:
        """A constant with as many bits as the numbers have."""
        return ir.Constant(self.whole, value)

    # Arithmetic
    def add(self, x: Number, y: Number | float) -> Number:
        """x + y"""
        return self.b.fadd(x, self._operand(y))

    def sub(self, x: Number | float, y: Number | float) -> Number:
        """x − y"""
        return self.b.fsub(self._operand(x), self._operand(y))

    def mul(self, x: Number, y: Number | float) -> Number:
        """x · y"""
        return self.b.fmul(x, self._operand(y))

    def div(self, x: Number | float, y: Number) -> Number:
        """x / y"""
        return self.b.fdiv(self._operand(x), y)

    def fma(self, x: Number, y: Number | float, z: Number | float) -> Number:
        """x · y + z, rounded once."""
        return self.b.fma(x, self._operand(y), self._operand(z))

    def polynomial(self, coefficients: Sequence[float], x: Number) -> Number:
        """c₀ + c₁x + c₂x² + … by Horner's rule."""
        *rest, total = (self.number(c) for c in coefficients)
        for c in reversed(rest):
            total = self.b.fma(total, x, c)
        return total

    def intrinsic(self, name: str, *xs: Number) -> Number:
        """LLVM's function of this name."""
        kind = ir.FunctionType(self.real, [self.real] * len(xs))
        return self.b.call(self.b.module.declare_intrinsic(name, [self.real], kind), xs)

    # Choices
    def at_most(self, x: Number, bound: float) -> Number:
        """The smaller of both; NaN stays NaN."""
        return self.where(self.b.fcmp_ordered(">", x, self.number(bound)), bound, x)

    def at_least(self, x: Number, bound: float) -> Number:
        """The larger of both; NaN stays NaN."""
        return self.where(self.b.fcmp_ordered("<", x, self.number(bound)), bound, x)

    def where(self, condition: Number, x: Number | float, y: Number | float) -> Number:
        """x where the condition holds, else y."""
        return self.b.select(condition, self._operand(x), self._operand(y))

    def magnitude(self, x: Number) -> Number:
        """|x|"""
        return self.intrinsic("llvm.fabs", x)

    def with_sign(self, size: Number, sign: Number) -> Number:
        """|size| with the sign of the other, also of −0."""
        return self.intrinsic("llvm.copysign", size, sign)

    # Bits
    def bits(self, x: Number) -> Number:
        """The number's bits as a whole number."""
        return self.b.bitcast(x, self.whole)

    def from_bits(self, bits: Number) -> Number:
        """The number that has these bits."""
        return self.b.bitcast(bits, self.real)

    def from_integer(self, k: Number) -> Number:
        """A small whole number as a number; in float64 by bits, for AVX2 has no conversion of 64-bit integers."""
        if self.is_single:
            return self.b.sitofp(k, self.real)
        anchor = self.number(1.5 * 2.0**self.digits)
        return self.b.fsub(self.from_bits(self.b.add(k, self.bits(anchor))), anchor)

    def nearest_power(self, x: Number, factor: float, shift: float = 0.0, less: int = 0) -> tuple[Number, Number]:
        """n = x·factor + shift rounded to a whole number, and 2ᵐ, m = n − less; 0 for m = −bias, ∞ for m = bias + 1.

        Adding 1.5·2^digits leaves no place for a fraction, so that n stands in the last bits of the sum; with the
        bias added too, these bits are the exponent of 2ᵐ already. m must lie between −bias and bias + 1.
        """
        anchor = 1.5 * 2.0**self.digits + self.bias - less
        anchored = self.add(self.fma(x, factor, shift), anchor) if shift else self.fma(x, factor, anchor)
        power = self.b.shl(self.bits(anchored), self.integer(self.digits))
        return self.sub(anchored, anchor), self.from_bits(power)

    def _operand(self, x: Number | float) -> Number:
        return self.number(x) if isinstance(x, (int, float)) else x
