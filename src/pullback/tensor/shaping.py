"""Functions that rearrange: shapes, dims, joining and cutting."""

from collections.abc import Sequence
from typing import Any

import pullback.ops as ops
from pullback.base.dtypes import int64
from pullback.base.errors import ArgumentError, ShapeError
from pullback.base.shapes import as_shape, infer_size, normalize_axes, normalize_axis, size_of, span
from pullback.ir.node import Value
from pullback.tensor.promotion import convert, result_type
from pullback.tensor.promotion import expand as expand_value
from pullback.tensor.tensor import Tensor


def _view(value: Value) -> Tensor:
    made = Tensor(value)
    made.is_view = True
    return made


def _sizes(given: tuple[Any, ...]) -> tuple[int, ...]:
    items = tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    return tuple(int(n) for n in items)


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (tuple, list)) else [given]


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one size may be −1 and is worked out.

    Raises ShapeError when the elements do not fill the shape.

    >>> import pullback as pb
    >>> pb.arange(6).reshape(2, -1).shape
    (2, 3)

    Source: torch.reshape.
    """
    return _view(ops.reshape(input.value, shape=infer_size(_sizes(shape), input.value.type.size)))


def view(input: Tensor, *shape: Any) -> Tensor:
    """As `reshape`; tensors are values, so every shape that fits is allowed.

    Source: torch.Tensor.view.
    """
    return reshape(input, *shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dims from start_dim to end_dim made one.

    Source: torch.flatten.
    """
    first, last = normalize_axis(start_dim, input.ndim), normalize_axis(end_dim, input.ndim)
    if first > last:
        raise ArgumentError(f"flatten needs start_dim before end_dim; got {start_dim} and {end_dim}")
    middle = size_of(input.shape[first : last + 1])
    return reshape(input, (*input.shape[:first], middle, *input.shape[last + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dim cut into several.

    Source: torch.unflatten.
    """
    axis = normalize_axis(dim, input.ndim)
    return reshape(input, (*input.shape[:axis], *infer_size(tuple(sizes), input.shape[axis]), *input.shape[axis + 1 :]))


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Dims of size 1 left out: all of them, or those named.

    Source: torch.squeeze.
    """
    axes = normalize_axes(dim, input.ndim)
    return reshape(input, tuple(n for i, n in enumerate(input.shape) if not (i in axes and n == 1)))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A dim of size 1 put in at this place.

    Source: torch.unsqueeze.
    """
    axis = normalize_axis(dim, input.ndim + 1)
    return reshape(input, (*input.shape[:axis], 1, *input.shape[axis:]))


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dims in another order.

    Source: torch.permute.
    """
    axes = tuple(normalize_axis(d, input.ndim) for d in _sizes(dims))
    return _view(ops.permute(input.value, axes=axes))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dims exchanged.

    Source: torch.transpose.
    """
    axes = list(range(input.ndim))
    a, b = normalize_axis(dim0, input.ndim), normalize_axis(dim1, input.ndim)
    if axes:
        axes[a], axes[b] = b, a
    return _view(ops.permute(input.value, axes=tuple(axes)))


def t(input: Tensor) -> Tensor:
    """A matrix transposed.

    Raises ShapeError for more than two dims.

    Source: torch.t.
    """
    if input.ndim > 2:
        raise ShapeError(f"t() transposes a matrix; this tensor has the shape {input.shape}: use transpose(dim0, dim1)")
    return transpose(input, 0, 1) if input.ndim == 2 else input


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """One dim, or several, moved to other places; the rest keep their order.

    Raises ArgumentError when a dim stands twice, or when there are not as many places as dims.

    Source: torch.movedim.
    """
    moved = [normalize_axis(d, input.ndim) for d in _listed(source)]
    places = [normalize_axis(d, input.ndim) for d in _listed(destination)]
    if len(set(moved)) != len(moved) or len(set(places)) != len(places) or len(moved) != len(places):
        raise ArgumentError(f"movedim takes each dim and each place once; got {source} and {destination}")
    rest = iter(d for d in range(input.ndim) if d not in moved)
    order = [moved[places.index(i)] if i in places else next(rest) for i in range(input.ndim)]
    return permute(input, *order) if order else input


def expand(input: Tensor, *sizes: Any) -> Tensor:
    """Dims of size 1, and new leading ones, repeated; −1 keeps a size.

    Source: torch.Tensor.expand.
    """
    wanted = list(_sizes(sizes))
    for i in range(1, input.ndim + 1):
        if i <= len(wanted) and wanted[-i] == -1:
            wanted[-i] = input.shape[-i]
    return _view(expand_value(input.value, as_shape(wanted)))


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """The tensor repeated to this shape.

    Source: torch.broadcast_to.
    """
    return expand(input, *size)


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor repeated to another's shape.

    Source: torch.Tensor.expand_as.
    """
    return expand(input, *other.shape)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors one after the other along a dim.

    Raises ShapeError when other dims differ, ArgumentError for an empty list.

    Source: torch.cat.
    """
    if not tensors:
        raise ArgumentError("cat needs at least one tensor")
    dtype = result_type(*tensors)
    kept = [x for x in tensors if x.shape != (0,)] or [tensors[0]]
    axis = normalize_axis(dim, kept[0].ndim)
    if len({x.ndim for x in kept}) > 1:
        raise ShapeError(f"cat needs tensors with equally many dims; got {', '.join(str(x.shape) for x in kept)}")
    return Tensor(ops.concat(*[convert(x.value, dtype) for x in kept], axis=axis))


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape side by side along a new dim.

    Source: torch.stack.
    """
    if len({x.shape for x in tensors}) > 1:
        raise ShapeError(f"stack needs tensors of one shape; got {', '.join(str(x.shape) for x in tensors)}")
    return cat([unsqueeze(x, dim) for x in tensors], normalize_axis(dim, tensors[0].ndim + 1) if tensors else 0)


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` entries along a dim from `start` on.

    Source: torch.narrow.
    """
    axis = normalize_axis(dim, input.ndim)
    first = start + input.shape[axis] if start < 0 else start
    if first < 0 or length < 0 or first + length > input.shape[axis]:
        raise ShapeError(f"narrow from {start} over {length} leaves dim {dim} of size {input.shape[axis]}")
    return cut(input, {axis: (first, first + length, 1)})


def cut(input: Tensor, boxes: dict[int, tuple[int, int, int]]) -> Tensor:
    """The part within start, stop, step on some axes and whole on the others."""
    bounds = [boxes.get(a, (0, n, 1)) for a, n in enumerate(input.shape)]
    start, stop, step = (tuple(b[i] for b in bounds) for i in range(3))
    return _view(ops.slice_(input.value, start=start, stop=stop, step=step)) if bounds else input


def split(input: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of one size (the last may be smaller), or of the sizes given.

    Source: torch.split.
    """
    size = input.shape[normalize_axis(dim, input.ndim)]
    each = split_size_or_sections
    if isinstance(each, int) and (each < 0 or (each == 0 and size)):
        raise ArgumentError(f"split needs pieces of at least one entry; got {each}")
    sizes = [min(each, size - i) for i in range(0, size, each or 1)] or [0] if isinstance(each, int) else list(each)
    if sum(sizes) != size:
        raise ShapeError(f"sections {sizes} add up to {sum(sizes)}, but dim {dim} has size {size}")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(narrow(input, dim, start, length) for start, length in zip(starts, sizes, strict=True))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size, the last perhaps smaller.

    Source: torch.chunk.
    """
    if chunks < 1:
        raise ArgumentError(f"chunks must be at least 1; got {chunks}")
    size = input.shape[normalize_axis(dim, input.ndim)]
    return split(input, -(-size // chunks), dim) if size else split(input, [0] * chunks, dim)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One entry along a dim, which goes away.

    Source: torch.select.
    """
    axis = normalize_axis(dim, input.ndim)
    return squeeze(narrow(input, axis, index, 1), axis)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All entries along a dim, which goes away.

    Source: torch.unbind.
    """
    return tuple(select(input, dim, i) for i in range(input.shape[normalize_axis(dim, input.ndim)]))


def flip(input: Tensor, *dims: Any) -> Tensor:
    """The tensor reversed along dims.

    Source: torch.flip.
    """
    return Tensor(ops.flip(input.value, axes=normalize_axes(_sizes(dims), input.ndim)))


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Entries moved along one or more dims, those that fall out coming in at the other end.

    Raises ArgumentError when there are not as many shifts as dims.

    Source: torch.roll.
    """
    x, moves = input, _listed(shifts)
    if dims is None and len(moves) == 1:
        return reshape(roll(flatten(x), moves, 0), x.shape)
    axes = _listed(dims)
    if len(axes) != len(moves):
        raise ArgumentError(f"roll needs as many shifts as dims; got {tuple(moves)} and {dims}")
    for move, axis in zip(moves, axes, strict=True):
        size = x.shape[normalize_axis(axis, x.ndim)]
        place = move % size if size else 0
        x = cat([narrow(x, axis, size - place, place), narrow(x, axis, 0, size - place)], axis)
    return x


def repeat(input: Tensor, *sizes: Any) -> Tensor:
    """The whole tensor repeated along each dim.

    Source: torch.Tensor.repeat.
    """
    times = _sizes(sizes)
    if len(times) < input.ndim:
        raise ShapeError(f"repeat needs a count for each of {input.ndim} dims; got {times}")
    shape = (1,) * (len(times) - input.ndim) + input.shape
    paired = [n for size in shape for n in (1, size)]
    wanted = [n for count, size in zip(times, shape, strict=True) for n in (count, size)]
    whole = tuple(count * size for count, size in zip(times, shape, strict=True))
    return Tensor(reshape(expand(reshape(input, paired), *wanted), whole).value)


def tile(input: Tensor, *dims: Any) -> Tensor:
    """As `repeat`; missing leading counts are 1.

    Source: torch.tile.
    """
    times = _sizes(dims)
    return repeat(input, *(1,) * (input.ndim - len(times)), *times)


def repeat_interleave(input: Tensor, repeats: int, dim: int | None = None) -> Tensor:
    """Each entry repeated, one after the other.

    Source: torch.repeat_interleave.
    """
    found = flatten(input) if dim is None else input
    axis = 0 if dim is None else normalize_axis(dim, input.ndim)
    wide = expand(unsqueeze(found, axis + 1), *found.shape[: axis + 1], repeats, *found.shape[axis + 1 :])
    return Tensor(flatten(wide, axis, axis + 1).value)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Each matrix with zeros above a diagonal.

    Source: torch.tril.
    """
    return _triangle(input, lambda rows, columns: ops.le(columns, rows + diagonal))


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Each matrix with zeros below a diagonal.

    Source: torch.triu.
    """
    return _triangle(input, lambda rows, columns: ops.le(rows + diagonal, columns))


def _triangle(input: Tensor, keeps: Any) -> Tensor:
    if input.ndim < 2:
        raise ShapeError(f"tril and triu need matrices; got the shape {input.shape}")
    n, m = input.shape[-2:]
    rows = ops.broadcast(ops.reshape(ops.iota(size=n, dtype=int64), shape=(n, 1)), shape=(n, m))
    columns = ops.broadcast(ops.iota(size=m, dtype=int64), shape=(n, m))
    mask = expand_value(keeps(rows, columns), input.shape)
    return Tensor(ops.where(mask, input.value, ops.zeros_like(input.value)))


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The entries whose places along dim1 and dim2 differ by offset, along a new last dim.

    Source: torch.diagonal.
    """
    first, second = normalize_axis(dim1, input.ndim), normalize_axis(dim2, input.ndim)
    last = movedim(movedim(input, first, -1), second - (first < second), -1)
    n, m = last.shape[-2:]
    first_row, first_column = max(-offset, 0), max(offset, 0)
    length = max(min(n - first_row, m - first_column), 0)
    flat = flatten(last, -2, -1)
    start = first_row * m + first_column
    return cut(flat, {flat.ndim - 1: (start, start + span(length, m + 1), m + 1)})


def diag(input: Tensor, diagonal_: int = 0) -> Tensor:
    """The diagonal of a matrix; of a vector the matrix that has it as diagonal.

    Source: torch.diag.
    """
    if input.ndim == 2:
        return diagonal(input, diagonal_)
    if input.ndim != 1:
        raise ShapeError(f"diag takes a vector or a matrix; got the shape {input.shape}")
    (size,) = input.shape
    n = size + abs(diagonal_)
    start = max(diagonal_, 0) + max(-diagonal_, 0) * n
    flat = ops.pad(input.value, low=(start,), high=(n * n - start - span(size, n + 1),), inner=(n,), value=0)
    return Tensor(ops.reshape(flat, shape=(n, n)))
