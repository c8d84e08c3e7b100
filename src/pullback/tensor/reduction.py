"""Sums, extremes and orders over dims."""

import builtins
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pullback.ops as ops
from pullback.base.dtypes import DType, as_dtype, bool_, float32, int64
from pullback.base.errors import DTypeError, IndexOutOfRange, ShapeError
from pullback.base.shapes import normalize_axes, normalize_axis, size_of, with_ones, without_axes
from pullback.ir.node import Op, Value
from pullback.tensor.pointwise import abs as absolute
from pullback.tensor.pointwise import (
    cast_to,
    clone,
    div,
    eq,
    exp,
    isinf,
    log,
    maximum,
    minimum,
    mul,
    ne,
    power,
    sub,
    where,
)
from pullback.tensor.promotion import convert, floating
from pullback.tensor.tensor import Tensor

Dims = int | Sequence[int] | None


class ValuesIndices(NamedTuple):
    """What `max(dim)`, `min(dim)`, `sort` and `topk` give: the numbers and their places."""

    values: Tensor
    indices: Tensor


def _wide(x: Value, dtype: DType | None = None) -> tuple[Value, DType]:
    """The value in a dtype that sums well, and the dtype that the result should have."""
    wanted = dtype or (x.dtype if x.dtype.is_floating_point else int64)
    return convert(x, float32 if wanted.is_half else wanted), wanted


