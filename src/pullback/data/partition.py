"""Cut the rows of a data set into parts, at random or class by class."""

import math
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from pullback.base.dtypes import Array
from pullback.base.errors import ArgumentError, DataError, ShapeError
from pullback.data.randomness import SPLIT, STRATIFY, permutation

Lengths = Sequence[int] | Sequence[float]


def part_sizes(lengths: Lengths, n: int) -> list[int]:
    """How many of `n` rows each part gets, from counts that add up to n or fractions that add up to 1.

    A fraction f gives floor(f n) rows; the rows then left over go one each to the first parts, as in PyTorch.

    Raises ArgumentError when the counts or fractions do not add up.

    >>> part_sizes([0.8, 0.1, 0.1], 99)
    [80, 10, 9]
    """
    if not lengths:
        raise ArgumentError("lengths must name at least one part, such as [0.8, 0.2]; got none")
    if any(isinstance(part, (float, np.floating)) for part in lengths):
        return _sizes_of_fractions([float(part) for part in lengths], n)
    return _check_counts(lengths, n)


def _check_counts(lengths: Sequence[Any], n: int) -> list[int]:
    try:
        counts = [operator.index(part) for part in lengths]
    except TypeError:
        raise ArgumentError(f"lengths must be integers or fractions; got {list(lengths)!r}") from None
    if min(counts) < 0 or sum(counts) != n:
        found = f"{counts} adds up to {sum(counts)}"
        raise ArgumentError(f"lengths must be 0 or more and add up to the {n} rows; {found}")
    return counts


def _sizes_of_fractions(fractions: list[float], n: int) -> list[int]:
    total = math.fsum(fractions)
    if not all(0 <= part <= 1 for part in fractions) or not math.isclose(total, 1, abs_tol=1e-6):
        raise ArgumentError(f"fractions must lie in [0, 1] and add up to 1; {fractions} adds up to {total:g}")
    sizes = [math.floor(n * part) for part in fractions]
    for i in range(n - sum(sizes)):
        sizes[i % len(sizes)] += 1
    for i, size in enumerate(sizes):
        if size == 0:
            warnings.warn(f"part {i} of the split is empty: {fractions[i]:g} of {n} rows", stacklevel=4)
    return sizes


def random_partition(n: int, lengths: Lengths, seed: int) -> list[Array]:
    """The row numbers of each part, drawn at random: a list of (part size,) int64 arrays.

    Raises ArgumentError when the lengths do not add up.

    >>> [part.size for part in random_partition(10, [0.7, 0.3], seed=0)]
    [7, 3]
    """
    ends = np.cumsum(part_sizes(lengths, n))[:-1]
    return np.split(permutation(n, seed, SPLIT), ends)


def stratified_partition(labels: Any, lengths: Lengths, seed: int) -> list[Array]:
    """The row numbers of each part, drawn so that every part has the classes in the same proportions.

    The sizes are exact. Parts are cut off from the last to the first, each taking from every class its share
    of the rows still there, by largest remainders; the first part keeps the rest. So a class with fewer rows
    than there are parts is in the first part before it is in any other.

    `labels` (n,) of integers, booleans or text; returns a list of (part size,) int64 arrays in random order.

    Raises ArgumentError when the lengths do not add up, ShapeError when labels are not one-dimensional, DataError for
    a label that is NaN, which belongs to no class.

    >>> [part.size for part in stratified_partition([0, 0, 0, 0, 1, 1], [3, 3], seed=0)]
    [3, 3]
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ShapeError(f"labels must be one for each row, of shape (n,); got shape {labels.shape}")
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        row = int(np.flatnonzero(np.isnan(labels))[0])
        raise DataError(
            f"a label that is NaN belongs to no class; row {row} has one: leave out the rows without a label"
        )
    order = permutation(len(labels), seed, STRATIFY)
    classes = np.unique(labels)
    left = [order[labels[order] == each] for each in classes]
    parts = []
    for size in reversed(part_sizes(lengths, len(labels))[1:]):
        takes = share_out(size, [len(rows) for rows in left])
        parts.append(_merge([rows[:take] for rows, take in zip(left, takes, strict=True)], order))
        left = [rows[take:] for rows, take in zip(left, takes, strict=True)]
    return [_merge(left, order), *reversed(parts)]


def _merge(pieces: list[Array], order: Array) -> Array:
    """The rows of all pieces, in the order in which `order` has them, so that classes are mixed."""
    chosen = np.zeros(len(order), dtype=bool)
    for piece in pieces:
        chosen[piece] = True
    return order[chosen[order]]


def share_out(total: int, counts: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to `counts` that add up to `total`, none above its count.

    Each gets the floor of its share; what is left goes to the largest remainders, earlier ones first in a
    tie.

    >>> share_out(4, [5, 3, 2])
    [2, 1, 1]
    """
    all_rows = sum(counts)
    if all_rows == 0:
        return [0] * len(counts)
    shares = [divmod(total * count, all_rows) for count in counts]  # whole-number arithmetic: no rounding
    result = [whole for whole, _ in shares]
    by_remainder = sorted(range(len(counts)), key=lambda i: -shares[i][1])
    for i in by_remainder[: total - sum(result)]:
        result[i] += 1
    return result
