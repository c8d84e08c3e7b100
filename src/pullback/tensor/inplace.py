"""In-place forms: x.add_(y) puts the result of add(x, y) back into x."""

from collections.abc import Callable
from typing import Any

import pullback.ops as ops
from pullback.base.dtypes import kind_order
from pullback.base.errors import DTypeError
from pullback.tensor import pointwise
from pullback.tensor.creation import tensor
from pullback.tensor.indexing import check_writable, masked_fill, scatter, scatter_add
from pullback.tensor.promotion import convert, expand
from pullback.tensor.random import Generator, normal_bits, uniform_bits
from pullback.tensor.tensor import Tensor


def put(input: Tensor, result: Tensor, what: str) -> Tensor:
    """Put a result into a tensor, in the tensor's dtype; the tensor itself.

    Raises GradientError for leaves that require a gradient and for views, DTypeError when floats would go into
    integers.
    """
    check_writable(input, what)
    if kind_order(result.dtype) > kind_order(input.dtype):
        raise DTypeError(f"{what} gives {result.dtype.name}, which does not go into a tensor of {input.dtype.name}")
    input.assign(convert(result.value, input.dtype))
    return input


def _inplace(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    name = function.__name__

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return put(self, function(self, *args, **kwargs), f"{name}_()")

    method.__name__ = method.__qualname__ = f"{name}_"
    method.__doc__ = f"`{name}` with the result put into this tensor.\n\nSource: torch.Tensor.{name}_."
    return method


NAMES = (
    "add sub mul div pow neg abs exp log sqrt rsqrt tanh sigmoid clamp floor ceil round relu lerp addcmul addcdiv "
    "remainder square reciprocal logical_and logical_or logical_not sin cos trunc"
).split()
FUNCTIONS = [*(getattr(pointwise, name) for name in NAMES), masked_fill, scatter, scatter_add]
METHODS: dict[str, Callable[..., Any]] = {f"{function.__name__}_": _inplace(function) for function in FUNCTIONS}


def fill_(self: Tensor, value: Any) -> Tensor:
    """One number into every place."""
    found = value if isinstance(value, Tensor) else tensor(value, dtype=self.dtype)
    return put(self, Tensor(expand(convert(found.value, self.dtype), self.shape)), "fill_()")


def zero_(self: Tensor) -> Tensor:
    """Zeros into every place."""
    return put(self, Tensor(ops.zeros_like(self.value)), "zero_()")


def copy_(self: Tensor, src: Tensor) -> Tensor:
    """Another tensor's numbers, broadcast and cast."""
    return put(self, Tensor(convert(expand(src.value, self.shape), self.dtype)), "copy_()")


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Normally distributed numbers."""
    return put(self, Tensor(normal_bits(self.shape, self.dtype, generator) * std + mean), "normal_()")


def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Numbers spread evenly over [from, to)."""
    return put(self, Tensor(uniform_bits(self.shape, self.dtype, generator) * (to - from_) + from_), "uniform_()")


METHODS |= {method.__name__: method for method in (fill_, zero_, copy_, normal_, uniform_)}


def augmented(name: str) -> Callable[[Tensor, Any], Tensor]:
    """`x += y` and its like: in place, but for a view, whose name is bound to the new result instead."""
    function, method = getattr(pointwise, name), METHODS[f"{name}_"]

    def operator(self: Tensor, other: Any) -> Tensor:
        return function(self, other) if self.is_view else method(self, other)

    return operator
