"""x[key] and x[key] = y for every kind of key, and the functions that read and write by index."""

from types import EllipsisType
from typing import Any

import numpy as np

import pullback.ops as ops
from pullback.base.dtypes import bool_, int64, uint8
from pullback.base.errors import ArgumentError, DTypeError, GradientError, IndexOutOfRange
from pullback.base.shapes import Shape, broadcast_shapes, normalize_axis, size_of
from pullback.ir.mode import mode
from pullback.ir.node import Op, Value
from pullback.tensor.creation import tensor
from pullback.tensor.pointwise import where
from pullback.tensor.promotion import convert, expand
from pullback.tensor.reduction import checked_index, from_front, linear_index, outside_stays_outside
from pullback.tensor.shaping import cut as cut_box
from pullback.tensor.shaping import flatten, permute, reshape, unsqueeze
from pullback.tensor.tensor import Tensor, from_array

Key = Any


def getitem(input: Tensor, key: Key) -> Tensor:
    """x[key]: integers, slices with steps, None, ..., tensors of integers or bools, lists; as in PyTorch.

    Raises IndexOutOfRange naming the dim and its size.
    """
    items, found = _basic_part(input, _expanded(input, key))
    if not any(isinstance(item, Tensor) for item in items):
        return found
    return _advanced_get(found, items)


def _expanded(input: Tensor, key: Key) -> list[Any]:
    """The key as a list with one item per dim (and the Nones), the ellipsis spelled out and masks made indices."""
    items = [_as_item(item) for item in (key if isinstance(key, tuple) else (key,))]
    used = sum(map(_width, items))
    if used > input.ndim:
        raise IndexOutOfRange(f"{used} indices for a tensor with {input.ndim} dims")
    if sum(item is Ellipsis for item in items) > 1:
        raise IndexOutOfRange("an index holds at most one ...")
    place = next((i for i, item in enumerate(items) if item is Ellipsis), len(items))
    whole: list[Any] = [slice(None)] * (input.ndim - used)
    expanded: list[Any] = []
    axis = 0
    for item in (*items[:place], *whole, *items[place + 1 :]):
        expanded += _mask_parts(item, input.shape[axis : axis + _width(item)], axis)
        axis += _width(item)
    return expanded


