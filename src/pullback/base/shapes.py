"""Shapes and axes: how they are normalised, broadcast and counted."""

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

from pullback.base.errors import ArgumentError, ShapeError

Shape = tuple[int, ...]


def size_of(shape: Sequence[int]) -> int:
    """The number of elements of a shape."""
    return math.prod(shape)


def as_shape(sizes: Iterable[Any]) -> Shape:
    """A shape from integers given singly or as one sequence, as in `zeros(2, 3)` and `zeros((2, 3))`."""
    items = tuple(sizes)
    if len(items) == 1 and isinstance(items[0], (tuple, list)):
        items = tuple(items[0])
    try:
        shape = tuple(operator.index(n) for n in items)
    except TypeError:
        raise ArgumentError(f"a shape is made of integers; got {items!r}") from None
    if any(n < 0 for n in shape):
        raise ShapeError(f"a shape has no negative sizes; got {shape}")
    return shape


def normalize_axis(axis: int, rank: int, what: str = "dim") -> int:
    """The axis counted from the front; negative ones count from the back."""
    limit = max(rank, 1)  # PyTorch lets a scalar be reduced along dim 0 and -1
    if not -limit <= axis < limit:
        raise ShapeError(
            f"{what} {axis} does not exist: the tensor has {rank} dimensions, so {what} is from {-limit} to {limit - 1}"
        )
    return axis % limit


def normalize_axes(axes: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """The axes meant, sorted, each once; None means all."""
    if axes is None:
        return tuple(range(rank))
    given = (axes,) if isinstance(axes, int) else tuple(axes)
    found = tuple(sorted(normalize_axis(a, rank) for a in given))
    if len(set(found)) != len(found):
        raise ShapeError(f"a dim stands twice in {given}")
    return found if rank else ()


def without_axes(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape that is left when the axes are taken out."""
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def with_ones(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape with the axes kept at size 1."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape after a reduction over the axes."""
    return with_ones(shape, axes) if keepdims else without_axes(shape, axes)


def span(count: int, step: int) -> int:
    """How many places `count` entries take up when each is `step` after the one before."""
    return max(count - 1, 0) * step + min(count, 1)


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that all of them broadcast to; raises ShapeError naming the axis that does not fit.

    >>> broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    rank = max((len(s) for s in shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        for i, n in enumerate(shape, start=rank - len(shape)):
            if n != 1 and result[i] not in (1, n):
                listed = " and ".join(str(s) for s in shapes)
                raise ShapeError(
                    f"shapes {listed} do not broadcast: along axis {i - rank} sizes {result[i]} and {n} differ, "
                    "and neither is 1"
                )
            if n != 1:
                result[i] = n
    return tuple(result)


def infer_size(shape: Sequence[int], size: int) -> Shape:
    """The shape with its one -1 replaced so that it holds `size` elements."""
    unknown = [i for i, n in enumerate(shape) if n == -1]
    known = math.prod(n for n in shape if n != -1)
    if len(unknown) > 1 or any(n < -1 for n in shape):
        raise ShapeError(f"a new shape may hold one -1 and no other negative size; got {tuple(shape)}")
    if not unknown:
        if known != size:
            raise ShapeError(f"{size} elements do not fill the shape {tuple(shape)}, which holds {known}")
        return tuple(shape)
    if known == 0 or size % known:
        raise ShapeError(f"{size} elements cannot be laid out as {tuple(shape)}: {size} is no multiple of {known}")
    return tuple(size // known if n == -1 else n for n in shape)
