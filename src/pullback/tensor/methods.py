"""The functions of this room as methods and operators of Tensor: each is defined once, as a function."""

from typing import Any

from pullback.base.dtypes import DTYPES, DType, as_dtype
from pullback.tensor import indexing, inplace, linear, pointwise, printing, reduction, shaping
from pullback.tensor.creation import check_device, zeros
from pullback.tensor.tensor import Tensor

_FUNCTIONS = {
    pointwise: """
        abs add addcdiv addcmul atan bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift
        bitwise_xor ceil clamp clone cos cosh div divide eq erf exp expm1 floor floor_divide fmod frac ge gt isclose
        isfinite isinf isnan le lerp log log10 log1p log2 logical_and logical_not logical_or logical_xor lt maximum
        minimum mul multiply nan_to_num ne neg reciprocal relu remainder round rsqrt sigmoid sign sin sinh sqrt square
        sub tan tanh true_divide trunc
    """,
    reduction: """
        all amax amin any argmax argmin argsort count_nonzero cumsum gather kthvalue log_softmax logsumexp max mean min
        norm prod softmax sort std sum take_along_dim topk var
    """,
    shaping: """
        broadcast_to chunk diag diagonal expand expand_as flatten flip movedim narrow permute repeat repeat_interleave
        reshape roll select split squeeze t tile transpose tril triu unbind unflatten unsqueeze view
    """,
    indexing: "index_select masked_fill masked_select nonzero scatter scatter_add",
    linear: "addmm bmm dot matmul mm mv outer",
}


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


def _comparison(function: Any) -> Any:
    return lambda self, other: function(self, other) if _is_operand(other) else NotImplemented


def _is_operand(x: Any) -> bool:
    return x is not None and not isinstance(x, (str, list, tuple, dict, type))


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


def _transposed(self: Tensor) -> Tensor:
    """The tensor with its dims in reverse order."""
    return shaping.permute(self, *reversed(range(self.ndim)))


def _matrices_transposed(self: Tensor) -> Tensor:
    """Each matrix of a stack transposed."""
    return shaping.transpose(self, -1, -2)


def _device(self: Tensor) -> device:
    """Where the tensor is: the CPU."""
    return _CPU


_OPERATORS = {
    "add": pointwise.add, "sub": pointwise.sub, "mul": pointwise.mul, "truediv": pointwise.div,
    "floordiv": pointwise.floor_divide, "mod": pointwise.remainder, "pow": pointwise.power, "matmul": linear.matmul,
    "and": pointwise.bitwise_and, "or": pointwise.bitwise_or, "xor": pointwise.bitwise_xor,
    "lshift": pointwise.bitwise_left_shift, "rshift": pointwise.bitwise_right_shift,
}  # fmt: skip
_METHODS: dict[str, Any] = {
    **{name: getattr(room, name) for room, names in _FUNCTIONS.items() for name in names.split()},
    **inplace.METHODS,
    **{f"__{name}__": function for name, function in _OPERATORS.items()},
    **{f"__r{name}__": _reflected(function) for name, function in _OPERATORS.items()},
    **{f"__{name}__": _comparison(getattr(pointwise, name)) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: _cast_method(name, dtype) for name, dtype in _CASTS.items()},
    **{method.__name__: method for method in (to, cpu, contiguous, size, numel, dim, element_size, is_floating_point)},
    **{method.__name__: method for method in (type_as, new_zeros, allclose, equal)},
    "__iadd__": inplace.augmented("add"), "__isub__": inplace.augmented("sub"),
    "__imul__": inplace.augmented("mul"), "__itruediv__": inplace.augmented("div"),
    "__neg__": pointwise.neg, "__pos__": lambda self: self, "__abs__": pointwise.abs,
    "__invert__": pointwise.bitwise_not, "__getitem__": indexing.getitem, "__setitem__": indexing.setitem,
    "__repr__": printing.tensor_text, "pow": pointwise.power, "nelement": numel, "ndimension": dim,
    "T": property(_transposed), "mT": property(_matrices_transposed), "device": property(_device),
}  # fmt: skip
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)
