"""Shape and dtype rules that several ops share."""

from collections.abc import Callable
from typing import Any

from pullback.base.dtypes import bool_
from pullback.base.errors import DTypeError, ShapeError
from pullback.ir.types import Type


def same(name: str, kinds: str = "float int") -> Callable[..., Type]:
    """The rule of an elementwise op: all inputs have one type, which is the output's too."""

    def rule(x: Type, *others: Type, **params: Any) -> Type:
        for other in others:
            if other.shape != x.shape:
                raise ShapeError(f"{name} needs equal shapes; got {x} and {other}")
            if other.dtype is not x.dtype:
                raise DTypeError(f"{name} needs equal dtypes; got {x} and {other}")
        require_kind(name, x, kinds)
        return x

    return rule


def comparison(name: str) -> Callable[[Type, Type], Type]:
    """The rule of a comparison: inputs of one type, an output of bools."""
    inputs = same(name, "float int bool")
    return lambda x, y: inputs(x, y).with_dtype(bool_)


def require_kind(name: str, x: Type, kinds: str) -> None:
    """Raise DTypeError unless the dtype is of one of the kinds."""
    if x.dtype.kind not in kinds.split():
        raise DTypeError(f"{name} works on {' or '.join(kinds.split())} tensors; got {x}")


def require_wide(name: str, x: Type) -> None:
    """Raise DTypeError for 16-bit floats and small integers, which are widened before they are summed."""
    if x.dtype.name not in ("float32", "float64", "int64"):
        raise DTypeError(f"{name} sums in float32, float64 or int64; got {x}, which must be cast first")
