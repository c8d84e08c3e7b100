"""The steps that elementary functions are made of: arithmetic, comparisons and bits, in LLVM IR without flags."""

from collections.abc import Sequence
from typing import TypeAlias

from llvmlite import ir

from pullback.backends.native.transcendental_formats import FLOAT32, FLOAT64, Format

Number: TypeAlias = ir.Value


class Maths:
    """A builder for numbers of one format; constants may be given as floats."""

    def __init__(self, b: ir.IRBuilder, format: Format) -> None:
        self.b, self.format = b, format
        self.is_single = isinstance(format.number, ir.FloatType)

    def number(self, x: Number | float) -> Number:
        """A constant of this format, or the number itself."""
        return x if isinstance(x, ir.Value) else ir.Constant(self.format.number, x)

    def add(self, x: Number | float, y: Number | float) -> Number:
        """x + y."""
        return self.b.fadd(self.number(x), self.number(y))

    def sub(self, x: Number | float, y: Number | float) -> Number:
        """x − y."""
        return self.b.fsub(self.number(x), self.number(y))

    def mul(self, x: Number | float, y: Number | float) -> Number:
        """x · y."""
        return self.b.fmul(self.number(x), self.number(y))

    def div(self, x: Number | float, y: Number | float) -> Number:
        """x / y."""
        return self.b.fdiv(self.number(x), self.number(y))

    def neg(self, x: Number) -> Number:
        """−x."""
        return self.b.fneg(x)

    def intrinsic(self, name: str, *xs: Number | float) -> Number:
        """LLVM's function of this name."""
        kind = self.format.number
        declared = self.b.module.declare_intrinsic(name, [kind], ir.FunctionType(kind, [kind] * len(xs)))
        return self.b.call(declared, [self.number(x) for x in xs])

    def fma(self, x: Number | float, y: Number | float, z: Number | float) -> Number:
        """x · y + z, rounded once."""
        return self.intrinsic("llvm.fma", x, y, z)

    def abs(self, x: Number) -> Number:
        """|x|."""
        return self.intrinsic("llvm.fabs", x)

    def with_sign(self, x: Number, y: Number) -> Number:
        """|x| with the sign of y."""
        return self.intrinsic("llvm.copysign", x, y)

    def compare(self, sign: str, x: Number | float, y: Number | float) -> Number:
        """One bit; false beside NaN."""
        return self.b.fcmp_ordered(sign, self.number(x), self.number(y))

    def select(self, condition: Number, x: Number | float, y: Number | float) -> Number:
        """x where the condition holds, y elsewhere."""
        return self.b.select(condition, self.number(x), self.number(y))

    def at_most(self, x: Number, most: float) -> Number:
        """min(x, most); NaN stays."""
        return self.select(self.compare(">", x, most), most, x)

    def at_least(self, x: Number, least: float) -> Number:
        """max(x, least); NaN stays."""
        return self.select(self.compare("<", x, least), least, x)

    def polynomial(self, x: Number, coefficients: Sequence[float]) -> Number:
        """Σ cᵢ·xⁱ by Horner's rule."""
        *rest, y = coefficients
        total = self.number(y)
        for c in reversed(rest):
            total = self.fma(total, x, c)
        return total

    def integer(self, value: int) -> ir.Constant:
        """A whole number as wide as the format."""
        return ir.Constant(self.format.integer, value)

    def bits(self, x: Number) -> Number:
        """The number's bits as a whole number."""
        return self.b.bitcast(x, self.format.integer)

    def from_bits(self, bits: Number) -> Number:
        """The number that has these bits."""
        return self.b.bitcast(bits, self.format.number)

    def exponent_bits(self, shifted: Number) -> Number:
        """n as what is added to a number's bits to multiply it by 2ⁿ; shifted = n + the format's shifter."""
        return self.b.shl(self.bits(shifted), self.integer(self.format.mantissa))

    def shifted_pair(self, high: Number, low: Number, places: Number) -> Number:
        """The upper half of two words, one behind the other, moved to the left."""
        kind = self.format.integer
        shift = self.b.module.declare_intrinsic("llvm.fshl", [kind], ir.FunctionType(kind, [kind] * 3))
        return self.b.call(shift, [high, low, places])

    def power_of_two(self, shifted: Number, times: float = 1.0) -> Number:
        """2ⁿ · times."""
        return self.from_bits(self.b.add(self.exponent_bits(shifted), self.integer(self.format.bits(times))))


def maths(b: ir.IRBuilder, x: Number) -> Maths:
    """The builder for numbers of the type of x."""
    return Maths(b, FLOAT32 if isinstance(x.type, ir.FloatType) else FLOAT64)
