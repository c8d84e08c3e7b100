"""What operands become before an op sees them: one dtype, one shape."""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

import pullback.ops as ops
from pullback.base.dtypes import DType, as_dtype, bool_, int64, kind_order, promote
from pullback.base.errors import DTypeError
from pullback.base.settings import get_default_dtype
from pullback.base.shapes import Shape, broadcast_shapes
from pullback.ir.node import Value
from pullback.tensor.tensor import Tensor, from_array

Number = bool | int | float
_SCALARS = (np.number, np.bool_)


def _number_dtype(number: Any) -> DType:
    if isinstance(number, (bool, np.bool_)):
        return bool_
    return int64 if isinstance(number, (int, np.integer)) else get_default_dtype()


def as_operand(x: Any) -> Any:
    """A tensor or a Python number; NumPy arrays become tensors.

    Raises DTypeError for anything else.
    """
    if isinstance(x, (Tensor, bool, int, float)):
        return x
    if isinstance(x, np.ndarray):
        return from_array(x.copy())
    if isinstance(x, _SCALARS):
        return x.item()
    raise DTypeError(f"an operand must be a tensor or a number; got {type(x).__name__}")


def result_type(*operands: Any) -> DType:
    """The dtype of what these make together, by PyTorch's rules.

    Tensors with dimensions decide; one without dimensions, and after it a Python number, counts only when its kind
    (bool < integer < float) is higher.

    >>> import pullback as pb
    >>> pb.result_type(pb.tensor([1], dtype=pb.int32), 2.5)
    pullback.float32

    Source: torch.result_type.
    """
    arrays: list[DType] = []
    scalars: list[DType] = []
    numbers: list[DType] = []
    for x in operands:
        if not isinstance(x, Tensor) or x.is_number:
            numbers.append(get_default_dtype() if isinstance(x, Tensor) else _number_dtype(x))
        else:
            (arrays if x.ndim else scalars).append(x.dtype)
    # Of equally high kinds the first counts.
    return max((functools.reduce(promote, level) for level in (arrays, scalars, numbers) if level), key=kind_order)


convert = ops.as_dtype_of


def expand(value: Value, shape: Shape) -> Value:
    """The value broadcast to this shape, without an op when it has it already."""
    return value if value.shape == shape else ops.broadcast(value, shape=shape)


def values_of(operands: Iterable[Any], dtype: DType) -> list[Value]:
    """The operands as values of one dtype and one shape."""
    items = list(map(as_operand, operands))
    shape = broadcast_shapes(*[x.shape for x in items if isinstance(x, Tensor)])
    return [_value_of(x, dtype, shape) for x in items]


def _value_of(x: Tensor | Number, dtype: DType, shape: Shape) -> Value:
    if isinstance(x, Tensor):
        return expand(convert(x.value, dtype), shape)
    return ops.full(value=_cut(x, dtype), shape=shape, dtype=dtype)


def _cut(number: Number, dtype: DType) -> Number:
    """The number as the dtype holds it: 2.5 in integers is 2, and 300 in uint8 is 44."""
    if dtype.kind == "float":
        return float(number)
    return bool(number) if dtype is bool_ else wrapped(int(number), dtype)


def wrapped(number: int, dtype: DType) -> int:
    """The integer of this dtype with the same lowest bits."""
    lowest = 0 if dtype.name.startswith("u") else -(2 ** (dtype.bits - 1))
    return (number - lowest) % 2**dtype.bits + lowest


def promoted(*operands: Any) -> list[Value]:
    """The operands promoted to one dtype and broadcast to one shape."""
    items = [as_operand(x) for x in operands]
    return values_of(items, result_type(*items))


def floating(*operands: Any) -> list[Value]:
    """As `promoted`, with integers and bools made floats."""
    items = [as_operand(x) for x in operands]
    dtype = result_type(*items)
    return values_of(items, dtype if dtype.is_floating_point else get_default_dtype())


def wanted_dtype(dtype: Any, otherwise: DType) -> DType:
    """The dtype asked for, or the other one when none was."""
    return otherwise if dtype is None else as_dtype(dtype)
