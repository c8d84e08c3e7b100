"""Rows of a table, looked up one by one or in bags."""

from typing import Any

import pullback.ops as ops
from pullback.base.dtypes import float32, int32, int64
from pullback.base.errors import ArgumentError, DTypeError, GradientError, IndexOutOfRange, ShapeError
from pullback.grad.backward import no_grad
from pullback.grad.custom import Function
from pullback.ir.node import Value
from pullback.nn.functional.checks import check_tensor
from pullback.tensor.creation import zeros
from pullback.tensor.indexing import check_writable, index_select
from pullback.tensor.pointwise import add, cast_to, clamp, div, gt, mul, ne, sub, where
from pullback.tensor.promotion import convert
from pullback.tensor.reduction import argsort, cumsum, norm, take_along_dim
from pullback.tensor.reduction import max as max_over
from pullback.tensor.reduction import sum as sum_over
from pullback.tensor.shaping import flatten, narrow, reshape, unsqueeze
from pullback.tensor.tensor import Tensor

MODES = ("sum", "mean", "max")


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """weight[input]: the rows of a table (n, d) that integers (...) name, as (..., d).

    padding_idx: this row receives no gradient.
    max_norm: rows that are named and whose `norm_type`-norm is larger are first scaled down to it, in the table itself.
    scale_grad_by_freq: the gradient of a row is divided by how often it is named.
    sparse: let optimisers that can update only the rows that a compiled step names. The result is the same.

    Raises IndexOutOfRange for integers outside 0 … n − 1, DTypeError for other indices than int64 and int32,
    ShapeError when weight is no matrix.

    >>> import pullback as pb
    >>> pb.nn.functional.embedding(pb.tensor([1, 0]), pb.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])

    Source: torch.nn.functional.embedding.
    """
    index = _checked_rows("embedding", input, weight)
    padding = padding_row("embedding", padding_idx, weight)
    _prepare(weight, index, max_norm, norm_type, sparse)
    rows = _rows(weight, index, scale_grad_by_freq)
    if padding is None:
        return rows
    return where(unsqueeze(ne(input, padding), -1), rows, rows.detach())


def padding_row(name: str, padding_idx: int | None, weight: Tensor) -> int | None:
    """The padding row counted from the front; raises ArgumentError when the table has no such row."""
    if padding_idx is None:
        return None
    count = weight.shape[0]
    if not -count <= padding_idx < count:
        raise ArgumentError(f"{name} of {count} rows needs padding_idx from {-count} to {count - 1}; got {padding_idx}")
    return padding_idx % count


def _checked_rows(name: str, input: Tensor, weight: Tensor) -> Value:
    """The indices in int64; those that are not known yet, and do not exist, are refused when they are read."""
    check_tensor(name, "input", input)
    check_tensor(name, "weight", weight)
    if weight.ndim != 2:
        raise ShapeError(f"{name} needs a weight (rows, size); got the shape {weight.shape}")
    if input.dtype not in (int64, int32):
        raise DTypeError(f"{name} needs indices of int64 or int32; got {input.dtype.name}: write input.long()")
    places, count = convert(input.value, int64), weight.shape[0]
    if places.data is None:
        return ops.where(ops.lt(places, ops.zeros_like(places)), ops.filled_like(places, count), places)
    outside = places.data[(places.data < 0) | (places.data >= count)]
    if outside.size:
        raise IndexOutOfRange(f"{name} of {count} rows takes indices from 0 to {count - 1}; got {outside.flat[0]}")
    return places


def _prepare(weight: Tensor, index: Value, max_norm: float | None, norm_type: float, sparse: bool) -> None:
    if sparse:
        vars(weight)["sparse_gradient"] = True  # optimisers look here
    if max_norm is not None:
        _shorten(weight, index, max_norm, norm_type)


def _shorten(weight: Tensor, index: Value, max_norm: float, norm_type: float) -> None:
    """Scale the rows that are named, and longer than max_norm, down to it, in the table itself."""
    if not weight.is_leaf:
        raise GradientError(
            "max_norm writes into the table, so it must be a leaf, such as a parameter; this one is a result"
        )
    with no_grad():
        check_writable(weight, "max_norm")
        rows = Tensor(ops.gather(weight.value, index, axis=0))
        length = norm(rows, norm_type, -1, keepdim=True)
        short = where(gt(length, max_norm), mul(rows, div(max_norm, add(length, 1e-7))), rows)
        weight.assign(ops.scatter(weight.value, index, short.value, axis=0))


