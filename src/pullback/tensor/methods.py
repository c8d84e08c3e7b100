"""The functions of this room as methods and operators of Tensor: each is defined once, as a function."""

from typing import Any

from pullback.base.dtypes import DTYPES, DType, as_dtype
from pullback.tensor import indexing, inplace, linear, pointwise, printing, reduction, shaping
from pullback.tensor.creation import check_device, zeros
from pullback.tensor.tensor import Tensor

_POINTWISE = """
    abs add addcdiv addcmul atan bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor
    ceil clamp cos cosh div divide eq erf exp expm1 floor floor_divide fmod frac ge gt isclose isfinite isinf isnan le
    lerp log log10 log1p log2 logical_and logical_not logical_or logical_xor lt maximum minimum mul multiply nan_to_num
    ne neg reciprocal relu remainder round rsqrt sigmoid sign sin sinh sqrt square sub tan tanh true_divide trunc
""".split()
_REDUCTION = """
    all amax amin any argmax argmin argsort count_nonzero cumsum gather log_softmax logsumexp max mean min norm prod
    softmax sort std sum take_along_dim var
""".split()
_SHAPING = """
    broadcast_to chunk diag diagonal expand expand_as flatten flip movedim narrow permute repeat repeat_interleave
    reshape roll select split squeeze t tile transpose tril triu unbind unflatten unsqueeze view
""".split()
_INDEXING = "index_select masked_fill masked_select nonzero scatter scatter_add".split()
_LINEAR = "addmm bmm dot matmul mm mv outer".split()

for _room, _names in (
    (pointwise, _POINTWISE), (reduction, _REDUCTION), (shaping, _SHAPING), (indexing, _INDEXING), (linear, _LINEAR),
):  # fmt: skip
    for _name in _names:
        setattr(Tensor, _name, getattr(_room, _name))
for _name, _method in inplace.METHODS.items():
    setattr(Tensor, _name, _method)


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


def _comparison(function: Any) -> Any:
    return lambda self, other: function(self, other) if _is_operand(other) else NotImplemented


def _is_operand(x: Any) -> bool:
    return x is not None and not isinstance(x, (str, list, tuple, dict, type))


_OPERATORS = {
    "add": pointwise.add, "sub": pointwise.sub, "mul": pointwise.mul, "truediv": pointwise.div,
    "floordiv": pointwise.floor_divide, "mod": pointwise.remainder, "pow": pointwise.power, "matmul": linear.matmul,
    "and": pointwise.bitwise_and, "or": pointwise.bitwise_or, "xor": pointwise.bitwise_xor,
    "lshift": pointwise.bitwise_left_shift, "rshift": pointwise.bitwise_right_shift,
}  # fmt: skip
for _name, _function in _OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", _reflected(_function))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Tensor, f"__{_name}__", _comparison(getattr(pointwise, _name)))
for _name, _twin in (("iadd", "add"), ("isub", "sub"), ("imul", "mul"), ("itruediv", "div")):
    setattr(Tensor, f"__{_name}__", inplace.augmented(_twin))
setattr(Tensor, "__neg__", pointwise.neg)  # noqa: B010  # mypy knows the method under TYPE_CHECKING
setattr(Tensor, "__pos__", lambda self: self)  # noqa: B010
setattr(Tensor, "__abs__", pointwise.abs)  # noqa: B010
setattr(Tensor, "__invert__", pointwise.bitwise_not)  # noqa: B010
setattr(Tensor, "__getitem__", indexing.getitem)  # noqa: B010
setattr(Tensor, "__setitem__", indexing.setitem)  # noqa: B010
setattr(Tensor, "__repr__", printing.tensor_text)  # noqa: B010
setattr(Tensor, "pow", pointwise.power)  # noqa: B010


def to(self: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False) -> Tensor:
    """The tensor in another dtype (given as a dtype, or as another tensor's); the device must be the CPU.

    Source: torch.Tensor.to.
    """
    for item in args:
        if isinstance(item, Tensor):
            dtype = item.dtype
        elif isinstance(item, DType) or item in (float, int, bool) or (isinstance(item, str) and item in DTYPES):
            dtype = item
        elif not isinstance(item, bool):
            device = item
    check_device(device)
    return self if dtype is None else pointwise.cast_to(self, as_dtype(dtype))


def _cast_method(name: str, dtype: str) -> Any:
    def method(self: Tensor) -> Tensor:
        return pointwise.cast_to(self, dtype)

    method.__name__ = name
    method.__doc__ = f"The tensor in {dtype}.\n\nSource: torch.Tensor.{name}."
    return method


_CASTS = {
    "float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16", "int": "int32",
    "long": "int64", "short": "int16", "char": "int8", "byte": "uint8", "bool": "bool",
}  # fmt: skip
for _name, _dtype in _CASTS.items():
    setattr(Tensor, _name, _cast_method(_name, _dtype))


def cpu(self: Tensor) -> Tensor:
    """The tensor itself: everything is on the CPU."""
    return self


def contiguous(self: Tensor) -> Tensor:
    """The tensor itself: how its numbers lie in memory is not the user's business here."""
    return self


def size(self: Tensor, dim: Any = None) -> Any:
    """The shape, or one of its sizes."""
    return self.shape if dim is None else self.shape[dim]


def numel(self: Tensor) -> int:
    """The number of elements."""
    return self.type_.size


def dim(self: Tensor) -> int:
    """The number of dimensions."""
    return self.ndim


def element_size(self: Tensor) -> int:
    """Bytes of one element."""
    return self.dtype.itemsize


def is_floating_point(self: Tensor) -> bool:
    """Whether the dtype is a float."""
    return self.dtype.is_floating_point


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in another's dtype."""
    return pointwise.cast_to(self, other.dtype)


def new_zeros(self: Tensor, *size: Any) -> Tensor:
    """Zeros of another shape in this tensor's dtype."""
    return zeros(*size, dtype=self.dtype)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are close; see `isclose`.

    Source: torch.allclose.
    """
    return bool(reduction.all(pointwise.isclose(input, other, rtol, atol, equal_nan)))


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shape and all elements are equal.

    Source: torch.equal.
    """
    return input.shape == other.shape and bool(reduction.all(pointwise.eq(input, other)))


for _method in (
    to, pointwise.clone, cpu, contiguous, size, numel, dim, element_size, is_floating_point, type_as, new_zeros,
    allclose, equal,
):  # fmt: skip
    setattr(Tensor, _method.__name__, _method)


class device:
    """A device. There is one, the CPU; the class is here so that scripts that name it run.

    Source: torch.device.
    """

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        check_device(type)
        self.type = "cpu"

    def __eq__(self, other: object) -> bool:
        return str(other) == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")

    def __repr__(self) -> str:
        return "device(type='cpu')"

    def __str__(self) -> str:
        return "cpu"


_CPU = device()
setattr(Tensor, "nelement", numel)  # noqa: B010
setattr(Tensor, "ndimension", dim)  # noqa: B010


def _transposed(self: Tensor) -> Tensor:
    """The tensor with its dims in reverse order."""
    return shaping.permute(self, *reversed(range(self.ndim)))


def _matrices_transposed(self: Tensor) -> Tensor:
    """Each matrix of a stack transposed."""
    return shaping.transpose(self, -1, -2)


def _device(self: Tensor) -> "device":
    """Where the tensor is: the CPU."""
    return _CPU


for _name, _method in (("T", _transposed), ("mT", _matrices_transposed), ("device", _device)):
    setattr(Tensor, _name, property(_method))
