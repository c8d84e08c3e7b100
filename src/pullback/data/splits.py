"""A data set cut into training, validation and test."""

from typing import Any

import numpy as np

from pullback.base.errors import ArgumentError, ShapeError
from pullback.data.convert import as_array
from pullback.data.datasets import Subset, whole_arrays
from pullback.data.partition import Lengths, random_partition, stratified_partition
from pullback.data.randomness import resolve_seed


def random_split(
    dataset: Any, lengths: Lengths, generator: Any = None, *, seed: int | None = None
) -> list[Subset[Any]]:
    """The data set in parts drawn at random, by counts or by fractions.

    The parts are decided by the seed alone (`seed`, or that of `generator`, or that of `pb.manual_seed`), so
    the same call gives the same parts again.

    Raises ArgumentError when counts do not add up to the number of items, or fractions to 1.

    >>> train, test = random_split(list(range(10)), [0.8, 0.2], seed=0)
    >>> len(train), len(test), set(train) & set(test)
    (8, 2, set())

    Source: torch.utils.data.random_split.
    """
    parts = random_partition(len(dataset), lengths, resolve_seed(seed, generator))
    return [Subset(dataset, rows) for rows in parts]


def stratified_split(
    dataset: Any, lengths: Lengths, generator: Any = None, *, labels: Any = None, seed: int | None = None
) -> list[Subset[Any]]:
    """The data set in parts drawn at random so that each has the classes in the same proportions.

    `labels` (n,) names the class of every item; without it they are the last tensor of a TensorDataset, or
    the data set's `targets`. See `stratified_partition` for how classes are shared out.

    Raises ArgumentError when lengths do not add up or there are no labels, ShapeError when labels are not
    (n,).

    >>> train, test = stratified_split("aaaabb", [4, 2], labels=list("aaaabb"), seed=0)
    >>> sorted(train), sorted(test)
    (['a', 'a', 'a', 'b'], ['a', 'b'])
    """
    found = as_array(_labels_of(dataset) if labels is None else labels)
    if found.shape != (len(dataset),):
        raise ShapeError(f"labels must be one for each of the {len(dataset)} items; got shape {found.shape}")
    parts = stratified_partition(found, lengths, resolve_seed(seed, generator))
    return [Subset(dataset, rows) for rows in parts]


def _labels_of(dataset: Any) -> Any:
    whole = whole_arrays(dataset)
    if whole is not None and len(whole[0]) > 1:
        arrays, rows = whole
        return arrays[-1] if rows is None else arrays[-1][rows]
    if hasattr(dataset, "targets"):
        return np.asarray(dataset.targets)
    raise ArgumentError(
        f"a {type(dataset).__name__} does not say which class its items have; pass labels=, one for each item"
    )