class _PerOccurrence(Function):
    """Rows whose gradient is divided by how often each is named."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """The rows."""
        rows, counts = args
        ctx.save_for_backward(counts)
        return rows

    @staticmethod
    def backward(ctx: Any, *gs: Any) -> Any:
        """The share of each occurrence."""
        return div(gs[0], ctx.saved_tensors[0]), None


def _rows(weight: Tensor, index: Value, scale_grad_by_freq: bool) -> Tensor:
    rows = Tensor(ops.gather(weight.value, index, axis=0))
    if not scale_grad_by_freq:
        return rows
    flat = ops.reshape(index, shape=(index.type.size,))
    none = ops.full(value=0, shape=weight.shape[:1], dtype=int64)
    counts = ops.gather(ops.scatter_add(none, flat, ops.ones_like(flat), axis=0), index, axis=0)
    scaled: Tensor = _PerOccurrence.apply(rows, unsqueeze(Tensor(counts), -1))
    return scaled


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or largest of the rows of each bag of integers, as (bags, d), from a table (n, d).

    input: (bags, size); or (m,) with `offsets`, the places where the bags begin. An empty bag gives zeros.
    include_last_offset: offsets ends with the place where the last bag ends.
    per_sample_weights: numbers of input's shape that the rows are multiplied with, for mode "sum".
    padding_idx: this row is left out of its bags.
    max_norm, norm_type, scale_grad_by_freq, sparse: as in `embedding`.

    Raises IndexOutOfRange for integers outside 0 … n − 1, ShapeError for shapes that do not fit, ArgumentError for
    offsets that do not rise from 0, an unknown mode, and options that a mode does not take.

    >>> import pullback as pb
    >>> table = pb.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> pb.nn.functional.embedding_bag(pb.tensor([0, 1, 2]), table, pb.tensor([0, 2]))
    tensor([[2., 3.],
            [5., 6.]])

    Source: torch.nn.functional.embedding_bag.
    """
    _check_mode(mode, scale_grad_by_freq, sparse)
    index = _checked_rows("embedding_bag", input, weight)
    padding = padding_row("embedding_bag", padding_idx, weight)
    bags = _Bags(input, offsets, include_last_offset, padding)
    _prepare(weight, index, max_norm, norm_type, sparse)
    rows = _rows(weight, ops.reshape(index, shape=(bags.entries,)), scale_grad_by_freq)
    if per_sample_weights is not None:
        _check_factors(per_sample_weights, input, weight, mode)
        rows = mul(rows, unsqueeze(flatten(per_sample_weights), -1))
    if mode == "max":
        return bags.largest(rows)
    total = bags.total(rows)
    return total if mode == "sum" else div(total, clamp(bags.sizes(), min=1))


def _check_mode(mode: str, scale_grad_by_freq: bool, sparse: bool) -> None:
    if mode not in MODES:
        raise ArgumentError(f"embedding_bag has the modes {', '.join(MODES)}; got {mode!r}")
    if mode == "max" and (scale_grad_by_freq or sparse):
        given = "scale_grad_by_freq" if scale_grad_by_freq else "sparse"
        raise ArgumentError(f"embedding_bag with mode='max' takes no {given}; use mode 'sum' or 'mean'")


def _check_factors(factors: Tensor, input: Tensor, weight: Tensor, mode: str) -> None:
    if mode != "sum":
        raise ArgumentError(f"embedding_bag takes per_sample_weights with mode='sum'; got mode={mode!r}")
    if factors.shape != input.shape:
        raise ShapeError(f"per_sample_weights have the input's shape {input.shape}; got {factors.shape}")
    if factors.dtype is not weight.dtype:
        raise DTypeError(f"per_sample_weights have the weight's dtype, {weight.dtype.name}; got {factors.dtype.name}")