def _width(item: Any) -> int:
    """How many dims an item of a key stands for."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, Tensor) and item.dtype is bool_ else 1


def _as_item(item: Any) -> Any:
    if item is None or isinstance(item, (slice, EllipsisType)):
        return item
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return int(item)
    if isinstance(item, Tensor):
        found = item
    elif isinstance(item, (list, np.ndarray, bool, np.bool_)):
        found = tensor(item, dtype=int64 if isinstance(item, list) and not item else None)
    else:
        raise IndexOutOfRange(f"an index is made of integers, slices, None, ..., lists and tensors; got {item!r}")
    if found.dtype.is_floating_point:
        raise DTypeError(f"an index tensor holds integers or bools; got {found.dtype.name}")
    if found.dtype is uint8:
        raise DTypeError("an index tensor of uint8 may mean a mask or places: write .bool() or .long()")
    return found


class _OnNewDim:
    """An index into a new dim of size 1, which is what a single True or False is."""

    def __init__(self, index: Tensor) -> None:
        self.index = index


def _mask_parts(item: Any, sizes: Shape, axis: int) -> list[Any]:
    """The item itself; of a mask the index tensors, one for each of its dims."""
    if not isinstance(item, Tensor) or item.dtype is not bool_:
        return [item]
    if item.shape != sizes:
        raise IndexOutOfRange(
            f"a mask {item.type_} does not fit the sizes {sizes} that it stands for, from dim {axis} on"
        )
    mask = item.array("a mask of bools selects elements, how many depends on its values")
    places = [from_array(np.ascontiguousarray(p)) for p in np.nonzero(np.atleast_1d(mask))]
    return places if item.ndim else [_OnNewDim(*places)]


def _basic_part(input: Tensor, items: list[Any]) -> tuple[list[Any], Tensor]:
    """Apply integers, slices and Nones; what stays are the index tensors, one item per dim of the result."""
    boxes: dict[int, tuple[int, int, int]] = {}
    shape: list[int] = []
    left: list[Any] = []
    axis = 0
    for item in items:
        if item is None or isinstance(item, _OnNewDim):
            shape.append(1)
            left.append(slice(None) if item is None else item.index)
            continue
        size = input.shape[axis]
        if isinstance(item, int):
            place = _check_place(item, size, axis)
            boxes[axis] = (place, place + 1, 1)
        else:
            start, stop, step = _bounds(item, size) if isinstance(item, slice) else (0, size, 1)
            boxes[axis] = (start, stop, step)
            shape.append(-(-(stop - start) // step))
            left.append(item if isinstance(item, Tensor) else slice(None))
        axis += 1
    return left, reshape(cut_box(input, boxes), shape)


def _check_place(place: int, size: int, axis: int) -> int:
    if not -size <= place < size:
        raise IndexOutOfRange(f"index {place} is out of range for dim {axis} with size {size}")
    return place % size


def _bounds(item: slice, size: int) -> tuple[int, int, int]:
    if item.step is not None and int(item.step) < 1:
        raise IndexOutOfRange(f"a slice steps forward; got step {item.step}: use flip(dim)")
    limits = (None if n is None else int(n) for n in (item.start, item.stop, item.step))
    start, stop, step = slice(*limits).indices(size)
    return start, max(start, stop), step


def _advanced_get(input: Tensor, items: list[Any]) -> Tensor:
    axes = [i for i, item in enumerate(items) if isinstance(item, Tensor)]
    index, shape = _joint_index(input, items, axes)
    if len(axes) == 1:
        return Tensor(ops.gather(input.value, index, axis=axes[0]))
    moved = permute(input, *axes, *(i for i in range(input.ndim) if i not in axes))
    rows = flatten(moved, 0, len(axes) - 1)
    picked = Tensor(ops.gather(rows.value, index, axis=0))
    return _put_front(picked, len(shape), axes)


def _put_front(picked: Tensor, rank: int, axes: list[int]) -> Tensor:
    """The index's dims stand where the first indexed dim was when these stood together, else in front."""
    first = axes[0] if axes == list(range(axes[0], axes[0] + len(axes))) else 0
    order = [*range(rank, rank + first), *range(rank), *range(rank + first, picked.ndim)]
    return permute(picked, *order) if first else picked


def _joint_index(input: Tensor, items: list[Any], axes: list[int]) -> tuple[Value, Shape]:
    """One index into the indexed dims taken as one, from an index tensor for each of them."""
    shape = broadcast_shapes(*[items[a].shape for a in axes])
    given = [expand(checked_index(items[a], input.shape[a], a), shape) for a in axes]
    if len(axes) == 1:
        return given[0], shape
    total = ops.full(value=0, shape=shape, dtype=int64)
    for a, places in zip(axes, given, strict=True):
        total = total * input.shape[a] + from_front(places, input.shape[a])
    for a, places in zip(axes, given, strict=True):
        total = outside_stays_outside(total, places, input.shape[a], size_of([input.shape[b] for b in axes]))
    return total, shape


def setitem(input: Tensor, key: Key, new: Any) -> None:
    """x[key] = y, for the same keys as x[key]. The tensor then holds another value; earlier results keep theirs.

    Raises GradientError for a leaf that requires a gradient, outside `no_grad`.
    """
    check_writable(input, "x[...] = y")
    items = _expanded(input, key)
    target = _places(input, items)
    source = new if isinstance(new, Tensor) else tensor(new, dtype=input.dtype)
    wanted = tuple(target.shape)
    while source.ndim > len(wanted) and source.shape[0] == 1:
        source = reshape(source, source.shape[1:])
    updates = expand(convert(source.value, input.dtype), wanted)
    input.assign(_written(ops.scatter, input, target.value, updates))


def _places(input: Tensor, items: list[Any]) -> Tensor:
    """The flat places that a key names, in the shape of x[key]."""
    numbers = Tensor(ops.reshape(ops.iota(size=input.value.type.size, dtype=int64), shape=input.shape))
    left, found = _basic_part(numbers, items)
    return _advanced_get(found, left) if any(isinstance(item, Tensor) for item in left) else found


