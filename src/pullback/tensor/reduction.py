"""Sums, extremes and orders over dims."""

import builtins
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pullback.ops as ops
from pullback.base.dtypes import DType, bool_, float32, int64
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from pullback.base.shapes import normalize_axes, normalize_axis, reduced_shape, size_of, with_ones, without_axes
from pullback.ir.node import Op, Value
from pullback.tensor import pointwise
from pullback.tensor.pointwise import as_float, cast_to, clone, eq, exp, isinf, log, ne, power, truth, where
from pullback.tensor.promotion import convert, wanted_dtype
from pullback.tensor.shaping import flatten, narrow, squeeze, unbind, unflatten
from pullback.tensor.tensor import Tensor

Dims = int | Sequence[int] | None


class ValuesIndices(NamedTuple):
    """What `max(dim)`, `min(dim)`, `sort` and `topk` give: the numbers and their places."""

    values: Tensor
    indices: Tensor


def _wide(input: Tensor, dtype: Any) -> tuple[Value, DType]:
    """The tensor in a dtype that sums well, and the dtype that the result should have."""
    wanted = wanted_dtype(dtype, input.dtype if input.dtype.is_floating_point else int64)
    return convert(input.value, float32 if wanted.is_half else wanted), wanted


def sum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over dims, or over all. Integers and bools add up in int64, 16-bit floats in float32.

    >>> import pullback as pb
    >>> pb.sum(pb.ones(2, 3), dim=1)
    tensor([3., 3.])

    Source: torch.sum.
    """
    x, wanted = _wide(input, dtype)
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
    return sum(input, dim, keepdim) / _count(input, dim)


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
    away = input - mean(input, dim, keepdim=True)
    less = correction if unbiased is None else int(unbiased)
    return sum(away * away, dim, keepdim) / builtins.max(_count(input, dim) - less, 0)


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


def _tree_product(x: Tensor, axis: int) -> Tensor:
    """The product along one axis by halves, so that zeros have their right gradient."""
    while x.shape[axis] != 1:
        n = x.shape[axis]
        if n % 2 or n == 0:
            none, one = (0,) * x.ndim, tuple(int(a == axis) for a in range(x.ndim))
            x = Tensor(ops.pad(x.value, low=none, high=one, inner=none, value=1))
        else:
            left, right = unbind(unflatten(x, axis, (n // 2, 2)), axis + 1)
            x = left * right
    return x


def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product along a dim, or of all; its gradient is right where elements are 0.

    Source: torch.prod.
    """
    x, wanted = _wide(input, dtype)
    axes = normalize_axes(dim, input.ndim)
    shape = reduced_shape(input.shape, axes, keepdim)
    if dim is None:
        x, axes = ops.reshape(x, shape=(input.value.type.size,)), (0,)
    product = _tree_product(Tensor(x), axes[0]).value if axes else x
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
    axis = normalize_axis(dim or 0, input.ndim)
    if dim is None or not input.ndim:
        place = op(flatten(input).value, axis=0, keepdims=False)
        return Tensor(ops.reshape(place, shape=(1,) * input.ndim) if keepdim else place)
    return Tensor(op(input.value, axis=axis, keepdims=keepdim))


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
    return _gathered(input, dim, index)


def _gathered(input: Tensor, dim: int, index: Tensor, trusted: bool = False) -> Tensor:
    places = linear_index(input.value, normalize_axis(dim, input.ndim), index, trusted)
    return Tensor(ops.gather(flatten(input).value, places, axis=0))


def checked_index(index: Tensor, size: int, axis: int) -> Value:
    """Places in int64, which may be negative; checked at once where the numbers are known.

    Raises IndexOutOfRange naming the dim and its size, DTypeError for floats and bools.
    """
    if index.dtype.kind != "int":
        raise DTypeError(f"an index holds integers; got {index.dtype.name}")
    places = convert(index.value, int64)
    if places.data is not None:
        outside = places.data[(places.data < -size) | (places.data >= size)]
        if outside.size:
            raise IndexOutOfRange(f"index {outside.flat[0]} is out of range for dim {axis} with size {size}")
    return places


def from_front(places: Value, size: int) -> Value:
    """Places with the negative ones counted from the front."""
    if places.data is not None and (places.data.size == 0 or places.data.min() >= 0):
        return places
    return ops.where(ops.lt(places, ops.zeros_like(places)), places + size, places)


def outside_stays_outside(total: Value, places: Value, size: int, limit: int) -> Value:
    """A linear index, but the limit, which no entry has, where the place along one dim did not exist.

    Numbers that are not known yet cannot be checked at the call, and in a linear index a place beyond the end of one
    dim would be an entry of the next: it must be one that the gather refuses when it runs.
    """
    if places.data is not None:
        return total
    inside = ops.bitwise_and(
        ops.le(ops.filled_like(places, -size), places), ops.lt(places, ops.filled_like(places, size))
    )
    return ops.where(inside, total, ops.filled_like(total, limit))