class _Bags:
    """Which entry of the flattened input belongs to which bag; those that are padding belong to none."""

    def __init__(self, input: Tensor, offsets: Tensor | None, include_last_offset: bool, padding: int | None) -> None:
        if input.ndim not in (1, 2):
            raise ShapeError(f"embedding_bag takes an input (bags, size), or (m,) with offsets; got {input.shape}")
        if (offsets is None) is (input.ndim == 1):
            given = "no offsets" if offsets is None else "offsets"
            raise ArgumentError(
                f"embedding_bag takes offsets with an input (m,), and none with (bags, size); got {input.shape} with "
                f"{given}"
            )
        self.entries = input.numel()
        self.offsets = None if offsets is None else _checked_offsets(offsets, self.entries, include_last_offset)
        self.count = input.shape[0] if self.offsets is None else self.offsets.type.size - include_last_offset
        self.counts = None if padding is None else ne(flatten(input), padding)  # which entries count

    def _each(self) -> Tensor:
        """For each entry its bag; one bag more for entries that belong to none."""
        assert self.offsets is not None
        begun = ops.full(value=0, shape=(self.entries + 1,), dtype=int64)
        begun = ops.scatter_add(begun, self.offsets, ops.ones_like(self.offsets), axis=0)
        bag = sub(narrow(cumsum(Tensor(begun), 0), 0, 0, self.entries), 1)
        return bag if self.counts is None else where(self.counts, bag, self.count)

    def total(self, rows: Tensor) -> Tensor:
        """The sum of the rows (entries, d) of each bag, (bags, d)."""
        if self.offsets is None:
            kept = rows if self.counts is None else where(unsqueeze(self.counts, -1), rows, 0.0)
            return sum_over(self._side_by_side(kept), 1)
        wide = cast_to(rows, float32) if rows.dtype.is_half else rows
        none = zeros(self.count + 1, rows.shape[-1], dtype=wide.dtype)
        sums = Tensor(ops.scatter_add(none.value, self._each().value, wide.value, axis=0))
        return cast_to(narrow(sums, 0, 0, self.count), rows.dtype)

    def _side_by_side(self, rows: Tensor) -> Tensor:
        """(entries, d) as (bags, size, d)."""
        return reshape(rows, (self.count, self.entries // max(self.count, 1), rows.shape[-1]))

    def sizes(self) -> Tensor:
        """How many entries each bag has, (bags, 1)."""
        ones = ops.full(value=1, shape=(self.entries, 1), dtype=int64)
        return self.total(Tensor(ones))

    def largest(self, rows: Tensor) -> Tensor:
        """The largest of the rows (entries, d) of each bag, column by column; of equal ones the first. (bags, d)."""
        if not self.entries:
            return mul(zeros(self.count, rows.shape[-1], dtype=rows.dtype), sum_over(rows))
        sizes = self.sizes()
        if self.offsets is None:
            kept = rows if self.counts is None else where(unsqueeze(self.counts, -1), rows, -float("inf"))
            return where(gt(sizes, 0), max_over(self._side_by_side(kept), 1).values, 0.0)
        falling = argsort(rows, 0, descending=True)  # (entries, d)
        by_bag = argsort(_named_by(self._each(), falling), 0)
        places = take_along_dim(falling, by_bag, 0)  # by bag, the largest first
        first = clamp(sub(cumsum(flatten(sizes), 0), flatten(sizes)), max=self.entries - 1)
        return where(gt(sizes, 0), take_along_dim(rows, index_select(places, 0, first), 0), 0.0)


def _named_by(x: Tensor, index: Tensor) -> Tensor:
    """x[index] for a vector x and places that are known to exist."""
    return Tensor(ops.gather(x.value, index.value, axis=0))


def _checked_offsets(offsets: Tensor, entries: int, include_last_offset: bool) -> Value:
    """Where the bags begin, in int64; checked at once where the numbers are known."""
    if offsets.ndim != 1 or offsets.dtype not in (int64, int32):
        raise ShapeError(f"offsets are a vector of int64 or int32; got {offsets.type_}")
    if include_last_offset and not offsets.numel():
        raise ArgumentError("with include_last_offset the offsets hold at least the end of the last bag; got none")
    places = convert(offsets.value, int64)
    known = places.data
    if known is not None and known.size and (known[0] or known[-1] > entries or (known[1:] < known[:-1]).any()):
        raise ArgumentError(f"offsets rise from 0 to at most the input's {entries} entries; got {known.tolist()}")
    return places
