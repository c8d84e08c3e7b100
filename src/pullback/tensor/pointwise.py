"""Functions that work place by place: arithmetic, elementary functions, comparisons, choices."""

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes

import pullback.ops as ops
from pullback.base.dtypes import as_dtype, bool_, int64
from pullback.base.errors import ArgumentError, DTypeError
from pullback.base.shapes import broadcast_shapes
from pullback.ir.node import Op, Value
from pullback.tensor.promotion import as_operand, convert, expand, floating, promoted, result_type, values_of, wrapped
from pullback.tensor.tensor import Tensor

_EXAMPLE = """

    Source: torch.{name}.
    """


def _unary(op: Op, name: str, doc: str, keeps_integers: bool = False) -> Callable[[Tensor], Tensor]:
    prepared = promoted if keeps_integers else floating

    def function(input: Tensor) -> Tensor:
        return Tensor(op(*prepared(input)))

    return _named(function, name, f"{doc} Shape and dtype stay{'' if keeps_integers else '; integers become floats'}.")


def _named(function: Any, name: str, doc: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + _EXAMPLE.format(name=name)
    return function


exp = _unary(ops.exp, "exp", "eˣ.")
expm1 = _unary(ops.expm1, "expm1", "eˣ − 1 without cancellation near 0.")
log = _unary(ops.log, "log", "The natural logarithm.")
log1p = _unary(ops.log1p, "log1p", "ln(1 + x) without cancellation near 0.")
sqrt = _unary(ops.sqrt, "sqrt", "The square root.")
rsqrt = _unary(ops.rsqrt, "rsqrt", "1/√x.")
sin = _unary(ops.sin, "sin", "The sine of radians.")
cos = _unary(ops.cos, "cos", "The cosine of radians.")
atan = _unary(ops.atan, "atan", "The angle, in radians, whose tangent is x.")
tanh = _unary(ops.tanh, "tanh", "The hyperbolic tangent.")
sigmoid = _unary(ops.sigmoid, "sigmoid", "1 / (1 + e⁻ˣ).")
erf = _unary(ops.erf, "erf", "The error function.")
neg = _unary(ops.neg, "neg", "−x.", keeps_integers=True)
abs = _unary(ops.abs_, "abs", "|x|; its gradient at 0 is 0.", keeps_integers=True)


def sign(input: Tensor) -> Tensor:
    """−1, 0 or 1; 0 for NaN. Shape and dtype stay.

    Source: torch.sign.
    """
    return clone(input) if input.dtype is bool_ else Tensor(ops.sign(input.value))


def clone(input: Tensor) -> Tensor:
    """A tensor with the same numbers, to be written to on its own; gradients flow through it.

    Source: torch.clone.
    """
    value = input.value
    return Tensor(ops.reshape(value, shape=value.shape) if value.requires_grad else value)


def _rounding(op: Op, name: str, doc: str) -> Callable[[Tensor], Tensor]:
    def function(input: Tensor) -> Tensor:
        return Tensor(op(input.value)) if input.dtype.is_floating_point else clone(input)

    return _named(function, name, doc + " Integers stay.")


floor = _rounding(ops.floor, "floor", "⌊x⌋.")
ceil = _rounding(ops.ceil, "ceil", "⌈x⌉.")
round = _rounding(ops.round_, "round", "The nearest whole number; halves go to the even one.")


def _binary(op: Op, name: str, doc: str, prepared: Any = promoted) -> Callable[[Any, Any], Tensor]:
    def function(input: Any, other: Any) -> Tensor:
        return Tensor(op(*prepared(input, other)))

    return _named(function, name, doc + " Operands are promoted and broadcast.")


def mul(input: Any, other: Any) -> Tensor:
    """x · y. Operands are promoted and broadcast; of bools it is the logical and.

    Source: torch.mul.
    """
    x, y = promoted(input, other)
    return Tensor(ops.bitwise_and(x, y) if x.dtype is bool_ else ops.mul(x, y))


multiply = mul
pow = _binary(ops.pow_, "pow", "xʸ.")
maximum = _binary(ops.maximum, "maximum", "The larger; equal ones share the gradient.")
minimum = _binary(ops.minimum, "minimum", "The smaller; equal ones share the gradient.")


def _division(op: Op, name: str, doc: str) -> Callable[[Any, Any], Tensor]:
    def function(input: Any, other: Any) -> Tensor:
        x, y = promoted(input, other)
        if y.dtype.kind == "int" and y.data is not None and not y.data.all():
            raise ArgumentError(f"{name} of integers by 0 has no result; divide floats, or leave the 0 out")
        return Tensor(op(x, y))

    return _named(function, name, f"{doc} Operands are promoted and broadcast. Raises ArgumentError for integers by 0.")


remainder = _division(ops.remainder, "remainder", "x − y·⌊x/y⌋, with the sign of y.")
floor_divide = _division(ops.floor_divide, "floor_divide", "⌊x/y⌋.")
bitwise_and = _binary(ops.bitwise_and, "bitwise_and", "Bits that both have.")
bitwise_or = _binary(ops.bitwise_or, "bitwise_or", "Bits that either has.")
bitwise_xor = _binary(ops.bitwise_xor, "bitwise_xor", "Bits that one alone has.")
bitwise_left_shift = _binary(ops.shift_left, "bitwise_left_shift", "x · 2ʸ for integers.")
bitwise_right_shift = _binary(ops.shift_right, "bitwise_right_shift", "⌊x / 2ʸ⌋ for integers.")
bitwise_not = _unary(ops.bitwise_not, "bitwise_not", "Every bit turned over.", keeps_integers=True)


def _comparable(input: Any, other: Any) -> list[Value]:
    """Both in one dtype that holds them: a uint8 is compared with 300 or −1 in int64."""
    x, y = as_operand(input), as_operand(other)
    dtype = result_type(x, y)
    outside = [n for n in (x, y) if type(n) is int and dtype.kind == "int" and wrapped(n, dtype) != n]
    return values_of([x, y], int64 if outside else dtype)


def _exchanged(input: Any, other: Any) -> list[Value]:
    return _comparable(other, input)


eq = _binary(ops.eq, "eq", "x = y.", _comparable)
ne = _binary(ops.ne, "ne", "x ≠ y.", _comparable)
lt = _binary(ops.lt, "lt", "x < y.", _comparable)
le = _binary(ops.le, "le", "x ≤ y.", _comparable)
gt = _binary(ops.lt, "gt", "x > y.", _exchanged)
ge = _binary(ops.le, "ge", "x ≥ y.", _exchanged)


def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """x + alpha · y. Operands are promoted and broadcast; of bools it is the logical or.

    >>> import pullback as pb
    >>> pb.add(pb.tensor([1, 2]), 0.5)
    tensor([1.5000, 2.5000])

    Source: torch.add.
    """
    x, y = promoted(input, other if _is_one(alpha) else mul(other, alpha))
    return Tensor(ops.bitwise_or(x, y) if x.dtype is bool_ else ops.add(x, y))


def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """x − alpha · y. Operands are promoted and broadcast.

    Source: torch.sub.
    """
    return Tensor(ops.sub(*promoted(input, other if _is_one(alpha) else mul(other, alpha))))


def _is_one(alpha: Any) -> bool:
    return not isinstance(alpha, Tensor) and alpha == 1


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """x / y as floats; with rounding_mode "floor" or "trunc" rounded to whole numbers.

    Raises ArgumentError for another rounding_mode.

    Source: torch.div.
    """
    if rounding_mode is None:
        return Tensor(ops.div(*floating(input, other)))
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise ArgumentError(f"rounding_mode is None, 'floor' or 'trunc'; got {rounding_mode!r}")
    return trunc(div(input, other)).to(result_type(as_operand(input), as_operand(other)))


true_divide = divide = div


def square(input: Tensor) -> Tensor:
    """x².

    Source: torch.square.
    """
    return power(input, 2)


def reciprocal(input: Tensor) -> Tensor:
    """1/x.

    Source: torch.reciprocal.
    """
    return div(1.0, input)


def power(input: Any, exponent: Any) -> Tensor:
    """xʸ; the exponents 2, 3, −1 and ±½ are products, a quotient and roots.

    Source: torch.pow.
    """
    if not isinstance(exponent, Tensor) and isinstance(input, Tensor):
        if exponent == 2:
            factor = cast_to(input, int64) if input.dtype is bool_ else input
            return mul(factor, factor)
        if exponent == 1:
            return mul(input, 1)
        if exponent in (0.5, -0.5):
            return sqrt(input) if exponent > 0 else rsqrt(input)
        if exponent == 3 and input.dtype is not bool_:
            return mul(mul(input, input), input)
        if exponent == -1 and input.dtype.is_floating_point:
            return div(1.0, input)
        if not input.dtype.is_floating_point and isinstance(exponent, int) and exponent < 0:
            raise ArgumentError(f"integers cannot be raised to the negative power {exponent}; cast to float first")
    return pow(input, exponent)


def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2.

    Source: torch.log2.
    """
    return mul(log(input), 1.0 / math.log(2.0))


def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10.

    Source: torch.log10.
    """
    return mul(log(input), 1.0 / math.log(10.0))


def tan(input: Tensor) -> Tensor:
    """The tangent of radians.

    Source: torch.tan.
    """
    return div(sin(input), cos(input))


def sinh(input: Tensor) -> Tensor:
    """(eˣ − e⁻ˣ) / 2, without cancellation near 0.

    Source: torch.sinh.
    """
    x = as_float(input)
    return mul(sub(expm1(x), expm1(neg(x))), 0.5)


def cosh(input: Tensor) -> Tensor:
    """(eˣ + e⁻ˣ) / 2.

    Source: torch.cosh.
    """
    x = as_float(input)
    return mul(add(exp(x), exp(neg(x))), 0.5)


def as_float(input: Tensor) -> Tensor:
    """The tensor itself when it holds floats, else its numbers in the default dtype."""
    return input if input.dtype.is_floating_point else Tensor(*floating(input))


def trunc(input: Tensor) -> Tensor:
    """The whole number towards 0.

    Source: torch.trunc.
    """
    return where(lt(input, 0), ceil(input), floor(input))


def frac(input: Tensor) -> Tensor:
    """What trunc takes away.

    Source: torch.frac.
    """
    return sub(input, trunc(input))


def fmod(input: Any, other: Any) -> Tensor:
    """x − y·trunc(x/y), with the sign of x.

    Source: torch.fmod.
    """
    x, y = (Tensor(value) for value in promoted(input, other))
    negative = lt(x, 0)
    left = remainder(where(negative, neg(x), x), where(lt(y, 0), neg(y), y))
    return where(negative, neg(left), left)


def where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """input where the condition holds, else other.

    Raises DTypeError when the condition is no tensor of bools.

    >>> import pullback as pb
    >>> x = pb.tensor([-1.0, 2.0])
    >>> pb.where(x > 0, x, 0.0)
    tensor([0., 2.])

    Source: torch.where.
    """
    if not isinstance(condition, Tensor) or condition.dtype is not bool_:
        raise DTypeError(f"where needs a condition of bools, such as x > 0; got {condition!r}"[:200])
    a, b = promoted(input, other)
    shape = broadcast_shapes(condition.shape, a.shape)
    return Tensor(ops.where(*(expand(value, shape) for value in (condition.value, a, b))))


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Numbers below min become min, those above max become max; the gradient passes between them, ends included.

    Raises ArgumentError when both bounds are None.

    Source: torch.clamp.
    """
    if min is None and max is None:
        raise ArgumentError("clamp needs min, max or both")
    result = input
    if min is not None:
        result = where(lt(result, min), min, result)
    return where(lt(max, result), max, result) if max is not None else result


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight · (end − input).

    Source: torch.lerp.
    """
    return add(input, mul(sub(end, input), weight))


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value · tensor1 · tensor2.

    Source: torch.addcmul.
    """
    return add(input, mul(mul(tensor1, tensor2), value))


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value · tensor1 / tensor2.

    Source: torch.addcdiv.
    """
    return add(input, mul(div(tensor1, tensor2), value))


def isnan(input: Tensor) -> Tensor:
    """Whether NaN.

    Source: torch.isnan.
    """
    return ne(input, input)


def isinf(input: Tensor) -> Tensor:
    """Whether infinite.

    Source: torch.isinf.
    """
    return eq(abs(as_float(input)), math.inf)


def isfinite(input: Tensor) -> Tensor:
    """Whether neither NaN nor infinite.

    Source: torch.isfinite.
    """
    return lt(abs(as_float(input)), math.inf)


def nan_to_num(input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """NaN and the infinities replaced by numbers: by default 0 and the largest and smallest of the dtype.

    Source: torch.nan_to_num.
    """
    if not input.dtype.is_floating_point:
        return clone(input)
    largest = float(ml_dtypes.finfo(input.dtype.numpy).max)  # type: ignore[no-untyped-call]
    result = where(isnan(input), nan, input)
    result = where(eq(result, math.inf), largest if posinf is None else posinf, result)
    return where(eq(result, -math.inf), -largest if neginf is None else neginf, result)


def truth(x: Any) -> Tensor:
    """Whether nonzero, place by place; bools as they are."""
    found = x if isinstance(x, Tensor) else as_operand(x)
    return found if found.dtype is bool_ else ne(found, 0)


def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Whether both are nonzero.

    Source: torch.logical_and.
    """
    return bitwise_and(truth(input), truth(other))


def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether either is nonzero.

    Source: torch.logical_or.
    """
    return bitwise_or(truth(input), truth(other))


def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one is nonzero.

    Source: torch.logical_xor.
    """
    return bitwise_xor(truth(input), truth(other))


def logical_not(input: Tensor) -> Tensor:
    """Whether zero.

    Source: torch.logical_not.
    """
    return bitwise_not(truth(input))


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether |x − y| ≤ atol + rtol · |y|, or equal.

    Source: torch.isclose.
    """
    near = le(abs(sub(input, other)), add(mul(abs(other), rtol), atol))
    close = logical_or(eq(input, other), logical_and(near, isfinite(other)))
    return logical_or(close, logical_and(isnan(input), isnan(other))) if equal_nan else close


def relu(input: Tensor) -> Tensor:
    """max(x, 0); its gradient at 0 is 0, and NaN stays NaN.

    Source: torch.relu.
    """
    return where(le(input, 0), 0, input)


def cast_to(input: Tensor, dtype: Any) -> Tensor:
    """The tensor in another dtype; itself when it has it already."""
    found = as_dtype(dtype)
    return input if input.dtype is found else Tensor(convert(input.value, found))