def linear_index(x: Value, axis: int, index: Tensor, trusted: bool = False) -> Value:
    """The places in flattened x of the entries that `index` names along an axis; `trusted` ones are known to exist."""
    if index.ndim != len(x.shape) or builtins.any(
        i > n for a, (i, n) in enumerate(zip(index.shape, x.shape, strict=True)) if a != axis
    ):
        raise ShapeError(f"an index for {x.type} along dim {axis} needs as many dims, no larger; got {index.shape}")
    places = checked_index(index, x.shape[axis], axis)
    total = ops.full(value=0, shape=index.shape, dtype=int64)
    stride = 1
    for a in reversed(range(len(x.shape))):
        if a == axis:
            place = places if trusted else from_front(places, x.shape[a])
        else:
            shape = tuple(n if i == a else 1 for i, n in enumerate(index.shape))
            place = ops.broadcast(
                ops.reshape(ops.iota(size=index.shape[a], dtype=int64), shape=shape), shape=index.shape
            )
        total = total + place * stride
        stride *= x.shape[a]
    return total if trusted else outside_stays_outside(total, places, x.shape[axis], x.type.size)


def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest of all; along a dim the largest and its place; of two tensors the larger, place by place.

    >>> import pullback as pb
    >>> pb.max(pb.tensor([[1.0, 3.0], [4.0, 2.0]]), dim=1).indices
    tensor([1, 0])

    Source: torch.max.
    """
    return _max_or_min(input, dim, keepdim, amax, argmax, pointwise.maximum)


def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest of all; along a dim the smallest and its place; of two tensors the smaller, place by place.

    Source: torch.min.
    """
    return _max_or_min(input, dim, keepdim, amin, argmin, pointwise.minimum)


def _max_or_min(input: Tensor, dim: Any, keepdim: bool, all_of: Any, place_of: Any, pair: Any) -> Any:
    if isinstance(dim, Tensor):
        return pair(input, dim)
    if dim is None:
        return all_of(input)
    if not input.ndim:
        return ValuesIndices(clone(input), place_of(input, dim))
    place = place_of(input, dim, keepdim=True)
    picked = _gathered(input, dim, place, trusted=True)
    if keepdim:
        return ValuesIndices(picked, place)
    return ValuesIndices(Tensor(squeeze(picked, dim).value), place_of(input, dim))


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
        return _extreme(op, truth(input), axes, keepdim)
    return Tensor(ops.full(value=of_none, shape=reduced_shape(input.shape, axes, keepdim), dtype=bool_))


def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are nonzero.

    Source: torch.count_nonzero.
    """
    return sum(ne(input, 0), dim)


def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running sum along a dim.

    Source: torch.cumsum.
    """
    x, wanted = _wide(input, dtype)
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
    return _taken(input, dim, places)


def _taken(input: Tensor, dim: int, places: Tensor) -> ValuesIndices:
    """The entries in places that exist, and these places."""
    own = Tensor(places.value)
    return ValuesIndices(_gathered(input, dim, own, trusted=True) if input.ndim else clone(input), own)


def _first(input: Tensor, k: int, dim: int, descending: bool, least: int = 0) -> Tensor:
    """The places of the first k elements in order along a dim."""
    size = input.shape[normalize_axis(dim, input.ndim)] if input.ndim else 1
    if not least <= k <= size:
        raise ArgumentError(f"k must be from {least} to {size}, the size of dim {dim}; got {k}")
    places = argsort(input, dim, descending)
    return narrow(places, dim, 0, k) if input.ndim else places


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The k largest elements along a dim, or the k smallest, and their places; always in order, the extreme first.

    Raises ArgumentError when the dim has fewer than k.

    >>> import pullback as pb
    >>> pb.topk(pb.tensor([1.0, 3.0, 2.0]), 2).indices
    tensor([1, 2])

    Source: torch.topk.
    """
    return _taken(input, dim, _first(input, k, dim, largest))


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The kth smallest element along a dim, counted from 1, and its place.

    Raises ArgumentError when the dim has fewer than k.

    Source: torch.kthvalue.
    """
    places = _first(input, k, dim, descending=False, least=1)
    found = _taken(input, dim, narrow(places, dim, k - 1, 1) if input.ndim else places)
    return found if keepdim else ValuesIndices(*[Tensor(squeeze(x, dim).value) for x in found])


@_in_float32
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """ln Σ eˣ over dims, finite wherever the result is.

    Source: torch.logsumexp.
    """
    x = as_float(input)
    top = _top(x, dim)
    top = where(isinf(top), 0.0, top)
    total = log(sum(exp(x - top), dim, keepdim=True)) + top
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
    e = exp(input - _top(input, dim))
    return e / sum(e, dim, keepdim=True)


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """x − ln Σ eˣ along a dim, without overflow.

    Source: torch.log_softmax.
    """
    return _log_softmax(input if dtype is None else cast_to(input, dtype), dim)


@_in_float32
def _log_softmax(input: Tensor, dim: int) -> Tensor:
    shifted = input - _top(input, dim)
    return shifted - log(sum(exp(shifted), dim, keepdim=True))


@_in_float32
def norm(input: Tensor, p: float | str = 2, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """(Σ |x|ᵖ)^(1/p); the largest |x| for p = inf. At 0 the gradient is 0.

    Source: torch.norm.
    """
    size = pointwise.abs(input)
    if p == float("inf"):
        return amax(size, () if dim is None else dim, keepdim)
    if p == 1:
        return sum(size, dim, keepdim)
    if p == 0:
        return cast_to(sum(ne(input, 0), dim, keepdim), input.dtype)
    exponent = 2.0 if p == "fro" else float(p)
    total = sum(power(size, exponent) if exponent != 2 else input * input, dim, keepdim)
    return _root(total, 1.0 / exponent)
