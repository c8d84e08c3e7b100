"""New tensors from numbers, arrays and ranges."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pullback.base.dtypes import Array, DType, as_dtype, from_numpy_dtype, int64
from pullback.base.errors import ArgumentError, DTypeError
from pullback.base.settings import get_default_dtype
from pullback.base.shapes import as_shape
from pullback.ir.node import Value
from pullback.ir.types import Type
from pullback.ops import cast, iota
from pullback.ops import full as full_op
from pullback.tensor.promotion import convert, wanted_dtype
from pullback.tensor.tensor import Tensor, as_leaf


def finished(value: Value, device: Any, requires_grad: bool) -> Tensor:
    """The value as a leaf on a device.

    Raises ArgumentError for any device but the CPU, DTypeError where integers should require a gradient.
    """
    check_device(device)
    made = Tensor(value)
    if requires_grad:
        if not value.dtype.is_floating_point:
            raise DTypeError(f"only tensors of floats can require gradients; this one is {value.dtype.name}")
        made._value = as_leaf(value, made, True)
    return made


def _to_array(data: Any, wide: bool) -> Array:
    """A fresh array of the data, in the dtype that PyTorch would choose; `wide` keeps Python's floats in float64."""
    if isinstance(data, np.ndarray):
        return data.copy()
    if isinstance(data, (np.number, np.bool_)):
        return np.asarray(data)
    items = _without_tensors(data)
    try:
        array = np.array(items)
    except ValueError:
        raise ArgumentError("rows of unequal lengths do not make a tensor; pad them to one length first") from None
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"a tensor holds numbers or bools; got {type(data).__name__} {data!r}"[:300])
    if array.dtype == np.float64 and not wide and not _holds_float64(data):
        return _as(array, get_default_dtype())
    return array


def _as(array: Array, dtype: DType) -> Array:
    with np.errstate(all="ignore"):  # what is too large for a float is infinite
        return array.astype(dtype.numpy)


def _without_tensors(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data.detach().tolist()
    return [_without_tensors(x) for x in data] if isinstance(data, (list, tuple)) else data


def _holds_float64(data: Any) -> bool:
    if isinstance(data, (list, tuple)) and data:
        return _holds_float64(data[0])
    return isinstance(data, np.ndarray) and data.dtype == np.float64


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of the data: a number, nested lists, or a NumPy array.

    Python floats become the default dtype (float32), ints int64, bools bool; arrays keep theirs.

    Raises ArgumentError for ragged lists, DTypeError for what is no number.

    >>> import pullback as pb
    >>> pb.tensor([[1, 2], [3, 4]]).shape
    (2, 2)

    Source: torch.tensor.
    """
    if isinstance(data, Tensor):
        value = data.detach().value
        return finished(cast(value, dtype=as_dtype(dtype)) if dtype is not None else value, device, requires_grad)
    array = _to_array(data, wide=dtype is not None)
    if dtype is not None:
        if not isinstance(data, np.ndarray):
            check_range(array, as_dtype(dtype))
        array = _as(array, as_dtype(dtype))
    return finished(_constant(np.ascontiguousarray(array) if array.ndim else array), device, requires_grad)


def check_range(numbers: Any, dtype: DType) -> None:
    """Raise ArgumentError for numbers that an integer dtype does not hold."""
    array = np.asarray(numbers)
    if dtype.kind == "int" and array.size and array.dtype != np.bool_:
        bounds = np.iinfo(dtype.numpy)
        low, high = array.min(), array.max()
        if not (bounds.min <= low and high <= bounds.max):
            raise ArgumentError(f"{dtype.name} holds {bounds.min} to {bounds.max}; got numbers from {low} to {high}")


def _constant(array: Array) -> Value:
    return Value(Type(array.shape, from_numpy_dtype(array.dtype)), array)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a tensor: a tensor of the right dtype is given back itself, anything else is copied.

    Source: torch.as_tensor.
    """
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype is as_dtype(dtype) else data.to(dtype)
    return tensor(data, dtype=dtype, device=device)


def from_numpy(array: Array) -> Tensor:
    """A tensor with a copy of a NumPy array (PyTorch shares the memory; here tensors are values).

    Source: torch.from_numpy.
    """
    if not isinstance(array, np.ndarray):
        raise DTypeError(f"from_numpy needs a NumPy array; got {type(array).__name__}")
    return tensor(array)


def check_device(device: Any) -> None:
    """Raise ArgumentError for any device but the CPU."""
    if device is not None and str(device).split(":")[0] != "cpu":
        raise ArgumentError(f"Pullback runs on the CPU; device {str(device)!r} does not exist here. Write device='cpu'")


def full(
    size: Sequence[int], fill_value: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor with one number in every place.

    >>> import pullback as pb
    >>> pb.full((2,), 7.0)
    tensor([7., 7.])

    Source: torch.full.
    """
    kind = type(fill_value)
    found = wanted_dtype(dtype, get_default_dtype() if kind is float else as_dtype(kind))
    check_range(fill_value, found)
    return _filled(fill_value, (size,), found, device, requires_grad)


def _filled(number: float, size: tuple[Any, ...], dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    found = wanted_dtype(dtype, get_default_dtype())
    return finished(full_op(value=number, shape=as_shape(size), dtype=found), device, requires_grad)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros.

    >>> import pullback as pb
    >>> pb.zeros(2)
    tensor([0., 0.])

    Source: torch.zeros.
    """
    return _filled(0, size, dtype, device, requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones.

    Source: torch.ones.
    """
    return _filled(1, size, dtype, device, requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor to be overwritten; it holds zeros, so that a forgotten write repeats exactly.

    Source: torch.empty.
    """
    return _filled(0, size, dtype, device, requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype of another tensor.

    Source: torch.zeros_like.
    """
    return _filled(0, input.shape, wanted_dtype(dtype, input.dtype), None, requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype of another tensor.

    Source: torch.ones_like.
    """
    return _filled(1, input.shape, wanted_dtype(dtype, input.dtype), None, requires_grad)


def full_like(input: Tensor, fill_value: float, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One number in every place, in the shape and dtype of another tensor.

    Source: torch.full_like.
    """
    return _filled(fill_value, input.shape, wanted_dtype(dtype, input.dtype), None, requires_grad)


empty_like = zeros_like


def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, … up to but without end; int64 unless one of them is a float.

    Raises ArgumentError when step is 0 or leads away from end.

    >>> import pullback as pb
    >>> pb.arange(1, 7, 2)
    tensor([1, 3, 5])

    Source: torch.arange.
    """
    first, last = (0, start) if end is None else (start, end)
    if step == 0 or (last - first) * step < 0:
        raise ArgumentError(
            f"arange({first}, {last}, {step}) never ends: step must be nonzero and lead from start to end"
        )
    whole = all(isinstance(n, int) for n in (first, last, step))
    found = wanted_dtype(dtype, int64 if whole else get_default_dtype())
    if whole and (first, step) == (0, 1):
        return finished(iota(size=int(last), dtype=found), device, requires_grad)
    places = iota(size=math.ceil((last - first) / step), dtype=int64 if whole else get_default_dtype())
    return finished(convert(places * step + first, found), device, requires_grad)


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers from start to end, both included, equally far apart.

    Source: torch.linspace.
    """
    array = np.linspace(start, end, steps, dtype=wanted_dtype(dtype, get_default_dtype()).numpy)
    return finished(_constant(array), device, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A matrix (n, m) with ones on its diagonal.

    Source: torch.eye.
    """
    array = np.eye(n, m, dtype=wanted_dtype(dtype, get_default_dtype()).numpy)
    return finished(_constant(array), device, requires_grad)
