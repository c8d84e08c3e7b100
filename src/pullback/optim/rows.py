"""Updates that touch only those rows of a table that a step looked up.

Nothing in the engine knows of such gradients. That of a lookup is written in the step's program as rows added into
zeros; an update rule that leaves a row alone when its gradient is zero may read the rows off there. When nothing else
needs the gradient itself (`optimizer.zero_grad()` is the last thing in the step), it is never made.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import pullback.ops as ops
from pullback.base.dtypes import int64
from pullback.ir.node import Value
from pullback.tensor.promotion import convert
from pullback.tensor.tensor import Tensor


@dataclass(frozen=True)
class RowGradient:
    """A gradient that is zero but for some rows.

    places: which rows, int64 (k,); a row may be named several times.
    values: for each place the whole gradient of its row, (k, ...).
    """

    places: Value
    values: Tensor

    def rows_of(self, table: Tensor) -> Tensor:
        """The rows of a tensor that are named."""
        return Tensor(ops.gather(table.value, self.places, axis=0))

    def put(self, rows: Tensor, table: Tensor) -> Tensor:
        """The tensor with these rows in the place of its own. Those of places that are named twice are equal."""
        return Tensor(ops.scatter(table.value, self.places, convert(rows.value, table.dtype), axis=0))


@dataclass(frozen=True)
class WholeGradient:
    """A gradient of all rows, in the form of a `RowGradient`."""

    values: Tensor

    def rows_of(self, table: Tensor) -> Tensor:
        """All rows."""
        return table

    def put(self, rows: Tensor, table: Tensor) -> Tensor:
        """All rows, anew."""
        return rows


def row_gradient(g: Tensor) -> RowGradient | None:
    """The gradient as rows, where the program says that it is rows added into zeros, fewer than the table has."""
    parts = [_flat(*part) for part in _lookups(g.value)]
    if not 0 < sum(index.type.size for index, _ in parts) < g.shape[0]:
        return None
    places = ops.concat(*[index for index, _ in parts], axis=0) if len(parts) > 1 else parts[0][0]
    return RowGradient(places, Tensor(_totals(places, [rows for _, rows in parts])))


def _flat(index: Value, rows: Value) -> tuple[Value, Value]:
    count = index.type.size
    behind = rows.shape[len(index.shape) :]
    return ops.reshape(index, shape=(count,)), ops.reshape(rows, shape=(count, *behind))


def _lookups(g: Value) -> list[tuple[Value, Value]]:
    """Index and rows of each lookup whose gradients add up to g; none when g is made of anything else."""
    node = g.node
    if node is None:
        return []
    if node.op is ops.add:
        left, right = map(_lookups, node.inputs)
        return [*left, *right] if left and right else []
    if node.op is not ops.scatter_add or node.params["axis"] != 0:
        return []
    zeros, index, rows = node.inputs
    is_zero = zeros.node is not None and zeros.node.op is ops.full and zeros.node.params["value"] == 0
    return [(index, rows)] if is_zero else []


def _totals(places: Value, parts: Sequence[Value]) -> Value:
    """For each place the sum of all rows with the same place, added up in the order in which the gradient adds them.

    In sorted places equal ones are neighbours: those of one row get one number, which is smaller than the number of
    places, and their rows are added up under it. So no array of the table's size is needed.
    """
    (count,) = places.shape
    order = ops.argsort(places, axis=0, descending=False)
    ordered = ops.gather(places, order, axis=0)
    after, before = (ops.slice_(ordered, start=(i,), stop=(count - 1 + i,), step=(1,)) for i in (1, 0))
    is_new = ops.pad(ops.cast(ops.ne(after, before), dtype=int64), low=(1,), high=(0,), inner=(0,), value=0)
    number = ops.scatter(ops.zeros_like(places), order, ops.cumsum(is_new, axis=0), axis=0)
    sums, start = [], 0
    for rows in parts:
        own = ops.slice_(number, start=(start,), stop=(start + rows.shape[0],), step=(1,))
        none = ops.full(value=0, shape=(count, *rows.shape[1:]), dtype=rows.dtype)
        sums.append(ops.scatter_add(none, own, rows, axis=0))
        start += rows.shape[0]
    return ops.gather(functools.reduce(ops.add, sums), number, axis=0)