def sum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over dims, or over all. Integers and bools add up in int64, 16-bit floats in float32.

    >>> import pullback as pb
    >>> pb.sum(pb.ones(2, 3), dim=1)
    tensor([3., 3.])

    Source: torch.sum.
    """
    x, wanted = _wide(input.value, None if dtype is None else as_dtype(dtype))
    axes = normalize_axes(dim, input.ndim)
    return Tensor(convert(ops.sum_(x, axes=axes, keepdims=keepdim), wanted))


def _in_float32(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function with 16-bit floats made float32 before and 16-bit again after, so that sums do not overflow."""

    @functools.wraps(function)
    def wide(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not input.dtype.is_half:
            return function(input, *args, **kwargs)
        return cast_to(function(cast_to(input, float32), *args, **kwargs), input.dtype)

    return wide


def mean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over dims divided by their number of elements.

    Raises DTypeError for integers.

    Source: torch.mean.
    """
    found = input if dtype is None else cast_to(input, dtype)
    if not found.dtype.is_floating_point:
        raise DTypeError(f"mean needs floats; got {found.dtype.name}: write x.float().mean()")
    return _mean(found, dim, keepdim)


@_in_float32
def _mean(input: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    return div(sum(input, dim, keepdim), _count(input, dim))


def _count(input: Tensor, dim: Dims) -> int:
    """The number of elements that are reduced to one."""
    return size_of([input.shape[a] for a in normalize_axes(dim, input.ndim)])


@_in_float32
def var(
    input: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: int = 1
) -> Tensor:
    """The mean squared distance from the mean, divided by n − correction.

    Source: torch.var.
    """
    away = sub(input, mean(input, dim, keepdim=True))
    less = correction if unbiased is None else int(unbiased)
    return div(sum(mul(away, away), dim, keepdim), max_number(_count(input, dim) - less, 0))


def max_number(a: int, b: int) -> int:
    """The larger of two Python integers (`max` is the tensor function here)."""
    return a if a > b else b


def std(
    input: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: int = 1
) -> Tensor:
    """The square root of the variance. At 0 the gradient is 0.

    Source: torch.std.
    """
    return _root(var(input, dim, unbiased, keepdim, correction=correction))


def _root(square: Tensor, exponent: float = 0.5) -> Tensor:
    """The power, with the gradient 0 at 0, where the root has none."""
    zero = eq(square, 0)
    return where(zero, 0.0, power(where(zero, 1.0, square), exponent))


def _tree_product(x: Value, axis: int) -> Value:
    """The product along one axis by halves, so that zeros have their right gradient."""
    while x.shape[axis] != 1:
        n = x.shape[axis]
        none, low = (0,) * len(x.shape), [0] * len(x.shape)
        if n % 2 or n == 0:
            low[axis] = 1
            x = ops.pad(x, low=none, high=tuple(low), inner=none, value=1)
            continue
        pairs = ops.reshape(x, shape=(*x.shape[:axis], n // 2, 2, *x.shape[axis + 1 :]))
        x = _pick(pairs, axis + 1, 0) * _pick(pairs, axis + 1, 1)
    return x


def _pick(x: Value, axis: int, place: int) -> Value:
    start, stop = [0] * len(x.shape), list(x.shape)
    start[axis], stop[axis] = place, place + 1
    cut = ops.slice_(x, start=tuple(start), stop=tuple(stop), step=(1,) * len(x.shape))
    return ops.reshape(cut, shape=without_axes(x.shape, (axis,)))


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product along a dim, or of all; its gradient is right where elements are 0.

    Source: torch.prod.
    """
    x, wanted = _wide(input.value, None if dtype is None else as_dtype(dtype))
    axes = normalize_axes(dim, input.ndim)
    shape = with_ones(input.shape, axes) if keepdim else without_axes(input.shape, axes)
    if dim is None:
        x, axes = ops.reshape(x, shape=(input.value.type.size,)), (0,)
    product = _tree_product(x, axes[0]) if axes else x
    return Tensor(convert(ops.reshape(product, shape=shape), wanted))


def amax(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """The largest over dims; equal ones share the gradient evenly.

    Source: torch.amax.
    """
    return _extreme(ops.amax, input, dim, keepdim)


def amin(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """The smallest over dims; equal ones share the gradient evenly.

    Source: torch.amin.
    """
    return _extreme(ops.amin, input, dim, keepdim)


def _extreme(op: Op, input: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    axes = normalize_axes(None if dim == () else dim, input.ndim)
    return Tensor(op(input.value, axes=axes, keepdims=keepdim)) if axes else clone(input)


def _place(op: Op, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    if dim is not None:
        normalize_axis(dim, input.ndim)
    if dim is None or not input.ndim:
        flat = ops.reshape(input.value, shape=(input.value.type.size,))
        place = op(flat, axis=0, keepdims=False)
        return Tensor(ops.reshape(place, shape=(1,) * input.ndim) if keepdim else place)
    return Tensor(op(input.value, axis=normalize_axis(dim, input.ndim), keepdims=keepdim))


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The place (int64) of the first largest along a dim, or in the flattened tensor.

    Source: torch.argmax.
    """
    return _place(ops.argmax, input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The place (int64) of the first smallest along a dim, or in the flattened tensor.

    Source: torch.argmin.
    """
    return _place(ops.argmin, input, dim, keepdim)


def take_along_dim(input: Tensor, indices: Tensor, dim: int) -> Tensor:
    """The entry of each row that the index at the same place names; see `gather`."""
    return gather(input, dim, indices)


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on: for each place the entry that the index names.

    Raises ShapeError when index has another number of dims or is larger than input on another dim.

    Source: torch.gather.
    """
    axis = normalize_axis(dim, input.ndim)
    flat = ops.reshape(input.value, shape=(input.value.type.size,))
    return Tensor(ops.gather(flat, linear_index(input.value, axis, index), axis=0))


def wrapped_index(index: Tensor, size: int, axis: int) -> Value:
    """Places in int64, negative ones counted from the end; checked at once where the numbers are known.

    Raises IndexOutOfRange naming the dim and its size, DTypeError for floats and bools.
    """
    if index.dtype.kind != "int":
        raise DTypeError(f"an index holds integers; got {index.dtype.name}")
    places = convert(index.value, int64)
    if places.data is not None:
        outside = places.data[(places.data < -size) | (places.data >= size)]
        if outside.size:
            raise IndexOutOfRange(f"index {outside.flat[0]} is out of range for dim {axis} with size {size}")
        if places.data.size == 0 or places.data.min() >= 0:
            return places
    return ops.where(ops.lt(places, ops.zeros_like(places)), places + size, places)


def linear_index(x: Value, axis: int, index: Tensor) -> Value:
    """The places in flattened x of the entries that `index` names along an axis."""
    if index.ndim != len(x.shape) or builtins.any(
        i > n for a, (i, n) in enumerate(zip(index.shape, x.shape, strict=True)) if a != axis
    ):
        raise ShapeError(f"an index for {x.type} along dim {axis} needs as many dims, no larger; got {index.shape}")
    total = ops.full(value=0, shape=index.shape, dtype=int64)
    stride = 1
    for a in reversed(range(len(x.shape))):
        if a == axis:
            place = wrapped_index(index, x.shape[a], a)
        else:
            shape = tuple(n if i == a else 1 for i, n in enumerate(index.shape))
            place = ops.broadcast(
                ops.reshape(ops.iota(size=index.shape[a], dtype=int64), shape=shape), shape=index.shape
            )
        total = total + place * stride
        stride *= x.shape[a]
    return total


def _along(input: Tensor, place: Tensor, dim: int, keepdim: bool) -> Tensor:
    picked = gather(input, dim, place)
    return (
        picked
        if keepdim
        else Tensor(ops.reshape(picked.value, shape=without_axes(picked.shape, (normalize_axis(dim, input.ndim),))))
    )


def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest of all; along a dim the largest and its place; of two tensors the larger, place by place.

    >>> import pullback as pb
    >>> pb.max(pb.tensor([[1.0, 3.0], [4.0, 2.0]]), dim=1).indices
    tensor([1, 0])

    Source: torch.max.
    """
    return _max_or_min(input, dim, keepdim, amax, argmax, maximum)


def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest of all; along a dim the smallest and its place; of two tensors the smaller, place by place.

    Source: torch.min.
    """
    return _max_or_min(input, dim, keepdim, amin, argmin, minimum)


def _max_or_min(input: Tensor, dim: Any, keepdim: bool, all_of: Any, place_of: Any, pair: Any) -> Any:
    if isinstance(dim, Tensor):
        return pair(input, dim)
    if dim is None:
        return all_of(input)
    if not input.ndim:
        return ValuesIndices(clone(input), place_of(input, dim))
    place = place_of(input, dim, keepdim=True)
    values = _along(input, place, dim, keepdim)
    return ValuesIndices(values, place if keepdim else place_of(input, dim))


def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether some element is nonzero.

    Source: torch.any.
    """
    return _judged(ops.amax, input, dim, keepdim, of_none=False)


def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether every element is nonzero.

    Source: torch.all.
    """
    return _judged(ops.amin, input, dim, keepdim, of_none=True)


def _judged(op: Op, input: Tensor, dim: Dims, keepdim: bool, of_none: bool) -> Tensor:
    axes = normalize_axes(dim, input.ndim)
    if _count(input, dim):
        return _extreme(op, _truth(input), axes, keepdim)
    shape = with_ones(input.shape, axes) if keepdim else without_axes(input.shape, axes)
    return Tensor(ops.full(value=of_none, shape=shape, dtype=bool_))


def _truth(input: Tensor) -> Tensor:
    return input if input.dtype is bool_ else ne(input, 0)


def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are nonzero.

    Source: torch.count_nonzero.
    """
    return sum(ne(input, 0), dim)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running sum along a dim.

    Source: torch.cumsum.
    """
    x, wanted = _wide(input.value, None if dtype is None else as_dtype(dtype))
    axis = normalize_axis(dim, input.ndim)
    return Tensor(convert(ops.cumsum(x, axis=axis), wanted)) if input.ndim else clone(Tensor(convert(x, wanted)))


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The places of the elements in order along a dim; equal ones keep theirs.

    Source: torch.argsort (always stable).
    """
    axis = normalize_axis(dim, input.ndim)
    if not input.ndim:
        return Tensor(ops.full(value=0, shape=(), dtype=int64))
    return Tensor(ops.argsort(input.value, axis=axis, descending=descending))


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = True) -> ValuesIndices:
    """The elements in order along a dim, and their places.

    Source: torch.sort (always stable).
    """
    places = argsort(input, dim, descending)
    return ValuesIndices(gather(input, dim, places) if input.ndim else clone(input), places)


@_in_float32
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """ln Σ eˣ over dims, finite wherever the result is.

    Source: torch.logsumexp.
    """
    x = input if input.dtype.is_floating_point else Tensor(*floating(input))
    top = _top(x, dim)
    top = where(isinf(top), 0.0, top)
    total = log(sum(exp(sub(x, top)), dim, keepdim=True)) + top
    axes = normalize_axes(dim, input.ndim)
    return total if keepdim else Tensor(ops.reshape(total.value, shape=without_axes(total.shape, axes)))


def _top(input: Tensor, dim: Dims) -> Tensor:
    """The largest along dims, which is taken off before eˣ; 0 where there are no elements."""
    if _count(input, dim):
        return amax(input, dim, keepdim=True).detach()
    shape = with_ones(input.shape, normalize_axes(dim, input.ndim))
    return Tensor(ops.full(value=0, shape=shape, dtype=input.dtype))


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """eˣ / Σ eˣ along a dim, without overflow.

    >>> import pullback as pb
    >>> pb.softmax(pb.tensor([1000.0, 1000.0]), dim=0)
    tensor([0.5000, 0.5000])

    Source: torch.softmax.
    """
    return _softmax(input if dtype is None else cast_to(input, dtype), dim)


@_in_float32
def _softmax(input: Tensor, dim: int) -> Tensor:
    e = exp(sub(input, _top(input, dim)))
    return div(e, sum(e, dim, keepdim=True))


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """x − ln Σ eˣ along a dim, without overflow.

    Source: torch.log_softmax.
    """
    return _log_softmax(input if dtype is None else cast_to(input, dtype), dim)


@_in_float32
def _log_softmax(input: Tensor, dim: int) -> Tensor:
    shifted = sub(input, _top(input, dim))
    return sub(shifted, log(sum(exp(shifted), dim, keepdim=True)))


@_in_float32
def norm(input: Tensor, p: float | str = 2, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """(Σ |x|ᵖ)^(1/p); the largest |x| for p = inf. At 0 the gradient is 0.

    Source: torch.norm.
    """
    size = absolute(input)
    if p == float("inf"):
        return amax(size, () if dim is None else dim, keepdim)
    if p == 1:
        return sum(size, dim, keepdim)
    if p == 0:
        return cast_to(sum(ne(input, 0), dim, keepdim), input.dtype)
    exponent = 2.0 if p == "fro" else float(p)
    total = sum(power(size, exponent) if exponent != 2 else mul(input, input), dim, keepdim)
    return _root(total, 1.0 / exponent)