def check_writable(input: Tensor, what: str) -> None:
    """Raise GradientError where writing in place would be lost or wrong."""
    if input.is_leaf and mode.grad and input.requires_grad:
        raise GradientError(
            f"{what} writes into a leaf that requires a gradient; do it inside `with no_grad():` or on a copy (clone())"
        )
    if input.is_view:
        raise GradientError(
            f"{what} writes into a view, and the tensor it was taken from would not see it (tensors are values here). "
            "Write through that tensor instead, as in x[0] = y, or take a clone()"
        )


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The entries along a dim that a vector of integers names.

    Source: torch.index_select.
    """
    axis = normalize_axis(dim, input.ndim)
    return Tensor(ops.gather(input.value, checked_index(index, input.shape[axis], axis), axis=axis))


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """The tensor with src[i][j] added at [index[i][j]][j] for dim 0, and so on.

    Source: torch.scatter_add.
    """
    return _scattered(ops.scatter_add, input, dim, index, src)


def scatter(input: Tensor, dim: int, index: Tensor, src: Any) -> Tensor:
    """The tensor with src[i][j] written at [index[i][j]][j] for dim 0, and so on; src may be a number.

    Source: torch.scatter.
    """
    return _scattered(ops.scatter, input, dim, index, src)


def _scattered(op: Op, input: Tensor, dim: int, index: Tensor, src: Any) -> Tensor:
    axis = normalize_axis(dim, input.ndim)
    places = linear_index(input.value, axis, index)
    if isinstance(src, Tensor) and src.ndim:
        boxes = {a: (0, n, 1) for a, n in enumerate(index.shape)}
        source = cut_box(src, boxes).value
    else:
        source = expand(src.value if isinstance(src, Tensor) else tensor(src, dtype=input.dtype).value, index.shape)
    return Tensor(_written(op, input, places, convert(source, input.dtype)))


def _written(op: Op, input: Tensor, places: Value, updates: Value) -> Value:
    """What a tensor becomes when `op` brings updates to places of the flattened tensor."""
    count = (places.type.size,)
    flat = ops.reshape(input.value, shape=(input.value.type.size,))
    written = op(flat, ops.reshape(places, shape=count), ops.reshape(updates, shape=count), axis=0)
    return ops.reshape(written, shape=input.shape)


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """The tensor with a number where the mask holds.

    Source: torch.masked_fill.
    """
    filled = where(mask, value, input)
    return filled if filled.dtype is input.dtype else filled.to(input.dtype)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask holds, in a row.

    Source: torch.masked_select.
    """
    shape = broadcast_shapes(input.shape, mask.shape)
    return getitem(Tensor(expand(input.value, shape)), Tensor(expand(mask.value, shape)))


def nonzero(input: Tensor) -> Tensor:
    """The places (n, dims) of the elements that are not 0.

    Source: torch.nonzero.
    """
    places = np.argwhere(input.array("how many elements are nonzero depends on their values"))
    return from_array(places.astype(np.int64))


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """int64 rows with a 1 at the place that each integer names.

    Raises IndexOutOfRange for integers outside 0 … num_classes − 1, ArgumentError for none at all without num_classes.

    Source: torch.nn.functional.one_hot.
    """
    if input.dtype.kind != "int":
        raise DTypeError(f"one_hot needs integers; got {input.dtype.name}")
    known = input._value.data if num_classes > 0 else input.array("the number of classes is read off")
    if num_classes <= 0 and not input.numel():
        raise ArgumentError("one_hot of no integers cannot tell how many classes there are: give num_classes")
    low, high = (known.min(), known.max()) if known is not None and known.size else (0, 0)
    if low < 0:
        raise IndexOutOfRange(f"one_hot needs integers that are not negative; got {low}")
    count = num_classes if num_classes > 0 else int(high) + 1
    if high >= count:
        raise IndexOutOfRange(f"one_hot into {count} classes needs integers from 0 to {count - 1}; got {low} to {high}")
    classes = Tensor(ops.iota(size=count, dtype=int64))
    return (unsqueeze(input, -1) == classes).to(int64)
