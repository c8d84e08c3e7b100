"""Data sets: items by number, and the ways to put them together."""

import bisect
import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from pullback.base.dtypes import Array, from_numpy_dtype
from pullback.base.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from pullback.data.convert import as_array, as_tensor, as_tensor_array
from pullback.tensor.tensor import Tensor

Item = TypeVar("Item", covariant=True)


class Dataset(Generic[Item]):
    """Items by number: a subclass defines `__getitem__(index)` and `__len__()`.

    >>> class Squares(Dataset[int]):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return index * index
    >>> len(Squares() + Squares())
    8

    Source: torch.utils.data.Dataset.
    """

    def __getitem__(self, index: int) -> Item:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    def __add__(self, other: "Dataset[Any]") -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Item]):
    """Items one after another, without numbers: a subclass defines `__iter__()`.

    >>> class Countdown(IterableDataset[int]):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> list(Countdown())
    [3, 2, 1]

    Source: torch.utils.data.IterableDataset.
    """

    def __iter__(self) -> Iterator[Item]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")

    def __getitem__(self, index: int) -> Item:
        raise TypeError(f"{type(self).__name__} is iterable and has no item {index}; iterate over it")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Rows of one or more tensors or arrays of the same length: item i holds row i of each.

    Arrays are held, not copied; a DataLoader gathers whole batches from them at once.

    Raises ArgumentError for no tensors, ShapeError for unequal lengths, DTypeError for arrays of text or
    objects.

    >>> import pullback as pb
    >>> points = TensorDataset(pb.tensor([[1.0, 2.0], [3.0, 4.0]]), pb.tensor([0, 1]))
    >>> points[1]
    (tensor([3., 4.]), tensor(1))

    Source: torch.utils.data.TensorDataset.
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise ArgumentError("TensorDataset needs at least one tensor; got none")
        self.arrays = tuple(as_tensor_array(each) for each in tensors)
        shapes = [array.shape for array in self.arrays]
        if any(not shape or shape[0] != len(self.arrays[0]) for shape in shapes):
            raise ShapeError(f"all tensors must have the same number of rows; got shapes {shapes}")
        for array in self.arrays:
            from_numpy_dtype(array.dtype)  # raises for what no tensor can hold

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The data as tensors."""
        return tuple(as_tensor(array) for array in self.arrays)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        try:
            return tuple(as_tensor(array[index]) for array in self.arrays)
        except IndexError:
            raise IndexOutOfRange(f"there is no row {index}: the data set has {len(self)} rows") from None


class Subset(Dataset[Item]):
    """The items of a data set at the given numbers, in that order.

    Raises IndexOutOfRange for a number that the data set does not have, DTypeError for what is no number.

    >>> Subset(["a", "b", "c"], [2, 0])[0]
    'c'

    Source: torch.utils.data.Subset.
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | Array) -> None:
        self.dataset = dataset
        self.indices: Array = as_indices(indices)
        length = len(dataset)
        wrong = self.indices[(self.indices < -length) | (self.indices >= length)]
        if wrong.size:
            raise IndexOutOfRange(f"there is no item {wrong[0]}: the data set has {length} items")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Item:
        item: Item = self.dataset[int(self.indices[_in_range(index, len(self))])]
        return item


class ConcatDataset(Dataset[Any]):
    """The items of several data sets one after another.

    Raises ArgumentError for no data sets, or for one that can only be iterated over.

    >>> list(ConcatDataset([["a"], ["b", "c"]])[i] for i in range(3))
    ['a', 'b', 'c']

    Source: torch.utils.data.ConcatDataset.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset needs at least one data set; got none")
        if any(isinstance(each, IterableDataset) for each in self.datasets):
            raise ArgumentError("an IterableDataset has no length and cannot be part of a ConcatDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(each) for each in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        index = _in_range(index, len(self))
        which = bisect.bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - start]


def as_indices(indices: Any) -> Array:
    """The numbers of items as an array (n,) int64.

    Raises DTypeError for anything but integers.
    """
    found = np.asarray(as_array(indices))
    if found.size and found.dtype.kind not in "iu":
        raise DTypeError(f"indices must be integers; got {found.dtype}. numpy.flatnonzero(mask) makes them from a mask")
    return found.astype(np.int64).reshape(-1)


def _in_range(index: int, length: int) -> int:
    """The number counted from the front. An IndexError ends Python's own loops over a data set."""
    wanted = operator.index(index)
    if not -length <= wanted < length:
        raise IndexOutOfRange(f"there is no item {wanted}: the data set has {length} items")
    return wanted % length


def whole_arrays(dataset: Any) -> tuple[tuple[Array, ...], Array | None] | None:
    """The arrays behind a data set, and which of their rows are its items (None for all); None when it has
    none.

    A batch of such a data set is one gather from each array. It is so for a TensorDataset and for subsets of
    one, at any depth, but not for subclasses that make their items themselves.
    """
    kind = type(dataset)
    if isinstance(dataset, TensorDataset) and kind.__getitem__ is TensorDataset.__getitem__:
        return dataset.arrays, None
    if isinstance(dataset, Subset) and kind.__getitem__ is Subset.__getitem__:
        inner = whole_arrays(dataset.dataset)
        if inner is not None:
            arrays, rows = inner
            return arrays, dataset.indices if rows is None else rows[dataset.indices]
    return None
